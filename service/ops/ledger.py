"""The ledger: rows counted in one snapshot in, the two equations and what breaks them out."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from service.domain.events import Subject
from service.ops import spools
from service.store import ledger
from service.store.ledger import Counts, Row
from service.store.pool import Pool

EVENT_BUCKETS = (
    "applied",
    "superseded",
    "revoked",
    "ignored",
    "waiting",
    "dead",
    "discarded",
    "pending",
)
SYNC_BUCKETS = ("synced", "pending", "no_record", "held", "dead")
"""`held`: an operator gave this version up; it is not there, and nobody tries it."""
REQUEST_ANSWERS = ("accepted", "duplicate", "refused", "unavailable")

STRAYS = {
    "outbox": "This outbox entry is owed for an event that does not exist.",
    "outcome": "This outcome belongs to an event that does not exist.",
    "dead_letter": "This dead letter belongs to an event that does not exist.",
}


async def read(pool: Pool) -> dict[str, Any]:
    """Answer what GET /ledger answers."""
    return statement(await ledger.count(pool))


def statement(counts: Counts) -> dict[str, Any]:
    """The accounts as people and programs read them; balanced only if nothing is out of place."""
    sources = _by_name(counts.sources, "source", terms=("accepted", *EVENT_BUCKETS))
    destinations = _by_name(counts.destinations, "destination", terms=("owed", *SYNC_BUCKETS))
    misplaced = [
        *map(_misplaced_event, counts.misplaced_events),
        *map(_stray, counts.strays),
        *map(_contradiction, counts.contradictions),
    ]
    adds_up = all(_adds_up(row, "accepted", EVENT_BUCKETS) for row in sources.values()) and all(
        _adds_up(row, "owed", SYNC_BUCKETS) for row in destinations.values()
    )
    unknown = any(row["entries"] or row["silent"] for row in counts.spools)
    return {
        "at": counts.at,
        "balanced": adds_up and not misplaced and not unknown,
        "incomplete": unknown,
        "totals": _total(sources.values()),
        "sources": sources,
        "destinations": destinations,
        "requests": _by_name(counts.requests, "source", terms=REQUEST_ANSWERS),
        "spools": [spools.shown(row) for row in counts.spools],
        "misplaced": misplaced,
    }


def _by_name(rows: Sequence[Row], name: str, *, terms: Sequence[str]) -> dict[str, dict[str, int]]:
    return {row[name]: {term: row[term] for term in terms} for row in rows}


def _adds_up(row: Mapping[str, int], whole: str, parts: Sequence[str]) -> bool:
    return row[whole] == sum(row[part] for part in parts)


def _total(sources: Iterable[Mapping[str, int]]) -> dict[str, int]:
    rows = list(sources)
    return {term: sum(row[term] for row in rows) for term in ("accepted", *EVENT_BUCKETS)}


def _misplaced_event(row: Row) -> dict[str, Any]:
    places = [
        *([f"the outcome {row['outcome']}"] if row["outcome"] else []),
        *(["an open dead letter"] if row["dead"] else []),
        *(["an outbox entry"] if row["pending"] else []),
    ]
    found = f"It has {' and '.join(places)}" if places else "It stands in no bucket"
    return {"kind": "event", "id": str(row["id"]), "why": f"{found}; exactly one is lawful."}


def _stray(row: Row) -> dict[str, Any]:
    return {"kind": row["kind"], "id": str(row["id"]), "why": STRAYS[row["kind"]]}


def _contradiction(row: Row) -> dict[str, Any]:
    subject = (
        str(Subject(row["lifecycle"], row["scope"], row["ref"]))
        if row["ref"] is not None
        else f"subject {row['subject_id']}"
    )
    return {"kind": "sync", "id": f"{row['destination']}:{subject}", "why": _disagreement(row)}


def _disagreement(row: Row) -> str:
    if row["state"] is None:
        return "A dead letter is open for a sync that does not exist."
    if row["version"] is None:
        return "The sync belongs to a subject that does not exist."
    return _wrong_versions(row) or _wrong_state(row)


def _wrong_versions(row: Row) -> str | None:
    desired, synced = row["desired_version"], row["synced_version"]
    if desired > row["version"]:
        return f"Version {desired} is owed, but the subject is at version {row['version']}."
    if synced > desired:
        return f"Version {synced} is said to be there, but only version {desired} was ever owed."
    if (row["state"] == "synced") != (synced == desired):
        return f"It is {row['state']}, but version {synced} is there and version {desired} is owed."
    return None


def _wrong_state(row: Row) -> str:
    state = row["state"]
    if (state == "dead") != row["buried"]:
        return f"It is {state}, and {'a' if row['buried'] else 'no'} dead letter is open for it."
    return f"It is {state}, but has no due time: nothing would ever try it again."
