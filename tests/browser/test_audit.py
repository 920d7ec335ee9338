"""Audit, as an admin asks who did what, and whether anybody changed the record of it."""

import re

import asyncpg
import pytest
from playwright.async_api import expect

from service.store import actions
from service.store.pool import transaction
from tests.browsing import Site

pytestmark = pytest.mark.postgres

HOSTILE = (
    "<svg onload=window.pwned=1>",
    "</script><script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "javascript:window.pwned=1",
    "{{7*7}} ${7*7} {% raw %}",
)
ALL_OF_THEM = " ".join(HOSTILE)


async def _act(site: Site, number: int, *, actor: str = "bert", **detail: object) -> None:
    async with transaction(site.db) as tx:
        target = f"order/{number}"
        await actions.record(tx, actor, "subject.correct", target=target, detail=detail)


@pytest.mark.parametrize("java_script", [True, False])
async def test_actions_are_filtered_and_paged_in_words(site: Site, java_script: bool) -> None:  # noqa: FBT001
    for number in range(60):
        await _act(site, number, reason=f"Call {number}", dry_run=False, ids=[1, 2])
    await _act(site, 99, actor="carla", reason="The customer called", to={"lane": "payment"})
    async with site.viewer("admin", java_script_enabled=java_script) as page:
        await page.get_by_role("link", name="Audit", exact=True).click()
        await expect(page.locator("tbody tr").first).to_contain_text("console.sign_in")
        second = page.locator("tbody tr").nth(1)
        for word in ("carla", "subject.correct", "order/99", "The customer called", "to.lane"):
            await expect(second).to_contain_text(word)
        assert 50 == await page.locator("tbody tr").count()
        await page.get_by_role("link", name="Older ones").click()
        await expect(page.locator("tbody tr").last).to_contain_text("Call 0")
        await expect(page.locator("tbody tr").last).to_contain_text("no")
        await page.goto(f"{site.url}/audit")
        await page.get_by_role("textbox", name="Who").fill("carla")
        await page.get_by_role("button", name="Show").click()
        assert 1 == await page.locator("tbody tr").count()
        await page.get_by_role("link", name="All of them").click()
        assert 50 == await page.locator("tbody tr").count()
        await page.goto(f"{site.url}/audit?actor=nobody")
        await expect(page.get_by_text("Nobody did such a thing.")).to_be_visible()


@pytest.mark.parametrize("java_script", [True, False])
async def test_the_chain_is_verified_with_a_head_that_was_written_down(
    site: Site,
    java_script: bool,  # noqa: FBT001
) -> None:
    await _act(site, 1)
    async with site.viewer("admin", java_script_enabled=java_script) as page:
        await page.goto(f"{site.url}/audit")
        head = await page.locator("#head").inner_text()
        assert re.fullmatch(r"2:[0-9a-f]{64}", head)
        await page.get_by_label("A head that you wrote down").fill(head)
        await page.get_by_role("button", name="Verify the chain now").click()
        verdict = page.locator("#verdict")
        await expect(verdict).to_contain_text("The chain is whole: 2 actions.")
        await expect(verdict).to_contain_text("The head that you gave is a link of it.")
        await page.goto(f"{site.url}/audit")
        await page.get_by_label("A head that you wrote down").fill(ALL_OF_THEM[:90])
        await page.get_by_role("button", name="Verify the chain now").click()
        await expect(verdict).to_contain_text("is no link of it: it was made anew")
        await expect(verdict).to_contain_text(HOSTILE[0])


async def test_a_changed_action_is_found(site: Site, database: str) -> None:
    for number in (1, 2):
        await _act(site, number)
    connection = await asyncpg.connect(database)
    await connection.execute("SET session_replication_role = replica")
    await connection.execute("UPDATE operator_actions SET actor = 'x' WHERE target = 'order/2'")
    await connection.close()
    async with site.viewer("admin") as page:
        await page.goto(f"{site.url}/audit")
        await page.get_by_role("button", name="Verify the chain now").click()
        await expect(page.locator("#verdict")).to_contain_text("The chain is broken.")
        await expect(page.locator("#verdict")).to_contain_text("Link 2 does not cover its action")


async def test_what_people_wrote_is_only_text(site: Site) -> None:
    async with transaction(site.db) as tx:
        await actions.record(
            tx, ALL_OF_THEM, ALL_OF_THEM, target=ALL_OF_THEM, detail={ALL_OF_THEM: ALL_OF_THEM}
        )
        for kind in ("subject.link", "destination.pause", "source.test"):
            await actions.record(tx, "x", kind, target=f"order/{ALL_OF_THEM}", detail={})
    async with site.viewer("admin") as page:
        await page.goto(f"{site.url}/audit")
        row = await page.locator("tbody tr").last.inner_text()
        assert [] == [each for each in HOSTILE[:2] if each not in row]
        for link in await page.locator("tbody a").all():
            assert str(await link.get_attribute("href")).startswith("/console/")
        await page.locator("tbody tr").last.get_by_role("link").first.click()
        await page.wait_for_url(re.compile("actor="))
        assert 1 == await page.locator("tbody tr").count()
        assert not await page.evaluate("'pwned' in window")


async def test_only_admins_see_it(site: Site) -> None:
    async with site.viewer("operator", may_fail=True) as page:
        assert not await page.get_by_role("link", name="Audit", exact=True).count()
        answer = await page.goto(f"{site.url}/audit")
        assert 403 == (answer.status if answer else 0)


async def test_pages_of_set_up_fit_a_phone(site: Site) -> None:
    await _act(site, 1, reason="x" * 200)
    async with site.viewer("admin", viewport={"width": 390, "height": 800}) as page:
        for path in ("audit", "sources", "sources/shop", "destinations", "destinations/crm"):
            await page.goto(f"{site.url}/{path}")
            assert 390 == await page.evaluate("document.documentElement.scrollWidth"), path
