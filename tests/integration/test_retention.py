"""What is past its time leaves; the ledger, the orders and what is still in question stay."""

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.errors import StoreUnavailable
from service.domain.events import Fate, Subject
from service.ops import dossiers, ledger, retention
from service.ops.retention import Done, Runner
from service.settings.models import Retention
from service.store import acceptance, folding, outbox, partitions, replays, subjects
from service.store import retention as leaving
from service.store.acceptance import Arrival
from service.store.ids import new_id
from service.store.pool import transaction
from service.store.seals import PLAIN, Seals
from service.worker.refold import refold
from tests import make, rows
from tests.folding import Desk, courier, desk, shop, tracking

pytestmark = pytest.mark.postgres

PERIODS = Retention()
SOON, LATER = timedelta(days=40), timedelta(days=60)


@pytest.fixture
async def order(database: str) -> AsyncIterator[Desk]:
    async with desk(database) as made:
        yield made


async def run(order: Desk, *, after: timedelta = SOON, sealing: Seals = PLAIN) -> Done:
    """Run as if so much time had passed."""
    now = datetime.now(UTC) + after
    return await Runner(order.db, PERIODS, order.rules, sealing=sealing, now=now).run()


async def state(order: Desk, ref: str = "1001") -> tuple[Any, ...]:
    (found,) = await order.table(
        "SELECT status, version, state - 'rolled_back' FROM subjects WHERE ref = $1", ref
    )
    return found


async def fold_anew(order: Desk, ref: str = "1001") -> None:
    name = Subject("order", "", ref)
    async with transaction(order.db) as tx:
        row = (await subjects.lock_present(tx, [name]))[name]
        await refold(tx, [row], rules=order.rules, cause="a test")


async def left(order: Desk) -> dict[str, int]:
    tables = ("events", "event_outcomes", "requests", "transitions", "bases")
    counted = [(name, await order.one(f"SELECT count(*) FROM {name}")) for name in tables]
    return {name: count for name, count in counted if count}


def story(ref: str = "1001") -> list[Any]:
    return [
        shop(ref, status="authorized", occurred_at=make.at(1), attributes={"vip": True}),
        shop(ref, status="paid", occurred_at=make.at(2)),
        shop(ref, lane="fulfillment", status="shipped", occurred_at=make.at(3)),
        shop(ref, lane="fulfillment", status="picking", occurred_at=make.at(4)),
        shop(ref, lane="order", status="confirmed", occurred_at=None),
    ]


async def test_settled_events_leave_and_ledger_and_order_stay_as_they_are(order: Desk) -> None:
    await order.happen(*story())
    before, counted = await state(order), await ledger.read(order.db)
    done = await run(order)
    assert (5, []) == (done.events, done.held_back)
    assert {"transitions": 4, "bases": 1} == await left(order)
    after = await ledger.read(order.db)
    assert before == await state(order)
    assert {**counted, "at": None} == {**after, "at": None}
    assert after["balanced"]


async def history(order: Desk, ref: str = "1001") -> list[dict[str, Any]]:
    name = Subject("order", "", ref)
    page = await dossiers.read(order.db, name, lifecycles=order.rules.lifecycles)
    assert page is not None
    steps: list[dict[str, Any]] = page["history"]
    return steps


async def test_the_page_of_an_order_says_what_stands_for_events_that_left(order: Desk) -> None:
    await order.happen(*story())
    await run(order)
    later = shop("1001", lane="delivery", status="delivered", occurred_at=make.at(9))
    await order.happen(later)
    base, event = await history(order)
    assert ("base", 5, make.at(4), None) == (
        base["kind"],
        base["events"],
        base["occurred_at"],
        base["outcome"],
    )
    assert (
        f"5 events of order/1001, the last one of {make.at(4):%F %T}, left at"
        f" {base['received_at']:%F %T}, beyond their retention; what they folded to stands, and"
        " later events are folded upon it"
    ) == base["reason"]
    assert ("event", str(later.id), 1) == (event["kind"], event["event_id"], event["events"])


async def test_of_merged_orders_each_base_is_told_until_one_is_made_of_them(order: Desk) -> None:
    await order.happen(shop("1001", status="paid", occurred_at=make.at(1)))
    await order.happen(shop("1002", lane="order", status="confirmed", occurred_at=None))
    await run(order)
    await order.merge("1002", "1001")
    bases = [step for step in await history(order) if step["kind"] == "base"]
    assert [(1, make.at(1)), (1, None)] == [
        (step["events"], step["occurred_at"])
        for step in sorted(bases, key=lambda step: str(step["reason"]))
    ]
    assert any(step["reason"].startswith("1 event of order/1002 left at ") for step in bases)


async def test_what_is_younger_stays(order: Desk) -> None:
    await order.happen(*story())
    done = await run(order, after=timedelta(days=29))
    assert Done() == done


