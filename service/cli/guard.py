"""The pulse of an event loop goes in; when it stops for good, the process ends without the loop.

A blocked loop can neither answer nor notice. So a thread counts its own looks that saw no pulse;
a clock would misjudge a process, or a machine, that was stopped for a while and goes on.
What holds the interpreter's lock all the time stops this thread, too: there `/health/live` tells.
"""

import asyncio
import os
import sys
import threading
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import structlog

log = structlog.get_logger()

LOOK = 1.0
LOOKS = 27
"""Without a pulse in between: half a minute with the last words."""
LEAVING = 10
"""Looks that the end of a loop may take: it waits for tasks that were left behind."""
LAST_WORDS = 2.0
"""Seconds for saying why; whoever should read it may be what everything waits for."""
CODE = 70


class Guard:
    """Watches once it is armed, until its block ends; a start may stand still for long."""

    def __init__(
        self, *, look: float = LOOK, looks: int = LOOKS, end: Callable[[], None] | None = None
    ) -> None:
        self._look = look
        self._looks = looks
        self._end = end or end_process
        self._pulses = 0
        self._armed = False
        self._over = threading.Event()

    def __enter__(self) -> Self:
        threading.Thread(target=self._watch, name="guard", daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._over.set()

    def arm(self) -> None:
        self._armed = True

    @contextmanager
    def pulse(self) -> Iterator[None]:
        """Let the running loop show that it runs; after that it has little time left to end."""
        loop = asyncio.get_running_loop()
        timer: asyncio.TimerHandle | None = None

        def beat() -> None:
            nonlocal timer
            self._pulses += 1
            timer = loop.call_later(self._look / 2, beat)

        beat()
        try:
            yield
        finally:
            if timer is not None:
                timer.cancel()
            self._looks = min(self._looks, LEAVING)

    def _watch(self) -> None:
        seen, missed = 0, 0
        while not self._over.wait(self._look):
            pulses = self._pulses
            missed = missed + 1 if pulses == seen and self._armed else 0
            seen = pulses
            if missed >= self._looks:
                self._end()
                return


def end_process() -> None:
    """End it from any thread, and say where each of them was."""
    telling = threading.Thread(target=_tell, name="last-words", daemon=True)
    telling.start()
    telling.join(LAST_WORDS)
    os._exit(CODE)


def _tell() -> None:
    """Not by `faulthandler`: it writes with the interpreter's lock held, and may write for ever."""
    frames = sys._current_frames()  # noqa: SLF001 - documented
    stacks = ["".join(traceback.format_stack(frame)) for frame in frames.values()]
    log.critical("loop_blocked", exit_code=CODE, stacks=stacks)
