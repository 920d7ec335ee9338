"""Signing in with the company's identity provider: away with a challenge, back with a code."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import timedelta

import structlog
from aiohttp import web

from service.store import sessions
from service.store.sessions import Departure
from service.web.console import identity, languages, showing, viewers
from service.web.console.identity import Identity, Untrue
from service.web.console.routes import PREFIX, Console, Route
from service.web.console.sign_in import local
from service.web.problems import Refused

log = structlog.get_logger()

COOKIE = "__Host-orderhook-oidc"
LASTS = timedelta(minutes=10)
LONGEST_CODE = 2048
NONE = languages.mark(
    "No identity provider is configured here: [auth.oidc] in orderhook.toml names one."
)
LOST = languages.mark(
    "This sign-in was not begun in this browser, was used, or took too long. Begin again."
)
DECLINED = languages.mark("The identity provider did not let you in.")


@dataclass(frozen=True, slots=True)
class Oidc:
    console: Console

    async def leave(self, request: web.Request) -> web.StreamResponse:
        provider = self._identity()
        browser, state = secrets.token_urlsafe(32), secrets.token_urlsafe(32)
        departure = Departure(
            nonce=secrets.token_urlsafe(32),
            verifier=secrets.token_urlsafe(48),
            wanted=local(request.query.get("next", "")),
        )
        address = await provider.address(
            state=state,
            nonce=departure.nonce,
            verifier=departure.verifier,
            back=self._back(request),
        )
        digests = _digest(state), _digest(browser)
        await sessions.depart(self.console.pool, *digests, departure, lasts=LASTS)
        answer = _see(address)
        answer.set_cookie(COOKIE, browser, secure=True, httponly=True, samesite="Lax", max_age=600)
        return answer

    async def come_back(self, request: web.Request) -> web.StreamResponse:
        provider = self._identity()
        said = request.query
        browser, state = request.cookies.get(COOKIE, ""), said.get("state", "")
        left = await sessions.arrive(self.console.pool, _digest(state), _digest(browser))
        if left is None:
            raise Refused(401, LOST)
        if "error" in said:
            log.info("oidc_declined", error=said["error"][:64])
            raise Refused(401, DECLINED)
        try:
            identity.expect_issuer(said.get("iss"), await provider.provider())
            code = said.get("code", "")[:LONGEST_CODE]
            token = await provider.redeem(code, verifier=left.verifier, back=self._back(request))
            claims = await provider.read(token, nonce=left.nonce)
        except Untrue as error:
            log.warning("oidc_refused", because=str(error))
            raise Refused(401, identity.STRANGE) from None
        answer = _see(showing.at("welcome", next=left.wanted))
        answer.del_cookie(COOKIE, secure=True, httponly=True, samesite="Lax")
        await viewers.begin(answer, self.console.pool, identity.caller(claims, provider.rule))
        return answer

    def _identity(self) -> Identity:
        if self.console.identity is None:
            raise Refused(404, NONE)
        return self.console.identity

    def _back(self, request: web.Request) -> str:
        """Where the provider sends people; registered there, so it never follows a header alone."""
        base = self.console.address or f"http://{request.host}"
        return f"{base.rstrip('/')}{PREFIX}/oidc/back"


def routes(console: Console) -> tuple[Route, ...]:
    pages = Oidc(console)
    return (
        Route("GET", "/oidc", None, pages.leave),
        Route("GET", "/oidc/back", None, pages.come_back),
    )


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "replace")).digest()


def _see(address: str) -> web.Response:
    return web.Response(status=303, headers={"Location": address})
