"""Endless tasks go in and are kept alive until they are told to stop, whatever ends them."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass
from enum import StrEnum

import structlog

from service.domain.errors import OrderhookError

log = structlog.get_logger()

Run = Callable[[asyncio.Event], Awaitable[None]]

HEALTHY = 30.0
"""A task that lived this many seconds starts again as quickly as at its first fall."""
LAST_GRACE = 1.0
"""Seconds a cancelled task has to clean up before it is left behind."""
SILENT = 14.0
"""Seconds a task that has work may be silent, unless another limit is set as it is started.

Every wait for a server ends sooner."""
DEEPEST = 32

Limit = Callable[[], float]


class Phase(StrEnum):
    RUNNING = "running"
    RESTARTING = "restarting"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class TaskState:
    phase: Phase
    restarts: int


@dataclass(slots=True)
class Pulse:
    """When a task last got somewhere, by the clock of the event loop."""

    beat_at: float
    idle: bool = True
    """It waits for work, and may do so for ever; a task that never beats counts as such."""
    beats: int = 0
    task: "asyncio.Task[None] | None" = None

    def move(self) -> None:
        self.beat_at = asyncio.get_running_loop().time()
        self.beats += 1


_pulse: ContextVar[Pulse | None] = ContextVar("pulse", default=None)


def beat() -> None:
    """Say that the supervised task this runs in gets on; a task that has work calls it often."""
    if (pulse := _own()) is not None:
        pulse.idle = False
    step()


def step() -> None:
    """Say that something was done for the supervised task, here or in a task that it started."""
    if (pulse := _pulse.get()) is not None:
        pulse.move()


def idle() -> None:
    """Say that it has nothing to do until something wakes it up, which is to `beat` again."""
    if (pulse := _own()) is not None:
        pulse.idle = True


def _own() -> Pulse | None:
    """The pulse of this very task; those it started inherit its context, not its state."""
    pulse = _pulse.get()
    return pulse if pulse is not None and pulse.task is asyncio.current_task() else None


@contextmanager
def _resting() -> Iterator[None]:
    """A wait that ends by itself is no silence."""
    pulse = _own()
    was_idle = pulse is None or pulse.idle
    idle()
    try:
        yield
    finally:
        if pulse is not None:
            pulse.move()
            pulse.idle = was_idle


@dataclass(slots=True)
class Backoff:
    """Waits that double from `first` to `limit` seconds; `jitter` in [0, 1) shortens each."""

    first: float
    limit: float
    jitter: Callable[[], float] = float
    _next: float = 0.0

    def next(self) -> float:
        wait = self._next or self.first
        self._next = min(wait * 2, self.limit)
        return wait * (1 - self.jitter() / 2)

    def reset(self) -> None:
        self._next = 0.0


async def pause(until: asyncio.Event, seconds: float) -> None:
    """Sleep, but not past the moment `until` is set; the watchdog does not count it."""
    with _resting(), suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await until.wait()


class Supervisor:
    """Judges a task by whether it is alive, not by whether it raised.

    One that returns, or is cancelled though nobody here did it, is dead all the same and is started
    again. `restarted` is told its name each time.
    """

    def __init__(
        self, *, restarted: Callable[[str], None], first: float = 0.1, limit: float = 5.0
    ) -> None:
        self._restarted = restarted
        self._first = first
        self._limit = limit
        self._stop = asyncio.Event()
        self._states: dict[str, TaskState] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}
        self._pulses: dict[str, Pulse] = {}
        self._limits: dict[str, Limit] = {}
        self._forsaken: set[str] = set()

    def start(self, name: str, run: Run, *, silent: Limit | float = SILENT) -> None:
        """Keep `run(stop)` alive under this name, which no other task may have.

        `silent` is for how many seconds it may lawfully not beat while it has work.
        """
        if name in self._keepers:
            raise ValueError(f"The task {name} runs already.")
        self._limits[name] = silent if callable(silent) else lambda: silent
        self._states[name] = TaskState(Phase.RUNNING, restarts=0)
        self._keepers[name] = asyncio.create_task(self._keep(name, run), name=f"keep-{name}")

    def states(self) -> Mapping[str, TaskState]:
        return dict(self._states)

    def silences(self) -> Mapping[str, float]:
        """For how many seconds each task has not got on; 0 while it waits for work."""
        now = asyncio.get_running_loop().time()
        return {
            name: 0.0 if pulse.idle else max(0.0, now - pulse.beat_at)
            for name, pulse in self._pulses.items()
        }

    @property
    def stopping(self) -> bool:
        return self._stop.is_set()

    def pulses(self) -> Mapping[str, Pulse]:
        """Those of the tasks that run now; a task that is started again has another one."""
        return {
            name: pulse
            for name, pulse in self._pulses.items()
            if self._states[name].phase is Phase.RUNNING
        }

    def limit(self, name: str) -> float:
        """For how many seconds a task may be silent."""
        return self._limits[name]()

    def cancel(self, name: str) -> None:
        """End a task that does not get on; it is started again as after any other end."""
        self._tasks[name].cancel()

    def forsake(self, name: str) -> None:
        """It cannot be ended: do not wait for it when everything stops."""
        self._forsaken.add(name)

    def place(self, name: str) -> Sequence[str]:
        """Where a task waits, the innermost place last."""
        return _places(self._tasks[name].get_coro())

    async def stop(self, deadline: float) -> None:
        """Ask every task to end, wait up to `deadline` seconds, cancel those that did not."""
        self._stop.set()
        await self._wait(deadline)
        for name, task in self._tasks.items():
            if not task.done():
                log.warning("task_cancelled", task=name, after_seconds=deadline)
                task.cancel()
        await self._wait(LAST_GRACE)
        for name, keeper in self._keepers.items():
            if not keeper.done():
                log.error("task_left_behind", task=name)
                keeper.cancel()

    async def _wait(self, seconds: float) -> None:
        awaited = {
            name: keeper for name, keeper in self._keepers.items() if name not in self._forsaken
        }
        if alive := [keeper for keeper in awaited.values() if not keeper.done()]:
            await asyncio.wait(alive, timeout=seconds)

    async def _keep(self, name: str, run: Run) -> None:
        backoff = Backoff(self._first, self._limit)
        clock = asyncio.get_running_loop().time
        while not self._stop.is_set():
            began = clock()
            self._pulses[name] = pulse = Pulse(began)
            self._tasks[name] = task = asyncio.create_task(self._call(run, pulse), name=name)
            pulse.task = task
            # Not `await task`: a cancellation that nobody asked for would end this keeper too.
            await asyncio.wait({task})
            if not self._stop.is_set():
                if clock() - began >= HEALTHY:
                    backoff.reset()
                await self._fall(name, task, wait=backoff.next())
            elif not task.cancelled() and (error := task.exception()) is not None:
                log.error("task_failed_while_stopping", task=name, exc_info=error)
        self._states[name] = TaskState(Phase.STOPPED, self._states[name].restarts)

    async def _call(self, run: Run, pulse: Pulse) -> None:
        _pulse.set(pulse)
        await run(self._stop)

    async def _fall(self, name: str, task: asyncio.Task[None], *, wait: float) -> None:
        """Say what happened and wait a little before the next start."""
        restarts = self._states[name].restarts + 1
        self._states[name] = TaskState(Phase.RESTARTING, restarts)
        self._restarted(name)
        ending, error = _ending(task)
        expected = isinstance(error, OrderhookError)
        log.error(
            "task_ended",
            task=name,
            ending=ending,
            reason=str(error) if expected else type(error).__name__,
            restarts=restarts,
            next_start_in=wait,
            exc_info=None if expected else error,
        )
        await pause(self._stop, wait)
        self._states[name] = TaskState(Phase.RUNNING, restarts)


def _ending(task: asyncio.Task[None]) -> tuple[str, BaseException | None]:
    if task.cancelled():
        return "cancelled", None
    error = task.exception()
    return ("raised", error) if error is not None else ("returned", None)


def _places(coroutine: object) -> Sequence[str]:
    """Follow who awaits whom; a task shows only its outermost frame by itself."""
    found: list[str] = []
    while (frame := getattr(coroutine, "cr_frame", None)) is not None and len(found) < DEEPEST:
        found.append(f"{frame.f_globals.get('__name__')}:{frame.f_lineno}")
        coroutine = getattr(coroutine, "cr_await", None)
    return found
