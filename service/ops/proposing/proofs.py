"""Captured requests, perhaps with the secret, come in; how their sender proves itself goes out.

With the secret each way is really tried, as the gateway would; without it the looks decide.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice, product
from typing import Literal, get_args
from urllib.parse import unquote

from service.domain.errors import ConfigurationError
from service.intake.provider import NO_KEYS, Genuine, Guard, RawRequest, parameters
from service.intake.providers.anyone import generic, standardwebhooks
from service.intake.verification import standard
from service.ops.proposing.choices import everywhere, id_headers, spelled
from service.settings import (
    BasicRule,
    BearerRule,
    HeaderRule,
    HmacRule,
    QueryRule,
    Secret,
    Source,
    UrlTokenRule,
    VerifyRule,
)
from service.settings.source_checks import is_token

Encoding = Literal["hex", "base64"]
Algorithm = Literal["sha256", "sha512", "sha1"]
ENCODINGS: tuple[Encoding, ...] = get_args(Encoding)
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
SIZES: Mapping[Algorithm, int] = {"sha256": 32, "sha512": 64, "sha1": 20}
SEPARATORS = (".", "", ":", "\n", "|", "_", "-", "&", ",", ";", " ")
SHAPES = (
    *(("{timestamp}", "{body}"), ("{body}", "{timestamp}"), ("{id}", "{body}"), ("{body}", "{id}")),
    *(("{id}", "{timestamp}", "{body}"), ("{timestamp}", "{id}", "{body}")),
)
MOST_HEADERS = 6
MOST_TRIES = 20_000
AWAY = timedelta(days=1)
"""A time further from ours is no time of signing."""

_SIGNS = re.compile(r"sign|hmac|sig$|mac$|digest|hash|seal")
_NOT_SIGNS = re.compile(r"^(content-|repr-|digest$|want-)|md5|algorithm|version|design")
_TIMES = re.compile(r"time|stamp|date|epoch|^(.*-)?ts$")
_SECRETS = re.compile(r"key|token|secret|auth|pass")
_NOT_SECRETS = re.compile(r"idempotency|^sec-|websocket")
_STAMP = re.compile(r"\d{9,11}|\d{13}", re.ASCII)
_PREFIX = re.compile(r"[\w-]{1,16}[=:,]", re.ASCII)
_SIGNATURE = re.compile(r"[A-Za-z0-9+/_=-]{24,}", re.ASCII)
_HEX = re.compile(r"[0-9A-Fa-f]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Offered:
    """A secret that a person gave to try."""

    value: bytes = field(repr=False)
    reference: str = ""
    """How the configuration may name it; empty where it must not be repeated."""


@dataclass(frozen=True, slots=True)
class Finding:
    """How the sender seems to prove itself."""

    rule: VerifyRule | None
    """None where the provider knows it by itself."""
    provider: str = "generic"
    proven: bool = False
    """Whether the secret really opened every capture."""
    notes: tuple[str, ...] = ()
    reference: str = ""


def find(requests: Sequence[RawRequest], secret: Offered | None) -> Finding:
    """Look for a signature, then for a secret that travels, then fall back on the URL."""
    if not requests:
        return Finding(UrlTokenRule(), notes=(_NOTHING,))
    return (
        _standard(requests, secret)
        or _signature(requests, secret)
        or _travelling(requests, secret)
        or Finding(UrlTokenRule(), notes=(_UNSIGNED,))
    )


_NOTHING = "No request was captured, so nothing is known of how the sender proves itself."
_UNSIGNED = (
    "No signature and no secret was seen. A secret at the end of the URL needs nothing of the "
    "sender; better let it sign."
)


def _standard(requests: Sequence[RawRequest], secret: Offered | None) -> Finding | None:
    """Recognise Standard Webhooks, and Svix, by their headers."""
    names = set(everywhere(requests))
    families = ("webhook-", "svix-")
    if not any({f"{each}id", f"{each}timestamp", f"{each}signature"} <= names for each in families):
        return None
    found = Finding(None, standardwebhooks.NAME, notes=("Its headers are of Standard Webhooks.",))
    if secret is None:
        return found
    proven = _opens(requests, secret, None)
    told = _PROVEN if proven else "The secret given signs none of them that way."
    kept = secret.reference if proven else ""
    return Finding(None, standardwebhooks.NAME, proven, (*found.notes, told), kept)


_PROVEN = "The secret given proves every captured request."


def _opens(requests: Sequence[RawRequest], secret: Offered, rule: VerifyRule | None) -> bool:
    """Judge each request as the gateway would have when it came."""
    try:
        guard = _guard(secret, rule)
    except ConfigurationError:
        return False
    return all(
        guard.verify(request, now=request.received_at, keys=NO_KEYS) == Genuine()
        for request in requests
    )


def _guard(secret: Offered, rule: VerifyRule | None) -> Guard:
    tokens = isinstance(rule, UrlTokenRule)
    known = Secret.plain(secret.value)
    source = Source(
        name="proposed",
        provider=generic.NAME if rule else standardwebhooks.NAME,
        secrets=() if tokens else (known,),
        url_token=known if tokens else None,
        tolerance=AWAY,
        verify=rule,
    )
    return generic.guard(source) if rule else standard.StandardWebhooks().guard(source)


def _signature(requests: Sequence[RawRequest], secret: Offered | None) -> Finding | None:
    headers = list(islice(_signature_headers(requests), MOST_HEADERS))
    if not headers:
        return None
    if secret is not None:
        tried = 0
        for rule in islice(_rules(requests, headers), MOST_TRIES):
            tried += 1
            if _opens(requests[:1], secret, rule) and _opens(requests, secret, rule):
                return Finding(rule, proven=True, notes=(_PROVEN,), reference=secret.reference)
        return Finding(_guess(requests, headers[0]), notes=(_tried(requests, headers, tried),))
    return Finding(_guess(requests, headers[0]), notes=(_GUESSED,))


_GUESSED = (
    "Guessed from the looks of the headers: give the secret with --secret, and every way is tried."
)


def _tried(requests: Sequence[RawRequest], headers: Sequence[str], count: int) -> str:
    stamps = ", ".join(map(spelled, _stamp_headers(requests))) or "none"
    ids = ", ".join(map(spelled, id_headers(requests))) or "none"
    return (
        f"The secret given fits none of {count} ways tried: signatures in "
        f"{', '.join(map(spelled, headers))}; {', '.join(ALGORITHMS)}; hex and base64; with and "
        f"without what stands before them; over the body alone, and with a time ({stamps}) or an "
        f"id ({ids}) before or behind it. It is another secret, or the sender signs other parts "
        "(its URL, chosen fields): see whether `orderhook providers` knows it."
    )


def _signature_headers(requests: Sequence[RawRequest]) -> Iterator[str]:
    """List headers that look like signatures, by name and in every request by value."""
    for name in everywhere(requests):
        values = [request.header(name) or "" for request in requests]
        if _SIGNS.search(name) and not _NOT_SIGNS.search(name) and all(map(_looks_signed, values)):
            yield name


def _looks_signed(value: str) -> bool:
    return any(_SIGNATURE.fullmatch(_split(value, prefix)[1]) for prefix in _prefixes(value))


def _prefixes(value: str) -> list[str]:
    found = _PREFIX.match(value)
    return ["", found[0]] if found else [""]


def _split(value: str, prefix: str) -> tuple[str, str]:
    return prefix, value.removeprefix(prefix).strip()


def _stamp_headers(requests: Sequence[RawRequest]) -> list[str]:
    """List headers that carry a time near the receipt, in unix seconds or milliseconds."""
    return [
        name
        for name in everywhere(requests)
        if _TIMES.search(name)
        and all(_is_near(request.header(name) or "", request) for request in requests)
    ][:MOST_HEADERS]


def _is_near(value: str, request: RawRequest) -> bool:
    if not _STAMP.fullmatch(value):
        return False
    seconds = int(value) / (1000 if len(value) == 13 else 1)
    return abs(seconds - request.received_at.timestamp()) < AWAY.total_seconds()


def _rules(requests: Sequence[RawRequest], headers: Sequence[str]) -> Iterator[HmacRule]:
    """List every way a generic source can name, the usual ones first."""
    stamps: list[str | None] = [*_stamp_headers(requests), None]
    ids: list[str | None] = [*islice(id_headers(requests), MOST_HEADERS), None]
    for message in _messages():
        for header, (stamp, id_) in product(headers, product(stamps, ids)):
            if ("{timestamp}" in message) == (stamp is not None) and ("{id}" in message) == (
                id_ is not None
            ):
                yield from _spellings(requests, header, message, (stamp, id_))


def _messages() -> Iterator[str]:
    yield "{body}"
    for separator, shape in product(SEPARATORS, SHAPES):
        yield separator.join(shape)


def _spellings(
    requests: Sequence[RawRequest],
    header: str,
    message: str,
    beside: tuple[str | None, str | None],
) -> Iterator[HmacRule]:
    stamp, id_ = beside
    first = requests[0].header(header) or ""
    for prefix, encoding, algorithm in product(_prefixes(first), ENCODINGS, ALGORITHMS):
        yield HmacRule(
            header=spelled(header),
            algorithm=algorithm,
            encoding=encoding,
            prefix=prefix,
            signed=message,
            timestamp_header=spelled(stamp) if stamp else None,
            id_header=spelled(id_) if id_ else None,
        )


def _guess(requests: Sequence[RawRequest], header: str) -> HmacRule:
    """Take what most senders mean by such headers."""
    value = requests[0].header(header) or ""
    prefix, signature = _split(value, _prefixes(value)[-1])
    hexadecimal = bool(_HEX.fullmatch(signature))
    size = len(signature) // 2 if hexadecimal else len(signature.rstrip("=")) * 3 // 4
    stamps = _stamp_headers(requests)
    return HmacRule(
        header=spelled(header),
        algorithm=next((name for name, bytes_ in SIZES.items() if bytes_ == size), "sha256"),
        encoding="hex" if hexadecimal else "base64",
        prefix=prefix,
        signed="{timestamp}.{body}" if stamps else "{body}",
        timestamp_header=spelled(stamps[0]) if stamps else None,
    )


def _travelling(requests: Sequence[RawRequest], secret: Offered | None) -> Finding | None:
    """Find a secret that the requests carry themselves: always the same, in a telling place."""
    for rule in _places(requests):
        if secret is None:
            return Finding(rule, notes=(_SEEN,))
        if _opens(requests, secret, rule):
            return Finding(rule, proven=True, notes=(_PROVEN,), reference=secret.reference)
    if secret is None:
        return None
    return Finding(next(_places(requests), UrlTokenRule()), notes=(_NOWHERE,))


_SEEN = "Each request carried the same secret there; that proves nothing about the body."
_NOWHERE = (
    "There is no signature, and no request carries the secret given: not as a bearer token or "
    "password, in no header, parameter or end of the URL."
)


def _places(requests: Sequence[RawRequest]) -> Iterator[VerifyRule]:
    shown = {(request.header("authorization") or "").partition(" ")[0] for request in requests}
    match [scheme.lower() for scheme in shown]:
        case ["bearer"]:
            yield BearerRule()
        case ["basic"]:
            yield BasicRule()
        case _:
            pass
    yield from (HeaderRule(header=spelled(name)) for name in _secret_headers(requests))
    yield from (QueryRule(parameter=name) for name in _secret_parameters(requests))
    tails = [_tail(request) for request in requests]
    if _is_one(tails) and is_token(tails[0].encode()):
        yield UrlTokenRule()


def _tail(request: RawRequest) -> str:
    """What follows the source's name in the path."""
    return unquote("/".join(request.path.split("/")[3:]))


def _secret_headers(requests: Sequence[RawRequest]) -> Iterator[str]:
    for name in everywhere(requests):
        telling = _SECRETS.search(name) and not _NOT_SECRETS.search(name)
        values = [request.header(name) for request in requests]
        if telling and name != "authorization" and _is_one(values):
            yield name


def _secret_parameters(requests: Sequence[RawRequest]) -> Iterator[str]:
    for name, _ in parameters(requests[0].query):
        telling = _SECRETS.search(name.lower()) and re.fullmatch(r"[!-~]{1,64}", name)
        if telling and _is_one([request.parameter(name) for request in requests]):
            yield name


def _is_one(values: Sequence[str | None]) -> bool:
    return bool(values[0]) and len(set(values)) == 1
