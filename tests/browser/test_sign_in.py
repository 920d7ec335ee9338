"""Signing in: by a link that is good once, by a provider, and what strangers try instead."""

from pathlib import Path

import aiohttp
import pytest
from playwright.async_api import Browser, expect

from tests import browsing
from tests.browsing import Site
from tests.identity_provider import strangers

pytestmark = pytest.mark.postgres


async def test_a_link_signs_in_once(site: Site) -> None:
    address = site.link()
    async with site.visitor(may_fail=True) as page:
        await page.goto(address)
        await page.get_by_role("button", name="Sign in").click()
        await page.wait_for_url(f"{site.url}/")
        assert await page.get_by_role("link", name="Dead letters").is_visible()
        await page.goto(address)
        await page.get_by_role("button", name="Sign in").click()
        await page.get_by_text("This link has been used.").wait_for()


async def test_whoever_is_not_signed_in_comes_back_to_where_they_wanted_to_go(site: Site) -> None:
    async with site.visitor() as page:
        await page.goto(f"{site.url}/orders?q=1001")
        assert page.url.startswith(f"{site.url}/sign-in?next=")
        assert await page.get_by_role("heading", name="Sign in").is_visible()


async def test_people_of_a_company_sign_in_with_its_provider(
    database: str, tmp_path: Path, browser: Browser
) -> None:
    async with strangers() as issuer:
        roles = 'roles = { admin = ["platform"] }'
        client = 'client_id = "orderhook", client_secret = "plain:one of the client"'
        oidc = f'oidc = {{ issuer = "{issuer}", {client}, {roles} }}'
        async with (
            browsing.running(database, tmp_path, browser, auth=oidc) as site,
            site.visitor() as page,
        ):
            site.elsewhere = issuer
            await page.goto(f"{site.url}/audit")
            await page.get_by_role("link", name="Sign in with 127.0.0.1").click()
            await page.wait_for_url(f"{issuer}/**")
            await page.get_by_role("button", name="anna").click()
            await page.wait_for_url(f"{site.url}/audit")
            await expect(page.locator("details.menu summary")).to_contain_text("anna@example.com")


async def test_signing_out_ends_the_session_and_not_only_the_cookie(site: Site) -> None:
    async with site.viewer() as page:
        kept = await site.session(page.context)
        await page.get_by_text("anna").first.click()
        await page.get_by_role("button", name="Sign out").click()
        await page.wait_for_url(f"{site.url}/sign-in")
        async with (
            aiohttp.ClientSession() as session,
            session.get(
                f"{site.url}/orders", headers={"Cookie": kept}, allow_redirects=False
            ) as answer,
        ):
            assert 303 == answer.status


@pytest.mark.parametrize("js", [True, False], ids=["with scripts", "without scripts"])
async def test_language_and_colours_are_chosen_and_kept(site: Site, *, js: bool) -> None:
    async with site.viewer(java_script_enabled=js) as page:
        await page.goto(f"{site.url}/orders")
        await page.get_by_text("anna").first.click()
        await page.get_by_label("Language").select_option("ru")
        await page.get_by_label("Colours").select_option("dark")
        await page.get_by_role("button", name="Apply").click()
        await page.wait_for_url(f"{site.url}/orders")
        html = page.locator("html")
        assert ("ru", "dark") == (
            await html.get_attribute("lang"),
            await html.get_attribute("data-theme"),
        )


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Sec-Fetch-Site": "same-site"}, 403),
        ({"Origin": "https://evil.example"}, 403),
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Type": "application/json"}, 415),
        ({"Content-Type": "multipart/form-data; boundary=x"}, 415),
    ],
    ids=str,
)
async def test_a_form_of_another_page_changes_nothing(
    site: Site, headers: dict[str, str], status: int
) -> None:
    """Attack 57: somebody who is signed in visits a page that posts to ours."""
    usual = {"Content-Type": "application/x-www-form-urlencoded"}
    async with site.viewer() as page:
        cookie = {"Cookie": await site.session(page.context)}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{site.url}/destinations/crm/pause",
                data="reason=because",
                headers={**usual, **cookie, **headers},
            ) as answer,
        ):
            assert status == answer.status, await answer.text()
    assert [] == await site.desk.table("SELECT * FROM destinations WHERE paused_at IS NOT NULL")


async def test_the_console_is_never_in_a_frame_and_runs_only_its_own_scripts(site: Site) -> None:
    """Attack 58."""
    async with site.viewer() as page:
        answer = await page.goto(f"{site.url}/orders")
        assert answer is not None
        policy = answer.headers["content-security-policy"]
        for rule in ("default-src 'none'", "frame-ancestors 'none'", "script-src 'self'"):
            assert rule in policy
        assert "nosniff" == answer.headers["x-content-type-options"]
        assert "no-store" == answer.headers["cache-control"]
