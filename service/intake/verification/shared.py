"""Secrets that travel with the request: raw requests in, judgements and cleaned requests out.

They prove who sends and nothing about the body, so they are worth as much as the TLS around them.
"""

import binascii
from base64 import b64decode
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import assert_never
from urllib.parse import quote, unquote_plus

from service.domain.errors import ConfigurationError
from service.intake.provider import Forged, Genuine, RawRequest, parameters
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

REDACTED = "redacted"
"""Stands where a secret stood, so that a replay finds the rest in its place."""


@dataclass(frozen=True, slots=True)
class Shared:
    """A configured secret and where the sender carries it."""

    rule: SharedRule
    secrets: Sequence[bytes] = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime) -> Genuine | Forged:
        offered = offer(self.rule, request)
        if isinstance(offered, Forged):
            decoy(request, now=now)
            return offered
        if known(self.secrets, offered):
            return Genuine()
        secret = _NAMES[self.rule.scheme]
        return Forged(f"The {secret} is none of the {len(self.secrets)} configured.")

    def redact(self, request: RawRequest) -> RawRequest:
        """Take the secret out of everything that is stored or read further."""
        match self.rule:
            case BearerRule() | BasicRule():
                return _without_header(request, "authorization")
            case HeaderRule(header=header):
                return _without_header(request, header.lower())
            case QueryRule(parameter=parameter):
                return replace(request, query=_hide(request.query, parameter))
            case UrlTokenRule():
                tail = "/".join((REDACTED, *request.tail.split("/")[1:]))
                head = "/".join(request.path.split("/")[:3])
                return replace(request, tail=tail, path=f"{head}/{quote(tail)}")
            case other:
                assert_never(other)


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
            return raw(token) if token else Forged("The URL ends without its token.")
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
        return Forged(f"{rule.header} carries no secret that starts with `{rule.prefix}`.")
    return raw(header.removeprefix(rule.prefix).strip())


def _parameter(rule: QueryRule, request: RawRequest) -> bytes | Forged:
    values = [value for key, value in parameters(request.query) if key == rule.parameter]
    match values:
        case []:
            return Forged(f"The query string carries no {rule.parameter}.")
        case [value]:
            return raw(value)
        case _:
            times = len(values)
            return Forged(f"{rule.parameter} was sent {times} times; only once is safe.")


def _without_header(request: RawRequest, header: str) -> RawRequest:
    kept = tuple(pair for pair in request.headers if pair[0] != header)
    return replace(request, headers=kept)


def _hide(query: str, parameter: str) -> str:
    return "&".join(
        f"{name}={REDACTED}" if unquote_plus(name) == parameter else piece
        for piece in query.split("&")
        for name in [piece.partition("=")[0]]
    )
