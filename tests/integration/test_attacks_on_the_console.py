"""Hostile requests to the console: sessions, forms and questions of people who mean ill."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from service.ops.sources import Configured
from service.settings import Address, Destination, Secret
from service.store import pool
from service.store.pool import Pool, transaction
from service.web.console.routes import Console
from service.web.console.viewers import COOKIE
from service.web.internal import internal_app
from service.web.listeners import listening
from tests import internals, rows
from tests.internals import AUTH

pytestmark = pytest.mark.postgres

PRIVATE = "pat-eu1-nobody-reads-this-back"
HUBSPOT = Destination(
    name="hubspot",
    crm="hubspot",
    url="http://127.0.0.1:9/",
    token=Secret.plain(PRIVATE),
    options={"pipeline": "default"},
)
KNOWN = Configured(destinations=lambda: {"hubspot": HUBSPOT}, two_people=lambda: True)


@dataclass
class Stranger:
    """Somebody with a program in place of a browser."""

    url: str
    session: aiohttp.ClientSession
    store: Pool

    async def ask(
        self, method: str, path: str, form: Mapping[str, str] | None = None, **headers: str
    ) -> tuple[int, str]:
        """The status, and the page or where it leads."""
        async with self.session.request(
            *(method, f"{self.url}/console{path}"),
            data=form,
            headers={"Origin": self.url, **headers},
            allow_redirects=False,
        ) as answer:
            return answer.status, answer.headers.get("Location") or await answer.text()

    async def sign_in(self, role: str = "operator", **headers: str) -> str:
        """The cookie; the link is a fresh one."""
        token = internals.token(role=role, aud="orderhook/console", jti=secrets.token_hex(8))
        async with self.session.post(
            f"{self.url}/console/sign-in",
            data={"token": token},
            headers={"Origin": self.url, **headers},
            allow_redirects=False,
        ) as answer:
            assert 303 == answer.status, await answer.text()
            return answer.cookies[COOKIE].value

    async def csrf(self, cookie: str) -> str:
        _, page = await self.ask("GET", "/orders", Cookie=f"{COOKIE}={cookie}")
        return page.partition('name="csrf" value="')[2].partition('"')[0]

    async def act(self, cookie: str, path: str, **form: str) -> tuple[int, str]:
        said = {"csrf": await self.csrf(cookie), **form}
        return await self.ask("POST", path, said, Cookie=f"{COOKIE}={cookie}")

    async def is_in(self, cookie: str) -> bool:
        return (await self.ask("GET", "/orders", Cookie=f"{COOKIE}={cookie}"))[0] == 200

    async def rows(self, query: str) -> list[Any]:
        async with transaction(self.store) as tx:
            return [dict(row) for row in await tx.fetch(query)]


@pytest.fixture
async def stranger(database: str) -> AsyncIterator[Stranger]:
    async with pool.opened(database, size=3) as store:
        console = Console(store, AUTH, lambda: datetime.now(UTC), KNOWN)
        app = internal_app(AUTH, {}, pool=store, configured=KNOWN, console=console)
        async with (
            listening(app, Address("127.0.0.1", 0), name="internal") as url,
            aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar()) as session,
        ):
            yield Stranger(url, session, store)


async def test_57_a_page_of_elsewhere_neither_signs_in_nor_out(stranger: Stranger) -> None:
    cookie = await stranger.sign_in()
    token = internals.token(role="admin", aud="orderhook/console", jti="of-mallory")
    for said in ({"Sec-Fetch-Site": "cross-site"}, {"Origin": "https://evil.example"}):
        headers = {"Cookie": f"{COOKIE}={cookie}", **said}
        for path, form in (("/sign-in", {"token": token}), ("/sign-out", {}), ("/preferences", {})):
            assert 403 == (await stranger.ask("POST", path, form, **headers))[0], (path, said)
    assert await stranger.is_in(cookie)


async def test_58_nothing_that_is_answered_may_be_framed_or_guessed(stranger: Stranger) -> None:
    async with transaction(stranger.store) as tx:
        page = b"<script>alert(1)</script>"
        request = await rows.request(tx, body=page, headers={"content-type": "text/html"})
        event = await rows.event(tx, "applied", request_id=request)
    cookie = await stranger.sign_in()
    for path in ("/orders", "/sign-in", "/no-such-page", "/oidc", f"/events/{event}/request", "/"):
        async with stranger.session.get(
            f"{stranger.url}/console{path}", headers={"Cookie": f"{COOKIE}={cookie}"}
        ) as answer:
            said = answer.headers
            assert "DENY" == said["X-Frame-Options"], path
            assert "frame-ancestors 'none'" in said["Content-Security-Policy"], path
            assert "nosniff" == said["X-Content-Type-Options"], path
            if "request" in path:
                assert "application/octet-stream" == answer.content_type
                assert said["Content-Disposition"].startswith("attachment;")


async def test_59_a_cookie_that_somebody_planted_is_never_the_session(stranger: Stranger) -> None:
    """Fixation: the victim signs in with a cookie that the attacker knows."""
    planted = "A" * 43
    fresh = await stranger.sign_in(Cookie=f"{COOKIE}={planted}")
    assert planted != fresh
    assert await stranger.is_in(fresh)
    assert not await stranger.is_in(planted)
    again = await stranger.sign_in(Cookie=f"{COOKIE}={fresh}")
    assert again != fresh


@pytest.mark.parametrize(
    "aged",
    [
        "expires_at = now() - interval '1 second'",
        "seen_at = now() - interval '2 hours 1 second'",
        "ended_at = now()",
    ],
)
async def test_59_a_stolen_cookie_is_worth_little_for_long(stranger: Stranger, aged: str) -> None:
    cookie = await stranger.sign_in()
    assert await stranger.is_in(cookie)
    (row,) = await stranger.rows("SELECT * FROM console_sessions")
    assert cookie.encode() not in row["id"]
    assert 36_000 >= (row["expires_at"] - row["began_at"]).total_seconds()
    async with transaction(stranger.store) as tx:
        await tx.execute(f"UPDATE console_sessions SET {aged}")
    assert not await stranger.is_in(cookie)


@pytest.mark.parametrize("cookie", ["", "x", "é", "A" * 43, "A" * 4000, "' OR true --"])
async def test_59_nobody_is_let_in_by_a_cookie_of_their_own_making(
    stranger: Stranger, cookie: str
) -> None:
    assert not await stranger.is_in(cookie)


async def test_59_a_token_of_the_api_begins_no_session_and_a_link_is_no_token(
    stranger: Stranger,
) -> None:
    status, _ = await stranger.ask("POST", "/sign-in", {"token": internals.token(role="admin")})
    assert 401 == status
    link = internals.token(role="admin", aud="orderhook/console", jti="one")
    headers = {"Authorization": f"Bearer {link}"}
    async with stranger.session.get(f"{stranger.url}/api/v1/ledger", headers=headers) as answer:
        assert 401 == answer.status
    for lie in ({"role": "root"}, {"sub": ""}, {"jti": None}, {"exp": None}, {"iss": "another"}):
        said = {"role": "admin", "aud": "orderhook/console", "jti": "two", **lie}
        status, _ = await stranger.ask("POST", "/sign-in", {"token": internals.token(**said)})
        assert 401 == status, lie
    assert [] == await stranger.rows("SELECT * FROM console_sessions")


async def test_59_nothing_takes_a_logout_token(stranger: Stranger) -> None:
    """No back channel is open, so a forged one ends nobody's session."""
    cookie = await stranger.sign_in()
    forged = {"logout_token": internals.token(sub="anna", events={})}
    for path in ("/oidc/logout", "/oidc/back", "/oidc/backchannel", "/logout"):
        assert (await stranger.ask("POST", path, forged))[0] in {404, 405}
    assert await stranger.is_in(cookie)


