"""The chain of operators' actions: listed, and every link made again to see whether it holds."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from service.store import sql
from service.store.pool import Connection, Pool, session, transaction

SQL = sql.load("audit")

STATEMENT_TIMEOUT = "5s"
STRETCH = 1000
TABLES = ("operator_actions", "audit_chain")

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Filter:
    actor: str | None = None
    action: str | None = None
    target: str | None = None


@dataclass(frozen=True, slots=True)
class Link:
    number: int
    hash: bytes
    present: bool
    """Whether its action is still there."""
    right: bool
    """Whether it covers the action and the link before as they are now."""


async def listed(pool: Pool, wanted: Filter, *, before: int | None, limit: int) -> Sequence[Row]:
    """The last actions, first."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        await tx.fetchval(SQL["bound"], STATEMENT_TIMEOUT)
        rows = await tx.fetch(
            SQL["listed"], wanted.actor, wanted.action, wanted.target, before, limit
        )
    return [dict(row) for row in rows]


async def head(pool: Pool) -> tuple[int, bytes] | None:
    """The last link."""
    async with session(pool) as connection:
        row = await connection.fetchrow(SQL["head"])
    return (row["number"], row["hash"]) if row else None


async def bound(tx: Connection, milliseconds: int) -> None:
    """No statement of this transaction takes longer."""
    await tx.fetchval(SQL["bound"], f"{milliseconds}ms")


async def links(tx: Connection) -> AsyncIterator[Link]:
    """The whole chain, the first link first."""
    last = 0
    while rows := await tx.fetch(SQL["stretch"], last, STRETCH):
        for row in rows:
            yield Link(row["number"], row["hash"], row["present"], bool(row["right"]))
        last = rows[-1]["number"]


async def unchained(tx: Connection) -> UUID | None:
    """An action that no link covers."""
    found: UUID | None = await tx.fetchval(SQL["unchained"])
    return found


async def unguarded(tx: Connection) -> list[str]:
    """Tables of the audit whose triggers somebody took away."""
    return [row["name"] for row in await tx.fetch(SQL["unguarded"], list(TABLES))]
