"""Looks at supervised tasks once a second; one that does not get on is ended, or its process."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never

import structlog

from service import telemetry
from service.supervisor import Pulse, Supervisor, pause

log = structlog.get_logger()

LOOK = 1.0
SECOND_CHANCE = 4.0
"""Seconds a stalled task gets to go on by itself."""
CLEANING_UP = 10.0
"""Seconds a cancelled task gets to end: it may have to roll back, or to leave a queue."""


class Sight(StrEnum):
    """What is thought of a task, from its last looks."""

    FINE = "fine"
    STALLED = "stalled"
    ENDING = "ending"
    """It was cancelled, and is still there."""
    LOST = "lost"
    """Nothing ends it but the end of the process."""


@dataclass(slots=True)
class Patience:
    """Counts looks instead of reading a clock: whoever was stopped himself has seen no silence."""

    sight: Sight = Sight.FINE
    _beats: int = -1
    _missed: int = 0
    _limit: float = 0.0

    @property
    def silent(self) -> float:
        return self._missed * LOOK

    def look(self, *, beats: int, idle: bool, limit: float) -> Sight:
        """What a task is after one more look; one that is being ended is not let off any more."""
        if self.sight in {Sight.FINE, Sight.STALLED} and (idle or beats != self._beats):
            self._beats, self._missed, self._limit = beats, 0, limit
        else:
            self._missed += 1
        self.sight = _sight(self.silent - self._limit)
        return self.sight


def _sight(beyond: float) -> Sight:
    if beyond < 0:
        return Sight.FINE
    if beyond < SECOND_CHANCE:
        return Sight.STALLED
    return Sight.ENDING if beyond < SECOND_CHANCE + CLEANING_UP else Sight.LOST


@dataclass(slots=True)
class Watched:
    pulse: Pulse
    patience: Patience


class Watchdog:
    """`fail` is told why the process must end; `groups` may grow."""

    def __init__(self, groups: Sequence[Supervisor], *, fail: Callable[[str], None]) -> None:
        self._groups = groups
        self._fail = fail
        self._watched: dict[tuple[int, str], Watched] = {}

    @property
    def content(self) -> bool:
        """Whether every task gets on."""
        return all(one.patience.sight is Sight.FINE for one in self._watched.values())

    async def run(self, stop: asyncio.Event) -> None:
        while not stop.is_set():
            self.look()
            await pause(stop, LOOK)

    def look(self) -> None:
        """Look at every task once, and do what must be done."""
        before, self._watched = self._watched, {}
        for number, group in enumerate(self._groups):
            if group.stopping:
                continue
            for name, pulse in group.pulses().items():
                known = before.get((number, name))
                if known is None or known.pulse is not pulse:
                    known = Watched(pulse, Patience())
                self._watched[number, name] = known
                self._look_at(group, name, known)

    def _look_at(self, group: Supervisor, name: str, watched: Watched) -> None:
        pulse, patience = watched.pulse, watched.patience
        before = patience.sight
        after = patience.look(beats=pulse.beats, idle=pulse.idle, limit=group.limit(name))
        if after is not before:
            self._act(group, name, patience)

    def _act(self, group: Supervisor, name: str, patience: Patience) -> None:
        match patience.sight:
            case Sight.FINE:
                log.warning("task_goes_on", task=name)
            case Sight.STALLED:
                telemetry.TASK_STALLS.labels(name).inc()
                log.error("task_stalled", task=name, seconds=patience.silent, at=group.place(name))
            case Sight.ENDING:
                log.error("task_stopped", task=name, seconds=patience.silent)
                group.cancel(name)
            case Sight.LOST:
                log.critical("task_lost", task=name, seconds=patience.silent, at=group.place(name))
                group.forsake(name)
                self._fail(
                    f"The task {name} does not get on and cannot be ended: start the process again."
                )
            case _:
                assert_never(patience.sight)
