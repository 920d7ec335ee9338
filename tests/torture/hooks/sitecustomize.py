"""Loaded by every role under torture: SIGUSR2 makes it write down where each of its tasks is."""

import asyncio
import signal
import sys
from types import FrameType


def tell(_number: int, _frame: FrameType | None) -> None:
    # Not all_tasks(): a signal's handler may run outside of any loop.
    for task in list(vars(asyncio.tasks)["_all_tasks"]):
        if not task.done():
            task.print_stack(limit=6, file=sys.stderr)
    sys.stderr.flush()


signal.signal(signal.SIGUSR2, tell)
