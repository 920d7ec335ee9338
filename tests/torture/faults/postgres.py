"""PostgreSQL dies, hangs, refuses, forgets to answer, and gets no space and no time."""

import asyncio
import random
import signal
from contextlib import suppress

import asyncpg

from tests.torture import processes
from tests.torture.faults.base import PUT_OFF, Fault
from tests.torture.machine import Machine
from tests.torture.plant import Plant
from tests.torture.strace import Strace
from tests.torture.weather import Weather

AWAY = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class _Postgres(Fault):
    target = "postgres"
    lawful = PUT_OFF

    async def heal(self, plant: Plant) -> None:
        await plant.postgres.answers()


class Killed(_Postgres):
    code, name = "F4", "PostgreSQL killed"
    weight = 6.0

    async def inject(self, plant: Plant) -> str:
        plant.kills["postgres"] += 1
        plant.postgres.kill()
        return ""


class Away(_Postgres):
    """Down for the whole time."""

    code, name = "F4", "PostgreSQL down"
    seconds = (4.0, 20.0)

    async def inject(self, plant: Plant) -> str:
        plant.kills["postgres"] += 1
        plant.postgres.may_run.clear()
        plant.postgres.kill()
        return ""

    async def heal(self, plant: Plant) -> None:
        plant.postgres.may_run.set()
        await plant.postgres.answers()


class Frozen(_Postgres):
    code, name = "F5", "PostgreSQL frozen"
    seconds = (3.0, 20.0)

    async def inject(self, plant: Plant) -> str:
        self.pids = plant.postgres.pids
        processes.send(self.pids, signal.SIGSTOP)
        return ""

    async def heal(self, plant: Plant) -> None:
        processes.send(plant.postgres.pids, signal.SIGCONT)
        await plant.postgres.answers()


class _Busy(_Postgres):
    """Something is done again and again while it lasts."""

    _task: asyncio.Task[None]

    async def inject(self, plant: Plant) -> str:
        self._task = asyncio.create_task(self._again(plant))
        return ""

    async def heal(self, plant: Plant) -> None:
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        await plant.postgres.answers()

    async def _again(self, plant: Plant) -> None:
        while True:
            with suppress(*AWAY):
                connection = await plant.postgres.connect()
                try:
                    await self.do(connection)
                finally:
                    with suppress(*AWAY):
                        await connection.close(timeout=2)
            await asyncio.sleep(0.2)

    async def do(self, connection: asyncpg.Connection) -> None:
        raise NotImplementedError


class BackendsTerminated(_Busy):
    code, name = "F6", "backends terminated"
    seconds = (2.0, 6.0)

    async def do(self, connection: asyncpg.Connection) -> None:
        await connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE application_name LIKE 'orderhook%' AND pid <> pg_backend_pid()"
            " AND random() < 0.3"
        )


class ImmediateRestarts(_Postgres):
    code, name = "F7", "PostgreSQL stopped at once, again and again"

    async def inject(self, plant: Plant) -> str:
        times = self.chance.randint(2, 4)
        for _ in range(times):
            plant.kills["postgres"] += 1
            plant.postgres.stop_at_once()
            await asyncio.sleep(self.chance.uniform(0.5, 1.5))
            await plant.postgres.answers()
        return f"{times} times"


class AnswerLost(_Postgres):
    """What PostgreSQL says to the gateways is swallowed: commits happen and nobody hears it."""

    code, name = "F8", "commit done, answer lost"
    seconds = (0.5, 3.0)

    async def inject(self, plant: Plant) -> str:
        await plant.weather(["gateway-postgres"], Weather(drop=("down",)))
        return ""

    async def heal(self, plant: Plant) -> None:
        await plant.weather(["gateway-postgres"], cut=True)


class _Traced(_Postgres):
    """System calls of the server fail or take long, by strace."""

    inject_what: str

    @classmethod
    def lacking(cls, machine: Machine) -> str:
        return "" if machine.strace else "strace is not installed, or we are not root"

    async def inject(self, plant: Plant) -> str:
        self._strace = Strace(self.inject_what)
        await self._strace.attach(plant.postgres.pids)
        return ""

    async def heal(self, plant: Plant) -> None:
        await self._strace.detach()
        await plant.postgres.answers()


