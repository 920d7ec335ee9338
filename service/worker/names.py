"""Names given and taken, and two subjects made one: what that changes is written at once.

What a source claimed and an operator took back stays denied: no event claims it again, until an
operator links the name there, or merges the subject with one that goes by it. What only operators
said, and guests who came by it after them, is undone and no more.
"""

from typing import Literal

from service.domain import names
from service.domain.events import Alias
from service.domain.names import Book, Claim, Kind, Name
from service.store import aliases, anomalies, folding, subjects, writing
from service.store.aliases import Standing
from service.store.folding import History
from service.store.pool import Connection
from service.store.subjects import Row
from service.store.writing import Writes
from service.worker.refold import refold
from service.worker.rules import Rules

Unlinked = Literal["nobody", "undone", "denied"]
"""What became of the claims on a name: there were none, or they are gone, or denied besides."""


async def link(tx: Connection, alias: Alias, row: Row, *, kind: Kind, claimant: str) -> None:
    """Claim that a locked subject goes by a name that was locked before it.

    Whoever waits for the name is owed to the fold again, in this transaction.
    """
    name = Name(row.subject.lifecycle, *alias)
    standing = await aliases.claims(tx, row.subject.lifecycle, alias)
    lifted = {each.id for each in standing if kind == "operator" and _denies(each, row)}
    claim = Claim(name, row.id, kind, claimant)
    said = {each.claim(name) for each in standing if each.id not in lifted}
    after: Book = {name: frozenset(said | {claim})}
    await writing.write(
        tx, Writes(claimed={claim}, unclaimed=lifted, released=[*_led(after, name)])
    )
    await _end_conflict(tx, after, name)


async def unlink(tx: Connection, alias: Alias, row: Row, *, rules: Rules, actor: str) -> Unlinked:
    """Take back all claims that a locked subject goes by a locked name.

    Events that are there by this name alone are owed to the fold again.
    """
    name = Name(row.subject.lifecycle, *alias)
    standing = await aliases.claims(tx, row.subject.lifecycle, alias)
    mine = [each for each in standing if each.root == row.id and not _denies(each, row)]
    if not mine:
        return "nobody"
    history = (await folding.histories(tx, [row.id]))[row.id]
    denied = any(_stands_alone(each, name, history) for each in mine)
    denial = {Claim(name, row.id, "denial", actor)} if denied else set()
    await writing.write(tx, Writes(unclaimed={each.id for each in mine}, claimed=denial))
    after = await aliases.book(tx, [name])
    await writing.write(tx, Writes(released=[*_led(after, name)]))
    await _end_conflict(tx, after, name)
    cause = f"{actor} took back that it is called {alias}"
    await refold(tx, [row], rules=rules, cause=cause, lost={name})
    return "denied" if denied else "undone"


async def merge(
    tx: Connection, winner: Row, loser: Row, *, rules: Rules, actor: str, reason: str
) -> None:
    """Make the loser a tombstone of the winner, which is folded from the events of both.

    Both are locked. A name that both claimed leads to the winner now; one that was denied of one
    of them and is a name of the other is denied no more.
    """
    found = await folding.histories(tx, [winner.id, loser.id])
    await subjects.bury(tx, loser.id, into=winner.id)
    shared = {claim.name for each in found.values() for claim in each.claims.values()}
    await aliases.lock_late(tx, shared)
    lifted = _contradicted(found[winner.id], found[loser.id])
    await writing.write(tx, Writes(unclaimed=lifted))
    after = await aliases.book(tx, shared)
    led = [name for name in sorted(shared) if names.resolve(after[name]) == winner.id]
    await writing.write(tx, Writes(released=led))
    for name in led:
        await _end_conflict(tx, after, name)
    above = max(winner.version, loser.version)
    cause = f"{actor} merged {loser.subject} into it: {reason}"
    await refold(tx, [winner], rules=rules, cause=cause, above=above)


def _denies(claim: Standing, row: Row) -> bool:
    return claim.kind == "denial" and claim.root == row.id


def _stands_alone(claim: Standing, name: Name, history: History) -> bool:
    """Whether it would be made again: no operator made it, nor a guest whom the name brought."""
    return claim.kind == "destination" or any(
        event.source == claim.claimant and name in names.of(event.statement)
        for event in history.events
        if claim.kind == "source" and event.id not in history.guests
    )


def _contradicted(one: History, other: History) -> set[int]:
    """Denials about either of two subjects of what the other one is called."""
    return {
        each
        for mine, others in ((one, other), (other, one))
        for each, claim in mine.claims.items()
        if claim.kind == "denial"
        and claim.name in {said.name for said in names.counting(others.claims.values())}
    }


def _led(book: Book, name: Name) -> list[Name]:
    return [name] if isinstance(names.resolve(book[name]), int) else []


async def _end_conflict(tx: Connection, book: Book, name: Name) -> None:
    if isinstance(names.resolve(book[name]), int):
        await anomalies.end_alias_conflicts(tx, name.lifecycle, str(name))
