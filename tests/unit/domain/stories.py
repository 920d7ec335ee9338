"""Made-up stories: numbers come in from Hypothesis; events, operators' acts and arrivals go out.

An event is drawn as one number, so that stories of forty events are cheap to draw and shrink well.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from random import Random
from typing import Any, Literal
from uuid import UUID

from hypothesis import strategies as st

from service.domain.events import Alias, Event, Money, Revocation
from service.domain.law import Pin
from service.domain.lifecycles import ORDER
from tests import make

MOST_EVENTS = 40


def _parcel(name: str | None, lane: str, status: str, *, returns: bool = False) -> dict[str, Any]:
    return {"parcel": name, "lane": lane, "status": status, "returns": returns}


def _money(*told: Money, status: str | None = None) -> dict[str, Any]:
    return {"lane": "payment" if status else None, "status": status, "money": told}


NOTHING = {"lane": None, "status": None}
DELIVERY, FULFILLMENT, PAYMENT = (
    list(ORDER.lanes[name].statuses) for name in ("delivery", "fulfillment", "payment")
)
MONEY: Sequence[Mapping[str, Any]] = (
    _money(Money("paid", "100.00", "EUR"), status="paid"),
    _money(Money("paid", "60.00", "EUR", "pay-1"), status="paid"),
    _money(Money("paid", "40.0", "", "pay-2")),
    _money(Money("refunded", "0.10", "EUR", "re-1"), status="partially_refunded"),
    _money(Money("refunded", "0.20", "EUR", "re-2"), status="partially_refunded"),
    _money(Money("refunded", "99.70", "EUR", "re-3"), status="partially_refunded"),
    _money(Money("refunded", "100.00", "EUR", "re-1"), status="refunded"),
    _money(Money("refunded", "0", "", "re-1")),
    _money(Money("refunded", "0", "EUR", "re-3")),
    _money(Money("refunded", "30", "EUR"), status="partially_refunded"),
    _money(Money("refunded", "100.000", ""), status="refunded"),
    _money(Money("refunded", "7", "USD", "re-4")),
    _money(Money("charged_back", "100.00", "EUR"), Money("refunded", "1.5"), status="chargeback"),
    _money(Money("refunded", "plenty", "EUR")),
)
WORDS: Sequence[Mapping[str, Any]] = (
    *(_parcel(name, "delivery", status) for name, status in product((None, "A", "B"), DELIVERY)),
    *(_parcel(name, "fulfillment", each) for name, each in product((None, "A"), FULFILLMENT)),
    _parcel("B", "fulfillment", "packed"),
    _parcel("B", "fulfillment", "shipped"),
    *(_parcel("R", "delivery", status, returns=True) for status in DELIVERY),
    _parcel("R", "delivery", "in_transit"),
    _parcel("B", "delivery", "in_transit", returns=True),
    *(_parcel("S", "delivery", each, returns=True) for each in ("in_transit", "delivered")),
    *({"lane": "payment", "status": status} for status in PAYMENT),
    *({"lane": "order", "status": status} for status in ORDER.lanes["order"].statuses),
    *MONEY,
    *MONEY,
    {**NOTHING, "attributes": {"amount": "100"}},
    {**NOTHING, "attributes": {"vip": True, "carrier": "dpd"}},
    {**NOTHING, "attributes": {"vip": False}, "parcel": "A"},
    {"lane": "order", "status": "confirmed", "attributes": {"vip": False, "carrier": "cdek"}},
    {"lane": "delivery", "status": "in_transit", "attributes": {"carrier": "ups"}},
    {**NOTHING, "aliases": (Alias("tracking", "42"),)},
    {**NOTHING, "parcel": "B", "returns": True},
    {"lane": "payment", "status": "eaten", "attributes": {"vip": "eaten"}, "parcel": "A"},
    {"lane": "weather", "status": "rain", "parcel": "Z", "returns": True},
    *([{**NOTHING, "revokes": True}] * 8),
    {"lane": "order", "status": "completed", "revokes": True},
    {"lane": "weather", "status": "rain", "revokes": True},
)
SOURCES = ("courier", "shop", "wms")
# Close enough together to collide, and apart by microseconds; every eighth has no clock.
MOMENTS = (*(make.at(n // 2).replace(microsecond=n % 2) for n in range(21)), None, None, None)
PINS = (
    ("delivery", "lost"),
    ("delivery", "delivered"),
    ("delivery", "returning"),
    ("payment", "paid"),
    ("weather", "rain"),
)
KINDS = len(WORDS) * len(SOURCES) * len(MOMENTS) * MOST_EVENTS


@dataclass(frozen=True, slots=True)
class Story:
    """The set that alone decides: events, pins that stand, events that operators took back."""

    events: tuple[Event, ...]
    pins: tuple[Pin, ...] = ()
    released: tuple[Pin, ...] = ()
    rolled_back: frozenset[UUID] = frozenset()

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        acts = (list(self.pins), list(self.released), [each.int for each in self.rolled_back])
        printer.text("\n".join(["Story:", *map(_line, self.events), *map(repr, acts)]))


Act = tuple[Literal["pin", "release"], Pin] | tuple[Literal["rollback"], UUID]


@dataclass(frozen=True, slots=True)
class Arrival:
    """One way in which a story may reach a worker: batches, some twice, and acts between them."""

    steps: tuple[tuple[Event, ...] | Act, ...]

    def _repr_pretty_(self, printer: Any, _: bool) -> None:  # noqa: FBT001 - Hypothesis calls it
        steps = " | ".join(" ".join(map(_short, step)) for step in self.steps)
        printer.text(f"Arrival: {steps}")

    @property
    def events(self) -> Iterator[Event]:
        for step in self.steps:
            yield from (each for each in step if isinstance(each, Event))


def _line(event: Event) -> str:
    """An event on a line: only what was said."""
    said = event.statement
    at = said.occurred_at.strftime("%M:%S.%f") if said.occurred_at else "untimed"
    told = {name: getattr(said, name) for name in ("parcel", "returns", "attributes", "money")}
    told["revokes"] = said.revokes and tuple(said.revokes)
    rest = {name: value for name, value in told.items() if value}
    name = f"{event.source}/{said.dedupe_key}"
    return f"  {event.id.int} {name} {at} {said.lane}.{said.status} {rest}"


def _short(part: object) -> str:
    match part:
        case Event():
            return str(part.id.int)
        case UUID():
            return str(part.int)
        case _:
            return str(part)


@dataclass(frozen=True, slots=True)
class Calm:
    """What a story does without; where all of it is in every story, most end in a refold."""

    untimed: bool
    revoked: bool
    returned: bool


CALM = st.builds(Calm, untimed=st.booleans(), revoked=st.booleans(), returned=st.booleans())


@st.composite
def stories(
    draw: st.DrawFn, *, most: int = MOST_EVENTS, calm: st.SearchStrategy[Calm] = CALM
) -> Story:
    # Left alone, lists stay short.
    size = draw(st.integers(0, most))
    drawn = draw(st.lists(st.integers(0, KINDS - 1), min_size=size, max_size=size))
    without = draw(calm)
    events = tuple(_event(number, drawn, without) for number in range(len(drawn)))
    pins = draw(st.lists(st.integers(0, 2 * len(PINS) - 1), max_size=4))
    gone = draw(st.lists(st.sampled_from(events), max_size=4)) if events else []
    stand = [Pin(id_, *PINS[n // 2]) for id_, n in enumerate(pins, start=1) if n % 2]
    released = [Pin(id_, *PINS[n // 2]) for id_, n in enumerate(pins, start=1) if not n % 2]
    rolled_back = frozenset(event.id for event in gone)
    return Story(events, tuple(stand), tuple(released), rolled_back)


def _event(number: int, drawn: Sequence[int], calm: Calm) -> Event:
    word, source, moment, aim = _split(drawn[number])
    said = dict(WORDS[word])
    key = "again" if aim == 0 else f"key-{number}"
    if said.pop("revokes", False) and not calm.revoked:
        said["revokes"] = _target(aim, drawn)
        key = f"key-{number}:revoked"
    if calm.returned:
        said["returns"] = False
    if calm.untimed and MOMENTS[moment] is None:
        moment = number % 21
    return make.event(
        id=UUID(int=number + 1),
        source=SOURCES[source],
        dedupe_key=key,
        occurred_at=MOMENTS[moment],
        received_at=make.at(number * 7 % MOST_EVENTS),
        **said,
    )


def _split(number: int) -> tuple[int, int, int, int]:
    """The parts of one number: the word, who says it, when, and what a revocation aims at."""
    number, word = divmod(number, len(WORDS))
    number, moment = divmod(number, len(MOMENTS))
    aim, source = divmod(number, len(SOURCES))
    return word, source, moment, aim


def _target(aim: int, drawn: Sequence[int]) -> Revocation:
    """An event of the story, a revocation among them, or one that nobody ever sent."""
    if aim == 1:
        return Revocation("shop", "never-sent")
    number = aim % len(drawn)
    word, source, _, other = _split(drawn[number])
    key = "again" if other == 0 else f"key-{number}"
    revoking = WORDS[word].get("revokes", False)
    return Revocation(SOURCES[source], f"key-{number}:revoked" if revoking else key)


@st.composite
def arrivals(draw: st.DrawFn, story: Story) -> Arrival:
    return _arrival(story, Random(draw(st.integers(0, 2**32))))


def _arrival(story: Story, random: Random) -> Arrival:
    """Every second one by the senders' clocks, so that going on from a state is tried too."""
    events = list(story.events)
    random.shuffle(events)
    again = 0.3
    if random.random() < 0.5:
        events.sort(key=_by_clock)
        again = 0.05
    steps: list[tuple[Event, ...] | Act] = []
    while events:
        size = random.choice((1, 1, 1, 1, 2, 3, 5, len(events)))
        batch, events = tuple(events[:size]), events[size:]
        steps += [batch, batch] if random.random() < again else [batch]
        if random.random() < again:
            earlier = [each for step in steps for each in step if isinstance(each, Event)]
            steps.append(tuple(random.sample(earlier, k=min(2, len(earlier)))))
    for act in _acts(story):
        steps.insert(random.randint(0, len(steps)), act)
    for pin in story.released:
        steps.insert(random.randint(steps.index(("pin", pin)) + 1, len(steps)), ("release", pin))
    return Arrival(tuple(steps))


def _acts(story: Story) -> Iterator[Act]:
    for pin in (*story.pins, *story.released):
        yield ("pin", pin)
    for event_id in sorted(story.rolled_back):
        yield ("rollback", event_id)


def _by_clock(event: Event) -> tuple[bool, Any]:
    at = event.statement.occurred_at
    return at is None, at or make.AT
