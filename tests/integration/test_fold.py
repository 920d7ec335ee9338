"""The fold on a real PostgreSQL: every event ends in one bucket, every change is owed once."""

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from structlog.testing import capture_logs

from service.domain.events import Event, Fate
from service.domain.routing import Route
from service.ops import ledger
from service.store import outbox, partitions, pool
from service.store.acceptance import Arrival, accept
from service.store.ids import new_id
from service.store.pool import Pool
from service.worker.fold import Fold, Held
from service.worker.rules import Rules
from tests import make

pytestmark = pytest.mark.postgres

TO_CRM = [Route(["*"], ["order.*"], ["crm"])]


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        await partitions.ensure(opened)
        yield opened


async def accepted(db: Pool, *events: Event) -> list[UUID]:
    """Store events as the gateway would, each in a request of its own."""
    arrivals = [
        Arrival(new_id(), one.source, one.received_at, "", "POST", "/", "", {}, b"{}", [one])
        for one in events
    ]
    await accept(db, arrivals, process=new_id(), published=False, lease=outbox.LEASE)
    return [one.id for one in events]


def folder(db: Pool, held: list[Held] | None = None, routes: Sequence[Route] = TO_CRM) -> Fold:
    keep = held if held is not None else []
    rules = Rules(routes=routes, leases={"crm": timedelta(seconds=30)})
    return Fold(db, rules, hand_on=keep.append)


async def one(db: Pool, query: str, *values: Any) -> Any:
    async with pool.session(db) as connection:
        return await connection.fetchval(query, *values)


async def table(db: Pool, query: str) -> list[tuple[Any, ...]]:
    async with pool.session(db) as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def test_events_move_the_subject_and_owe_the_destination(db: Pool) -> None:
    held: list[Held] = []
    ids = await accepted(
        db,
        make.event(lane="payment", status="awaiting_payment", occurred_at=make.at(0)),
        make.event(lane="payment", status="paid", occurred_at=make.at(1)),
    )
    await folder(db, held).fold(ids)
    assert await table(db, "SELECT status, version FROM subjects") == [("paid", 1)]
    assert await table(db, "SELECT state, desired_version FROM syncs") == [("pending", 1)]
    assert [len(one.leases) for one in held] == [1]
    assert await table(db, "SELECT outcome, count(*) FROM event_outcomes GROUP BY 1") == [
        ("applied", 2)
    ]
    assert (await ledger.read(db))["balanced"] is True


async def test_folding_the_same_ids_again_changes_nothing(db: Pool) -> None:
    ids = await accepted(db, make.event(lane="payment", status="paid"))
    await folder(db).fold(ids)
    await folder(db).fold(ids)
    assert await table(db, "SELECT status, version FROM subjects") == [("paid", 1)]


async def test_a_late_event_refolds_and_the_ledger_counts_what_holds_now(db: Pool) -> None:
    fold = folder(db)
    await fold.fold(
        await accepted(
            db,
            make.event(lane="fulfillment", status="shipped", occurred_at=make.at(9)),
        )
    )
    late = await accepted(
        db, make.event(lane="fulfillment", status="picking", occurred_at=make.at(3))
    )
    await fold.fold(late)
    assert await table(db, "SELECT status, version FROM subjects") == [("shipped", 1)]
    assert await table(db, "SELECT outcome FROM event_outcomes") == [("applied",)] * 2
    assert (await ledger.read(db))["balanced"] is True


async def test_an_event_older_than_a_final_status_is_superseded(db: Pool) -> None:
    fold = folder(db)
    await fold.fold(
        await accepted(db, make.event(lane="delivery", status="delivered", occurred_at=make.at(5)))
    )
    later = await accepted(
        db, make.event(lane="delivery", status="in_transit", occurred_at=make.at(6))
    )
    await fold.fold(later)
    assert (
        await one(db, "SELECT outcome FROM event_outcomes WHERE event_id = $1", later[0])
        == "superseded"
    )
    assert await table(db, "SELECT status, version FROM subjects") == [("delivered", 1)]


