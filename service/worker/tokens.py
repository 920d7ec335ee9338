"""Access tokens of a destination: a refused one comes in, the present one goes out.

The process's memory is asked first, then the row all processes share, then the token server.
"""

import asyncio
from dataclasses import dataclass, field
from datetime import timedelta

import aiohttp
import tenacity

from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.store.pool import Pool
from service.vault import Vault
from service.worker.crms.base import Answer
from service.worker.crms.client import Clock
from service.worker.crms.kind import Kind
from service.worker.grants import Grant
from service.worker.renewal import Held, Renewal, now, passing

LONGEST_EXCHANGE = timedelta(seconds=10)
REST = timedelta(seconds=3)
"""After a failure the token server is left alone so long, however many calls want a token."""
LONGEST_REST = timedelta(minutes=1)
SAVING = 120.0
"""Seconds for which a token that could not be saved is tried to be saved."""


@dataclass(slots=True)
class Shared:
    """The tokens of one destination, as one process sees them."""

    renewal: Renewal
    held: Held | None = field(default=None, repr=False)
    failed: Answer | None = None
    rests_until: float = 0.0
    running: asyncio.Task[None] | None = field(default=None, repr=False)

    async def access(self, *, refused: str | None = None) -> str | Answer:
        """The present token; waits for two exchanges at most: another process's, and ours."""
        deadline = now() + 2 * self.renewal.within.total_seconds()
        while now() < deadline:
            if self.held is not None and self.held.serves(refused):
                return self.held.kept.access
            if self.failed is not None and now() < self.rests_until:
                return self.failed
            # Whoever asks may be called off; an exchange that has begun must end and be saved.
            running = self._renewed(refused)
            await asyncio.wait({running}, timeout=deadline - now())
            if running.done():
                running.result()
        return passing("The access token is still being renewed.")

    async def said(self, name: str) -> str | None:
        """What came along with the token, as `instance_url`; None when nothing did.

        It is data from outside: whoever calls an address from here says which hosts are theirs.
        """
        if self.held is None:
            await self.access()
        return self.held.kept.said.get(name) if self.held is not None else None

    async def settle(self) -> None:
        """Let an exchange that has begun end and be saved, before the process stops."""
        if self.running is not None:
            await asyncio.wait({self.running}, timeout=self.renewal.within.total_seconds())

    def _renewed(self, refused: str | None) -> asyncio.Task[None]:
        if self.running is None or self.running.done():
            self.running = asyncio.ensure_future(self._renew(refused))
        return self.running

    async def _renew(self, refused: str | None) -> None:
        trying = tenacity.AsyncRetrying(
            retry=tenacity.retry_if_result(lambda _: self.renewal.fresh is not None),
            stop=tenacity.stop_after_delay(SAVING),
            wait=tenacity.wait_random_exponential(multiplier=0.2, max=5),
            retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        )
        match await trying(self.renewal.run, refused):
            case Held() as held:
                self.held, self.failed = held, None
            case answer:
                rest = min(answer.after or REST, LONGEST_REST)
                self.failed, self.rests_until = answer, now() + rest.total_seconds()


def tokens_for(
    rule: Destination,
    kind: Kind,
    *,
    pool: Pool,
    session: aiohttp.ClientSession,
    vault: Vault | None,
    clock: Clock,
) -> Shared | None:
    """None when the destination has no `oauth` table. Raises ConfigurationError without keys.

    `pool` should be one of its own: a connection of it is held while a token server is asked.
    """
    if rule.oauth is None:
        return None
    if vault is None:
        raise ConfigurationError(
            f"The tokens of {rule.name} are kept sealed in the database, and server.keys holds no "
            "key. Make one with: openssl rand -base64 32"
        )
    within = min(rule.timeout, LONGEST_EXCHANGE)
    return Shared(Renewal(Grant.of(rule, kind), pool, session, vault, clock, within))
