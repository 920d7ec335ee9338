"""A simulated Twenty workspace: calls of its REST API come in, opportunities and notes change.

As twentyhq/twenty says (developer pages @35e1596, REST handlers and their tests; catalogue of
2026-11): 100 calls a minute, an unknown field is a 400, so is a record that is gone. The bodies of
a refused stage and of a 429, and the fields of noteTargets, are UNVERIFIED.
"""

import base64
import binascii
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect, Handler
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.meters import Rolling
from service.sandbox.dialects.twenty_filters import BadFilterError, parsed

Values = Mapping[str, JsonValue]
Act = Callable[[web.Request, JsonValue], web.Response]

KIND = "opportunities"
FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "orderNo": str,
    "stage": str,
    "tracking": str,
    "total": (int, float),
    "vip": bool,
}
READ_ONLY = ("id", "createdAt", "updatedAt", "deletedAt")
MOST = 60
NOTE = ("id", "title", "bodyV2")


class RefusedCall(Exception):
    def __init__(
        self, message: str, *, status: int = 400, error: str = "BadRequestException"
    ) -> None:
        super().__init__(message)
        self.status = status
        self.error = error


class Twenty(Dialect):
    name = "twenty"
    stages = ("NEW", "SCREENING", "MEETING", "PROPOSAL", "CUSTOMER")

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.key = secrets.token_hex(20)
        self.notes: dict[str, str] = {}
        self.meters = {"requests": Rolling(count=100, seconds=60)}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get(f"/rest/{KIND}", self._handled(self._list)),
            web.post(f"/rest/{KIND}", self._handled(self._create)),
            web.post(f"/rest/batch/{KIND}", self._handled(self._create_many)),
            web.get(f"/rest/{KIND}/{{id}}", self._handled(self._get)),
            web.patch(f"/rest/{KIND}/{{id}}", self._handled(self._update)),
            web.post("/rest/notes", self._handled(self._note)),
            web.post("/rest/noteTargets", self._handled(self._tie)),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {"crm": "twenty", "url": url, "token": f"plain:{self.key}"}

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"name": f"Order {key}", "orderNo": key, "stage": status or self.stages[0]}
        return self._made({**shown, **fields})

    def _made(self, fields: Values) -> Entry:
        number = len(self.book.entries) + 1
        id_ = str(fields.get("id") or f"20202020-0000-4000-8000-{number:012x}")
        usual: Values = {"name": "", "orderNo": "", "stage": self.stages[0], "vip": False}
        return self.book.create(KIND, {**usual, **fields}, id=id_)

    def status(self, entry: Entry) -> str:
        return str(entry.fields["stage"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"stage": status})

    def throttled(self, wait: float) -> web.Response:  # noqa: ARG002  # it does not tell
        return _error(RefusedCall("Limit reached", status=429, error="LIMIT_REACHED"))

    def expire(self) -> None:
        self.key = secrets.token_hex(20)

    # The calls.

    def _handled(self, act: Act) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._check_key(request)
                raw = await request.read()
                return act(request, _json(raw) if raw else None)
            except RefusedCall as refusal:
                return _error(refusal)

        return answer

    def _check_key(self, request: web.Request) -> None:
        shown = request.headers.get("Authorization", "")
        if not shown:
            message = "Missing authentication token"
            raise RefusedCall(message, status=403, error="FORBIDDEN_EXCEPTION")
        if not secrets.compare_digest(shown, f"Bearer {self.key}"):
            raise RefusedCall("Token invalid.", status=401, error="UNAUTHENTICATED")

    def _get(self, request: web.Request, _: JsonValue) -> web.Response:
        return web.json_response({"data": {"opportunity": _row(self._entry(request), None)}})

    def _list(self, request: web.Request, _: JsonValue) -> web.Response:
        query = request.query
        names = query["fields"].split(",") if "fields" in query else None
        if unknown := [n for n in names or () if n not in (*FIELDS, *READ_ONLY)]:
            message = f"Unknown or unreadable fields on 'opportunity': {', '.join(unknown)}"
            raise RefusedCall(f"'fields' parameter invalid. {message}")
        found = list(self.book.of(KIND))
        if "filter" in query:
            try:
                test = parsed(query["filter"], (*FIELDS, *READ_ONLY))
            except BadFilterError as error:
                raise RefusedCall(str(error)) from None
            found = [each for each in found if test(_row(each, None))]
        by = _order(query.get("order_by"))
        found.sort(key=lambda each: _place(each, by))
        if "starting_after" in query:
            after = _opened(query["starting_after"])
            found = [each for each in found if _place(each, by) > after]
        limit = min(_limit(query.get("limit", "60")), MOST)
        page = found[:limit]
        info: JsonValue = {
            "hasNextPage": len(found) > limit,
            "startCursor": _cursor(_place(page[0], by)) if page else None,
            "endCursor": _cursor(_place(page[-1], by)) if page else None,
        }
        rows: list[JsonValue] = [_row(each, names) for each in page]
        said: JsonValue = {"data": {KIND: rows}, "totalCount": len(found), "pageInfo": info}
        return web.json_response(said)

    def _create(self, _: web.Request, body: JsonValue) -> web.Response:
        fields = _checked(body)
        if self.book.get(KIND, str(fields.get("id"))):
            raise RefusedCall("A duplicate entry was detected")
        made = _row(self._made(fields), None)
        return web.json_response({"data": {"createOpportunity": made}}, status=201)

    def _create_many(self, _: web.Request, body: JsonValue) -> web.Response:
        if not isinstance(body, list) or not 0 < len(body) <= MOST:
            raise RefusedCall("Body must be an array of 1 to 60 records")
        checked = [_checked(each) for each in body]
        made: list[JsonValue] = [_row(self._made(each), None) for each in checked]
        return web.json_response({"data": {"createOpportunities": made}}, status=201)

    def _update(self, request: web.Request, body: JsonValue) -> web.Response:
        entry, fields = self._entry(request), _checked(body)
        self.book.update(entry, fields)
        return web.json_response({"data": {"updateOpportunity": _row(entry, None)}})

    def _note(self, _: web.Request, body: JsonValue) -> web.Response:
        fields = body if isinstance(body, dict) else {}
        text = _at(fields.get("bodyV2"), "markdown")
        if set(fields) - set(NOTE) or text is None or not isinstance(fields.get("title"), str):
            raise RefusedCall("Object note doesn't have any such field.")
        id_ = str(fields.get("id") or f"20202020-1111-4000-8000-{len(self.notes):012x}")
        self.notes[id_] = text
        made: JsonValue = {"id": id_, "title": fields["title"]}
        return web.json_response({"data": {"createNote": made}}, status=201)

    def _tie(self, _: web.Request, body: JsonValue) -> web.Response:
        if not isinstance(body, dict) or set(body) != {"noteId", "targetOpportunityId"}:
            raise RefusedCall("Object noteTarget doesn't have any such field.")
        note, entry = str(body["noteId"]), self.book.get(KIND, str(body["targetOpportunityId"]))
        if note not in self.notes or entry is None:
            raise RefusedCall("insert violates foreign key constraint")
        entry.notes.append(self.notes[note])
        tie: JsonValue = {"id": f"20202020-2222-4000-8000-{len(entry.notes):012x}"}
        return web.json_response({"data": {"createNoteTarget": tie}}, status=201)

    def _entry(self, request: web.Request) -> Entry:
        entry = self.book.get(KIND, request.match_info["id"])
        if entry is None:
            message = 'Could not find any entity of type "opportunity" matching'
            raise RefusedCall(message, error="EntityNotFoundError")
        return entry


