"""The console on a real database without the road behind it, and whoever is signed in there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import ClientSession, web

from service.ops.present import Present
from service.ops.sources import Configured
from service.settings import Address
from service.store import pool
from service.store.pool import Pool
from service.supervisor import Supervisor
from service.web.auth import Caller, Role
from service.web.console import live, viewers
from service.web.console.routes import Console
from service.web.console.signals import Signals
from service.web.internal import internal_app
from service.web.listeners import listening
from tests import internals


@dataclass(frozen=True)
class Lookout:
    url: str
    db: Pool
    console: Console

    async def cookie(self, role: Role = Role.ADMIN) -> str:
        """The Cookie header of somebody who has just signed in."""
        answer = web.Response()
        assert await viewers.begin(answer, self.db, Caller("anna", role))
        return f"{viewers.COOKIE}={answer.cookies[viewers.COOKIE].value}"

    @asynccontextmanager
    async def viewer(self, role: Role = Role.ADMIN) -> AsyncIterator[ClientSession]:
        headers = {"Cookie": await self.cookie(role)}
        async with ClientSession(self.url, headers=headers) as session:
            yield session


@asynccontextmanager
async def opened(
    dsn: str, *, configured: Configured | None = None, most: int = 200, counting: bool = True
) -> AsyncIterator[Lookout]:
    """Serve on a free port, with the tasks that count and tell; `most` may listen."""
    known = configured or Configured()
    async with pool.opened(dsn, size=4) as db:
        present, signals = Present.of(db, known), Signals(most=most)
        console = Console(db, internals.AUTH, _clock, known, present=present, signals=signals)
        tasks = Supervisor(restarted=_failed)
        if counting:
            tasks.start("figures", present.look.run)
            tasks.start("ledger", present.account.run)
            tasks.start("live", live.keeper(db, present, signals))
        app = internal_app(internals.AUTH, {}, pool=db, configured=known, console=console)
        try:
            async with listening(app, Address("127.0.0.1", 0), name="internal") as url:
                yield Lookout(url, db, console)
        finally:
            await tasks.stop(5)


def _failed(name: str) -> None:
    raise AssertionError(f"The task {name} ended.")


def _clock() -> datetime:
    return datetime.now(UTC)
