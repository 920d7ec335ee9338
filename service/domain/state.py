"""What is remembered of a subject's folded events; its views and its JSON come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from service.domain import sums
from service.domain.events import AttributeValue, Revocation
from service.domain.sums import Tally, Teller


class Place(NamedTuple):
    """Where an event stands in the one order of the law.

    (source, dedupe_key) is unique while keys are kept; the id settles what comes back later.
    """

    occurred_at: datetime | None
    rank: int
    source: str
    dedupe_key: str
    event_id: UUID


class Pin(NamedTuple):
    """An operator's word on a lane; of several the highest id holds."""

    id: int
    lane: str
    status: str


@dataclass(frozen=True, slots=True)
class Strands:
    """Where one lane stands: for the subject as a whole, and parcel by parcel."""

    whole: str | None = None
    parcels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class State:
    """All that must be remembered of folded events to go on from them."""

    lanes: Mapping[str, str] = field(default_factory=dict)
    """What each lane shows while no operator says otherwise."""
    strands: Mapping[str, Strands] = field(default_factory=dict)
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    tallies: Mapping[Teller, Tally] = field(default_factory=dict)
    returns: frozenset[str] = frozenset()
    """The parcels that go back to the merchant."""
    revoked: frozenset[Revocation] = frozenset()
    rolled_back: frozenset[UUID] = frozenset()
    pins: Mapping[str, Pin] = field(default_factory=dict)
    last: Place | None = None
    """Of the timed events the one that sorts last."""
    untimed: Place | None = None
    """Of the untimed events the one that sorts last; it was walked after all timed ones."""

    @classmethod
    def empty(cls) -> "State":
        return cls()

    @property
    def lanes_view(self) -> dict[str, str]:
        """What the lanes show, an operator's word above what the events say."""
        pinned = {name: pin.status for name, pin in self.pins.items()}
        return dict(sorted({**self.lanes, **pinned}.items()))

    @property
    def parcels_view(self) -> dict[str, dict[str, str]]:
        """Parcel, lane, status; of a parcel that goes back it is the status of its own way."""
        view: dict[str, dict[str, str]] = {}
        for lane, strands in sorted(self.strands.items()):
            for parcel, status in strands.parcels.items():
                view.setdefault(parcel, {})[lane] = status
        return dict(sorted(view.items()))

    @property
    def attributes_view(self) -> dict[str, AttributeValue]:
        """What senders said last, and the sums of money, which outrank what was only said."""
        money = sums.attributes(sums.amounts(self.tallies)) if self.tallies else {}
        return dict(sorted({**self.attributes, **money}.items()))

    def to_json(self) -> dict[str, object]:
        strands = {
            name: [each.whole, dict(sorted(each.parcels.items()))]
            for name, each in sorted(self.strands.items())
        }
        others: dict[str, object] = {
            "lanes": dict(sorted(self.lanes.items())),
            "attributes": dict(sorted(self.attributes.items())),
            "tallies": [_tally_to_json(each, self.tallies[each]) for each in sorted(self.tallies)],
            "returns": sorted(self.returns),
            "revoked": sorted(map(list, self.revoked)),
            "rolled_back": sorted(map(str, self.rolled_back)),
            "pins": [list(pin) for _, pin in sorted(self.pins.items())],
            "last": _place_to_json(self.last),
            "untimed": _place_to_json(self.untimed),
        }
        return {"strands": strands, **{name: part for name, part in others.items() if part}}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "State":
        """Read it again; of a state of the first law, which is never advanced, the views."""
        if "strands" not in data:
            return _first_law(data)
        return cls(
            lanes=data.get("lanes", {}),
            strands={name: Strands(*each) for name, each in data["strands"].items()},
            attributes=data.get("attributes", {}),
            tallies=dict(map(_tally_from_json, data.get("tallies", ()))),
            returns=frozenset(data.get("returns", ())),
            revoked=frozenset(Revocation(*each) for each in data.get("revoked", ())),
            rolled_back=frozenset(map(UUID, data.get("rolled_back", ()))),
            pins={pin.lane: pin for pin in (Pin(*each) for each in data.get("pins", ()))},
            last=_place_from_json(data.get("last")),
            untimed=_place_from_json(data.get("untimed")),
        )


def _first_law(data: Mapping[str, Any]) -> State:
    lanes = {name: lane["status"] for name, lane in data.get("lanes", {}).items()}
    attributes = {name: said["value"] for name, said in data.get("attributes", {}).items()}
    return State(lanes=lanes, attributes=attributes)


def _tally_to_json(teller: Teller, tally: Tally) -> list[object]:
    words = {name: list(word) for name, word in sorted(tally.words.items())}
    return [*teller, words, dict(sorted(tally.totals.items()))]


def _tally_from_json(data: Sequence[Any]) -> tuple[Teller, Tally]:
    kind, source, words, totals = data
    return Teller(kind, source), Tally(
        {name: sums.Word(*word) for name, word in words.items()}, totals
    )


def _place_to_json(place: Place | None) -> list[object] | None:
    if place is None:
        return None
    at, rank, source, key, event_id = place
    moment = at.isoformat(timespec="microseconds") if at else None
    return [moment, rank, source, key, str(event_id)]


def _place_from_json(data: Sequence[Any] | None) -> Place | None:
    if data is None:
        return None
    at, rank, source, key, event_id = data
    return Place(datetime.fromisoformat(at) if at else None, rank, source, key, UUID(event_id))
