"""What the stations of one process share, and what the command line decided about it."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, get_args
from uuid import UUID

import structlog

from service import telemetry
from service.app.schema import Unseen
from service.broker.base import Broker
from service.broker.topology import Topology
from service.ops.refresh import Adapters
from service.settings import Address, Settings
from service.store import pool
from service.store.ids import new_id
from service.store.pool import Pool
from service.store.seals import Seals
from service.supervisor import Supervisor

log = structlog.get_logger()

Role = Literal["gateway", "relay", "worker", "console", "all"]
ROLES: tuple[Role, ...] = get_args(Role)
ACCEPTS = frozenset({"gateway", "all"})
SHOWS = frozenset({"gateway", "console", "all"})
"""Whose internal listener has the API and the console."""
RELAYS = frozenset({"relay", "all"})
WORKS = frozenset({"worker", "all"})

STOP_WITHIN = 25.0
"""Seconds all tasks together get to finish what they have in hand; orchestrators kill after 30."""
LEAST_GRACE = 1.0
"""Seconds a group gets even when the groups before it used everything up."""

LONG = 35.0
"""Seconds a stride of a job may take: a look at a destination, or a statement over all orders."""

Commit = Callable[[], None]
Apply = Callable[[Settings], Commit]
"""Builds everything new settings ask for, and gives back what puts it in place."""


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
    dsn: str = field(repr=False)
    broker: Broker
    id: UUID = field(default_factory=new_id)
    supervisors: list[Supervisor] = field(default_factory=list)
    sealing: Seals = field(init=False, repr=False)
    """The data keys that requests are sealed with; the same object after a reload."""
    on_reload: list[Apply] = field(default_factory=list)
    adapters: Adapters | None = field(default=None, repr=False)
    """What destinations can be asked with, once a station has opened that."""
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    unseen: Unseen | None = None
    """The database, where this process started without it."""
    failure: str | None = None
    """Why the process must end, should it not be able to keep its promises any more."""
    stop_by: float | None = None
    """When everything must have ended, by the loop's clock; set as the first group stops."""

    def __post_init__(self) -> None:
        server = self.settings.server
        self.sealing = Seals.of(server.ring)
        if not server.ring and not server.sandbox:
            log.warning("requests_kept_unsealed", remedy="set [server] keys; orderhook keys status")
        self.on_reload.append(self._take_keys)

    def _take_keys(self, settings: Settings) -> Commit:
        fresh = Seals.of(settings.server.ring)
        return lambda: self.sealing.adopt(fresh)

    def fail(self, why: str) -> None:
        """End in order, and say why."""
        self.failure = self.failure or why
        self.stop.set()

    async def open_pool(
        self, name: str, size: int, *, calm: bool = False, steady: bool = False
    ) -> Pool:
        """With `calm` for people who look, which must not slow down what is accepted meanwhile.

        With `steady` for what says the same few statements all day.
        """
        opening = pool.opened(
            self.dsn,
            size=size,
            name=name,
            may_connect=self._may_connect(),
            settings=(pool.CALM if calm else {}) | (pool.STEADY if steady else {}),
        )
        return await self.stack.enter_async_context(opening)

    def _may_connect(self) -> Callable[[], bool] | None:
        """What to ask before each connection while the database was not seen."""
        unseen = self.unseen
        return None if unseen is None or unseen.is_over else lambda: unseen.is_over

    def supervisor(self) -> Supervisor:
        """A group of tasks; groups stop one after the other, the newest first."""
        made = Supervisor(restarted=lambda name: telemetry.TASK_RESTARTS.labels(name).inc())
        self.supervisors.append(made)
        self.stack.push_async_callback(self._end, made)
        return made

    async def _end(self, group: Supervisor) -> None:
        now = asyncio.get_running_loop().time()
        if self.stop_by is None:
            self.stop_by = now + STOP_WITHIN
        await group.stop(max(self.stop_by - now, LEAST_GRACE))


def clock() -> datetime:
    """The wall clock: for signature windows and display only."""
    return datetime.now(UTC)
