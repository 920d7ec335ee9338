"""How things stand, kept for all who look at this process: nothing is counted while one waits."""

from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from service.domain.errors import StoreUnavailable
from service.ops import now
from service.ops.kept import Kept
from service.ops.now import Look
from service.ops.rolling import Account, Rolling
from service.ops.sources import Configured
from service.ops.traffic import Traffic
from service.store.pool import Pool
from service.store.refusals import Row

Counts = Mapping[str, Row]
"""By the name of a source or a destination."""

NEVER = datetime.min.replace(tzinfo=UTC)


async def _nothing() -> Look:
    raise StoreUnavailable("Nobody counts here.")


async def _no_account() -> Account:
    raise StoreUnavailable("Nobody counts here.")


def _gist(look: Look) -> object:
    """But for the time, which always is another one."""
    return replace(look, at=NEVER)


def _sums(account: Account) -> object:
    return replace(account, ledger={**account.ledger, "at": None})


@dataclass(frozen=True, slots=True)
class Present:
    """Each has a task of its own."""

    look: Kept[Look] = field(default_factory=lambda: Kept("figures", _nothing))
    account: Kept[Account] = field(default_factory=lambda: Kept("ledger", _no_account))

    @classmethod
    def of(cls, pool: Pool, configured: Configured) -> "Present":
        traffic = Traffic()

        def look() -> Awaitable[Look]:
            return now.read(pool, configured, traffic)

        return cls(
            Kept("figures", look, _gist),
            Kept("ledger", Rolling(pool).read, _sums),
        )

    def received(self) -> Counts | None:
        """What came of the requests of each source, once that was counted."""
        account = self.account.look()
        return account.received if account else None

    def owed(self) -> Counts | None:
        """What each destination is owed, once that was counted."""
        account = self.account.look()
        return account.owed if account else None
