"""The composition root: settings and a role in, running stations out, stopped in reverse."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal, get_args
from uuid import UUID

import orjson
import structlog
import tenacity

from service import telemetry
from service.broker import memory, rabbitmq
from service.broker.base import Broker
from service.broker.consumer import Consumer
from service.broker.fast_path import FastPath
from service.broker.relay import Relay
from service.broker.topology import Topology
from service.domain.errors import (
    BrokerUnavailable,
    ConfigurationError,
    DependencyUnavailable,
)
from service.domain.routing import Route
from service.intake.group_commit import GroupCommit
from service.intake.providers import registry as providers
from service.intake.receive import Intake, Sender, Tallies
from service.ops import schedule
from service.settings import Address, Destination, Settings
from service.settings.checks import Known
from service.store import embedded, embedded_visit, lookups, migrate, outbox, partitions, pool
from service.store.ids import new_id
from service.store.pool import Pool
from service.supervisor import Phase, Supervisor
from service.web import health, internal, listeners, public
from service.worker import pump, sync
from service.worker.crms import client
from service.worker.crms import registry as crms
from service.worker.fold import Fold
from service.worker.pump import Pump

log = structlog.get_logger()

Role = Literal["gateway", "relay", "worker", "all"]
ROLES: tuple[Role, ...] = get_args(Role)
ACCEPTS = frozenset({"gateway", "all"})
RELAYS = frozenset({"relay", "all"})
WORKS = frozenset({"worker", "all"})

INTERNAL_PORTS: Mapping[Role, int] = {"relay": 8082, "worker": 8083}
"""So that the roles can share a machine without being told apart by hand."""
WRITERS = 2
"""Group commits in turn: while one waits for the disk, the next one gathers."""
STOP_WITHIN = 15.0
"""Seconds each group of tasks gets to finish what it has in hand."""
KNOWN = Known(
    providers=frozenset(preset.name for preset in providers.PRESETS),
    crms=frozenset(crms.crms_by_name()),
)

Load = Callable[[], Settings]


@dataclass(frozen=True, slots=True)
class Options:
    """What the command line decides about one process."""

    role: Role
    public: Address | None = None
    internal: Address | Literal["off"] | None = None
    ready_file: Path | None = None
    shared: bool = False
    """Whether other processes of a fleet listen on the same public port."""


@dataclass(slots=True)
class Process:
    """What the stations of one process share; opened in the order of the road."""

    settings: Settings
    options: Options
    stack: AsyncExitStack
    topology: Topology
    dsn: str
    broker: Broker
    id: UUID = field(default_factory=new_id)
    supervisors: list[Supervisor] = field(default_factory=list)
    on_reload: list[Callable[[Settings], Awaitable[None]]] = field(default_factory=list)

    async def open_pool(self, name: str, size: int) -> Pool:
        return await self.stack.enter_async_context(pool.opened(self.dsn, size=size, name=name))

    def supervisor(self) -> Supervisor:
        """A group of tasks; groups stop one after the other, the newest first."""
        made = Supervisor(restarted=lambda name: telemetry.TASK_RESTARTS.labels(name).inc())
        self.supervisors.append(made)
        self.stack.push_async_callback(made.stop, STOP_WITHIN)
        return made


def clock() -> datetime:
    """The wall clock: for signature windows and display only."""
    return datetime.now(UTC)


async def run(load: Load, options: Options, *, stop: asyncio.Event, reload: asyncio.Event) -> None:
    """Run one role until `stop`; `reload` reads sources, destinations, routes and secrets again."""
    settings = load()
    _refuse_contradictions(settings, options.role)
    async with AsyncExitStack() as stack:
        opened = await _unless_stopped(_open(settings, options, stack), stop)
        if opened is None:
            return
        if options.role in WORKS:
            await _work(opened)
        if options.role in RELAYS:
            await _relay(opened)
        intake = await _accept(opened) if options.role in ACCEPTS else None
        opened.supervisor().start("reload", _reloader(opened, load, reload))
        await _listen(opened, intake)
        log.info("ready", role=options.role, pid=os.getpid())
        await stop.wait()
        log.info("stopping", role=options.role)


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
    dsn = await open_store(settings, stack)
    topology = Topology(settings.broker.prefix)
    broker = await _open_broker(settings, topology, stack)
    opened = Process(settings, options, stack, topology, dsn, broker)
    await partitions.ensure(await opened.open_pool("start", 1))
    return opened


async def open_store(settings: Settings, stack: AsyncExitStack) -> str:
    """The DSN of a database at our schema; an outside one is waited for, ours is migrated."""
    if settings.store.embedded:
        dsn = await stack.enter_async_context(embedded.running(settings.server.data_dir))
        await migrate.upgrade(dsn)
        return dsn
    assert settings.store.dsn is not None
    dsn = settings.store.dsn.reveal().decode()
    await _patiently(lambda: migrate.require_head(dsn), waiting_for="PostgreSQL")
    return dsn


async def find_store(settings: Settings, stack: AsyncExitStack) -> str:
    """The DSN of the database as it is now, for a look from outside; nothing is waited for."""
    if settings.store.embedded:
        return await stack.enter_async_context(embedded_visit.visited(settings.server.data_dir))
    assert settings.store.dsn is not None
    dsn = settings.store.dsn.reveal().decode()
    await migrate.require_head(dsn)
    return dsn


async def prepare(settings: Settings, stack: AsyncExitStack, *, say: Callable[[str], None]) -> None:
    """Migrate the database and declare the topology; `say` hears of each thing done."""
    if settings.store.dsn is None:
        dsn = await stack.enter_async_context(embedded.running(settings.server.data_dir))
    else:
        dsn = settings.store.dsn.reveal().decode()
    say(f"The database schema is at revision {await migrate.upgrade(dsn)}.")
    days = await partitions.ensure(
        await stack.enter_async_context(pool.opened(dsn, size=1, name="migrate"))
    )
    say(f"Partitions stand ready for today and the next {days} days.")
    if settings.broker.dsn is not None:
        url = settings.broker.dsn.reveal().decode()
        made = await rabbitmq.declare(url, Topology(settings.broker.prefix))
        say(f"RabbitMQ has every queue; new: {', '.join(made) or 'none'}.")


async def _open_broker(settings: Settings, topology: Topology, stack: AsyncExitStack) -> Broker:
    if settings.broker.dsn is None:
        return memory.Memory(topology)
    url = settings.broker.dsn.reveal().decode()
    await _refuse_missing(url, topology)
    return await stack.enter_async_context(rabbitmq.connect(url, topology))


async def _refuse_missing(url: str, topology: Topology) -> None:
    """A broker without our queues is an operator's matter; one that is away will come back."""
    try:
        await rabbitmq.verify(url, topology)
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


