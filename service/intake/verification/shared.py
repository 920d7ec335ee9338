"""Secrets that travel with the request: raw requests in, judgements and cleaned requests out.

They prove who sends and nothing about the body, so they are worth as much as the TLS around them.
"""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never
from urllib.parse import quote, unquote, unquote_plus

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import (
    NO_KEYS,
    Forged,
    Genuine,
    Guard,
    Keys,
    RawRequest,
    parameters,
)
from service.intake.reading.paths import Path
from service.intake.verification import keyring
from service.intake.verification.enclosed import REDACTED, Enclosed, Where
from service.intake.verification.signing import decoy, known, raw, single
from service.settings import (
    BasicRule,
    BearerRule,
    HeaderRule,
    QueryRule,
    SharedRule,
    Source,
    UrlTokenRule,
)


@dataclass(frozen=True, slots=True)
class HeaderSecret:
    """A sender that shows a secret in a header of its own."""

    header: str
    prefix: str = ""
    what: str = "the secret the sender shows"

    @property
    def summary(self) -> str:
        return f"a secret in the header {self.header}"

    def guard(self, source: Source) -> "Shared":
        rule = HeaderRule(header=self.header, prefix=self.prefix)
        return Shared(rule, keyring.plain(source, self.what))


@dataclass(frozen=True, slots=True)
class Bearer:
    """A sender that shows a secret as `Authorization: Bearer …`."""

    what: str = "the bearer token the sender shows"

    @property
    def summary(self) -> str:
        return "a bearer token"

    def guard(self, source: Source) -> "Shared":
        return Shared(BearerRule(), keyring.plain(source, self.what))


@dataclass(frozen=True, slots=True)
class Basic:
    """A sender that shows a user and a password; a secret is `user:password`."""

    what: str = "user:password"

    @property
    def summary(self) -> str:
        return "user and password (HTTP basic)"

    def guard(self, source: Source) -> "Shared":
        return Shared(BasicRule(), keyring.plain(source, self.what))


@dataclass(frozen=True, slots=True)
class Query:
    """A sender that shows a secret in the query string."""

    parameter: str
    what: str = "the secret at the end of the URL"

    @property
    def summary(self) -> str:
        return f"a secret in the query string ({self.parameter})"

    def guard(self, source: Source) -> "Shared":
        return Shared(QueryRule(parameter=self.parameter), keyring.plain(source, self.what))


@dataclass(frozen=True, slots=True)
class BodySecret:
    """A sender that shows a secret within the body: in a field of a form, or at a place in JSON."""

    where: Where
    place: str
    """The field as the form names it (`auth[token]`), or a JMESPath."""
    also: tuple[str, ...] = ()
    """Places of further secrets that are taken out of what is stored."""
    what: str = "the secret the sender shows"

    @property
    def summary(self) -> str:
        return f"a secret in the body ({self.place})"

    def guard(self, source: Source) -> Enclosed:
        place, *also = map(self._compiled, (self.place, *self.also))
        return Enclosed(self.where, place, also, keyring.plain(source, self.what))

    def _compiled(self, place: str) -> Path:
        # A field's name is no JMESPath, and is compared as it stands.
        return Path(place, lambda _: None) if self.where == "form" else Path.of(place)


@dataclass(frozen=True, slots=True)
class UrlToken:
    """A sender that proves nothing itself: the end of the URL is the secret."""

    @property
    def summary(self) -> str:
        return "token in the URL"

    def guard(self, source: Source) -> "Shared":
        return url_token(source)


