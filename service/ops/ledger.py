"""The ledger: rows counted by spans in, the two equations and what breaks them out."""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain
from typing import Any

from service.domain.events import Subject
from service.ops import spools
from service.store import ledger
from service.store.ledger import LISTED, Counted, Part, Row, Space
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
NO_REQUESTS: Row = {**dict.fromkeys(REQUEST_ANSWERS, 0), "last_at": None, "refused_at": None}

STRAYS = {
    "outbox": "This outbox entry is owed for an event that does not exist.",
    "outcome": "This outcome belongs to an event that does not exist.",
    "dead_letter": "This dead letter belongs to an event that does not exist.",
}


SOMETIMES: Mapping[str, Any] = {"last_at": max, "oldest_at": min}
"""Columns that are no numbers: of two rows the later, or the earlier, where they have any."""


async def read(pool: Pool) -> dict[str, Any]:
    """Answer what GET /ledger answers."""
    counted = await ledger.whole(pool)
    return statement(counted, requests(counted))


async def received(pool: Pool) -> Mapping[str, Row]:
    """By source: how many requests came how far, and when the last ones did."""
    return requests(await ledger.whole(pool, [Space.REQUESTS]))


async def owed(pool: Pool) -> Mapping[str, Row]:
    """By destination: what is owed to it, how it stands, and since when the oldest waits."""
    counted = await ledger.whole(pool, [Space.SYNCS])
    return owed_of(counted.parts[Space.SYNCS])


def owed_of(parts: Iterable[Part]) -> Mapping[str, Row]:
    return added(_rows(parts), "destination")


def statement(counted: Counted, answered: Mapping[str, Row]) -> dict[str, Any]:
    """The accounts as people and programs read them; balanced only if nothing is out of place."""
    events, syncs = counted.parts[Space.EVENTS], counted.parts[Space.SYNCS]
    gone = map(_gone, counted.rest.totals)
    sources = _terms(added([*_rows(events), *gone], "source"), ("accepted", *EVENT_BUCKETS))
    destinations = _terms(owed_of(syncs), ("owed", *SYNC_BUCKETS))
    misplaced = [
        *map(_misplaced_event, _listed(each.misplaced_events for each in events)),
        *map(_stray, _listed(each.strays for each in events)),
        *map(_contradiction, _listed(each.contradictions for each in syncs)),
    ]
    adds_up = all(_adds_up(row, "accepted", EVENT_BUCKETS) for row in sources.values()) and all(
        _adds_up(row, "owed", SYNC_BUCKETS) for row in destinations.values()
    )
    unknown = any(row["entries"] or row["silent"] for row in counted.rest.spools)
    return {
        "at": counted.rest.at,
        "balanced": adds_up and not misplaced and not unknown,
        "incomplete": unknown,
        "totals": _total(sources.values()),
        "sources": sources,
        "destinations": destinations,
        "requests": _terms(answered, REQUEST_ANSWERS),
        "spools": [spools.shown(row) for row in counted.rest.spools],
        "misplaced": misplaced,
    }


def requests(counted: Counted) -> Mapping[str, Row]:
    """By source: those that are there, those past their retention, and those that left no row."""
    gone = (
        {"source": row["source"], "accepted": row["requests"]}
        for row in counted.rest.totals
        if row["requests"]
    )
    rows = chain(_rows(counted.parts[Space.REQUESTS]), gone)
    sums = added(rows, "source")
    tallies = {row["source"]: row for row in counted.rest.tallies}
    return {
        name: {**NO_REQUESTS, **tallies.get(name, {}), **sums.get(name, {})}
        for name in sorted({*sums, *tallies})
    }


def added(rows: Iterable[Row], name: str) -> dict[str, dict[str, Any]]:
    """The sums of all columns by the one that names, in the order of the names."""
    sums: dict[str, dict[str, Any]] = {}
    for row in rows:
        kept = sums.setdefault(row[name], {})
        for column, value in row.items():
            if column in SOMETIMES:
                times = [each for each in (kept.get(column), value) if each is not None]
                kept[column] = SOMETIMES[column](times) if times else None
            elif column != name:
                kept[column] = kept.get(column, 0) + value
    return dict(sorted(sums.items()))


def _rows(parts: Iterable[Part]) -> Iterable[Row]:
    return chain.from_iterable(each.rows for each in parts)


def _listed(rows: Iterable[Sequence[Row]]) -> Sequence[Row]:
    return [*chain.from_iterable(rows)][:LISTED]


def _gone(row: Row) -> Row:
    """Events past their retention; those that wait, are dead or pending are never given up."""
    kept = {name: row.get(name, 0) for name in EVENT_BUCKETS}
    return {"source": row["source"], "accepted": sum(kept.values()), **kept}


def _terms(sums: Mapping[str, Row], terms: Sequence[str]) -> dict[str, dict[str, int]]:
    """A name that was only ever counted in other terms has no line."""
    return {
        name: {term: row[term] for term in terms}
        for name, row in sums.items()
        if any(row[term] for term in terms)
    }


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
