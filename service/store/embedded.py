"""A data directory in, the DSN of a PostgreSQL of our own out, for as long as the context lives.

The programs come from a wheel, the launcher is ours: docs/adr/0004-embedded-postgresql.md.
"""

import asyncio
import re
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from itertools import chain, repeat
from pathlib import Path

import asyncpg
import structlog
from tenacity import AsyncRetrying, retry_if_exception_message, stop_after_delay, wait_fixed

from service.domain.errors import ConfigurationError, OrderhookError, StoreUnavailable
from service.store import login
from service.store.embedded_claim import PATIENCE, claimed, sentences
from service.store.embedded_cluster import NAME, Cluster, prepared
from service.store.embedded_programs import spawn

log = structlog.get_logger()

START_SECONDS = 300.0
"""A crash under load leaves up to max_wal_size to be replayed."""
PAUSES = (1.0, 2.0, 5.0, 15.0, 30.0)
"""Seconds between attempts to start a server that died; the last one repeats."""
SETTINGS = {
    "listen_addresses": "",
    "port": "5432",
    "unix_socket_permissions": "0700",
    "max_connections": "200",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_checkpoints": "off",
    "log_min_error_statement": "panic",  # statements carry bodies and secrets
}
FORGETFUL = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
FIND_DATABASE = "SELECT 1 FROM pg_database WHERE datname = $1"
CREATE_DATABASE = f"CREATE DATABASE {NAME}"
STAMP = re.compile(r"^\S+ \S+ UTC \[\d+\] ", re.MULTILINE)


@asynccontextmanager
async def running(data_dir: Path, *, durable: bool = True) -> AsyncIterator[str]:
    """Run PostgreSQL in `data_dir`; it stops with the context, and with the process if that dies.

    The thread that enters must outlive the context: Linux ties the server's life to that thread.
    `durable=False` is for tests: fast, and lost with the machine.
    """
    with claimed(data_dir) as directory:
        async with prepared(directory, durable=durable) as cluster:
            process = await _start(cluster)
            keeper = asyncio.create_task(_keep(cluster, process))
            try:
                await _create_database(cluster)
                yield cluster.dsn()
            finally:
                keeper.cancel()
                with suppress(asyncio.CancelledError):
                    await keeper


async def _start(cluster: Cluster) -> Process:
    """Start, waiting for what a killed server's children still hold."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_message(match=r"(?s).*shared memory block"),
        stop=stop_after_delay(20),
        wait=wait_fixed(0.5),
        reraise=True,
    ):
        with attempt, sentences(cluster.data_dir):
            return await _launch(cluster)
    raise AssertionError("tenacity returns or raises")


async def _launch(cluster: Cluster) -> Process:
    if cluster.log.exists():
        cluster.log.replace(cluster.log.with_suffix(".log.old"))
    name, folder = cluster.name(cluster.data)
    postgres: list[str | Path] = [cluster.programs / "postgres", "-D", name, *_settings(cluster)]
    with cluster.log.open("wb") as output:
        process = await spawn(cluster.user, *postgres, output=output, folder=folder)
    try:
        await _until_ready(cluster, process)
    except BaseException:
        await _stop(process)
        raise
    log.info("embedded_postgresql_started", pid=process.pid, user=cluster.user.name)
    return process


def _settings(cluster: Cluster) -> list[str]:
    settings = SETTINGS | {"unix_socket_directories": f'"{cluster.sockets}"'}
    settings |= {} if cluster.durable else FORGETFUL
    return [f"--{name}={value}" for name, value in settings.items()]


async def _until_ready(cluster: Cluster, process: Process) -> None:
    async with asyncio.timeout(START_SECONDS):
        while not _ready(cluster.data / "postmaster.pid", process.pid):
            if process.returncode is not None:
                raise StoreUnavailable(
                    f"The embedded PostgreSQL did not start: {_last_words(cluster.log)} "
                    f"(the whole log is {cluster.log})"
                )
            await asyncio.sleep(0.05)


def _ready(pid_file: Path, pid: int) -> bool:
    """The server's own report: its number on the first line, its state on the eighth."""
    try:
        lines = pid_file.read_text("utf-8", "replace").splitlines()
    except FileNotFoundError:
        return False
    return len(lines) > 7 and lines[0] == str(pid) and lines[7].strip() == "ready"


def _last_words(path: Path) -> str:
    lines = STAMP.sub("", path.read_text("utf-8", "replace")).splitlines()
    return " ".join(line.strip() for line in lines[-4:]) or "it said nothing."


async def _create_database(cluster: Cluster) -> None:
    try:
        connection = await asyncpg.connect(cluster.dsn("postgres"), timeout=20.0)
        try:
            found = await connection.fetchval(FIND_DATABASE, NAME, timeout=20.0)
            if found is None:
                await connection.execute(CREATE_DATABASE, timeout=60.0)
        finally:
            await connection.close(timeout=5.0)
    except asyncpg.InvalidPasswordError as error:
        raise ConfigurationError(
            f"The password in {cluster.data_dir} does not open the data next to it: "
            "put the right one back, or choose another server.data_dir."
        ) from error
    except login.AWAY as error:
        raise StoreUnavailable(
            f"The embedded PostgreSQL started and does not answer ({type(error).__name__}): "
            f"see {cluster.log}."
        ) from error


async def _keep(cluster: Cluster, process: Process) -> None:
    """Start the server again whenever it dies, until cancelled; then stop it."""
    try:
        while True:
            code = await process.wait()
            log.error("embedded_postgresql_died", exit_code=code, log=str(cluster.log))
            process = await _start_again(cluster)
    finally:
        await _stop(process)


async def _start_again(cluster: Cluster) -> Process:
    for pause in chain(PAUSES, repeat(PAUSES[-1])):
        try:
            return await _start(cluster)
        except OrderhookError as error:
            log.error("embedded_postgresql_not_restarted", reason=str(error), pause=pause)  # noqa: TRY400
            await asyncio.sleep(pause)
    raise AssertionError("the pauses never end")


async def _stop(process: Process) -> None:
    for number, seconds in PATIENCE:
        if process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.send_signal(number)
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await process.wait()
