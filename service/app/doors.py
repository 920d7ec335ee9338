"""The listeners of a process: what was built in, addresses that answer out."""

import asyncio
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson
from aiohttp import web

from service.app.process import SHOWS, Process, Role, clock
from service.app.watchdog import Watchdog
from service.domain.errors import DependencyUnavailable, StoreUnavailable
from service.intake.receive import Intake
from service.settings import Address
from service.store import lookups
from service.store.pool import Pool
from service.supervisor import Phase
from service.web import health, listeners, public, vitals

PING_WITHIN = 0.7
"""Seconds PostgreSQL has to show itself; the readiness of a process waits a little longer."""
INTERNAL_PORTS: Mapping[Role, int] = {"relay": 8082, "worker": 8083, "console": 8084}
"""So that the roles can share a machine without being told apart by hand."""


def _nobody(_: str | None) -> None:
    """Nobody asks where the public listener is."""


@dataclass(frozen=True, slots=True)
class Inside:
    """The application of the internal listener, and who wants to know where the public one is."""

    app: web.Application
    posted_to: Callable[[str | None], None] = _nobody


async def listen(process: Process, intake: Intake | None, watchdog: Watchdog) -> None:
    """Open the listeners of the role, then tell where they are."""
    options, server = process.options, process.settings.server
    urls: dict[str, str | None] = {"public": None, "internal": None}
    inside: Inside | None = None
    if options.internal != "off":
        inside = await _inside(process, intake, watchdog)
        address = options.internal or _internal_address(server.internal, options.role)
        urls["internal"] = await process.stack.enter_async_context(
            listeners.listening(inside.app, address, name="internal")
        )
    if intake is not None:
        app = public.public_app(intake, server, clock)
        app[listeners.LEAVING] = process.stop
        urls["public"] = await process.stack.enter_async_context(
            listeners.listening(
                app, options.public or server.public, name="public", reuse_port=options.shared
            )
        )
    if inside is not None:
        inside.posted_to(urls["public"])
    if options.ready_file is not None:
        write_ready(options.ready_file, urls)


async def _inside(process: Process, intake: Intake | None, watchdog: Watchdog) -> Inside:
    reading = await process.open_pool("api", 2, calm=True)
    checks = _checks(process, reading, intake, watchdog)
    if process.options.role not in SHOWS:
        return Inside(vitals.vitals_app(process.settings.auth, checks))
    # Imported here: what people look at is a tenth of the memory of a role that shows nothing.
    from service.app.showing import show  # noqa: PLC0415

    app, posted_to = await show(process, reading, checks)
    return Inside(app, posted_to)


def _internal_address(configured: Address, role: Role) -> Address:
    """A configured port 0 means any port for every role."""
    usual = INTERNAL_PORTS.get(role, configured.port)
    return Address(configured.host, usual if configured.port else 0)


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
