"""The sandbox CRM over HTTP: the contract of a receiver, its board, its bad days, its program."""

import asyncio
import base64
import json
import re
import signal
import sys
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from standardwebhooks.webhooks import Webhook

from service.sandbox import board
from service.sandbox.crm import FILES, Crm, running

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()


class Caller:
    """Posts callbacks signed by the reference library."""

    def __init__(self, session: aiohttp.ClientSession, url: str) -> None:
        self.session, self.url = session, url

    async def post(self, version: int = 1, *, ref: str = "1001", **overrides: Any) -> int:
        body = callback(version, ref=ref, **overrides.pop("data", {}))
        at = overrides.pop("at", datetime.now(UTC))
        key = overrides.pop("key", f"crm:order/{ref}:{version}")
        headers = {
            "webhook-id": "msg_1",
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": Webhook(overrides.pop("secret", SECRET)).sign("msg_1", at, body),
            "Idempotency-Key": key,
        }
        timeout = aiohttp.ClientTimeout(total=1)
        async with self.session.post(
            f"{self.url}/callback",
            data=body,
            headers=headers,
            timeout=timeout,
            allow_redirects=False,
        ) as answer:
            await answer.read()
            return answer.status

    async def get(self, path: str) -> Any:
        async with self.session.get(self.url + path) as answer:
            return await answer.json(content_type=None)

    async def behave(self, **wish: Any) -> int:
        async with self.session.put(f"{self.url}/behaviour", json=wish) as answer:
            return answer.status


def callback(version: int, *, ref: str, **overrides: Any) -> str:
    data: dict[str, Any] = {
        "subject": f"order/{ref}",
        "status": "paid",
        "previous": None,
        "lanes": {"payment": "paid"},
        "version": version,
        "event_ids": [],
        "occurred_at": None,
        "attributes": {},
    }
    whole = {"type": "order.status_changed", "timestamp": "2026-02-01T10:00:00Z"}
    return json.dumps({**whole, "data": {**data, **overrides}})


@pytest.fixture
async def crm() -> AsyncIterator[Caller]:
    sandbox = Crm(secret=SECRET, clock=lambda: datetime.now(UTC))
    async with running(sandbox) as url, aiohttp.ClientSession() as session:
        yield Caller(session, url)


async def test_an_order_is_shown_with_its_history_and_its_effects_by_key(crm: Caller) -> None:
    await crm.post(1, data={"status": "awaiting_payment"})
    await crm.post(2)
    order = await crm.get("/orders/1001")
    assert ("paid", 2) == (order["status"], order["version"])
    assert {"crm:order/1001:1": 1, "crm:order/1001:2": 1} == order["effects"]
    assert ["awaiting_payment", "paid"] == [step["status"] for step in order["history"]]


async def test_refs_with_slashes_and_scopes_are_found(crm: Caller) -> None:
    await crm.post(1, ref="eu:10/01")
    assert "order/eu:10/01" == (await crm.get("/orders/10%2F01?scope=eu"))["subject"]
    assert 404 == (await crm.get("/orders/10%2F01"))["status"]


async def test_repeated_stale_and_corrupt_calls_are_told_apart(crm: Caller) -> None:
    statuses = [
        await crm.post(2),
        await crm.post(2),
        await crm.post(1),
        await crm.post(2, data={"status": "refunded"}),
    ]
    assert [200, 200, 200, 422] == statuses
    effects = [call["effect"] for call in (await crm.get("/calls"))["items"]]
    assert ["applied", "repeated", "stale", "corrupt"] == effects
    counts = await crm.get("/counts")
    assert (4, 1, 0) == (counts["calls"], counts["orders"], counts["repeated_effects"])


async def test_wrong_stale_and_missing_signatures_are_refused_and_counted(crm: Caller) -> None:
    other = "whsec_" + base64.b64encode(b"x" * 32).decode()
    assert 401 == await crm.post(secret=other)
    assert 401 == await crm.post(at=datetime.now(UTC) - timedelta(minutes=6))
    async with crm.session.post(f"{crm.url}/callback", data=b"{}") as answer:
        assert 401 == answer.status
    counts = await crm.get("/counts")
    assert (3, 0) == (counts["refused"], counts["orders"])


async def test_a_signed_body_that_is_no_callback_is_refused(crm: Caller) -> None:
    assert 400 == await crm.post(data={"lanes": "one"})
    assert 400 == await crm.post(data={"status": ""})


