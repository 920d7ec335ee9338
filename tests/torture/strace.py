"""System calls of running processes made to fail or to take long."""

import asyncio
import signal
from asyncio.subprocess import DEVNULL, Process
from contextlib import suppress


class Strace:
    """One tracer for many processes and the children they make; `what` as in `-e inject=`."""

    def __init__(self, what: str, *more: str) -> None:
        self._what = what
        self._more = more
        self._process: Process | None = None

    async def attach(self, pids: list[int]) -> None:
        calls = self._what.partition(":")[0]
        self._process = await asyncio.create_subprocess_exec(
            *("strace", "-f", "-qq", "-o", "/dev/null", "-e", f"trace={calls}"),
            *("-e", f"inject={self._what}", *self._more),
            *(word for pid in pids for word in ("-p", str(pid))),
            stdin=DEVNULL,
            stdout=DEVNULL,
            stderr=DEVNULL,
            start_new_session=True,
        )

    async def detach(self) -> None:
        """Interrupted it lets go of everything; killed it would take some along."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.send_signal(signal.SIGINT)
        try:
            async with asyncio.timeout(5):
                await self._process.wait()
        except TimeoutError:
            with suppress(ProcessLookupError):
                self._process.kill()
            await self._process.wait()
