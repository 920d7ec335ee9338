"""What people and programs are shown: the API and the console of the roles that have them."""

from collections.abc import Callable, Mapping

from aiohttp import web

from service import outbound
from service.app.adapters import open_adapters
from service.app.process import Commit, Process, clock
from service.app.rules import rules
from service.app.sending import Rehearsing, base_url
from service.app.sources import senders
from service.ops.kept import READING
from service.ops.present import Present
from service.ops.refresh import Adapters
from service.ops.sources import Configured
from service.settings import Settings
from service.store.pool import Pool
from service.web import internal
from service.web.console import live
from service.web.console.identity import Identity
from service.web.console.routes import Console
from service.web.console.signals import Signals
from service.web.health import Check

CONSOLE_CONNECTIONS = 3
FIGURE_CONNECTIONS = 2
"""One for the ledger, and one for all else."""


async def show(
    process: Process, reading: Pool, checks: Mapping[str, Check]
) -> tuple[web.Application, Callable[[str | None], None]]:
    """The application of the internal listener, and what is told where test events are posted."""
    server = process.settings.server
    rehearsing = Rehearsing(server.public_url)
    configured = await _configured(process, rehearsing)
    console = await _console(process, configured)
    app = internal.internal_app(
        process.settings.auth, checks, pool=reading, configured=configured, console=console
    )

    def posted_to(public: str | None) -> None:
        rehearsing.base = public or server.public_url or base_url(process.settings)

    return app, posted_to


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
    for kept in (present.look, present.account):
        group.start(kept.name, kept.run, silent=READING)
    group.start("live", live.keeper(pool, present, signals))
    return Console(pool, auth, clock, configured, identity, address, present, signals)


async def _adapters(process: Process) -> Adapters:
    """Who carries nothing to destinations reads them back for people."""
    opened = await open_adapters(process, quotas=1)
    opened.apply(process.settings)()
    process.on_reload.append(opened.apply)
    return opened.present
