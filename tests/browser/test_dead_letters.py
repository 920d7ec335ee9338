"""Dead letters, jobs and replay, as whoever is on call clicks through them."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import pytest_asyncio
from playwright.async_api import Browser, Locator, Page

from service.store.pool import transaction
from tests import browsing, rows
from tests.browsing import Site, until
from tests.integration.test_dead_letters import dead_sync

pytestmark = pytest.mark.postgres

HOSTILE = (
    "<svg onload=window.pwned=1>",
    "</script><script>window.pwned=1</script>",
    '"><img src=x onerror=window.pwned=1>',
    "javascript:window.pwned=1",
    "{{7*7}} ${7*7} {% raw %}",
)
ALL_OF_THEM = " ".join(HOSTILE)
MANY = 4_000
RIGHT_ALREADY = 88
FILL = """
    WITH made AS (
        INSERT INTO subjects (lifecycle, scope, ref, status, version, law, state)
        SELECT 'order', '', 'R' || n, 'paid', 3, 1, '{}' FROM generate_series(1, $1) AS n
        RETURNING id
    ),
    owed AS (
        INSERT INTO syncs (subject_id, destination, state, desired_version, synced_version)
        SELECT id, 'wms', 'dead', 3,
               CASE WHEN row_number() OVER (ORDER BY id) <= $2 THEN 3 ELSE 0 END
        FROM made
    )
    INSERT INTO dead_letters (id, kind, subject_id, destination, reason, summary)
    SELECT ('01900000-0000-7000-8000-' || lpad(to_hex(id), 12, '0'))::uuid, 'sync', id, 'wms',
           'refused', 'wms refuses it: HTTP 422'
    FROM made
