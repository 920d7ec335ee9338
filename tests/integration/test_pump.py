"""The pump on a real PostgreSQL, against a CRM that is a small program of our own."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest

from service.domain.events import Event
from service.domain.routing import PRIORITIES, Condition, Route
from service.domain.verdict import DeadLetter, Reason
from service.ops import ledger
from service.settings import Destination, RetryRule
from service.store import decisions, partitions, pool, syncs
from service.store.pool import Pool
from service.worker.crms.base import Answer, Capabilities, Change, Class, Write
from service.worker.delivery.pump import Pump
from tests import make
from tests import rows as make_rows
from tests.delivery import Station, rows, until, until_states

pytestmark = pytest.mark.postgres

OK = Answer(Class.OK, "write", 200)
BUSY = Answer(Class.TRANSIENT, "write", 503, detail="HTTP 503")
RULE = Destination(
    name="crm",
    crm="callback",
    concurrency=4,
    timeout=timedelta(seconds=1),
    retry=RetryRule(first=timedelta(milliseconds=100), max=timedelta(seconds=1), max_attempts=4),
)
TO_CRM = [
    Route(["*"], ["order.*"], ["crm"]),
    Route(
        ["*"],
        ["order.*"],
        ["crm"],
        when=Condition.of("attributes.vip"),
        priority=PRIORITIES["high"],
    ),
]
BACKLOG = 300


class Crm:
    """Takes what it is told; answers what the test says, else OK."""

    capabilities = Capabilities(idempotent=True)

    def __init__(self) -> None:
        self.calls: list[Change] = []
        self.answers: list[Answer] = []
        self.gate = asyncio.Event()
        self.gate.set()
        self.busiest = 0
        self._inside = 0

    def limits(self) -> tuple[()]:
        return ()

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._told(write.change) for write in writes]

    async def _told(self, change: Change) -> Answer:
        self._inside += 1
        self.busiest = max(self.busiest, self._inside)
        await self.gate.wait()
        self._inside -= 1
        self.calls.append(change)
        return self.answers.pop(0) if self.answers else OK


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=6) as opened:
        await partitions.ensure(opened)
        yield opened


def station(db: Pool, crm: Crm, rule: Destination = RULE) -> Station[Crm]:
    return Station(db, crm, rule, routes=TO_CRM)


async def test_a_change_reaches_the_crm_once_with_its_version_and_events(db: Pool) -> None:
    async with station(db, Crm()).running() as at_work:
        paid = make.event(lane="payment", status="paid", attributes={"amount": "12.50"})
        await at_work.happen(paid)
        await until_states(db, ("synced", 1))
    (call,) = at_work.crm.calls
    assert (call.status, call.previous, call.version, call.key) == (
        "paid",
        None,
        1,
        "crm:order/1001:1",
    )
    assert (list(call.event_ids), call.attributes) == ([paid.id], {"amount": "12.50"})
    assert (await ledger.read(db))["destinations"] == {
        "crm": {"owed": 1, "synced": 1, "pending": 0, "no_record": 0, "held": 0, "dead": 0}
    }


async def test_the_next_version_tells_what_was_there_before(db: Pool) -> None:
    async with station(db, Crm()).running() as at_work:
        await at_work.happen(make.event(lane="payment", status="paid"))
        await until_states(db, ("synced", 1))
        await at_work.happen(make.event(lane="fulfillment", status="picking"))
        await until_states(db, ("synced", 1))
        await until(_called(at_work.crm, 2))
    assert [(call.status, call.previous) for call in at_work.crm.calls] == [
        ("paid", None),
        ("picking", "paid"),
    ]


@pytest.mark.parametrize("decide", [decisions.retry, decisions.overwrite])
async def test_what_was_told_is_told_again_in_the_same_words(
    db: Pool, decide: Callable[[pool.Connection, int, str], Awaitable[None]]
) -> None:
    """Receivers know it by its key, and some refuse a key that comes with other words."""
    async with station(db, Crm()).running() as at_work:
        await at_work.happen(make.event(lane="payment", status="paid"))
        await until_states(db, ("synced", 1))
        await at_work.happen(make.event(lane="fulfillment", status="picking"))
        await until(_called(at_work.crm, 2))
        await until_states(db, ("synced", 1))
        for times in (3, 4):
            async with pool.transaction(db) as tx:
                await decide(tx, await tx.fetchval("SELECT subject_id FROM syncs"), "crm")
            await until(_called(at_work.crm, times))
            await until_states(db, ("synced", 1))
        await at_work.happen(make.event(lane="fulfillment", status="shipped"))
        await until(_called(at_work.crm, 5))
    _, told, *again, next_one = at_work.crm.calls
    assert [told, told] == again
    assert ("paid", "picking") == (told.previous, next_one.previous)
    assert 1 == len(told.event_ids) == len(next_one.event_ids)


def _called(crm: Crm, times: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return len(crm.calls) >= times

    return check


async def test_a_burst_while_a_call_is_under_way_costs_one_more_call(db: Pool) -> None:
    async with station(db, Crm()).running() as at_work:
        at_work.crm.gate.clear()
        await at_work.happen(make.event(lane="payment", status="awaiting_payment"))
        await until(_inside(at_work.crm))
        for minute, status in enumerate(("picking", "packed", "shipped")):
            await at_work.happen(
                make.event(lane="fulfillment", status=status, occurred_at=make.at(minute))
            )
        at_work.crm.gate.set()
        await until_states(db, ("synced", 1))
    assert [(call.version, call.status) for call in at_work.crm.calls] == [
        (1, "awaiting_payment"),
        (4, "shipped"),
    ]


def _inside(crm: Crm) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return crm.busiest > 0

    return check


async def test_a_failing_crm_is_tried_again_with_the_same_key(db: Pool) -> None:
    crm = Crm()
    crm.answers = [BUSY, BUSY]
    async with station(db, crm).running() as at_work:
        await at_work.happen(make.event(lane="payment", status="paid"))
        await until_states(db, ("synced", 1))
    assert [call.key for call in crm.calls] == ["crm:order/1001:1"] * 3
    assert await rows(db, "SELECT class, http_status FROM attempts ORDER BY id") == [
        ("transient", 503),
        ("transient", 503),
        ("ok", 200),
    ]
    assert await rows(db, "SELECT attempts, failing_since, error FROM syncs") == [(0, None, None)]


async def test_after_the_last_attempt_a_dead_letter_says_why(db: Pool) -> None:
    crm = Crm()
    crm.answers = [BUSY] * 4
    async with station(db, crm).running() as at_work:
        await at_work.happen(make.event(lane="payment", status="paid"))
        await until_states(db, ("dead", 1))
    assert await rows(db, "SELECT kind, destination, reason FROM dead_letters") == [
        ("sync", "crm", "retries_exhausted")
    ]
    body = await ledger.read(db)
    assert (body["balanced"], body["destinations"]["crm"]["dead"]) == (True, 1)


async def test_a_refused_order_does_not_hold_up_another(db: Pool) -> None:
    crm = Crm()
    crm.answers = [Answer(Class.PERMANENT, "write", 422, detail="HTTP 422")]
    async with station(db, crm).running() as at_work:
        await at_work.happen(make.event(ref="bad"))
        await until_states(db, ("dead", 1))
        await at_work.happen(make.event(ref="good"))
        await until_states(db, ("dead", 1), ("synced", 1))


async def test_a_new_version_gives_a_dead_sync_another_chance(db: Pool) -> None:
    crm = Crm()
    crm.answers = [Answer(Class.PERMANENT, "write", 422, detail="HTTP 422")]
    async with station(db, crm).running() as at_work:
        await at_work.happen(make.event(lane="payment", status="paid"))
        await until_states(db, ("dead", 1))
        await at_work.happen(make.event(lane="fulfillment", status="picking"))
        await until_states(db, ("synced", 1))
    assert await rows(db, "SELECT resolution FROM dead_letters") == [("superseded",)]
    assert (await ledger.read(db))["balanced"] is True


async def test_an_unknown_order_waits_as_no_record(db: Pool) -> None:
    crm = Crm()
    crm.answers = [Answer(Class.NOT_FOUND, "write", 404, after=timedelta(seconds=60))]
    async with station(db, crm).running() as at_work:
        await at_work.happen(make.event())
        await until_states(db, ("no_record", 1))
        assert (await ledger.read(db))["destinations"]["crm"]["no_record"] == 1


async def test_never_more_calls_at_once_than_the_destination_allows(db: Pool) -> None:
    crm = Crm()
    crm.gate.clear()
    async with station(db, crm).running() as at_work:
        await at_work.happen(*(make.event(ref=f"o{n}") for n in range(40)))
        await until(_busy(crm, 4))
        crm.gate.set()
        await until_states(db, ("synced", 40))
    assert crm.busiest == 4
    assert max(Counter(call.key for call in crm.calls).values()) == 1


def _busy(crm: Crm, level: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        return crm.busiest >= level

    return check


def backlog(count: int = BACKLOG) -> list[Event]:
    return [make.event(ref=f"o{number}") for number in range(count)]


def place(crm: Crm, ref: str) -> int:
    """How many had their effect before it; the first four were under way, the next are a batch."""
    return [call.subject.ref for call in crm.calls].index(ref)


async def test_a_vip_overtakes_the_backlog_of_its_worker(db: Pool) -> None:
    """The CRM is slow: four calls are under way, the others wait in this process."""
    crm = Crm()
    crm.gate.clear()
    async with station(db, crm).running() as at_work:
        await at_work.happen(*backlog())
        await until(_busy(crm, 4))
        await at_work.happen(make.event(ref="vip", attributes={"vip": True}))
        crm.gate.set()
        await until_states(db, ("synced", BACKLOG + 1))
    assert place(crm, "vip") < 8
    assert BACKLOG + 1 == len(crm.calls)


async def test_an_order_that_turns_out_to_be_a_vips_overtakes_while_it_waits(db: Pool) -> None:
    crm = Crm()
    crm.gate.clear()
    async with station(db, crm).running() as at_work:
        await at_work.happen(*backlog())
        await until(_busy(crm, 4))
        last = list(at_work.pump.station.waiting)[-1].lease.subject_id
        ((ref,),) = await rows(db, f"SELECT ref FROM subjects WHERE id = {last}")
        told = make.event(ref=ref, lane=None, status=None, attributes={"vip": True})
        await at_work.happen(told)
        await until(_first_in_line(at_work.pump, last))
        crm.gate.set()
        await until_states(db, ("synced", BACKLOG))
    assert place(crm, ref) < 8
    assert 1 == len([call for call in crm.calls if call.subject.ref == ref])


def _first_in_line(pump: Pump, subject_id: int) -> Callable[[], Awaitable[bool]]:
    async def check() -> bool:
        first = next(iter(pump.station.waiting), None)
        return first is not None and first.lease.subject_id == subject_id

    return check


async def test_a_vip_that_is_due_in_the_database_overtakes_what_waits_here(db: Pool) -> None:
    """Another worker owed it and died; this one has a backlog of its own."""
    crm = Crm()
    crm.gate.clear()
    await station(db, Crm()).happen(make.event(ref="vip", attributes={"vip": True}))
    await rows(db, "UPDATE syncs SET due_at = now() + interval '1 hour' RETURNING 1")
    async with station(db, crm).running() as at_work:
        await at_work.happen(*backlog())
        await until(_busy(crm, 4))
        await rows(db, "UPDATE syncs SET due_at = now() WHERE priority = 1 RETURNING 1")
        ((vip,),) = await rows(db, "SELECT subject_id FROM syncs WHERE priority = 1")
        await until(_first_in_line(at_work.pump, vip))
        crm.gate.set()
        await until_states(db, ("synced", BACKLOG + 1))
    assert place(crm, "vip") < 8


async def test_a_full_window_still_has_room_for_a_vip(db: Pool) -> None:
    crm = Crm()
    crm.gate.clear()
    rule = RULE.model_copy(update={"window": 8})
    async with station(db, crm, rule).running() as at_work:
        await at_work.happen(*backlog(20)[:4])
        await until(_busy(crm, 4))
        await at_work.happen(*backlog(20)[4:])
        await at_work.happen(make.event(ref="vip", attributes={"vip": True}))
        assert [1, *[5] * 7] == [one.lease.priority for one in at_work.pump.station.waiting]
        await rows(db, "UPDATE syncs SET due_at = now() WHERE intent_version IS NULL RETURNING 1")
        crm.gate.set()
        await until_states(db, ("synced", 21))
    assert place(crm, "vip") < 8


async def test_the_urgent_are_claimed_first_and_the_low_last(db: Pool) -> None:
    async with pool.session(db) as connection:
        for number, priority in enumerate((9, 5, 1, 5, 1)):
            subject = await make_rows.subject(connection, ref=f"o{number}")
            due = datetime.now(UTC) - timedelta(minutes=10 - number)
            await make_rows.sync(
                connection, subject, state="pending", due_at=due, priority=priority
            )
    claimed = []
    for limit, classes in ((1, syncs.CLASSES), (9, (1,)), (1, syncs.CLASSES), (9, syncs.CLASSES)):
        async with pool.transaction(db) as tx:
            leases = await syncs.claim(
                tx, "crm", limit=limit, lease=timedelta(seconds=30), classes=classes
            )
        claimed.append([lease.priority for lease in leases])
    assert [[1], [1], [5], [5, 9]] == [sorted(each) for each in claimed]


async def test_a_lease_left_by_a_dead_worker_is_taken_over(db: Pool) -> None:
    """Its fence is raised, so that the dead one, should it wake, can settle nothing."""
    dead = station(db, Crm())
    await dead.happen(make.event())
    (ticket,) = dead.pump.station.waiting  # what the dead worker held
    async with pool.session(db) as connection:
        await connection.execute("UPDATE syncs SET due_at = now() - interval '1 second'")
    async with station(db, Crm()).running() as alive:
        await until_states(db, ("synced", 1))
    assert [call.key for call in alive.crm.calls] == ["crm:order/1001:1"]
    async with pool.transaction(db) as tx:
        settled = await syncs.settle(
            tx,
            [syncs.Settled(ticket.lease, 1, "paid")],
            destination="crm",
            life=timedelta(seconds=1),
        )
    assert settled == {}


async def test_what_dies_while_a_newer_version_is_owed_leaves_no_letter_behind(db: Pool) -> None:
    """The fold waits for the row, and its own sight of the letters is older than that."""
    dying = station(db, Crm())
    await dying.happen(make.event(lane="payment", status="paid"))
    (ticket,) = dying.pump.station.waiting
    async with pool.transaction(db) as tx:
        await syncs.leave(tx, [_given_up(ticket.lease)], destination="crm")
        folding = asyncio.create_task(dying.happen(make.event(lane="delivery", status="picked_up")))
        await until(partial(_waits, db))
    await folding
    assert [("pending", 2)] == await rows(db, "SELECT state, desired_version FROM syncs")
    assert [("superseded",)] == await rows(db, "SELECT resolution FROM dead_letters")
    assert (await ledger.read(db))["balanced"] is True


async def test_what_is_given_up_while_a_newer_version_comes_is_tried_with_that(db: Pool) -> None:
    dying = station(db, Crm())
    await dying.happen(make.event(lane="payment", status="paid"))
    (ticket,) = dying.pump.station.waiting

    async def give_up() -> None:
        async with pool.transaction(db) as tx:
            await syncs.leave(tx, [_given_up(ticket.lease)], destination="crm")

    async with pool.transaction(db) as tx:
        await tx.execute("UPDATE syncs SET desired_version = 2")
        giving_up = asyncio.create_task(give_up())
        await until(partial(_waits, db))
    await giving_up
    assert [("pending", 2)] == await rows(db, "SELECT state, desired_version FROM syncs")
    assert [] == await rows(db, "SELECT * FROM dead_letters")


async def test_what_is_settled_while_a_newer_version_comes_is_owed_again(db: Pool) -> None:
    """One statement waits for whoever raises what is desired, and sees it."""
    told = station(db, Crm())
    await told.happen(make.event(lane="payment", status="paid"))
    (ticket,) = told.pump.station.waiting

    async def settle() -> dict[int, bool]:
        async with pool.session(db) as connection:
            return await syncs.settle(
                connection,
                [syncs.Settled(ticket.lease, 1, "paid")],
                destination="crm",
                life=timedelta(seconds=1),
                attempts=[_exchange(ticket.lease)],
            )

    async with pool.transaction(db) as tx:
        await tx.execute("UPDATE syncs SET desired_version = 2")
        settling = asyncio.create_task(settle())
        await until(partial(_waits, db))
    assert {ticket.lease.subject_id: True} == await settling
    assert [("pending", 1, True)] == await rows(
        db, "SELECT state, synced_version, due_at <= now() FROM syncs"
    )


async def test_an_exchange_is_kept_though_the_lease_was_lost(db: Pool) -> None:
    told = station(db, Crm())
    await told.happen(make.event())
    (ticket,) = told.pump.station.waiting
    lost = replace(ticket.lease, fence=ticket.lease.fence - 1)
    async with pool.session(db) as connection:
        settled = await syncs.settle(
            connection,
            [syncs.Settled(lost, 1, "paid")],
            destination="crm",
            life=timedelta(seconds=1),
            attempts=[_exchange(lost)],
        )
    assert {} == settled
    assert [("ok", 7)] == await rows(db, "SELECT class, ms FROM attempts")


def _exchange(lease: syncs.Lease) -> syncs.Attempt:
    return syncs.Attempt("callback", lease.subject_id, 1, "ok", 200, 7, "It was told.")


def _given_up(lease: syncs.Lease) -> syncs.Left:
    letter = DeadLetter(Reason.REFUSED, "It will not have it.")
    return syncs.Left(lease, 1, "dead", error=letter.summary, letter=letter)


async def _waits(db: Pool) -> bool:
    """Whether anybody waits for a lock of another."""
    query = "SELECT 1 FROM pg_locks WHERE NOT granted"
    return bool(await rows(db, query))


async def test_stopping_finishes_calls_and_gives_back_what_was_not_started(db: Pool) -> None:
    crm = Crm()
    crm.gate.clear()
    async with station(db, crm).running() as at_work:
        await at_work.happen(*(make.event(ref=f"o{n}") for n in range(10)))
        await until(_busy(crm, 4))
    assert len(crm.calls) == 4
    assert await rows(
        db,
        "SELECT state, lease_owner IS NULL, due_at <= now(), count(*) FROM syncs"
        " GROUP BY 1, 2, 3 ORDER BY 1",
    ) == [("pending", True, True, 6), ("synced", True, None, 4)]
