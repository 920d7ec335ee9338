"""A whole installation in this process, and people who look at its console with a real browser."""

import asyncio
import json
import os
import shutil
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
from playwright.async_api import Browser, BrowserContext, ConsoleMessage, Page, async_playwright

from service.app.known import KNOWN
from service.app.process import Options
from service.app.run import run
from service.cli.token import issue, link
from service.settings import Settings
from service.settings.load import load
from service.store import pool
from service.store.pool import Pool
from tests import servers
from tests.folding import Desk

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CONFIG = """
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
sandbox = true
{server}
[store]
url = "{store}"
[broker]
url = "embedded"
[auth]
jwt_secret = "plain:a key of thirty-two bytes or more"
{auth}
[sources.shop]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:the-shops-word"]
durability = "strict"
key = "id"
subject = {{ ref = "order", aliases = {{ tracking = "tracking" }} }}
occurred_at = "at"
status = "state"
attributes = {{ amount = "total", customer = "customer" }}
[sources.shop.statuses]
PAID = "payment.paid"
REFUNDED = "payment.refunded"
PACKED = "fulfillment.packed"
SHIPPED = "fulfillment.shipped"
TRANSIT = "delivery.in_transit"
DELIVERED = "delivery.delivered"
[destinations.crm]
crm = "callback"
url = "{crm}"
secret = "plain:{secret}"
retry = {{ first = "1s", max = "2s", max_attempts = 2 }}
[[routes]]
destinations = ["crm"]
{more}
"""
LONG = 15_000.0
"""Milliseconds a busy machine may take for what should take no time."""


@dataclass
class Receiver:
    """The CRM: takes every callback, or answers what it is told to."""

    status: int = 200
    told: list[dict[str, Any]] = field(default_factory=list)

    async def take(self, request: aiohttp.web.Request) -> aiohttp.web.Response:
        self.told.append(json.loads(await request.read()))
        return aiohttp.web.Response(status=self.status, text="as you were told")


@dataclass
class Site:
    """A running installation with everything in one process."""

    settings: Settings
    public: str
    internal: str
    db: Pool
    desk: Desk
    crm: Receiver
    browser: Browser
    elsewhere: str = "about:"
    """Where pages of others are, whose errors are theirs."""

    @property
    def url(self) -> str:
        return f"{self.internal}/console"

    def link(self, role: str = "admin", *, subject: str = "anna") -> str:
        """A link that signs in once."""
        server = self.settings.server.model_copy(update={"internal_url": self.internal})
        ttl = timedelta(minutes=5)
        return link(server, self.settings.auth, role=role, subject=subject, ttl=ttl)

    def bearer(self, role: str = "admin", *, subject: str = "anna") -> dict[str, str]:
        auth, ttl = self.settings.auth, timedelta(minutes=5)
        return {"Authorization": f"Bearer {issue(auth, role=role, subject=subject, ttl=ttl)}"}

    async def post(self, **item: Any) -> int:
        """The shop says something; the status is the gateway's."""
        headers = {"Authorization": "Bearer the-shops-word"}
        async with (
            aiohttp.ClientSession() as session,
            session.post(f"{self.public}/webhooks/shop", json=item, headers=headers) as answer,
        ):
            return answer.status

    @asynccontextmanager
    async def visitor(self, *, may_fail: bool = False, **options: Any) -> AsyncIterator[Page]:
        """A page of a fresh browser profile; an error in its console fails the test."""
        context = await self.browser.new_context(**{"locale": "en-GB", **options})
        context.set_default_timeout(LONG)
        try:
            page = await context.new_page()
            errors = self._listen(page)
            yield page
            assert may_fail or [] == errors, errors
        finally:
            await context.close()

    @asynccontextmanager
    async def viewer(
        self, role: str = "admin", *, subject: str = "anna", may_fail: bool = False, **options: Any
    ) -> AsyncIterator[Page]:
        """Somebody who is signed in, on the first page."""
        async with self.visitor(may_fail=may_fail, **options) as page:
            await self.sign_in(page, role, subject=subject)
            yield page

    async def sign_in(self, page: Page, role: str = "admin", *, subject: str = "anna") -> None:
        await page.goto(self.link(role, subject=subject))
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{self.url}/")

    async def session(self, context: BrowserContext) -> str:
        """The Cookie header of whoever is signed in there, for requests by hand."""
        cookies = await context.cookies()
        return "; ".join(f"{each.get('name')}={each.get('value')}" for each in cookies)

    def _listen(self, page: Page) -> list[str]:
        errors: list[str] = []

        def hear(said: ConsoleMessage) -> None:
            if said.type == "error" and not page.url.startswith(self.elsewhere):
                errors.append(f"{page.url}: {said.text}")

        page.on("console", hear)
        page.on("pageerror", lambda error: errors.append(str(error)))
        return errors