async def test_60_a_form_does_not_say_who_acts_or_as_what(stranger: Stranger) -> None:
    more = {"role": "admin", "actor": "boss", "subject": "boss", "tenant_id": "7", "id": "1"}
    viewer = await stranger.sign_in("viewer")
    status, _ = await stranger.act(viewer, "/destinations/hubspot/pause", reason="x", **more)
    assert 403 == status
    operator = await stranger.sign_in("operator")
    status, _ = await stranger.act(operator, "/destinations/hubspot/pause", reason="x", **more)
    assert 303 == status
    (row,) = await stranger.rows("SELECT paused_by, pause_reason FROM destinations")
    assert {"paused_by": "anna", "pause_reason": "x"} == row
    (act,) = await stranger.rows("SELECT actor FROM operator_actions WHERE action ~ '^destination'")
    assert "anna" == act["actor"]
    (session,) = await stranger.rows("SELECT role FROM console_sessions WHERE role <> 'viewer'")
    assert "operator" == session["role"]


async def test_60_no_secret_is_read_back(stranger: Stranger) -> None:
    cookie = await stranger.sign_in("admin")
    for path in ("/", "/destinations", "/destinations/hubspot", "/sources", "/audit"):
        status, page = await stranger.ask("GET", path, Cookie=f"{COOKIE}={cookie}")
        assert 200 == status, path
        assert PRIVATE not in page
        assert internals.KEY not in page
        assert cookie not in page


async def test_60_what_is_not_there_and_what_one_may_not_see_are_told_apart_by_role_alone(
    stranger: Stranger,
) -> None:
    nothing = "00000000-0000-7000-8000-000000000000"
    cookie = await stranger.sign_in("viewer")
    for path in (f"/jobs/{nothing}/approve", f"/jobs/{nothing}/cancel"):
        assert 403 == (await stranger.act(cookie, path))[0]
    for path in (f"/jobs/{nothing}", f"/events/{nothing}", f"/dead-letters/{nothing}"):
        status, page = await stranger.ask("GET", path, Cookie=f"{COOKIE}={cookie}")
        assert 404 == status
        assert "Traceback" not in page


