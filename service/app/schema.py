"""Whether the database is at our schema: asked at the start, or by a gateway that spools, later.

Such a gateway may start without PostgreSQL if it ran at this very schema before: what it accepts
goes to the spool, and no connection is opened until somebody has looked again.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import structlog

from service import supervisor
from service.domain.errors import ConfigurationError, StoreUnavailable
from service.settings import Settings
from service.store import partitions, revision
from service.store.pool import Pool
from service.supervisor import pause

log = structlog.get_logger()

NOTE = "schema"
AGAIN = 1.0


def can_wait(settings: Settings, role: str) -> bool:
    """Whether a process may take requests before it has seen the database."""
    some = any(source.durability == "auto" for source in settings.sources.values())
    return role == "gateway" and some and bool(settings.server.spool)


def is_remembered(folder: Path) -> bool:
    """Whether this release ran with this data_dir on a database at its schema."""
    with suppress(OSError):
        return (folder / NOTE).read_text("ascii").strip() == revision.head()
    return False


def remember(folder: Path) -> None:
    """Note the schema that was found; without the note the next start waits for PostgreSQL."""
    with suppress(OSError):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        draft = folder / f".{NOTE}"
        draft.write_text(revision.head() + "\n", "ascii")
        draft.replace(folder / NOTE)


class Unseen:
    """A database that was away at the start; until it is seen nothing connects to it."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self.is_over = False

    def keeper(self, pool: Pool, *, fail: Callable[[str], None]) -> supervisor.Run:
        """Look until it answers; a schema that is not ours is nothing to go on with."""

        async def run(stop: asyncio.Event) -> None:
            while not stop.is_set() and not self.is_over:
                supervisor.beat()
                try:
                    await revision.require_head(self._dsn)
                    self.is_over = True
                    await partitions.ensure(pool)
                    log.info("store_seen")
                except StoreUnavailable as error:
                    log.warning("waiting", waiting_for="PostgreSQL", because=str(error))
                    await pause(stop, AGAIN)
                except ConfigurationError as error:
                    fail(str(error))
                    break
            supervisor.idle()
            await stop.wait()

        return run
