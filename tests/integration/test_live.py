"""Open pages are told what changed, over a real socket, and let go when it is over."""

import asyncio
import socket
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from urllib.parse import urlsplit

import pytest
from aiohttp import ClientResponse

from service.store.pool import transaction
from service.web.auth import Role
from service.web.console import live
from tests import lookout, rows
from tests.lookout import Lookout

pytestmark = pytest.mark.postgres

PATH = "/console/live"
WITHIN = 20.0


@asynccontextmanager
async def line(
    site: Lookout, headers: Mapping[str, str] | None = None
) -> AsyncIterator[ClientResponse]:
    async with (
        site.viewer(Role.VIEWER) as session,
        session.get(PATH, headers=headers or {}) as answer,
    ):
        assert (200, "text/event-stream") == (answer.status, answer.content_type)
        assert b"retry: 3000\n" == await answer.content.readline()
        yield answer


async def heard(answer: ClientResponse, *names: str) -> None:
    """Wait until each name was told."""
    missing = set(names)
    async with asyncio.timeout(WITHIN):
        while missing:
            said = await answer.content.readline()
            assert said, f"It ended before {sorted(missing)} were told."
            missing.discard(said.decode().strip().removeprefix("event: "))


async def ended(answer: ClientResponse) -> str:
    async with asyncio.timeout(WITHIN):
        return (await answer.content.read()).decode()


async def listening(site: Lookout, count: int) -> None:
    async with asyncio.timeout(WITHIN):
        while len(site.console.signals) != count:
            await asyncio.sleep(0.02)


@contextmanager
def shorter(name: str, seconds: float) -> Iterator[None]:
    """Wait less long than people would."""
    usual = getattr(live, name)
    setattr(live, name, seconds)
    try:
        yield
    finally:
        setattr(live, name, usual)


async def test_what_happens_is_told_by_name_to_everybody(database: str) -> None:
    async with lookout.opened(database) as site, line(site) as one, line(site) as other:
        await asyncio.sleep(2 * live.EVERY)  # the marks as they were
        async with transaction(site.db) as tx:
            await rows.event(tx, "dead")
        for page in (one, other):
            await heard(page, "dead", "now")
        async with transaction(site.db) as tx:
            subject = await rows.subject(tx)
            await rows.attempt(tx, subject, version=3)
        await heard(one, "orders")


async def test_only_who_is_signed_in_is_told(database: str) -> None:
    async with lookout.opened(database, counting=False) as site, site.viewer() as session:
        async with session.get(PATH, headers={"Cookie": ""}, allow_redirects=False) as answer:
            assert 303 == answer.status
        assert 0 == len(site.console.signals)


async def test_a_page_too_many_is_sent_off_and_a_place_is_free_again(database: str) -> None:
    with shorter("HEARTBEAT", 0.05):
        async with lookout.opened(database, counting=False, most=1) as site:
            async with line(site), site.viewer() as session, session.get(PATH) as answer:
                assert (503, "60") == (answer.status, answer.headers["Retry-After"])
            await listening(site, 0)
            async with line(site):
                await listening(site, 1)


async def test_whoever_comes_back_hears_what_was_missed(database: str) -> None:
    async with lookout.opened(database, counting=False) as site:
        signals = site.console.signals
        signals.tell(["orders"])
        place = signals.place
        signals.tell(["jobs"])
        async with line(site, {"Last-Event-ID": place}) as page:
            await heard(page, "jobs")


async def test_the_line_ends_with_the_session(database: str) -> None:
    with shorter("RECHECK", 0.1), shorter("HEARTBEAT", 0.05):
        async with lookout.opened(database, counting=False) as site, line(site) as page:
            async with transaction(site.db) as tx:
                await tx.execute("UPDATE console_sessions SET ended_at = now()")
            last = await ended(page)
            assert {"event: now", "event: dead"} <= set(last.splitlines())
            await listening(site, 0)


async def test_listening_does_not_prolong_a_session(database: str) -> None:
    with shorter("RECHECK", 0.1), shorter("HEARTBEAT", 0.05):
        async with lookout.opened(database, counting=False) as site, line(site) as page:
            async with transaction(site.db) as tx:
                await tx.execute("UPDATE console_sessions SET seen_at = now() - interval '119 min'")
            await heard(page, ": still here")
            async with transaction(site.db) as tx:
                idle = await tx.fetchval("SELECT now() - seen_at FROM console_sessions")
            assert idle.total_seconds() > 7000


async def test_a_line_with_nothing_to_say_shows_that_it_is_there(database: str) -> None:
    with shorter("HEARTBEAT", 0.05):
        async with lookout.opened(database, counting=False) as site, line(site) as page:
            await heard(page, ": still here")


async def test_the_end_of_the_process_ends_every_line_at_once(database: str) -> None:
    async def listen(site: Lookout) -> str:
        async with line(site) as page:
            return await ended(page)

    clock = asyncio.get_running_loop().time
    async with lookout.opened(database, counting=False) as site:
        page = asyncio.create_task(listen(site))
        await listening(site, 1)
        began = clock()
    assert "" == (await page).strip()
    assert clock() - began < 5


async def test_whoever_is_gone_frees_the_place(database: str) -> None:
    with shorter("HEARTBEAT", 0.05):
        async with lookout.opened(database, counting=False) as site:
            async with line(site):
                await listening(site, 1)
            await listening(site, 0)


async def test_whoever_does_not_read_is_let_go(database: str) -> None:
    with shorter("WRITE_WITHIN", 0.5):
        async with lookout.opened(database, counting=False) as site:
            address = urlsplit(site.url)
            deaf = socket.socket()
            deaf.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
            deaf.connect((address.hostname, address.port))
            cookie = await site.cookie()
            said = ("Host: " + address.netloc, f"Cookie: {cookie}", "", "")
            deaf.sendall("\r\n".join([f"GET {PATH} HTTP/1.1", *said]).encode())
            await listening(site, 1)
            async with asyncio.timeout(60):
                while len(site.console.signals):
                    site.console.signals.tell(["now", "dead", "jobs", "orders"])
                    await asyncio.sleep(0)
            deaf.close()


async def test_the_answer_says_what_it_is(database: str) -> None:
    async with lookout.opened(database, counting=False) as site, line(site) as page:
        said = {
            name: page.headers.get(name)
            for name in ("Cache-Control", "Server", "X-Accel-Buffering")
        }
        assert {
            "Cache-Control": "no-store",
            "Server": "orderhook",
            "X-Accel-Buffering": "no",
        } == said
