"""What is owed to a destination goes there by its priority, and by its age within that."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta

import pytest

from service.domain.routing import Route
from service.store import pool, syncs
from tests import make
from tests.folding import RULES, Desk, desk, shop

pytestmark = pytest.mark.postgres

ROUTES = (
    Route(["*"], ["*.payment.*"], ["crm"], priority=1),
    Route(["*"], ["*.fulfillment.*"], ["crm"], priority=9),
)


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database, rules=replace(RULES, routes=ROUTES)) as made:
        yield made


async def claimed(order: Desk, limit: int) -> list[str]:
    async with pool.transaction(order.db) as tx:
        leases = await syncs.claim(tx, "crm", limit=limit, lease=timedelta(seconds=30))
        found = [lease.subject_id for lease in leases]
        rows = await tx.fetch("SELECT ref FROM subjects WHERE id = ANY($1::bigint[])", found)
    return sorted(row["ref"] for row in rows)


async def test_the_best_priority_stays_while_it_is_owed(order: Desk) -> None:
    await order.happen(
        shop("1"), shop("1", lane="fulfillment", status="packed", occurred_at=make.at(2))
    )
    assert [1] == await order.column("SELECT priority FROM syncs")
    await order.one("UPDATE syncs SET due_at = NULL, state = 'synced', synced_version = 2")
    await order.happen(shop("1", lane="fulfillment", status="shipped", occurred_at=make.at(3)))
    assert [9] == await order.column("SELECT priority FROM syncs")


async def test_the_high_ones_are_claimed_first(order: Desk) -> None:
    await order.happen(
        *(shop(f"low{n}", lane="fulfillment", status="packed") for n in range(3)),
        *(shop(f"high{n}") for n in range(2)),
    )
    await order.one(
        "UPDATE syncs SET lease_owner = NULL, due_at = now() - subject_id * interval '-1 ms'"
        " - interval '1 h'"
    )
    assert ["high0", "high1", "low0"] == await claimed(order, 3)
    assert ["low1", "low2"] == await claimed(order, 3)
