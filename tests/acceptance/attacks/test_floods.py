"""Attacks that take many connections or many requests: honest senders hardly notice."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from urllib.parse import urlsplit

import pytest

from tests import reception
from tests.acceptance.attacks.fortress import (
    LAG,
    MEMORY,
    MIB,
    NOTHING,
    READ,
    Fortress,
    request,
    sign,
)
from tests.acceptance.attacks.rows import event

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(60)]

CROWD = 1500
"""More than a test process may open where only the usual 1024 files are allowed, so by turns."""
EACH_KIB = 40
"""What one idle connection may cost."""
HEAD = b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\n"


@asynccontextmanager
async def crowd(fortress: Fortress, size: int) -> AsyncIterator[list[asyncio.StreamWriter]]:
    """Connect from many addresses of this machine: silent, within a header, within a body."""
    parts = urlsplit(fortress.url)
    writers: list[asyncio.StreamWriter] = []

    async def join(number: int) -> None:
        address = (f"127.0.1.{number % 250 + 1}", 0)
        with suppress(OSError):
            _, writer = await asyncio.open_connection(
                parts.hostname, parts.port, local_addr=address
            )
            writer.write((b"", HEAD + b"X-A: ", request(b"a" * 99)[:-1])[number % 3])
            writers.append(writer)

    try:
        for start in range(0, size, 100):
            await asyncio.gather(*(join(number) for number in range(start, start + 100)))
        yield writers
    finally:
        for writer in writers:
            writer.transport.abort()


async def test_17_a_crowd_of_slow_connections_costs_little_and_delays_nobody(
    fortress: Fortress,
) -> None:
    async with fortress.watched() as watch, crowd(fortress, CROWD) as writers:
        assert len(writers) >= 400
        for number in range(20):
            raw = request(event(f"honest-{number}"))
            assert [202] == [answer.status for answer in await fortress.say(raw)]
    assert watch.late <= LAG
    assert watch.grown <= MEMORY + len(writers) * EACH_KIB * 1024
    assert [] == fortress.tracebacks()


async def test_17_whoever_is_slow_is_cut_off_and_stores_nothing(fortress: Fortress) -> None:
    before = await fortress.rows()
    reader, writer = await fortress.connect()
    writer.write(request(b"a" * 9000)[:-1])
    async with asyncio.timeout(10):
        assert (await reader.read()).startswith(b"HTTP/1.1 408 ")
    writer.close()
    assert NOTHING == await fortress.rows() - before


async def test_12_ten_thousand_pipelined_requests_stay_in_bounds(fortress: Fortress) -> None:
    ask = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    async with fortress.watched() as watch:
        reader, writer = await fortress.connect()
        sending = asyncio.create_task(_send(writer, ask * 10_000))
        answered, tail = 0, b""
        while answered < 10_000 and (chunk := await reader.read(65536)):
            answered += (tail + chunk).count(b"HTTP/1.1 200 OK")
            tail = chunk[-14:]
        await sending
        writer.close()
    assert 10_000 == answered
    assert watch.grown <= MEMORY
    assert watch.late <= LAG


async def test_12_whoever_reads_no_answer_makes_no_more_of_them(fortress: Fortress) -> None:
    """Its requests are not read any further either: memory stays where it was."""
    ask = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    async with fortress.watched() as watch:
        reader, writer = await fortress.connect()
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001
        with suppress(TimeoutError):
            async with asyncio.timeout(2):
                await _send(writer, ask * 200_000)
        writer.transport.abort()
    assert watch.grown <= MEMORY
    assert watch.late <= LAG


async def _send(writer: asyncio.StreamWriter, data: bytes) -> None:
    for start in range(0, len(data), 65536):
        writer.write(data[start : start + 65536])
        await writer.drain()


async def test_a_flood_of_forged_requests_is_refused_and_honest_ones_are_stored(
    fortress: Fortress,
) -> None:
    before = await fortress.rows()
    forged = request(b"a" * 100_000, signature="0" * 64)

    async def flood() -> set[int]:
        said = [await fortress.say(forged) for _ in range(25)]
        return {answer.status for answers in said for answer in answers}

    async def honest() -> list[int]:
        said = [await fortress.say(request(event(f"in-a-flood-{n}"))) for n in range(10)]
        return [answer.status for answers in said for answer in answers]

    async with fortress.watched() as watch:
        *refused, taken = await asyncio.gather(*(flood() for _ in range(16)), honest())
    assert [202] * 10 == taken
    # One that is late may be put off; none of them is ever taken.
    assert set().union(*map(set, refused)) <= {401, 503}
    grown = await fortress.rows() - before
    assert (10, 10) == (grown.requests, grown.events)
    assert watch.grown <= MEMORY
    assert watch.late <= LAG


async def test_30_a_replay_is_answered_alike_and_stored_once(fortress: Fortress) -> None:
    raw = request(event("replayed"))
    before = await fortress.rows()
    first, again = [(await fortress.say(raw))[0] for _ in range(2)]
    assert (202, 202) == (first.status, again.status)
    assert "true" == again.headers["orderhook-duplicate"]
    stored = await fortress.rows() - before
    assert (READ.events, READ.owed) == (stored.events, stored.owed)


async def test_30_another_name_for_what_was_signed_makes_it_forged(fortress: Fortress) -> None:
    stamp = str(int(time.time()))
    body = event("renamed")
    proof = sign(f"{stamp}.".encode() + body)
    path = "/webhooks/timed"
    early = request(body, f"X-Timestamp: {int(stamp) + 1}", path=path, signature=proof)
    right = request(body, f"X-Timestamp: {stamp}", path=path, signature=proof)
    assert [401] == [answer.status for answer in await fortress.say(early)]
    assert [202] == [answer.status for answer in await fortress.say(right)]


async def test_34_nobody_learns_which_sources_there_are(fortress: Fortress) -> None:
    heard = []
    for path in ("/webhooks/shop", "/webhooks/nobody", "/webhooks/", "/webhooks/stripe/x"):
        (answer,) = await fortress.say(request(event("x"), path=path, signature="0" * 64))
        headers = {name: text for name, text in answer.headers.items() if name != "date"}
        heard.append((answer.status, headers, answer.body))
    assert 401 == heard[0][0]
    assert [heard[0]] * 4 == heard


async def test_33_a_timing_probe_learns_little(fortress: Fortress) -> None:
    """A statistic for the eye: what decides is that the work is the same (see test_receive)."""
    body, proof = event("timed"), sign(event("timed"))
    guesses = {
        "first byte wrong": ("0" if proof[0] != "0" else "1") + proof[1:],
        "last byte wrong": proof[:-1] + ("0" if proof[-1] != "0" else "1"),
        "no source": proof,
    }
    taken: dict[str, list[float]] = {name: [] for name in guesses}
    reader, writer = await fortress.connect()
    for _ in range(200):
        for name, guess in guesses.items():
            path = "/webhooks/nobody" if name == "no source" else "/webhooks/shop"
            raw = request(body, path=path, signature=guess).replace(b"Connection: close\r\n", b"")
            began = time.perf_counter()
            writer.write(raw)
            answer = reception.parse(await reader.readuntil(b"}"))[0]
            taken[name].append(time.perf_counter() - began)
            assert 401 == answer.status
    writer.close()
    for name, seconds in taken.items():
        print(f"{name}: {statistics.median(seconds) * 1e6:.0f} us")  # noqa: T201


async def test_11_a_megabyte_of_address_byte_by_byte_is_given_up_early(fortress: Fortress) -> None:
    async with fortress.watched() as watch:
        answers = await fortress.say(b"GET /", *[b"a" * 64] * (MIB // 64))
    assert [400] == [answer.status for answer in answers]
    assert watch.grown <= MEMORY
