"""The sandbox CRM: signed callbacks come in, a board in the browser and JSON for checks go out."""

import asyncio
import contextlib
import hashlib
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

import click
import orjson
from aiohttp import web
from pydantic import ValidationError

from service.sandbox import board, signature
from service.sandbox.behaviour import Behaviour, Mood
from service.sandbox.misbehave import misbehave, promised
from service.sandbox.records import Call, Callback, Data, Effect, Records

Clock = Callable[[], datetime]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

MAX_BODY = 256 * 1024
MAX_ORDERS = 1_000_000
PAGE = 10_000
FILES = {"/": "board.html", "/board.css": "board.css", "/board.js": "board.js"}
HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self';"
        " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
}
STATUS = {Effect.APPLIED: 200, Effect.REPEATED: 200, Effect.STALE: 200, Effect.CORRUPT: 422}


class RefusedError(Exception):
    """A call that changes nothing; the answer says why."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status = status


class Crm:
    """One CRM: its records, its mood, and the handlers of its routes."""

    def __init__(self, *, secret: str, clock: Clock) -> None:
        self.records = Records()
        self.mood = Mood()
        self._key = signature.signing_key(secret)
        self._clock = clock

    def application(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        app.on_response_prepare.append(_harden)
        app.add_routes(
            [
                *(web.get(path, _file(name)) for path, name in FILES.items()),
                web.get("/board.json", self.board),
                web.post("/callback", self.callback),
                web.get("/orders", self.orders),
                web.get("/orders/{ref:.+}", self.order),
                web.get("/calls", self.calls),
                web.get("/counts", self.counts),
                web.get("/behaviour", self.behaviour),
                web.put("/behaviour", self.behave),
                web.get("/health", _health),
            ]
        )
        return app

    async def callback(self, request: web.Request) -> web.StreamResponse:
        body = await request.read()
        key = request.headers.get("Idempotency-Key", "")
        try:
            said = self._read(request, body)
        except RefusedError as no:
            self._note(key, Effect.REFUSED, status=no.status, detail=str(no))
            return _problem(no.status, str(no))
        wish = self.mood.turn(said.subject)
        await asyncio.sleep(wish.delay_ms / 1000)
        effect = self._take(said, key, body=body, wish=wish)
        status = STATUS[effect] if wish.mode == "ok" else promised(wish)
        self._note(key, effect, status=status, detail=wish.mode, said=said)
        if wish.mode == "ok":
            return _json({"effect": effect}, status=STATUS[effect])
        return await misbehave(request, wish)

    async def board(self, request: web.Request) -> web.Response:
        if request.query.get("since") == str(self.records.revision):
            return web.Response(status=204)
        return _json(board.view(self.records))

    async def orders(self, request: web.Request) -> web.Response:
        status = request.query.get("status")
        everything = self.records.orders.values()
        chosen = [order for order in everything if status in {None, order.data.status}]
        counts = {name: len(orders) for name, orders in self.records.columns.items() if orders}
        items = [order.to_json() for order in chosen[:PAGE]]
        return _json({"items": items, "total": len(chosen), "statuses": counts})

    async def order(self, request: web.Request) -> web.Response:
        scope = request.query.get("scope", "")
        ref = f"{scope}:{request.match_info['ref']}" if scope else request.match_info["ref"]
        found = self.records.orders.get(f"{request.query.get('lifecycle', 'order')}/{ref}")
        return _problem(404, "No such order here.") if found is None else _json(found.to_json())

    async def calls(self, request: web.Request) -> web.Response:
        after = request.query.get("after", "-1")
        if after != "-1" and not (after.isascii() and after.isdigit()):
            return _problem(400, "after must be the number of a call.")
        items = [call for call in self.records.calls if call.number > int(after)][:PAGE]
        return _json({"items": items, "next": items[-1].number if len(items) == PAGE else None})

    async def counts(self, _: web.Request) -> web.Response:
        return _json(self.records.summary())

    async def behaviour(self, _: web.Request) -> web.Response:
        return _json(self.mood.wish.model_dump())

    async def behave(self, request: web.Request) -> web.Response:
        try:
            wish = Behaviour.model_validate_json(await request.read())
        except ValidationError as error:
            return _problem(400, _first(error))
        self.mood.change(wish)
        return _json(wish.model_dump())

    def _read(self, request: web.Request, body: bytes) -> Data:
        why = signature.refusal(request.headers, body, key=self._key, now=self._clock())
        if why is not None:
            raise RefusedError(401, why)
        if "Idempotency-Key" not in request.headers:
            raise RefusedError(400, "The Idempotency-Key header is missing.")
        if len(self.records.orders) >= MAX_ORDERS:
            raise RefusedError(507, "This sandbox is full.")
        try:
            return Callback.model_validate_json(body).data
        except ValidationError as error:
            raise RefusedError(400, _first(error)) from None

    def _take(self, said: Data, key: str, *, body: bytes, wish: Behaviour) -> Effect:
        if wish.mode != "ok" and not wish.effect:
            return Effect.NONE
        digest = hashlib.sha256(body).digest()
        return self.records.take(said, key=key, digest=digest, at=self._clock())

    def _note(
        self, key: str, effect: Effect, *, status: int | None, detail: str, said: Data | None = None
    ) -> None:
        call = Call(self._clock(), key, effect, http_status=status, detail=detail)
        if said is not None:
            call = replace(call, subject=said.subject, status=said.status, version=said.version)
        self.records.note(call)


@contextlib.asynccontextmanager
async def running(crm: Crm, *, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
    """Serve, on loopback unless told otherwise; yields the URL with the port in numbers."""
    runner = web.AppRunner(
        crm.application(), access_log=None, handler_cancellation=True, shutdown_timeout=0.2
    )
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        shown, number = runner.addresses[0][:2]
        yield f"http://{shown}:{number}"
    finally:
        await runner.cleanup()


async def _harden(_: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(HEADERS)


def _file(name: str) -> Handler:
    path = Path(__file__).with_name(name)

    async def serve(_: web.Request) -> web.StreamResponse:
        return web.FileResponse(path)

    return serve


async def _health(_: web.Request) -> web.Response:
    return _json({"status": "ok"})


def _json(body: object, *, status: int = 200) -> web.Response:
    return web.Response(
        body=orjson.dumps(body, option=orjson.OPT_UTC_Z),
        status=status,
        content_type="application/json",
    )


def _problem(status: int, detail: str) -> web.Response:
    body = orjson.dumps({"status": status, "detail": detail})
    return web.Response(body=body, status=status, content_type="application/problem+json")


def _first(error: ValidationError) -> str:
    problem = error.errors(include_input=False, include_url=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg']}"


def _now() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)


async def _serve(crm: Crm, *, host: str, port: int, ready_file: Path | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with running(crm, host=host, port=port) as url:
        if ready_file is not None:
            partial = ready_file.with_suffix(".partial")
            partial.write_bytes(orjson.dumps({"url": url}))
            partial.replace(ready_file)
        click.echo(url)
        await stop.wait()


@click.command(help="Serve the sandbox CRM until SIGTERM or Ctrl-C.")
@click.option("--host", default="127.0.0.1", show_default=True, help="It has no login: keep it in.")
@click.option("--port", default=0, show_default=True, help="0 picks a free one.")
@click.option(
    "--secret",
    envvar="SANDBOX_CRM_SECRET",
    help="whsec_<base64>, the secret of the callbacks; or $SANDBOX_CRM_SECRET.",
)
@click.option("--secret-file", type=click.File(), help="Where to read it instead.")
@click.option("--ready-file", type=click.Path(path_type=Path), help='Gets {"url": …} when ready.')
def main(
    *,
    host: str,
    port: int,
    secret: str | None,
    secret_file: IO[str] | None,
    ready_file: Path | None,
) -> None:
    try:
        crm = Crm(secret=secret_file.read().strip() if secret_file else secret or "", clock=_now)
    except ValueError:
        raise click.BadParameter("it is not whsec_<base64>", param_hint="--secret") from None
    asyncio.run(_serve(crm, host=host, port=port, ready_file=ready_file))


if __name__ == "__main__":
    main()