@pytest.mark.parametrize(
    ("fate", "reason"),
    [
        (Fate.UNREADABLE, "unreadable"),
        (Fate.UNMAPPED, "unmapped"),
        (Fate.UNRESOLVED, "unresolved_subject"),
    ],
)
async def test_what_cannot_be_folded_becomes_a_dead_letter(
    db: Pool, fate: Fate, reason: str
) -> None:
    ids = await accepted(db, make.event(fate=fate, note="Because.", ref=None))
    await folder(db).fold(ids)
    assert await table(db, "SELECT kind, event_id, reason, summary FROM dead_letters") == [
        ("event", ids[0], reason, "Because.")
    ]
    totals = (await ledger.read(db))["totals"]
    assert (totals["accepted"], totals["dead"], totals["pending"]) == (1, 1, 0)


async def test_an_ignored_event_says_why(db: Pool) -> None:
    await folder(db).fold(await accepted(db, make.event(fate=Fate.IGNORED, note="Not ours.")))
    assert await table(db, "SELECT outcome, reason FROM event_outcomes") == [
        ("ignored", "Not ours.")
    ]


async def test_a_poisonous_event_dies_alone_and_the_others_are_folded(db: Pool) -> None:
    """A state that cannot be read makes every fold of its subject fail; others must not notice."""
    fold = folder(db)
    sick = await accepted(db, make.event(ref="sick", lane="payment", status="paid"))
    await fold.fold(sick)
    async with pool.session(db) as connection:
        await connection.execute("UPDATE subjects SET state = '{\"lanes\": 7}' WHERE ref = 'sick'")
    poison = await accepted(
        db, make.event(ref="sick", lane="payment", status="refunded", occurred_at=make.at(9))
    )
    healthy = await accepted(
        db, *(make.event(ref=f"h{n}", lane="payment", status="paid") for n in range(7))
    )
    with capture_logs() as logs:
        for _ in range(3):
            await fold.fold([*healthy[:3], *poison, *healthy[3:]])
            await one(db, "UPDATE outbox SET due_at = now()")
    assert {line["event"] for line in logs} == {"folded", "fold_failed", "event_poisoned"}
    assert await table(db, "SELECT event_id, reason FROM dead_letters") == [(poison[0], "poison")]
    assert await one(db, "SELECT count(*) FROM subjects WHERE status = 'paid'") == 8
    assert await one(db, "SELECT count(*) FROM outbox") == 0


async def test_a_subject_of_a_newer_law_waits_for_a_newer_worker(db: Pool) -> None:
    fold = folder(db)
    await fold.fold(await accepted(db, make.event(lane="payment", status="paid")))
    async with pool.session(db) as connection:
        await connection.execute("UPDATE subjects SET law = 99")
    await fold.fold(
        await accepted(db, make.event(lane="payment", status="refunded", occurred_at=make.at(9)))
    )
    assert await table(db, "SELECT status, version, law FROM subjects") == [("paid", 1, 99)]
    assert await table(db, "SELECT crashes, due_at > now() FROM outbox") == [(0, True)]


async def test_only_routed_changes_are_owed(db: Pool) -> None:
    routes = [Route(["shop"], ["order.payment.paid"], ["crm", "unconfigured"])]
    fold = folder(db, routes=routes)
    await fold.fold(
        await accepted(
            db,
            make.event(ref="a", source="shop", lane="payment", status="paid"),
            make.event(ref="b", source="bank", lane="payment", status="paid"),
            make.event(ref="c", source="shop", lane="payment", status="refunded"),
        )
    )
    assert await table(
        db, "SELECT s.ref, y.destination FROM syncs y JOIN subjects s ON s.id = y.subject_id"
    ) == [("a", "crm")]


async def test_many_folds_at_once_in_any_order_end_in_the_same_state(db: Pool) -> None:
    story = [
        ("payment", "awaiting_payment"),
        ("payment", "paid"),
        ("fulfillment", "picking"),
        ("fulfillment", "shipped"),
        ("delivery", "in_transit"),
        ("delivery", "delivered"),
    ]
    events = [
        make.event(ref=f"o{n}", lane=lane, status=status, occurred_at=make.at(step))
        for n in range(12)
        for step, (lane, status) in enumerate(story)
    ]
    chance = random.Random(7)
    chance.shuffle(events)
    ids = await accepted(db, *events)
    fold = folder(db)
    batches = [chance.sample(ids, 20) for _ in range(30)] + [ids]
    await asyncio.gather(*(fold.fold(batch) for batch in batches[:-1]))
    await fold.fold(batches[-1])
    assert await table(db, "SELECT DISTINCT status FROM subjects") == [("delivered",)]
    body = await ledger.read(db)
    assert (body["balanced"], body["totals"]["applied"]) == (True, 72)
