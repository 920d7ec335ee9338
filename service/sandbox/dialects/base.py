"""What every simulated CRM has: records, limits, credentials that run out, moods, and a server.

A dialect adds the vendor's own paths, shapes, codes and refusals. It is the peer of the contract
tests, so it must be as picky as the vendor: wrong shapes are refused in the vendor's words.
"""

import contextlib
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.behaviour import Mood
from service.sandbox.dialects.book import Book, Entry
from service.sandbox.dialects.meters import Meter
from service.sandbox.dialects.oauth import OAuthDesk
from service.sandbox.misbehave import misbehave

Clock = Callable[[], datetime]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY = 16 * 1024 * 1024


class Dialect:
    """One simulated CRM of one vendor."""

    name = ""
    stages: Sequence[str] = ("new", "paid", "shipped", "done", "cancelled")
    """Words of the vendor that a record may have as its status; all others are refused."""
    foreign_stage = "no-such-stage"
    """A status the vendor refuses for this one row, as its other rows go through."""

    # What the contract suite (tests/contract/test_records.py) reads besides.
    unique = False
    """No two records can carry the same merchant's number."""
    text_field = "tracking"
    """A field of the order's record that takes any text."""
    number_field = "total"
    """A field that takes a number."""
    bool_field = "vip"
    """A field that takes a yes or no."""
    success: bytes | None = None
    """A whole answer that says no more than that a write went well."""
    desk: OAuthDesk | None = None
    """Where tokens are given, if the destination has an `oauth` table."""
    bend: Callable[[JsonValue], JsonValue] | None = None
    """Changes the JSON of each answer on its way out."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        self.clock: Clock = clock or _now
        self.book = Book(clock=self.clock)
        self.mood = Mood()
        self.meters: dict[str, Meter] = {}
        """The vendor's limits, by the names the adapter uses."""
        self.throttles = 0
        """So many of the next calls are refused as too fast, in the vendor's words."""
        self.calls: list[tuple[float, str, str]] = []
        """Monotonic time, method and path of each call that arrived."""

    # What a dialect brings.

    def routes(self) -> Sequence[web.RouteDef]:
        raise NotImplementedError

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        """The table `[destinations.NAME]` with which our adapter talks to this simulator."""
        raise NotImplementedError

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        """A record that was there before, found by the merchant's number `key`."""
        raise NotImplementedError

    def status(self, entry: Entry) -> str:
        """What stage a record shows, as the configuration's `statuses` would name it."""
        raise NotImplementedError

    def touch(self, entry: Entry, status: str) -> None:
        """A person changes the stage in the CRM's own interface."""
        raise NotImplementedError

    def throttled(self, wait: float) -> web.Response:
        """The vendor's answer to a call that came too fast."""
        raise NotImplementedError

    def expire(self) -> None:
        """The credentials presented so far are refused from now on (a token can be renewed)."""
        raise NotImplementedError

    def costs(self, request: web.Request) -> Mapping[str, float]:  # noqa: ARG002
        """What a call spends, by meter; a path that is free returns nothing."""
        return dict.fromkeys(self.meters, 1.0)

    # What all have in common.

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY, middlewares=[self._gate])
        app.add_routes(self.routes())
        return app

    @web.middleware
    async def _gate(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        self.calls.append((time.monotonic(), request.method, request.path))
        wish = self.mood.turn("")
        if wish.mode != "ok":
            if wish.effect:
                await handler(request)
            return await misbehave(request, wish)
        if self.throttles:
            self.throttles -= 1
            return self.throttled(1.0)
        for name, cost in self.costs(request).items():
            wait = self.meters[name].take(cost, at=time.monotonic())
            if wait:
                return self.throttled(wait)
        return self._bent(await handler(request))

    def _bent(self, response: web.StreamResponse) -> web.StreamResponse:
        if self.bend is None or not isinstance(response, web.Response) or not response.text:
            return response
        body = json.dumps(self.bend(json.loads(response.text))).encode()
        return web.Response(status=response.status, body=body, content_type="application/json")


@contextlib.asynccontextmanager
async def running(
    dialect: Dialect, *, host: str = "127.0.0.1", port: int = 0
) -> AsyncIterator[str]:
    """Serve on loopback; yields the URL with the port in numbers."""
    runner = web.AppRunner(
        dialect.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        shown, number = runner.addresses[0][:2]
        yield f"http://{shown}:{number}"
    finally:
        await runner.cleanup()


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)