"""
"""Nothing of ours delivers to `wms`, so what is owed there stays as a job left it."""


@dataclass
class Finger:
    """Counts clicks."""

    clicks: int = 0

    async def click(self, what: Locator) -> None:
        self.clicks += 1
        await what.click()


async def fill(site: Site, count: int, *, right: int = 0) -> None:
    async with transaction(site.db) as tx:
        await tx.execute(FILL, count, right)


async def open_group(page: Page, site: Site) -> None:
    await page.goto(f"{site.url}/dead-letters/list?kind=sync&destination=wms&reason=refused")


async def count(site: Site, query: str) -> int:
    async with transaction(site.db) as tx:
        return int(await tx.fetchval(query))


def menu(page: Page) -> Locator:
    return page.get_by_role("navigation")


async def ended(page: Page, word: str = "finished") -> None:
    await page.locator("#job .pill", has_text=word).wait_for()


async def test_two_clicks_lead_to_the_reason_of_a_dead_letter(site: Site) -> None:
    assert 202 == await site.post(id="1", order="A-1", at="2026-03-01T12:00:00Z", state="NOPE")

    async def dead() -> bool:
        return bool(await count(site, "SELECT count(*) FROM dead_letters"))

    await until(dead)
    async with site.viewer("viewer") as page:
        finger = Finger()
        await finger.click(menu(page).get_by_role("link", name="Dead letters"))
        await page.get_by_role("link", name="unmapped").wait_for()
        assert await page.get_by_text("NOPE").is_visible()
        await finger.click(page.get_by_role("link", name="unmapped"))
        await page.get_by_text("does not map to a status of ours").wait_for()
        assert 2 == finger.clicks
        await page.get_by_role("link", name="order/A-1").click()
        await page.get_by_role("heading", name="What was received").wait_for()
        assert '"state": "NOPE"' in await page.locator("pre").inner_text()
        assert not await page.get_by_role("button", name="Dry run").count()


async def test_four_clicks_start_the_redrive_of_four_thousand(site: Site) -> None:
    await fill(site, MANY, right=RIGHT_ALREADY)
    async with site.viewer("operator") as page:
        finger = Finger()
        await finger.click(menu(page).get_by_role("link", name="Dead letters"))
        await finger.click(page.get_by_role("link", name="refused"))
        await finger.click(page.get_by_role("button", name="Dry run: redrive all that fit"))
        said = (await page.locator("#counted").inner_text()).replace("\u202f", " ")
        assert "3 912 would be written, 88 are already right." == said
        await finger.click(page.get_by_role("button", name="Start"))
        await page.wait_for_url(re.compile(r"/console/jobs/"))
        assert 4 == finger.clicks
        assert await page.locator("#job").get_by_text("anna").is_visible()
        # It can be left, and found again.
        await page.goto(f"{site.url}/dead-letters")
        await page.get_by_role("link", name="Jobs", exact=True).click()
        await page.get_by_role("link", name="Redrive").click()
        await ended(page)
        assert "3912" in (await page.locator("#job .figures").inner_text()).replace("\u202f", "")
    assert MANY - RIGHT_ALREADY == await count(
        site, "SELECT count(*) FROM syncs WHERE state = 'pending'"
    )


@pytest.mark.parametrize("java_script", [True, False])
async def test_some_are_ticked_and_redriven(site: Site, java_script: bool) -> None:  # noqa: FBT001
    await fill(site, 3)
    async with site.viewer("operator", java_script_enabled=java_script) as page:
        await open_group(page, site)
        await page.get_by_label("Tick order/R1").check()
        await page.get_by_label("Tick order/R3").check()
        await page.get_by_role("button", name="Dry run: redrive the ticked").click()
        assert "2 would be written" in await page.locator("#counted").inner_text()
        await page.get_by_label("Letters a second").fill("1000")
        await page.get_by_role("button", name="Start").click()
        await page.wait_for_url(re.compile(r"/console/jobs/"))
        if java_script:
            await ended(page)
        else:
            await _reloaded(page)
        # What was redriven is marked, and the rest is still there.
        await page.goto(f"{site.url}/dead-letters/list?resolution=redriven")
        assert 2 == await page.locator("tbody .pill", has_text="redriven").count()
        await open_group(page, site)
        assert ["order/R2"] == await page.locator("tbody td a").all_inner_texts()
        await page.get_by_role("link", name="order/R2").click()
        await page.get_by_role("button", name="Dry run: redrive").click()
        assert "1 would be written" in await page.locator("#counted").inner_text()


async def _reloaded(page: Page) -> None:
    """As a browser without JavaScript does by itself, from time to time."""

    async def over() -> bool:
        await page.reload()
        return bool(await page.locator("#job .pill", has_text="finished").count())

    await until(over)


@pytest.mark.parametrize("java_script", [True, False])
async def test_a_discard_wants_a_reason(site: Site, java_script: bool) -> None:  # noqa: FBT001
    await fill(site, 3)
    async with site.viewer("operator", java_script_enabled=java_script) as page:
        await open_group(page, site)
        if java_script:
            await page.get_by_label("Tick all of this page").check()
            assert await page.get_by_label("Tick order/R2").is_checked()
            await page.get_by_role("button", name="Dry run: discard the ticked").click()
        else:
            await page.get_by_role("button", name="Dry run: discard all that fit").click()
        assert await page.get_by_text("A discard cannot be taken back").is_visible()
        assert "3 would be given up" in await page.locator("#counted").inner_text()
        address = page.url
        await page.get_by_role("button", name="Start").click()
        assert address == page.url  # the browser wants the reason
        await page.get_by_label("Why, in your words").fill("sold elsewhere <b>")
        page.once("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Start").click()
        await page.wait_for_url(re.compile(r"/console/jobs/"))
        assert await page.get_by_text("sold elsewhere <b>").is_visible()
        if java_script:
            await ended(page)
        else:
            await _reloaded(page)
    assert 3 == await count(
        site,
        "SELECT count(*) FROM syncs WHERE state = 'held' AND error = 'sold elsewhere <b> (anna)'",
    )


async def test_the_filter_narrows_the_list(site: Site) -> None:
    await fill(site, 60)
    async with transaction(site.db) as tx:
        await dead_sync(tx, "other", destination="crm", reason="gone")
    async with site.viewer("viewer") as page:
        await page.goto(f"{site.url}/dead-letters/list")
        assert 50 == await page.locator("tbody tr").count()
        await page.get_by_role("link", name="Older ones").click()
        assert 11 == await page.locator("tbody tr").count()
        await page.get_by_label("Order", exact=True).fill("R7")
        await page.get_by_role("button", name="Show").click()
        assert ["order/R7"] == await page.locator("tbody td a").all_inner_texts()
        await page.goto(f"{site.url}/dead-letters/list?reason=gone")
        assert ["order/other"] == await page.locator("tbody td a").all_inner_texts()
        await page.goto(f"{site.url}/dead-letters/list?reason=none%3Csvg%3E")
        await page.get_by_text("No letter fits.").wait_for()


async def test_texts_of_strangers_stay_texts(site: Site) -> None:
    event_id, letter_id = await _hostile(site)
    async with site.viewer("admin", subject=HOSTILE[0]) as page:
        asked: list[str] = []
        page.on("dialog", lambda dialog: asked.append(dialog.message))
        for path in (
            "/dead-letters",
            f"/dead-letters/list?reason={'%3Csvg%20onload%3Dwindow.pwned%3D1%3E'}",
            "/dead-letters/list",
            f"/dead-letters/{letter_id}",
            f"/dead-letters/{event_id}",
            "/jobs",
        ):
            await page.goto(f"{site.url}{path}")
            assert await page.evaluate("window.pwned === undefined"), path
            assert not await page.locator("main svg, main img, main script").count(), path
        await page.goto(f"{site.url}/dead-letters/{letter_id}")
        assert ALL_OF_THEM in await page.locator("main").inner_text()
        await page.goto(f"{site.url}/dead-letters/{event_id}")
        assert ALL_OF_THEM in await page.locator("pre").inner_text()
        await page.get_by_role("button", name="Dry run: discard").click()
        await page.get_by_label("Why, in your words").fill(ALL_OF_THEM)
        page.once("dialog", lambda dialog: dialog.accept())
        await page.get_by_role("button", name="Start").click()
        assert ["Give these letters up for good?"] == asked
        await ended(page)
        assert ALL_OF_THEM in await page.locator("#job").inner_text()
        assert await page.evaluate("window.pwned === undefined")


async def _hostile(site: Site) -> tuple[UUID, UUID]:
    """The ids of a letter of an event and of one of a sync, all of whose texts are hostile."""
    async with transaction(site.db) as tx:
        request_id = await rows.request(
            tx, body=ALL_OF_THEM.encode(), path=f"/webhooks/{HOSTILE[0]}"
        )
        event = await rows.event(
            tx,
            request_id=request_id,
            ref=HOSTILE[1],
            lane=None,
            status=None,
            code=HOSTILE[2],
            dedupe_key=HOSTILE[3],
            attributes={HOSTILE[4]: HOSTILE[0]},
        )
        await rows.letter(tx, kind="event", event_id=event, reason=HOSTILE[0], summary=ALL_OF_THEM)
        subject = await rows.subject(tx, ref=ALL_OF_THEM)
        at: dict[str, Any] = {"destination": HOSTILE[0]}
        await rows.sync(tx, subject, state="dead", synced_version=0, **at)
        await rows.attempt(tx, subject, version=3, detail=ALL_OF_THEM, operation=HOSTILE[1], **at)
        of_sync = {"kind": "sync", "subject_id": subject, **at}
        await rows.letter(tx, reason=HOSTILE[2], summary=ALL_OF_THEM, **of_sync)
        found = {
            row["kind"]: row["id"] for row in await tx.fetch("SELECT id, kind FROM dead_letters")
        }
    return found["event"], found["sync"]


async def test_who_may_only_look_changes_nothing(site: Site) -> None:
    await fill(site, 1)
    async with site.viewer("viewer", may_fail=True) as page:
        await open_group(page, site)
        assert await page.get_by_text("takes the role operator").is_visible()
        assert not await page.get_by_role("button", name="Dry run").count()
        for path, fields in (
            ("dead-letters/plan", {"act": "redrive-all"}),
            ("dead-letters/start", {"act": "redrive-all"}),
            ("replay", {"act": "start", "source": "shop"}),
        ):
            assert 403 == await _post(page, f"{site.url}/{path}", fields), path
        answer = await page.goto(f"{site.url}/replay")
        assert answer is not None
        assert 403 == answer.status
    assert 0 == await count(site, "SELECT count(*) FROM jobs")


async def _post(page: Page, address: str, fields: dict[str, str]) -> int:
    """What a form of this page would send, with its token."""
    found: int = await page.evaluate(
        """async ([address, fields]) => {
            const headers = JSON.parse(document.body.getAttribute("hx-headers"));
            const body = new URLSearchParams(fields);
            const how = { method: "POST", headers, body, redirect: "manual" };
            return (await fetch(address, how)).status;
        }""",
        [address, fields],
    )
    return found


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"act": "redrive-ticked"}, 400),
        ({"act": "redrive-ticked", "id": "1"}, 400),
        ({"act": "drop-all"}, 400),
        ({"act": "redrive-all", "rate": "0"}, 400),
        ({"act": "redrive-all", "rate": "many"}, 400),
        ({"act": "redrive-all", "kind": "table"}, 400),
        ({"act": "discard-all"}, 400),
        ({"act": "discard-all", "because": "x" * 257}, 400),
        ({"act": "redrive-ticked", "id": "019a0000-0000-7000-8000-000000000000"}, 404),
    ],
)
async def test_a_form_that_no_page_of_ours_would_send_starts_nothing(
    lasting: tuple[Site, Page], fields: dict[str, str], status: int
) -> None:
    site, page = lasting
    assert status == await _post(page, f"{site.url}/dead-letters/start", fields)
    assert 0 == await count(site, "SELECT count(*) FROM jobs")


@pytest_asyncio.fixture(loop_scope="session")
async def lasting(site: Site) -> AsyncIterator[tuple[Site, Page]]:
    async with site.viewer("operator", may_fail=True) as page:
        yield site, page


async def test_new_letters_appear_by_themselves(site: Site) -> None:
    async with site.viewer("viewer") as page:
        async with page.expect_request(re.compile("/console/live")):
            await page.goto(f"{site.url}/dead-letters")
        await page.get_by_text("Nothing is dead.").wait_for()
        await fill(site, 1)
        await page.get_by_role("link", name="refused").wait_for()


async def test_a_running_job_is_watched_and_cancelled(site: Site) -> None:
    await fill(site, 400)
    async with site.viewer("operator") as page:
        await open_group(page, site)
        await page.get_by_role("button", name="Dry run: redrive all that fit").click()
        await page.get_by_label("Letters a second").fill("5")
        await page.get_by_role("button", name="Start").click()
        await page.locator("#job .pill", has_text="runs").wait_for()
        before = await page.locator("#job progress").get_attribute("value")
        await page.wait_for_function(
            "before => document.querySelector('#job progress').getAttribute('value') !== before",
            arg=before,
        )
        await page.get_by_role("button", name="Cancel the job").click()
        await page.get_by_text("Cancelled by anna.").wait_for()
        assert not await page.get_by_role("button", name="Cancel the job").count()


async def test_another_person_approves(database: str, tmp_path: Path, browser: Browser) -> None:
    async with (
        browsing.running(database, tmp_path, browser, server="two_people = true") as site,
        site.viewer("operator") as page,
    ):
        await fill(site, 1)
        await open_group(page, site)
        await page.get_by_role("button", name="Dry run: redrive all that fit").click()
        await page.get_by_text("when another person has approved it").wait_for()
        await page.get_by_role("button", name="Start").click()
        await page.locator("#job .pill", has_text="waits for a second person").wait_for()
        assert await page.get_by_text("You asked for it yourself").is_visible()
        assert not await page.get_by_role("button", name="Approve").count()
        async with site.viewer("operator", subject="boris") as second:
            await menu(second).get_by_role("link", name="Dead letters").click()
            await second.get_by_role("link", name="Redrive", exact=True).click()
            await second.get_by_role("button", name="Approve").click()
            await ended(second)
            assert await second.locator("#job").get_by_text("boris").is_visible()
        await ended(page)  # it was watched all the time


@pytest.mark.parametrize("java_script", [True, False])
async def test_requests_are_read_again(site: Site, java_script: bool) -> None:  # noqa: FBT001
    said: dict[str, Any] = {"order": "A-1", "at": "2026-03-01T12:00:00Z"}
    assert 202 == await site.post(id="1", state="PAID", **said)

    async def applied() -> bool:
        return bool(await count(site, "SELECT count(*) FROM event_outcomes"))

    await until(applied)
    async with transaction(site.db) as tx:  # as it was read before the mapping was mended
        await tx.execute("UPDATE events SET lane = NULL, status = NULL, fate = 'unmapped'")
        await tx.execute("DELETE FROM event_outcomes")
        event_id = await tx.fetchval("SELECT id FROM events")
        await rows.letter(tx, kind="event", event_id=event_id)
    async with site.viewer("operator", java_script_enabled=java_script) as page:
        await page.goto(f"{site.url}/dead-letters/list?kind=event&reason=unmapped&source=shop")
        await page.get_by_role("link", name="Replay after the mapping is mended").click()
        assert await page.get_by_label("unmapped").is_checked()
        await page.get_by_label("Received since").fill("2026-01-01T00:00")
        await page.get_by_role("button", name="Dry run").click()
        assert "Requests that fit: 1." in await page.locator("#counted").inner_text()
        assert "unmapped" in await page.locator("#seen tbody").first.inner_text()
        await page.get_by_role("button", name="Start").click()
        await page.wait_for_url(re.compile(r"/console/jobs/"))
        await page.get_by_role("heading", name="Replay").wait_for()

    async def read_again() -> bool:
        return bool(await count(site, "SELECT count(*) FROM event_outcomes"))

    await until(read_again)
