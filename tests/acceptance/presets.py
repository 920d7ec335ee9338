"""Every preset as a configured source: its table and its simulated sender's posts come out."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from service.domain import law
from service.domain.errors import ConfigurationError
from service.domain.events import Event, Fate, Statement, Subject
from service.domain.lifecycle import overall
from service.domain.lifecycles import LIFECYCLES
from service.intake.preset import Preset
from service.intake.provider import Provider, RawRequest, Reply
from service.intake.providers.registry import PRESETS, preset
from service.sandbox import senders
from service.sandbox.senders.occasion import Delivery
from service.sandbox.senders.signing import drafts
from service.settings import Secret, Source
from service.store.ids import new_id
from tests import simulated

BASE = "https://hooks.example.com"
FIRST_ORDER = 70001
WORD = simulated.OLD
PEM = b"-----BEGIN"


def table(each: Preset, api: str) -> str:
    """Configure a source of a preset as its sender needs it, its API and its keys at `api`."""
    pair = simulated.pair(each.name, WORD)
    known = [secret for secret in (pair.verify_with, *pair.besides) if secret is not None]
    rules: dict[str, Any] = {**simulated.sender(each.name).rules, "api": f"{api}/{each.name}"}
    if each.asks or "token" in rules:
        rules["token"] = f"plain:{rules.get('token', 'what its API is shown')}"
    if each.url_token:
        rules["url_token"] = f"plain:{hashlib.sha256(each.name.encode()).hexdigest()}"
    else:
        rules["secrets"] = [f"plain:{secret.reveal().decode()}" for secret in known]
    rules["durability"] = "strict"  # What is spooled is answered as no duplicate.
    return toml(f"sources.{called(each)}", {"provider": each.name, **rules})


def called(each: Preset) -> str:
    """The name of a preset's source: names of sources begin with a letter."""
    return f"our-{each.name}"


def toml(name: str, rules: Mapping[str, Any]) -> str:
    lines = (f"{json.dumps(key)} = {_inline(value)}" for key, value in rules.items())
    return "\n".join((f"[{name}]", *lines, ""))


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        pairs = (f"{json.dumps(key)} = {_inline(each)}" for key, each in value.items())
        return f"{{ {', '.join(pairs)} }}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_inline, value))}]"
    return json.dumps(value)


def documents() -> dict[str, bytes]:
    """What the key servers serve: the path below `api`, and the document there."""
    return {
        f"/{each.name}/{url.split('/', 3)[3]}": document
        for each in PRESETS
        for url, document in simulated.pair(each.name, WORD).documents.items()
    }


@dataclass(frozen=True, slots=True)
class Told:
    """One sample as it is posted, and what it states."""

    source: Source
    sample: str
    order: str
    request: RawRequest
    statements: Sequence[Statement]
    repeats: bool
    """Whether the same request, later, is a duplicate; what is looked up may be told anew."""

    @property
    def built(self) -> Provider:
        return preset(self.source.provider).build(self.source)

    def keys(self) -> set[tuple[str, str]]:
        return {(self.source.name, each.dedupe_key) for each in self.statements}

    @property
    def times(self) -> int:
        """How often it counts when it is posted twice."""
        return 1 if self.repeats else 2

    def looked_up(self) -> list[Statement]:
        """What is looked up after it was posted twice."""
        return self.of(Fate.LOOK_UP) * self.times

    def of(self, fate: Fate) -> list[Statement]:
        return [each for each in self.statements if each.fate is fate]

    def nameless(self) -> list[Statement]:
        """Statements about an order that only another sender can name."""
        return [each for each in self.of(Fate.FOLD) if each.ref is None]

    def expected(self) -> dict[str, str]:
        """The status of each subject it is about, by the law."""
        about: dict[Subject, list[Event]] = {}
        for each in self.of(Fate.FOLD):
            subject = Subject(each.lifecycle, each.scope, each.ref or self.order)
            event = Event(new_id(), self.source.name, each, self.request.received_at)
            about.setdefault(subject, []).append(event)
        return {str(subject): _status(subject, events) for subject, events in about.items()}

    def answers(self, first: datetime, last: datetime) -> list[Reply | None]:
        """The answers its sender demands, received in any second between; None: the usual 202."""
        seconds = range(int(first.timestamp()), int(last.timestamp()) + 1)
        moments = [datetime.fromtimestamp(second, UTC) for second in seconds]
        return [self.built.acknowledge(self._received(moment)) for moment in moments]

    def _received(self, at: datetime) -> RawRequest:
        return self.built.redact(replace(self.request, received_at=at))


