"""The desk of a simulated CRM where tokens are given: a grant comes in, an access token goes out.

It is picky as vendors are: tokens run out, a refresh token may serve once only and then carries
the next one, a JWT must be signed, short-lived and meant for this desk (RFC 6749, RFC 7523).
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import unquote_plus

import jwt
from aiohttp import web
from pydantic import JsonValue

JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LONGEST_JWT = timedelta(minutes=3)
LEEWAY = timedelta(seconds=30)


class RefusedError(Exception):
    """An error by its word in RFC 6749, section 5.2."""

    def __init__(self, status: int, error: str, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.error = error


@dataclass(slots=True)
class OAuthDesk:
    """Put its `routes()` beside those of a dialect and ask `allows(request)` on each call."""

    clock: Callable[[], datetime]
    path: str = "/oauth/token"
    client_id: str = "app-1"
    client_secret: str = "app-secret"  # noqa: S105  # of a simulator
    method: Literal["GET", "POST"] = "POST"
    client: Literal["body", "basic"] = "body"
    lifetime: timedelta = timedelta(hours=1)
    rotating: bool = False
    """A refresh token serves once; its answer carries the next one."""
    grants: Sequence[str] = ("refresh_token", "client_credentials", JWT_BEARER)
    public_key: str | None = None
    """PEM of the key whose JWTs are taken."""
    audience: str = ""
    """Whom a JWT must be for."""
    extra: Mapping[str, JsonValue] = field(default_factory=dict)
    """Further fields of each answer, as `instance_url`."""
    lose: int = 0
    """So many of the next grants are given and then lost: the connection ends without an answer."""
    down: int = 0
    """So many of the next calls are answered 503, without any effect."""

    given: int = 0
    """Access tokens handed out."""
    refused: int = 0
    """Grants that were refused."""
    access: dict[str, datetime] = field(default_factory=dict)
    """Access tokens that are let in, and when they run out."""
    refresh: set[str] = field(default_factory=set)
    """Refresh tokens that may still be shown."""
    spent: set[str] = field(default_factory=set)
    """Refresh tokens that served already."""

    # What a dialect uses.

    def routes(self) -> Sequence[web.RouteDef]:
        # A wrong method is refused by the desk itself, in the words of OAuth.
        return [
            web.get(self.path, self._handle, allow_head=False),
            web.post(self.path, self._handle),
        ]

    def install(self) -> str:
        """A person installs the app; the first refresh token, for `oauth.refresh_token`."""
        token = f"refresh-{secrets.token_hex(8)}"
        self.refresh.add(token)
        return token

    def issue(self) -> str:
        """A fresh access token, as a long-lived one that a person copies out of the CRM."""
        token = f"access-{secrets.token_hex(8)}"
        self.access[token] = self.clock() + self.lifetime
        return token

    def allows(self, request: web.Request) -> bool:
        """Whether the call shows a token that is good now, whatever the scheme is called."""
        shown = request.headers.get("Authorization", "").rpartition(" ")[2]
        return self.knows(shown)

    def knows(self, token: str) -> bool:
        until = self.access.get(token)
        return until is not None and self.clock() < until

    def expire(self) -> None:
        """No access token given so far is let in any more; refresh tokens are."""
        self.access.clear()

    def revoke(self) -> None:
        """A person removes the app: nothing given so far is good for anything."""
        self.access.clear()
        self.spent |= self.refresh
        self.refresh.clear()

    # What happens at the desk.

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        if self.down:
            self.down -= 1
            return web.Response(status=503)
        try:
            answer = self._granted(request, await self._form(request))
        except RefusedError as error:
            self.refused += 1
            body = {"error": error.error, "error_description": str(error)}
            return web.json_response(body, status=error.status)
        if self.lose:
            self.lose -= 1
            if request.transport is not None:
                request.transport.abort()
        return web.json_response(answer, headers={"Cache-Control": "no-store"})

    async def _form(self, request: web.Request) -> Mapping[str, str]:
        if request.method != self.method:
            raise RefusedError(400, "invalid_request", f"Use {self.method}.")
        shown = request.query if self.method == "GET" else await request.post()
        form = {name: value for name, value in shown.items() if isinstance(value, str)}
        if len(form) != len(shown):
            raise RefusedError(400, "invalid_request", "A field is given twice.")
        return form

    def _granted(self, request: web.Request, form: Mapping[str, str]) -> Mapping[str, JsonValue]:
        grant = form.get("grant_type", "")
        if grant not in self.grants:
            raise RefusedError(400, "unsupported_grant_type", "This grant is not for this app.")
        following: Mapping[str, JsonValue] = {}
        match grant:
            case "refresh_token":
                self._check_client(request, form)
                following = self._refreshed(form.get("refresh_token", ""))
            case "client_credentials":
                self._check_client(request, form)
            case _:
                self._check_assertion(form.get("assertion", ""))
        self.given += 1
        seconds = int(self.lifetime.total_seconds())
        return {
            "access_token": self.issue(),
            "token_type": "Bearer",
            "expires_in": seconds,
            **following,
            **self.extra,
        }

    def _check_client(self, request: web.Request, form: Mapping[str, str]) -> None:
        shown = (form.get("client_id"), form.get("client_secret"))
        if self.client == "basic":
            shown = _basic(request.headers.get("Authorization", ""))
        if shown != (self.client_id, self.client_secret):
            raise RefusedError(401, "invalid_client", "The app is not known.")

    def _refreshed(self, token: str) -> Mapping[str, JsonValue]:
        if token not in self.refresh:
            why = "has served already" if token in self.spent else "is not known"
            raise RefusedError(400, "invalid_grant", f"The refresh token {why}.")
        if not self.rotating:
            return {}
        self.refresh.remove(token)
        self.spent.add(token)
        return {"refresh_token": self.install()}

    def _check_assertion(self, assertion: str) -> None:
        now = self.clock()
        try:
            claims = jwt.decode(
                assertion,
                self.public_key or "",
                algorithms=["RS256"],
                audience=self.audience or None,
                issuer=self.client_id,
                options={
                    "require": ["iss", "sub", "aud", "exp"],
                    # Judged below, by the clock of the simulator.
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.PyJWTError as error:
            raise RefusedError(
                400, "invalid_grant", f"The assertion is not good: {error}"
            ) from None
        left = timedelta(seconds=int(claims["exp"]) - now.timestamp())
        if not -LEEWAY < left <= LONGEST_JWT + LEEWAY:
            raise RefusedError(400, "invalid_grant", "The assertion is expired or lives too long.")


def _basic(header: str) -> tuple[str | None, str | None]:
    scheme, _, encoded = header.partition(" ")
    try:
        text = base64.b64decode(encoded, validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    name, colon, password = text.partition(":")
    if scheme.lower() != "basic" or not colon:
        return None, None
    return unquote_plus(name), unquote_plus(password)
