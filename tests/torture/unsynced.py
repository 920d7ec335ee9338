"""What a process wrote and never synced: its calls are traced, and dropped as by a loss of power.

SIGKILL is no loss of power: the kernel keeps what was written. So what no fsync had reached is
overwritten with zeros, once the process is dead; what comes back then was on the disk. Only write-
ahead logs are treated so: of what was not synced any part may have reached the disk, so the other
files may keep all.
"""

import asyncio
import re
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path

ATTACHED_WITHIN = 10.0
ENDS_WITHIN = 10.0
CALLS = "pwrite64,fdatasync,fsync"
CALL = re.compile(
    r"^(?P<call>pwrite64|fdatasync|fsync)\(\d+<(?P<path>[^>]+)>"
    r"(?:, .*, (?P<size>\d+), (?P<start>\d+))?(?:\)| <unfinished).*?(?:= (?P<result>-?\d+|\?).*)?$"
)
LOG = "-wal"

Range = tuple[int, int]
"""Where it begins and how long it is."""


class Trace:
    """Of one process and its threads, from `attach` to its end."""

    def __init__(self, pid: int, folder: Path) -> None:
        self._pid = pid
        self._folder = folder
        self._process: Process | None = None

    async def attach(self) -> None:
        """Return when every thread is traced, or when there is nothing any more to trace."""
        self._folder.mkdir()
        self._process = await asyncio.create_subprocess_exec(
            *("strace", "-ff", "-qq", "-y", "-s", "0", "-e", f"trace={CALLS}", "-e", "signal=none"),
            *("-o", str(self._folder / "calls"), "-p", str(self._pid)),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=PIPE,
            start_new_session=True,
        )
        async with asyncio.timeout(ATTACHED_WITHIN):
            while (threads := Path(f"/proc/{self._pid}/task")).exists() and not _are_traced(
                threads
            ):
                await asyncio.sleep(0.02)

    async def ended(self) -> dict[Path, list[Range]]:
        """What was never synced of each log, when the process has been killed."""
        assert self._process is not None
        async with asyncio.timeout(ENDS_WITHIN):
            await self._process.wait()
        found: dict[Path, list[Range]] = defaultdict(list)
        # One file for each thread; all a log's calls are made by the one that owns it.
        for path in sorted(self._folder.iterdir()):
            for log, ranges in unsynced(path.read_text("utf-8", "replace").splitlines()).items():
                found[log] += ranges
        return found


def _are_traced(threads: Path) -> bool:
    try:
        told = [(thread / "status").read_text() for thread in threads.iterdir()]
    except (FileNotFoundError, ProcessLookupError):  # one ended meanwhile
        return False
    return not any("TracerPid:\t0\n" in status for status in told)


def unsynced(lines: Iterable[str]) -> dict[Path, list[Range]]:
    """The writes to each log that no sync followed; a sync that did not return counts for none."""
    found: dict[Path, list[Range]] = {}
    for line in lines:
        said = CALL.match(line)
        if said is None or not said["path"].endswith(LOG):
            continue
        path = Path(said["path"])
        if said["call"] == "pwrite64":
            found.setdefault(path, []).append((int(said["start"]), int(said["size"])))
        elif said["result"] == "0":
            found.pop(path, None)
    return found


def drop(path: Path, ranges: Iterable[Range]) -> int:
    """Overwrite them with zeros, as far as the file goes; how many bytes."""
    size, gone = path.stat().st_size, 0
    with path.open("r+b") as file:
        for start, length in ranges:
            length = min(length, size - start)  # noqa: PLW2901
            if length > 0:
                file.seek(start)
                file.write(bytes(length))
                gone += length
    return gone
