"""One subject's rows in; what keeps it from going on, as the API shows it, out."""

from collections.abc import Iterable, Mapping, Sequence

from service.domain import stuck
from service.domain.stuck import DECIDED, Called, Closed, Obstacle, Owed, Told
from service.ops.lookups import Body
from service.store.dossiers import Dossier, Row

UNFINISHED = ("dead", "waiting", "pending")
MOST_EVENTS = 20
"""Of one subject; what keeps the first ones keeps the rest."""


def told(found: Dossier, aliases: Sequence[Body]) -> list[Body]:
    """What GET /subjects/{lifecycle}/{ref} answers as `stuck`."""
    events = [_told(row) for row in found.history if row["outcome"] in UNFINISHED]
    names = [
        Called(f"{alias['type']}={alias['value']}", alias["waiting"])
        for alias in aliases
        if alias["conflict"]
    ]
    mine = (row for row in found.syncs if row["subject_id"] == found.subject["id"])
    shut = {row["name"]: _closed(row) for row in found.destinations}
    syncs = [_owed(row, shut, found.budgets) for row in mine]
    return [
        _shown(each) for each in stuck.obstacles(events[:MOST_EVENTS], names, syncs, now=found.at)
    ]


def _shown(found: Obstacle) -> Body:
    return {
        "kind": found.kind.value,
        "decided": found.kind in DECIDED,
        "sentence": found.sentence,
        "remedy": found.remedy,
        "since": found.since,
        "destination": found.destination,
        "event_id": found.event_id,
    }


def _told(row: Row) -> Told:
    says = f"{row['lane']}.{row['status']}" if row["lane"] else "without a status"
    return Told(
        str(row["id"]), row["source"], says, row["outcome"], row["reason"], row["received_at"]
    )


def _closed(row: Row) -> Closed:
    if row["paused_at"] is not None:
        return Closed(row["paused_at"], row["pause_reason"] or "", paused_by=row["paused_by"])
    return Closed(row["opened_at"], row["last_error"] or "")


def _owed(row: Row, shut: Mapping[str, Closed], budgets: Iterable[Row]) -> Owed:
    place = row["destination"]
    spent = next((each for each in budgets if each["destination"] == place), None)
    return Owed(
        place,
        row["state"],
        row["dead_at"] or row["failing_since"] or row["updated_at"],
        error=row["dead_summary"] or row["error"] or "",
        attempts=row["attempts"],
        due_at=row["due_at"],
        leased=row["leased"],
        held_for=row["held_for"],
        differing=sorted(row["difference"] or {}),
        dead_because=row["dead_because"],
        closed=shut.get(place),
        spent_until=spent["until"] if spent else None,
        limit=spent["name"] if spent else "",
    )
