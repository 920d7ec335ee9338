"""Processes are killed, frozen and stopped in the middle of a burst; nothing is lost or doubled."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.acceptance import checker
from tests.acceptance.bridge import Bridge
from tests.acceptance.senders import STRIPE, WMS, Witness, posts, stories
from tests.acceptance.stage import Stage, until

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]

ROLES = ("gateway", "relay", "worker-1", "worker-2")
PAST_THE_LEASE = 13.0
"""Seconds; a lease runs two call time-outs of a second and ten more."""
STOPS_WITHIN = 20.0


@asynccontextmanager
async def burst(
    witness: Witness, *, seed: int, orders: int = 80, copies: int = 2
) -> AsyncIterator[None]:
    """The body of the block runs in the middle of it."""
    batch = posts(stories(orders, seed=seed), witness.sources, seed=seed, copies=copies)
    sending = asyncio.create_task(witness.send(batch))
    await until(
        lambda: sending.done() or len(witness.attempts) > len(batch) // 4, "the burst is under way"
    )
    assert not sending.done()
    try:
        yield
    finally:
        await sending


async def test_a_killed_gateway_forgets_nothing_it_acknowledged(stage: Stage) -> None:
    """PostgreSQL is far away, so that at any moment many posts wait for their commit."""
    await stage.open_crm()
    await stage.open("relay", "worker-1", "worker-2")
    bridge = Bridge(stage.store, delay=0.02)
    await bridge.open()
    stage.store = bridge.url
    await stage.open("gateway")
    witness = stage.witness()
    async with burst(witness, seed=20, copies=1):
        stage.programs["gateway"].kill()
        await stage.again("gateway")
    assert {None, 202} <= {one.status for one in witness.attempts}
    await checker.prove(witness, stage.places)
    await bridge.cut()


async def test_posts_that_a_killed_gateway_never_answered_are_in_once_or_out(
    stage: Stage,
) -> None:
    await stage.open_crm()
    await stage.open("all")
    witness = stage.witness()
    batch = posts(stories(80, seed=21), witness.sources, seed=21)
    sending = asyncio.create_task(witness.send(batch, rate=600, gives_up=lambda _: True))
    await until(lambda: len(witness.attempts) > len(batch) // 2, "half of the burst is sent")
    stage.programs["all"].kill()
    await sending
    await stage.again("all")
    assert witness.doubtful
    await checker.prove(witness, stage.places)


async def test_a_killed_worker_and_a_killed_relay_are_made_up_for(stage: Stage) -> None:
    """The worker stays dead: the other one takes over what it had in hand."""
    await stage.open_crm()
    await stage.open(*ROLES)
    witness = stage.witness()
    async with burst(witness, seed=22):
        stage.programs["worker-1"].kill()
        stage.programs["relay"].kill()
        await stage.again("relay")
    await checker.prove(witness, stage.places)


async def test_a_worker_that_wakes_after_its_lease_changes_nothing_more(stage: Stage) -> None:
    await stage.open_crm()
    await stage.open(*ROLES)
    witness = stage.witness()
    await stage.behave(mode="ok", delay_ms=200)
    async with burst(witness, seed=23):
        stage.programs["worker-1"].send(signal.SIGSTOP)
    await stage.behave(mode="ok")
    await asyncio.sleep(PAST_THE_LEASE)
    frozen = stage.programs["worker-1"]
    frozen.send(signal.SIGCONT)
    await until(lambda: "sync_fence_lost" in frozen.output, "it notices that its leases are lost")
    await checker.prove(witness, stage.places)
    more = posts(stories(20, seed=24), witness.sources, seed=24)
    await witness.send(more)
    await checker.prove(witness, stage.places)


async def test_a_stop_under_load_loses_nothing_and_is_quick(stage: Stage) -> None:
    """Every role is told to stop while it has work in hand, one after the other."""
    await stage.open_crm()
    await stage.open(*ROLES)
    witness = stage.witness()
    await stage.behave(mode="ok", delay_ms=100)
    async with burst(witness, seed=25):
        for role in ROLES:
            code = await asyncio.wait_for(stage.programs[role].end(), STOPS_WITHIN)
            assert (role, 0) == (role, code)
            await stage.again(role)
    await checker.prove(witness, stage.places)


async def test_a_stop_of_the_single_process_under_load_ends_in_time(stage: Stage) -> None:
    await stage.open_crm()
    await stage.open("all")
    witness = stage.witness()
    await stage.behave(mode="hang")
    async with burst(witness, seed=26, orders=40):
        code = await asyncio.wait_for(stage.programs["all"].end(), STOPS_WITHIN)
        assert 0 == code
        await stage.behave(mode="ok")
        await stage.again("all")
    await checker.prove(witness, stage.places)


async def test_while_postgresql_is_away_the_spool_answers_but_for_strict_sources(
    stage: Stage,
) -> None:
    await stage.open_crm()
    bridge = Bridge(stage.store)
    await bridge.open()
    stage.store = bridge.url
    await stage.open(*ROLES)
    witness = stage.witness()
    async with burst(witness, seed=27):
        await bridge.cut()
        seen = len(witness.attempts)
        await until(lambda: _answers(witness, STRIPE, seen) >= {503}, "a strict post is put off")
        put_off = next(one for one in witness.attempts[seen:] if one.status == 503)
        assert "Retry-After" in put_off.headers
        await until(lambda: _answers(witness, WMS, seen) == {202}, "the spool takes another one")
        await bridge.open()
    await checker.prove(witness, stage.places)
    await bridge.cut()


async def test_a_gateway_killed_with_a_full_spool_brings_it_home_after_its_start(
    stage: Stage,
) -> None:
    await stage.open_crm()
    bridge = Bridge(stage.store)
    await bridge.open()
    stage.store = bridge.url
    await stage.open(*ROLES)
    witness = stage.witness()
    async with burst(witness, seed=28):
        await bridge.cut()
        seen = len(witness.attempts)
        await until(lambda: len(witness.attempts) > seen + 50, "some more are answered")
        stage.programs["gateway"].kill()
        await bridge.open()
        await stage.again("gateway")
    await checker.prove(witness, stage.places)
    await bridge.cut()


def _answers(witness: Witness, source: str, since: int) -> set[int | None]:
    """The statuses a source got, the doubtful moment of the cut left out."""
    later = [one for one in witness.attempts[since + 20 :] if one.post.source == source]
    return {one.status for one in later}
