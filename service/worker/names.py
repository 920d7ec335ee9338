"""Names given and taken, and two subjects made one: what that changes is written at once."""

from service.domain import names
from service.domain.events import Alias
from service.domain.names import Book, Claim, Kind, Name
from service.store import aliases, anomalies, folding, subjects, writing
from service.store.pool import Connection
from service.store.subjects import Row
from service.store.writing import Writes
from service.worker.refold import refold
from service.worker.rules import Rules


async def link(tx: Connection, alias: Alias, row: Row, *, kind: Kind, claimant: str) -> None:
    """Claim that a locked subject goes by a name that was locked before it.

    Whoever waits for the name is owed to the fold again, in this transaction.
    """
    name = Name(row.subject.lifecycle, *alias)
    before = await aliases.book(tx, [name])
    claim = Claim(name, row.id, kind, claimant)
    after = {name: before[name] | {claim}}
    await writing.write(tx, Writes(claimed={claim}, released=[*_led(after, name)]))
    await _end_conflict(tx, after, name)


async def unlink(tx: Connection, alias: Alias, row: Row, *, rules: Rules) -> bool:
    """Take back all claims that a locked subject goes by a locked name; False if there were none.

    Events that are there by this name alone are owed to the fold again.
    """
    name = Name(row.subject.lifecycle, *alias)
    standing = await aliases.claims(tx, row.subject.lifecycle, alias)
    mine = {claim.id for claim in standing if claim.root == row.id}
    if not mine:
        return False
    await writing.write(tx, Writes(unclaimed=mine))
    after = await aliases.book(tx, [name])
    await writing.write(tx, Writes(released=[*_led(after, name)]))
    await _end_conflict(tx, after, name)
    await refold(tx, [row], rules=rules, cause=f"no longer called {alias}")
    return True


async def merge(tx: Connection, winner: Row, loser: Row, *, rules: Rules) -> None:
    """Make the loser a tombstone of the winner, which is folded from the events of both.

    Both are locked. A name that both claimed leads to the winner now.
    """
    await subjects.bury(tx, loser.id, into=winner.id)
    found = (await folding.histories(tx, [winner.id]))[winner.id]
    shared = {claim.name for claim in found.claims.values()}
    await aliases.lock_late(tx, shared)
    after = await aliases.book(tx, shared)
    led = [name for name in sorted(shared) if names.resolve(after[name]) == winner.id]
    await writing.write(tx, Writes(released=led))
    for name in led:
        await _end_conflict(tx, after, name)
    above = max(winner.version, loser.version)
    await refold(
        tx, [winner], rules=rules, cause=f"{loser.subject} was merged into it", above=above
    )


def _led(book: Book, name: Name) -> list[Name]:
    return [name] if isinstance(names.resolve(book[name]), int) else []


async def _end_conflict(tx: Connection, book: Book, name: Name) -> None:
    if isinstance(names.resolve(book[name]), int):
        await anomalies.end_alias_conflicts(tx, name.lifecycle, str(name))
