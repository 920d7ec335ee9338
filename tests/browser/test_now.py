"""The first page: what is wrong is seen at once, fills in by itself and changes by itself."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
from playwright.async_api import Page

from service.store.pool import transaction
from tests import rows
from tests.browsing import Site

pytestmark = pytest.mark.postgres

HOSTILE = "<svg onload=alert(1)>{{7*7}}</script>'\""


async def _text(page: Page, text: str) -> None:
    await page.get_by_text(text).first.wait_for()


async def _send(site: Site, **item: str) -> None:
    """As a sender does: again, when a busy machine says later."""
    for _ in range(100):
        if await site.post(**item) in {200, 202}:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("It was never accepted.")


async def _accepted(page: Page, count: int) -> None:
    await page.locator("#book-events-terms", has_text=f"{count} accepted").wait_for()


async def test_it_fills_in_by_itself_and_says_that_nothing_is_wrong(site: Site) -> None:
    async with site.viewer("viewer") as page:
        await _text(page, "Nothing. Everything that came in is accounted for")
        await page.get_by_text("balanced", exact=True).wait_for()
        assert "Now · Orderhook" == await page.title()
        assert 1 == await page.get_by_role("heading", level=1).count()


async def test_what_happens_is_seen_without_a_reload(site: Site) -> None:
    async with site.viewer("viewer") as page:
        await page.get_by_text("balanced", exact=True).wait_for()
        await page.evaluate("document.body.dataset.kept = 'yes'")
        await _send(site, id="1", order="1001", state="PAID")
        await _accepted(page, 1)
        await _send(site, id="2", order="1002", state="NOBODY KNOWS")
        await _text(page, "1 dead letter of events: a word that the source does not map")
        assert "yes" == await page.evaluate("document.body.dataset.kept")


async def test_every_sentence_leads_to_where_it_is_mended(site: Site) -> None:
    async with transaction(site.db) as tx:
        await rows.event(tx, "dead")
        await tx.execute(
            "INSERT INTO destinations (name, paused_at, paused_by, pause_cause, pause_reason)"
            " VALUES ('crm', now(), 'worker', 'auth', $1)",
            HOSTILE,
        )
    async with site.viewer("viewer") as page:
        letters = page.get_by_role("link", name="1 dead letter of events")
        paused = page.get_by_role("link", name="crm is paused since")
        await letters.wait_for()
        assert (
            "/console/dead-letters/list?kind=event&reason=unmapped"
            == await letters.get_attribute("href")
        )
        assert "/console/destinations/crm" == await paused.get_attribute("href")
        assert HOSTILE in (await paused.text_content() or "")


async def test_hostile_names_are_text_and_nothing_else(site: Site) -> None:
    async with transaction(site.db) as tx:
        await rows.event(tx, "applied", "dead", source=HOSTILE)
        await rows.event(tx, "applied", source="another", dedupe_key="2")
        subject = await rows.subject(tx)
        await rows.sync(tx, subject, destination=HOSTILE, state="dead", synced_version=1)
        await rows.letter(tx, kind="sync", subject_id=subject, destination=HOSTILE, reason=HOSTILE)
        await tx.execute(
            "INSERT INTO spools (id, gateway, entries, bytes, damaged, reported_at)"
            " VALUES (gen_random_uuid(), $1, 3, 9, 1, now() - interval '5 minutes')",
            HOSTILE,
        )
    async with site.viewer("viewer") as page:
        await _text(page, "The ledger does not balance: 1 row is out of place.")
        for place in ("#attention", "#figures"):
            assert HOSTILE in (await page.locator(place).text_content() or "")
        assert 0 == await page.locator("svg[onload]").count()
        await page.get_by_text("not balanced", exact=True).wait_for()


async def test_without_scripts_it_is_a_page_that_comes_again(site: Site) -> None:
    async with site.viewer("viewer", java_script_enabled=False) as page:
        assert 1 == await page.locator("meta[http-equiv=refresh]").count()
        async with transaction(site.db) as tx:
            await rows.event(tx, "pending", received_at=datetime.now(UTC) - timedelta(minutes=9))
        for _ in range(200):
            await page.goto(f"{site.url}/")
            if await page.locator("#book-events-terms", has_text="1 accepted").count():
                return
            await page.wait_for_timeout(100)
        raise AssertionError("It was never counted.")


async def test_the_keyboard_keeps_its_place_while_figures_change(site: Site) -> None:
    async with site.viewer("viewer") as page:
        await page.get_by_text("balanced", exact=True).wait_for()
        await page.locator("#destination-1").focus()
        await _send(site, id="1", order="1001", state="PAID")
        await _accepted(page, 1)
        assert "destination-1" == await page.evaluate("document.activeElement.id")


async def test_it_fits_a_phone(site: Site) -> None:
    async with site.viewer("viewer", viewport={"width": 390, "height": 844}) as page:
        await page.get_by_text("balanced", exact=True).wait_for()
        width = await page.evaluate("document.documentElement.scrollWidth")
        assert width <= 390


async def test_a_hidden_page_asks_nothing_and_catches_up_when_it_is_seen(site: Site) -> None:
    async with site.viewer("viewer") as page:
        await page.get_by_text("balanced", exact=True).wait_for()
        await page.evaluate(
            "Object.defineProperty(document, 'hidden', {configurable: true, get: () => true});"
            "document.dispatchEvent(new Event('visibilitychange'))"
        )
        await page.wait_for_timeout(500)
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        await _send(site, id="1", order="1001", state="PAID")
        await page.wait_for_timeout(5000)
        assert [] == asked
        await page.evaluate(
            "delete document.hidden; document.dispatchEvent(new Event('visibilitychange'))"
        )
        await _accepted(page, 1)
