"""What a destination that is told every change must do, shown against receivers good and bad.

`TOLD` holds a bench for each such kind; what only HTTP can do wrong is asked of `callback` alone.
"""

import base64
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol
from uuid import UUID

import aiohttp
import psutil
import pytest

from service.domain.events import Subject
from service.sandbox.behaviour import Behaviour
from service.sandbox.crm import Crm as SandboxCrm
from service.sandbox.crm import running
from service.settings import Destination, Secret
from service.worker.crms import callback, registry
from service.worker.crms.base import Answer, Change, Class, Crm, Records, Target, Write
from service.worker.crms.client import open_session
from service.worker.crms.kind import Tools
from tests.contract import peers
from tests.contract.exchange import exchange_bench
from tests.contract.peers import Purse

SECRET = "whsec_" + base64.b64encode(bytes(range(32))).decode()
TARGET = Target("order", "", "")
WITHIN = timedelta(milliseconds=700)


def now() -> datetime:
    return datetime.now(UTC)


class Bench(Protocol):
    """One kind of destination, wired to a receiver."""

    def crm(self, **overrides: Any) -> Crm: ...

    def got(self) -> list[tuple[str, int, dict[str, str], dict[str, Any]]]:
        """Status, version, lanes and attributes of each change that had an effect, in order."""
        ...

    def lose(self) -> None:
        """The next change arrives, and its answer does not."""
        ...


@dataclass(frozen=True)
class CallbackBench:
    """The sandbox CRM."""

    session: aiohttp.ClientSession
    sandbox: SandboxCrm
    url: str

    def crm(self, **overrides: Any) -> Crm:
        usual: dict[str, Any] = {
            "name": "crm",
            "crm": "callback",
            "url": f"{self.url}/callback",
            "secret": Secret.plain(SECRET),
            "timeout": WITHIN,
        }
        destination = Destination(**{**usual, **overrides})
        return callback.build(destination, Tools(self.session, now, Purse()))

    def got(self) -> list[tuple[str, int, dict[str, str], dict[str, Any]]]:
        data = [order.data for order in self.sandbox.records.orders.values()]
        return [(one.status, one.version, one.lanes, one.attributes) for one in data]

    def effects(self) -> list[tuple[str, int]]:
        order = self.sandbox.records.orders.get("order/1001")
        return [(step.status, step.version) for step in order.steps] if order else []

    def lose(self) -> None:
        self.sandbox.mood.change(Behaviour(mode="reset", times=1, effect=True))


@asynccontextmanager
async def callback_bench() -> AsyncIterator[CallbackBench]:
    sandbox = SandboxCrm(secret=SECRET, clock=now)
    async with running(sandbox) as url, open_session(4) as session:
        yield CallbackBench(session, sandbox, url)


TOLD: dict[str, Callable[[], AbstractAsyncContextManager[Bench]]] = {
    "callback": callback_bench,
    "rabbitmq": exchange_bench,
}


@pytest.fixture(params=TOLD)
async def told(request: pytest.FixtureRequest) -> AsyncIterator[Bench]:
    async with TOLD[request.param]() as made:
        yield made


@pytest.fixture
async def bench() -> AsyncIterator[CallbackBench]:
    async with callback_bench() as made:
        yield made


def change(version: int = 1, **overrides: Any) -> Change:
    usual = {"attributes": {"amount": "49.90", "vip": False}}
    return peers.change("1001", version, **{**usual, **overrides})


async def tell(crm: Crm, *changes: Change) -> list[Answer]:
    """Announce changes as the pump does: in batches, with nothing to find or to read."""
    rows = [Write(each, TARGET, "", None) for each in changes]
    size = crm.capabilities.batch
    return [
        answer
        for start in range(0, len(rows), size)
        for answer in await crm.write_batch(rows[start : start + size])
    ]


async def one(crm: Crm, announced: Change) -> Answer:
    [answer] = await tell(crm, announced)
    return answer


# Of every kind that is told.


async def test_a_change_is_told_whole(told: Bench) -> None:
    assert Class.OK == (await one(told.crm(), change())).kind
    expected = ("paid", 1, {"payment": "paid"}, {"amount": "49.90", "vip": False})
    assert [expected] == told.got()


async def test_answers_are_as_many_as_changes_and_in_their_order(told: Bench) -> None:
    crm = told.crm()
    changes = [peers.change(f"{1001 + number}") for number in range(5)]
    answers = await tell(crm, *changes)
    assert [Class.OK] * 5 == [each.kind for each in answers]
    assert 5 == len(told.got())
    assert [] == await tell(crm)


async def test_whoever_is_told_needs_no_record_and_bears_repetition(told: Bench) -> None:
    crm = told.crm()
    assert not isinstance(crm, Records)
    assert crm.capabilities.idempotent
    told.lose()
    assert Class.TRANSIENT == (await one(crm, change())).kind
    assert Class.OK == (await one(crm, change())).kind
    assert [("paid", 1)] == [(status, version) for status, version, _, _ in told.got()]


# Of callbacks.


async def test_a_change_arrives_whole(bench: CallbackBench) -> None:
    answer = await one(bench.crm(), change())
    assert (Class.OK, 200) == (answer.kind, answer.http_status)
    data = bench.sandbox.records.orders["order/1001"].data
    assert ("paid", 1, {"payment": "paid"}) == (data.status, data.version, data.lanes)
    assert {"amount": "49.90", "vip": False} == data.attributes
    assert [str(UUID(int=1))] == data.event_ids


async def test_the_same_key_has_one_effect(bench: CallbackBench) -> None:
    crm = bench.crm()
    kinds = [(await one(crm, change())).kind for _ in range(3)]
    assert [Class.OK] * 3 == kinds
    assert [("paid", 1)] == bench.effects()
    assert 2 == bench.sandbox.records.summary()["repeated"]


