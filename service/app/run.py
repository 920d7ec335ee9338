"""Settings and a role in, running stations out, stopped in reverse."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

import structlog

from service import __version__, faultpoint, telemetry
from service.app.doors import listen
from service.app.process import ACCEPTS, RELAYS, WORKS, Options, Process, Role
from service.app.resources import open_broker, open_store, open_tracing
from service.app.watchdog import Watchdog
from service.broker.topology import Topology
from service.domain.errors import ConfigurationError, DependencyUnavailable
from service.ops import schedule
from service.settings import Settings, environment
from service.store import partitions
from service.supervisor import Run

if TYPE_CHECKING:
    from service.intake.receive import Intake

log = structlog.get_logger()

Load = Callable[[], Settings]


def _nobody() -> None:
    """Tell nobody."""


async def run(
    load: Load,
    options: Options,
    *,
    stop: asyncio.Event,
    reload: asyncio.Event,
    ready: Callable[[], None] = _nobody,
) -> None:
    """Run one role until `stop`; `reload` reads sources, destinations, routes and secrets again."""
    settings = load()
    _refuse_contradictions(settings, options.role)
    async with AsyncExitStack() as stack:
        process = await _unless_stopped(_open(settings, options, stack), stop)
        if process is None:
            return
        process.stop = stop
        intake = await _open_stations(process)
        group = process.supervisor()
        group.start("reload", _reloader(process, load, reload))
        group.start("pulse", schedule.pulse_keeper(process.supervisors))
        watchdog = Watchdog(process.supervisors, fail=process.fail)
        group.start("watchdog", watchdog.run)
        await listen(process, intake, watchdog)
        ready()
        log.info("ready", role=options.role, pid=os.getpid())
        await stop.wait()
        log.info("stopping", role=options.role)
        if intake is not None and process.failure is None:
            await asyncio.sleep(settings.server.notice.total_seconds())
    if process.failure is not None:
        raise DependencyUnavailable(process.failure)


async def _open_stations(process: Process) -> "Intake | None":
    """In the order of the road, from its end; what takes webhooks, if this role does.

    Imported by role: what others need would be a tenth of a relay's memory, and of its start.
    """
    role, intake = process.options.role, None
    if role in WORKS:
        from service.app.working import work  # noqa: PLC0415

        await work(process)
    if role in RELAYS:
        from service.app.relaying import relay  # noqa: PLC0415

        await relay(process)
    if role in ACCEPTS:
        from service.app.accepting import accept  # noqa: PLC0415

        intake = await accept(process)
    return intake


def _refuse_contradictions(settings: Settings, role: Role) -> None:
    if settings.broker.embedded and role != "all":
        raise ConfigurationError(
            'broker.url = "embedded" lives inside one process: use `orderhook run all`, '
            "or give the URL of a RabbitMQ."
        )


async def _unless_stopped(opening: Awaitable[Process], stop: asyncio.Event) -> Process | None:
    """Wait for what is opened, unless the stop comes first."""
    task, stopped = asyncio.ensure_future(opening), asyncio.ensure_future(stop.wait())
    try:
        await asyncio.wait({task, stopped}, return_when=asyncio.FIRST_COMPLETED)
        return await task if task.done() else None
    finally:
        stopped.cancel()
        task.cancel()
        await asyncio.gather(task, stopped, return_exceptions=True)


async def _open(settings: Settings, options: Options, stack: AsyncExitStack) -> Process:
    telemetry.announce(version=__version__, role=options.role)
    faultpoint.arm(environment().get(faultpoint.VARIABLE, ""), sandbox=settings.server.sandbox)
    await open_tracing(environment(), stack)
    dsn, unseen = await open_store(settings, stack, role=options.role)
    topology = Topology(settings.broker.prefix)
    broker = await open_broker(settings, topology, stack)
    opened = Process(settings, options, stack, topology, dsn, broker, unseen=unseen)
    first = await opened.open_pool("start", 1)
    if unseen is None:
        await partitions.ensure(first)
    else:
        opened.supervisor().start("schema", unseen.keeper(first, fail=opened.fail))
    return opened


def _reloader(process: Process, load: Load, reload: asyncio.Event) -> Run:
    async def run(stop: asyncio.Event) -> None:
        watch = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            asked = asyncio.ensure_future(reload.wait())
            await asyncio.wait({asked, watch}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if reload.is_set():
                reload.clear()
                _reload(process, load)
        watch.cancel()

    return run


def _reload(process: Process, load: Load) -> None:
    """Swap in what a new file says; an invalid one changes nothing and says so."""
    try:
        settings = load()
        for commit in [apply(settings) for apply in process.on_reload]:
            commit()
    except ConfigurationError as error:
        log.error("reload_refused", reason=str(error))  # noqa: TRY400
    else:
        log.info("reloaded", sources=len(settings.sources))
