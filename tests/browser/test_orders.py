"""Orders, as whoever is asked "why is it stuck" looks for one, reads it and decides about it."""

import json
import re
from contextlib import AsyncExitStack
from pathlib import Path
from uuid import UUID

import pytest
from playwright.async_api import Browser, Page, expect

from service.sandbox.dialects.base import running
from service.sandbox.dialects.hubspot import HubSpot
from service.store.pool import transaction
from tests import browsing, rows
from tests.browsing import Site, until
from tests.hostile import EVALUATED

pytestmark = pytest.mark.postgres

HOSTILE = (
    "<svg onload=window.pwned=1>",
    "</script><script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "javascript:window.pwned=1",
    "z{{7*7}}z ${7*7} {% raw %}",
)
ALL_OF_THEM = " ".join(HOSTILE)
RECORDS = """
[destinations.records]
crm = "hubspot"
url = "{url}"
token = "plain:{token}"
statuses = {{ paid = "paid" }}
[[routes]]
destinations = ["records"]
"""
LIVE_WITHIN = 25_000.0
"""Milliseconds: marks are looked at every two seconds, and told at a pace."""


async def _told(site: Site, ref: str, *states: str, **said: str) -> None:
    """The shop says these, a minute apart, and all of it is folded and told."""
    for number, state in enumerate(states):
        item = {"id": f"{ref}-{number}", "order": ref, "at": f"2026-03-01T12:0{number}:00Z", **said}
        assert 202 == await site.post(**item, state=state)
    await _settled(site)


async def _settled(site: Site) -> None:
    async def done() -> bool:
        return not await _one(
            site,
            "SELECT EXISTS (SELECT FROM outbox) OR "
            "EXISTS (SELECT FROM syncs WHERE state = 'pending' AND attempts = 0)",
        )

    await until(done)


async def _one(site: Site, query: str) -> object:
    async with transaction(site.db) as tx:
        return await tx.fetchval(query)


async def _open(page: Page, site: Site, ref: str, more: str = "") -> None:
    await page.goto(f"{site.url}/orders/order/{ref}{more}")


async def test_the_board_leads_to_an_order_and_moves_by_itself(site: Site) -> None:
    await _told(site, "A-1", "PAID")
    async with site.viewer("viewer") as page:
        await page.get_by_role("link", name="Orders", exact=True).click()
        await expect(page.get_by_role("heading", level=1)).to_have_text("Orders")
        await page.get_by_role("link", name="A-1", exact=True).wait_for()
        await _told(site, "A-2", "PAID", "SHIPPED")
        await page.get_by_role("link", name="A-2", exact=True).wait_for(timeout=LIVE_WITHIN)
        await page.get_by_role("link", name="shipped", exact=True).click()
        await page.get_by_role("link", name="order/A-2").click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("order/A-2")


async def test_a_search_by_any_number_leads_straight_to_the_order(site: Site) -> None:
    await _told(site, "A-1", "PAID", tracking="CD77")
    await _told(site, "A-20", "PAID")
    event = await _one(site, "SELECT id FROM events WHERE ref = 'A-1'")
    async with site.viewer("viewer") as page:
        for text in ("A-1", "cd77", "tracking=CD77", str(event)):
            await page.keyboard.press("/")
            await page.keyboard.type(text)
            await page.keyboard.press("Enter")
            await page.wait_for_url(f"{site.url}/orders/order/A-1")
            await page.goto(f"{site.url}/")
        await page.goto(f"{site.url}/orders?q=A-")
        await page.get_by_text("These begin so").wait_for()
        assert 2 == await page.locator("tbody tr").count()
        await page.goto(f"{site.url}/orders?q=nothing-such")
        await page.get_by_text("No order goes by this.").wait_for()
        await page.goto(f"{site.url}/orders?q=")
        await page.wait_for_url(f"{site.url}/orders")


async def test_a_search_tells_of_events_that_wait_for_the_name(site: Site) -> None:
    async with transaction(site.db) as tx:
        event = await rows.event(tx, "waiting", ref=None)
        await rows.waiting(tx, event, value="X9")
    async with site.viewer("viewer") as page:
        await page.goto(f"{site.url}/orders?q=X9")
        await page.get_by_role("heading", name="Events wait for this name").wait_for()
        await page.get_by_role("link", name=str(event)[:13]).click()
        await page.wait_for_url(f"{site.url}/events/{event}")