def _status(subject: Subject, events: Sequence[Event]) -> str:
    lifecycle = LIFECYCLES[subject.lifecycle]
    return overall(lifecycle, law.fold(lifecycle, events).state.lanes_view)


def told(sources: Mapping[str, Source], *, now: datetime) -> Iterator[Told]:
    """Let every simulated sender make each of its samples, about an order of its own."""
    numbers = count(FIRST_ORDER)
    for each in PRESETS:
        source = sources[called(each)]
        for name in senders.SAMPLES[each.name]:
            try:
                yield _told(source, name, str(next(numbers)), now)
            except ConfigurationError:
                assert each.mapped, (each.name, name)  # The mapping has no word for most.


def _told(source: Source, name: str, order: str, now: datetime) -> Told:
    occasion = senders.Occasion(order, now - timedelta(seconds=30), f"evt-{order}")
    seen = signing(source)
    body = senders.sample(seen, name, occasion)
    request = signed(seen, body, sample=name, key=occasion.key, now=now)
    built = preset(source.provider).build(source)
    statements = built.parse(built.redact(request))
    later = replace(request, received_at=now + timedelta(seconds=1))
    again = built.parse(built.redact(later))
    repeats = {each.dedupe_key for each in statements} == {each.dedupe_key for each in again}
    return Told(source, name, order, request, statements, repeats)


def signing(source: Source, word: str = WORD) -> Source:
    """The source as its sender sees it."""
    if source.url_token is not None:
        return source
    ends = simulated.pair(source.provider, word)
    return source.model_copy(update={"secrets": (ends.sign_with, *ends.besides)})


def signed(seen: Source, body: bytes, *, sample: str, key: str, now: datetime) -> RawRequest:
    delivery = Delivery(now, key, sample, BASE)
    draft = simulated.sender(seen.provider).sign(seen, body, delivery)
    return drafts.arrived(seen, draft, delivery)


def spoilt(one: Told) -> RawRequest:
    """One byte is another: of the body where that is signed, else of what the sender shows."""
    if simulated.sender(one.source.provider).signer.signs_body:
        return replace(one.request, body=_flipped(one.request.body))
    seen = signing(one.source)
    if seen.url_token is not None:
        wrong = Secret.plain(_flipped(seen.url_token.reveal()))
        path = one.request.path.replace(seen.url_token.reveal().decode(), wrong.reveal().decode())
        tail = one.request.tail.replace(seen.url_token.reveal().decode(), wrong.reveal().decode())
        return replace(one.request, path=path, tail=tail)
    first, *others = seen.secrets
    if first.reveal().startswith(PEM):
        seen = signing(one.source, simulated.OTHER)
    else:
        wrong = Secret.plain(_flipped(first.reveal()))
        seen = seen.model_copy(update={"secrets": (wrong, *others)})
    at, key = one.request.received_at, f"evt-{one.order}"
    body = senders.sample(seen, one.sample, senders.Occasion(one.order, at, key))
    return signed(seen, body, sample=one.sample, key=key, now=at)


def _flipped(text: bytes) -> bytes:
    middle = len(text) // 2
    return text[:middle] + bytes([text[middle] ^ 1]) + text[middle + 1 :]
