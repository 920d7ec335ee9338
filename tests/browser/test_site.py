"""The whole site: each page is there, whole and quiet, for keyboards, phones, plain browsers."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from urllib.parse import urljoin, urlsplit
from uuid import uuid4

import aiohttp
import pytest
from playwright.async_api import Page

from service.store.pool import transaction
from service.web.auth import Role
from service.web.console import site as pages_of
from service.web.console.routes import PREFIX, Console, Route
from tests.browsing import Site
from tests.furnished import HERO, NO_PAGES, Furnished

pytestmark = pytest.mark.postgres

PHONE = {"width": 390, "height": 844}
HARMLESS = {f"{PREFIX}/preferences", f"{PREFIX}/sign-out"}
READING = "/comparison"
"""A form of this asks the CRM what it shows, and writes nothing."""
COUNTING = {"/", "/sources", "/destinations"}
"""They count while somebody looks; their own tests look at them without scripts."""
MOST_PAGES = 400
HEADINGS = "[...document.querySelectorAll('h1,h2,h3,h4')].map(each => Number(each.localName[1]))"
FOCUSED = """() => {
    const each = document.activeElement;
    const style = getComputedStyle(each), box = each.getBoundingClientRect();
    return {
        what: each.outerHTML.slice(0, 120),
        name: each.localName,
        seen: box.width > 0 && box.bottom > 0 && box.right > 0,
        marked: (style.outlineStyle !== "none" && parseFloat(style.outlineWidth) > 0)
            || style.boxShadow !== "none",
    };
}"""


def console_routes(site: Site) -> tuple[Route, ...]:
    return pages_of.routes(Console(site.db, site.settings.auth, lambda: datetime.now(UTC)))


async def test_no_page_is_forgotten_by_the_tests_of_all_pages(house: Furnished) -> None:
    gets = {each.path for each in console_routes(house.site) if each.method == "GET"}
    assert gets == house.pages.keys() | NO_PAGES.keys()
    assert not house.pages.keys() & NO_PAGES.keys()


async def test_each_page_is_whole_and_fits_a_phone(house: Furnished) -> None:
    async with house.site.viewer("admin", viewport=PHONE) as page:
        for address in house.all():
            answer = await page.goto(f"{house.site.url}{address}")
            assert answer is not None
            assert (address, 200) == (address, answer.status)
            assert re.fullmatch(r".+ · Orderhook", await page.title()), address
            order = await page.evaluate(HEADINGS)
            assert 1 == order.count(1), (address, order)
            assert not [one for one, two in pairwise(order) if two > one + 1], (address, order)
            assert "en" == await page.locator("html").get_attribute("lang")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= PHONE["width"], (address, wide)


async def test_each_page_is_walked_with_the_keyboard(house: Furnished) -> None:
    async with house.site.viewer("admin") as page:
        for address in house.all():
            await page.goto(f"{house.site.url}{address}")
            await page.keyboard.press("Tab")
            first = await page.evaluate(FOCUSED)
            assert 'href="#main"' in first["what"], (address, first)
            assert first["seen"], (address, "the skip link is not shown")
            await page.keyboard.press("Enter")
            assert "main" == await page.evaluate("document.activeElement.id"), address
            for _ in range(6):
                await page.keyboard.press("Tab")
                each = await page.evaluate(FOCUSED)
                if each["name"] == "body":
                    break
                assert each["seen"], (address, each)
                assert each["marked"], (address, each)


async def test_what_is_shown_takes_no_scripts(house: Furnished) -> None:
    """What waits for a script to be filled in is empty without one."""
    async with (
        house.site.viewer("admin") as scripted,
        house.site.viewer("admin", java_script_enabled=False) as plain,
    ):
        for address in house.all():
            if address in COUNTING:
                continue
            await scripted.goto(f"{house.site.url}{address}")
            await plain.goto(f"{house.site.url}{address}")
            assert await _outline(scripted) == await _outline(plain), address


async def _outline(page: Page) -> list[object]:
    main = page.locator("main")
    return [
        await main.locator("h1, h2").all_inner_texts(),
        await main.locator("h3, th").count(),
        await main.locator("tbody tr").count(),
        await main.locator("a[href]").count(),
        await main.locator("button").count(),
    ]


class Parts(HTMLParser):
    """Of a page: where it leads, its places, its forms."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.ids: list[str] = []
        self.posts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "a" and "href" in said:
            self.links.append(said["href"])
        if "id" in said:
            self.ids.append(said["id"])
        if tag == "form" and said.get("method") == "post":
            self.posts.append(said["action"])
        self.posts += [said[name] for name in ("hx-post", "formaction") if name in said]


