"""A file of tests/golden/stories comes in, events and what must become of them go out."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from service.domain.events import Alias, Event, Money, Revocation
from service.domain.law import Pin
from tests import make

FOLDER = Path(__file__).parent / "golden" / "stories"


@dataclass(frozen=True, slots=True)
class GoldenStory:
    """Events in the order of the story, operators' acts, and the end of it."""

    about: str
    events: Sequence[Event]
    pins: Sequence[Pin]
    rolled_back: frozenset[UUID]
    expected: Mapping[str, Any]
    """status, lanes, parcels, attributes, flags, outcomes by `source/key`; some have statuses:
    the overall status after each event, where they arrive in the order of the story."""


def names() -> list[str]:
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def load(name: str) -> GoldenStory:
    said = json.loads((FOLDER / f"{name}.json").read_text("utf-8"))
    events = [_event(number, each) for number, each in enumerate(said["events"], start=1)]
    gone = said.get("rolled_back", ())
    return GoldenStory(
        about=said["about"],
        events=events,
        pins=[Pin(*pin) for pin in said.get("pins", ())],
        rolled_back=frozenset(event.id for event in events if name_of(event) in gone),
        expected=said["expected"],
    )


def name_of(event: Event) -> str:
    return f"{event.source}/{event.statement.dedupe_key}"


def _event(number: int, said: Mapping[str, Any]) -> Event:
    at = said["at"]
    return make.event(
        id=UUID(int=number),
        source=said["source"],
        dedupe_key=said["key"],
        lane=said.get("lane"),
        status=said.get("status"),
        occurred_at=datetime.fromisoformat(at) if at else None,
        parcel=said.get("parcel"),
        returns=said.get("returns", False),
        aliases=tuple(Alias(*each) for each in said.get("aliases", ())),
        attributes=said.get("attributes", {}),
        money=tuple(Money(**each) for each in said.get("money", ())),
        revokes=Revocation(*said["revokes"]) if "revokes" in said else None,
    )
