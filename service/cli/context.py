"""What every verb needs: the settings, and a way into a running event loop and database."""

import asyncio
import sys
from collections.abc import AsyncIterator, Coroutine, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
import uvloop

from service import telemetry
from service.app.known import KNOWN
from service.app.resources import find_store
from service.settings import Known, Settings
from service.settings.load import environment, load
from service.store import pool
from service.store.pool import Pool

T = TypeVar("T")

EXIT_NEGATIVE = 1
"""The answer is no: not genuine, unbalanced, not found."""


@dataclass(frozen=True, slots=True)
class Context:
    """Which configuration file the user means."""

    config: Path | None

    def load(self, sets: Mapping[str, str] | None = None, *, known: Known = KNOWN) -> Settings:
        return load(self.config, environment(), sets=sets or {}, known=known)


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run to the end on a fast loop; logs go to stderr."""
    telemetry.configure_logging(json=not sys.stderr.isatty())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(work)


@asynccontextmanager
async def reading(settings: Settings) -> AsyncIterator[Pool]:
    """A small pool on the configured database, running or not."""
    async with AsyncExitStack() as stack:
        dsn = await find_store(settings, stack)
        yield await stack.enter_async_context(pool.opened(dsn, size=1, name="cli"))


def print_json(body: object) -> None:
    """Exactly the API's body, on stdout."""
    click.echo(orjson.dumps(body, option=orjson.OPT_INDENT_2).decode())


def actor() -> str:
    """Who is at the command line."""
    known = environment()
    return f"cli:{known.get('USER') or known.get('LOGNAME') or 'unknown'}"


def moment(at: datetime | None) -> str:
    """A time as tables show it, to the second."""
    return f"{at:%F %T}" if at else ""


as_json = click.option("--json", "as_json", is_flag=True, help="Print exactly the API's body.")
