"""The listeners of a process: what was built in, addresses that answer out."""

import os
from collections.abc import Mapping
from pathlib import Path

import orjson

from service.app.adapters import open_adapters
from service.app.process import Commit, Process, Role, clock
from service.app.rules import rules
from service.intake.receive import Intake
from service.ops.refresh import Adapters
from service.ops.sources import Configured
from service.settings import Address, Settings
from service.store import lookups
from service.store.pool import Pool
from service.supervisor import Phase
from service.web import health, internal, listeners, public

INTERNAL_PORTS: Mapping[Role, int] = {"relay": 8082, "worker": 8083}
"""So that the roles can share a machine without being told apart by hand."""


async def listen(process: Process, intake: Intake | None) -> None:
    """Open the listeners of the role, then tell where they are."""
    options, server = process.options, process.settings.server
    urls: dict[str, str | None] = {"public": None, "internal": None}
    reading = await process.open_pool("api", 2)
    if options.internal != "off":
        app = internal.internal_app(
            process.settings.auth,
            _checks(process, reading),
            pool=reading if intake else None,
            configured=await _configured(process, intake),
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
    """A configured port 0 means any port for every role."""
    usual = INTERNAL_PORTS.get(role, configured.port)
    return Address(configured.host, usual if configured.port else 0)


async def _configured(process: Process, intake: Intake | None) -> Configured:
    """What is configured at each moment."""
    present = [process.settings]
    adapters = process.adapters or (await _adapters(process) if intake else dict)

    def apply(settings: Settings) -> Commit:
        def commit() -> None:
            present[0] = settings

        return commit

    process.on_reload.append(apply)
    return Configured(
        senders=lambda: intake.senders if intake else {},
        destinations=lambda: present[0].destinations,
        rules=lambda: rules(present[0]),
        adapters=adapters,
        sealing=process.sealing,
        public_url=process.settings.server.public_url,
    )


async def _adapters(process: Process) -> Adapters:
    """A gateway carries nothing to destinations, but reads them back for people."""
    opened = await open_adapters(process, quotas=1)
    opened.apply(process.settings)()
    process.on_reload.append(opened.apply)
    return opened.present


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
