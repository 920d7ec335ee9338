"""Destinations, as whoever asks why nothing arrives there looks at them and acts."""

import re
from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, Page, expect

from service.sandbox.dialects.base import running
from service.sandbox.dialects.hubspot import HubSpot
from service.store.pool import transaction
from tests import browsing, rows
from tests.browsing import Site, until

pytestmark = pytest.mark.postgres

HOSTILE = (
    "<svg onload=window.pwned=1>",
    "</script><script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "javascript:window.pwned=1",
    "{{7*7}} ${7*7} {% raw %}",
)
ALL_OF_THEM = " ".join(HOSTILE)
RECORDS = """
[destinations.records]
crm = "hubspot"
url = "{url}"
token = "plain:{token}"
statuses = {{ paid = "closedwon" }}
attributes = {{ amount = "amount" }}
limits = {{ requests = {{ count = 1000, period = "1d" }} }}
"""


async def _one(site: Site, query: str) -> object:
    async with transaction(site.db) as tx:
        return await tx.fetchval(query)


async def _paid(site: Site, ref: str = "A-1") -> None:
    assert 202 == await site.post(id=ref, order=ref, at="2026-03-01T12:00:00Z", state="PAID")

    async def tried() -> bool:
        return bool(await _one(site, "SELECT EXISTS (SELECT FROM attempts)"))

    await until(tried)


async def _open(page: Page, site: Site, name: str = "crm") -> None:
    await page.goto(f"{site.url}/destinations/{name}")


@pytest.mark.parametrize("java_script", [True, False])
async def test_the_list_counts_and_leads_to_dead_letters(site: Site, java_script: bool) -> None:  # noqa: FBT001
    site.crm.status = 422
    await _paid(site)

    async def dead() -> bool:
        return bool(await _one(site, "SELECT EXISTS (SELECT FROM dead_letters)"))

    await until(dead)
    async with site.viewer("viewer", java_script_enabled=java_script) as page:
        await page.get_by_role("link", name="Destinations", exact=True).click()
        row = page.locator("#destinations tbody tr")
        await expect(row.locator("td[data-name=Dead]")).to_have_text("1", timeout=15_000)
        await expect(row).to_contain_text("running")
        await row.locator("td[data-name=Dead] a").click()
        await expect(page.get_by_role("link", name="order/A-1")).to_be_visible()
        await _open(page, site)
        await expect(page.locator("#attempts tbody tr").first).to_contain_text("422")
        await page.get_by_role("link", name="Only those that failed").click()
        await expect(page.locator("#attempts tbody tr").first).to_contain_text("permanent")
        assert not await page.get_by_role("button", name="Pause").count()
        await expect(page.get_by_text("takes the role operator")).to_be_visible()


@pytest.mark.parametrize("java_script", [True, False])
async def test_it_is_paused_and_resumed_with_a_reason(site: Site, java_script: bool) -> None:  # noqa: FBT001
    async with site.viewer("operator", java_script_enabled=java_script) as page:
        await _open(page, site)
        await page.get_by_label("Why it is paused").fill(f"They move house {ALL_OF_THEM}")
        await page.get_by_role("button", name="Pause", exact=True).click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("paused")
        await expect(page.locator("main")).to_contain_text("They move house")
        await expect(page.locator("main")).to_contain_text(HOSTILE[1])
        await page.goto(f"{site.url}/destinations")
        await expect(page.locator("#destinations")).to_contain_text("They move house")
        await _open(page, site)
        await page.get_by_label("Why it is resumed").fill("They have arrived")
        await page.get_by_role("button", name="Resume").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("running")
        if java_script:
            assert not await page.evaluate("'pwned' in window")
    done = "SELECT string_agg(action || ' ' || actor, ',' ORDER BY id) FROM operator_actions"
    where = " WHERE action LIKE 'destination.%'"
    assert "destination.pause anna,destination.resume anna" == await _one(site, done + where)


