"""What every kind of destination must do, shown against the sandbox CRM and hostile servers."""

import asyncio
import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import psutil
import pytest

from service.domain.events import Subject
from service.sandbox.behaviour import Behaviour
from service.sandbox.crm import Crm as SandboxCrm
from service.sandbox.crm import running
from service.settings import Destination, Secret
from service.worker.crms import registry
from service.worker.crms.base import Change, Class, Crm
from service.worker.crms.client import open_session

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
WITHIN = timedelta(milliseconds=700)


def now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Bench:
    """One kind of destination, wired to a sandbox CRM."""

    kind: registry.Kind
    session: aiohttp.ClientSession
    sandbox: SandboxCrm
    url: str

    def crm(self, **overrides: Any) -> Crm:
        usual: dict[str, Any] = {
            "name": "crm",
            "crm": self.kind.name,
            "url": f"{self.url}/callback",
            "secret": Secret.plain(SECRET),
            "timeout": WITHIN,
        }
        destination = Destination(**{**usual, **overrides})
        return self.kind.build(destination, self.session, clock=now)

    def effects(self) -> list[tuple[str, int]]:
        order = self.sandbox.records.orders.get("order/1001")
        return [(step.status, step.version) for step in order.steps] if order else []


@pytest.fixture(params=registry.CRMS, ids=lambda kind: kind.name)
async def bench(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    sandbox = SandboxCrm(secret=SECRET, clock=now)
    async with running(sandbox) as url, open_session(4) as session:
        yield Bench(request.param, session, sandbox, url)


def change(version: int = 1, **overrides: Any) -> Change:
    subject = Subject("order", "", "1001")
    usual: dict[str, Any] = {
        "subject": subject,
        "status": "paid",
        "previous": None,
        "lanes": {"payment": "paid"},
        "attributes": {"amount": "49.90", "vip": False},
        "version": version,
        "event_ids": [UUID(int=version)],
        "occurred_at": AT,
        "changed_at": AT,
        "key": f"crm:{subject}:{version}",
    }
    return Change(**{**usual, **overrides})


@asynccontextmanager
async def hostile(answer: Callable[[asyncio.StreamWriter], Any]) -> AsyncIterator[str]:
    """A server that reads one request and then does what the test says."""
    open_writers: list[asyncio.StreamWriter] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        open_writers.append(writer)
        with suppress(OSError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/callback"
    finally:
        server.close()
        for writer in open_writers:
            writer.transport.abort()
            with suppress(OSError):
                await writer.wait_closed()


def says(raw: bytes, *, again: bytes = b"", pause: float = 0.0) -> Callable[..., Any]:
    """Write `raw`, then `again` for ever."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        writer.write(raw)
        await writer.drain()
        while again:
            writer.write(again)
            await writer.drain()
            await asyncio.sleep(pause)

    return answer


async def test_a_change_arrives_whole(bench: Bench) -> None:
    answer = await bench.crm().write(change())
    assert (Class.OK, 200) == (answer.kind, answer.http_status)
    data = bench.sandbox.records.orders["order/1001"].data
    assert ("paid", 1, {"payment": "paid"}) == (data.status, data.version, data.lanes)
    assert {"amount": "49.90", "vip": False} == data.attributes
    assert [str(UUID(int=1))] == data.event_ids


async def test_the_same_key_has_one_effect(bench: Bench) -> None:
    crm = bench.crm()
    kinds = [(await crm.write(change())).kind for _ in range(3)]
    assert [Class.OK] * 3 == kinds
    assert [("paid", 1)] == bench.effects()
    assert 2 == bench.sandbox.records.summary()["repeated"]


async def test_a_lower_version_is_answered_well_and_changes_nothing(bench: Bench) -> None:
    crm = bench.crm()
    await crm.write(change(3, status="shipped"))
    assert Class.OK == (await crm.write(change(2))).kind
    assert [("shipped", 3)] == bench.effects()


async def test_awkward_references_arrive_unharmed(bench: Bench) -> None:
    crm = bench.crm()
    for version, ref in enumerate(["10.01", "№ 7/ä", "a\r\nX-Evil: 1", "50%", "<svg onload=1>"], 1):
        subject = Subject("order", "eu", ref)
        answer = await crm.write(change(version, subject=subject, key=f"crm:{subject}:{version}"))
        assert Class.OK == answer.kind
        assert str(subject) in bench.sandbox.records.orders


async def test_payload_is_what_write_sends(bench: Bench) -> None:
    crm = bench.crm()
    assert crm.payload(change()) == crm.payload(change())
    await crm.write(change())
    sent = bench.sandbox.records.orders["order/1001"].data
    assert json.loads(crm.payload(change()))["data"]["attributes"] == sent.attributes


async def test_a_wrong_secret_is_refused_for_good_and_not_shown(bench: Bench) -> None:
    wrong = "whsec_" + base64.b64encode(b"x" * 32).decode()
    answer = await bench.crm(secret=Secret.plain(wrong)).write(change())
    assert (Class.PERMANENT, 401) == (answer.kind, answer.http_status)
    assert wrong[6:] not in repr(answer)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (404, Class.NOT_FOUND),
        (409, Class.OK),
        (410, Class.GONE),
        (422, Class.PERMANENT),
        (429, Class.RATE),
        (503, Class.TRANSIENT),
    ],
)
async def test_refusals_are_classed(bench: Bench, status: int, expected: Class) -> None:
    bench.sandbox.mood.change(Behaviour(mode="status", status=status, retry_after="7"))
    answer = await bench.crm().write(change())
    assert (expected, status) == (answer.kind, answer.http_status)
    assert timedelta(seconds=7) == answer.after


@pytest.mark.parametrize("mode", ["reset", "garbage", "hang"])
async def test_a_lost_answer_is_tried_again_and_the_effect_stands_once(
    bench: Bench, mode: Any
) -> None:
    bench.sandbox.mood.change(Behaviour(mode=mode, times=1, effect=True))
    crm = bench.crm()
    assert Class.TRANSIENT == (await crm.write(change())).kind
    assert Class.OK == (await crm.write(change())).kind
    assert [("paid", 1)] == bench.effects()
    assert 0 == bench.sandbox.records.summary()["repeated_effects"]


async def test_a_redirect_is_not_followed(bench: Bench) -> None:
    bench.sandbox.mood.change(Behaviour(mode="redirect"))
    answer = await bench.crm().write(change())
    assert (Class.PERMANENT, 307) == (answer.kind, answer.http_status)
    assert 1 == bench.sandbox.records.revision


async def test_a_hanging_crm_costs_the_time_out_and_no_more(bench: Bench) -> None:
    bench.sandbox.mood.change(Behaviour(mode="hang"))
    began = time.monotonic()
    answer = await bench.crm().write(change())
    assert Class.TRANSIENT == answer.kind
    assert WITHIN.total_seconds() <= time.monotonic() - began < 2 * WITHIN.total_seconds()


async def test_a_never_ending_answer_counts_by_its_status_and_is_cut(bench: Bench) -> None:
    bench.sandbox.mood.change(Behaviour(mode="endless", effect=True))
    began = time.monotonic()
    assert Class.OK == (await bench.crm().write(change())).kind
    assert time.monotonic() - began < 2 * WITHIN.total_seconds()


async def test_ten_gigabytes_cost_no_memory(bench: Bench) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"
    before = psutil.Process().memory_info().rss
    async with hostile(says(head, again=b"0" * 65_536)) as url:
        assert Class.OK == (await bench.crm(url=url).write(change())).kind
    assert psutil.Process().memory_info().rss - before < 16 * 1024 * 1024


@pytest.mark.parametrize(
    ("raw", "again", "expected"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", b"", Class.OK),
        (b"HTTP/1.1 200 OK\r\nSet-Cookie: \x00\r\nContent-Length: 0\r\n\r\n", b"", Class.TRANSIENT),
        (b"HTTP/1.1 200 OK\r\n", b"X-Flood: 1\r\n", Class.TRANSIENT),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x" * 1000, Class.TRANSIENT),
        (b"HTTP/1.1 9999 OK\r\n\r\n", b"", Class.TRANSIENT),
        (b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"", Class.PERMANENT),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", Class.TRANSIENT),
        (
            b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\n\x1f\x8b\x08",
            b"",
            Class.OK,
        ),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n", b"", Class.TRANSIENT),
        (b"\x00" * 10, b"", Class.TRANSIENT),
        (b"", b"", Class.TRANSIENT),
    ],
)
async def test_hostile_answers_are_classed_and_never_raise(
    bench: Bench, raw: bytes, again: bytes, expected: Class
) -> None:
    async with hostile(says(raw, again=again, pause=0.001)) as url:
        assert expected == (await bench.crm(url=url).write(change())).kind


@pytest.mark.parametrize("url", ["http://nowhere.invalid/callback", "http://127.0.0.1:{}/callback"])
async def test_a_crm_that_is_not_there_is_transient(bench: Bench, url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer = await bench.crm(url=url.format(port)).write(change())
    assert (Class.TRANSIENT, None) == (answer.kind, answer.http_status)


async def test_tls_that_is_none_is_transient(bench: Bench) -> None:
    url = f"{bench.url}/callback".replace("http:", "https:")
    assert Class.TRANSIENT == (await bench.crm(url=url).write(change())).kind


def test_every_kind_has_its_own_name() -> None:
    assert len(registry.CRMS) == len(registry.crms_by_name())


@pytest.mark.parametrize(("mode", "expected"), [("refused", 3), ("reset", 1)])
async def test_quick_tries_are_few_and_only_when_nothing_was_sent(
    bench: Bench, mode: str, expected: int
) -> None:
    tries: list[None] = []

    async def count(*_: object) -> None:
        tries.append(None)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(count)
    bench.sandbox.mood.change(Behaviour(mode="reset"))
    port = f"{bench.url}/callback" if mode == "reset" else "http://127.0.0.1:9/callback"
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        crm = Bench(bench.kind, session, bench.sandbox, bench.url).crm(url=port)
        assert (await crm.write(change())).kind == Class.TRANSIENT
    assert len(tries) == expected
