"""The whole console in Russian and in Chinese, on a phone."""

from pathlib import Path

import pytest
from playwright.async_api import Browser, Page

from tests import browsing, furnished
from tests.browsing import Site

pytestmark = pytest.mark.postgres

PHONE = {"width": 390, "height": 844}
HEADINGS = {
    "ru": {
        "/": "Сейчас",
        "/orders": "Заказы",
        "/orders?q=no-such": "Поиск: no-such",
        "/dead-letters": "Недоставленные",
        "/jobs": "Задания",
        "/replay": "Повторный разбор запросов",
        "/sources": "Источники",
        "/destinations": "Получатели",
        "/audit": "Аудит",
    },
    "zh": {
        "/": "实时",
        "/orders": "订单",
        "/orders?q=no-such": "搜索: no-such",
        "/dead-letters": "死信",
        "/jobs": "任务",
        "/replay": "重放已存请求",
        "/sources": "来源",
        "/destinations": "目标",
        "/audit": "审计",
    },
}
"""Of pages whose first heading is no name or number."""
SIGN_IN = {"ru": ("ru-RU", "Вход"), "zh": ("zh-CN", "登录")}
NOWHERE = {"ru": "Не получилось", "zh": "操作未成功"}  # noqa: RUF001  # Russian
PAUSED = {"ru": "hubspot на паузе", "zh": "暂停了 hubspot"}
"""A sentence that comes from below the console."""
TOO_WIDE = """() => [...document.querySelectorAll("body *")]
  .filter((each) => each.getBoundingClientRect().right > innerWidth + 1)
  .filter((each) => !each.closest(".scroll, pre, svg, .unseen"))
  .map((each) => `${each.tagName}.${each.className} ${each.textContent.trim().slice(0, 40)}`)"""


async def test_every_page_is_said_in_every_language_and_fits_a_phone(
    database: str, tmp_path: Path, browser: Browser
) -> None:
    wide = {"server": furnished.SERVER, "more": furnished.MORE}
    async with browsing.running(database, tmp_path, browser, **wide) as site:
        pages = (await furnished.furnish(site)).all()
        for language, headings in HEADINGS.items():
            await _signs_in(site, language)
            async with site.viewer(may_fail=True, viewport=PHONE) as page:
                await _choose(page, language)
                for address in pages:
                    await page.goto(f"{site.url}{address}")
                    heading = await _whole(page, language)
                    assert headings.get(address, heading) == heading
                await page.goto(site.url)
                await page.get_by_role("link", name=PAUSED[language]).wait_for()
                await page.goto(f"{site.url}/no-such-page")
                assert NOWHERE[language] == await _whole(page, language)


async def _signs_in(site: Site, language: str) -> None:
    """As the browser asks for, before anybody chose."""
    locale, words = SIGN_IN[language]
    async with site.visitor(locale=locale, viewport=PHONE) as page:
        await page.goto(f"{site.url}/sign-in")
        assert words == await _whole(page, language)


async def _choose(page: Page, language: str) -> None:
    await page.locator("details.menu summary").click()
    await page.locator("select[name=language]").select_option(language)
    await page.get_by_role("button", name="Apply").click()
    await page.locator(f"html[lang={language}]").wait_for()


async def _whole(page: Page, language: str) -> str:
    """The first heading of a page that is in the language and no wider than the screen."""
    assert language == await page.locator("html").get_attribute("lang")
    width = await page.evaluate("document.documentElement.scrollWidth")
    assert PHONE["width"] >= width, (page.url, await page.evaluate(TOO_WIDE))
    return " ".join((await page.get_by_role("heading", level=1).inner_text()).split())
