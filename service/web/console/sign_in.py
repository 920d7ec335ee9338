"""Signing in by a link that `orderhook token --console` printed, and out again."""

from dataclasses import dataclass
from urllib.parse import urlsplit

import jwt
import structlog
from aiohttp import web

from service.settings import Auth
from service.web.auth import CLAIMS, LEEWAY_SECONDS, LONGEST_TOKEN, Caller, role_named
from service.web.console import languages, showing, viewers
from service.web.console.forms import FORM
from service.web.console.routes import PREFIX, Console, Route
from service.web.console.viewers import VIEWER
from service.web.problems import Refused

log = structlog.get_logger()

PAGE = f"{PREFIX}/sign-in"
HOW = languages.mark("Make a new one with `orderhook token --console --role ROLE --subject NAME`.")
SPENT = languages.mark("This link has been used.")
BAD = languages.mark("This link is not good any more, or never was.")
NO_COOKIE = languages.mark(
    "Your browser did not keep the cookie: open the console over https, or from the machine itself "
    "as http://localhost (through a tunnel, if it is elsewhere)."
)


def audience(auth: Auth) -> str:
    """A link signs in and does nothing else; an API token does not sign in."""
    return f"{auth.audience}/console"


@dataclass(frozen=True, slots=True)
class SignIn:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        """The page with the button: a link that is only looked at is not used up."""
        if VIEWER in request and not request.query.get("token"):
            return _see(local(request.query.get("next", "")))
        return _page(request, self._provider, token=request.query.get("token", "")[:LONGEST_TOKEN])

    async def done(self, request: web.Request) -> web.StreamResponse:
        form = request[FORM]
        try:
            caller, link = self._read(form.text("token"))
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            log.info("sign_in_refused", error=type(error).__name__)
            return _page(request, self._provider, problem=_said(BAD, HOW), status=401)
        answer = _see(showing.at("welcome", next=local(form.text("next"))))
        if not await viewers.begin(answer, self.console.pool, caller, link=link):
            return _page(request, self._provider, problem=_said(SPENT, HOW), status=401)
        return answer

    async def welcome(self, request: web.Request) -> web.StreamResponse:
        if VIEWER not in request:
            return _page(request, self._provider, problem=_said(NO_COOKIE), status=401)
        return _see(local(request.query.get("next", "")))

    async def out(self, request: web.Request) -> web.StreamResponse:
        answer = _see(showing.at("sign-in"))
        await viewers.end(request, answer, self.console.pool)
        return answer

    @property
    def _provider(self) -> str:
        """The host of the identity provider; empty without one."""
        identity = self.console.identity
        return (urlsplit(identity.rule.issuer).hostname or "") if identity else ""

    def _read(self, token: str) -> tuple[Caller, str]:
        auth = self.console.auth
        if auth.jwt_secret is None or not 0 < len(token) <= LONGEST_TOKEN:
            raise jwt.InvalidTokenError
        claims = jwt.decode(
            token,
            auth.jwt_secret.reveal(),
            algorithms=[auth.algorithm],
            audience=audience(auth),
            issuer=auth.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": [*CLAIMS, "jti"], "strict_aud": True},
        )
        if not claims["sub"]:
            raise jwt.InvalidTokenError
        return Caller(claims["sub"], role_named(claims["role"])), claims["jti"]


def routes(console: Console) -> tuple[Route, ...]:
    pages = SignIn(console)
    return (
        Route("GET", "/sign-in", None, pages.shown),
        Route("POST", "/sign-in", None, pages.done),
        Route("GET", "/welcome", None, pages.welcome),
        Route("POST", "/sign-out", None, pages.out),
    )


def local(address: str) -> str:
    """A page of the console; anything else, above all another host, becomes the first page."""
    plain = address.startswith(f"{PREFIX}/") and address.isprintable() and "\\" not in address
    return address if plain and len(address) <= 2048 else f"{PREFIX}/"


def _page(
    request: web.Request, provider: str, *, token: str = "", problem: str = "", status: int = 200
) -> web.Response:
    following = local(request.query.get("next", ""))
    context = {"token": token, "problem": problem, "next": following, "provider": provider}
    answer = showing.show(request, "sign_in.html", context, status=status)
    answer.headers["Referrer-Policy"] = "no-referrer"
    return answer


def _said(*sentences: str) -> str:
    return " ".join(map(languages.text, sentences))


def _see(address: str) -> web.Response:
    if not address.startswith(f"{PREFIX}/"):
        raise Refused(400, BAD)
    return web.Response(status=303, headers={"Location": address})