async def _work(process: Process) -> None:
    """Fold owed events and carry what follows to the destinations."""
    rules = process.settings.destinations
    session = await process.stack.enter_async_context(client.open_session(limit=0))
    sync_pool = await process.open_pool("sync", 4)
    pumps: dict[str, Pump] = {}
    group = process.supervisor()

    async def apply(settings: Settings) -> None:
        for name, rule in settings.destinations.items():
            crm = crms.crms_by_name()[rule.crm].build(rule, session, clock=clock)
            if name in pumps:
                pumps[name].rule, pumps[name].crm = rule, crm
            else:
                pumps[name] = Pump(rule, crm, pool=sync_pool)
                group.start(f"find-{name}", pumps[name].find)
                group.start(f"call-{name}", pumps[name].start)
                group.start(f"record-{name}", pumps[name].record)
        fold.routes, fold.leases = _routes(settings), _leases(settings.destinations)

    fold = Fold(
        await process.open_pool("fold", 3),
        _routes(process.settings),
        leases=_leases(rules),
        hand_on=pump.hand_on(pumps),
    )
    await apply(process.settings)
    process.on_reload.append(apply)
    consumer = Consumer(
        process.broker, process.topology, await process.open_pool("progress", 1), fold.fold
    )
    process.supervisor().start("consumer", consumer.run)


def _routes(settings: Settings) -> list[Route]:
    return [Route(route.sources, route.events, route.destinations) for route in settings.routes]


def _leases(rules: Mapping[str, Destination]) -> dict[str, timedelta]:
    return {name: sync.lease_time(rule) for name, rule in rules.items()}


