"""A private PostgreSQL that forgets nothing it committed: kept alive, killed, frozen and asked."""

import asyncio
import signal
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import asyncpg

from service.store.embedded import SETTINGS
from service.store.embedded_claim import claimed
from service.store.embedded_cluster import NAME, Cluster, prepared
from service.store.embedded_programs import spawn
from tests.torture import processes

STARTS_WITHIN = 60.0
AGAIN = 0.3
MORE = {"max_connections": "100", "log_min_messages": "warning"}


class Postgres:
    """One server whose keeper starts it again whenever it ends, unless it is held down."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster
        self._process: Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self.may_run = asyncio.Event()
        self.may_run.set()
        self.starts = 0

    @property
    def dsn(self) -> str:
        """Straight to the server, past every proxy."""
        return self._cluster.dsn()

    @property
    def password(self) -> str:
        return self._cluster.password.read_text("ascii")

    @property
    def socket(self) -> Path:
        return self._cluster.sockets / ".s.PGSQL.5432"

    @property
    def data(self) -> Path:
        return self._cluster.data

    @property
    def log(self) -> Path:
        return self._cluster.log

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """The postmaster and its children."""
        return processes.tree(self.pid)

    async def start(self) -> None:
        self._keeper = asyncio.create_task(self._keep())
        await self.answers()
        connection = await self.connect("postgres")
        try:
            if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", NAME):
                await connection.execute(f"CREATE DATABASE {NAME}")
        finally:
            await connection.close(timeout=5)

    async def connect(self, database: str = NAME) -> asyncpg.Connection:
        return await asyncpg.connect(self._cluster.dsn(database), timeout=5, command_timeout=60)

    async def answers(self, within: float = STARTS_WITHIN) -> None:
        """Return when it takes connections."""
        async with asyncio.timeout(within):
            while True:
                with suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
                    connection = await self.connect("postgres")
                    await connection.close(timeout=5)
                    return
                await asyncio.sleep(0.05)

    def kill(self) -> None:
        """End all of it at once, as when the machine's memory runs out."""
        processes.send(self.pids, signal.SIGKILL)

    def stop_at_once(self) -> None:
        """`pg_ctl stop -m immediate`."""
        processes.send([self.pid], signal.SIGQUIT)

    async def _keep(self) -> None:
        """Start it, wait for its end, start it again."""
        while True:
            await self.may_run.wait()
            process = self._process = await self._launch()
            self.starts += 1
            await process.wait()
            # What a killed postmaster leaves behind still holds the shared memory.
            await asyncio.sleep(AGAIN)

    async def _launch(self) -> Process:
        cluster = self._cluster
        name, folder = cluster.name(cluster.data)
        settings = SETTINGS | MORE | {"unix_socket_directories": f'"{cluster.sockets}"'}
        words: list[str | Path] = [cluster.programs / "postgres", "-D", name]
        words += [f"--{key}={value}" for key, value in settings.items()]
        with cluster.log.open("ab") as output:
            return await spawn(cluster.user, *words, output=output, folder=folder)

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._process is not None and self._process.returncode is None:
            processes.send(self.pids, signal.SIGCONT)
            processes.send([self.pid], signal.SIGINT)
            try:
                async with asyncio.timeout(10):
                    await self._process.wait()
            except TimeoutError:
                self.kill()
                await self._process.wait()


@asynccontextmanager
async def running(folder: Path) -> AsyncIterator[Postgres]:
    with claimed(folder) as directory:
        async with prepared(directory, durable=True) as cluster:
            server = Postgres(cluster)
            try:
                await server.start()
                yield server
            finally:
                await server.close()
