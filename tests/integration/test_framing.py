"""Hostile bytes on the public listener: each gets its exact answer and changes nothing."""

import asyncio
import gzip
import time

import psutil
import pytest

from service.web.limits import Limits
from tests import reception
from tests.reception import post

NO_HANG = 10.0
"""Seconds: far above the bounds of `reception.QUICK`, far below what the slow ones would take."""
HEAD = b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\n"
BODY = b'{"id":1}'
LENGTH = b"Content-Length: 8\r\n"
SIGNATURE = f"X-Signature: {reception.sign(BODY)}\r\n".encode()
SIGNED = SIGNATURE + LENGTH
END = b"\r\n" + BODY
CHUNKED = b"\r\n8\r\n" + BODY + b"\r\n0\r\n\r\n"

MALFORMED = {
    "1 length and chunked": HEAD + SIGNED + b"Transfer-Encoding: chunked\r\n" + CHUNKED,
    "1 chunked and length": HEAD + b"Transfer-Encoding: chunked\r\n" + SIGNED + CHUNKED,
    "2 two lengths": HEAD + SIGNED + b"Content-Length: 9\r\n" + END,
    "2 the same length twice": HEAD + SIGNED + LENGTH + END,
    "2 a list of lengths": HEAD + SIGNATURE + b"Content-Length: 8, 8\r\n" + END,
    "3 plus sign": HEAD + SIGNATURE + b"Content-Length: +8\r\n" + END,
    "3 hexadecimal": HEAD + SIGNATURE + b"Content-Length: 0x8\r\n" + END,
    "3 Arabic digit": HEAD + SIGNATURE + "Content-Length: ٨\r\n".encode() + END,
    "3 negative": HEAD + SIGNATURE + b"Content-Length: -8\r\n" + END,
    "3 empty": HEAD + SIGNATURE + b"Content-Length:\r\n" + END,
    "3 beyond 64 bits": HEAD + b"Content-Length: 99999999999999999999999\r\n" + END,
    "4 xchunked": HEAD + SIGNATURE + b"Transfer-Encoding: xchunked\r\n" + CHUNKED,
    "4 chunked, identity": HEAD + SIGNATURE + b"Transfer-Encoding: chunked, identity\r\n" + CHUNKED,
    "5 bare line feeds": (HEAD + SIGNED + END).replace(b"\r\n", b"\n"),
    "5 folded header": HEAD + b"X-Signature: a\r\n b\r\n" + LENGTH + END,
    "6 NUL in a header": HEAD + b"X-A: a\0b\r\n" + SIGNED + END,
    "6 CR in a header": HEAD + b"X-A: a\rb\r\n" + SIGNED + END,
    "7 space before the colon": HEAD + b"X-A : a\r\n" + SIGNED + END,
    "8 two hosts": HEAD + b"Host: y\r\n" + SIGNED + END,
    "8 no host": b"POST /webhooks/shop HTTP/1.1\r\n" + SIGNED + END,
    "9 absolute target": b"POST http://evil.example/webhooks/shop HTTP/1.1\r\nHost: x\r\n"
    + SIGNED
    + END,
    "9 absolute target, our own host": b"POST https://x/webhooks/shop HTTP/1.1\r\nHost: x\r\n"
    + SIGNED
    + END,
    "9 asterisk": b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n",
    "9 authority": b"CONNECT evil.example:443 HTTP/1.1\r\nHost: x\r\n\r\n",
    "9 fragment": b"POST /webhooks/shop#x HTTP/1.1\r\nHost: x\r\n" + SIGNED + END,
    "10 HTTP/0.9": b"POST /webhooks/shop HTTP/0.9\r\nHost: x\r\n" + SIGNED + END,
    "10 HTTP/0.9 without a version": b"GET /health/live\r\n\r\n",
    "10 HTTP/2.0": b"POST /webhooks/shop HTTP/2.0\r\nHost: x\r\n" + SIGNED + END,
    "10 HTTP/1.2": b"POST /webhooks/shop HTTP/1.2\r\nHost: x\r\n" + SIGNED + END,
    "10 HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "10 TLS hello": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(32),
    "11 header of 9 KB": HEAD + b"X-A: " + b"a" * 9000 + b"\r\n" + SIGNED + END,
    "11 200 headers": HEAD + b"X-A: a\r\n" * 200 + SIGNED + END,
    "11 address of 9 KB": b"POST /webhooks/shop/" + b"a" * 9000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "14 huge chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\na",
    "14 negative chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\na",
    "14 line feed in an extension": HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;\n\r\na\r\n",
    "22 NUL in the path": b"POST /webhooks/shop\0 HTTP/1.1\r\nHost: x\r\n" + SIGNED + END,
    "22 raw bytes in the path": b"POST /webhooks/\xff\xfe HTTP/1.1\r\nHost: x\r\n" + SIGNED + END,
    "22 space in the path": b"POST /webhooks/sh op HTTP/1.1\r\nHost: x\r\n" + SIGNED + END,
    "lower-case method": b"post /webhooks/shop HTTP/1.1\r\nHost: x\r\n" + SIGNED + END,
    "unknown method": b"PURGE! /webhooks/shop HTTP/1.1\r\nHost: x\r\n" + SIGNED + END,
}

