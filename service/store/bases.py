"""What purged events folded to, one row for each subject that has such."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from service.domain.bases import Base
from service.domain.events import Alias, Event
from service.domain.state import State
from service.store import details, sql
from service.store.pool import Connection

SQL = sql.load("bases")


async def keep(tx: Connection, subject_id: int, base: Base) -> None:
    """Write the base of a locked subject, into which those of merged ones went."""
    await tx.execute(
        SQL["keep"],
        subject_id,
        base.state.to_json(),
        [_event_to_json(event) for event in base.untimed],
        sorted([*alias, source] for alias, source in base.claims),
        base.events,
    )
    await tx.execute(SQL["absorb"], subject_id)


def read(row: Mapping[str, Any]) -> Base:
    return Base(
        State.from_json(row["state"]),
        tuple(map(_event_from_json, row["untimed"])),
        frozenset((Alias(type_, value), source) for type_, value, source in row["claims"]),
        row["events"],
    )


PLACES = ("dedupe_key", "lifecycle", "scope", "ref", "parcel", "lane", "status")


def _event_to_json(event: Event) -> dict[str, object]:
    said = event.statement
    parts: dict[str, object] = {name: getattr(said, name) for name in PLACES}
    parts |= {"attributes": said.attributes, "details": details.pack(said)}
    return {
        "id": str(event.id),
        "source": event.source,
        "received_at": event.received_at.isoformat(),
        **{name: part for name, part in parts.items() if part},
    }


def _event_from_json(data: Mapping[str, Any]) -> Event:
    usual: dict[str, Any] = dict.fromkeys(PLACES)
    usual |= {"scope": "", "attributes": {}, "details": {}, "code": "", "occurred_at": None}
    row = {**usual, "fate": "fold", "note": "", **data}
    received_at = datetime.fromisoformat(data["received_at"])
    return Event(UUID(data["id"]), data["source"], details.statement(row), received_at)
