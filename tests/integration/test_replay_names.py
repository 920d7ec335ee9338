"""Replay where names are at stake: a mended mapping changes by which names events find an order."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.settings import SubjectRule
from service.store import partitions, pool
from tests.integration.test_replay import Shop, event

pytestmark = pytest.mark.postgres

NAMED = SubjectRule(ref="order", aliases={"tracking": "track"})
STATUSES = {"PAID": "payment.paid", "PACKED": "fulfillment.packed", "NOTE": "facts"}


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with pool.opened(database, size=4) as opened:
        await partitions.ensure(opened)
        made = Shop(opened)
        made.configure(**mapped())
        yield made


def mapped(subject: SubjectRule = NAMED, **said: Any) -> dict[str, Any]:
    return {"subject": subject, "statuses": STATUSES, "revokes": "cancels", **said}


def nameless(number: int, status: str, track: str) -> dict[str, object]:
    return event(number, status, order=None, track=track)


async def settle(shop: Shop) -> None:
    while await shop.rows("SELECT FROM outbox WHERE due_at <= now()"):
        await shop.fold()


async def test_a_waiting_event_that_names_its_order_after_all_waits_no_more(shop: Shop) -> None:
    await shop.post({**nameless(1, "PACKED", "T"), "po": "1001"})
    await settle(shop)
    assert {"accepted": 1, "waiting": 1} == await shop.balanced()
    shop.configure(**mapped(NAMED.model_copy(update={"ref": "order || po"})))
    assert 0 == (await shop.replay()).done
    assert 1 == (await shop.replay(outcomes=["waiting"])).done
    await settle(shop)
    assert {"accepted": 1, "applied": 1} == await shop.balanced()
    assert {"1001": ("ready_to_ship", 1)} == await shop.subjects()
    assert [] == await shop.rows("SELECT FROM waiting")
    assert [("tracking", "T")] == await shop.rows("SELECT type, value FROM aliases")


async def test_a_waiting_event_may_wait_for_another_name_afterwards(shop: Shop) -> None:
    await shop.post({**nameless(1, "PACKED", "T"), "label": "L"})
    await settle(shop)
    shop.configure(**mapped(NAMED.model_copy(update={"aliases": {"tracking": "label"}})))
    await shop.replay(outcomes=["waiting"])
    await settle(shop)
    assert {"accepted": 1, "waiting": 1} == await shop.balanced()
    assert [("L",)] == await shop.rows("SELECT value FROM waiting")
    await shop.post(event(2, "PAID", label="L"))
    await settle(shop)
    assert {"1001": ("ready_to_ship", 2)} == await shop.subjects()


async def test_a_name_that_was_read_wrongly_is_taken_back_with_what_came_by_it(shop: Shop) -> None:
    await shop.post(event(1, "PAID", track="T", label="L"))
    await shop.post(nameless(2, "PACKED", "T"))
    await shop.post(nameless(3, "PACKED", "L"))
    await settle(shop)
    assert {"accepted": 3, "applied": 2, "waiting": 1} == await shop.balanced()
    shop.configure(**mapped(NAMED.model_copy(update={"aliases": {"tracking": "label || track"}})))
    await shop.replay(outcomes=["applied"])
    await settle(shop)
    assert {"accepted": 3, "applied": 2, "waiting": 1} == await shop.balanced()
    assert [("L",)] == await shop.rows(
        "SELECT DISTINCT value FROM aliases WHERE revoked_at IS NULL"
    )
    assert [("T",)] == await shop.rows("SELECT value FROM waiting")
    assert "ready_to_ship" == (await shop.subjects())["1001"][0]


async def test_a_name_goes_with_the_event_that_moves_to_another_order(shop: Shop) -> None:
    await shop.post(event(1, "PAID"), event(4, "PAID", order="1002"))
    await shop.post(event(2, "NOTE", track="T", corrected="1002"))
    await shop.post(nameless(3, "PACKED", "T"))
    await settle(shop)
    assert "ready_to_ship" == (await shop.subjects())["1001"][0]
    shop.configure(**mapped(NAMED.model_copy(update={"ref": "corrected || order"})))
    await shop.replay(outcomes=["applied"])
    await settle(shop)
    states = {ref: state for ref, (state, _) in (await shop.subjects()).items()}
    assert {"1001": "paid", "1002": "ready_to_ship"} == states
    assert {"accepted": 4, "applied": 4} == await shop.balanced()


async def test_what_takes_an_event_back_follows_it_to_another_order(shop: Shop) -> None:
    await shop.post(event(1, "PAID"), event(4, "PAID", order="1002"))
    await shop.post(event(2, "PACKED", corrected="1002"))
    await shop.post({"id": 3, "cancels": 2})
    await settle(shop)
    assert {"accepted": 4, "applied": 3, "revoked": 1} == await shop.balanced()
    shop.configure(**mapped(NAMED.model_copy(update={"ref": "corrected || order"})))
    await shop.replay(outcomes=["applied", "revoked"])
    await settle(shop)
    states = {ref: state for ref, (state, _) in (await shop.subjects()).items()}
    assert {"1001": "paid", "1002": "paid"} == states
    assert {"accepted": 4, "applied": 3, "revoked": 1} == await shop.balanced()
    assert [("1002",)] == await shop.rows(
        "SELECT s.ref FROM adoptions a JOIN subjects s ON s.id = a.subject_id"
    )
