"""Who may call the internal API: a bearer token in, the caller and the caller's role out."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum

import jwt
import structlog

from service.settings import Auth
from service.web.problems import Refused

log = structlog.get_logger()

LEEWAY_SECONDS = 10
LONGEST_TOKEN = 4096
CLAIMS = ["iss", "aud", "sub", "role", "iat", "exp"]
HOW = "Make one with `orderhook token` and send it as `Authorization: Bearer TOKEN`."


class Role(IntEnum):
    """Each may do what the ones before it may."""

    VIEWER = 1
    OPERATOR = 2
    ADMIN = 3


@dataclass(frozen=True, slots=True)
class Caller:
    subject: str
    role: Role


class Bouncer:
    """Checks tokens with one key, one algorithm, one issuer and one audience.

    What a token says about its own key (`kid`, `jku`, `x5u`, `jwk`) is never looked at.
    """

    def __init__(self, auth: Auth) -> None:
        self._auth = auth

    def admit(self, authorization: Sequence[str], least: Role) -> Caller:
        """Judge all Authorization headers of a request; Refused is 401, or 403 for the role."""
        caller = self._identify(authorization)
        if caller.role < least:
            raise Refused(
                403,
                f"This needs the role {least.name.lower()}; the token grants "
                f"{caller.role.name.lower()}. {HOW}",
            )
        return caller

    def _identify(self, headers: Sequence[str]) -> Caller:
        if self._auth.jwt_secret is None:
            raise _unknown("No token can be checked: set [auth] jwt_secret in orderhook.toml.")
        scheme, _, token = headers[0].partition(" ") if len(headers) == 1 else ("", "", "")
        if scheme.lower() != "bearer" or not 0 < len(token) <= LONGEST_TOKEN:
            raise _unknown(f"The request carries no single bearer token. {HOW}")
        try:
            return self._read(token, key=self._auth.jwt_secret.reveal())
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            log.info("token_refused", error=type(error).__name__)
            raise _unknown(f"{_why(error)} {HOW}", error="invalid_token") from None

    def _read(self, token: str, *, key: bytes) -> Caller:
        claims = jwt.decode(
            token,
            key,
            algorithms=[self._auth.algorithm],
            audience=self._auth.audience,
            issuer=self._auth.issuer,
            leeway=LEEWAY_SECONDS,
            options={"require": CLAIMS, "strict_aud": True},
        )
        if not claims["sub"]:
            raise jwt.InvalidTokenError("nobody")
        return Caller(subject=claims["sub"], role=role_named(claims["role"]))


def role_named(said: object) -> Role:
    """The role a claim names; an unknown one is an invalid token."""
    for role in Role:
        if said == role.name.lower():
            return role
    raise jwt.InvalidTokenError("unknown role")


def _why(error: Exception) -> str:
    match error:
        case jwt.ExpiredSignatureError():
            return "The token has expired."
        case jwt.ImmatureSignatureError():
            return "The token is not valid yet; compare the clocks."
        case _:
            return "The token is not valid here."


def _unknown(detail: str, *, error: str | None = None) -> Refused:
    challenge = 'Bearer realm="orderhook"' + (f', error="{error}"' if error else "")
    return Refused(401, detail, headers={"WWW-Authenticate": challenge})
