"""The public listener hands on exactly what came, tells nothing it should not, and stops well."""

import asyncio
import os
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from structlog.testing import capture_logs

from service.domain.errors import ConfigurationError, Conflict, StoreUnavailable
from service.intake.provider import RawRequest, Reply
from service.settings import Address, Server
from service.web.limits import Limits
from service.web.listeners import LEAVING, listening
from service.web.public import public_app
from tests import reception
from tests.reception import Desk, post

BODY = b'{"id":1}'


async def test_the_intake_gets_the_request_as_it_was_on_the_wire() -> None:
    raw = post(
        BODY,
        "X-Twice: one",
        "x-twice: two",
        "X-Bytes: caf\xe9",
        path="/webhooks/shop/order%2Fcreated/x?b=2&a=%20+&b=1",
    )
    async with reception.opened() as desk:
        answers = await desk.say(raw)
        request, *_ = desk.desk.taken
    assert [202] == [answer.status for answer in answers]
    assert "order/created/x" == request.tail
    assert ("POST", "/webhooks/shop/order%2Fcreated/x", "b=2&a=%20+&b=1", BODY, "127.0.0.1") == (
        request.method,
        request.path,
        request.query,
        request.body,
        request.peer,
    )
    assert [
        ("host", "hooks.example.com"),
        ("content-length", "8"),
        ("x-signature", reception.sign(BODY)),
        ("x-twice", "one"),
        ("x-twice", "two"),
        ("x-bytes", "caf\xe9"),
        ("connection", "close"),
    ] == list(request.headers)
    assert datetime.now(UTC) - request.received_at < timedelta(minutes=1)


async def test_the_reply_is_carried_as_it_is() -> None:
    class Stubborn(Desk):
        async def receive(self, _source: str, _request: RawRequest, /) -> Reply:
            headers = {"Content-Type": "text/plain", "Orderhook-Duplicate": "true"}
            return Reply(200, b"\x00OK", headers)

    async with reception.opened(Stubborn()) as desk:
        (answer,) = await desk.say(post(BODY))
    assert (200, b"\x00OK") == (answer.status, answer.body)
    assert "text/plain" == answer.headers["content-type"]
    assert "true" == answer.headers["orderhook-duplicate"]
    assert "orderhook" == answer.headers["server"]
    assert "nosniff" == answer.headers["x-content-type-options"]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_a_sender_may_test_the_address_without_a_length(method: str) -> None:
    class Polite(Desk):
        async def receive(self, source: str, request: RawRequest, /) -> Reply:
            return Reply(200, f"{request.method} {source} {request.query}".encode(), {})

    raw = f"{method} /webhooks/shop?challenge=a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"
    async with reception.opened(Polite()) as desk:
        (answer,) = await desk.say(raw.encode())
    expected = b"" if method == "HEAD" else f"{method} shop challenge=a".encode()
    assert (200, expected) == (answer.status, answer.body)


async def test_the_test_of_an_address_is_bounded_like_everything_else() -> None:
    raw = b"GET /webhooks/shop HTTP/1.1\r\nHost: x\r\nContent-Length: 2097152\r\n\r\n"
    async with reception.opened() as desk:
        answers = await desk.say(raw)
    assert [413] == [answer.status for answer in answers]


@pytest.mark.parametrize("failure", [StoreUnavailable("s3cr3t"), ZeroDivisionError("s3cr3t")])
async def test_whatever_goes_wrong_is_a_503_that_tells_nothing(failure: Exception) -> None:
    desk = Desk(failure=failure)
    with capture_logs() as logs:
        async with reception.opened(desk) as open_desk:
            (answer,) = await open_desk.say(post(BODY))
            desk.failure = None
            (after,) = await open_desk.say(post(BODY))
    assert (503, "5") == (answer.status, answer.headers["retry-after"])
    assert b"s3cr3t" not in answer.body
    assert b"Error" not in answer.body
    assert 202 == after.status
    assert type(failure).__name__ in {said.get("error") for said in logs}


async def test_a_forwarded_address_is_believed_from_trusted_proxies_only() -> None:
    forged = post(BODY, "X-Forwarded-For: 203.0.113.9", "X-Forwarded-Proto: https")
    through_proxies = post(
        BODY,
        "X-Forwarded-For: 192.0.2.66, 203.0.113.9",
        "X-Forwarded-For: 127.0.0.2:4711",
        "X-Forwarded-Host: evil.example",
    )
    async with reception.opened() as desk:
        await desk.say(forged)
        assert ["127.0.0.1"] == [request.peer for request in desk.desk.taken]
    async with reception.opened(proxies=("127.0.0.0/8",)) as desk:
        await desk.say(through_proxies)
        assert ["203.0.113.9"] == [request.peer for request in desk.desk.taken]


