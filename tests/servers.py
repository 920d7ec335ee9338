"""Real servers for tests: PostgreSQL from the wheel, RabbitMQ from wherever this machine has it."""

import asyncio
import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit, urlunsplit

import asyncpg

from service.store.embedded import running
from tests.rabbitmq import Container, Node, Rabbit, docker

T = TypeVar("T")

NO_BROKER = (
    "The tests need RabbitMQ and this machine has none: install rabbitmq-server, or start Docker, "
    "or point AMQP_URL at a server, or leave those tests out with `BROKER=none make test`."
)
SCRIPTS = (
    "usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin",
    "opt/rabbitmq/sbin",
    "opt/homebrew/opt/rabbitmq/sbin",
    "usr/local/opt/rabbitmq/sbin",
    "home/linuxbrew/.linuxbrew/opt/rabbitmq/sbin",
)
"""Where packages keep the real scripts; the wrapper on Debian's PATH serves only its own node."""
POLICY = Path("/usr/sbin/policy-rc.d")
"""Debian asks this program before a package may start a service; 101 means no."""
UNITS = {
    "rabbitmq-server.service": "rabbitmq-server",
    "epmd.service": "epmd",
    "epmd.socket": "epmd",
}
"""What the packages switch on for the next start of the machine, and whose program it is."""


class Postgres:
    """The embedded server on a thread of its own, because tests come and go with their loops."""

    def __init__(self, dsn: str, call: Callable[[Coroutine[Any, Any, Any]], Any]) -> None:
        self.dsn = dsn
        self._call = call

    def call(self, work: Coroutine[Any, Any, T]) -> T:
        result: T = self._call(work)
        return result

    def database(self, name: str) -> str:
        return urlunsplit(urlsplit(self.dsn)._replace(path=f"/{name}"))

    def execute(self, sql: str) -> None:
        async def work() -> None:
            connection = await asyncpg.connect(self.dsn, timeout=10)
            try:
                await connection.execute(sql, timeout=60)
            finally:
                await connection.close(timeout=5)

        self.call(work())


@contextmanager
def postgres() -> Iterator[Postgres]:
    """Run a fast and forgetful server in a temporary directory."""
    with open_folder() as folder, _loop() as call:
        stack = AsyncExitStack()
        try:
            dsn = call(stack.enter_async_context(running(folder, durable=False)))
            yield Postgres(dsn, call)
        finally:
            call(stack.aclose())


@contextmanager
def _loop() -> Iterator[Callable[[Coroutine[Any, Any, Any]], Any]]:
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="test-servers", daemon=True)
    thread.start()
    try:
        yield lambda work: asyncio.run_coroutine_threadsafe(work, loop).result(timeout=180)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


@contextmanager
def open_folder() -> Iterator[Path]:
    """Make a temporary directory that the server's user may pass, and leave nothing of it."""
    folder = Path(tempfile.mkdtemp(prefix="orderhook-test-"))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)


def find_broker() -> Path | str | None:
    """Where a private RabbitMQ can come from: a folder of scripts, "docker", or nowhere.

    As root on Debian it is installed when missing; the system service stays off.
    """
    if scripts := _scripts():
        return scripts
    if os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stderr.write("Installing rabbitmq-server with apt-get; its service stays off.\n")
        install("rabbitmq-server", unless=lambda: _scripts() is not None)
        if scripts := _scripts():
            return scripts
    if shutil.which("docker"):
        with suppress(subprocess.SubprocessError):
            docker("info")
            return "docker"
    return None


@contextmanager
def rabbit(origin: Path | str) -> Iterator[Rabbit]:
    with open_folder() as folder:
        server = Node(origin, folder) if isinstance(origin, Path) else Container()
        try:
            try:
                server.start()
            except TimeoutError as error:
                words = server.last_words() if isinstance(server, Node) else ""
                raise RuntimeError(f"RabbitMQ did not start.\n{words}") from error
            yield server
        finally:
            server.close()


def _scripts() -> Path | None:
    on_path = shutil.which("rabbitmq-server")
    beside = Path(on_path).resolve().parent if on_path else None
    found = [match for pattern in SCRIPTS for match in sorted(Path("/").glob(pattern))[::-1]]
    for folder in (*found, *([beside] if beside else [])):
        if (folder / "rabbitmq-env").exists():
            return folder
    return None


def install(*packages: str, unless: Callable[[], bool]) -> None:
    """Install with apt-get as root; workers of one test run take turns, and look again first."""
    turn = os.open(Path(__file__).parent, os.O_RDONLY)
    try:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if unless():
            return
        with _services_off():
            _apt("update")
            _apt("install", "--yes", "--no-install-recommends", *packages)
    except subprocess.CalledProcessError as error:
        sys.stderr.write(f"apt-get could not: {error.stderr.strip()}\n")
    finally:
        os.close(turn)


def _apt(*words: str) -> None:
    subprocess.run(
        ["apt-get", "--quiet", "--option", "DPkg::Lock::Timeout=120", *words],
        env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
        check=True,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )


@contextmanager
def _services_off() -> Iterator[None]:
    """Forbid packages to start services while we install, then put the machine's own rule back."""
    new = [unit for unit, program in UNITS.items() if shutil.which(program) is None]
    kept = POLICY.with_name("policy-rc.d.orderhook")
    if POLICY.exists():
        POLICY.replace(kept)
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
        if kept.exists():
            kept.replace(POLICY)
        if shutil.which("systemctl"):
            words = ("systemctl", "--quiet", "disable", *new)
            subprocess.run(words, check=False, capture_output=True, timeout=60)