class SyncFails(_Traced):
    code, name = "F9", "fdatasync of the log fails"
    seconds = (1.0, 3.0)
    inject_what = "fdatasync:error=EIO:when=3"

    async def inject(self, plant: Plant) -> str:
        plant.kills["postgres"] += 1
        return await super().inject(plant)


class SyncSlow(_Traced):
    code, name = "F10", "fdatasync takes half a second"
    seconds = (3.0, 8.0)
    inject_what = "fdatasync,fsync:delay_enter=500000"


class DiskFull(_Postgres):
    code, name = "F11", "PostgreSQL's disk full"
    seconds = (3.0, 8.0)

    @classmethod
    def lacking(cls, machine: Machine) -> str:
        return "" if machine.loop else "no file can be mounted as a disk of its own"

    async def inject(self, plant: Plant) -> str:
        assert plant.disk is not None
        await plant.disk.fill()
        return ""

    async def heal(self, plant: Plant) -> None:
        assert plant.disk is not None
        await plant.disk.free()
        await plant.postgres.answers()


class Exhausted(_Postgres):
    """Strangers hold every connection there is, and the roles' own are ended now and then."""

    code, name = "F12", "connections exhausted"
    seconds = (3.0, 8.0)

    async def inject(self, plant: Plant) -> str:
        self._held: list[asyncpg.Connection] = []
        with suppress(*AWAY):
            for _ in range(200):
                self._held.append(await plant.postgres.connect())
        with suppress(*AWAY):
            await self._held[0].execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name LIKE 'orderhook%' AND random() < 0.5"
            )
            while len(self._held) < 200:
                self._held.append(await plant.postgres.connect())
        return f"{len(self._held)} held"

    async def heal(self, plant: Plant) -> None:
        for connection in self._held:
            connection.terminate()
        await plant.postgres.answers()


class TableLocked(_Postgres):
    code, name = "F13", "a table locked"
    seconds = (1.0, 6.0)

    async def inject(self, plant: Plant) -> str:
        table = self.chance.choice(("events", "outbox", "dedupe_keys", "syncs", "subjects"))
        self._connection = await plant.postgres.connect()
        self._transaction = self._connection.transaction()
        await self._transaction.start()
        with suppress(*AWAY):
            await self._connection.execute(f"LOCK TABLE {table} IN ACCESS EXCLUSIVE MODE")
        return table

    async def heal(self, plant: Plant) -> None:
        self._connection.terminate()


class LongSnapshot(_Postgres):
    """Nothing that died since can be vacuumed."""

    code, name = "F13", "a snapshot held open"
    seconds = (8.0, 20.0)
    lawful = frozenset()

    async def inject(self, plant: Plant) -> str:
        self._connection = await plant.postgres.connect()
        await self._connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        await self._connection.fetchval("SELECT count(*) FROM outbox")
        return ""

    async def heal(self, plant: Plant) -> None:
        self._connection.terminate()


class RowsCrossed(_Busy):
    """A stranger locks rows in an order that nobody else uses: somebody is a deadlock's victim."""

    code, name = "F14", "deadlocks"
    seconds = (2.0, 6.0)

    async def do(self, connection: asyncpg.Connection) -> None:
        table, key = random.choice((("outbox", "event_id"), ("subjects", "id")))
        async with connection.transaction():
            await connection.execute("SET LOCAL deadlock_timeout = '5s'")
            rows = await connection.fetch(f"SELECT {key} FROM {table} ORDER BY {key} DESC LIMIT 50")
            for row in rows:
                await connection.execute(
                    f"SELECT 1 FROM {table} WHERE {key} = $1 FOR UPDATE", row[0], timeout=3
                )


class ReadOnly(_Postgres):
    code, name = "F15", "PostgreSQL read-only"
    seconds = (2.0, 8.0)

    async def inject(self, plant: Plant) -> str:
        await self._set(plant, "on")
        return ""

    async def heal(self, plant: Plant) -> None:
        await self._set(plant, "off")

    async def _set(self, plant: Plant, value: str) -> None:
        connection = await plant.postgres.connect()
        try:
            await connection.execute("SET default_transaction_read_only = off")
            await connection.execute(f"ALTER SYSTEM SET default_transaction_read_only = {value}")
            await connection.fetchval("SELECT pg_reload_conf()")
        finally:
            await connection.close(timeout=5)
