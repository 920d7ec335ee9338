"""Pids in, seconds of CPU out: of a process, of all it started, and of those that ended since."""

import asyncio
import time
from collections.abc import Mapping
from contextlib import suppress

import psutil

CALM = 0.05
"""The share of a core below which a server rests."""
LOOK = 0.5
PATIENCE = 30.0


def spent(root: int) -> float:
    """Seconds so far; a child that ended is in what its parent counts of children."""
    found = psutil.Process(root)
    seconds = 0.0
    for process in (found, *found.children(recursive=True)):
        with suppress(psutil.NoSuchProcess):
            seconds += sum(process.cpu_times()[:4])
    return seconds


class Meter:
    """What named servers used since it was made."""

    def __init__(self, roots: Mapping[str, int]) -> None:
        self._roots = roots
        self._begun = {name: spent(root) for name, root in roots.items()}

    def used(self) -> dict[str, float]:
        return {name: spent(root) - self._begun[name] for name, root in self._roots.items()}


def each(used: Mapping[str, float], many: int) -> dict[str, float]:
    """Microseconds for each of so many, by name."""
    return {name: seconds / many * 1e6 for name, seconds in used.items()}


async def calm(roots: Mapping[str, int], *, within: float = PATIENCE) -> bool:
    """Wait until what they do after the fact is done: checkpoints, vacuums, flushes."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        meter, began = Meter(roots), time.monotonic()
        await asyncio.sleep(LOOK)
        if sum(meter.used().values()) < CALM * (time.monotonic() - began):
            return True
    return False
