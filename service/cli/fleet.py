"""`run --processes N`: a parent that holds the port and starts, watches and stops N processes."""

import asyncio
import contextlib
import signal
import socket
import tempfile
from asyncio.subprocess import Process
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import orjson
import structlog
from prometheus_client import multiprocess

from service.app.doors import write_ready
from service.app.process import ACCEPTS, Options
from service.domain.errors import Conflict, OrderhookError
from service.settings import Address, Settings
from service.settings.load import environment
from service.supervisor import Backoff, pause

log = structlog.get_logger()

STOP_WITHIN = 105.0
"""Seconds the children get to stop by themselves, the longest notice included."""
LOOK = 0.05


class ChildFailed(OrderhookError):
    """A process ended before it was ready; it has said why itself."""

    def __init__(self, code: int) -> None:
        self.code = code
        super().__init__(f"A process of the fleet ended with exit code {code} before it was ready.")


async def run(
    base: Sequence[str],
    settings: Settings,
    options: Options,
    *,
    size: int,
    stop: asyncio.Event,
    reload: asyncio.Event,
) -> None:
    """Keep `size` processes of a role running until `stop`; `base` is how to call ourselves."""
    with tempfile.TemporaryDirectory(prefix="orderhook-") as folder, contextlib.ExitStack() as held:
        if options.role in ACCEPTS:
            public = held.enter_context(_reserved(options.public or settings.server.public))
            options = replace(options, public=public)
        await Fleet(base, options, size=size, folder=Path(folder)).keep(stop, reload)


@contextlib.contextmanager
def _reserved(address: Address) -> Iterator[Address]:
    """Hold the port without listening, so that port 0 means one port for all children."""
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    with socket.socket(family) as probe, socket.socket(family) as sock:
        try:
            # A shared port would join another fleet of ours without a word; a plain bind tells.
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
            probe.close()
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            sock.bind(address)
        except OSError as error:
            raise Conflict(
                f"{address} cannot be used ({error.strerror}): stop the program that listens "
                "there, or choose another port with --public HOST:PORT."
            ) from error
        yield Address(address.host, sock.getsockname()[1])


class Fleet:
    """The processes; only the first opens the internal listener, with the metrics of all."""

    def __init__(self, base: Sequence[str], options: Options, *, size: int, folder: Path) -> None:
        self._base = base
        self._options = options
        self._folder = folder
        self._numbers = range(size)
        self._children: dict[int, Process] = {}

    async def keep(self, stop: asyncio.Event, reload: asyncio.Event) -> None:
        """Return when all have stopped; raise ChildFailed when one cannot start."""
        tasks = [asyncio.create_task(self._keep(number, stop)) for number in self._numbers]
        tasks.append(asyncio.create_task(self._announce(stop)))
        forward = asyncio.create_task(self._forward(reload))
        try:
            await asyncio.gather(*tasks)
        finally:
            stop.set()
            forward.cancel()
            await asyncio.gather(*tasks, forward, return_exceptions=True)

    async def _keep(self, number: int, stop: asyncio.Event) -> None:
        """Start a process again whenever it ends."""
        backoff, was_ready = Backoff(0.2, 10.0), False
        while not stop.is_set():
            self._ready_file(number).unlink(missing_ok=True)
            child = self._children[number] = await self._start(number)
            await _until_ended(child, stop)
            if child.returncode is not None:
                multiprocess.mark_process_dead(child.pid, str(self._folder))
            was_ready = was_ready or self._ready_file(number).exists()
            if stop.is_set():
                return
            if not was_ready:
                raise ChildFailed(child.returncode or 0)
            log.error("process_ended", number=number, exit_code=child.returncode)
            await pause(stop, backoff.next())

    async def _start(self, number: int) -> Process:
        options = self._options
        words = [*self._base, "run", options.role, "--shared"]
        words += ["--ready-file", str(self._ready_file(number))]
        if options.public is not None:
            words += ["--public", str(options.public)]
        internal = options.internal if number == 0 else "off"
        if internal is not None:
            words += ["--internal", str(internal)]
        environ = {**environment(), "PROMETHEUS_MULTIPROC_DIR": str(self._folder)}
        return await asyncio.create_subprocess_exec(*words, env=environ)

    async def _announce(self, stop: asyncio.Event) -> None:
        """Tell when all are ready, with the parent's pid: that is the one to signal."""
        files = [self._ready_file(number) for number in self._numbers]
        while not all(file.exists() for file in files):
            await pause(stop, LOOK)
            if stop.is_set():
                return
        if self._options.ready_file is not None:
            urls = orjson.loads(files[0].read_bytes())
            write_ready(
                self._options.ready_file, {name: urls[name] for name in ("public", "internal")}
            )

    async def _forward(self, reload: asyncio.Event) -> None:
        while True:
            await reload.wait()
            reload.clear()
            for child in self._children.values():
                if child.returncode is None:
                    child.send_signal(signal.SIGHUP)

    def _ready_file(self, number: int) -> Path:
        return self._folder / f"ready-{number}"


async def _until_ended(child: Process, stop: asyncio.Event) -> None:
    ended = asyncio.ensure_future(child.wait())
    stopped = asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if not ended.done():
            child.terminate()
            await asyncio.wait({ended}, timeout=STOP_WITHIN)
    finally:
        stopped.cancel()
        if not ended.done():
            child.kill()
            await child.wait()
