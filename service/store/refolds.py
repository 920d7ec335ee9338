"""Which subjects are folded anew after the configuration changed, page by page."""

from collections.abc import Mapping
from typing import NamedTuple

from service.domain.events import Subject
from service.store import sql
from service.store.pool import Connection

SQL = sql.load("refolds")


class Extent(NamedTuple):
    """How many subjects there are, and the id of the newest: later ones need no refold."""

    subjects: int
    last: int
    behind: int
    """Those that were folded by another law or lifecycle than the present ones."""


async def extent(
    tx: Connection, lifecycle: str | None, *, present: Mapping[str, str], law: int
) -> Extent:
    """`present` are the fingerprints of the configured lifecycles."""
    row = await tx.fetchrow(SQL["count"], lifecycle, list(present), list(present.values()), law)
    assert row is not None
    return Extent(row["subjects"], row["last"], row["behind"])


async def page(
    tx: Connection, lifecycle: str | None, *, after: int, last: int, limit: int
) -> Mapping[int, Subject]:
    """The next subjects by id."""
    rows = await tx.fetch(SQL["page"], lifecycle, after, last, limit)
    return {row["id"]: Subject(row["lifecycle"], row["scope"], row["ref"]) for row in rows}
