"""Hostile requests on the internal listener: what a browser, a stranger or a viewer may not do."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest

from service.store import pool
from service.store.pool import Pool, transaction
from tests import internals, reception, rows

pytestmark = pytest.mark.postgres

OPERATOR = internals.bearer(role="operator")
ROOT = Path(__file__).parents[2]
XSS = "<svg onload=alert(1)></script>"


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=1) as opened:
        yield opened


@pytest.fixture
async def api(database: str) -> AsyncIterator[str]:
    async with internals.opened(database) as url:
        yield url


@pytest.fixture
async def browser(api: str) -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(api) as session:
        yield session


FORMS = {
    "form": ("application/x-www-form-urlencoded", b"filter="),
    "text": ("text/plain", b'{"filter":{}}'),
    "multipart": ("multipart/form-data; boundary=x", b"--x--"),
    "JSON": ("application/json", b'{"filter":{}}'),
}


@pytest.mark.parametrize("name", FORMS)
async def test_57_what_a_browser_can_be_made_to_send_carries_no_token(
    browser: aiohttp.ClientSession, name: str
) -> None:
    kind, body = FORMS[name]
    token = internals.token(role="admin")
    for verb in ("redrive", "discard"):
        sent = {
            "Content-Type": kind,
            "Cookie": f"token={token}; Authorization=Bearer {token}",
            "Origin": "https://evil.example",
        }
        path = f"/api/v1/dead-letters/{verb}?token={token}&access_token={token}"
        async with browser.post(path, data=body, headers=sent) as answer:
            assert 401 == answer.status
            assert "Access-Control-Allow-Origin" not in answer.headers
            assert "Set-Cookie" not in answer.headers


async def test_57_nobody_gets_leave_to_ask_across_origins(browser: aiohttp.ClientSession) -> None:
    sent = {"Origin": "https://evil.example", "Access-Control-Request-Method": "POST"}
    async with browser.options("/api/v1/dead-letters/redrive", headers=sent) as answer:
        assert 405 == answer.status
        assert not [name for name in answer.headers if name.startswith("Access-Control")]


async def test_57_a_get_changes_nothing(browser: aiohttp.ClientSession, store: Pool) -> None:
    for path in ("dead-letters/redrive", "dead-letters/discard", "replays", "refolds"):
        async with browser.get(f"/api/v1/{path}", headers=OPERATOR) as answer:
            assert 405 == answer.status
    async with transaction(store) as tx:
        assert [] == await tx.fetch("SELECT 1 FROM operator_actions UNION ALL SELECT 1 FROM jobs")


async def test_50_and_58_what_is_shown_is_never_a_page(
    browser: aiohttp.ClientSession, store: Pool
) -> None:
    async with transaction(store) as tx:
        request_id = await rows.request(tx, body=XSS.encode(), headers={"x": XSS})
        event = await rows.event(tx, "pending", request_id=request_id, ref=XSS, note=XSS, code=XSS)
    for path in ("/api/v1/events", f"/api/v1/events/{event}", f"/api/v1/subjects/order/{XSS}"):
        async with browser.get(path, headers=OPERATOR) as answer:
            assert answer.status in {200, 404}
            assert answer.content_type in {"application/json", "application/problem+json"}
            assert "nosniff" == answer.headers["X-Content-Type-Options"]
            assert "no-store" == answer.headers["Cache-Control"]


def test_50_the_board_of_the_sandbox_writes_texts_only() -> None:
    script = (ROOT / "service" / "sandbox" / "board.js").read_text("utf-8")
    for way in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval("):
        assert way not in script


async def test_60_no_secret_is_read_back(browser: aiohttp.ClientSession) -> None:
    async with browser.get("/api/v1/sources", headers=OPERATOR) as answer:
        said = await answer.text()
    for word in ("secret", "token", "password"):
        assert word not in said


async def test_60_a_body_sets_no_more_than_it_may(
    browser: aiohttp.ClientSession, store: Pool
) -> None:
    for extra in ("role", "actor", "tenant_id", "id", "created_at"):
        body = {"filter": {}, "reason": "x", extra: "admin"}
        async with browser.post(
            "/api/v1/dead-letters/discard", json=body, headers=OPERATOR
        ) as answer:
            assert 400 == answer.status
            assert f"'{extra}' is not known" in (await answer.json(content_type=None))["detail"]
    async with transaction(store) as tx:
        assert [] == await tx.fetch("SELECT 1 FROM operator_actions")


EXPENSIVE = (
    "/subjects?limit=1000000000",
    "/events?limit=-1",
    "/events?since=0001-01-01T00:00:00Z&offset=1000000000",
    "/events?cursor=" + "A" * 2000,
    "/dead-letters?limit=1e9",
    "/subjects?ref=" + "%25" * 1000,
)


@pytest.mark.parametrize("path", EXPENSIVE)
async def test_61_a_question_that_would_cost_too_much_is_answered_at_once(
    browser: aiohttp.ClientSession, path: str
) -> None:
    async with (
        asyncio.timeout(2),
        browser.get(f"/api/v1{path}", headers=OPERATOR) as answer,
    ):
        assert answer.status in {200, 400}
        assert len(await answer.read()) < 64 * 1024


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ("Transfer-Encoding: chunked", 411),
        ("Content-Length: 99999999", 413),
        ("Authorization_: x", 401),
    ],
)
async def test_the_framing_of_the_internal_listener_is_as_strict(
    api: str, line: str, status: int
) -> None:
    bearer = "" if status == 401 else f"Authorization: {OPERATOR['Authorization']}\r\n"
    head = (
        "POST /api/v1/dead-letters/redrive HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Content-Type: application/json\r\nExpect: 100-continue\r\n{bearer}{line}\r\n\r\n"
    )
    assert urlsplit(api).port
    answers = await reception.Reception(api, reception.Desk()).say(head.encode())
    assert [status] == [answer.status for answer in answers]


async def test_an_operator_who_may_is_asked_for_the_body(api: str) -> None:
    body = b'{"filter":{}}'
    head = (
        "POST /api/v1/dead-letters/redrive HTTP/1.1\r\nHost: x\r\nConnection: close\r\n"
        f"Authorization: {OPERATOR['Authorization']}\r\nContent-Type: application/json\r\n"
        f"Expect: 100-continue\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    answers = await reception.Reception(api, reception.Desk()).say(head.encode(), body)
    assert 100 == answers[0].status
    assert 400 > answers[-1].status