async def test_an_order_folds_on_as_if_nothing_had_left(order: Desk) -> None:
    await order.happen(*story("1001"), *story("1002"))
    await run(order)
    news: list[dict[str, Any]] = [
        {"status": "refunded", "occurred_at": make.at(9)},
        {"lane": "delivery", "status": "delivered", "occurred_at": make.at(8)},
        {"lane": "order", "status": "completed", "occurred_at": None},
    ]
    for said in news:
        await order.happen(shop("1001", **said))
    status, _, folded = await state(order)
    assert "refunded" == status
    assert {"vip": True} == folded["attributes"]
    await fold_anew(order)
    assert (status, folded) == ((await state(order))[0], (await state(order))[2])
    assert {"accepted": 13, "applied": 11, "superseded": 2} == await order.outcomes()


async def test_events_that_leave_one_after_the_other_leave_one_base(order: Desk) -> None:
    first = story()
    await order.happen(*first[:2])
    await run(order)
    await order.happen(*first[2:])
    expected = await state(order)
    await run(order)
    await fold_anew(order)
    assert expected[0::2] == (await state(order))[0::2]
    assert [5] == await order.column("SELECT events FROM bases")


async def test_what_is_dead_or_waits_keeps_its_bytes_and_goes_on_later(order: Desk) -> None:
    dead = shop("1002", fate=Fate.UNMAPPED, note="What is OK?")
    waiting = courier("T-1")
    await order.happen(*story(), dead, waiting)
    await run(order)
    kept = {dead.id, waiting.id}
    assert kept == set(await order.column("SELECT id FROM events"))
    assert 2 == await order.one("SELECT count(*) FROM requests_default")
    for event_id in kept:
        request_id = await order.one("SELECT request_id FROM events WHERE id = $1", event_id)
        async with transaction(order.db) as tx:
            assert await replays.request(tx, request_id) is not None
    await order.link(tracking("T-1"), "1001")
    await order.settle()
    assert {"1001": "delivered"} == await order.statuses()
    outcomes = await order.outcomes()
    assert (5, 1) == (outcomes["applied"], outcomes["dead"])
    await run(order)
    assert [dead.id] == await order.column("SELECT id FROM events")
    assert 1 == await order.one("SELECT count(*) FROM requests")
    assert outcomes == await order.outcomes()


async def test_a_name_told_by_a_purged_event_still_leads_to_its_order(order: Desk) -> None:
    await order.happen(shop("1001", "T-1"))
    await run(order)
    await order.happen(courier("T-1", "in_transit", occurred_at=make.at(60)))
    await order.happen(courier("T-1", "delivered", occurred_at=make.at(70)))
    await fold_anew(order)
    assert {"1001": "delivered"} == await order.statuses()
    assert {"accepted": 3, "applied": 3} == await order.outcomes()


async def test_corrections_hold_on_top_of_what_was_purged(order: Desk) -> None:
    await order.happen(*story())
    await run(order)
    async with transaction(order.db) as tx:
        await tx.execute(
            "INSERT INTO corrections (subject_id, lane, status, reason, actor)"
            " SELECT id, 'delivery', 'lost', 'it burned', 'anna' FROM subjects"
        )
    await fold_anew(order)
    status, _, folded = await state(order)
    assert "delivery_problem" == status
    assert {"fulfillment": "shipped", "order": "confirmed", "payment": "paid"} == folded["lanes"]


async def test_of_merged_orders_both_bases_count(order: Desk) -> None:
    await order.happen(shop("1001", status="paid", occurred_at=make.at(1)))
    await order.happen(shop("1002", lane="fulfillment", status="shipped", occurred_at=make.at(2)))
    await run(order)
    await order.merge("1002", "1001")
    assert {"1001": "shipped"} == await order.statuses()
    await order.happen(shop("1002", lane="delivery", status="delivered", occurred_at=make.at(9)))
    await run(order)
    assert [3] == await order.column("SELECT events FROM bases")
    await fold_anew(order)
    assert {"1001": "delivered"} == await order.statuses()


async def test_an_event_that_comes_late_beyond_retention_is_superseded_and_counted(
    order: Desk,
) -> None:
    await order.happen(*story())
    before = await state(order)
    await run(order)
    late = shop("1001", lane="fulfillment", status="packed", occurred_at=make.at(2.5))
    await order.happen(late)
    assert before[0] == (await state(order))[0]
    (reason,) = await order.column("SELECT reason FROM event_outcomes WHERE event_id = $1", late.id)
    assert "what was said after it is past its retention and stands" == reason


async def test_days_are_dropped_by_partition_and_made_no_more(order: Desk) -> None:
    await order.happen(*story())
    today = f"{datetime.now(UTC):%Y%m%d}"
    done = await run(order)
    assert {f"{table}_{today}" for table in partitions.TABLES} <= set(done.days)
    present = await order.column("SELECT relname::text FROM pg_class WHERE relname LIKE 'events%'")
    assert f"events_{today}" not in present