async def test_an_order_says_at_its_top_why_it_is_stuck(site: Site) -> None:
    site.crm.status = 422
    await _told(site, "A-1", "PAID")

    async def dead() -> bool:
        return bool(await _one(site, "SELECT count(*) FROM syncs WHERE state = 'dead'"))

    await until(dead)
    async with site.viewer("viewer") as page:
        await page.goto(f"{site.url}/orders?q=A-1")
        first = page.locator(".stuck .first")
        await expect(first).to_contain_text("crm was not told, and will not be")
        box = await first.bounding_box()
        assert box is not None
        assert box["y"] < 300  # seen without scrolling
        assert await page.get_by_role("link", name="Its dead letters").is_visible()
        told = page.locator("section", has=page.get_by_role("heading", name="What each CRM"))
        await expect(told.get_by_role("row", name="422").first).to_be_visible()


async def test_the_time_line_draws_what_the_list_says(site: Site) -> None:
    await _told(site, "A-1", "PAID", "PACKED", "SHIPPED")
    await _told(site, "A-1", "PAID")
    async with site.viewer("viewer") as page:
        await _open(page, site, "A-1")
        lanes = page.get_by_role("group", name="Lanes of the order")
        assert 3 == await lanes.locator("a").count()
        await expect(lanes.locator("rect.overall").last).to_be_visible()
        await lanes.locator("a").first.click()
        assert re.search(r"#step-\d+$", page.url)
        assert 3 == await page.locator("table.history tbody tr").count()
        await page.get_by_role("link", name="Request").first.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("Event")


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without scripts"])
async def test_an_operator_corrects_releases_and_takes_back(site: Site, *, scripted: bool) -> None:
    await _told(site, "A-1", "PAID", "SHIPPED")
    async with site.viewer("operator", java_script_enabled=scripted) as page:
        await _open(page, site, "A-1")
        form = page.locator("form", has=page.get_by_role("button", name="Set it"))
        await form.get_by_label("Lane and status").select_option("payment.refunded")
        await form.get_by_label("Why").fill("the bank said so")
        await form.get_by_role("button", name="Set it").click()
        await page.get_by_text("The status is set.").wait_for()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("refunded")
        await page.get_by_role("button", name="Release payment.refunded").click()
        await page.get_by_text("Released: the lane shows again").wait_for()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("shipped")
        row = page.locator("table.history tr", has_text="fulfillment.shipped")
        await row.get_by_role("link", name="Request").click()
        await page.get_by_label("Why").fill("it never left")
        await page.get_by_role("button", name="Take this event back").click()
        await page.get_by_text("The event was taken back").wait_for()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("paid")
        history = page.locator("table.history")
        await history.get_by_text("rolled back by anna: it never left").wait_for()


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without scripts"])
async def test_an_operator_links_unlinks_and_merges(site: Site, *, scripted: bool) -> None:
    await _told(site, "A-1", "PAID")
    await _told(site, "B-2", "PAID", "PACKED")
    async with site.viewer("operator", java_script_enabled=scripted) as page:
        page.on("dialog", lambda question: question.accept())
        await _open(page, site, "A-1")
        form = page.locator("form", has=page.get_by_role("button", name="Link", exact=True))
        await form.get_by_label("Type").fill("tracking")
        await form.get_by_label("Value").fill("T/1 &x=1")
        await form.get_by_role("button", name="Link", exact=True).click()
        await page.get_by_text("Events that waited for this name go on.").wait_for()
        await page.get_by_text("Take a name back").click()
        await page.get_by_role("button", name="Unlink tracking=T/1 &x=1").click()
        await page.get_by_text("The name does not lead here any more.").wait_for()
        await page.get_by_label("Its number").fill("B-2")
        await page.get_by_role("button", name="Look at both").click()
        await page.get_by_text("order/A-1 would become a part of order/B-2.").wait_for()
        await page.get_by_label("Why are they the same?").fill("one customer, one parcel")
        await page.get_by_role("button", name="Merge them").click()
        await page.get_by_text("this order stands for both now").wait_for()
        assert page.url.startswith(f"{site.url}/orders/order/B-2")
        await _open(page, site, "A-1")
        await page.get_by_text("The number you asked for was merged into order/B-2").wait_for()


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without scripts"])
async def test_an_operator_decides_what_becomes_of_a_held_record(
    site: Site, *, scripted: bool
) -> None:
    await _told(site, "A-1", "PAID")
    held = """UPDATE syncs SET state = 'held', held_for = 'person', synced_version = 0,
              difference = '{"stage": {"ours": "paid", "theirs": "lost"}}'"""
    async with transaction(site.db) as tx:
        await tx.execute(held)
    async with site.viewer("operator", java_script_enabled=scripted) as page:
        await _open(page, site, "A-1")
        await expect(page.locator(".stuck .first")).to_contain_text("A person changed the record")
        await expect(page.get_by_role("row", name="stage")).to_contain_text("lost")
        form = page.locator("form", has=page.get_by_role("button", name="Keep theirs"))
        await form.get_by_label("Why").fill("they know better")
        await form.get_by_role("button", name="Keep theirs").click()
        await page.get_by_text("Theirs stays until the next version.").wait_for()
        assert 0 == await page.locator(".stuck").count()
        before = len(site.crm.told)
        form = page.locator("form", has=page.get_by_role("button", name="Write ours"))
        await form.get_by_label("Why").fill("they do not")
        await form.get_by_role("button", name="Write ours").click()
        await page.get_by_text("Ours is written there").wait_for()

    async def told() -> bool:
        return len(site.crm.told) > before

    await until(told)


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without scripts"])
async def test_a_viewer_compares_and_cannot_decide(site: Site, *, scripted: bool) -> None:
    await _told(site, "A-1", "PAID")
    async with site.viewer("viewer", java_script_enabled=scripted) as page:
        await _open(page, site, "A-1")
        await page.get_by_role("button", name="Compare now").click()
        await page.locator("#comparison .pill", has_text="crm").wait_for()
        await page.get_by_text("Deciding needs the role operator.").wait_for()
        assert 0 == await page.get_by_role("button", name="Set it").count()
        csrf = await page.locator("main input[name=csrf]").first.get_attribute("value")
        for what in ("corrections", "release", "rollbacks", "link", "unlink", "syncs", "merge"):
            answer = await page.request.post(
                f"{site.url}/orders/order/A-1/{what}",
                form={"csrf": csrf or "", "reason": "x"},
                headers={"Origin": site.internal},
            )
            assert 403 == answer.status, what
        assert 403 == (await page.request.get(f"{site.url}/orders/order/A-1/merge")).status