async def test_every_link_leads_to_a_page_and_every_place_is_there_once(house: Furnished) -> None:
    """From the first page, and from all that are known, to whatever they lead to."""
    site = house.site
    seen: dict[str, Parts] = {}
    async with site.viewer("admin") as page:
        headers = {"Cookie": await site.session(page.context)}
    async with aiohttp.ClientSession(headers=headers) as session:
        todo = [f"{site.url}{address}" for address in house.all()]
        while todo and len(seen) < MOST_PAGES:
            url = todo.pop(0)
            if url in seen:
                continue
            async with session.get(url) as answer:
                assert 200 == answer.status, url
                html = answer.content_type == "text/html"
                seen[url] = parts = Parts(await answer.text() if html else "")
            twice = [each for each in parts.ids if parts.ids.count(each) > 1]
            assert [] == twice, url
            for link in parts.links:
                there = urlsplit(urljoin(url, link))
                assert f"{there.scheme}://{there.netloc}" == site.internal, (url, link)
                todo.append(there._replace(fragment="").geturl())
    for url, parts in seen.items():
        for link in parts.links:
            there = urlsplit(urljoin(url, link))
            target = seen.get(there._replace(fragment="").geturl())
            if there.fragment and target is not None and "list" not in there.path:
                assert there.fragment in target.ids or _counts_first(there.path), (url, link)
    assert len(seen) > len(house.all())


def _counts_first(path: str) -> bool:
    """The first page has most of its places once it has counted."""
    return path in {PREFIX, f"{PREFIX}/"}


async def test_a_viewer_finds_no_form_that_changes_anything(house: Furnished) -> None:
    site = house.site
    least = {each.path: each.least for each in console_routes(site) if each.method == "GET"}
    async with site.viewer("viewer", subject="vera") as page:
        headers = {"Cookie": await site.session(page.context)}
    async with aiohttp.ClientSession(headers=headers) as session:
        for path, addresses in house.pages.items():
            for address in addresses:
                async with session.get(f"{site.url}{address}") as answer:
                    if least[path] is not Role.VIEWER:
                        assert 403 == answer.status, address
                        continue
                    assert 200 == answer.status, address
                    forms = Parts(await answer.text()).posts
                assert HARMLESS <= set(forms), address
                assert not [
                    each
                    for each in forms
                    if each not in HARMLESS and not urlsplit(each).path.endswith(READING)
                ], address


async def test_every_route_wants_its_role_and_nothing_less(house: Furnished) -> None:
    site = house.site
    before = await _acts(site)
    for role in Role:
        async with site.viewer(role.name.lower(), subject=f"one-{role.name}") as page:
            await page.goto(f"{site.url}/orders/order/{HERO}")
            csrf = await page.locator("input[name=csrf]").first.get_attribute("value") or ""
            headers = {"Cookie": await site.session(page.context), "Origin": site.internal}
            async with aiohttp.ClientSession(headers=headers) as session:
                for route in _guarded(site):
                    status = await _ask(session, site, route, csrf)
                    assert route.least is not None
                    refused = role < route.least
                    assert refused == (status == 403), (route.method, route.path, role, status)
                    assert status < 500, (route.method, route.path, role, status)
                    if route.method == "POST":
                        status = await _ask(session, site, route, "0" * 64)
                        assert 403 == status, (route.path, role, "with a forged token")
        if role is Role.VIEWER:
            assert before == await _acts(site)


async def test_nobody_who_is_not_signed_in_gets_past_the_door(house: Furnished) -> None:
    site = house.site
    before = await _acts(site)
    async with aiohttp.ClientSession(headers={"Origin": site.internal}) as session:
        for route in _guarded(site):
            assert 303 == await _ask(session, site, route, ""), (route.method, route.path)
            live = {"HX-Request": "true"}
            assert 204 == await _ask(session, site, route, "", **live), (route.method, route.path)
        # A bearer token of the API is nothing here, and a link to sign in is no session.
        for header in ("Authorization", "Cookie"):
            words = site.bearer("admin")["Authorization"]
            said = {header: words if header == "Authorization" else f"__Host-orderhook={words[7:]}"}
            for route in _guarded(site):
                assert 303 == await _ask(session, site, route, "", **said), (route.path, header)
    assert before == await _acts(site)


def _guarded(site: Site) -> Iterator[Route]:
    """But for the stream of signals, which does not end."""
    for route in console_routes(site):
        if route.least is not None and route.path != "/live":
            yield route


async def _ask(
    session: aiohttp.ClientSession, site: Site, route: Route, csrf: str, **headers: str
) -> int:
    """The status; the form has nothing but the token, so hardly anything is done by who may."""
    address = f"{site.url}{filled(route.path)}"
    data = {"csrf": csrf} if route.method == "POST" else None
    async with session.request(
        route.method, address, data=data, headers=headers, allow_redirects=False
    ) as answer:
        return answer.status


def filled(path: str) -> str:
    """The address of something that is not there, or of a name that is."""
    for pattern, value in (
        (r"\{lifecycle:[^}]*\]\+\}", "order"),
        (r"\{ref:[^}]*\]\+\}", "nobody"),
        (r"\{name:[^}]*\]\+\}", "hubspot" if "destinations" in path else "new-wms"),
        (r"\{id:\\d\+\}", "99"),
        (r"\{id:.*?\}(?=/|$)", str(uuid4())),
    ):
        path = re.sub(pattern, value, path)
    assert "{" not in path, path
    return path


async def _acts(site: Site) -> tuple[object, ...]:
    async with transaction(site.db) as tx:
        row = await tx.fetchrow(
            "SELECT (SELECT count(*) FROM operator_actions WHERE action !~ '^console'),"
            " (SELECT count(*) FROM jobs),"
            " (SELECT count(*) FROM destinations WHERE paused_at IS NOT NULL)"
        )
        assert row is not None
        return tuple(row)
