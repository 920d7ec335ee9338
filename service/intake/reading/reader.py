"""Bodies read by a layout: a genuine request comes in, its statements go out."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Self

from service.domain import keys
from service.domain.events import Alias, AttributeValue, Lookup, Money, Statement
from service.intake.provider import RawRequest
from service.intake.reading import bodies, mapping, telling
from service.intake.reading.layout import Branch, Layout, Says, Told
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.money import amount, currency_code
from service.intake.reading.paths import JSON, Path
from service.intake.reading.telling import Happening, Meaning, Telling
from service.settings import Source

OWN_USER = "own_user"
"""The option that names the user we write as."""


@dataclass(frozen=True, slots=True)
class Place:
    """A compiled place of a layout."""

    kind: str
    path: Path

    @classmethod
    def of(cls, expression: str) -> Self:
        kind, colon, name = expression.partition(":")
        if colon and kind in {"header", "query"}:
            return cls(kind, Path(name, _nothing))
        if expression in {"tail", "body:sha256"}:
            return cls(expression, Path(expression, _nothing))
        return cls("", Path.of(expression))

    def find(self, view: JSON, request: RawRequest) -> JSON:
        if not self.kind:
            return self.path.find(view)
        match self.kind:
            case "header":
                return request.header(self.path.expression)
            case "query":
                return request.parameter(self.path.expression)
            case "body:sha256":
                return keys.body_key(request.body)
            case _:
                return request.tail


def _nothing(_: JSON) -> JSON:
    return None


# Not frozen, as Happening is not.
@dataclass(slots=True)
class Item:
    """One event of a request, as places look at it."""

    view: dict[str, JSON]
    request: RawRequest
    number: int | None
    """Its place in the request; None when the request is the one event."""
    places: Mapping[str, Place]
    found: dict[str, JSON] = field(default_factory=dict)
    """What stood at the places looked at so far; several amounts share a currency or a word."""

    def at(self, place: str) -> JSON:
        if not place:
            return None
        if place in self.found:
            return self.found[place]
        there = self.places[place]
        # Most places are in the view, and there are many: they are asked without a detour.
        found = there.find(self.view, self.request) if there.kind else there.path.search(self.view)
        self.found[place] = found
        return found

    def name(self, place: str) -> str | None:
        found = self.at(place)
        return None if found is None else mapping.name(found)

    def word(self, place: str) -> str | None:
        found = self.at(place)
        return None if found is None else mapping.word(found)

    def words(self, places: Sequence[str]) -> str:
        return ":".join([self.word(place) or "" for place in places])

    def flag(self, place: str) -> bool:
        return mapping.flag(self.at(place))

    def currency(self, place: str) -> str:
        return place.strip("'") if place.startswith("'") else currency_code(self.at(place))


@dataclass(frozen=True, slots=True)
class Reader:
    """A layout with the rules of one source, compiled."""

    layout: Layout
    telling: Telling
    items: Path | None
    places: Mapping[str, Place]
    """Every place of the layout, by its expression."""
    facts: Mapping[str, Path]
    own_user: str | None = None
    inner: tuple[Path, ...] = ()

    @classmethod
    def of(cls, layout: Layout, source: Source) -> Self:
        rules = Telling.of(source, layout.ref, lifecycle=layout.lifecycle, zone=layout.zone)
        places = {place: Place.of(place) for place in _places(layout)}
        items = Path.of(layout.items) if layout.items else None
        facts = telling.paths(layout.facts)
        own_user = mapping.name(source.options.get(OWN_USER))
        inner = tuple(map(Path.of, layout.inner))
        return cls(layout, rules, items, places, facts, own_user, inner)

    def read(self, request: RawRequest) -> Sequence[Statement]:
        """Find the statements; what cannot be read is one `unreadable`, or one for each item."""
        try:
            return self.read_document(bodies.read(self.layout.form, request), request)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)

    def read_document(self, document: JSON, request: RawRequest) -> Sequence[Statement]:
        """Find the statements of a body that is parsed already; raises Unreadable."""
        return [
            statement
            for number, view in enumerate(self.views(document))
            for statement in self._read(view, request, number if self.items else None)
        ]

    def views(self, document: JSON) -> Sequence[JSON]:
        """List the events of a document, each with the document itself as its `root`."""
        if self.items is None:
            return [document]
        found = self.items.find(document)
        if not isinstance(found, list):
            raise Unreadable(f"There are no events at {shown(self.items.expression)}.")
        for path in self.inner:
            found = list(islice(_within(path, found), mapping.MAX_ITEMS + 1))
        if len(found) > mapping.MAX_ITEMS:
            raise Unreadable(f"It carries more than {mapping.MAX_ITEMS} events.")
        return [{**item, "root": document} if isinstance(item, dict) else item for item in found]

    def _read(self, view: JSON, request: RawRequest, number: int | None) -> Sequence[Statement]:
        if not isinstance(view, dict):
            why = f"It is not an event of {self.layout.title}: no JSON object."
            return (mapping.unreadable(request, why, item=number),)
        item = Item(view, request, number, self.places)
        try:
            event = self.happening(item)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why), item=number),)
        statements, key = [self._state(item, event, 0)], event.key
        for place in range(1, len(self.layout.says)):
            # Money is told once, however many things one event says.
            event.key, event.money, event.first = f"{key}:{place}", (), False
            statements.append(self._state(item, event, place))
        return statements

    def _state(self, item: Item, event: Happening, place: int) -> Statement:
        said = self._mean(item, place)
        if said is not telling.LOOK_UP:
            return self.telling.state(said, event, item.request)
        said, lookup = self._asked(item)
        if lookup is not None and not self.layout.key:
            # The same object may be told about again and again: what it is then is asked anew.
            stamp = int(item.request.received_at.timestamp() * 1000)
            event = replace(event, key=f"{lookup.kind}:{lookup.object_id}:{stamp}")
        return self.telling.state(said, event, item.request, lookup=lookup)

    def _mean(self, item: Item, place: int) -> Meaning:
        if self.own_user is not None and item.word(self.layout.author) == self.own_user:
            return telling.ignored("It is our own write, told to us by the system we wrote it to.")
        return mean(self.layout.says[place], item)

    def happening(self, item: Item) -> Happening:
        """Read all but the meaning; raises Unreadable where the event cannot be named."""
        layout = self.layout
        code = item.word(layout.says[0].place) or ""
        return Happening(
            key=self._key(item),
            code=code,
            subject=item.view,
            when=item.at(layout.when),
            facts=self.facts,
            told=item.view,
            more=self._amounts(item, code),
            reason=item.word(layout.reason) or "",
            parcel=item.name(layout.parcel),
            returns=bool(layout.returns) and item.flag(layout.returns),
            aliases=self._names(item) if layout.aliases else (),
            money=tuple(self._money(item, code)) if layout.money else (),
        )

    def _key(self, item: Item) -> str:
        if not self.layout.key:
            return mapping.item_key(item.request, item.number)
        parts = [item.word(place) for place in self.layout.key]
        if parts[0] is None:
            needs = ", ".join(self.layout.key)
            raise Unreadable(f"It is not an event of {self.layout.title}: it needs {needs}.")
        whole = ":".join(part or "" for part in parts)
        return mapping.name(whole) or hashlib.sha256(whole.encode()).hexdigest()

    def _asked(self, item: Item) -> tuple[Meaning, Lookup | None]:
        kind, place = self.layout.lookup or ("object", "")
        found = item.name(place)
        if found is None:
            return telling.unmapped(f"It tells to look up a {kind}, but not which."), None
        return telling.LOOK_UP, Lookup(kind, found)

    def _amounts(self, item: Item, code: str) -> dict[str, AttributeValue]:
        found: dict[str, AttributeValue] = {}
        for label, each in self.layout.amounts.items():
            if each.when and code not in each.when:
                continue
            told = item.at(each.place)
            if told is None:
                continue
            currency = item.currency(each.currency)
            value = amount(told, currency, each.spelling)
            if value is not None:
                found[label] = value
                if label == "amount" and currency:
                    found["currency"] = currency
        return found

    def _money(self, item: Item, code: str) -> Iterator[Money]:
        said: dict[tuple[str, ...], str] = {(): code}
        for each in self.layout.money:
            if each.words not in said:
                said[each.words] = item.words(each.words)
            if each.when and said[each.words] not in each.when:
                continue
            told = item.at(each.amount)
            if told is None:
                continue
            currency = item.currency(each.currency)
            value = amount(told, currency, each.spelling)
            named = item.name(each.id)
            if value is not None and (named or not each.id):
                yield Money(each.kind, value, currency, named)

    def _names(self, item: Item) -> tuple[Alias, ...]:
        found = ((kind, item.name(place)) for kind, place in self.layout.aliases.items())
        return tuple(Alias(kind, name) for kind, name in found if name)


def _within(path: Path, items: Sequence[JSON]) -> Iterator[JSON]:
    """List the members of a list in each item; nothing to read is left where there is no list."""
    for item in items:
        found = path.find(item)
        for each in found if isinstance(found, list) else [None]:
            yield {**each, "up": item} if isinstance(each, dict) else each


def mean(says: Says, item: Item) -> Meaning:
    """Tell what the word of an event means, or the words it leaves the decision to."""
    table, absent = says.told, says.absent
    word, what = item.word(says.place), says.called or f"word at {says.place}"
    if word and says.ours and not word.startswith(says.ours) and _told(table, word) is None:
        return telling.ignored(f"{shown(word)} is not about what we follow.")
    while isinstance(told := _told(table, word), Branch):
        table, absent = told.told, told.absent
        word, what = item.word(told.place), f"word at {told.place}"
    if told is None and word is None and absent:
        told = absent
    return telling.unknown(word, what) if told is None else telling.told(told, word or "")


def _told(table: Mapping[str, Told], word: str | None) -> Told | None:
    if word is None:
        return None
    return table.get(word) or table.get(word.upper())


def _places(layout: Layout) -> Iterator[str]:
    """List every place a layout names; a currency in quotes is none."""
    singles = [layout.when, layout.parcel, layout.returns, layout.reason, layout.author]
    singles += [each.place for each in layout.amounts.values()]
    singles += [place for each in layout.money for place in (each.amount, each.id, *each.words)]
    currencies = [each.currency for each in layout.amounts.values()]
    currencies += [each.currency for each in layout.money]
    singles += [place for place in currencies if not place.startswith("'")]
    singles += [layout.lookup[1]] if layout.lookup else []
    yield from filter(None, [*layout.key, *layout.aliases.values(), *singles])
    for says in layout.says:
        yield says.place
        yield from _branches(says.told)


def _branches(table: Mapping[str, Told]) -> Iterator[str]:
    for told in table.values():
        if isinstance(told, Branch):
            yield told.place
            yield from _branches(told.told)
