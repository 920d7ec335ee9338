"""Subjects that changed without a new event come in; they move to the state they should have."""

from collections.abc import Collection, Mapping, Sequence
from uuid import UUID

from service import telemetry
from service.domain import names, routing
from service.domain.names import Book, Name
from service.domain.routing import PRIORITIES
from service.store import aliases, folding, writing
from service.store.folding import History
from service.store.pool import Connection
from service.store.subjects import Row
from service.store.writing import Writes
from service.worker import lives, steps
from service.worker.lives import Case, Life, NamesNeeded
from service.worker.rules import Rules
from service.worker.steps import Change

__all__ = ["Rules", "refold"]


async def refold(  # noqa: PLR0913
    tx: Connection,
    rows: Sequence[Row],
    *,
    rules: Rules,
    because: Sequence[UUID] = (),
    cause: str = "",
    above: int | None = None,
    lost: Collection[Name] = (),
) -> None:
    """Apply the law to all that locked subjects are folded from; tell whoever should know them.

    `because` names the events that led to it, `cause` says what else did. What becomes owed is due
    at once, for any worker. With `above` each becomes a version beyond that. `lost` are names that
    led to them until now.
    """
    if not rows:
        return
    telemetry.REFOLDS.inc(len(rows))
    found = await folding.histories(tx, [row.id for row in rows])
    lived, before = await _live(tx, rows, found, rules, lost=lost)
    writes = Writes()
    after = before
    for row in rows:
        life = lived[row.id]
        made = steps.change(
            rules, row, life.folded.state, before=steps.remembered(row), above=above
        )
        steps.write(writes, made, life.folded, event_ids=because, cause=cause)
        everybody = dict.fromkeys([*rules.leases, *found[row.id].destinations])
        writes.debts += steps.debts(made, known(rules, found[row.id], life, made), everybody)
        writes.orphaned |= life.left
        writes.unclaimed |= life.unclaimed.keys()
        after = names.without(after, set(life.unclaimed.values()))
    writes.released = names.released(names.changed(before, after))
    await writing.write(tx, writes)


def known(rules: Rules, history: History, life: Life, made: Change) -> dict[str, int]:
    """Who knows a subject already, and whom the routes name now; with the best priority."""
    standing = routing.standing(rules.routes, life.events, made.view)
    return {**dict.fromkeys(history.destinations, PRIORITIES["normal"]), **standing}


async def _live(
    tx: Connection,
    rows: Sequence[Row],
    found: Mapping[int, History],
    rules: Rules,
    *,
    lost: Collection[Name],
) -> tuple[dict[int, Life], Book]:
    """Fold each subject, reading what is claimed on names where that matters."""
    book: Book = {}
    cases = {
        row.id: Case(rules.lifecycles[row.subject.lifecycle], found[row.id], lost=lost)
        for row in rows
    }
    while True:
        try:
            return lives.live_all(cases, book), book
        except NamesNeeded as missing:
            book = {**book, **await _read_late(tx, missing.names)}


async def _read_late(tx: Connection, needed: frozenset[Name]) -> Book:
    await aliases.lock_late(tx, needed)
    return await aliases.book(tx, needed)