async def test_a_day_with_too_much_that_is_needed_stays_whole(order: Desk) -> None:
    await order.happen(*story(), courier("T-1"), courier("T-2"))
    today = f"{datetime.now(UTC):%Y%m%d}"
    day = leaving.Day("requests", f"requests_{today}")
    assert "kept" == await leaving.drop(order.db, day, PLAIN, most=1)
    assert 7 == await order.one("SELECT count(*) FROM requests")


async def test_nobody_waits_for_a_day_that_somebody_reads(order: Desk) -> None:
    await order.happen(*story())
    async with transaction(order.db) as reader:
        await reader.fetch("SELECT count(*) FROM requests")
        today = f"{datetime.now(UTC):%Y%m%d}"
        with pytest.raises(StoreUnavailable):
            await leaving.drop(order.db, leaving.Day("requests", f"requests_{today}"), PLAIN)
    assert 5 == await order.one("SELECT count(*) FROM requests")
    assert (await ledger.read(order.db))["requests"]["shop"]["accepted"] == 5


async def test_dedupe_keys_outlive_their_events_and_leave_in_their_own_time(order: Desk) -> None:
    await order.happen(*story(), courier("T-1"))
    assert (0, 6) == (
        (await run(order)).keys,
        await order.one("SELECT count(*) FROM dedupe_keys"),
    )
    assert 5 == (await run(order, after=LATER)).keys
    assert ["cdek"] == await order.column("SELECT source FROM dedupe_keys")


async def test_events_that_move_no_order_leave_too(order: Desk) -> None:
    ignored = shop("1001", fate=Fate.IGNORED, note="It is no concern of ours.")
    await order.happen(ignored)
    before = await order.outcomes()
    assert 1 == (await run(order)).events
    assert (before, {}) == (await order.outcomes(), await left(order))


async def test_an_order_of_another_law_is_folded_anew_first_and_purged_the_next_time(
    order: Desk,
) -> None:
    await order.happen(*story())
    before = await state(order)
    async with transaction(order.db) as tx:
        await tx.execute("UPDATE subjects SET law = 1")
    assert 0 == (await run(order)).events
    assert 5 == (await run(order)).events
    assert before == await state(order)


async def test_attempts_of_open_dead_letters_and_steps_of_what_is_behind_stay(order: Desk) -> None:
    async with transaction(order.db) as tx:
        for ref, state_ in (("1", "dead"), ("2", "synced")):
            subject = await rows.subject(tx, ref=ref)
            await rows.sync(tx, subject, state=state_)
            await rows.attempt(tx, subject, version=3)
            await rows.transition(tx, subject, version=3)
            if state_ == "dead":
                await rows.letter(tx, kind="sync", subject_id=subject, destination="crm")
    await run(order)
    assert [1, 1] == [
        await order.one(f"SELECT count(*) FROM {table}") for table in ("attempts", "transitions")
    ]


async def test_kept_requests_are_sealed_anew_and_the_days_key_is_erased(order: Desk) -> None:
    sealing = Seals.of([secrets.token_bytes(32)])
    event = courier("T-1")
    path = "/webhooks/cdek"
    arrivals = [
        Arrival(new_id(), "cdek", make.AT, "", "POST", path, "", {"a": "b"}, b"kept", [event]),
        Arrival(new_id(), "shop", make.AT, "", "POST", path, "", {}, b"gone", [shop("1001")]),
    ]
    await acceptance.accept(
        order.db,
        arrivals,
        process=new_id(),
        published=False,
        lease=outbox.LEASE,
        sealing=sealing,
    )
    await order.settle()
    assert 1 == (await run(order, sealing=sealing)).data_keys
    (name,) = await order.column("SELECT name FROM data_keys")
    assert name.startswith("kept-")
    async with transaction(order.db) as tx:
        found = await replays.request(tx, arrivals[0].id, sealing=sealing)
    assert found is not None
    assert (path, {"a": "b"}, b"kept") == (found.path, found.headers, found.body)


async def test_status_tells_what_is_due_and_what_has_left(order: Desk) -> None:
    await order.happen(*story(), courier("T-1"))
    now = datetime.now(UTC) + SOON
    before = await retention.status(order.db, PERIODS, now=now)
    assert (6, 5, 6) == tuple(before["due"][each] for each in ("events", "settled", "requests"))
    await run(order)
    after = await retention.status(order.db, PERIODS, now=now)
    assert (1, 0, 1) == tuple(after["due"][each] for each in ("events", "settled", "requests"))
    assert {"events": 5, "requests": 5, "subjects_with_a_base": 1} == after["purged"]


async def test_what_would_fold_to_something_else_stays(order: Desk) -> None:
    await order.happen(*story())
    async with transaction(order.db) as tx:
        (subject,) = [row["id"] for row in await tx.fetch("SELECT id FROM subjects")]
        history = (await folding.histories(tx, [subject]))[subject]
    lifecycle = order.rules.lifecycles["order"]
    wrong = replace(history.base, events=1)
    gone = frozenset({history.events[0].id})
    assert not retention._is_same(lifecycle, history, wrong, gone)  # noqa: SLF001