@asynccontextmanager
async def running(
    dsn: str, folder: Path, browser: Browser, *, server: str = "", auth: str = "", more: str = ""
) -> AsyncIterator[Site]:
    """The parts of the configuration are TOML lines: of [server], of [auth], and whole tables."""
    crm = Receiver()
    async with AsyncExitStack() as stack:
        file = folder / "orderhook.toml"
        file.write_text(
            CONFIG.format(
                store=dsn,
                crm=await stack.enter_async_context(_receiving(crm)),
                secret=SECRET,
                server=server,
                auth=auth,
                more=more,
            )
        )
        environ = {"ORDERHOOK__SERVER__DATA_DIR": str(folder / "data")}
        settings = load(file, environ, known=KNOWN)
        ready, stop = folder / "ready.json", asyncio.Event()
        options = Options("all", ready_file=ready)
        task = asyncio.create_task(
            run(lambda: settings, options, stop=stop, reload=asyncio.Event())
        )
        stack.push_async_callback(_stopped, task, stop)
        await until(_there(ready, task))
        urls = json.loads(ready.read_text())
        db = await stack.enter_async_context(pool.opened(dsn, size=3))
        site = Site(settings, urls["public"], urls["internal"], db, Desk(db), crm, browser)
        yield site


async def _stopped(task: asyncio.Task[None], stop: asyncio.Event) -> None:
    stop.set()
    async with asyncio.timeout(40):
        await task


def _there(file: Path, task: asyncio.Task[None]) -> Callable[[], Awaitable[bool]]:
    async def there() -> bool:
        if task.done():
            task.result()
            raise AssertionError("The process ended before it was ready.")
        return file.exists()

    return there


@asynccontextmanager
async def _receiving(crm: Receiver) -> AsyncIterator[str]:
    application = aiohttp.web.Application()
    application.router.add_post("/callback", crm.take)
    runner = aiohttp.web.AppRunner(application)
    await runner.setup()
    try:
        listening = aiohttp.web.TCPSite(runner, "127.0.0.1", 0)
        await listening.start()
        host, port = runner.addresses[0][:2]
        yield f"http://{host}:{port}/callback"
    finally:
        await runner.cleanup()


async def until(condition: Callable[[], Awaitable[bool]], *, within: float = 30) -> None:
    async with asyncio.timeout(within):
        while not await condition():
            await asyncio.sleep(0.03)


@asynccontextmanager
async def chromium(program: str) -> AsyncIterator[Browser]:
    """The machine's own browser, which root may only run without its sandbox."""
    words = ["--no-sandbox"] if os.geteuid() == 0 else []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=program, args=words)
        try:
            yield browser
        finally:
            await browser.close()


def find_browser() -> str | None:
    """Where Chromium is; as root on Debian it is installed when missing."""
    if (found := _on_path()) is None and os.geteuid() == 0 and shutil.which("apt-get"):
        sys.stderr.write("Installing chromium with apt-get.\n")
        servers.install("chromium", "fonts-noto-cjk", unless=lambda: _on_path() is not None)
        found = _on_path()
    return found


def _on_path() -> str | None:
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)
