"""A simulated CRM of nobody in particular: plain REST calls come in, orders change.

It stands for the many APIs with resources, bearer tokens, ETags, keyset pages and problem bodies
that have no adapter of their own; what it does is nobody's fact.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.meters import Rolling

PAGE = 100
FIELDS: Mapping[str, tuple[type, ...]] = {
    "number": (str,),
    "stage": (str,),
    "tracking": (str, type(None)),
    "total": (int, float),
    "vip": (bool,),
}
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class RefusedError(Exception):
    """A refusal, as a problem body says it."""

    def __init__(self, status: int, code: str, why: str) -> None:
        super().__init__(why)
        self.status = status
        self.code = code


class PlainRest(Dialect):
    name = "rest"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.token = secrets.token_hex(20)
        self.meters = {"requests": Rolling(count=100, seconds=1)}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/api/orders", self._answering(self._list)),
            web.post("/api/orders", self._answering(self._create)),
            web.get("/api/orders/{id}", self._answering(self._get)),
            web.patch("/api/orders/{id}", self._answering(self._patch)),
            web.post("/api/orders/{id}/notes", self._answering(self._note)),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        rest: dict[str, JsonValue] = {
            "key_field": "number",
            "status_field": "stage",
            "record": {"token": "version", "modified": "changed_at"},
            "find": {"path": "/orders", "query": {"number": "{key}"}, "records": "items"},
            "read": {"path": "/orders/{id}"},
            "write": [
                {"path": "/orders/{id}", "headers": {"If-Match": "{token}"}, "expects": "id"}
            ],
            "create": {
                "path": "/orders",
                "body": {"number": "{key}", "stage": "{status}", "tracking": "{field.tracking}"},
            },
            "note": {"path": "/orders/{id}/notes", "body": {"text": "{text}"}, "expects": "id"},
            "feed": {
                "path": "/orders",
                "query": {"changed_since": "{since}", "after": "{cursor}"},
                "records": "items",
                "paging": {"by": "cursor", "next": "next"},
            },
            "message": "detail",
        }
        limits: JsonValue = {"requests": {"count": 100, "period": "1s", "burst": 10}}
        return {
            "crm": "rest",
            "url": f"{url}/api",
            "token": f"plain:{self.token}",
            "limits": limits,
            "rest": rest,
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        stage = status or self.stages[0]
        return self.book.create("order", {"number": key, "stage": stage, **fields})

    def status(self, entry: Entry) -> str:
        return str(entry.fields["stage"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"stage": status})

    def throttled(self, wait: float) -> web.Response:
        headers = {"Retry-After": str(max(1, round(wait))), "X-RateLimit-Remaining": "0"}
        return _problem(429, "too_many_requests", "Too many requests.", headers=headers)

    def expire(self) -> None:
        self.token = secrets.token_hex(20)

    # The calls.

    def _answering(self, handler: Callable[[web.Request, JsonValue], web.Response]) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._check_token(request)
                return handler(request, await _body(request))
            except RefusedError as refusal:
                return _problem(refusal.status, refusal.code, str(refusal))

        return answer

    def _check_token(self, request: web.Request) -> None:
        shown = request.headers.get("Authorization", "").encode()
        if not secrets.compare_digest(shown, f"Bearer {self.token}".encode()):
            raise RefusedError(401, "unauthorized", "The token is not known.")

    def _list(self, request: web.Request, _: JsonValue) -> web.Response:
        query = request.query
        if query.keys() - {"number", "changed_since", "after"}:
            raise RefusedError(400, "bad_query", "There is no such parameter.")
        found = list(self.book.of("order"))
        if "number" in query:
            found = [each for each in found if each.fields["number"] == query["number"]]
        if "changed_since" in query:
            since = datetime.fromisoformat(query["changed_since"])
            found = [each for each in found if each.modified_at >= since]
        after = query.get("after", "")
        found = sorted((each for each in found if _place(each) > after), key=_place)
        more = _place(found[PAGE - 1]) if len(found) > PAGE else None
        return _json({"items": [_shown(each) for each in found[:PAGE]], "next": more})

    def _get(self, request: web.Request, _: JsonValue) -> web.Response:
        return self._one(self._entry(request))

    def _create(self, _: web.Request, body: JsonValue) -> web.Response:
        fields = self._checked(body)
        if not fields.get("number"):
            raise RefusedError(422, "invalid", "number is missing.")
        return self._one(self.book.create("order", {"stage": self.stages[0], **fields}), status=201)

    def _patch(self, request: web.Request, body: JsonValue) -> web.Response:
        entry = self._entry(request)
        if request.headers.get("If-Match", str(entry.version)) != str(entry.version):
            raise RefusedError(412, "stale", "The order changed meanwhile.")
        self.book.update(entry, self._checked(body))
        return self._one(entry)

    def _note(self, request: web.Request, body: JsonValue) -> web.Response:
        entry = self._entry(request)
        text = body.get("text") if isinstance(body, dict) else None
        if not isinstance(text, str) or not text:
            raise RefusedError(422, "invalid", "text is missing.")
        entry.notes.append(text)
        return _json({"id": len(entry.notes)}, status=201)

    def _entry(self, request: web.Request) -> Entry:
        entry = self.book.get("order", request.match_info["id"])
        if entry is None:
            raise RefusedError(404, "not_found", "There is no such order.")
        return entry

    def _checked(self, body: JsonValue) -> dict[str, JsonValue]:
        if not isinstance(body, dict):
            raise RefusedError(400, "bad_request", "A JSON object is wanted.")
        for name, value in body.items():
            if name not in FIELDS or type(value) not in FIELDS[name]:
                raise RefusedError(422, "invalid", f"{name} cannot be set to that.")
        if body.get("stage", self.stages[0]) not in self.stages:
            raise RefusedError(422, "invalid", "There is no such stage.")
        return body

    def _one(self, entry: Entry, *, status: int = 200) -> web.Response:
        return _json(_shown(entry), status=status, headers={"ETag": f'"{entry.version}"'})


def _place(entry: Entry) -> str:
    """Orders by change, then by id, so that equal times lose nothing between two pages."""
    return f"{entry.modified_at.astimezone(UTC).isoformat()}/{entry.id:0>12}"


def _shown(entry: Entry) -> dict[str, JsonValue]:
    stamp = entry.modified_at.astimezone(UTC).isoformat()
    empty: dict[str, JsonValue] = {"tracking": None, "total": 0, "vip": False}
    more: dict[str, JsonValue] = {
        "id": int(entry.id),
        "version": entry.version,
        "changed_at": stamp,
    }
    return {**empty, **entry.fields, **more}


async def _body(request: web.Request) -> JsonValue:
    content = await request.read()
    if not content:
        return None
    if request.content_type != "application/json":
        raise RefusedError(415, "unsupported", "JSON is wanted.")
    try:
        found: JsonValue = orjson.loads(content)
    except orjson.JSONDecodeError:
        raise RefusedError(400, "bad_request", "This is no JSON.") from None
    return found


def _json(
    body: JsonValue, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> web.Response:
    return web.Response(
        body=orjson.dumps(body), status=status, headers=headers, content_type="application/json"
    )


def _problem(
    status: int, code: str, why: str, *, headers: Mapping[str, str] | None = None
) -> web.Response:
    return _json({"code": code, "detail": why}, status=status, headers=headers)
