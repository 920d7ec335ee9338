"""What is kept of a person is blanked; what an order is, and what the ledger counts, stays."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.errors import NotFound
from service.domain.events import Subject
from service.ops import erasure, ledger
from service.ops.decisions import Hand
from service.ops.retention import Runner
from service.settings.models import Retention
from service.store import replays, subjects
from service.store.pool import transaction
from service.worker.refold import refold
from tests import make
from tests.folding import Desk, courier, desk, shop

pytestmark = pytest.mark.postgres

NAME = Subject("order", "", "1001")
TOLD = {"email": "ada@example.com", "vip": True, "amount": "10.00"}


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


async def erase(order: Desk) -> dict[str, Any]:
    return await erasure.erase(Hand(order.db, order.rules, "anna"), NAME, reason="They asked.")


async def everything(order: Desk) -> str:
    tables = ("requests", "events", "subjects", "bases", "syncs")
    found = [await order.column(f"SELECT t::text FROM {table} t") for table in tables]
    return repr(found)


async def fold_anew(order: Desk) -> None:
    async with transaction(order.db) as tx:
        row = (await subjects.lock_present(tx, [NAME]))[NAME]
        await refold(tx, [row], rules=order.rules, cause="a test")


async def test_requests_and_attributes_are_blank_and_the_order_is_what_it_was(order: Desk) -> None:
    await order.happen(shop("1001", "T-1", attributes=TOLD), courier("T-1"), shop("1002"))
    await order.db.execute(
        'UPDATE syncs SET written = \'{"mail": "ada@example.com"}\' WHERE subject_id IN'
        " (SELECT id FROM subjects WHERE ref = '1001')"
    )
    before = await order.table("SELECT ref, status, version FROM subjects ORDER BY ref")
    counted = await ledger.read(order.db)
    assert {"subject": "order/1001", "reason": "They asked.", "requests": 2, "events": 2} == (
        await erase(order)
    )
    assert "ada@example.com" not in await everything(order)
    assert before == await order.table("SELECT ref, status, version FROM subjects ORDER BY ref")
    assert {**counted, "at": None} == {**await ledger.read(order.db), "at": None}
    assert [{"amount": "10.00"}] == await order.column(
        "SELECT state->'attributes' FROM subjects WHERE ref = '1001'"
    )
    assert 1 == await order.one("SELECT count(*) FROM requests WHERE body <> ''")


async def test_the_next_fold_makes_the_same_of_it_and_owes_nothing(order: Desk) -> None:
    await order.happen(shop("1001", attributes=TOLD))
    await erase(order)
    query = "SELECT version, state FROM subjects"
    before = await order.table(query)
    await fold_anew(order)
    assert before == await order.table(query)


async def test_what_was_erased_is_never_read_again(order: Desk) -> None:
    event = shop("1001", attributes=TOLD)
    await order.happen(event)
    await erase(order)
    request_id = await order.one("SELECT request_id FROM events WHERE id = $1", event.id)
    async with transaction(order.db) as tx:
        assert await replays.request(tx, request_id) is None


async def test_what_purged_events_left_behind_is_blanked_too(order: Desk) -> None:
    untimed = shop("1001", lane="order", status="confirmed", occurred_at=None, attributes=TOLD)
    await order.happen(shop("1001", attributes=TOLD, occurred_at=make.at(1)), untimed)
    later = datetime.now(UTC) + timedelta(days=40)
    await Runner(order.db, Retention(), order.rules, now=later).run()
    assert "ada@example.com" in await everything(order)
    await erase(order)
    assert "ada@example.com" not in await everything(order)
    before = await order.table("SELECT version, state FROM subjects")
    await fold_anew(order)
    assert before == await order.table("SELECT version, state FROM subjects")


async def test_who_erased_what_and_why_is_kept(order: Desk) -> None:
    await order.happen(shop("1001", attributes=TOLD))
    await erase(order)
    assert [("anna", "subject.erase", "order/1001", "They asked.")] == await order.table(
        "SELECT actor, action, target, detail->>'reason' FROM operator_actions"
    )


async def test_nobody_is_erased_by_a_name_that_leads_nowhere(order: Desk) -> None:
    with pytest.raises(NotFound, match="No accepted event names order/1001"):
        await erase(order)