EVIL = "(a+)+$" * 40
EXPENSIVE = (
    "/orders?q=" + "%25" * 256,
    "/orders?q=" + "%5F" * 256,
    "/orders?q=" + "a" * 257,
    "/orders?q=" + EVIL.replace("+", "%2B"),
    "/orders?q=" + "%F0%9F%92%A9" * 64,
    "/orders?status=" + "%25" * 200,
    "/orders?alias=" + "%25" * 200,
    "/orders?cursor=" + "A" * 4000,
    "/orders?cursor=eyJhIjoxfQ",
    "/orders?status=paid&status=shipped",
    "/orders?limit=1000000000",
    "/orders/order/" + "%25" * 256,
    "/orders/order/" + "x" * 3000,
    "/dead-letters/list?subject=" + "%25" * 200,
    "/dead-letters/list?reason=" + EVIL.replace("+", "%2B"),
    "/dead-letters/list?cursor=" + "9" * 4000,
    "/jobs?cursor=" + "%00" * 200,
    "/jobs?kind=" + "x" * 5000,
    "/destinations/hubspot?held=person&cursor=" + "A" * 4000,
    "/audit?actor=" + "%25" * 200,
    "/audit?cursor=" + "A" * 4000,
    "/audit?target=" + EVIL.replace("+", "%2B"),
    "/replay?source=" + "%25" * 1000 + "&outcomes=" + "x" * 3000,
    "/sign-in?next=" + "%2F" * 3000,
    "/sign-in?token=" + "A." * 4000,
)


@pytest.mark.parametrize("path", EXPENSIVE, ids=range(len(EXPENSIVE)))
async def test_61_an_expensive_question_is_answered_at_once(stranger: Stranger, path: str) -> None:
    cookie = await stranger.sign_in("admin")
    async with asyncio.timeout(2):
        status, page = await stranger.ask("GET", path, Cookie=f"{COOKIE}={cookie}")
    assert status in {200, 303, 400, 404}, page
    assert len(page) < 128 * 1024
    assert "Traceback" not in page


@pytest.mark.parametrize(
    ("path", "form"),
    [
        ("/replay", {"source": "shop", "since": "1016-01-01T00:00", "until": "9999-12-31T23:59"}),
        ("/replay", {"source": "shop", "since": "2016-01-01T00:00", "outcomes": "everything"}),
        ("/dead-letters/plan", {"act": "redrive-all", "kind": "' OR true --"}),
        ("/dead-letters/plan", {"act": "redrive-ticked", "id": "x" * 4000}),
        ("/dead-letters/start", {"act": "redrive-all", "rate": "9" * 400}),
        ("/dead-letters/start", {"act": "redrive-all", "rate": "-1"}),
        ("/destinations/hubspot/reconcile", {"since": "0001-01-01T00:00"}),
        ("/destinations/hubspot/reconcile", {"rate": "1e9"}),
        ("/orders/order/1/merge", {"into": "%" * 3000, "reason": "x"}),
    ],
)
async def test_61_an_order_beyond_bounds_is_refused(
    stranger: Stranger, path: str, form: dict[str, str]
) -> None:
    cookie = await stranger.sign_in("admin")
    async with asyncio.timeout(2):
        status, _ = await stranger.act(cookie, path, **form)
    assert status in {400, 404}
    assert [] == await stranger.rows("SELECT 1 FROM jobs")


async def test_61_bulk_work_takes_a_second_person(stranger: Stranger) -> None:
    async with transaction(stranger.store) as tx:
        for number in range(12):
            subject = await rows.subject(tx, ref=str(number))
            await rows.sync(tx, subject, destination="hubspot", state="dead", synced_version=0)
            said = {"kind": "sync", "subject_id": subject, "destination": "hubspot"}
            await rows.letter(tx, **said, reason="refused")
    cookie = await stranger.sign_in("admin")
    status, there = await stranger.act(cookie, "/dead-letters/start", act="redrive-all")
    assert 303 == status
    (job,) = await stranger.rows("SELECT id, state FROM jobs")
    assert "awaiting_approval" == job["state"]
    status, _ = await stranger.act(cookie, f"/jobs/{job['id']}/approve", actor="another")
    assert 409 == status, there
    assert [{"state": "awaiting_approval"}] == await stranger.rows("SELECT state FROM jobs")


@pytest.mark.parametrize(
    "body",
    [
        b"csrf=" + b"A" * 70_000,
        b"&".join(b"a%d=1" % number for number in range(2_000)),
        b"csrf=%ff%fe",
        b"csrf=%00",
        b"csrf=" + b"A" * 5_000,
        b"\xff\xfe",
    ],
    ids=["large", "many fields", "no UTF-8", "NUL", "long", "no ASCII"],
)
async def test_61_a_form_no_browser_would_send_is_refused(stranger: Stranger, body: bytes) -> None:
    cookie = await stranger.sign_in()
    async with stranger.session.post(
        f"{stranger.url}/console/replay",
        data=body,
        headers={
            "Cookie": f"{COOKIE}={cookie}",
            "Content-Type": "application/x-www-form-urlencoded",
            "Origin": stranger.url,
        },
    ) as answer:
        assert answer.status in {400, 413}
