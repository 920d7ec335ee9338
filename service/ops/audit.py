"""What operators did: a page of it out, or whether the record of it was tampered with."""

import math
import time
from dataclasses import dataclass

from service.ops.lookups import BadCursor, Body, Page, decode_cursor, encode_cursor
from service.store import audit
from service.store.audit import Filter, Row
from service.store.pool import Connection, Pool, transaction

WITHIN = 5.0
"""Seconds a look at the chain may take that somebody waits for."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """The last link, and the sentence about what is broken; None when the record is whole."""

    number: int
    hash: str
    broken: str | None = None
    complete: bool = True
    """Whether the whole of it was looked at: with little time, only its beginning may be."""

    @property
    def head(self) -> str:
        """What is written down elsewhere to be compared later."""
        return f"{self.number}:{self.hash}"


async def actions(pool: Pool, wanted: Filter, page: Page) -> Body:
    """Answer what GET /audit answers: the last action first."""
    before = _place(page.cursor) if page.cursor else None
    rows = await audit.listed(pool, wanted, before=before, limit=page.limit + 1)
    shown = rows[: page.limit]
    more = len(rows) > page.limit
    return {
        "items": [_action(row) for row in shown],
        "next": encode_cursor([shown[-1]["number"]]) if more else None,
    }


async def head(pool: Pool) -> str | None:
    """The last link, as it is written down; None while nobody did anything."""
    found = await audit.head(pool)
    return f"{found[0]}:{found[1].hex()}" if found else None


async def verify(pool: Pool, *, head: str | None = None, within: float | None = None) -> Verdict:
    """Make every link again; `head` is one that was written down before, and must still be there.

    Without such a one, a chain that was made anew as a whole cannot be told from the true one.
    With `within` no more than about so many seconds are taken.
    """
    until = time.monotonic() + within if within is not None else math.inf
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        if within is not None:
            await audit.bound(tx, int(1000 * within))
        return await _verify(tx, head, until=until)


async def checked(pool: Pool, *, head: str | None = None) -> Body:
    """Answer what GET /audit/verification answers."""
    found = await verify(pool, head=head, within=WITHIN)
    return {
        "whole": found.complete and found.broken is None,
        "complete": found.complete,
        "broken": found.broken,
        "links": found.number,
        "head": found.head if found.number else None,
    }


async def _verify(tx: Connection, head: str | None, *, until: float = math.inf) -> Verdict:
    number, last, seen = 0, "", head is None
    async for link in audit.links(tx):
        if time.monotonic() > until:
            return Verdict(number, last, complete=False)
        now = Verdict(link.number, link.hash.hex())
        if link.number != number + 1:
            return Verdict(number, last, f"After link {number} comes {link.number}: some are gone.")
        if not link.present:
            return Verdict(number, last, f"The action of link {link.number} is gone.")
        if not link.right:
            return Verdict(
                number,
                last,
                f"Link {link.number} does not cover its action as it is: one of them was changed.",
            )
        number, last, seen = now.number, now.hash, seen or now.head == head
    return Verdict(number, last, await _besides(tx, head, seen=seen))


async def _besides(tx: Connection, head: str | None, *, seen: bool) -> str | None:
    if not seen:
        return f"The chain holds together, but {head} is no link of it: it was made anew."
    if (action := await audit.unchained(tx)) is not None:
        return f"No link covers the action {action}: it was put in past the trigger."
    if tables := await audit.unguarded(tx):
        return f"{' and '.join(tables)} can be changed: a trigger of migration 0008 is gone or off."
    return None


def _place(cursor: str) -> int:
    match decode_cursor(cursor):
        case [int(number)] if not isinstance(number, bool) and 0 < number < 2**63:
            return number
        case _:
            raise BadCursor


def _action(row: Row) -> Body:
    return {
        "number": row["number"],
        "id": str(row["id"]),
        "at": row["at"],
        "actor": row["actor"],
        "action": row["action"],
        "target": row["target"],
        "detail": row["detail"],
        "hash": row["hash"].hex(),
    }
