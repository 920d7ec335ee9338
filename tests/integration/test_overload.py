"""Too much at once on the public listener: it puts off early, and says when to come again."""

import asyncio
import socket
import time
from contextlib import suppress

import pytest

from service.intake.admission import Bounds
from service.intake.provider import RawRequest, Reply
from service.web.limits import OVERLOADED, Limits
from tests import reception
from tests.reception import Answer, Desk, post

BODY = b'{"id":1}'
LIVE = b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
CHUNKED = b"8\r\n" + BODY + b"\r\n0\r\n\r\n"


class Waiting(Desk):
    """An intake whose commits take as long as the test wants."""

    def __init__(self, *, concurrency: int = 2) -> None:
        super().__init__(allowed=Bounds(reception.MAX_BODY, concurrency))
        self.inside, self.leave = 0, asyncio.Event()

    async def receive(self, source: str, request: RawRequest, /) -> Reply:
        self.inside += 1
        await self.leave.wait()
        return await super().receive(source, request)


def assert_put_off(answer: Answer) -> None:
    assert (503, OVERLOADED) == (answer.status, answer.problem["detail"])
    assert "5" == answer.headers["retry-after"]


async def test_a_late_event_loop_puts_webhooks_off_and_stays_alive() -> None:
    async with reception.opened(bounds=Limits(lag_seconds=0.05)) as desk:
        statuses: set[int] = set()

        async def is_put_off() -> bool:
            time.sleep(0.08)  # noqa: ASYNC251  (this is what makes the loop late)
            (answer,) = await desk.say(post(BODY))
            statuses.add(answer.status)
            return answer.status == 503

        async def block() -> None:
            while True:
                time.sleep(0.15)  # noqa: ASYNC251
                await asyncio.sleep(0.01)

        blocking = asyncio.create_task(block())
        await reception.eventually(is_put_off)
        (put_off,) = await desk.say(post(BODY))
        assert_put_off(put_off)
        (live,) = await desk.say(LIVE)
        assert 200 == live.status
        invited = await desk.say(
            post(BODY, "Expect: 100-continue")[: -len(BODY)],
        )
        assert [503] == [answer.status for answer in invited]
        blocking.cancel()

        async def is_taken() -> bool:
            return [202] == [answer.status for answer in await desk.say(post(BODY))]

        await reception.eventually(is_taken)
    assert statuses <= {202, 503}


async def test_a_source_has_only_so_many_requests_at_a_time_and_others_go_on() -> None:
    waiting = Waiting(concurrency=2)
    async with reception.opened(waiting) as desk:
        first = [asyncio.create_task(desk.say(post(BODY))) for _ in range(2)]

        async def are_inside() -> bool:
            return waiting.inside == 2

        await reception.eventually(are_inside)
        (put_off,) = await desk.say(post(BODY))
        assert_put_off(put_off)
        other = asyncio.create_task(desk.say(post(BODY, path="/webhooks/another")))

        async def is_inside() -> bool:
            return waiting.inside == 3

        await reception.eventually(is_inside)
        waiting.leave.set()
        assert [202, 202] == [answers[0].status for answers in await asyncio.gather(*first)]
        assert 401 == (await other)[0].status
        assert [202] == [answer.status for answer in await desk.say(post(BODY))]


async def test_a_slow_body_takes_no_place_of_its_source() -> None:
    desk = Desk(allowed=Bounds(reception.MAX_BODY, concurrency=1))
    async with reception.opened(desk) as opened:
        slow = [await opened.connect() for _ in range(5)]
        for _, writer in slow:
            writer.write(post(BODY)[:-1])
        assert [202] == [answer.status for answer in await opened.say(post(BODY))]
        for _, writer in slow:
            writer.close()


def chunked(path: str = "/webhooks/shop", *, coding: str = "chunked") -> bytes:
    head = post(BODY, path=path).partition(b"\r\n\r\n")[0]
    head = head.replace(b"Content-Length: 8", f"Transfer-Encoding: {coding}".encode())
    return head + b"\r\n\r\n" + CHUNKED


async def test_a_body_without_a_length_is_taken_only_where_that_is_allowed() -> None:
    allowed = Desk(allowed=Bounds(reception.MAX_BODY, chunked=True))
    async with reception.opened() as desk, reception.opened(allowed) as wide:
        (refused,) = await desk.say(chunked())
        (taken,) = await wide.say(chunked())
        (twice,) = await wide.say(chunked(coding="gzip, chunked"))
        (large,) = await wide.say(
            chunked().replace(CHUNKED, b"3e9\r\n" + b"a" * 1001 + b"\r\n0\r\n\r\n")
        )
        (live,) = await wide.say(
            LIVE.replace(b"\r\n\r\n", b"\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n")
        )
    assert (411, 202, 411, 413) == (refused.status, taken.status, twice.status, large.status)
    assert 411 == live.status
    assert [BODY] == [request.body for request in allowed.taken]


async def test_a_chunked_body_that_never_ends_is_given_up() -> None:
    allowed = Desk(allowed=Bounds(reception.MAX_BODY, chunked=True))
    async with reception.opened(allowed) as wide:
        (late,) = await wide.say(chunked()[:-5])
    assert 408 == late.status
    assert [] == allowed.taken


async def test_whoever_never_reads_an_answer_is_hung_up_on() -> None:
    class Wordy(Desk):
        async def receive(self, _source: str, _request: RawRequest, /) -> Reply:
            return Reply(200, b"a" * 32_000_000, {})

    async with reception.opened(Wordy(), bounds=Limits(unread_seconds=0.3)) as desk:
        reader, writer = await desk.connect()
        reader._transport.pause_reading()  # type: ignore[attr-defined]  # noqa: SLF001
        writer.write(post(BODY))
        sock: socket.socket = writer.get_extra_info("socket")

        async def is_reset() -> bool:
            return bool(sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)) or _ended(sock)

        await reception.eventually(is_reset)
        writer.transport.abort()


def _ended(sock: socket.socket) -> bool:
    """Whether the kernel says that the other side is gone (TCP_INFO: state 7 is closed)."""
    return sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0] == 7


@pytest.mark.parametrize("twin", ["X_Signature", "x_SIGNATURE", "Content_Length", "HOST_"])
async def test_a_header_that_looks_like_another_is_refused_beside_it(twin: str) -> None:
    async with reception.opened() as desk:
        answers = await desk.say(post(BODY, f"{twin}: x"))
    expected = 202 if twin == "HOST_" else 400
    assert [expected] == [answer.status for answer in answers]
    with suppress(IndexError):
        assert "X_Sig" not in answers[0].body.decode()
