"""The database and the broker of an installation: settings in, open resources out."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack

import structlog
import tenacity

from service import __version__, telemetry, tracing
from service.app import schema
from service.app.schema import Unseen
from service.broker import memory, rabbitmq
from service.broker.base import Broker
from service.broker.topology import Topology
from service.domain.errors import BrokerUnavailable, DependencyUnavailable, StoreUnavailable
from service.settings import Settings
from service.store import embedded, embedded_visit, partitions, pool, revision
from service.store.ids import new_id

log = structlog.get_logger()


async def open_store(
    settings: Settings, stack: AsyncExitStack, *, role: str
) -> tuple[str, Unseen | None]:
    """The DSN of a database at our schema; an outside one is waited for, ours is migrated.

    Where a gateway need not wait for it, what is to be found out yet comes with it.
    """
    if settings.store.embedded:
        dsn = await stack.enter_async_context(embedded.running(settings.server.data_dir))
        await _upgraded(dsn)
        return dsn, None
    assert settings.store.dsn is not None
    dsn = settings.store.dsn.reveal().decode()
    folder, can_wait = settings.server.data_dir, schema.can_wait(settings, role)
    try:
        await revision.require_head(dsn)
    except StoreUnavailable as error:
        if can_wait and await asyncio.to_thread(schema.is_remembered, folder):
            log.warning("started_without_store", because=str(error))
            return dsn, Unseen(dsn)
        await _patiently(lambda: revision.require_head(dsn), waiting_for="PostgreSQL")
    if can_wait:
        await asyncio.to_thread(schema.remember, folder)
    return dsn, None


async def find_store(settings: Settings, stack: AsyncExitStack) -> str:
    """The DSN of the database as it is now, for a look from outside; nothing is waited for."""
    if settings.store.embedded:
        return await stack.enter_async_context(embedded_visit.visited(settings.server.data_dir))
    assert settings.store.dsn is not None
    dsn = settings.store.dsn.reveal().decode()
    await revision.require_head(dsn)
    return dsn


async def prepare(settings: Settings, stack: AsyncExitStack, *, say: Callable[[str], None]) -> None:
    """Migrate the database and declare the topology; `say` hears of each thing done."""
    if settings.store.dsn is None:
        dsn = await stack.enter_async_context(embedded.running(settings.server.data_dir))
    else:
        dsn = settings.store.dsn.reveal().decode()
    say(f"The database schema is at revision {await _upgraded(dsn)}.")
    days = await partitions.ensure(
        await stack.enter_async_context(pool.opened(dsn, size=1, name="migrate"))
    )
    say(f"Partitions stand ready for today and the next {days} days.")
    if settings.broker.dsn is not None:
        url = settings.broker.dsn.reveal().decode()
        made = await rabbitmq.declare(url, Topology(settings.broker.prefix))
        say(f"RabbitMQ has every queue; new: {', '.join(made) or 'none'}.")


async def _upgraded(dsn: str) -> str:
    # Imported here: no role of an installation migrates, and it is a fifth of a start.
    from service.store import migrate  # noqa: PLC0415

    return await migrate.upgrade(dsn)


COLLECTORS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")


async def open_tracing(environ: Mapping[str, str], stack: AsyncExitStack) -> None:
    """Send traces where the environment names a collector for them."""
    disabled = environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
    exporters = environ.get("OTEL_TRACES_EXPORTER", "otlp").strip().lower()
    if disabled or exporters == "none" or not any(environ.get(name) for name in COLLECTORS):
        return
    try:
        # Imported here: most installations run without the extra.
        from service import spans  # noqa: PLC0415
    except ImportError as error:
        log.warning("tracing_off", missing=error.name, remedy="pip install 'orderhook[otel]'")
        return
    exporting = spans.exporting(environ, version=__version__, instance=str(new_id()))
    stack.enter_context(tracing.recording(await stack.enter_async_context(exporting)))
    log.info("tracing_on")


async def open_broker(settings: Settings, topology: Topology, stack: AsyncExitStack) -> Broker:
    if settings.broker.dsn is None:
        telemetry.BROKER_STATE.set(1)
        return memory.Memory(topology)
    url = settings.broker.dsn.reveal().decode()
    await _make_sure(url, topology)
    return await stack.enter_async_context(rabbitmq.connect(url, topology))


async def _make_sure(url: str, topology: Topology) -> None:
    """A broker that is empty gets its queues if this user may make them; one away comes back."""
    try:
        await rabbitmq.make_sure(url, topology)
    except BrokerUnavailable as error:
        log.warning("waiting", waiting_for="RabbitMQ", because=str(error))


async def _patiently(ask: Callable[[], Awaitable[None]], *, waiting_for: str) -> None:
    def tell(state: tenacity.RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        log.warning("waiting", waiting_for=waiting_for, because=str(error))

    async for attempt in tenacity.AsyncRetrying(
        retry=tenacity.retry_if_exception_type(DependencyUnavailable),
        wait=tenacity.wait_random_exponential(multiplier=0.5, max=10),
        before_sleep=tell,
    ):
        with attempt:
            await ask()
