"""The accounting: what senders saw, what the CRM did, one snapshot of the books in; six sets out.

The law of orders is told a second time in tests/acceptance/reference.py; nothing here believes the
service about what its events mean.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg
import orjson

from tests.acceptance import reference
from tests.acceptance.reference import Said
from tests.torture.traffic import Witness

SETS = ("lost", "phantom", "dup_effect", "wrong", "stale", "unbounded")
BUCKETS = (
    *("applied", "superseded", "revoked", "ignored"),
    *("waiting", "dead", "discarded", "pending"),
)
DESTINATION = "crm"

Key = tuple[str, str]
"""Source and dedupe key."""
Call = Mapping[str, Any]
"""One line of the CRM's file."""


@dataclass(frozen=True, slots=True)
class Books:
    """What PostgreSQL says in one REPEATABLE READ snapshot."""

    events: Mapping[Key, int]
    """How often each is there."""
    subjects: Mapping[str, str]
    """The status of each order."""
    buckets: Mapping[str, int]
    requests: Mapping[str, tuple[int, int]]
    """Accepted and duplicate ones, by source."""
    owed: Mapping[str, int]
    """What is still to be done, by its place."""


@dataclass(frozen=True, slots=True)
class Evidence:
    books: Books
    ledger: Mapping[str, Any]
    """What GET /ledger answers."""
    calls: Sequence[Call]
    """Every call the CRM got, oldest first."""
    queues: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Finding:
    kind: str
    id: str
    why: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.id}: {self.why}"


async def read_books(dsn: str) -> Books:
    connection = await asyncpg.connect(dsn, timeout=10, command_timeout=120)
    try:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            events = await connection.fetch(
                "SELECT source, dedupe_key, count(*) AS times FROM events GROUP BY 1, 2"
            )
            subjects = await connection.fetch("SELECT lifecycle, ref, status FROM subjects")
            buckets = await connection.fetch(BUCKETED)
            requests = await connection.fetch(REQUESTS)
            owed = await connection.fetchrow(OWED)
    finally:
        await connection.close(timeout=5)
    return Books(
        events={(row[0], row[1]): row[2] for row in events},
        subjects={f"{row[0]}/{row[1]}": row[2] for row in subjects},
        buckets={row[0]: row[1] for row in buckets},
        requests={row[0]: (row[1], row[2]) for row in requests},
        owed=dict(owed or {}),
    )


BUCKETED = """
SELECT coalesce(o.outcome, CASE WHEN d.event_id IS NOT NULL THEN 'dead'
                                WHEN x.event_id IS NOT NULL THEN 'pending' ELSE 'nowhere' END),
       count(*)
FROM events e
LEFT JOIN event_outcomes o ON o.event_id = e.id
LEFT JOIN dead_letters d ON d.event_id = e.id AND d.kind = 'event' AND d.resolved_at IS NULL
LEFT JOIN outbox x ON x.event_id = e.id
GROUP BY 1
"""
REQUESTS = """
SELECT coalesce(r.source, t.source), coalesce(r.accepted, 0), coalesce(t.duplicate, 0)
FROM (SELECT source, count(*) AS accepted FROM requests GROUP BY source) r
FULL JOIN (SELECT source, sum(duplicates)::bigint AS duplicate
           FROM request_tallies GROUP BY source) t ON t.source = r.source
"""
OWED = """
SELECT (SELECT count(*) FROM outbox) AS outbox,
       (SELECT count(*) FROM syncs WHERE state <> 'synced') AS syncs,
       (SELECT count(*) FROM dead_letters WHERE resolved_at IS NULL) AS dead_letters,
       (SELECT coalesce(sum(entries), 0)::bigint FROM spools) AS spooled
"""


def read_calls(path: Path) -> list[Call]:
    return [orjson.loads(line) for line in path.read_bytes().splitlines()]


def findings(witness: Witness, seen: Evidence) -> list[Finding]:
    books = seen.books
    return [
        *_lost_or_phantom(witness, books),
        *_wrong(witness, books, seen.calls),
        *_effects(seen.calls),
        *_unbounded(seen),
        *_unbalanced(seen),
        *_miscounted(witness, books),
    ]


def _lost_or_phantom(witness: Witness, books: Books) -> Iterator[Finding]:
    found = books.events
    for key in sorted(witness.accepted.keys() - found.keys()):
        yield Finding("lost", "/".join(key), "it was acknowledged, but is not among the events")
    for key in sorted(found.keys() - witness.accepted.keys() - witness.doubtful.keys()):
        yield Finding("phantom", "/".join(key), "it is among the events, but was never accepted")
    for key, times in found.items():
        if times > 1:
            yield Finding("phantom", "/".join(key), f"it is {times} times among the events")