async def test_a_viewer_cannot_pause_it_whatever_is_posted(site: Site) -> None:
    async with site.viewer("viewer") as page:
        cookie = await site.session(page.context)
        token = await page.locator("input[name=csrf]").first.get_attribute("value")
    form = {"csrf": token or "", "reason": "because"}
    async with aiohttp.ClientSession(headers={"Cookie": cookie}) as session:
        for verb in ("pause", "resume", "reconcile"):
            url = f"{site.url}/destinations/crm/{verb}"
            async with session.post(url, data=form) as said:
                assert 403 == said.status
    assert await _one(site, "SELECT count(*) FROM destinations WHERE paused_at IS NOT NULL") == 0


async def test_one_that_keeps_no_records_has_nothing_to_reconcile(site: Site) -> None:
    async with site.viewer("operator") as page:
        await _open(page, site)
        await expect(page.get_by_text("there is nothing to reconcile")).to_be_visible()
        assert not await page.get_by_role("button", name="Dry run").count()


@pytest.mark.parametrize("java_script", [True, False])
async def test_a_dry_run_of_a_reconciliation_is_a_job(
    database: str,
    tmp_path: Path,
    browser: Browser,
    java_script: bool,  # noqa: FBT001
) -> None:
    hubspot = HubSpot()
    async with running(hubspot) as url:
        more = RECORDS.format(url=url, token=hubspot.token)
        async with browsing.running(database, tmp_path, browser, more=more) as site:
            async with site.viewer("operator", java_script_enabled=java_script) as page:
                await _open(page, site, "records")
                await expect(page.locator(".settings").first).to_contain_text("plain:…")
                assert hubspot.token not in await page.content()
                await expect(page.get_by_role("cell", name="closedwon")).to_be_visible()
                await page.get_by_role("button", name="Dry run: only count").click()
                await page.wait_for_url(re.compile("/console/jobs/"))
                await expect(page.locator("#job")).to_contain_text("records")
            job = await _one(site, "SELECT request->>'dry_run' FROM jobs")
            assert "true" == job


async def test_what_others_wrote_is_only_text(site: Site) -> None:
    async with transaction(site.db) as tx:
        subject = await rows.subject(tx, ref=ALL_OF_THEM)
        await rows.sync(
            tx, subject, state="held", held_for="person", error=ALL_OF_THEM,
            difference={ALL_OF_THEM: {"ours": ALL_OF_THEM, "theirs": ALL_OF_THEM}},
        )  # fmt: skip
        await rows.attempt(
            tx, subject, version=1, operation="write", detail=ALL_OF_THEM, **{"class": "permanent"}
        )
        await tx.execute(
            "INSERT INTO destinations (name, breaker, opened_at, next_probe_at, last_error)"
            " VALUES ('crm', 'open', now(), now() + interval '1 hour', $1)",
            ALL_OF_THEM,
        )
        await tx.execute(
            "INSERT INTO budgets (destination, name, count, period, ceiling, used, resets_at)"
            " VALUES ('crm', $1, 100, '1 day', 100, 93, now() + interval '1 hour')",
            ALL_OF_THEM,
        )
    async with site.viewer("operator") as page:
        for path in ("destinations", "destinations/crm", "destinations/crm?held=person"):
            await page.goto(f"{site.url}/{path}")
            text = await page.locator("main").inner_text()
            assert [] == [each for each in HOSTILE if each not in text], path
            await expect(page.get_by_role("meter").first).to_have_attribute("value", "93.0")
            assert not await page.evaluate("'pwned' in window")
        await expect(page.locator("main")).to_contain_text("does not answer")
        assert 1 == await page.locator("#held .told").count()


async def test_one_that_is_not_configured_is_told_in_a_sentence(site: Site) -> None:
    async with site.viewer("viewer", may_fail=True) as page:
        for path, status in (("nowhere", 404), ("crm?held=cats", 400), ("crm?cursor=x", 400)):
            answer = await page.goto(f"{site.url}/destinations/{path}")
            assert status == (answer.status if answer else 0)
        await page.goto(f"{site.url}/destinations/nowhere")
        await expect(page.locator("main")).to_contain_text("There is no destination nowhere")
