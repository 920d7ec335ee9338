"""Sources, as whoever connects a sender, or asks why it is refused, looks at them."""

from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, expect

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
MORE = """
[sources.paypal]
provider = "paypal"
options = { webhook_id = "8PT597110X687430LKGECATA" }
[sources.wms]
provider = "generic"
verify = { scheme = "url_token" }
url_token = "plain:9f8e7d6c5b4a39281706f5e4d3c2b1a0"
key = "id"
subject = { ref = "order" }
status = "state"
statuses = { PICKED = "fulfillment.picking" }
[sources.new]
provider = "generic"
mode = "capture"
"""


async def _count(site: Site, query: str) -> int:
    async with transaction(site.db) as tx:
        return int(await tx.fetchval(query))


async def _paid(site: Site) -> None:
    assert 202 == await site.post(id="1", order="A-1", at="2026-03-01T12:00:00Z", state="PAID")

    async def folded() -> bool:
        return bool(await _count(site, "SELECT count(*) FROM event_outcomes"))

    await until(folded)


@pytest.mark.parametrize("java_script", [True, False])
async def test_the_list_counts_and_leads_to_a_source(site: Site, java_script: bool) -> None:  # noqa: FBT001
    await _paid(site)
    async with transaction(site.db) as tx:
        await rows.refusal(tx, source="unknown", reason="There is no source of this name.")
    async with site.viewer("viewer", java_script_enabled=java_script) as page:
        await page.get_by_role("link", name="Sources", exact=True).click()
        row = page.locator("#sources tbody tr")
        await expect(row.locator("td[data-name=Accepted]")).to_have_text("1", timeout=15_000)
        await expect(row).to_contain_text("/webhooks/shop")
        await expect(page.locator("#strangers")).to_contain_text("There is no source of this name.")
        await row.get_by_role("link", name="shop").click()
        await page.get_by_role("heading", name="Set-up at the sender").wait_for()
        await page.goto(f"{site.url}/sources/unknown")
        await page.wait_for_url(f"{site.url}/sources#strangers")


async def test_a_source_tells_how_it_is_set_up_and_no_secret(
    database: str, tmp_path: Path, browser: Browser
) -> None:
    server = 'public_url = "https://hooks.example.com"'
    running = browsing.running(database, tmp_path, browser, server=server, more=MORE)
    async with running as site, site.viewer("viewer") as page:
        await page.goto(f"{site.url}/sources/wms")
        url = page.locator("#url")
        await expect(url).to_have_text("https://hooks.example.com/webhooks/wms/[token]")
        await expect(page.get_by_text("It stands at plain:…")).to_be_visible()
        configuration = page.get_by_role("region").filter(has_text="Configuration in force")
        await expect(configuration.first).to_contain_text("verify.scheme")
        await expect(configuration.first).to_contain_text("fulfillment.picking")
        await page.get_by_text("usual values").first.click()
        await expect(page.get_by_text("262144")).to_be_visible()
        assert "9f8e7d6c5b4a" not in await page.content()
        await expect(
            page.get_by_text("To send a test event takes the role operator.")
        ).to_be_visible()
        assert not await page.get_by_role("button", name="Send").count()
        await page.goto(f"{site.url}/sources/paypal")
        await expect(page.locator("#test")).to_contain_text("signs with a private key")


@pytest.mark.parametrize("java_script", [True, False])
async def test_a_test_event_goes_the_whole_road(site: Site, java_script: bool) -> None:  # noqa: FBT001
    async with site.viewer("operator", java_script_enabled=java_script) as page:
        await page.goto(f"{site.url}/sources/shop")
        await expect(page.locator("#test .warn")).to_contain_text("to every CRM")
        await page.get_by_label("Order number").fill("TEST-7")
        await page.get_by_role("button", name="Send", exact=True).click()
        await expect(page.locator("#answered")).to_contain_text("HTTP 202")
        await expect(page.locator("#answered pre")).to_contain_text("request_id")

        async def told() -> bool:
            return bool(site.crm.told)

        await until(told)
        await page.get_by_role("link", name="Find the order").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("TEST-7")
    query = "SELECT count(*) FROM operator_actions WHERE action = 'source.test' AND actor = 'anna'"
    assert 1 == await _count(site, query)
    await _refused_to_viewers(site)


async def _refused_to_viewers(site: Site) -> None:
    async with site.viewer("viewer") as page:
        cookie = await site.session(page.context)
        token = await page.locator("input[name=csrf]").first.get_attribute("value")
    form = {"csrf": token or "", "sample": "PAID", "order": "X"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{site.url}/sources/shop/test", data=form, headers={"Cookie": cookie}
        ) as said,
    ):
        assert 403 == said.status


async def test_what_is_refused_and_captured_is_only_text(
    database: str, tmp_path: Path, browser: Browser
) -> None:
    async with browsing.running(database, tmp_path, browser, more=MORE) as site:
        async with transaction(site.db) as tx:
            for source in ("shop", "unknown"):
                await rows.refusal(
                    tx, source=source, reason=ALL_OF_THEM, peer=ALL_OF_THEM, method="<b>",
                    header_names=[*HOSTILE],
                )  # fmt: skip
            await rows.capture(
                tx, source="new", path=f"/webhooks/new/{ALL_OF_THEM}", query=ALL_OF_THEM,
                peer=ALL_OF_THEM, headers=[[ALL_OF_THEM, ALL_OF_THEM], ["cookie", "abc"]],
                body=ALL_OF_THEM.encode(),
            )  # fmt: skip
            await rows.event(
                tx, "applied", ref=ALL_OF_THEM, code=ALL_OF_THEM, dedupe_key=ALL_OF_THEM
            )
        async with site.viewer("operator") as page:
            for path in ("sources", "sources/shop", "sources/new"):
                await page.goto(f"{site.url}/{path}")
                for summary in await page.locator("main details summary").all():
                    await summary.click()
                text = await page.locator("main").inner_text()
                assert [] == [each for each in HOSTILE if each not in text], path
                assert not await page.evaluate("'pwned' in window")
            await page.locator("section", has=page.locator("#captures")).get_by_role("link").click()
            await expect(page.locator("pre")).to_contain_text(HOSTILE[1])
            await expect(page.get_by_role("cell", name="abc")).to_be_visible()
            assert not await page.evaluate("'pwned' in window")
        async with site.viewer("viewer", may_fail=True) as page:
            await page.goto(f"{site.url}/sources/new")
            await expect(page.get_by_text("To see them takes the role operator")).to_be_visible()
            assert HOSTILE[1] not in await page.locator("main").inner_text()
            answer = await page.goto(f"{site.url}/sources/new/captures/1")
            assert 403 == (answer.status if answer else 0)


async def test_an_unknown_source_is_told_in_a_sentence(site: Site) -> None:
    async with site.viewer("viewer", may_fail=True) as page:
        answer = await page.goto(f"{site.url}/sources/%3Csvg%20onload=1%3E")
        assert 404 == (answer.status if answer else 0)
        await expect(page.locator("main")).to_contain_text("There is no source")
