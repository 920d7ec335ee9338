"""Any other system, by configuration alone: its signed JSON in, the statements it maps to out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import assert_never

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Statement
from service.intake.providers import mapping, signing
from service.intake.providers.base import Forged, Genuine, RawRequest
from service.intake.providers.mapping import JSON, Dating, Naming, Path, Unreadable, shown
from service.settings import BasicRule, BearerRule, HmacRule, Source

NAME = "generic"
TITLE = "Any system that signs JSON"
CATEGORY = "any"
SETUP = """\
1. Let the sender post JSON to this source's URL.
2. Agree on a secret and say in `verify` how the sender proves that it knows it: a signature over
   the body ("hmac", best with a signed time), a bearer token, or a user and password.
3. Say in `key`, `subject.ref`, `occurred_at` and `status` where the event's id, the order number,
   the time and the status are (JMESPath), and translate each status word in `statuses`.
4. Try it: orderhook verify, then orderhook send."""


@dataclass(frozen=True, slots=True)
class Generic:
    """One configured sender of JSON."""

    guard: signing.Keyed | signing.Shared
    naming: Naming
    dating: Dating
    items: Path | None
    key: Path | None
    key_header: str
    occurred_at: Path | None
    status: Path | None
    statuses: Mapping[str, str]
    attributes: Mapping[str, Path]

    def verify(self, request: RawRequest, *, now: datetime) -> Genuine | Forged:
        return self.guard.verify(request, now=now)

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        try:
            document = mapping.read(request.body)
            items = self._split(document)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        if items is None:
            return (self._read(document, None, request),)
        return tuple(self._read(item, index, request) for index, item in enumerate(items))

    def _split(self, document: JSON) -> Sequence[JSON] | None:
        """List the items of a batch; None when the body itself is the one event."""
        found = self.items.find(document) if self.items else document
        if self.items and found is None:
            raise Unreadable(f"There are no events at {shown(self.items.expression)}.")
        if not isinstance(found, list):
            return [found] if self.items else None
        if len(found) > mapping.MAX_ITEMS:
            raise Unreadable(f"It carries {len(found)} events; the limit is {mapping.MAX_ITEMS}.")
        return found

    def _read(self, item: JSON, index: int | None, request: RawRequest) -> Statement:
        if not isinstance(item, dict):
            return mapping.unreadable(request, "The event is not a JSON object.", item=index)
        key = self._identify(item, index, request)
        if key is None:
            where = self.key.expression if self.key else f"header:{self.key_header}"
            why = f"There is no usable key at {shown(where)}."
            return mapping.unreadable(request, why, item=index)
        return self._state(item, key, request)

    def _identify(self, item: JSON, index: int | None, request: RawRequest) -> str | None:
        if self.key:
            return mapping.name(self.key.find(item))
        if not self.key_header:
            return mapping.item_key(request, index)
        value = mapping.name(request.header(self.key_header))
        # One header names the whole request, so its events are told apart by their place.
        return value if value is None or index is None else mapping.name(f"{value}:{index}")

    def _state(self, item: JSON, key: str, request: RawRequest) -> Statement:
        named = self.naming.find(item)
        when, untimed = self._date(item, request)
        facts, lost = mapping.attributes(self.attributes, item)
        said = Statement(
            dedupe_key=key,
            lifecycle=self.naming.lifecycle,
            scope=named.scope,
            ref=named.ref,
            occurred_at=when,
            attributes=facts,
            note=mapping.sentences(untimed, lost),
        )
        said = self._translate(said, item)
        if named.ref is None and said.fate is Fate.FOLD:
            return replace(said, fate=Fate.UNRESOLVED, note=f"The event {named.note}")
        return said

    def _date(self, item: JSON, request: RawRequest) -> tuple[datetime | None, str]:
        if self.occurred_at is None:
            return None, ""
        return self.dating.read(self.occurred_at.find(item), received_at=request.received_at)

    def _translate(self, said: Statement, item: JSON) -> Statement:
        if self.status is None:
            return said if said.attributes else replace(said, fate=Fate.IGNORED, note=_NOTHING)
        code = mapping.word(self.status.find(item))
        if code is None:
            why = f"There is no status word at {shown(self.status.expression)}."
            return replace(said, fate=Fate.UNMAPPED, note=why)
        match self.statuses.get(code):
            case None:
                why = f"The status word {shown(code)} is not in the statuses of this source."
                return replace(said, code=code, fate=Fate.UNMAPPED, note=why)
            case "ignore":
                why = f"The statuses of this source ignore {shown(code)}."
                return replace(said, code=code, fate=Fate.IGNORED, note=why)
            case target:
                lane, _, status = target.partition(".")
                return replace(said, code=code, lane=lane, status=status)


_NOTHING = "The event states nothing: no status is configured and no attribute was found."


def build(source: Source) -> Generic:
    if source.subject.ref is None:
        raise ConfigurationError(
            f"The source {source.name} does not say where the order number is; set subject.ref."
        )
    header = source.key is not None and source.key.startswith("header:")
    return Generic(
        guard=guard(source),
        naming=Naming.of(source, source.subject.ref),
        dating=Dating.of(source),
        items=_path(source.items),
        key=None if header else _path(source.key),
        key_header=(source.key or "").removeprefix("header:") if header else "",
        occurred_at=_path(source.occurred_at),
        status=_path(source.status),
        statuses=source.statuses,
        attributes={label: Path.of(path) for label, path in source.attributes.items()},
    )


def guard(source: Source) -> signing.Keyed | signing.Shared:
    """Choose how the source proves itself; a rule that would let others through is refused."""
    secrets = tuple(secret.reveal() for secret in source.secrets)
    if source.verify is None or not secrets:
        lack = "secrets" if source.verify else "verify rule"
        raise ConfigurationError(
            f"The source {source.name} has no {lack}, so nothing would prove who sends; add one."
        )
    match source.verify:
        case HmacRule() as rule:
            scheme = signing.Scheme(secrets, source.tolerance, rule.algorithm, rule.encoding)
            return signing.Keyed(rule, scheme, signing.pieces(rule.signed))
        case BearerRule() | BasicRule() as rule:
            return signing.Shared(rule.scheme, secrets)
        case other:
            assert_never(other)


def _path(expression: str | None) -> Path | None:
    return Path.of(expression) if expression is not None else None