@dataclass(frozen=True, slots=True)
class Shared(Guard):
    """A configured secret and where the sender carries it."""

    rule: SharedRule
    secrets: Sequence[bytes] = field(repr=False)

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,
    ) -> Genuine | Forged:
        offered = offer(self.rule, request)
        if isinstance(offered, Forged):
            decoy(request, now=now)
            return offered
        if known(self.secrets, offered):
            return Genuine()
        secret = _NAMES[self.rule.scheme]
        why = f"The {secret} is none of the {len(self.secrets)} configured."
        return Forged(why, cause=Cause.WRONG_SECRET)

    def redact(self, request: RawRequest) -> RawRequest:
        """Take the secret out of everything that is stored or read further."""
        match self.rule:
            case BearerRule() | BasicRule():
                return _without_header(request, "authorization")
            case HeaderRule(header=header):
                return _without_header(request, header.lower())
            case QueryRule(parameter=parameter):
                hidden = replace(request, query=_hide(request.query, parameter), url="")
                return self._without_copies(hidden)
            case UrlTokenRule():
                tail = "/".join((REDACTED, *request.tail.split("/")[1:]))
                head = "/".join(request.path.split("/")[:3])
                hidden = replace(request, tail=tail, path=f"{head}/{quote(tail)}", url="")
                return self._without_copies(hidden)
            case other:
                assert_never(other)

    def _without_copies(self, request: RawRequest) -> RawRequest:
        """Drop headers in which a proxy repeats the address (X-Original-URL, Referer …)."""
        texts = [secret.decode("utf-8", "replace") for secret in self.secrets]
        kept = (
            (name, value)
            for name, value in request.headers
            if not any(text in spelled for text in texts for spelled in _spellings(value))
        )
        return replace(request, headers=tuple(kept))


_NAMES = {
    "bearer": "bearer secret",
    "basic": "basic secret",
    "header": "secret in the header",
    "query": "secret in the query string",
    "url_token": "token in the URL",
}


def url_token(source: Source) -> Shared:
    """Ask for the token of the URL; older ones may stand in `secrets` while it is changed."""
    if source.url_token is None:
        raise ConfigurationError(
            f"The source {source.name} has no url_token, so nothing would prove who sends; add one."
        )
    tokens = (source.url_token, *source.secrets)
    return Shared(UrlTokenRule(), tuple(token.reveal() for token in tokens))


def offer(rule: SharedRule, request: RawRequest) -> bytes | Forged:
    """Take the secret a request carries."""
    match rule:
        case BearerRule() | BasicRule():
            return _authorization(rule, request)
        case HeaderRule():
            return _header(rule, request)
        case QueryRule():
            return _parameter(rule, request)
        case UrlTokenRule():
            token = request.tail.partition("/")[0]
            return (
                raw(token)
                if token
                else Forged("The URL ends without its token.", cause=Cause.MISSING)
            )
        case other:
            assert_never(other)


def _authorization(rule: BearerRule | BasicRule, request: RawRequest) -> bytes | Forged:
    header = single(request, "Authorization")
    if isinstance(header, Forged):
        return header
    scheme, _, value = header.partition(" ")
    if scheme.lower() != rule.scheme:
        return Forged(f"The header Authorization is not of the scheme {rule.scheme}.")
    if rule.scheme == "bearer":
        return raw(value.strip())
    try:
        return b64decode(raw(value.strip()), validate=True)
    except binascii.Error:
        return Forged("The header Authorization does not carry base64 after the scheme.")


def _header(rule: HeaderRule, request: RawRequest) -> bytes | Forged:
    header = single(request, rule.header)
    if isinstance(header, Forged):
        return header
    if not header.startswith(rule.prefix):
        why = f"{rule.header} carries no secret that starts with `{rule.prefix}`."
        return Forged(why, cause=Cause.MISSING)
    return raw(header.removeprefix(rule.prefix).strip())


def _parameter(rule: QueryRule, request: RawRequest) -> bytes | Forged:
    values = [value for key, value in parameters(request.query) if key == rule.parameter]
    match values:
        case []:
            why = f"The query string carries no {rule.parameter}."
            return Forged(why, cause=Cause.MISSING)
        case [value]:
            return raw(value)
        case _:
            why = f"{rule.parameter} was sent {len(values)} times; only once is safe."
            return Forged(why, cause=Cause.REPEATED)


def _spellings(value: str) -> Sequence[str]:
    return value, unquote(value), unquote_plus(value)


def _without_header(request: RawRequest, header: str) -> RawRequest:
    kept = tuple(pair for pair in request.headers if pair[0] != header)
    return replace(request, headers=kept)


def _hide(query: str, parameter: str) -> str:
    return "&".join(
        f"{name}={REDACTED}" if unquote_plus(name) == parameter else piece
        for piece in query.split("&")
        for name in [piece.partition("=")[0]]
    )
