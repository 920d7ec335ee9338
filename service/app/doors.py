"""The listeners of a process: what was built in, addresses that answer out."""

import asyncio
import os
from collections.abc import Mapping
from pathlib import Path

import orjson

from service import outbound
from service.app.adapters import open_adapters
from service.app.process import SHOWS, Commit, Process, Role, clock
from service.app.rules import rules
from service.app.sending import Rehearsing, base_url
from service.app.stations import senders
from service.app.watchdog import Watchdog
from service.domain.errors import DependencyUnavailable, StoreUnavailable
from service.intake.receive import Intake
from service.ops.kept import READING
from service.ops.present import Present
from service.ops.refresh import Adapters
from service.ops.sources import Configured
from service.settings import Address, Settings
from service.store import lookups
from service.store.pool import Pool
from service.supervisor import Phase
from service.web import health, internal, listeners, public
from service.web.console import live
from service.web.console.identity import Identity
from service.web.console.routes import Console
from service.web.console.signals import Signals

CONSOLE_CONNECTIONS = 3
FIGURE_CONNECTIONS = 2
"""One for the ledger, which may take long, and one for all else."""
PING_WITHIN = 0.7
"""Seconds PostgreSQL has to show itself; the readiness of a process waits a little longer."""
INTERNAL_PORTS: Mapping[Role, int] = {"relay": 8082, "worker": 8083, "console": 8084}
"""So that the roles can share a machine without being told apart by hand."""


async def listen(process: Process, intake: Intake | None, watchdog: Watchdog) -> None:
    """Open the listeners of the role, then tell where they are."""
    options, server = process.options, process.settings.server
    urls: dict[str, str | None] = {"public": None, "internal": None}
    reading = await process.open_pool("api", 2, calm=True)
    rehearsing = Rehearsing(server.public_url)
    if options.internal != "off":
        checks = _checks(process, reading, intake, watchdog)
        if options.role in SHOWS:
            configured = await _configured(process, rehearsing)
            console = await _console(process, configured)
            app = internal.internal_app(
                process.settings.auth, checks, pool=reading, configured=configured, console=console
            )
        else:
            app = internal.internal_app(process.settings.auth, checks)
        address = options.internal or _internal_address(server.internal, options.role)
        urls["internal"] = await process.stack.enter_async_context(
            listeners.listening(app, address, name="internal")
        )
    if intake is not None:
        app = public.public_app(intake, server, clock)
        app[listeners.LEAVING] = process.stop
        urls["public"] = await process.stack.enter_async_context(
            listeners.listening(
                app, options.public or server.public, name="public", reuse_port=options.shared
            )
        )
    rehearsing.base = urls["public"] or server.public_url or base_url(process.settings)
    if options.ready_file is not None:
        write_ready(options.ready_file, urls)


def _internal_address(configured: Address, role: Role) -> Address:
    """A configured port 0 means any port for every role."""
    usual = INTERNAL_PORTS.get(role, configured.port)
    return Address(configured.host, usual if configured.port else 0)


async def _configured(process: Process, rehearsing: Rehearsing) -> Configured:
    """What is configured at each moment."""
    present, known = [process.settings], [senders(process.settings)]
    adapters = process.adapters or await _adapters(process)

    def apply(settings: Settings) -> Commit:
        fresh = senders(settings)

        def commit() -> None:
            present[0], known[0] = settings, fresh

        return commit

    process.on_reload.append(apply)
    return Configured(
        senders=lambda: known[0],
        destinations=lambda: present[0].destinations,
        rules=lambda: rules(present[0]),
        adapters=adapters,
        sealing=process.sealing,
        public_url=process.settings.server.public_url,
        two_people=lambda: present[0].server.two_people,
        rehearsal=rehearsing,
    )


async def _console(process: Process, configured: Configured) -> Console:
    """With connections of its own: pages that take long must not keep anything else waiting."""
    pool = await process.open_pool("console", CONSOLE_CONNECTIONS, calm=True)
    auth = process.settings.auth
    identity: Identity | None = None
    if auth.oidc is not None:
        calls = outbound.opened(guarded=False)  # the operator says where the provider is
        identity = Identity(auth.oidc, await process.stack.enter_async_context(calls))
    address = process.settings.server.internal_url
    counting = await process.open_pool("figures", FIGURE_CONNECTIONS, calm=True)
    present, signals = Present.of(counting, configured), Signals()
    group = process.supervisor()
    for kept in (present.look, present.ledger, present.received, present.owed):
        group.start(kept.name, kept.run, silent=READING)
    group.start("live", live.keeper(pool, present, signals))
    return Console(pool, auth, clock, configured, identity, address, present, signals)


async def _adapters(process: Process) -> Adapters:
    """Who carries nothing to destinations reads them back for people."""
    opened = await open_adapters(process, quotas=1)
    opened.apply(process.settings)()
    process.on_reload.append(opened.apply)
    return opened.present


def _checks(
    process: Process, reading: Pool, intake: Intake | None, watchdog: Watchdog
) -> dict[str, health.Check]:
    async def store() -> bool:
        """A gateway that may answer from its spool is as ready without PostgreSQL."""
        try:
            async with asyncio.timeout(PING_WITHIN):
                await lookups.ping(reading)
        except (StoreUnavailable, TimeoutError):
            if intake is None or process.options.role != "gateway" or not intake.can_spool:
                raise
        return True

    async def stop() -> bool:
        if process.stop.is_set():
            raise DependencyUnavailable("This process is stopping.")
        return True

    async def broker() -> bool:
        return process.broker.open or process.options.role in {"gateway", "console"}

    async def tasks() -> bool:
        return watchdog.content and all(
            state.phase is Phase.RUNNING
            for group in process.supervisors
            for state in group.states().values()
        )

    return {"store": store, "broker": broker, "tasks": tasks, "stop": stop}


def write_ready(path: Path, urls: Mapping[str, str | None]) -> None:
    """Tell where we listen, atomically: whoever sees the file can read all of it."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    draft.write_bytes(orjson.dumps({**urls, "pid": os.getpid()}))
    draft.replace(path)
