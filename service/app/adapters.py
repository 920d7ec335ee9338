"""Destinations of the settings come in; adapters that can be asked and told go out.

A worker carries changes with them; a gateway and the command line only read records back.
"""

from collections.abc import AsyncIterator, Collection, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field

import aiohttp

from service.app.process import Commit, Process
from service.app.process import clock as wall
from service.broker.exporter import Exporters, exporting
from service.broker.topology import Topology
from service.domain.errors import StoreUnavailable
from service.settings import Destination, Settings
from service.store import pool
from service.store.clock import Clock
from service.store.pool import Pool
from service.vault import Vault
from service.worker.budgets import Budget
from service.worker.crms import client
from service.worker.crms import registry as crms
from service.worker.crms.base import Crm, Publish
from service.worker.crms.kind import Kind, Tools
from service.worker.readback import Adapter
from service.worker.tokens import Shared, tokens_for


@dataclass(frozen=True, slots=True)
class Built:
    """What one destination of new settings asks for."""

    rule: Destination
    crm: Crm
    tokens: Shared | None


@dataclass(slots=True)
class Adapters:
    """Those in use, and the budgets that outlive a reload."""

    session: aiohttp.ClientSession = field(repr=False)
    exporters: Exporters
    clock: Clock
    """The time by PostgreSQL: signatures, tokens and quotas go by it."""
    quotas: Pool
    secrets: Pool
    """Of its own: a connection of it is held while a token server is asked."""
    ours: Collection[str]
    """Exchanges that carry our own work."""
    budgets: dict[str, Budget] = field(default_factory=dict)
    built: dict[str, Built] = field(default_factory=dict)
    current: frozenset[str] = frozenset()
    """What is configured now."""

    def build(self, settings: Settings) -> Mapping[str, Built]:
        """Raises ConfigurationError; nothing is in use yet."""
        ring = settings.server.ring
        vault = Vault(ring) if ring else None
        kinds = crms.crms_by_name()
        return {
            name: self._built(rule, kinds[rule.crm], settings, vault)
            for name, rule in settings.destinations.items()
        }

    def adopt(self, built: Mapping[str, Built]) -> None:
        """Go by what was built; what is configured no more keeps what it has begun."""
        for name, made in built.items():
            self.budgets[name].adopt(made.crm.limits(), made.rule.limits)
        self.built |= built
        self.current = frozenset(built)

    def apply(self, settings: Settings) -> Commit:
        """Build at once, adopt later, where nothing but reading is done with them."""
        built = self.build(settings)
        return lambda: self.adopt(built)

    def present(self) -> Mapping[str, Adapter]:
        """What can be asked at this moment."""
        return {
            name: Adapter(self.built[name].rule, self.built[name].crm, self.budgets[name])
            for name in self.current
        }

    async def close(self) -> None:
        """Save what was learned and begun, after the last call."""
        for name, made in self.built.items():
            if made.tokens is not None:
                await made.tokens.settle()
            await self.budgets[name].close()

    def _built(
        self, rule: Destination, kind: Kind, settings: Settings, vault: Vault | None
    ) -> Built:
        if rule.name not in self.budgets:
            self.budgets[rule.name] = Budget(rule.name, pool=self.quotas, clock=self.clock)
        tokens = tokens_for(
            rule,
            kind,
            pool=self.secrets,
            session=self.session,
            vault=vault,
            clock=self.clock,
        )
        tools = Tools(
            self.session,
            self.clock,
            self.budgets[rule.name],
            tokens=tokens,
            publish=self._publish(rule, settings),
        )
        return Built(rule, kind.build(rule, tools), tokens)

    def _publish(self, rule: Destination, settings: Settings) -> Publish | None:
        """To the broker that the destination names in `secret`, else to our own."""
        if rule.crm != "rabbitmq":
            return None
        url = rule.secret or settings.broker.dsn
        if url is None:
            return None
        return self.exporters.to(url.reveal().decode(), ours=self.ours).publish


async def open_adapters(process: Process, *, quotas: int, secrets: int = 1) -> Adapters:
    """Adapters of a process, closed after everything that is opened later has stopped."""
    quota_pool = await process.open_pool("quotas", quotas)
    clock = Clock(quota_pool, wall=wall)
    with suppress(StoreUnavailable):
        await clock.ask()
    process.supervisor().start("clock", clock.keep)
    opened = Adapters(
        await process.stack.enter_async_context(client.open_session(limit=0)),
        await process.stack.enter_async_context(exporting()),
        clock,
        quotas=quota_pool,
        secrets=await process.open_pool("secrets", secrets),
        ours=process.topology.exchanges,
    )
    process.stack.push_async_callback(opened.close)
    return opened


@asynccontextmanager
async def adapted(settings: Settings, dsn: str) -> AsyncIterator[Adapters]:
    """Adapters for one look from outside, as by the command line."""
    async with AsyncExitStack() as stack:
        quotas = await stack.enter_async_context(pool.opened(dsn, size=1, name="quotas"))
        clock = Clock(quotas, wall=wall)
        await clock.ask()
        opened = Adapters(
            await stack.enter_async_context(client.open_session(limit=0)),
            await stack.enter_async_context(exporting()),
            clock,
            quotas=quotas,
            secrets=await stack.enter_async_context(pool.opened(dsn, size=1, name="secrets")),
            ours=Topology(settings.broker.prefix).exchanges,
        )
        stack.push_async_callback(opened.close)
        opened.apply(settings)()
        yield opened
