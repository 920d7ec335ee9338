"""A lifecycle that changes, or goes from the configuration, while subjects of it are stored."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from service.domain.errors import Declined, Misnamed
from service.domain.events import Subject
from service.domain.lifecycle import Rule
from service.domain.lifecycles import LIFECYCLES
from service.ops import corrections, decisions, dossiers, names, refolds
from service.ops.decisions import Hand
from service.store import pool
from service.store.jobs import Job
from service.worker.rules import Rules
from tests import make
from tests.folding import RULES, Desk, Watched, desk, shop

pytestmark = pytest.mark.postgres

RETURN = Subject("return", "", "R-7")
WITHOUT = replace(RULES, lifecycles={"order": LIFECYCLES["order"]})
REMEDY = "define [lifecycles.return]"


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


async def returned(order: Desk, ref: str = "R-7") -> None:
    lane, status = next(
        (lane.name, status)
        for lane in LIFECYCLES["return"].lanes.values()
        for status in lane.statuses
    )
    await order.happen(shop(ref, "123", lifecycle="return", lane=lane, status=status))


def renamed(status: str) -> Rules:
    """Whatever is paid is called otherwise."""
    lifecycle = LIFECYCLES["order"]
    first = Rule((frozenset({"payment.paid"}),), status)
    changed = replace(lifecycle, rules=(first, *lifecycle.rules))
    return replace(RULES, lifecycles={**LIFECYCLES, "order": changed})


async def test_an_event_of_a_lifecycle_that_is_gone_is_a_dead_letter(order: Desk) -> None:
    await returned(order)
    order.rules = WITHOUT
    await returned(order)
    assert [("unmapped",)] == await order.table("SELECT reason FROM dead_letters")
    summary = await order.one("SELECT summary FROM dead_letters")
    assert summary == (
        "The lifecycle 'return' is not configured: define [lifecycles.return] (again), reload "
        "every process, then redrive."
    )
    page = await dossiers.read(order.db, RETURN, lifecycles=WITHOUT.lifecycles)
    assert page is not None
    assert ["applied", "dead"] == [step["outcome"] for step in page["history"]]


async def test_decisions_about_its_subjects_are_declined_with_the_remedy(order: Desk) -> None:
    await returned(order)
    await returned(order, "R-8")
    hand = Hand(order.db, WITHOUT, "anna")
    event_id = await order.one("SELECT id FROM events LIMIT 1")
    other = Subject("return", "", "R-8")
    alias = make.statement().aliases or (next(iter(shop("1", "123").statement.aliases)),)
    for decide in (
        corrections.correct(hand, RETURN, lane="return", status="received", reason="I saw it."),
        corrections.release(hand, RETURN, 1),
        corrections.roll_back(hand, RETURN, event_id, reason="It never happened."),
        names.link(hand, RETURN, alias[0]),
        names.unlink(hand, RETURN, alias[0]),
        names.merge(hand, RETURN, [other], reason="They are one."),
        refolds.place(hand, "return", rate=10),
    ):
        with pytest.raises(Declined, match="is configured no more") as said:
            await decide
        assert REMEDY in str(said.value)
    with pytest.raises(Misnamed):
        await refolds.place(hand, "never", rate=10)
    assert decisions.unconfigured("return", "x").startswith("x, but")


async def test_a_refold_of_everything_leaves_them_out(order: Desk) -> None:
    await order.happen(shop("1001"))
    await returned(order)
    hand = Hand(order.db, WITHOUT, "anna")
    job, body = await refolds.place(hand, None, rate=10, mine=True)
    assert (2, 0) == (body["matched"], body["behind"])
    assert (1, 1) == await stride(order, hand, job)


async def stride(order: Desk, hand: Hand, job: Job | None) -> tuple[int, int]:
    assert job is not None
    async with pool.transaction(order.db) as tx:
        made = await refolds.step(lambda: hand.rules)(tx, job, 10)
    return made.done, made.skipped


async def test_a_changed_lifecycle_is_noticed_by_the_next_event(order: Desk) -> None:
    await order.happen(shop("1001"), shop("1002"))
    order.rules = renamed("settled")
    hand = Hand(order.db, order.rules, "anna")
    _, body = await refolds.place(hand, None, rate=10, dry_run=True)
    assert (2, 2) == (body["matched"], body["behind"])
    ids = await order.accept(shop("1001", attributes={"vip": True}, occurred_at=make.at(9)))
    said: list[str] = []
    await order.worker(Watched(order.db, lambda _, query, __: said.append(query))).fold(ids)
    assert [True] == [True for query in said if "WITH RECURSIVE family" in query]
    assert {"1001": "settled", "1002": "paid"} == await order.statuses()
    _, body = await refolds.place(hand, "order", rate=10, dry_run=True)
    assert (2, 1) == (body["matched"], body["behind"])


async def test_what_a_lane_may_do_now_counts_for_events_that_were_folded(order: Desk) -> None:
    """An event that was superseded may be applied by other exits, which only a refold can tell."""
    paid = shop("1001", status="refunded", occurred_at=make.at(1))
    again = shop("1001", status="paid", occurred_at=make.at(2))
    await order.happen(paid, again)
    assert {"1001": "refunded"} == await order.statuses()
    lifecycle = LIFECYCLES["order"]
    lane = lifecycle.lanes["payment"]
    free = replace(lane.statuses["refunded"], exits=frozenset({"paid"}))
    lanes = {
        **lifecycle.lanes,
        "payment": replace(lane, statuses={**lane.statuses, "refunded": free}),
    }
    order.rules = replace(RULES, lifecycles={"order": replace(lifecycle, lanes=lanes)})
    await order.happen(
        shop("1001", lane=None, status=None, attributes={"vip": True}, occurred_at=make.at(3))
    )
    assert {"1001": "paid"} == await order.statuses()
    assert {"accepted": 3, "applied": 3} == await order.outcomes()
