"""What the loops of one pump share: the destination, who waits for it, and what wakes whom."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from service.domain.errors import StoreUnavailable
from service.settings import Destination
from service.store import syncs
from service.store.pool import Pool, transaction
from service.store.syncs import Lease
from service.worker.crms.base import Crm
from service.worker.delivery.ports import Budget, Gate
from service.worker.roads import Memory
from service.worker.tickets import Tickets

log = structlog.get_logger()


@dataclass(slots=True)
class Station:
    """`rule` and `crm` may be swapped on a reload."""

    rule: Destination
    crm: Crm
    pool: Pool
    gate: Gate
    budget: Budget
    memory: Memory = field(default_factory=Memory)
    waiting: Tickets = field(default_factory=Tickets)
    work: asyncio.Event = field(default_factory=asyncio.Event)
    """There is something to call about, or room to do so."""
    again: asyncio.Event = field(default_factory=asyncio.Event)
    """Something is due in the database."""

    more: bool = False
    """When it was last looked, more was due than was leased."""

    @property
    def batch(self) -> int:
        return max(self.crm.capabilities.batch, 1)

    @property
    def limited(self) -> bool:
        """Whether calls cost anything."""
        return bool(self.rule.limits or self.crm.limits())

    async def give_back(self, leases: Sequence[Lease]) -> None:
        """Due now, for whoever may call."""
        try:
            async with transaction(self.pool) as tx:
                await syncs.hold(tx, leases, destination=self.rule.name)
                await syncs.release(tx, leases, destination=self.rule.name)
        except StoreUnavailable:
            log.warning("sync_release_failed", destination=self.rule.name, syncs=len(leases))


async def set_when(stop: asyncio.Event, *events: asyncio.Event) -> None:
    """Wake who waits for these when it is time to stop."""
    await stop.wait()
    for event in events:
        event.set()
