"""What axe says about every page: nothing of weight, in light and dark, on a desk and a phone.

axe-core 4 (Deque, MPL 2.0) comes with the package axe-playwright-python. The pages' own policy
would not let it in, so these browsers pass over it; no other test does.
"""

from collections.abc import AsyncIterator, Awaitable, Callable
from importlib.resources import files
from typing import Any

import pytest
from playwright.async_api import Page

from service.web.console.showing import THEME_COOKIE
from tests.furnished import HERO, STUCK, Furnished

pytestmark = pytest.mark.postgres

AXE = (files("axe_playwright_python") / "axe.min.js").read_text("utf-8")
TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
ASKS = """tags => axe.run(document, {
    runOnly: {type: "tag", values: tags}, resultTypes: ["violations"]
}).then(found => found.violations.map(each => ({
    id: each.id, impact: each.impact,
    nodes: each.nodes.map(({html, failureSummary}) =>
        html.slice(0, 160) + " | " + failureSummary.slice(0, 240))
})))"""
OPEN = "document.querySelectorAll('main details').forEach(each => { each.open = true })"
WEIGHTY = {"serious", "critical"}
DESK, PHONE = {"width": 1280, "height": 860}, {"width": 390, "height": 844}


async def _violations(page: Page) -> list[str]:
    await page.evaluate(AXE)
    found: list[dict[str, Any]] = await page.evaluate(ASKS, TAGS)
    return [
        f"{each['id']} ({each['impact']}): {node}"
        for each in found
        if each["impact"] in WEIGHTY
        for node in each["nodes"][:3]
    ]


async def _counted(page: Page) -> None:
    await page.get_by_role("heading", name="Dead letters by cause").wait_for()


async def _pages(house: Furnished, page: Page) -> AsyncIterator[str]:
    """Every page, one after the other, with all opened that can be, and what it is called.

    No news reach them: nothing is exchanged for something newer while axe looks at it.
    """
    await page.route("**/live", lambda route: route.abort())
    for address in house.all():
        await page.goto(f"{house.site.url}{address}")
        if address == "/":
            await _counted(page)
        await page.evaluate(OPEN)
        yield address
    await page.locator("details.menu summary").click()
    yield "the menu"


@pytest.mark.parametrize("width", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_no_page_has_a_violation_of_weight(
    house: Furnished, theme: str, width: dict[str, int]
) -> None:
    async with house.site.viewer(
        "admin", bypass_csp=True, may_fail=True, viewport=width, color_scheme=theme
    ) as page:
        found = {
            name: wrong async for name in _pages(house, page) if (wrong := await _violations(page))
        }
    assert {} == found


async def _plan(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/dead-letters/list?kind=sync&reason=refused")
    await page.get_by_role("button", name="Dry run: redrive all that fit").click()
    await page.locator("#counted").wait_for()


async def _verdict(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/audit")
    await page.locator("form[action$=verification] button").click()
    await page.wait_for_url("**/audit/verification")


async def _replay(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/replay?source=shop&outcomes=unmapped")
    await page.locator("main form button").first.click()
    await page.locator("#counted, main h2").first.wait_for()


async def _tested(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/sources/stripe")
    await page.locator("form[action$='/test'] button").click()
    await page.wait_for_url("**/sources/stripe/test")


async def _compared(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/orders/order/{HERO}")
    await page.get_by_role("button", name="Compare now").click()
    await page.wait_for_url("**/comparison")


async def _done(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/orders/order/{STUCK}?done=correct")


async def _nowhere(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/orders/order/nobody")


async def _link(page: Page, house: Furnished) -> None:
    await page.context.clear_cookies()
    await page.goto(house.site.link())


async def _spent(page: Page, house: Furnished) -> None:
    await page.goto(f"{house.site.url}/sign-in?token=no.token.at-all")
    await page.get_by_role("button", name="Sign in").click()
    await page.get_by_role("alert").wait_for()


ANSWERS: tuple[Callable[[Page, Furnished], Awaitable[None]], ...] = (
    _plan,
    _verdict,
    _replay,
    _tested,
    _compared,
    _done,
    _nowhere,
    _link,
    _spent,
)
"""Pages that answer a form, and those of people who are not signed in. Without our scripts each is
a whole page; the browser's own must go on, because axe needs them."""


@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_what_answers_a_form_has_none_either(house: Furnished, theme: str) -> None:
    found = {}
    async with house.site.viewer("admin", bypass_csp=True, may_fail=True) as page:
        await page.route("**/*.js", lambda route: route.abort())
        url = house.site.internal
        await page.context.add_cookies([{"name": THEME_COOKIE, "value": theme, "url": url}])
        for answer in ANSWERS:
            await answer(page, house)
            if wrong := await _violations(page):
                found[answer.__name__] = wrong
    assert {} == found
