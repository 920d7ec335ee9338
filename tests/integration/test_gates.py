"""Breakers and pauses on a real PostgreSQL: what one worker finds out holds for all of them."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Any

import pytest

from service.domain.errors import NotFound
from service.domain.events import Subject
from service.ops import destinations
from service.settings import Destination
from service.store import pool
from service.store.pool import Pool, transaction
from service.worker.crms.base import Answer, Class
from service.worker.gate import Gate
from tests import rows

pytestmark = pytest.mark.postgres

RULE = Destination(name="crm", crm="callback", timeout=timedelta(seconds=1))
KNOWN = {"crm": RULE}
OK = Answer(Class.OK, "write", 200)
BUSY = Answer(Class.TRANSIENT, "write", 503, detail="It answered 503.")
LOST = Answer(Class.TRANSIENT, "write", detail="The call failed.", reached=False)
REFUSED = Answer(Class.AUTH, "write", 401, detail="The token is refused.")
UNPAID = Answer(Class.HUMAN, "write", 402, detail="The account is unpaid.")


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=8) as opened:
        yield opened


def order(number: int = 1) -> Subject:
    return Subject("order", "", str(number))


async def fail(gate: Gate, *, calls: int = 5, answer: Answer = BUSY) -> None:
    for number in range(calls):
        await gate.report([(order(number), answer)])


async def until(ask: Callable[[], Awaitable[bool]], *, seconds: float = 5) -> None:
    async with asyncio.timeout(seconds):
        while not await ask():
            await asyncio.sleep(0.02)


async def row(db: Pool) -> Any:
    async with transaction(db) as tx:
        return await tx.fetchrow("SELECT * FROM destinations WHERE name = 'crm'")


async def make_probe_due(db: Pool) -> None:
    async with transaction(db) as tx:
        await tx.execute("UPDATE destinations SET next_probe_at = now()")


async def put_probe_off(db: Pool) -> None:
    async with transaction(db) as tx:
        await tx.execute("UPDATE destinations SET next_probe_at = now() + interval '1 hour'")


async def test_failures_shut_the_gates_of_all_workers(db: Pool) -> None:
    one, other = Gate(RULE, pool=db), Gate(RULE, pool=db)
    assert (8, 8) == (await one.admits(8), await other.leases(8))
    await fail(one)
    await put_probe_off(db)
    assert one.shut
    assert (0, 0) == (await one.admits(8), await one.leases(8))

    async def other_is_shut() -> bool:
        return await other.admits(8) == 0

    await until(other_is_shut, seconds=1.5)
    found = await row(db)
    assert ("open", "It answered 503.") == (found["breaker"], found["last_error"])


async def test_a_call_of_many_orders_is_one_call(db: Pool) -> None:
    gate = Gate(RULE, pool=db)
    for _ in range(20):
        await gate.report([(order(1), BUSY), (order(2), BUSY), (order(3), BUSY)])
    assert not gate.shut


async def test_one_bad_order_shuts_nothing(db: Pool) -> None:
    gate = Gate(RULE, pool=db)
    for number in range(50):
        await gate.report([(order(0), BUSY), (order(number), BUSY)])
    assert not gate.shut
    assert None is await row(db)


async def test_a_destination_that_cannot_be_reached_shuts_at_the_second_call(db: Pool) -> None:
    gate = Gate(RULE, pool=db)
    await gate.report([(order(), LOST)])
    assert not gate.shut
    await gate.report([(order(), LOST)])
    assert gate.shut


async def test_refusals_of_single_orders_say_that_it_is_well(db: Pool) -> None:
    gate = Gate(RULE, pool=db)
    for number in range(20):
        await gate.report([(order(number), BUSY)])
        if number % 3 == 2:
            await gate.report([(order(number), Answer(Class.PERMANENT, "write", 422))])
    assert not gate.shut


async def test_of_all_workers_only_one_probes_at_a_time(db: Pool) -> None:
    gates = [Gate(RULE, pool=db) for _ in range(6)]
    await fail(gates[0])
    for _ in range(3):
        await make_probe_due(db)

        async def all_know() -> bool:
            return all([await gate.leases(4) == 1 for gate in gates])

        await until(all_know)
        admitted = await asyncio.gather(*(gate.admits(4) for gate in gates))
        assert [0, 0, 0, 0, 0, 1] == sorted(admitted)
        prober = gates[admitted.index(1)]
        assert 0 == sum(await asyncio.gather(*(gate.admits(4) for gate in gates)))
        await prober.report([(order(), BUSY)])
        assert prober.shut
    found = await row(db)
    assert (3, True) == (found["probes"], found["next_probe_at"] > found["updated_at"])


async def test_a_probe_that_goes_well_lets_all_workers_call_again(db: Pool) -> None:
    one, other = Gate(RULE, pool=db), Gate(RULE, pool=db)
    await fail(one)
    await make_probe_due(db)

    async def claimed() -> bool:
        return await one.admits(8) == 1

    await until(claimed)
    await one.report([(order(), OK)])
    assert 8 == await one.admits(8)

    async def other_goes_on() -> bool:
        return await other.admits(8) == 8

    await until(other_goes_on, seconds=1.5)
    found = await row(db)
    assert ("closed", None, 0) == (found["breaker"], found["next_probe_at"], found["probes"])


async def test_a_probe_that_was_not_needed_is_given_back(db: Pool) -> None:
    one, other = Gate(RULE, pool=db), Gate(RULE, pool=db)
    await fail(one)
    await make_probe_due(db)

    async def claimed() -> bool:
        return await one.admits(8) == 1

    await until(claimed)
    await one.forgo()

    async def other_claims() -> bool:
        return await other.admits(8) == 1

    await until(other_claims, seconds=1.5)


async def test_a_call_from_before_changes_no_time_of_a_probe(db: Pool) -> None:
    gate = Gate(RULE, pool=db)
    await fail(gate)
    before = (await row(db))["next_probe_at"]
    await fail(gate, calls=10)
    assert before == (await row(db))["next_probe_at"]
    await gate.report([(order(), OK)])
    assert not gate.shut


@pytest.mark.parametrize(("answer", "cause"), [(REFUSED, "auth"), (UNPAID, "human")])
async def test_what_only_a_person_can_mend_pauses_with_reason_and_remedy(
    db: Pool, answer: Answer, cause: str
) -> None:
    gate = Gate(RULE, pool=db)
    await gate.report([(order(), answer)])
    assert gate.shut
    assert (0, 0) == (await gate.admits(8), await gate.leases(8))
    (item,) = (await destinations.listed(db, KNOWN))["items"]
    paused = item["paused"]
    assert ("paused", "orderhook", cause, answer.detail) == (
        item["state"],
        paused["by"],
        paused["cause"],
        paused["reason"],
    )
    assert "orderhook destinations resume crm" in paused["remedy"]


async def test_an_operator_pauses_and_resumes_and_what_is_owed_is_due_at_once(db: Pool) -> None:
    gate = Gate(RULE, pool=db)
    async with transaction(db) as tx:
        await rows.sync(tx, await rows.subject(tx))
        await tx.execute("UPDATE syncs SET due_at = now() + interval '1 hour', state = 'pending'")
    item = await destinations.pause(db, KNOWN, "crm", actor="anna", reason="They move house.")
    assert ("paused", "anna", "operator") == (
        item["state"],
        item["paused"]["by"],
        item["paused"]["cause"],
    )
    assert 0 == await gate.admits(8)
    item = await destinations.resume(db, KNOWN, "crm", actor="bea", reason="They have moved.")
    assert ("running", None, 1) == (item["state"], item["paused"], item["hastened"])

    async def goes_on() -> bool:
        return await gate.admits(8) == 8

    await until(goes_on, seconds=1.5)
    async with transaction(db) as tx:
        assert await tx.fetchval("SELECT due_at <= now() FROM syncs")
        done = await tx.fetch(
            "SELECT actor, action, target, detail FROM operator_actions ORDER BY id"
        )
    assert [
        ("anna", "destination.pause", "crm", {"reason": "They move house."}),
        ("bea", "destination.resume", "crm", {"reason": "They have moved."}),
    ] == [tuple(each) for each in done]


async def test_a_resume_closes_the_breaker(db: Pool) -> None:
    gate = Gate(RULE, pool=db)
    await fail(gate)
    item = await destinations.resume(db, KNOWN, "crm", actor="anna", reason="It is back.")
    assert ("running", "closed") == (item["state"], item["breaker"]["position"])


async def test_a_destination_nobody_configured_cannot_be_paused(db: Pool) -> None:
    with pytest.raises(NotFound, match="There is no destination crmm; configured are: crm"):
        await destinations.pause(db, KNOWN, "crmm", actor="anna", reason="x")


async def test_without_its_database_a_gate_stands_as_it_stood(database: str) -> None:
    async with pool.opened(database, size=1) as db:
        gate = Gate(RULE, pool=db)
        assert 8 == await gate.admits(8)
        await db.close()
        begun = time.monotonic()
        await fail(gate, calls=6)
        await gate.report([(order(), REFUSED)])
        assert 8 == await gate.admits(8)
        assert time.monotonic() - begun < 10
