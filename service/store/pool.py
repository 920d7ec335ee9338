"""PostgreSQL connections: every wait bounded, every failure translated to what happens next."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from functools import partial
from types import MappingProxyType
from typing import Any, Literal, TypedDict, Unpack

import asyncpg
import orjson
import structlog
from asyncpg.pool import PoolConnectionProxy

from service import supervisor
from service.domain.errors import DataRejected, StoreUnavailable
from service.store import login
from service.store.login import AWAY

log = structlog.get_logger()

Pool = asyncpg.Pool
Connection = PoolConnectionProxy

ACQUIRE_TIMEOUT = 2.0
"""Seconds to wait for a free connection; asyncpg itself would wait for ever."""

DATA_CLASSES = ("22", "23", "54")
CALM = {"max_parallel_workers_per_gather": "0"}
"""Of connections on which people look: each takes one core, the others are for what comes in."""
STEADY = {"plan_cache_mode": "force_generic_plan", "enable_seqscan": "off"}
"""Of connections that say the same few statements all day: each is planned once, however long its
lists are. To plan the history of a fold takes longer than to read it. None of them is meant to read
a table whole, which is the cheapest way while it is small."""
SESSION = {
    "application_name": "orderhook",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "idle_in_transaction_session_timeout": "10s",
    "lock_timeout": "4s",
    "tcp_user_timeout": "5000",
    "tcp_keepalives_idle": "5",
}


class Kind(TypedDict, total=False):
    """What a transaction may see and do, where the defaults will not do."""

    isolation: Literal["repeatable_read"]
    readonly: bool


def _step(_: object) -> None:
    """Each statement that ends is progress, however slow PostgreSQL is."""
    supervisor.step()


async def _prepare(connection: asyncpg.Connection) -> None:
    connection.add_query_logger(_step)
    await connection.set_type_codec(
        "jsonb",
        encoder=lambda value: b"\x01" + orjson.dumps(value),
        decoder=lambda raw: orjson.loads(raw[1:]),
        schema="pg_catalog",
        format="binary",
    )


async def _keep(_: object) -> None:
    """A connection goes back as it is: every setting and lock of ours ends with its transaction.

    asyncpg would send RESET ALL and three more each time, which costs PostgreSQL more than most
    statements do.
    """


def translate(error: BaseException) -> Exception:
    """Name a driver error by what happens next: the data is at fault, or PostgreSQL is away."""
    state = getattr(error, "sqlstate", None) or ""
    if isinstance(error, asyncpg.DataError) or state[:2] in DATA_CLASSES:
        return DataRejected(f"PostgreSQL refused a value ({state or type(error).__name__}).")
    if isinstance(error, AWAY):
        return StoreUnavailable(f"PostgreSQL cannot answer now ({type(error).__name__}).")
    if isinstance(error, (UnicodeEncodeError, OverflowError)):
        return DataRejected(f"A value cannot be encoded ({type(error).__name__}).")
    return error if isinstance(error, Exception) else RuntimeError(str(error))


@asynccontextmanager
async def opened(
    dsn: str,
    *,
    size: int,
    command_timeout: float = 5.0,
    name: str = "orderhook",
    may_connect: Callable[[], bool] | None = None,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Pool]:
    """A pool of at most `size` connections; a command may take `command_timeout` seconds.

    With `may_connect` it opens empty, and nothing connects before that says so.
    """
    try:
        pool = await asyncpg.create_pool(
            dsn,
            connect=None if may_connect is None else partial(_connect, may_connect),
            min_size=1 if may_connect is None else 0,
            max_size=size,
            timeout=5.0,
            command_timeout=command_timeout,
            max_inactive_connection_lifetime=60.0,
            init=_prepare,
            reset=_keep,
            server_settings={**SESSION, **settings, "application_name": f"orderhook-{name}"},
        )
    except login.NOT_OPENED as error:
        raise login.explained(error, dsn) from error
    try:
        yield pool
    finally:
        try:
            await _close(pool)
        except AWAY:
            pool.terminate()


async def _connect(
    may_connect: Callable[[], bool],
    *place: Any,  # noqa: ANN401 - as asyncpg calls it
    **named: Any,  # noqa: ANN401
) -> asyncpg.Connection:
    if not may_connect():
        raise ConnectionRefusedError("The database was not seen yet.")
    return await asyncpg.connect(*place, **named)


async def _close(pool: Pool) -> None:
    async with asyncio.timeout(5):
        await pool.close()


@asynccontextmanager
async def transaction(pool: Pool, **options: Unpack[Kind]) -> AsyncIterator[Connection]:
    """One transaction on a connection of the pool; driver errors come out translated."""
    try:
        async with (
            pool.acquire(timeout=ACQUIRE_TIMEOUT) as connection,
            connection.transaction(**options),
        ):
            yield connection
    except (*AWAY, UnicodeEncodeError, OverflowError) as error:
        raise translate(error) from error


@asynccontextmanager
async def session(pool: Pool) -> AsyncIterator[Connection]:
    """One connection in auto-commit, for single statements; driver errors come out translated."""
    try:
        async with pool.acquire(timeout=ACQUIRE_TIMEOUT) as connection:
            yield connection
    except (*AWAY, UnicodeEncodeError, OverflowError) as error:
        raise translate(error) from error