NO_LENGTH = {
    "4 gzip, chunked": HEAD + SIGNATURE + b"Transfer-Encoding: gzip, chunked\r\n" + CHUNKED,
    "4 chunked": HEAD + SIGNATURE + b"Transfer-Encoding: chunked\r\n" + CHUNKED,
    "13 a million one-byte chunks": HEAD
    + b"Transfer-Encoding: chunked\r\n\r\n"
    + b"1\r\na\r\n" * 1_000_000
    + b"0\r\n\r\n",
    "no length": HEAD + SIGNATURE + b"\r\n",
}

TOO_LARGE = {
    "15 length beyond the limit, no body": HEAD + b"Content-Length: 2097152\r\n\r\n",
    "15 one byte too many": post(b"a" * (reception.MAX_BODY + 1)),
    "16 expecting to continue": HEAD + b"Expect: 100-continue\r\nContent-Length: 2097152\r\n\r\n",
}

UNKNOWN = {
    "empty signature": post(BODY, signature=""),
    "flipped byte": post(BODY, signature=reception.sign(b'{"id":2}')),
    "21 signature sent twice": post(BODY, f"X-Signature: {reception.sign(BODY)}"),
    "21 signature in two spellings": post(BODY, f"x-sIGNATURE: {reception.sign(BODY)}"),
    "21 underscore": HEAD + SIGNED.replace(b"X-Signature", b"X_Signature") + END,
    "21 space after the name": post(BODY, signature=f"{reception.sign(BODY)} x"),
    "22 unknown source": post(BODY, path="/webhooks/nobody"),
    "22 no source": post(BODY, path="/webhooks/"),
    "22 no source, no slash": post(BODY, path="/webhooks"),
    "22 double slash": post(BODY, path="/webhooks//shop"),
    "22 encoded dots": post(BODY, path="/webhooks/%2e%2e/shop"),
    "22 dots": post(BODY, path="/webhooks/../shop"),
    "22 encoded slash": post(BODY, path="/webhooks/shop%2ftail"),
    "22 encoded letter": post(BODY, path="/webhooks/sho%70"),
    "22 encoded prefix": post(BODY, path="/%77ebhooks/shop"),
    "22 semicolon": post(BODY, path="/webhooks/shop;x=1"),
    "22 encoded NUL": post(BODY, path="/webhooks/shop%00"),
    "22 encoded line feed": post(BODY, path="/webhooks/shop%0Ax/tail"),
    "22 encoded line feed in the tail": post(BODY, path="/webhooks/nobody/a%0Ab"),
    "22 braces": post(BODY, path="/webhooks/%7Bshop%7D"),
    "22 upper case": post(BODY, path="/webhooks/SHOP"),
    "22 invalid encoding": post(BODY, path="/webhooks/%zz%ff"),
    "a very long name": post(BODY, path="/webhooks/" + "a" * 2000),
}

TABLE = [
    pytest.param(status, raw, id=name)
    for status, rows in ((400, MALFORMED), (411, NO_LENGTH), (413, TOO_LARGE), (401, UNKNOWN))
    for name, raw in rows.items()
]


@pytest.mark.parametrize(("status", "raw"), TABLE)
async def test_hostile_bytes_get_their_exact_answer(status: int, raw: bytes) -> None:
    async with reception.opened() as desk:
        answers = await desk.say(raw)
    assert [status] == [answer.status for answer in answers][:1]
    assert status == answers[0].problem["status"]
    assert [] == [answer.status for answer in answers[1:] if answer.status != 400]
    assert [] == desk.desk.taken


