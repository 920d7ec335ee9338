"""Changes on their way to a CRM that keeps records, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from service.domain.events import Alias, Event
from service.domain.routing import PRIORITIES, Condition, Route
from service.ops import ledger
from service.settings import Destination, RetryRule
from service.store import partitions, pool
from service.store.pool import Pool
from service.worker.crms.base import Answer, Class, Write
from service.worker.gate import Gate
from tests import make
from tests.cabinet import GONE_IN_TRANSIT, Cabinet
from tests.delivery import Station, rows, until, until_states

pytestmark = pytest.mark.postgres

RULE = Destination(
    name="crm",
    crm="hubspot",
    concurrency=2,
    timeout=timedelta(milliseconds=500),
    retry=RetryRule(first=timedelta(milliseconds=100), max=timedelta(seconds=1), max_attempts=4),
)
VIP = Condition.of("attributes.vip")
ROUTES = (
    Route(["*"], ["order.*"], ["crm"]),
    Route(["*"], ["order.*"], ["crm"], when=VIP, priority=PRIORITIES["high"]),
)
READY = "ready_to_ship"
"""What an order is overall once it is packed."""
SLEEPING = "UPDATE syncs SET due_at = now() - interval '1 s' WHERE due_at IS NOT NULL RETURNING 1"


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=6) as opened:
        await partitions.ensure(opened)
        yield opened


def station(db: Pool, crm: Cabinet, **rule: Any) -> Station[Cabinet]:
    return Station(db, crm, RULE.model_copy(update=rule), routes=ROUTES)


def paid(ref: str = "1001", **said: Any) -> Event:
    return make.event(**{"ref": ref, "lane": "payment", "status": "paid", **said})


def picking(ref: str = "1001", minute: float = 5) -> Event:
    return make.event(ref=ref, lane="fulfillment", status="picking", occurred_at=make.at(minute))


def packed(ref: str = "1001", minute: float = 6) -> Event:
    return make.event(ref=ref, lane="fulfillment", status="packed", occurred_at=make.at(minute))


async def until_settled(db: Pool, orders: int = 1) -> None:
    """Synced, and nothing is owed any more."""

    async def reached() -> bool:
        query = "SELECT count(*) FROM syncs WHERE state = 'synced' AND due_at IS NULL"
        return await rows(db, query) == [(orders,)]

    await until(reached)


async def attempts(db: Pool) -> list[tuple[Any, ...]]:
    return await rows(db, "SELECT operation, class FROM attempts ORDER BY id")


async def letters(db: Pool) -> list[tuple[Any, ...]]:
    return await rows(db, "SELECT reason, summary FROM dead_letters WHERE resolved_at IS NULL")


async def test_many_orders_are_found_and_written_in_few_calls(db: Pool) -> None:
    crm = Cabinet()
    orders = [f"o{number}" for number in range(250)]
    crm.keep(*orders, stage="new")
    async with station(db, crm).running() as at_work:
        await at_work.happen(*(paid(each) for each in orders))
        await until_settled(db, 250)
    assert {crm.shows(each) for each in orders} == {"paid"}
    assert dict(crm.effects) == dict.fromkeys(orders, 1)
    assert len(crm.asked("find")) == len(crm.asked("write")) == 3
    assert (await ledger.read(db))["balanced"] is True


async def test_a_record_once_found_is_written_without_asking(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001", stage="new")
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        await at_work.happen(picking())
        await until_settled(db)
    assert [name for name, _ in crm.calls] == ["find", "write", "write"]
    assert await attempts(db) == [("find", "ok"), ("write", "ok"), ("write", "ok")]
    assert await rows(db, "SELECT remote_id, remote_token, written FROM syncs") == [
        ("r1", "3", {"stage": "picking"})
    ]


async def test_what_it_shows_already_is_not_written(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001", stage="paid")
    async with station(db, crm, statuses={"paid": "paid", "picking": "paid"}).running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        await at_work.happen(picking())
        await until_settled(db)
    assert [name for name, _ in crm.calls] == ["find"]
    assert await rows(db, "SELECT synced_version FROM syncs") == [(2,)]


async def test_one_refused_row_costs_its_neighbours_nothing(db: Pool) -> None:
    def refuse(write: Write) -> tuple[Answer, bool] | None:
        if "bad" not in crm.asked("write")[-1]:
            return None
        refused = Answer(Class.PERMANENT, "write", 400, detail="The stage is unknown.")
        aside = Answer(Class.TRANSIENT, "write", 400, tried=False)
        return (refused if write.key == "bad" else aside), False

    crm = Cabinet()
    crm.keep("a", "bad", "b")
    crm.spoil = refuse
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid("a"), paid("bad"), paid("b"))
        await until_states(db, ("dead", 1), ("synced", 2))
    assert await letters(db) == [("refused", "crm refuses order/bad: The stage is unknown.")]
    assert await rows(db, "SELECT attempts FROM syncs WHERE state = 'synced'") == [(0,), (0,)]
    assert len(crm.asked("write")) == 2


@pytest.mark.parametrize("happened", [True, False])
async def test_after_a_lost_answer_the_record_is_read_before_anything_is_written(
    db: Pool, *, happened: bool
) -> None:
    lost = [(GONE_IN_TRANSIT, happened)]
    crm = Cabinet()
    crm.keep("1001", stage="new")
    crm.spoil = lambda _: lost.pop() if lost else None
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_states(db, ("synced", 1))
        again = await rows(db, "SELECT verify, due_at > now() FROM syncs")
        await rows(db, SLEEPING)
        await until_settled(db)
    assert again == [(2, True)]  # whatever was on its way has arrived by then
    assert crm.effects == {"1001": 1}
    wrote = [] if happened else ["write"]
    assert [name for name, _ in crm.calls] == ["find", "write", "read", *wrote, "read"]


async def test_a_created_record_whose_answer_was_lost_is_looked_for(db: Pool) -> None:
    lost = [(GONE_IN_TRANSIT, True)]
    crm = Cabinet(creates=True)
    crm.spoil = lambda _: lost.pop() if lost else None
    async with station(db, crm, on_missing="create").running() as at_work:
        await at_work.happen(paid())
        await until(_has_attempts(db, 1))
        ((wait,),) = await rows(db, "SELECT due_at - now() FROM syncs")
        await rows(db, SLEEPING)
        await until_states(db, ("synced", 1))
    assert wait > timedelta(seconds=10)
    assert [sheet.key for sheet in crm.sheets.values()] == ["1001"]
    assert crm.effects == {"1001": 1}


def _has_attempts(db: Pool, least: int) -> Any:
    async def check() -> bool:
        return await rows(db, f"SELECT count(*) >= {least} FROM attempts") == [(True,)] and (
            await rows(db, "SELECT lease_owner IS NULL FROM syncs") == [(True,)]
        )

    return check


async def test_an_answer_that_never_comes_ends_as_unknown(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001")
    crm.spoil = lambda _: (GONE_IN_TRANSIT, False)
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_states(db, ("dead", 1))
    ((reason, summary),) = await letters(db)
    assert reason == "unknown_outcome"
    assert summary.startswith("crm: gave up at attempt 4")


@pytest.mark.parametrize("operation", ["find", "write"])
async def test_an_adapter_that_fails_loses_no_lease(db: Pool, operation: str) -> None:
    failures = [RuntimeError("a bug"), None]
    crm = Cabinet()
    crm.keep("1001")
    crm.refuse = lambda name: failures.pop(0) if name == operation and failures else None
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_states(db, ("synced", 1))
    assert crm.effects == {"1001": 1}
    assert ("find" if operation == "find" else "write") in {name for name, _ in await attempts(db)}


async def test_what_a_person_changed_is_left_alone_until_it_is_decided(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001", stage="new")
    async with station(db, crm, conflict="respect").running() as at_work:
        await at_work.happen(paid())  # first contact: what stood there is where we began
        await until_settled(db)
        crm.edit("1001", stage="refused")
        await at_work.happen(picking())
        await until_states(db, ("held", 1))
        assert await rows(db, "SELECT held_for, difference FROM syncs") == [
            ("person", {"stage": {"ours": "picking", "theirs": "refused"}})
        ]
        await at_work.happen(packed())
        await until(_difference(db, READY))
        assert crm.shows("1001") == "refused"
        await rows(
            db,
            "UPDATE syncs SET overrule = true, state = 'pending', due_at = now() RETURNING 1",
        )
        await until_settled(db)
    assert crm.shows("1001") == READY
    assert await rows(db, "SELECT held_for, difference, overrule FROM syncs") == [
        (None, None, False)
    ]
    assert (await ledger.read(db))["balanced"] is True


def _difference(db: Pool, ours: str) -> Any:
    async def check() -> bool:
        query = "SELECT difference -> 'stage' ->> 'ours' FROM syncs WHERE state = 'held'"
        return await rows(db, query) == [(ours,)]

    return check


async def test_a_held_sync_ends_when_the_person_sets_what_we_would(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001", stage="new")
    async with station(db, crm, conflict="respect").running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        crm.edit("1001", stage="refused")
        await at_work.happen(picking())
        await until_states(db, ("held", 1))
        crm.edit("1001", stage=READY)
        await at_work.happen(packed())
        await until_settled(db)
    assert crm.effects == {"1001": 1}
    assert await rows(db, "SELECT held_for FROM syncs") == [(None,)]


async def test_what_our_own_user_changed_is_nobodys_edit(db: Pool) -> None:
    crm = Cabinet()
    crm.by_us = True
    crm.keep("1001", stage="new")
    async with station(db, crm, conflict="respect").running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        crm.edit("1001", stage="refused")
        await at_work.happen(picking())
        await until_settled(db)
    assert crm.shows("1001") == "picking"


async def test_an_open_intent_is_not_a_persons_edit(db: Pool) -> None:
    lost = [(GONE_IN_TRANSIT, True)]
    crm = Cabinet()
    crm.keep("1001", stage="new")
    crm.spoil = lambda write: lost.pop() if write.status == "picking" and lost else None
    async with station(db, crm, conflict="respect").running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        crm.gate.clear()
        await at_work.happen(picking())
        await crm.arrived.wait()
        await at_work.happen(packed())
        crm.gate.set()
        await until_states(db, ("synced", 1))
    assert crm.shows("1001") == READY


async def test_with_a_token_nothing_is_read_before_and_a_change_is_noticed(db: Pool) -> None:
    crm = Cabinet(conditional=True)
    crm.keep("1001", stage="new")
    async with station(db, crm, conflict="respect").running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        await at_work.happen(picking())
        await until_settled(db)
        assert [name for name, _ in crm.calls] == ["find", "write", "write"]
        crm.edit("1001", owner="Ann")
        await at_work.happen(packed())
        await until_settled(db)
        assert crm.shows("1001") == READY
        crm.edit("1001", stage="lost")
        await at_work.happen(
            make.event(lane="fulfillment", status="shipped", occurred_at=make.at(9))
        )
        await until_states(db, ("held", 1))
    assert crm.shows("1001") == "lost"
    assert await rows(db, "SELECT class FROM attempts WHERE class <> 'ok'") == [("conflict",)] * 2


async def test_in_shadow_the_difference_is_shown_and_nothing_written(db: Pool) -> None:
    crm = Cabinet(creates=True)
    crm.keep("1001", stage="new")
    crm.keep("right", stage="paid")
    async with station(db, crm, shadow=True, on_missing="create").running() as at_work:
        await at_work.happen(paid(), paid("right"), paid("unknown"))
        await until_states(db, ("held", 2), ("synced", 1))
        found = await rows(
            db,
            "SELECT s.ref, y.held_for, y.difference FROM syncs y JOIN subjects s ON s.id = "
            "subject_id WHERE y.state = 'held' ORDER BY s.ref",
        )
        assert crm.asked("write") == []
        at_work.pump.adopt(RULE.model_copy(update={"on_missing": "create"}), crm)
        await until_settled(db, 3)
    assert found == [
        ("1001", "shadow", {"stage": {"ours": "paid", "theirs": "new"}}),
        ("unknown", "shadow", {"stage": {"ours": "paid", "theirs": None}}),
    ]
    assert crm.effects == {"1001": 1, "unknown": 1}
    assert ("shadow", "ok") in await attempts(db)


async def test_two_records_with_one_number_are_a_matter_for_people(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001", "1001")
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_states(db, ("dead", 1))
    assert await letters(db) == [
        (
            "ambiguous_record",
            "2 records of crm carry 1001 (r1, r2): merge them there, then redrive.",
        )
    ]


async def test_what_the_configuration_cannot_say_is_dead_before_any_call(db: Pool) -> None:
    crm = Cabinet()
    rule = {"attributes": {"amount": {"field": "sum", "type": "number"}}}
    said = Destination.model_validate({"name": "crm", "crm": "hubspot", **rule}).attributes
    async with station(db, crm, attributes=said).running() as at_work:
        await at_work.happen(paid(attributes={"amount": "a lot"}))
        await until_states(db, ("dead", 1))
    assert crm.calls == []
    assert await letters(db) == [
        (
            "not_configured",
            "crm cannot be told of order/1001: The attribute amount is not a number.",
        )
    ]


async def test_an_unknown_order_waits_until_its_record_is_there(db: Pool) -> None:
    crm = Cabinet()
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_states(db, ("no_record", 1))
        crm.keep("1001")
        await until_states(db, ("synced", 1))
    assert (await attempts(db))[0] == ("find", "not_found")


async def test_an_unknown_order_is_dead_where_the_configuration_says_so(db: Pool) -> None:
    async with station(db, Cabinet(), on_missing="dead_letter").running() as at_work:
        await at_work.happen(paid())
        await until_states(db, ("dead", 1))
    assert await letters(db) == [("not_found", "crm has no order/1001.")]


async def test_a_record_that_went_is_found_again_under_its_new_id(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001", stage="new")
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        crm.sheets["r9"] = crm.sheets.pop("r1")
        await at_work.happen(picking())
        await until_settled(db)
    assert [name for name, _ in crm.calls] == ["find", "write", "write", "find", "write"]
    assert await rows(db, "SELECT remote_id FROM syncs") == [("r9",)]


async def test_a_crm_that_writes_by_number_is_never_searched(db: Pool) -> None:
    crm = Cabinet(keyed=True, creates=True)
    async with station(db, crm, on_missing="create").running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
    assert [name for name, _ in crm.calls] == ["write"]
    assert await rows(db, "SELECT remote_id FROM syncs") == [("r1",)]


async def test_a_frozen_worker_that_wakes_late_does_not_have_the_last_word(db: Pool) -> None:
    """Its lease was taken over; the other one read, wrote, and reads once more afterwards."""
    shared = Cabinet()
    shared.keep("1001", stage="new")
    asleep = Cabinet()
    asleep.sheets = shared.sheets
    async with station(db, asleep).running() as frozen:
        asleep.gate.clear()
        await frozen.happen(paid())
        await asleep.arrived.wait()
        frozen.gate.shut = True  # it does nothing more, but for the call it is in
        await rows(db, SLEEPING)
        async with station(db, shared).running() as awake:
            await until_states(db, ("synced", 1))
            assert [name for name, _ in shared.calls] == ["read", "write"]
            await awake.happen(picking())
            await until(_shows(shared, "picking"))
            asleep.gate.set()  # now the first one's write of the old version arrives
            await until(_shows(shared, "paid"))
            await until(_doubted(db))
            await rows(db, SLEEPING)
            await until_settled(db)
    assert shared.shows("1001") == "picking"
    assert (await ledger.read(db))["balanced"] is True


def _shows(crm: Cabinet, stage: str) -> Any:
    async def check() -> bool:
        return crm.shows("1001") == stage

    return check


def _doubted(db: Pool) -> Any:
    async def check() -> bool:
        return await rows(db, "SELECT verify FROM syncs WHERE verify > 0") != []

    return check


async def test_too_fast_costs_no_attempt_and_lets_the_limit_rest(db: Pool) -> None:
    slow = Answer(Class.RATE, "write", 429, after=timedelta(milliseconds=50), scope="daily")
    answers = [slow] * 6
    crm = Cabinet()
    crm.keep("1001")
    crm.refuse = lambda name: answers.pop() if name == "write" and answers else None
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid())
        await until_states(db, ("synced", 1))
    assert at_work.budget.rested == [("daily", timedelta(milliseconds=50))] * 6


async def test_refused_credentials_give_everything_back(db: Pool) -> None:
    crm = Cabinet(batch=1)
    crm.keep("a", "b", "c")
    crm.refuse = lambda name: Answer(Class.AUTH, name, 401)
    async with station(db, crm).running() as at_work:
        await at_work.happen(paid("a"), paid("b"), paid("c"))
        await until(_reported(at_work))
        at_work.gate.shut = True
        await until(_given_back(db, 3))
    assert await rows(db, "SELECT DISTINCT attempts, state FROM syncs") == [(0, "pending")]
    assert {answer.kind for _, answer in at_work.gate.reports} == {Class.AUTH}


def _reported(at_work: Station[Cabinet]) -> Any:
    async def check() -> bool:
        return bool(at_work.gate.reports)

    return check


def _given_back(db: Pool, count: int) -> Any:
    async def check() -> bool:
        query = "SELECT count(*) FROM syncs WHERE lease_owner IS NULL AND state = 'pending'"
        return await rows(db, query) == [(count,)]

    return check


async def test_while_the_gate_is_shut_nothing_is_called_and_nothing_held(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001")
    at_work = station(db, crm)
    at_work.gate.shut = True
    async with at_work.running():
        await at_work.happen(paid())
        await until(_given_back(db, 1))
        assert crm.calls == []
        at_work.gate.shut = False
        await until_settled(db)


async def test_no_batch_is_formed_before_it_can_be_paid(db: Pool) -> None:
    """What is most urgent then goes first, and what was handed on before what was found."""
    crm = Cabinet(batch=2)
    orders = [f"o{number}" for number in range(6)]
    crm.keep(*orders, "live", "vip")
    at_work = station(db, crm, concurrency=1)
    at_work.budget.wait = 0.05
    await station(db, Cabinet()).happen(*(paid(each) for each in orders))
    await rows(db, "UPDATE syncs SET due_at = now(), lease_owner = NULL RETURNING 1")
    async with at_work.running():
        await until(_waits(at_work, 6))
        await at_work.happen(paid("live"), paid("vip", attributes={"vip": True}))
        assert crm.calls == []
        at_work.budget.wait = 0.0
        await until_settled(db, 8)
    assert sorted(crm.asked("write")[0]) == ["live", "vip"]
    assert at_work.budget.asked[0] is False
    assert True in at_work.budget.asked
    assert [len(each) for each in crm.asked("write")] == [2, 2, 2, 2]


def _waits(at_work: Station[Cabinet], count: int) -> Any:
    async def check() -> bool:
        return len(at_work.pump.station.waiting) == count

    return check


async def test_each_change_of_status_leaves_one_note(db: Pool) -> None:
    crm = Cabinet(notes=True)
    crm.keep("1001", stage="new")
    async with station(db, crm, notes=True, attributes={"tracking": "track"}).running() as at_work:
        await at_work.happen(paid())
        await until_settled(db)
        told = make.event(lane=None, status=None, attributes={"tracking": "X1"})
        await at_work.happen(told)
        await until(_wrote(crm, 2))
        await at_work.happen(picking())
        await until(_noted(crm, 2))
        await until_settled(db)
    assert crm.notes == [
        ("r1", "order/1001: paid (version 1)"),
        ("r1", "order/1001: paid → picking (version 3)"),
    ]
    assert [kind for kind in await attempts(db) if kind[0] == "note"] == [("note", "ok")] * 2


def _wrote(crm: Cabinet, times: int) -> Any:
    async def check() -> bool:
        return len(crm.asked("write")) >= times

    return check


def _noted(crm: Cabinet, times: int) -> Any:
    async def check() -> bool:
        return len(crm.notes) >= times

    return check


async def test_an_event_that_knows_only_the_record_waits_for_its_id(db: Pool) -> None:
    crm = Cabinet()
    crm.keep("1001", stage="new")
    async with station(db, crm).running() as at_work:
        known_as = (Alias("record:crm", "r1"),)
        stranger = make.event(ref=None, aliases=known_as, lane="fulfillment", status="picking")
        await at_work.happen(stranger)
        assert await rows(db, "SELECT type, value FROM waiting") == [("record:crm", "r1")]
        await at_work.happen(paid())
        await until_settled(db)
    assert await rows(db, "SELECT type, value, kind, claimant FROM aliases") == [
        ("record:crm", "r1", "destination", "crm")
    ]
    assert await rows(db, "SELECT * FROM waiting") == []
    assert await rows(db, "SELECT event_id FROM outbox") == [(stranger.id,)]


async def test_stopping_gives_back_what_waits_and_finishes_what_runs(db: Pool) -> None:
    crm = Cabinet(batch=2)
    orders = [f"o{number}" for number in range(10)]
    crm.keep(*orders)
    async with station(db, crm).running() as at_work:
        crm.gate.clear()
        await at_work.happen(*(paid(each) for each in orders))
        await crm.arrived.wait()
    states = await rows(db, "SELECT state, lease_owner IS NULL FROM syncs")
    assert {free for _, free in states} == {True}
    assert sum(crm.effects.values()) == [state for state, _ in states].count("synced")


async def test_an_outage_burns_few_attempts_and_everything_arrives_afterwards(db: Pool) -> None:
    """With the real gate: while it is open, one call at a time finds out how things stand."""
    crm = Cabinet(batch=5)
    orders = [f"o{number}" for number in range(60)]
    crm.keep(*orders, stage="new")
    crm.refuse = lambda name: Answer(Class.TRANSIENT, name, 503, detail="HTTP 503")
    at_work = station(db, crm)
    at_work.pump.station.gate = gate = Gate(RULE, pool=db)
    async with at_work.running():
        await at_work.happen(*(paid(each) for each in orders))
        await until(_opened(gate))
        await until(_tried(crm, len(crm.calls) + 2))
        assert await rows(db, "SELECT count(*) > 20 FROM syncs WHERE attempts = 0") == [(True,)]
        crm.refuse = lambda _: None
        await until_settled(db, 60)
    assert crm.effects == dict.fromkeys(orders, 1)
    assert await letters(db) == []


def _opened(gate: Gate) -> Any:
    async def check() -> bool:
        return gate.shut

    return check


def _tried(crm: Cabinet, times: int) -> Any:
    async def check() -> bool:
        return len(crm.calls) >= times

    return check


async def test_while_its_gate_is_shut_a_fold_leases_nothing(db: Pool) -> None:
    at_work = station(db, Cabinet())
    at_work.fold.rules = replace(at_work.fold.rules, shut=lambda name: name == "crm")
    await at_work.happen(paid())
    assert await rows(db, "SELECT lease_owner, due_at <= now() FROM syncs") == [(None, True)]
    assert not at_work.pump.station.waiting
