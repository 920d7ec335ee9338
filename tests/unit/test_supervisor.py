"""Supervised tasks: whatever ends them, they run again until they are told to stop."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from structlog.testing import capture_logs

from service.domain.errors import StoreUnavailable
from service.supervisor import Backoff, Phase, Supervisor, TaskState, pause

SOON = 2.0


class Falling:
    """Runs, falls in a given way the first times, and then behaves."""

    def __init__(self, fall: Callable[[], Awaitable[None]], *, times: int = 2) -> None:
        self._fall = fall
        self._times = times
        self.starts = 0
        self.steady = asyncio.Event()

    async def run(self, stop: asyncio.Event) -> None:
        self.starts += 1
        if self.starts <= self._times:
            await self._fall()
            return
        self.steady.set()
        await stop.wait()


class Supervised(Supervisor):
    """A supervisor in a hurry that remembers whom it started again."""

    def __init__(self) -> None:
        self.restarted: list[str] = []
        super().__init__(restarted=self.restarted.append, first=0.001, limit=0.01)


async def fall_silent() -> None:
    """End as if all were well."""


async def fall_cancelled() -> None:
    """End as a publish does on a frozen broker: cancelled by nobody."""
    raise asyncio.CancelledError


async def fall_raising() -> None:
    raise LookupError("no such thing")


async def fall_waiting_for_the_store() -> None:
    raise StoreUnavailable("PostgreSQL cannot be reached.")


@pytest.mark.parametrize(
    ("fall", "ending"),
    [
        (fall_silent, "returned"),
        (fall_cancelled, "cancelled"),
        (fall_raising, "raised"),
        (fall_waiting_for_the_store, "raised"),
    ],
)
async def test_a_task_that_ends_runs_again(
    fall: Callable[[], Awaitable[None]], ending: str
) -> None:
    supervisor, falling = Supervised(), Falling(fall)
    with capture_logs() as logs:
        supervisor.start("relay", falling.run)
        async with asyncio.timeout(SOON):
            await falling.steady.wait()
        assert {"relay": TaskState(Phase.RUNNING, restarts=2)} == supervisor.states()
        await supervisor.stop(SOON)
    assert 3 == falling.starts
    assert ["relay", "relay"] == supervisor.restarted
    assert [ending, ending] == [each["ending"] for each in logs if each["event"] == "task_ended"]
    assert {"relay": TaskState(Phase.STOPPED, restarts=2)} == supervisor.states()


async def test_a_task_whose_inner_await_is_cancelled_by_nobody_runs_again() -> None:
    async def lose_the_connection() -> None:
        lost = asyncio.get_running_loop().create_future()
        asyncio.get_running_loop().call_soon(lost.cancel)
        await lost

    supervisor, falling = Supervised(), Falling(lose_the_connection, times=1)
    supervisor.start("relay", falling.run)
    async with asyncio.timeout(SOON):
        await falling.steady.wait()
    await supervisor.stop(SOON)
    assert ["relay"] == supervisor.restarted


async def test_the_fall_of_one_task_leaves_the_others_alone() -> None:
    supervisor, falling = Supervised(), Falling(fall_raising)
    steady = Falling(fall_silent, times=0)
    supervisor.start("falling", falling.run)
    supervisor.start("steady", steady.run)
    async with asyncio.timeout(SOON):
        await falling.steady.wait()
    await supervisor.stop(SOON)
    assert 1 == steady.starts


async def test_a_failure_that_carries_a_sentence_is_told_without_a_traceback() -> None:
    supervisor, falling = Supervised(), Falling(fall_waiting_for_the_store, times=1)
    with capture_logs() as logs:
        supervisor.start("relay", falling.run)
        async with asyncio.timeout(SOON):
            await falling.steady.wait()
        await supervisor.stop(SOON)
    [told] = [each for each in logs if each["event"] == "task_ended"]
    assert ("PostgreSQL cannot be reached.", None) == (told["reason"], told["exc_info"])


async def test_stopping_lets_a_task_finish_what_it_does() -> None:
    finished = asyncio.Event()

    async def run(stop: asyncio.Event) -> None:
        await stop.wait()
        await asyncio.sleep(0.02)
        finished.set()

    supervisor = Supervised()
    supervisor.start("worker", run)
    await asyncio.sleep(0)
    await supervisor.stop(SOON)
    assert finished.is_set()
    assert [] == supervisor.restarted


async def test_a_task_that_ignores_stop_is_cancelled_at_the_deadline() -> None:
    cleaned_up = asyncio.Event()

    async def run(_: asyncio.Event) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up.set()

    supervisor = Supervised()
    supervisor.start("deaf", run)
    await asyncio.sleep(0)
    async with asyncio.timeout(SOON):
        await supervisor.stop(0.02)
    assert cleaned_up.is_set()
    assert {"deaf": TaskState(Phase.STOPPED, restarts=0)} == supervisor.states()


async def test_a_task_that_ignores_even_cancellation_is_left_behind() -> None:
    go = asyncio.Event()

    async def run(_: asyncio.Event) -> None:
        while not go.is_set():
            try:
                await go.wait()
            except asyncio.CancelledError:
                continue

    supervisor = Supervised()
    supervisor.start("stubborn", run)
    await asyncio.sleep(0)
    with capture_logs() as logs:
        async with asyncio.timeout(SOON):
            await supervisor.stop(0.02)
    assert "task_left_behind" in [each["event"] for each in logs]
    go.set()


async def test_a_task_waiting_to_be_started_again_does_not_delay_the_stop() -> None:
    supervisor = Supervisor(restarted=lambda _: None, first=60, limit=60)
    supervisor.start("relay", Falling(fall_silent).run)
    async with asyncio.timeout(SOON):
        while True:
            if supervisor.states()["relay"].phase is Phase.RESTARTING:
                break
            await asyncio.sleep(0)
        await supervisor.stop(SOON)
    assert {"relay": TaskState(Phase.STOPPED, restarts=1)} == supervisor.states()


async def test_two_tasks_cannot_share_a_name() -> None:
    supervisor = Supervised()
    supervisor.start("relay", Falling(fall_silent, times=0).run)
    with pytest.raises(ValueError, match="relay"):
        supervisor.start("relay", Falling(fall_silent, times=0).run)
    await supervisor.stop(SOON)


async def test_a_supervisor_without_tasks_stops_at_once() -> None:
    await Supervised().stop(SOON)


def test_waits_double_up_to_their_limit_until_they_are_reset() -> None:
    backoff = Backoff(first=1, limit=5)
    assert [1, 2, 4, 5, 5] == [backoff.next() for _ in range(5)]
    backoff.reset()
    assert 1 == backoff.next()


def test_jitter_shortens_a_wait_by_half_at_most() -> None:
    assert 6 == Backoff(first=8, limit=8, jitter=lambda: 0.5).next()


async def test_a_pause_ends_when_its_event_is_set() -> None:
    until = asyncio.Event()
    asyncio.get_running_loop().call_later(0.01, until.set)
    async with asyncio.timeout(SOON):
        await pause(until, 60)
    await pause(until, 60)
