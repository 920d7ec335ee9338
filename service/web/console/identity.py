"""An OpenID provider: its documents, one code and one token in; who somebody is, out.

OpenID Connect Core 1.0 §3.1 (code flow), RFC 7636 (PKCE), RFC 9207 (issuer in the answer).
"""

import asyncio
import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from urllib.parse import quote, urlencode

import jwt
import orjson
import structlog
from pydantic import BaseModel, ValidationError

from service.outbound import Answer, Outbound
from service.settings import Oidc
from service.web.auth import Caller, Role
from service.web.console import languages
from service.web.problems import Refused, unavailable

log = structlog.get_logger()

ALGORITHMS = ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA")
"""None of them is made with a key that both sides know."""
FRESH = 3600.0
"""Seconds a document of the provider is used without asking again."""
REFRESH = 60.0
"""Seconds between two questions for newer keys."""
WITHIN = timedelta(seconds=5)
MOST = 256 * 1024
LEEWAY_SECONDS = 30
REQUIRED = ["iss", "aud", "sub", "iat", "exp", "nonce"]

AWAY = languages.mark(
    "The identity provider does not answer as it should ({}); try again in a moment."
)
STRANGE = languages.mark(
    "The identity provider said something that cannot be believed. Sign in again."
)


class Untrue(Exception):
    """A token, or an answer, that does not prove who somebody is."""


