"""Attack 50: every text that is stored is hostile, and each page shows it as the text it is."""

import re
from collections import Counter
from collections.abc import Mapping
from urllib.parse import quote, urlencode, urlsplit

import aiohttp
import pytest
from playwright.async_api import Dialog, Page, expect

from service.store.pool import transaction
from service.web.console.routes import PREFIX
from tests import hostile, rows
from tests.furnished import Furnished, call
from tests.hostile import EVALUATED, LONGEST, TEXT

pytestmark = pytest.mark.postgres

ACTIVE = """() => [...document.querySelectorAll("*")].filter(each =>
    ["img", "iframe", "object", "embed", "base", "style"].includes(each.localName)
    || (each.localName === "script" && !each.src.startsWith(location.origin + "/console/static/"))
    || each.getAttributeNames().some(name => name.startsWith("on") || name === "srcdoc")
    || ["href", "src", "action", "formaction"].some(name =>
        /^\\s*(javascript|data|vbscript):/i.test(each.getAttribute(name) || ""))
).map(each => each.outerHTML.slice(0, 200))"""
LINKS = """() => [...document.querySelectorAll("main a[href]")].map(each =>
    new URL(each.getAttribute("href"), location.href).href)"""
LONG = f"/orders/order/{quote(LONGEST, safe='')}"
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
        await rows.subject(tx, ref=LONGEST)
    async with site.viewer("admin", subject=TEXT[:150]) as page:
        asked: list[str] = []

        async def ask(dialog: Dialog) -> None:
            asked.append(dialog.message)
            await dialog.dismiss()

        page.on("dialog", ask)
        seen = await _walk(house, page)
        assert [] == asked
    assert not house.pages.keys() - seen.keys()


async def _walk(house: Furnished, page: Page) -> Mapping[str, int]:
    """From what is known to all that it leads to: how many pages of each route were looked at."""
    site = house.site
    seen: Counter[str] = Counter()
    todo = [f"{site.url}{address}" for address in ("/", *_known(house), LONG)]
    while todo:
        url = todo.pop(0)
        path = _route(house, url)
        if path is None or seen[path] >= MOST_OF_A_ROUTE:
            continue
        answer = await page.goto(url)
        assert answer is not None
        assert 200 == answer.status, url
        seen[path] += 1
        await _unharmed(page, url)
        if "{ref" in path and "merge" not in path:
            todo += await _merges(page, url)
        todo += [each for each in await page.evaluate(LINKS) if each.startswith(site.url)]
    return seen


def _route(house: Furnished, url: str) -> str | None:
    """The one that an address belongs to, of those that make pages."""
    for path in house.pages:
        like = PREFIX + re.sub(r"\{\w+:(.*?)\}(?=/|$)", r"(?:\1)", path)
        if re.fullmatch(like, urlsplit(url).path):
            return path
    return None


async def _merges(page: Page, url: str) -> list[str]:
    """Of the longest number into this order; into itself it is refused."""
    other = await page.locator("h1 .anywhere").inner_text()
    into = urlencode({"into": other})
    return (
        []
        if LONGEST in other
        else [urlsplit(url)._replace(path=f"{PREFIX}{LONG}/merge", query=into).geturl()]
    )


async def _unharmed(page: Page, url: str) -> None:
    if urlsplit(url).path == f"{PREFIX}/":
        await page.get_by_role("heading", name="Dead letters by cause").wait_for()
    assert [] == await page.evaluate(ACTIVE), url
    assert not await page.evaluate("window.pwned"), url
    assert EVALUATED not in await page.locator("body").inner_text(), url
    # What htmx puts in passes the guard as well, which would throw.
    await page.evaluate("askAgain()")
    await expect(page.locator(".htmx-request")).to_have_count(0)
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
