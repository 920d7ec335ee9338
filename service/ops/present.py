"""How things stand, kept for all who look at this process: nothing is counted while one waits."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from service.domain.errors import StoreUnavailable
from service.ops import ledger, now
from service.ops.kept import Kept
from service.ops.lookups import Body
from service.ops.now import Look
from service.ops.sources import Configured
from service.ops.traffic import Traffic
from service.store import destinations, refusals
from service.store.pool import Pool
from service.store.refusals import Row

Counts = Mapping[str, Row]
"""By the name of a source or a destination."""

NEVER = datetime.min.replace(tzinfo=UTC)


async def _nothing() -> Look:
    raise StoreUnavailable("Nobody counts here.")


async def _no_ledger() -> Body:
    raise StoreUnavailable("Nobody counts here.")


async def _no_counts() -> Counts:
    raise StoreUnavailable("Nobody counts here.")


def _gist(look: Look) -> object:
    """But for the time, which always is another one."""
    return replace(look, at=NEVER)


def _sums(ledger: Body) -> object:
    return {**ledger, "at": None}


@dataclass(frozen=True, slots=True)
class Present:
    """Each has a task of its own: the ledger may take long."""

    look: Kept[Look] = field(default_factory=lambda: Kept("figures", _nothing))
    ledger: Kept[Body] = field(default_factory=lambda: Kept("ledger", _no_ledger))
    received: Kept[Counts] = field(default_factory=lambda: Kept("received", _no_counts))
    """What came of the requests of each source."""
    owed: Kept[Counts] = field(default_factory=lambda: Kept("owed", _no_counts))
    """What each destination is owed."""

    @classmethod
    def of(cls, pool: Pool, configured: Configured) -> "Present":
        traffic = Traffic()

        def look() -> Awaitable[Look]:
            return now.read(pool, configured, traffic)

        def count() -> Awaitable[Body]:
            return ledger.read(pool)

        return cls(
            Kept("figures", look, _gist),
            Kept("ledger", count, _sums),
            Kept("received", lambda: refusals.counts(pool)),
            Kept("owed", lambda: destinations.owed(pool)),
        )