async def test_a_lower_version_is_answered_well_and_changes_nothing(bench: CallbackBench) -> None:
    crm = bench.crm()
    await one(crm, change(3, status="shipped"))
    assert Class.OK == (await one(crm, change(2))).kind
    assert [("shipped", 3)] == bench.effects()


async def test_awkward_references_arrive_unharmed(bench: CallbackBench) -> None:
    crm = bench.crm()
    for version, ref in enumerate(["10.01", "№ 7/ä", "a\r\nX-Evil: 1", "50%", "<svg onload=1>"], 1):
        subject = Subject("order", "eu", ref)
        answer = await one(crm, change(version, subject=subject, key=f"crm:{subject}:{version}"))
        assert Class.OK == answer.kind
        assert str(subject) in bench.sandbox.records.orders


async def test_payload_is_what_is_sent(bench: CallbackBench) -> None:
    crm = bench.crm()
    assert isinstance(crm, callback.Callback)
    assert crm.payload(change()) == crm.payload(change())
    await one(crm, change())
    sent = bench.sandbox.records.orders["order/1001"].data
    assert json.loads(crm.payload(change()))["data"]["attributes"] == sent.attributes


async def test_a_wrong_secret_is_refused_for_good_and_not_shown(bench: CallbackBench) -> None:
    wrong = "whsec_" + base64.b64encode(b"x" * 32).decode()
    answer = await one(bench.crm(secret=Secret.plain(wrong)), change())
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
async def test_refusals_are_classed(bench: CallbackBench, status: int, expected: Class) -> None:
    bench.sandbox.mood.change(Behaviour(mode="status", status=status, retry_after="7"))
    answer = await one(bench.crm(), change())
    assert (expected, status) == (answer.kind, answer.http_status)
    assert timedelta(seconds=7) == answer.after


@pytest.mark.parametrize("mode", ["reset", "garbage", "hang"])
async def test_a_lost_answer_is_tried_again_and_the_effect_stands_once(
    bench: CallbackBench, mode: Any
) -> None:
    bench.sandbox.mood.change(Behaviour(mode=mode, times=1, effect=True))
    crm = bench.crm()
    assert Class.TRANSIENT == (await one(crm, change())).kind
    assert Class.OK == (await one(crm, change())).kind
    assert [("paid", 1)] == bench.effects()
    assert 0 == bench.sandbox.records.summary()["repeated_effects"]


async def test_a_redirect_is_not_followed(bench: CallbackBench) -> None:
    bench.sandbox.mood.change(Behaviour(mode="redirect"))
    answer = await one(bench.crm(), change())
    assert (Class.PERMANENT, 307) == (answer.kind, answer.http_status)
    assert 1 == bench.sandbox.records.revision


async def test_a_hanging_crm_costs_the_time_out_and_no_more(bench: CallbackBench) -> None:
    bench.sandbox.mood.change(Behaviour(mode="hang"))
    began = time.monotonic()
    answer = await one(bench.crm(), change())
    assert Class.TRANSIENT == answer.kind
    assert WITHIN.total_seconds() <= time.monotonic() - began < peers.NO_HANG


async def test_a_never_ending_answer_counts_by_its_status_and_is_cut(bench: CallbackBench) -> None:
    bench.sandbox.mood.change(Behaviour(mode="endless", effect=True))
    began = time.monotonic()
    assert Class.OK == (await one(bench.crm(), change())).kind
    assert time.monotonic() - began < peers.NO_HANG


async def test_ten_gigabytes_cost_no_memory(bench: CallbackBench) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 10737418240\r\n\r\n"
    before = psutil.Process().memory_info().rss
    async with peers.hostile(head, again=b"0" * 65_536) as url:
        assert Class.OK == (await one(bench.crm(url=f"{url}/callback"), change())).kind
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
    bench: CallbackBench, raw: bytes, again: bytes, expected: Class
) -> None:
    async with peers.hostile(raw, again=again, pause=0.001) as url:
        assert expected == (await one(bench.crm(url=f"{url}/callback"), change())).kind


@pytest.mark.parametrize("url", ["http://nowhere.invalid/callback", "http://127.0.0.1:{}/callback"])
async def test_a_crm_that_is_not_there_is_transient(bench: CallbackBench, url: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    answer = await one(bench.crm(url=url.format(port)), change())
    assert (Class.TRANSIENT, None) == (answer.kind, answer.http_status)


async def test_tls_that_is_none_is_transient(bench: CallbackBench) -> None:
    url = bench.url.replace("http:", "https:")
    assert Class.TRANSIENT == (await one(bench.crm(url=f"{url}/callback"), change())).kind


def test_every_kind_has_its_own_name() -> None:
    assert len(registry.CRMS) == len(registry.crms_by_name())


@pytest.mark.parametrize(("mode", "expected"), [("refused", 3), ("reset", 1)])
async def test_quick_tries_are_few_and_only_when_nothing_was_sent(
    bench: CallbackBench, mode: str, expected: int
) -> None:
    tries: list[None] = []

    async def count(*_: object) -> None:
        tries.append(None)

    trace = aiohttp.TraceConfig()
    trace.on_connection_create_start.append(count)
    bench.sandbox.mood.change(Behaviour(mode="reset"))
    port = f"{bench.url}/callback" if mode == "reset" else "http://127.0.0.1:9/callback"
    async with aiohttp.ClientSession(trace_configs=[trace]) as session:
        crm = CallbackBench(session, bench.sandbox, bench.url).crm(url=port)
        assert (await one(crm, change())).kind == Class.TRANSIENT
    assert len(tries) == expected
