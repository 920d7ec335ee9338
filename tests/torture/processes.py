"""Pids in, trees of processes out: what must be killed or frozen together."""

import os
import signal
from collections import defaultdict
from contextlib import suppress
from pathlib import Path


def tree(root: int) -> list[int]:
    """The process and all that descend from it, the root first."""
    children: dict[int, list[int]] = defaultdict(list)
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name in parentheses may hold spaces.
            fields = path.read_text().rpartition(")")[2].split()
            children[int(fields[1])].append(int(path.parent.name))
    found = [root]
    for pid in found:
        found += children[pid]
    return found


def send(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)
