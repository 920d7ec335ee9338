"""A file of requests and an address in, what wrk saw out: the rate, the times, the failures."""

import asyncio
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests import servers

CONNECTIONS = 64
SCRIPT = Path(__file__).with_name("feed.lua")
NONE = (
    "The benchmark needs wrk and this machine has none: install it (Debian and Ubuntu: "
    "apt install wrk; macOS: brew install wrk), or run this as root, which installs it."
)


@dataclass(frozen=True, slots=True)
class Shot:
    """What wrk says of its time."""

    requests: int
    seconds: float
    laps: int
    """How often it began with the file anew; above 0 some were sent twice."""
    refused: int
    """Answers of 400 and above."""
    unanswered: int
    p50: float
    """Milliseconds, while every connection asks for the next one at once."""
    p99: float
    cpu: float
    """Seconds of CPU of wrk itself."""

    @property
    def rate(self) -> float:
        return self.requests / self.seconds


def find() -> str:
    """Where wrk is; as root on Debian it is installed when missing."""
    if shutil.which("wrk") is None and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stderr.write("Installing wrk with apt-get.\n")
        servers.install("wrk", unless=lambda: shutil.which("wrk") is not None)
    found = shutil.which("wrk")
    if found is None:
        sys.exit(NONE)
    return found


async def shoot(url: str, file: Path, *, seconds: int, connections: int = CONNECTIONS) -> Shot:
    """Ask for as long as that, with so many connections that each wait for their answer."""
    return await asyncio.to_thread(_shoot, url, file, seconds, connections)


def _shoot(url: str, file: Path, seconds: int, connections: int) -> Shot:
    words = ["--threads", "1", "--connections", str(connections), "--duration", f"{seconds}s"]
    words += ["--timeout", "10s", "--script", str(SCRIPT), url, "--", str(file)]
    process = subprocess.Popen([find(), *words], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    with process.stdout as output:
        said = output.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, said
    return Shot(**json.loads(said.strip().splitlines()[-1]), cpu=used.ru_utime + used.ru_stime)
