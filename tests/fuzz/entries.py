"""Where strangers' bytes enter: any bytes in, nothing out; whatever escapes is a finding.

Each entry is a function of bytes alone, so that a fuzzer, a file of a finding and a test can all
call it the same way.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import cache
from ipaddress import ip_network
from types import MappingProxyType
from typing import Any
from urllib.parse import quote, unquote

from service.domain.events import Statement
from service.intake.preset import Declared
from service.intake.provider import Genuine, Keys, Provider, RawRequest, Verification, Wanted
from service.intake.providers.registry import PRESETS, preset
from service.intake.reading import bodies, cloudevents
from service.intake.reading.bodies import Format
from service.intake.reading.mapping import Unreadable
from service.settings import Auth, Secret
from service.web import peers, public
from service.web.auth import Bouncer, Role
from service.web.problems import Refused
from tests import simulated, vectors

AT = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
LONGEST = 256
LARGEST = 512 * 1024
LONGEST_WHY = 1024
KINDS = ("", "application/json", "application/cloudevents+json", "text/plain", "application/xml")
FORMS: tuple[Format, ...] = ("json", "form", "xml", "cloudevents")
PROXIES = (ip_network("127.0.0.0/8"), ip_network("::1/128"))
KEY = Secret.plain("a key of the fuzzer, long enough for any hash " * 2)
BOUNCER = Bouncer(Auth(jwt_secret=KEY))


class Finding(AssertionError):
    """What a parser gave away that nothing behind it may be given."""


@dataclass(frozen=True, slots=True)
class Case:
    """A golden request: the source it was posted to, built, and what its key servers serve."""

    provider: Provider
    request: RawRequest
    served: Keys

    def judge(self, request: RawRequest) -> Verification:
        """Judge with the keys that are fetched; where none stands, the body takes its place."""
        keys: Keys = {}
        for _ in range(simulated.TRIES):
            judged = self.provider.verify(request, now=request.received_at, keys=keys)
            if not isinstance(judged, Wanted) or judged.url in keys:
                return judged
            if not judged.url.startswith("https://"):
                raise Finding(f"It would fetch a key from {judged.url!r}.")
            keys = {**keys, judged.url: self.served.get(judged.url, request.body)}
        raise Finding("It wants keys without end.")

    def signs_bytes(self) -> bool:
        """Whether the proof is of the body as it stands, so that no other body has that proof."""
        body = self.request.body
        first, _, rest = body.partition(b"&")
        others = (body + b" ", b" " + body, rest + b"&" + first, b'{"zz":1,' + body[1:])
        refused = (self.judge(replace(self.request, body=each)) for each in others)
        return not any(isinstance(judged, Genuine) for judged in refused)


@cache
def sealed() -> frozenset[int]:
    """The cases whose proof is of the bytes of the body."""
    return frozenset(number for number, case in enumerate(cases()) if case.signs_bytes())


@cache
def known_bodies() -> frozenset[bytes]:
    """What was signed with the keys of the cases."""
    return frozenset(case.request.body for case in cases())


@cache
def cases() -> tuple[Case, ...]:
    """Every golden request of every preset; a byte pair of the input picks one to begin with."""
    return tuple(
        _case(each.name, json.loads(path.read_bytes()))
        for each in PRESETS
        for path in sorted((vectors.GOLDEN / each.name).glob("*.json"))
    )


def _case(name: str, said: Mapping[str, Any]) -> Case:
    at = datetime.fromisoformat(said["received_at"])
    built = preset(name).build(simulated.described(said["source"], name))
    return Case(built, vectors.read_request(said, at=at), vectors.read_keys(said))


def written(number: int, request: RawRequest) -> bytes:
    """Write a request as the entries `judging` and `reading` read it."""
    lines = [f"{name}: {value}" for name, value in request.headers]
    first = f"{request.method} {quote(request.tail)}?{request.query}"
    head = "\n".join((first, *lines, "", ""))
    return number.to_bytes(2, "big") + head.encode("latin-1", "replace") + request.body


def asked(data: bytes) -> tuple[Case, RawRequest]:
    """Read what `written` writes, and anything else as well as it goes."""
    case = cases()[int.from_bytes(data[:2], "big") % len(cases())]
    head, _, body = data[2:].partition(b"\n\n")
    first, *lines = head.decode("latin-1").split("\n")[:66]
    method, _, target = first.partition(" ")
    tail, _, query = target.partition("?")
    pairs = (line.partition(":") for line in lines if line)
    same = (query, unquote(tail)) == (case.request.query, case.request.tail)
    return case, replace(
        case.request,
        method=method if method in {"GET", "HEAD", "OPTIONS"} else "POST",
        query=query,
        tail=unquote(tail),
        url=case.request.url
        if same
        else f"https://hooks.example.com/webhooks/tested/{tail}?{query}",
        headers=[(name.lower(), value.removeprefix(" ")) for name, _, value in pairs],
        body=body,
    )


def judging(data: bytes) -> None:
    """Greet, judge with the keys that are fetched, and answer."""
    case, request = asked(data)
    case.provider.handshake(request)
    judged = case.judge(request)
    number = int.from_bytes(data[:2], "big") % len(cases())
    if isinstance(judged, Genuine) and number in sealed() and request.body not in known_bodies():
        raise Finding("A body was taken that nobody signed.")
    case.provider.redact(request)
    case.provider.acknowledge(request)


def reading(data: bytes) -> None:
    """Parse as after a genuine verdict, and again as if its body had not been sealed."""
    case, request = asked(data)
    redacted = case.provider.redact(request)
    for statement in case.provider.parse(redacted):
        check(statement)
    if isinstance(case.provider, Declared):
        for statement in case.provider.reader.read(redacted):
            check(statement)


def check(statement: Statement) -> None:
    """A statement can be stored and shown: bounded texts of Unicode without NUL."""
    for name in (statement.dedupe_key, statement.ref, statement.parcel):
        if name is not None and not 0 < len(name.encode()) <= LONGEST:
            raise Finding(f"A name is too long or empty: {name[:80]!r}")
    for alias in statement.aliases:
        if not 0 < len(alias.value.encode()) <= LONGEST:
            raise Finding(f"An alias is too long or empty: {alias.value[:80]!r}")
    said = json.dumps(asdict(statement), default=str, ensure_ascii=False, allow_nan=False)
    if "\\u0000" in said.replace("\\\\", ""):
        raise Finding(f"A statement holds NUL: {said[:80]!r}")
    if len(said.encode()) > LARGEST:
        raise Finding(f"A statement has {len(said)} bytes: {said[:80]!r}")


def documents(data: bytes) -> None:
    """Read a body in each format; a document or Unreadable comes out, bounded either way."""
    kind = KINDS[data[0] % len(KINDS)] if data else ""
    headers = [("content-type", kind), ("ce-specversion", "1.0"), ("ce-id", "1")]
    body = data[1:]
    request = RawRequest("POST", "/webhooks/tested", "", headers, body, AT)
    for form in FORMS:
        with _told():
            document = bodies.read(form, request)
            if form == "cloudevents":
                _events(document)


@contextmanager
def _told() -> Iterator[None]:
    """What cannot be read is said in a sentence that can be stored and shown."""
    try:
        yield
    except Unreadable as why:
        if not str(why).isprintable() or len(str(why)) > LONGEST_WHY:
            raise Finding(f"A sentence cannot be shown: {str(why)[:80]!r}") from why


def _events(document: Any) -> None:
    for item in document if isinstance(document, list) else [document]:
        with _told():
            if not 0 < len(cloudevents.identity(cloudevents.envelope(item)).encode()) <= LONGEST:
                raise Finding("An event has a name that cannot be stored.")


def tokens(data: bytes) -> None:
    """Show a bearer token to the internal API; nobody here knows its key."""
    with suppress(Refused):
        BOUNCER.admit(data.decode("latin-1").split("\n"), Role.VIEWER)
        raise Finding("A token was taken that nobody signed.")


def addresses(data: bytes) -> None:
    """Read the target and the forwarded addresses of a request."""
    target, _, forwarded = data.decode("latin-1").partition("\n")
    name, tail = public.source_and_tail(target)
    if tail and not name:
        raise Finding("A tail belongs to no source.")
    peers.client("127.0.0.1", forwarded.split("\n"), trusted=PROXIES)
    request = RawRequest("POST", "/", target, [], b"", AT)
    request.parameter("challenge")


ENTRIES: Mapping[str, Callable[[bytes], None]] = MappingProxyType(
    {
        "judging": judging,
        "reading": reading,
        "documents": documents,
        "tokens": tokens,
        "addresses": addresses,
    }
)