async def _relay(process: Process) -> None:
    """Publish what is owed and was not published, or was lost by the broker."""
    relay = Relay(process.broker, process.topology, await process.open_pool("relay", 2))
    group = process.supervisor()
    group.start("relay", relay.run)
    housekeeping = await process.open_pool("schedule", 1)
    group.start("partitions", schedule.partition_keeper(housekeeping))


async def _accept(process: Process) -> Intake:
    """Take webhooks: judge, store, answer, and hand on to the broker while that is easy."""
    accept_pool = await process.open_pool("accept", WRITERS + 2)
    fast_path = FastPath(process.broker, process.topology, accept_pool)
    commits = GroupCommit(accept_pool, fast_path, process=process.id, lease=outbox.LEASE)
    tallies = Tallies()
    intake = Intake(senders(process.settings), commits, clock=clock, tallies=tallies)

    async def apply(settings: Settings) -> None:
        intake.senders = senders(settings)

    process.on_reload.append(apply)
    process.supervisor().start("fast-path", fast_path.run)
    group = process.supervisor()
    for number in range(WRITERS):
        group.start(f"group-commit-{number}", commits.run)
    group.start("tallies", schedule.tally_keeper(accept_pool, tallies, process=process.id))
    return intake


def senders(settings: Settings) -> dict[str, Sender]:
    """Every configured source with its provider."""
    return {
        name: Sender(source, providers.preset(source.provider).build(source))
        for name, source in settings.sources.items()
    }


def _reloader(
    process: Process, load: Load, reload: asyncio.Event
) -> Callable[[asyncio.Event], Awaitable[None]]:
    async def run(stop: asyncio.Event) -> None:
        watch = asyncio.ensure_future(stop.wait())
        while not stop.is_set():
            asked = asyncio.ensure_future(reload.wait())
            await asyncio.wait({asked, watch}, return_when=asyncio.FIRST_COMPLETED)
            asked.cancel()
            if reload.is_set():
                reload.clear()
                await _reload(process, load)
        watch.cancel()

    return run


async def _reload(process: Process, load: Load) -> None:
    """Swap in what a new file says; an invalid one changes nothing and says so."""
    try:
        settings = load()
        senders(settings)
        for apply in process.on_reload:
            await apply(settings)
    except ConfigurationError as error:
        log.error("reload_refused", reason=str(error))  # noqa: TRY400
    else:
        log.info("reloaded", sources=len(settings.sources))


async def _listen(process: Process, intake: Intake | None) -> None:
    """Open the listeners of the role, then tell where they are."""
    options, server = process.options, process.settings.server
    urls: dict[str, str | None] = {"public": None, "internal": None}
    reading = await process.open_pool("api", 2)
    if options.internal != "off":
        app = internal.internal_app(
            process.settings.auth, _checks(process, reading), pool=reading if intake else None
        )
        address = options.internal or _internal_address(server.internal, options.role)
        urls["internal"] = await process.stack.enter_async_context(
            listeners.listening(app, address, name="internal")
        )
    if intake is not None:
        app = public.public_app(intake, server, clock)
        urls["public"] = await process.stack.enter_async_context(
            listeners.listening(
                app, options.public or server.public, name="public", reuse_port=options.shared
            )
        )
    if options.ready_file is not None:
        write_ready(options.ready_file, urls)


def _internal_address(configured: Address, role: Role) -> Address:
    return Address(configured.host, INTERNAL_PORTS.get(role, configured.port))


def _checks(process: Process, reading: Pool) -> dict[str, health.Check]:
    async def store() -> bool:
        await lookups.ping(reading)
        return True

    async def broker() -> bool:
        return process.broker.open or process.options.role == "gateway"

    async def tasks() -> bool:
        return all(
            state.phase is Phase.RUNNING
            for group in process.supervisors
            for state in group.states().values()
        )

    return {"store": store, "broker": broker, "tasks": tasks}


def write_ready(path: Path, urls: Mapping[str, str | None]) -> None:
    """Tell where we listen, atomically: whoever sees the file can read all of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(orjson.dumps({**urls, "pid": os.getpid()}))
    draft.replace(path)