@pytest.mark.parametrize("raw", [row.values[1] for row in TABLE], ids=[row.id for row in TABLE])
async def test_no_answer_repeats_the_senders_bytes(raw: bytes) -> None:
    async with reception.opened() as desk:
        heard = await desk.hear(raw)
    for telling in (b"Traceback", b"aiohttp", b"Python/", b"evil.example", b"a" * 16, b"nobody"):
        assert telling not in heard


GENUINE = {
    "plain": post(BODY),
    "trailing slash": post(BODY, path="/webhooks/shop/"),
    "tail and query": post(BODY, path="/webhooks/shop/order.created?a=1&a=2"),
    "HTTP/1.0 without a host": b"POST /webhooks/shop HTTP/1.0\r\n" + SIGNED + END,
    "18 gzip is not unpacked": post(gzip.compress(bytes(10**6), 9)[:900], "Content-Encoding: gzip"),
    "18 unknown encoding": post(BODY, "Content-Encoding: rot13, br"),
    "19 multipart is only bytes": post(
        b"--x\r\n\r\n" * 100, "Content-Type: multipart/form-data; boundary=x"
    ),
    "23 cookies are not read": post(BODY, "Cookie: " + "a=\x80[;" * 300),
    "h2c upgrade is ignored": post(BODY, "Upgrade: h2c", "HTTP2-Settings: AAMAAABkAAQ"),
    "websocket upgrade is ignored": post(BODY, "Upgrade: websocket"),
    "unknown expectation is ignored": post(BODY, "Expect: miracles"),
    "empty body": post(b""),
    "largest body": post(b"a" * reception.MAX_BODY),
}


@pytest.mark.parametrize("raw", GENUINE.values(), ids=GENUINE)
async def test_unusual_but_sound_requests_are_accepted(raw: bytes) -> None:
    async with reception.opened() as desk:
        answers = await desk.say(raw)
    assert [202] == [answer.status for answer in answers]
    assert raw.endswith(desk.desk.taken[0].body)


async def test_a_body_is_invited_only_when_it_is_welcome() -> None:
    async with reception.opened() as desk:
        head, body = post(BODY, "Expect: 100-continue"), BODY
        reader, writer = await desk.connect()
        writer.write(head[: -len(body)])
        assert b"HTTP/1.1 100 Continue\r\n\r\n" == await reader.readuntil(b"\r\n\r\n")
        writer.write(body)
        assert b"HTTP/1.1 202" in await reader.read()
        writer.close()


async def test_an_invited_body_that_never_comes_ends_with_408() -> None:
    async with reception.opened() as desk:
        answers = await desk.say(HEAD + b"Expect: 100-continue\r\nContent-Length: 8\r\n\r\n")
    assert [100, 408] == [answer.status for answer in answers]


async def test_a_wrong_method_is_told_the_right_one() -> None:
    async with reception.opened() as desk:
        for path in (b"/webhooks/shop", b"/webhooks/nobody", b"/webhooks/", b"/webhooks/shop/tail"):
            for method in (b"GET", b"HEAD", b"PUT", b"DELETE", b"OPTIONS", b"TRACE"):
                request = (
                    method + b" " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
                )
                heard = await desk.hear(request)
                assert heard.startswith(b"HTTP/1.1 405 ")
                assert b"\r\nAllow: POST\r\n" in heard


async def test_other_paths_are_not_found() -> None:
    async with reception.opened() as desk:
        for path in (b"/", b"/health/ready", b"/metrics", b"/api/v1/ledger", b"//webhooks/shop"):
            answers = await desk.say(
                b"GET " + path + b" HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
            )
            assert [404] == [answer.status for answer in answers]
            assert 404 == answers[0].problem["status"]


async def test_a_lying_length_is_never_believed() -> None:
    async with reception.opened() as desk:
        long = await desk.say(post(BODY, length=20))
        short = await desk.say(
            b"POST /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\n" + BODY
        )
        gone = await desk.hear(post(BODY, length=20), hang_up=True)
    assert [408] == [answer.status for answer in long]
    assert [400] == [answer.status for answer in short]
    assert b"" == gone
    assert [] == desk.desk.taken


async def test_ten_megabytes_of_trailers_are_not_read() -> None:
    async with reception.opened() as desk:
        reader, writer = await desk.connect()
        writer.write(HEAD + b"Transfer-Encoding: chunked\r\n\r\n0\r\n")
        assert b"HTTP/1.1 411 " == await reader.readexactly(13)
        with pytest.raises(ConnectionError):
            await _drip(writer, b"X-A: a\r\n" * 1_250_000, every=0, size=65536)
        writer.close()


