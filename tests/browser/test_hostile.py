"""Attack 50: every text that is stored is hostile, and each page shows it as the text it is."""

import re
from urllib.parse import urlsplit

import aiohttp
import pytest
from playwright.async_api import Dialog, Page

from service.store.pool import transaction
from service.web.console.routes import PREFIX
from tests import hostile
from tests.browser.test_site import console_routes
from tests.furnished import Furnished, call
from tests.hostile import EVALUATED, TEXT

pytestmark = pytest.mark.postgres

ACTIVE = """() => [...document.querySelectorAll("*")].filter(each =>
    ["img", "iframe", "object", "embed", "base", "style"].includes(each.localName)
    || (each.localName === "script" && !each.src.startsWith(location.origin + "/console/static/"))
    || each.getAttributeNames().some(name => name.startsWith("on") || name === "srcdoc")
    || ["href", "src", "action", "formaction"].some(name =>
        /^\\s*(javascript|data|vbscript):/i.test(each.getAttribute(name) || ""))
).map(each => each.outerHTML.slice(0, 200))"""
LINKS = "[...document.querySelectorAll('main a[href]')].map(each => each.href)"
MOST_OF_A_ROUTE = 3
"""Pages of one kind that are looked at; the others are made alike."""


async def test_every_stored_text_is_hostile_and_no_page_takes_it_for_more(
    house: Furnished,
) -> None:
    site = house.site
    await _acts(house)
    async with transaction(site.db) as tx:
        assert [] == await hostile.unknown(tx)
        assert await hostile.poison(tx) > 50
    patterns = {
        each.path: re.compile(PREFIX + re.sub(r"\{\w+:(.*?)\}(?=/|$)", r"(?:\1)", each.path) + "$")
        for each in console_routes(site)
        if each.method == "GET" and each.path in house.pages
    }
    seen: dict[str, int] = dict.fromkeys(patterns, 0)
    async with site.viewer("admin", subject=TEXT[:150]) as page:
        asked: list[str] = []

        async def ask(dialog: Dialog) -> None:
            asked.append(dialog.message)
            await dialog.dismiss()

        page.on("dialog", ask)
        todo = [f"{site.url}{address}" for address in ("/", *_known(house))]
        while todo:
            url = todo.pop(0)
            path = next((p for p, like in patterns.items() if like.match(urlsplit(url).path)), None)
            if path is None or seen[path] >= MOST_OF_A_ROUTE:
                continue
            answer = await page.goto(url)
            assert answer is not None
            if answer.status != 200:
                continue  # an order that is called otherwise now
            seen[path] += 1
            await _unharmed(page, url)
            todo += [each for each in await page.evaluate(LINKS) if each.startswith(site.url)]
        assert [] == asked
    assert not [path for path, count in seen.items() if not count], seen


async def _unharmed(page: Page, url: str) -> None:
    if urlsplit(url).path == f"{PREFIX}/":
        await page.get_by_role("heading", name="Dead letters by cause").wait_for()
    assert [] == await page.evaluate(ACTIVE), url
    assert not await page.evaluate("window.pwned"), url
    assert EVALUATED not in await page.locator("body").inner_text(), url
    # What htmx puts in passes the guard as well, which would throw.
    for element in await page.locator("[hx-trigger*='sse:']").all():
        await element.evaluate("each => htmx.trigger(each, /sse:\\\\w+/.exec(each.getAttribute('hx-trigger'))[0])")
    await page.wait_for_load_state("load")
    assert not await page.evaluate("window.pwned"), url


def _known(house: Furnished) -> list[str]:
    """What has no hostile name: the others are found by the links that lead there."""
    return [
        address
        for path, addresses in house.pages.items()
        for address in addresses
        if "{ref" not in path
    ]


async def _acts(house: Furnished) -> None:
    """Hostile people with hostile reasons."""
    who, site = TEXT[:150], house.site
    await call(site, "POST", "/destinations/hubspot/resume", {"reason": TEXT}, subject=who)
    await call(site, "POST", "/destinations/hubspot/pause", {"reason": TEXT}, subject=who)
    async with aiohttp.ClientSession() as session:
        headers = {"X-Evil": TEXT.encode("ascii", "replace").decode(), "Content-Type": "text/html"}
        url = f"{site.public}/webhooks/new-wms?{'<svg onload=1>' * 5}"
        async with session.post(url, data=TEXT.encode(), headers=headers) as answer:
            assert answer.status < 300
