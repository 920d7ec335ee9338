"""A file of requests sent by a process of its own: all of it, at a rate or as fast as it goes."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from dataclasses import dataclass
from pathlib import Path

from tests.bench.steady import CONNECTIONS


@dataclass(frozen=True, slots=True)
class Sent:
    requests: int
    seconds: float
    cpu: float
    """Seconds of CPU of the sender."""
    failed: dict[str, int]
    """How many by status, or `lost`; every answer but 202 is one."""
    p50: float
    """Milliseconds from the moment a request was due."""
    p99: float
    worst: float

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


async def send(url: str, file: Path, *, rate: float = 0.0, connections: int = CONNECTIONS) -> Sent:
    """All requests of the file; any that is not accepted ends the benchmark."""
    words = ["-m", "tests.bench.steady", url, str(file), "--rate", str(rate)]
    words += ["--connections", str(connections)]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, stdout=PIPE)
    said, _ = await process.communicate()
    assert process.returncode == 0, f"the sender ended with {process.returncode}"
    sent = Sent(**json.loads(said))
    assert not sent.failed, sent.failed
    return sent