async def test_a_dripping_body_is_cut_off() -> None:
    async with reception.opened() as desk:
        reader, writer = await desk.connect()
        began = time.monotonic()
        writer.write(post(b"a" * 900)[:-900])
        drip = asyncio.create_task(_drip(writer, b"a" * 900, every=0.05))
        assert b"HTTP/1.1 408 Request Timeout" == await reader.readuntil(b"out")
        drip.cancel()
        writer.close()
    assert time.monotonic() - began < NO_HANG


async def test_dripping_headers_and_silence_are_cut_off() -> None:
    async with reception.opened() as desk:
        began = time.monotonic()
        reader, writer = await desk.connect()
        drip = asyncio.create_task(_drip(writer, HEAD * 10, every=0.05))
        silent, other = await desk.connect()
        assert b"" == await reader.read()
        assert b"" == await silent.read()
        drip.cancel()
        writer.close()
        other.close()
    assert time.monotonic() - began < NO_HANG


async def test_slow_connections_do_not_slow_honest_ones() -> None:
    async with reception.opened(bounds=Limits(connections=1000)) as desk:
        slow = [await desk.connect() for _ in range(300)]
        for number, (_, writer) in enumerate(slow):
            writer.write((b"", HEAD, post(BODY)[:-1])[number % 3])
        began = time.monotonic()
        answers = [(await desk.say(post(BODY)))[0] for _ in range(20)]
        assert {202} == {answer.status for answer in answers}
        assert time.monotonic() - began < NO_HANG
        for _, writer in slow:
            writer.close()


async def test_an_idle_connection_is_closed_and_a_busy_one_is_kept() -> None:
    async with reception.opened() as desk:
        request = post(BODY).replace(b"Connection: close\r\n", b"")
        answers = await desk.say(request, request, request)
    assert [202, 202, 202] == [answer.status for answer in answers]


async def test_ten_thousand_pipelined_requests_are_all_answered_in_bounded_memory() -> None:
    request = b"GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n"
    before = psutil.Process().memory_info().rss
    async with reception.opened(bounds=Limits(idle_seconds=2)) as desk:
        reader, writer = await desk.connect()
        sending = asyncio.create_task(_drip(writer, request * 10_000, every=0, size=65536))
        answered, tail = 0, b""
        while answered < 10_000 and (chunk := await reader.read(65536)):
            answered += (tail + chunk).count(b"HTTP/1.1 200 OK")
            tail = chunk[-14:]
        await sending
        writer.close()
    assert 10_000 == answered
    assert psutil.Process().memory_info().rss - before < 32 * 1024 * 1024


async def test_too_many_connections_are_turned_away_and_room_is_made_again() -> None:
    async with reception.opened(bounds=Limits(connections=4)) as desk:
        open_ones = [await desk.connect() for _ in range(2)]

        async def is_full() -> bool:
            return b"503" in await desk.hear(b"", within=0.2)

        async def has_room() -> bool:
            return [202] == [answer.status for answer in await desk.say(post(BODY))]

        await reception.eventually(is_full)
        (crowded,) = await desk.say(b"")
        assert 503 == crowded.problem["status"]
        assert "5" == crowded.headers["retry-after"]
        for _, writer in open_ones:
            writer.close()
        await reception.eventually(has_room)


async def test_bodies_beyond_the_memory_budget_are_put_off_as_they_arrive() -> None:
    bounds = Limits(bodies_in_memory=1500, body_seconds=1, body_grace_seconds=1)
    async with reception.opened(bounds=bounds) as desk:
        big = post(b"a" * 900)
        _, writer = await desk.connect()
        writer.write(big[:-1])

        async def is_put_off() -> bool:
            return 503 == (await desk.say(big))[0].status

        async def is_taken() -> bool:
            return 202 == (await desk.say(big))[0].status

        await reception.eventually(is_put_off)
        (put_off,) = await desk.say(big)
        assert 503 == put_off.problem["status"]
        assert "5" == put_off.headers["retry-after"]
        assert [202] == [answer.status for answer in await desk.say(post(BODY))]
        writer.close()
        await reception.eventually(is_taken)


async def _drip(writer: asyncio.StreamWriter, data: bytes, *, every: float, size: int = 1) -> None:
    for start in range(0, len(data), size):
        writer.write(data[start : start + size])
        await writer.drain()
        await asyncio.sleep(every)