@pytest.mark.parametrize("scripted", [True, False], ids=["with scripts", "without scripts"])
async def test_what_the_crm_shows_is_compared_and_ours_is_written(
    database: str, tmp_path: Path, browser: Browser, *, scripted: bool
) -> None:
    crm = HubSpot()
    crm.seed("A-1", status="open")
    async with AsyncExitStack() as stack:
        url = await stack.enter_async_context(running(crm))
        more = RECORDS.format(url=url, token=crm.token)
        site = await stack.enter_async_context(
            browsing.running(database, tmp_path, browser, more=more)
        )
        await _told(site, "A-1", "PAID")
        (entry,) = crm.book.of("orders")

        async def shows_ours() -> bool:
            return crm.status(entry) == "paid"

        await until(shows_ours)
        crm.touch(entry, "cancelled")
        page = await stack.enter_async_context(
            site.viewer("operator", java_script_enabled=scripted)
        )
        await _open(page, site, "A-1")
        await page.get_by_role("button", name="Compare now").click()
        row = page.locator("#comparison tbody tr")
        await expect(row).to_contain_text("paid")
        await expect(row).to_contain_text("cancelled")
        await page.locator("#comparison").get_by_label("Why").fill("they slipped")
        await page.get_by_role("button", name="Write ours at records").click()
        await page.get_by_text("Ours is written there").wait_for()
        await until(shows_ours)


async def test_what_cannot_be_decided_is_said_in_a_sentence(site: Site) -> None:
    await _told(site, "A-1", "PAID")
    async with site.viewer("operator", may_fail=True) as page:
        await _open(page, site, "nobody")
        await page.get_by_text("No accepted event names order/nobody").wait_for()
        await _open(page, site, "A-1")
        csrf = await page.locator("main input[name=csrf]").first.get_attribute("value") or ""
        for what, form, status in (
            ("corrections", {"to": "payment.paid"}, 400),
            ("corrections", {"to": "no.such", "reason": "x"}, 400),
            ("corrections", {"to": "payment.paid", "reason": "x" * 1001}, 400),
            ("release", {"correction": "99"}, 404),
            ("rollbacks", {"event": "no", "reason": "x"}, 400),
            ("link", {"type": "", "value": ""}, 400),
            ("unlink", {"type": "a", "value": "b"}, 404),
            ("syncs", {"destination": "crm", "action": "burn", "reason": "x"}, 400),
            ("syncs", {"destination": "nowhere", "action": "retry", "reason": "x"}, 404),
            ("merge", {"into": "order/A-1", "reason": "x"}, 409),
        ):
            answer = await page.request.post(
                f"{site.url}/orders/order/A-1/{what}",
                form={"csrf": csrf, **form},
                headers={"Origin": site.internal},
            )
            assert status == answer.status, (what, form)
            assert "Traceback" not in await answer.text()