@pytest.mark.parametrize(
    ("wish", "first", "orders"),
    [
        ({"mode": "status", "status": 429, "retry_after": "2"}, 429, 0),
        ({"mode": "status", "status": 500, "effect": True}, 500, 1),
        ({"mode": "ok", "delay_ms": 20}, 200, 1),
        ({"mode": "redirect"}, 307, 0),
    ],
)
async def test_a_wish_lasts_its_turns(
    crm: Caller, wish: dict[str, Any], first: int, orders: int
) -> None:
    assert 200 == await crm.behave(**wish, times=1)
    assert first == await crm.post()
    assert orders == (await crm.get("/counts"))["orders"]
    assert 200 == await crm.post()
    assert 1 == (await crm.get("/counts"))["orders"]
    assert "ok" == (await crm.get("/behaviour"))["mode"]


async def test_a_wish_may_concern_one_order_only(crm: Caller) -> None:
    await crm.behave(mode="status", status=503, subject="order/1002")
    assert [200, 503] == [await crm.post(ref="1001"), await crm.post(ref="1002")]


@pytest.mark.parametrize("mode", ["hang", "reset", "garbage"])
async def test_an_answer_may_be_lost_after_the_effect(crm: Caller, mode: str) -> None:
    await crm.behave(mode=mode, effect=True, times=1)
    with pytest.raises((aiohttp.ClientError, TimeoutError)):
        await crm.post()
    assert 1 == (await crm.get("/counts"))["applied"]
    assert 200 == await crm.post()
    effects = [call["effect"] for call in (await crm.get("/calls"))["items"]]
    assert ["applied", "repeated"] == effects
    assert None is (await crm.get("/calls"))["items"][0]["http_status"]


@pytest.mark.parametrize(
    "wish", [{"mode": "sulk"}, {"times": 0}, {"nonsense": 1}, {"retry_after": "a\r\nb: c"}]
)
async def test_a_wish_that_makes_no_sense_is_refused_and_changes_nothing(
    crm: Caller, wish: dict[str, Any]
) -> None:
    assert 400 == await crm.behave(**wish)
    assert "ok" == (await crm.get("/behaviour"))["mode"]


async def test_calls_are_paged_by_their_number(crm: Caller) -> None:
    for version in range(1, 4):
        await crm.post(version)
    assert [1, 2] == [call["number"] for call in (await crm.get("/calls?after=0"))["items"]]
    assert 400 == (await crm.get("/calls?after=x"))["status"]


async def test_the_board_changes_only_when_something_was_called(crm: Caller) -> None:
    await crm.post()
    view = await crm.get("/board.json")
    paid = next(column for column in view["columns"] if column["status"] == "paid")
    assert (1, "1001") == (paid["total"], paid["cards"][0]["ref"])
    async with crm.session.get(f"{crm.url}/board.json?since={view['revision']}") as answer:
        assert 204 == answer.status


async def test_the_board_is_bounded_and_shows_statuses_it_does_not_know(crm: Caller) -> None:
    for number in range(board.CARDS + 3):
        await crm.post(ref=f"B-{number}", data={"status": "closedwon"})
    column = (await crm.get("/board.json"))["columns"][-1]
    assert ("closedwon", board.CARDS + 3) == (column["title"], column["total"])
    assert board.CARDS == len(column["cards"])
    assert f"B-{board.CARDS + 2}" == column["cards"][0]["ref"]


@pytest.mark.parametrize("path", [*FILES, "/board.json", "/orders", "/nothing"])
async def test_every_answer_forbids_foreign_code(crm: Caller, path: str) -> None:
    async with crm.session.get(crm.url + path) as answer:
        policy = answer.headers["Content-Security-Policy"]
        text = await answer.text()
    assert "default-src 'none'; script-src 'self';" in policy
    assert not re.search(r"unsafe|http", policy)
    assert not re.search(
        r"innerHTML|insertAdjacent|document\.write| on[a-z]+=|<style| style=", text
    )


async def test_the_program_says_where_it_listens_and_stops_on_a_signal(tmp_path: Path) -> None:
    ready = tmp_path / "ready.json"
    program = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "service.sandbox.crm", "--ready-file", str(ready)),
        env={"SANDBOX_CRM_SECRET": SECRET},
        stdout=asyncio.subprocess.PIPE,
    )
    assert program.stdout is not None
    async with asyncio.timeout(20):
        url = (await program.stdout.readline()).decode().strip()
        assert {"url": url} == json.loads(ready.read_bytes())
        async with aiohttp.ClientSession() as session, session.get(f"{url}/health") as answer:
            assert 200 == answer.status
        program.send_signal(signal.SIGTERM)
        assert 0 == await program.wait()
