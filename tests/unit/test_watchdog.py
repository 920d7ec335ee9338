"""The watch over supervised tasks: what is seen of them, and what is done about it."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from service import supervisor
from service.app.watchdog import CLEANING_UP, SECOND_CHANCE, Patience, Sight, Watchdog
from service.supervisor import SILENT, Phase, Pulse, Supervisor, TaskState, pause

SOON = 2.0
LIMIT = 14.0


def sights(
    patience: Patience, looks: int, *, beats: int = 0, idle: bool = False
) -> Sequence[Sight]:
    return [patience.look(beats=beats, idle=idle, limit=LIMIT) for _ in range(looks)]


def test_a_silent_task_is_stalled_within_15_seconds_and_dealt_with_within_30() -> None:
    seen = sights(Patience(), 35)
    assert [14, 18, 28] == [seen.index(each) for each in (Sight.STALLED, Sight.ENDING, Sight.LOST)]


def test_a_task_that_beats_or_waits_for_work_is_never_stalled() -> None:
    beating, idle = Patience(), Patience()
    for beats in range(60):
        assert Sight.FINE is beating.look(beats=beats, idle=False, limit=LIMIT)
    assert {Sight.FINE} == set(sights(idle, 60, idle=True))


def test_a_stalled_task_that_beats_again_is_let_off() -> None:
    patience = Patience()
    assert Sight.STALLED is sights(patience, 16)[-1]
    assert Sight.FINE is patience.look(beats=1, idle=False, limit=LIMIT)
    assert {Sight.FINE} == set(sights(patience, 13, beats=1))


def test_beats_while_it_cleans_up_do_not_save_a_task_that_is_being_ended() -> None:
    patience = Patience()
    assert Sight.ENDING is sights(patience, 19)[-1]
    seen = [patience.look(beats=beats, idle=True, limit=LIMIT) for beats in range(1, 12)]
    assert Sight.LOST is seen[-1]


def test_a_limit_that_grows_later_does_not_save_it_either() -> None:
    patience = Patience()
    assert Sight.ENDING is sights(patience, 19)[-1]
    assert Sight.ENDING is patience.look(beats=0, idle=False, limit=1000)


class Group(Supervisor):
    """A supervisor in a hurry."""

    def __init__(self) -> None:
        super().__init__(restarted=lambda _: None, first=0.001, limit=0.01)


class Stuck:
    """Beats once and hangs, the first times; `stubborn` ones swallow being cancelled."""

    def __init__(self, *, times: int = 1, stubborn: bool = False) -> None:
        self._times = times
        self._stubborn = stubborn
        self.starts = 0
        self.hangs = asyncio.Event()
        self.steady = asyncio.Event()
        self.free = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.starts += 1
        if self.starts > self._times:
            self.steady.set()
            await stop.wait()
            return
        supervisor.beat()
        self.hangs.set()
        while not self.free.is_set():
            try:
                await self.free.wait()
            except asyncio.CancelledError:
                if not self._stubborn:
                    raise


@asynccontextmanager
async def watched(stuck: Stuck) -> AsyncIterator[tuple[Group, Watchdog, list[str]]]:
    group, failures = Group(), list[str]()
    group.start("relay", stuck.run)
    async with asyncio.timeout(SOON):
        await stuck.hangs.wait()
        yield group, Watchdog([group], fail=failures.append), failures
        stuck.free.set()
        await group.stop(SOON)


def look(watchdog: Watchdog, times: float) -> None:
    for _ in range(int(times)):
        watchdog.look()


def stalls() -> float:
    found = REGISTRY.get_sample_value("orderhook_task_stalls_total", {"task": "relay"})
    return found or 0.0


async def test_a_stuck_task_is_told_then_cancelled_and_runs_again() -> None:
    stuck, before = Stuck(), stalls()
    async with watched(stuck) as (group, watchdog, failures):
        with capture_logs() as logs:
            look(watchdog, SILENT)
            assert watchdog.content
            look(watchdog, 1)
            assert not watchdog.content
            assert 1 == stalls() - before
            look(watchdog, SECOND_CHANCE)
            await stuck.steady.wait()
            look(watchdog, 1)
        assert watchdog.content
        assert {"relay": TaskState(Phase.RUNNING, restarts=1)} == group.states()
        assert [] == failures
    told = {each["event"]: each for each in logs}
    assert ["task_stalled", "task_stopped", "task_ended"] == list(told)
    assert any(
        place.startswith("tests.unit.test_watchdog:") for place in told["task_stalled"]["at"]
    )
    assert "cancelled" == told["task_ended"]["ending"]


async def test_a_task_that_swallows_its_cancellation_fails_the_process_once() -> None:
    stuck = Stuck(stubborn=True)
    async with watched(stuck) as (group, watchdog, failures):
        for _ in range(int(SILENT + SECOND_CHANCE + CLEANING_UP) + 10):
            watchdog.look()
            await asyncio.sleep(0)
        assert not watchdog.content
        assert [True] == ["relay does not get on" in failure for failure in failures]
        assert 1 == stuck.starts
        clock = asyncio.get_running_loop().time
        began = clock()
        await group.stop(60)
        assert clock() - began < 1, "what cannot be ended is not waited for"


async def test_nobody_is_looked_at_who_is_told_to_stop() -> None:
    stuck = Stuck(stubborn=True)
    async with watched(stuck) as (group, watchdog, failures):
        stopping = asyncio.create_task(group.stop(SOON))
        await asyncio.sleep(0)
        look(watchdog, 100)
        assert ([], True) == (failures, watchdog.content)
        stuck.free.set()
        await stopping


@pytest.mark.parametrize("inner", [True, False])
async def test_a_bounded_wait_is_no_silence_and_changes_nothing_else(*, inner: bool) -> None:
    """Not even in a task that the supervised one started: it inherits the context."""
    waits = asyncio.Event()

    async def run(stop: asyncio.Event) -> None:
        supervisor.beat()
        waiting = pause(stop, 60)
        waits.set()
        await (asyncio.create_task(_call(waiting)) if inner else waiting)

    group = Group()
    group.start("relay", run)
    await waits.wait()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert group.pulses()["relay"].idle is not inner
    await group.stop(SOON)


async def _call(waiting: "asyncio.Future[None] | object") -> None:
    assert asyncio.iscoroutine(waiting)
    await waiting


async def test_a_step_in_a_task_it_started_is_progress_but_wakes_nobody() -> None:
    done = asyncio.Event()

    async def child() -> None:
        supervisor.beat()
        supervisor.idle()
        done.set()

    async def run(stop: asyncio.Event) -> None:
        supervisor.beat()
        await asyncio.create_task(child())
        await stop.wait()

    group = Group()
    group.start("relay", run)
    await done.wait()
    pulse: Pulse = group.pulses()["relay"]
    assert (False, 2) == (pulse.idle, pulse.beats)
    await group.stop(SOON)


async def test_a_task_may_say_how_long_it_may_be_silent() -> None:
    limits = [1.0]

    async def run(stop: asyncio.Event) -> None:
        await stop.wait()

    group = Group()
    group.start("usual", run)
    group.start("call", run, silent=lambda: limits[0])
    group.start("jobs", run, silent=35)
    limits[0] = 60.0
    assert [SILENT, 60.0, 35] == [group.limit(name) for name in ("usual", "call", "jobs")]
    await group.stop(SOON)