async def test_each_request_leaves_one_line_without_its_secrets() -> None:
    with capture_logs() as logs:
        async with reception.opened() as desk:
            await desk.say(post(BODY, path="/webhooks/shop/s3cr3t-token?key=s3cr3t"))
            (refused,) = await desk.say(post(BODY, path="/webhooks/nobody/s3cr3t"))
            await desk.say(post(BODY, length=5000, path="/webhooks/shop/s3cr3t"))
            await desk.say(b"GET /health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            await desk.say(b"s3cr3t\r\n\r\n")
    lines = [said for said in logs if said["event"] == "request"]
    assert [("shop", 202), ("nobody", 401), ("shop", 413), (None, 200)] == [
        (said.get("source"), said["status"]) for said in lines
    ]
    assert ["info", "info", "info", "debug"] == [said["log_level"] for said in lines]
    assert "/webhooks/{source}/{tail}" == lines[0]["route"]
    assert ["request_malformed"] == [said["event"] for said in logs][-1:]
    assert "s3cr3t" not in str(logs)
    assert 401 == refused.status


async def test_a_problem_names_the_request_as_the_log_does() -> None:
    async with reception.opened() as desk:
        (first,) = await desk.say(post(BODY, length=5000))
        (second,) = await desk.say(post(BODY, length=5000))
    assert str(first.problem["instance"]).startswith("urn:uuid:")
    assert first.problem["instance"] != second.problem["instance"]
    assert "about:blank" == first.problem["type"]
    assert "Request Entity Too Large" == first.problem["title"]


async def test_a_port_in_use_is_a_conflict_with_the_remedy() -> None:
    async with reception.opened() as desk:
        port = urlsplit(desk.url).port
        assert port is not None
        app = public_app(Desk(), Server(data_dir=Path("unused")), lambda: datetime.now(UTC))
        with pytest.raises(Conflict, match=rf"127.0.0.1:{port} already: stop it, .* --public"):
            async with listening(app, Address("127.0.0.1", port), name="public"):
                pass


async def test_an_impossible_address_is_a_configuration_error() -> None:
    app = public_app(Desk(), Server(data_dir=Path("unused")), lambda: datetime.now(UTC))
    with pytest.raises(ConfigurationError, match="--public HOST:PORT"):
        async with listening(app, Address("192.0.2.1", 0), name="public"):
            pass


async def test_several_processes_may_share_a_port() -> None:
    server = Server(data_dir=Path("unused"))
    apps = [public_app(Desk(), server, lambda: datetime.now(UTC)) for _ in range(2)]
    async with listening(apps[0], Address("127.0.0.1", 0), name="public", reuse_port=True) as url:
        port = urlsplit(url).port
        assert port is not None
        async with listening(
            apps[1], Address("127.0.0.1", port), name="public", reuse_port=True
        ) as again:
            assert url == again


@pytest.mark.parametrize(
    ("public_url", "expected"),
    [
        ("https://hooks.example.com", "https://hooks.example.com/webhooks/shop/a%20b?x=%7E"),
        ("https://hooks.example.com/", "https://hooks.example.com/webhooks/shop/a%20b?x=%7E"),
        (None, ""),
    ],
)
async def test_a_request_knows_the_address_its_sender_posted_to(
    public_url: str | None, expected: str
) -> None:
    desk, server = Desk(), Server(data_dir=Path("unused"), public_url=public_url)
    app = public_app(desk, server, lambda: datetime.now(UTC))
    async with listening(app, Address("127.0.0.1", 0), name="public") as url:
        asked = post(BODY, path="/webhooks/shop/a%20b?x=%7E")
        await reception.Reception(url, desk).say(asked)
    assert [expected] == [request.url for request in desk.taken]


async def test_a_bound_socket_may_be_handed_in() -> None:
    app = public_app(Desk(), Server(data_dir=Path("unused")), lambda: datetime.now(UTC))
    with socket.create_server(("127.0.0.1", 0)) as bound:
        port = bound.getsockname()[1]
        async with listening(app, Address("127.0.0.1", 0), name="public", sock=bound) as url:
            assert f"http://127.0.0.1:{port}" == url


async def test_listening_everywhere_still_names_a_usable_address() -> None:
    app = public_app(Desk(), Server(data_dir=Path("unused")), lambda: datetime.now(UTC))
    async with listening(app, Address("0.0.0.0", 0), name="public") as url:
        assert url.startswith("http://127.0.0.1:")
        async with aiohttp.ClientSession() as session, session.get(f"{url}/health/live") as answer:
            assert {"live": True} == await answer.json()


async def test_stopping_finishes_what_is_in_flight_and_takes_no_more() -> None:
    class Slow(Desk):
        def __init__(self) -> None:
            super().__init__()
            self.entered, self.leave = asyncio.Event(), asyncio.Event()

        async def receive(self, source: str, request: RawRequest, /) -> Reply:
            self.entered.set()
            await self.leave.wait()
            return await super().receive(source, request)

    desk = Slow()
    app = public_app(desk, Server(data_dir=Path("unused")), lambda: datetime.now(UTC))
    serving = listening(app, Address("127.0.0.1", 0), name="public")
    open_desk = reception.Reception(await serving.__aenter__(), desk)
    asked = asyncio.create_task(open_desk.say(post(BODY)))
    idle = await open_desk.connect()
    await desk.entered.wait()
    stopping = asyncio.create_task(serving.__aexit__(None, None, None))
    assert b"" == await idle[0].read()
    with pytest.raises(ConnectionError):
        await open_desk.connect()
    assert not stopping.done()
    desk.leave.set()
    assert [202] == [answer.status for answer in await asked]
    await stopping
    idle[1].close()


async def test_a_client_that_hangs_up_does_not_undo_its_request() -> None:
    class Slow(Desk):
        async def receive(self, source: str, request: RawRequest, /) -> Reply:
            entered.set()
            await leave.wait()
            return await super().receive(source, request)

    entered, leave = asyncio.Event(), asyncio.Event()
    async with reception.opened(Slow()) as desk:
        _, writer = await desk.connect()
        writer.write(post(BODY))
        await entered.wait()
        writer.transport.abort()
        await asyncio.sleep(0)
        leave.set()

        async def is_taken() -> bool:
            return bool(desk.desk.taken)

        await reception.eventually(is_taken)


async def test_behind_a_proxy_idle_connections_are_kept_longer_than_the_proxy_does() -> None:
    def idle_seconds(*proxies: str) -> float:
        server = Server.model_validate(
            {"data_dir": Path("unused"), "trusted_proxies": list(proxies)}
        )
        return Limits.of(server).idle_seconds

    assert (15.0, 75.0) == (idle_seconds(), idle_seconds("10.0.0.0/8"))


@pytest.mark.parametrize(
    ("environment", "flags", "sentence"),
    [
        ({"AIOHTTP_NO_EXTENSIONS": "1"}, [], "aiohttp runs without its C parser: unset"),
        ({}, ["-O"], "Python runs without assertions: start it without -O."),
        ({}, [], "ready"),
    ],
)
def test_a_weak_parser_is_refused_at_the_start(
    environment: dict[str, str], flags: list[str], sentence: str
) -> None:
    program = (
        "from service.domain.errors import ConfigurationError\n"
        "from service.web.listeners import require_strict_parser\n"
        "try:\n"
        "    require_strict_parser()\n"
        "    print('ready')\n"
        "except ConfigurationError as error:\n"
        "    print(error)\n"
    )
    ran = subprocess.run(
        [sys.executable, *flags, "-c", program],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=30,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    assert sentence in ran.stdout


async def test_a_listener_that_closes_soon_asks_for_another_connection() -> None:
    app = public_app(Desk(), Server(data_dir=Path("unused")), lambda: datetime.now(UTC))
    app[LEAVING] = leaving = asyncio.Event()
    async with listening(app, Address("127.0.0.1", 0), name="public") as url:
        desk = reception.Reception(url, Desk())
        reader, writer = await desk.connect()
        kept = post(BODY).replace(b"Connection: close\r\n", b"")
        writer.write(kept)
        assert b"connection: close" not in (await reader.readuntil(b"\r\n\r\n")).lower()
        leaving.set()
        writer.write(kept)
        last = await asyncio.wait_for(reader.read(), 5.0)
        assert (1, 1) == (last.count(b" 202 "), last.lower().count(b"connection: close"))
        writer.close()