async def test_hostile_text_in_every_field_stays_text(site: Site) -> None:
    event, parcel = UUID(int=0), ALL_OF_THEM[:200]
    body = json.dumps({"note": ALL_OF_THEM, "turned": "\u202e\u0000"}).encode()
    async with transaction(site.db) as tx:
        request = await rows.request(
            tx, body=body, headers={"x-evil": ALL_OF_THEM, "authorization": "secret"}, query="a=<b>"
        )
        said = {"ref": ALL_OF_THEM[:150], "scope": "<svg onload=window.pwned=1>"}
        event = await rows.event(
            tx,
            "applied",
            **said,
            request_id=request,
            source=HOSTILE[0],
            parcel=parcel,
            code=ALL_OF_THEM,
            attributes={HOSTILE[1]: ALL_OF_THEM},
            dedupe_key=ALL_OF_THEM[:200],
        )
        await rows.event(tx, "dead", **said, lane=HOSTILE[0], status=HOSTILE[1])
        order = await rows.subject(tx, **said, status=HOSTILE[0], flags=[HOSTILE[2]])
        await rows.alias(tx, order, type=HOSTILE[2], value=ALL_OF_THEM[:200], claimant=HOSTILE[0])
        await rows.correction(tx, order, reason=ALL_OF_THEM, actor=HOSTILE[1])
        await rows.sync(
            tx,
            order,
            destination=HOSTILE[0],
            state="held",
            held_for="person",
            error=ALL_OF_THEM,
            remote_id=ALL_OF_THEM,
            difference={HOSTILE[0]: {"ours": HOSTILE[1], "theirs": HOSTILE[2]}},
        )
        await rows.attempt(
            tx, order, version=1, destination=HOSTILE[0], detail=ALL_OF_THEM, operation=HOSTILE[2]
        )
    async with site.viewer("operator") as page:
        for address in (
            *("/orders", f"/events/{event}", "/orders?q=%3Csvg%20onload%3Dwindow.pwned%3D1%3E"),
            *("/orders?status=%3Csvg%20onload%3Dwindow.pwned%3D1%3E", "/orders?flag=any"),
        ):
            await page.goto(f"{site.url}{address}")
            assert not await page.evaluate("window.pwned"), address
            assert EVALUATED not in await page.locator("main").inner_text(), address
        await page.goto(f"{site.url}/orders?q={HOSTILE[0].replace('=', '%3D')}")
        await page.goto(f"{site.url}/orders")
        await page.locator(".newest a").first.click()
        await expect(page.get_by_role("heading", level=1)).to_contain_text("<svg onload")
        assert not await page.evaluate("window.pwned")
        assert 0 == await page.locator("main img, main script, main [onload]").count()


async def test_a_request_is_shown_masked_and_downloaded_as_a_file(site: Site) -> None:
    body = b'{"email":"anna@example.com","total":1.50,"turned":"\xe2\x80\xae"}'
    async with transaction(site.db) as tx:
        request = await rows.request(tx, body=body, headers={"Authorization": "Bearer secret"})
        event = await rows.event(tx, "applied", request_id=request)
        await rows.subject(tx)
    async with site.viewer("viewer") as page:
        await page.goto(f"{site.url}/events/{event}")
        text = await page.locator("main").inner_text()
        assert "anna@example.com" not in text
        assert '"total": 1.50' in text
        assert "\\u202e" in text
        await page.get_by_text("1 header").click()
        await page.get_by_text("[hidden]").wait_for()
        async with page.expect_download() as started:
            await page.get_by_role("link", name="Download the body").click()
        download = await started.value
        assert f"request-{event}.bin" == download.suggested_filename
        answer = await page.request.get(f"{site.url}/events/{event}/request")
        assert "application/octet-stream" == answer.headers["content-type"]
        assert answer.headers["content-disposition"].startswith("attachment;")
        assert b"anna@example.com" not in await answer.body()


async def test_an_open_order_moves_by_itself_and_keeps_what_somebody_writes(site: Site) -> None:
    await _told(site, "A-1", "PAID")
    async with site.viewer("operator") as page:
        await _open(page, site, "A-1")
        form = page.locator("form", has=page.get_by_role("button", name="Set it"))
        await form.get_by_label("Why").fill("half a reason")
        await _told(site, "A-1", "PAID", "SHIPPED")
        await expect(page.get_by_role("heading", level=1)).to_contain_text(
            "shipped", timeout=LIVE_WITHIN
        )
        assert "half a reason" == await form.get_by_label("Why").input_value()
        seen = await page.locator("#order").get_attribute("hx-get") or ""
        answer = await page.request.get(f"{site.internal}{seen}", headers={"HX-Request": "true"})
        assert answer.status in {200, 204}


async def test_an_order_is_read_on_a_phone(site: Site) -> None:
    await _told(site, "A-1", "PAID", "SHIPPED", tracking="CD77")
    async with site.viewer("operator", viewport={"width": 390, "height": 800}) as page:
        for address in ("/orders", "/orders/order/A-1", "/orders?q=A"):
            await page.goto(f"{site.url}{address}")
            wide = await page.evaluate("document.documentElement.scrollWidth")
            assert wide <= 390, address
