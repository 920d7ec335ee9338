"""Who looks at a page: a cookie in, a session out; and whether a form came from our own page."""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from datetime import timedelta
from urllib.parse import urlsplit

from aiohttp import web

from service.store import sessions
from service.store.pool import Pool
from service.store.sessions import Whose
from service.web.auth import Caller, Role
from service.web.console import languages
from service.web.console.forms import Form
from service.web.problems import Refused

COOKIE = "__Host-orderhook"
"""Browsers take a cookie of such a name only over https (or from localhost), for all paths."""
LASTS = timedelta(hours=10)
IDLE = timedelta(hours=2)
CSRF_FIELD, CSRF_HEADER = "csrf", "X-CSRF-Token"

FOREIGN = languages.mark(
    "The form did not come from this page. Open the page anew and send it again."
)


class SignInNeeded(Exception):
    """Nobody is signed in here."""


@dataclass(frozen=True, slots=True)
class Viewer:
    caller: Caller
    csrf: str = field(repr=False)
    """What every form of this session carries."""


VIEWER = web.RequestKey("viewer", Viewer)


async def find(request: web.Request, pool: Pool) -> Viewer | None:
    """Whoever is signed in by the request's cookie."""
    cookie = request.cookies.get(COOKIE, "")
    if not cookie or len(cookie) > 128:
        return None
    refetched = request.method == "GET" and request.headers.get("HX-Request") == "true"
    found = await sessions.find(pool, _digest(cookie), idle=IDLE, used=not refetched)
    if found is None:
        return None
    return Viewer(Caller(found.actor, Role[found.role.upper()]), _csrf(cookie))


async def stands(request: web.Request, pool: Pool) -> bool:
    """Whether somebody is still signed in here, which this question does not count as a sign of."""
    cookie = request.cookies.get(COOKIE, "")
    return await sessions.find(pool, _digest(cookie), idle=IDLE, used=False) is not None


def require(viewer: Viewer | None, least: Role) -> Viewer:
    """The viewer, should the role be enough."""
    if viewer is None:
        raise SignInNeeded
    role = viewer.caller.role
    if role < least:
        said = languages.text("This needs the role %(least)s; you are %(role)s.")
        raise Refused(403, said % {"least": _word(least), "role": _word(role)})
    return viewer


def _word(role: Role) -> str:
    return languages.text(role.name.lower())


async def begin(
    response: web.Response, pool: Pool, caller: Caller, *, link: str | None = None
) -> bool:
    """Sign in with a fresh cookie, which no earlier visitor can know; False for a used link."""
    cookie = secrets.token_urlsafe(32)
    whose = Whose(caller.subject, caller.role.name.lower())
    if not await sessions.begin(pool, _digest(cookie), whose, link=link, lasts=LASTS):
        return False
    response.set_cookie(
        COOKIE,
        cookie,
        secure=True,
        httponly=True,
        samesite="Lax",
        max_age=int(LASTS.total_seconds()),
    )
    return True


async def end(request: web.Request, response: web.Response, pool: Pool) -> None:
    if cookie := request.cookies.get(COOKIE):
        await sessions.end(pool, _digest(cookie))
    response.del_cookie(COOKIE, secure=True, httponly=True, samesite="Lax")


def refuse_foreign(request: web.Request) -> None:
    """What a browser says of where a form came from; a page of elsewhere cannot forge that."""
    site = request.headers.get("Sec-Fetch-Site")
    if site not in {None, "same-origin"}:
        raise Refused(403, FOREIGN)
    origin = request.headers.get("Origin")
    if site is None and origin is not None and urlsplit(origin).netloc != request.host:
        raise Refused(403, FOREIGN)


def refuse_forged(request: web.Request, viewer: Viewer, form: Form) -> None:
    """Only a page of this session knows its token."""
    sent = request.headers.get(CSRF_HEADER) or form.text(CSRF_FIELD)
    if not hmac.compare_digest(sent.encode(), viewer.csrf.encode()):
        raise Refused(403, FOREIGN)


def _digest(cookie: str) -> bytes:
    return hashlib.sha256(cookie.encode()).digest()


def _csrf(cookie: str) -> str:
    return hmac.digest(cookie.encode(), b"csrf", "sha256").hex()