def _error(refusal: RefusedCall) -> web.Response:
    said: JsonValue = {
        "statusCode": refusal.status,
        "error": refusal.error,
        "messages": [str(refusal)],
    }
    return web.json_response(said, status=refusal.status)


def _json(raw: bytes) -> JsonValue:
    try:
        found: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise RefusedCall("Unexpected token in JSON") from None
    return found


def _checked(body: JsonValue) -> Values:
    if not isinstance(body, dict):
        raise RefusedCall("Body must be an object")
    for name, value in body.items():
        if name != "id" and name not in FIELDS:
            raise RefusedCall(f"Object opportunity doesn't have any {name!r} field.")
        wrong = value is not None and not _fits(value, FIELDS.get(name, str))
        if wrong or (name == "stage" and value not in Twenty.stages):
            raise RefusedCall(f"Invalid value {value!r} for field {name!r}")
    return body


def _fits(value: JsonValue, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _row(entry: Entry, names: Sequence[str] | None) -> dict[str, JsonValue]:
    row: dict[str, JsonValue] = {
        **dict.fromkeys(FIELDS),
        **entry.fields,
        "id": entry.id,
        "createdAt": _stamp(entry.created_at),
        "updatedAt": _stamp(entry.modified_at),
        "deletedAt": None,
    }
    return {name: value for name, value in row.items() if names is None or name in names}


def _at(value: JsonValue, name: str) -> str | None:
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, str) else None


def _stamp(moment: datetime) -> str:
    text = moment.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


def _order(text: str | None) -> str:
    if text is None:
        return "id"
    name, _, way = text.partition("[")
    if name not in (*FIELDS, *READ_ONLY):
        raise RefusedCall(f"Object opportunity doesn't have any {name!r} field.")
    if way not in {"", "AscNullsFirst]", "AscNullsLast]"}:
        raise RefusedCall(f"'order_by' direction '{way}' invalid.")
    return name


def _place(entry: Entry, by: str) -> list[str]:
    return [str(_row(entry, None)[by]), entry.id]


def _cursor(place: Sequence[str]) -> str:
    return base64.b64encode(orjson.dumps(place)).decode()


def _opened(cursor: str) -> list[str]:
    try:
        place: JsonValue = orjson.loads(base64.b64decode(cursor, validate=True))
    except (binascii.Error, orjson.JSONDecodeError):
        raise RefusedCall(f"Invalid cursor: {cursor}") from None
    if not isinstance(place, list):
        raise RefusedCall(f"Invalid cursor: {cursor}")
    return [str(each) for each in place]


def _limit(text: str) -> int:
    if not text.isdigit():
        raise RefusedCall(f"limit '{text}' is invalid. Should be an integer")
    return int(text)
