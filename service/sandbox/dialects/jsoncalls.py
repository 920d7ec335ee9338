"""A call of JSON comes in, an answer of JSON goes out; what a vendor refuses is raised."""

from collections.abc import Awaitable, Callable, Mapping

import orjson
from aiohttp import web
from pydantic import JsonValue

Body = Mapping[str, JsonValue]
Act = Callable[[web.Request, Body], web.Response]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedCall(Exception):
    """An answer that is no success, in the vendor's own words."""

    def __init__(
        self, status: int, body: JsonValue, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(str(body))
        self.status = status
        self.body = body
        self.headers = headers or {}


def answering(
    act: Act,
    *,
    check: Callable[[web.Request], None],
    unreadable: Callable[[str], RefusedCall],
) -> Handler:
    """A handler that checks the credentials, reads the body and answers as the vendor does."""

    async def answer(request: web.Request) -> web.StreamResponse:
        try:
            check(request)
            return act(request, await _read(request, unreadable))
        except RefusedCall as refusal:
            return web.json_response(refusal.body, status=refusal.status, headers=refusal.headers)

    return answer


async def _read(request: web.Request, unreadable: Callable[[str], RefusedCall]) -> Body:
    text = await request.read()
    if not text:
        return {}
    # Zoho's own client sends bodies without a type.
    if "Content-Type" in request.headers and request.content_type != "application/json":
        raise unreadable(f"{request.content_type} is not application/json")
    try:
        body: JsonValue = orjson.loads(text)
    except orjson.JSONDecodeError:
        raise unreadable("the body is not JSON") from None
    if not isinstance(body, dict):
        raise unreadable("the body is not an object")
    return body