class Provider(BaseModel):
    """What its discovery document says, as far as it matters here."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    id_token_signing_alg_values_supported: list[str] = ["RS256"]
    token_endpoint_auth_methods_supported: list[str] = ["client_secret_basic"]
    authorization_response_iss_parameter_supported: bool = False

    @property
    def algorithms(self) -> list[str]:
        return [one for one in ALGORITHMS if one in self.id_token_signing_alg_values_supported]


@dataclass(slots=True)
class Identity:
    """One provider, as this process knows it."""

    rule: Oidc
    outbound: Outbound
    clock: Callable[[], float] = lambda: asyncio.get_running_loop().time()
    _provider: tuple[Provider, float] | None = None
    _keys: tuple[jwt.PyJWKSet, float] | None = None
    _asking: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def provider(self) -> Provider:
        """The discovery document, of the issuer that was configured and of no other."""
        async with self._asking:
            if self._provider is None or self.clock() - self._provider[1] > FRESH:
                url = f"{self.rule.issuer.rstrip('/')}/.well-known/openid-configuration"
                said = await self._document(url)
                try:
                    found = Provider.model_validate(said)
                except ValidationError:
                    raise unavailable(
                        languages.text(AWAY).format("its discovery document is incomplete")
                    ) from None
                if found.issuer != self.rule.issuer:
                    raise unavailable(languages.text(AWAY).format("it names another issuer"))
                self._provider = found, self.clock()
            return self._provider[0]

    async def address(self, *, state: str, nonce: str, verifier: str, back: str) -> str:
        """Where somebody signs in."""
        provider = await self.provider()
        asked = {
            "response_type": "code",
            "client_id": self.rule.client_id,
            "redirect_uri": back,
            "scope": " ".join(self.rule.scopes),
            "state": state,
            "nonce": nonce,
            "code_challenge": challenge(verifier),
            "code_challenge_method": "S256",
        }
        joint = "&" if "?" in provider.authorization_endpoint else "?"
        return f"{provider.authorization_endpoint}{joint}{urlencode(asked)}"

    async def redeem(self, code: str, *, verifier: str, back: str) -> str:
        """The ID token a code is worth; only whoever began knows the verifier."""
        provider, rule = await self.provider(), self.rule
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": back,
            "client_id": rule.client_id,
            "code_verifier": verifier,
        }
        headers = {"Accept": "application/json"}
        if rule.client_secret is not None:
            secret = rule.client_secret.reveal().decode("utf-8", "strict")
            if "client_secret_basic" in provider.token_endpoint_auth_methods_supported:
                headers["Authorization"] = basic(rule.client_id, secret)
            else:
                form["client_secret"] = secret
        answer = await self.outbound.post(
            provider.token_endpoint, form, within=WITHIN, most=MOST, headers=headers
        )
        said = _json(answer)
        token = said.get("id_token") if isinstance(said, dict) else None
        if not isinstance(token, str):
            raise Untrue("no ID token")
        return token

    async def read(self, token: str, *, nonce: str) -> Mapping[str, Any]:
        """The claims of a token that this provider made for us, now, for this sign-in."""
        provider = await self.provider()
        try:
            key = await self._key(jwt.get_unverified_header(token))
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=provider.algorithms,
                audience=self.rule.client_id,
                issuer=provider.issuer,
                leeway=LEEWAY_SECONDS,
                options={"require": REQUIRED, "strict_aud": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, RecursionError) as error:
            raise Untrue(type(error).__name__) from None
        _expect_ours(claims, client=self.rule.client_id, nonce=nonce)
        return claims

    async def _key(self, header: Mapping[str, Any]) -> jwt.PyJWK:
        """The key with the id a token names, asked for anew if it is not known yet."""
        wanted = header.get("kid")
        for anew in (False, True):
            keys = [
                key
                for key in (await self._known(anew=anew)).keys
                if key.algorithm_name in ALGORITHMS and key.public_key_use in {None, "sig"}
            ]
            if wanted is None and len(keys) == 1:
                return keys[0]
            for key in keys:
                if wanted is not None and key.key_id == wanted:
                    return key
        raise Untrue("unknown key")

    async def _known(self, *, anew: bool) -> jwt.PyJWKSet:
        provider = await self.provider()
        async with self._asking:
            limit = REFRESH if anew else FRESH
            if self._keys is None or self.clock() - self._keys[1] > limit:
                document = await self._document(provider.jwks_uri)
                self._keys = jwt.PyJWKSet.from_dict(document), self.clock()
            return self._keys[0]

    async def _document(self, url: str) -> dict[str, Any]:
        said = _json(await self.outbound.get(url, within=WITHIN, most=MOST))
        if not isinstance(said, dict):
            raise unavailable(languages.text(AWAY).format("no document"))
        return said


def _json(answer: object) -> object:
    if not isinstance(answer, Answer):
        raise unavailable(languages.text(AWAY).format("no connection"))
    if answer.status >= 500:
        raise unavailable(languages.text(AWAY).format(f"status {answer.status}"))
    if answer.status != 200:
        raise Untrue(f"status {answer.status}")
    try:
        return orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        raise unavailable(languages.text(AWAY).format("no JSON")) from None


def _expect_ours(claims: Mapping[str, Any], *, client: str, nonce: str) -> None:
    """What PyJWT does not look at (OpenID Connect Core 1.0 §3.1.3.7, 3 to 5 and 11)."""
    said = claims["nonce"]
    if not isinstance(said, str) or not hmac.compare_digest(said.encode(), nonce.encode()):
        raise Untrue("nonce")
    several = isinstance(claims["aud"], list) and len(claims["aud"]) > 1
    if claims.get("azp", None if several else client) != client:
        raise Untrue("azp")


def expect_issuer(said: str | None, provider: Provider) -> None:
    """An answer that comes from another provider than we asked is not for us (RFC 9207)."""
    if said is None and not provider.authorization_response_iss_parameter_supported:
        return
    if said != provider.issuer:
        raise Untrue("iss")


def caller(claims: Mapping[str, Any], rule: Oidc) -> Caller:
    """Who this is and what they may do; Refused when that is nothing."""
    name = claims.get(rule.person)
    if rule.person == "email" and claims.get("email_verified") is False:
        name = None
    if not isinstance(name, str) or not 0 < len(name) <= 200:
        name = claims["sub"]
    said = claims.get(rule.claim)
    values = {one for one in (said if isinstance(said, list) else [said]) if isinstance(one, str)}
    role = _role(values, rule)
    if role is None:
        said = languages.text("You are signed in as %(name)s, who may not see this console.")
        raise Refused(403, said % {"name": name})
    return Caller(name, role)


def _role(values: set[str], rule: Oidc) -> Role | None:
    """The highest role that a value makes."""
    ranks: Sequence[tuple[Role, Sequence[str]]] = (
        (Role.ADMIN, rule.roles.admin),
        (Role.OPERATOR, rule.roles.operator),
        (Role.VIEWER, rule.roles.viewer),
    )
    return next((role for role, names in ranks if "*" in names or values & set(names)), None)


def challenge(verifier: str) -> str:
    digest = hashlib.sha256(verifier.encode("ascii")).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")


def basic(client: str, secret: str) -> str:
    """RFC 6749 §2.3.1: both parts are encoded as in a form first."""
    pair = f"{quote(client, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(pair.encode()).decode('ascii')}"
