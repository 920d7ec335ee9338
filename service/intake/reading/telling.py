"""What an event means comes in; its statement, with subject, time and facts, goes out."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from service.domain.events import (
    Alias,
    AttributeValue,
    Fate,
    Lookup,
    Money,
    Revocation,
    Statement,
)
from service.intake.provider import RawRequest
from service.intake.reading import mapping
from service.intake.reading.mapping import Dating, Naming, Unreadable, shown
from service.intake.reading.paths import JSON, Path
from service.settings import Source

Object = Mapping[str, JSON]


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event says about an order; without a status it only carries facts."""

    target: str = ""
    """`lane.status`"""
    fate: Fate = Fate.FOLD
    note: str = ""


FACTS = Meaning()
LOOK_UP = Meaning(
    fate=Fate.LOOK_UP, note="It only names an object; what became of it is asked for later."
)


def ignored(why: str) -> Meaning:
    return Meaning(fate=Fate.IGNORED, note=why)


def unmapped(why: str) -> Meaning:
    return Meaning(fate=Fate.UNMAPPED, note=why)


def told(said: str, word: str) -> Meaning:
    """Read a meaning as tables write it: `lane.status`, `facts`, `look up` or `ignore: why`."""
    verb, _, why = said.partition(":")
    match verb:
        case "ignore":
            return ignored(f"{shown(word)}: {why.strip() or 'the source leaves it out'}.")
        case "facts":
            return FACTS
        case "look up":
            return LOOK_UP
        case _:
            return Meaning(said)


def unknown(word: str | None, what: str) -> Meaning:
    """A word of the sender that we should know; None where it is no word at all."""
    return unmapped(
        f"{shown(word)} is no {what} we know." if word else f"It carries no usable {what}."
    )


# Not frozen: one is made of every event, and to freeze it costs three times what making it does.
@dataclass(slots=True)
class Happening:
    """The parts of an event that are not its meaning."""

    key: str
    code: str
    """The sender's own word for what happened."""
    subject: dict[str, JSON]
    """Where the order is looked for."""
    when: JSON = None
    facts: Mapping[str, Path] | None = None
    """Attributes, found in `told`."""
    told: JSON = None
    more: Mapping[str, AttributeValue] = field(default_factory=dict)
    """Attributes that were worked out, as amounts are."""
    first: bool = True
    """Whether it is the first thing its event says; the source's own statuses speak of that."""
    reason: str = ""
    parcel: str | None = None
    returns: bool = False
    aliases: tuple[Alias, ...] = ()
    money: tuple[Money, ...] = ()
    revokes: Revocation | None = None
    lookup: Lookup | None = None


@dataclass(frozen=True, slots=True)
class Telling:
    """A source's rules for subjects and times."""

    source: str
    naming: Naming
    dating: Dating
    statuses: Mapping[str, str]
    """What the source's own configuration makes of a code; it outranks what the provider knows."""

    @classmethod
    def of(cls, source: Source, ref: str, *, lifecycle: str = "", zone: str = "") -> Self:
        """Take the source's rules; `ref`, `lifecycle` and `zone` stand in where it sets none."""
        naming = Naming.of(source, source.subject.ref or ref)
        if lifecycle and "lifecycle" not in source.subject.model_fields_set:
            naming = replace(naming, lifecycle=lifecycle)
        dating = Dating.of(source, zone=zone)
        return cls(source.name, naming, dating, source.statuses)

    def state(
        self, said: Meaning, event: Happening, request: RawRequest, *, lookup: Lookup | None = None
    ) -> Statement:
        """Make the statement; an event that names no order is a dead letter if it has a status."""
        own = self.statuses.get(event.code) if event.first else None
        said = told(own, event.code) if own else said
        lane, _, status = said.target.partition(".")
        if said.fate is Fate.IGNORED:
            return Statement(
                dedupe_key=event.key,
                lifecycle=self.naming.lifecycle,
                lane=lane or None,
                status=status or None,
                code=event.code,
                fate=said.fate,
                note=said.note,
            )
        named = self.naming.find(event.subject)
        when, untimed = self.dating.read(event.when, received_at=request.received_at)
        facts, lost = mapping.attributes(event.facts, event.told) if event.facts else ({}, "")
        filled = Statement(
            dedupe_key=event.key,
            lifecycle=self.naming.lifecycle,
            lane=lane or None,
            status=status or None,
            code=event.code,
            fate=said.fate,
            ref=named.ref,
            scope=named.scope,
            occurred_at=when,
            attributes={**facts, **event.more} if event.more else facts,
            note=mapping.sentences(said.note, untimed, lost),
            reason=event.reason,
            parcel=named.parcel or event.parcel,
            returns=event.returns or named.returns,
            aliases=_together(event.aliases, named.aliases),
            money=event.money,
            revokes=event.revokes,
            lookup=lookup or event.lookup,
        )
        return _settled(filled, named.note)


MAX_ALIASES = 16


def _together(one: tuple[Alias, ...], other: tuple[Alias, ...]) -> tuple[Alias, ...]:
    """Join the names a layout and a source found, each once."""
    if not one and not other:
        return ()
    return tuple(dict.fromkeys((*one, *other)))[:MAX_ALIASES]


def _settled(said: Statement, nameless: str) -> Statement:
    """Tell what becomes of a statement that names no order, or says nothing about it.

    `nameless` is why it names none, as what follows the code in a sentence.
    """
    if said.fate is not Fate.FOLD:
        return said
    tells = said.status or said.attributes or said.money or said.revokes
    if said.ref and not (tells or said.aliases):
        return replace(said, fate=Fate.IGNORED, note=f"{said.code} carries nothing to keep.")
    if said.ref or (said.aliases and tells) or said.follows:
        return said
    if said.status:
        return replace(said, fate=Fate.UNRESOLVED, note=f"{said.code} {nameless}")
    # A dead letter for each would be noise: nothing about the state of the order is lost.
    return replace(said, fate=Fate.IGNORED, note=f"{said.code} {nameless} It only adds details.")


def paths(expressions: Mapping[str, str]) -> Mapping[str, Path]:
    return {label: Path.of(expression) for label, expression in expressions.items()}


def document(request: RawRequest, *, sender: str) -> dict[str, JSON]:
    """Read a body that must be one JSON object."""
    found = mapping.read(request.body)
    if not isinstance(found, dict):
        raise Unreadable(f"It is not an event of {sender}: the body is not a JSON object.")
    return found


def within(thing: Object, *keys: str) -> Object:
    """Walk down to an inner object; an empty one where there is none."""
    for key in keys:
        inner = thing.get(key)
        if not isinstance(inner, dict):
            return {}
        thing = inner
    return thing