def _wrong(witness: Witness, books: Books, calls: Iterable[Call]) -> Iterator[Finding]:
    """The CRM's view of each order is the law's, for what is in the books; so is our own."""
    shown = {
        call["subject"]: (call["status"], call["lanes"])
        for call in calls
        if call["effect"] == "applied"
    }
    told = _told(witness, books)
    for subject in sorted(shown.keys() - told.keys()):
        yield Finding("phantom", subject, "the CRM has an order that no event names")
    for subject, events in sorted(told.items()):
        lanes = reference.lanes(events)
        lawful = (reference.overall(lanes), lanes)
        if subject not in shown:
            yield Finding("lost", subject, "the CRM does not have it")
        elif shown[subject] != lawful:
            yield Finding("wrong", subject, f"the CRM shows {shown[subject]}, not {lawful}")
        if (ours := books.subjects.get(subject)) != lawful[0]:
            yield Finding("wrong", subject, f"the books say {ours}, not {lawful[0]}")


def _told(witness: Witness, books: Books) -> dict[str, list[Said]]:
    """What the events in the books say of each order."""
    told: dict[str, list[Said]] = defaultdict(list)
    for key in books.events:
        said = witness.accepted.get(key) or witness.doubtful.get(key)
        if said is not None:
            told[f"order/{said.ref}"].append(said)
    return told


def _effects(calls: Iterable[Call]) -> Iterator[Finding]:
    """No effect twice, no older version after a newer one, no key for two bodies."""
    by_key: Counter[str] = Counter()
    by_version: Counter[tuple[str, int]] = Counter()
    newest: dict[str, int] = {}
    for call in calls:
        if call["effect"] in {"corrupt", "refused"}:
            why = call.get("why") or "its key had another body before"
            yield Finding("dup_effect", call["key"], f"call {call['n']} is {call['effect']}: {why}")
        if call["effect"] != "applied":
            continue
        subject, version = call["subject"], call["version"]
        by_key[call["key"]] += 1
        by_version[subject, version] += 1
        if call["key"] != f"{DESTINATION}:{subject}:{version}":
            yield Finding("dup_effect", call["key"], f"it is not the key of {subject} v{version}")
        if version < newest.get(subject, 0):
            yield Finding("stale", subject, f"{version} was applied after {newest[subject]}")
        newest[subject] = max(version, newest.get(subject, 0))
    for name, times in [*by_key.items(), *by_version.items()]:
        if times > 1:
            yield Finding("dup_effect", str(name), f"it had its effect {times} times")


def _unbounded(seen: Evidence) -> Iterator[Finding]:
    for place, left in {**seen.books.owed, **seen.queues}.items():
        if left:
            yield Finding("unbounded", place, f"{left} are still there after the quiet time")


def _unbalanced(seen: Evidence) -> Iterator[Finding]:
    """The service's ledger, and the same sums made here."""
    ledger, buckets = seen.ledger, seen.books.buckets
    if not ledger["balanced"] or ledger["incomplete"]:
        why = json.dumps({name: ledger[name] for name in ("misplaced", "spools")}, default=str)
        yield Finding("unbalanced", "ledger", f"it says so itself: {why[:600]}")
    for name, row in {**ledger["sources"], "totals": ledger["totals"]}.items():
        if row["accepted"] != sum(row[part] for part in BUCKETS):
            yield Finding("unbalanced", name, str(row))
    if buckets.get("nowhere"):
        yield Finding("unbalanced", "events", f"{buckets['nowhere']} stand in no bucket")
    totals = {part: ledger["totals"][part] for part in BUCKETS if ledger["totals"][part]}
    if totals != dict(buckets):
        yield Finding("unbalanced", "totals", f"the ledger says {totals}, the rows {buckets}")


def _miscounted(witness: Witness, books: Books) -> Iterator[Finding]:
    """Neither more nor fewer requests than were answered well, but for those in doubt.

    A request whose commit outlasts its budget is stored and spooled: it counts as accepted, and
    as a duplicate when the spool is drained. Only one that was answered late can be such a one.
    """
    for source, said in sorted(witness.requests.items()):
        accepted, duplicate = books.requests.get(source, (0, 0))
        sure = said["accepted"] + said["duplicate"]
        unsure = said["unknown"] + said["put_off"] + said["late"]
        told = accepted + duplicate
        if not sure <= told <= sure + unsure:
            yield Finding(
                "miscounted",
                source,
                f"{accepted} accepted and {duplicate} duplicate requests, but {sure} were "
                f"answered so (and {unsure} are in doubt)",
            )


def counts(found: Iterable[Finding]) -> dict[str, int]:
    """How many of each set, all six named, and the rest."""
    by_kind = Counter(finding.kind for finding in found)
    return {**dict.fromkeys(SETS, 0), **by_kind}
