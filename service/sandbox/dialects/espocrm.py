"""A simulated EspoCRM: calls of its REST API come in, opportunities change.

As espocrm/documentation @b73eb2d and the source espocrm/espocrm @2cde9d9 say (catalogue of
2026-11). The most a list gives (200) and the words of a refused value are UNVERIFIED.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from aiohttp import web
from multidict import MultiMapping
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect, Handler
from service.sandbox.dialects.book import Entry

Act = Callable[[web.Request, Mapping[str, JsonValue]], JsonValue]

ENTITY = "Opportunity"
TEXTS = {"name", "cOrderNo", "cTracking", "description"}
KINDS: Mapping[str, type | tuple[type, ...]] = {
    **dict.fromkeys(TEXTS, str),
    "cTotal": (int, float),
    "cVip": bool,
    "stage": str,
}
READ_ONLY = {"id", "createdAt", "modifiedAt", "createdById", "modifiedById", "versionNumber"}
"""Dropped from what is written, without a word."""
MOST = 200
USER = "64f0aabbccddeeff0"
ITEM = re.compile(r"whereGroup\[(\d+)\]\[(type|attribute|value)\](\[\d*\])?")


class RefusedCall(Exception):
    """An error; its reason travels in a header, its body is JSON for a few only."""

    def __init__(self, status: int, reason: str, body: JsonValue = None) -> None:
        super().__init__(reason)
        self.status = status
        self.body = body


class EspoCrm(Dialect):
    name = "espocrm"
    stages = ("Prospecting", "Qualification", "Proposal", "Negotiation", "Closed Won")
    text_field = "cTracking"
    number_field = "cTotal"
    bool_field = "cVip"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.key = secrets.token_hex(16)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/api/v1/{entity}", self._handled(self._list)),
            web.post("/api/v1/{entity}", self._handled(self._create)),
            web.get("/api/v1/{entity}/{id}", self._handled(self._get)),
            web.patch("/api/v1/{entity}/{id}", self._handled(self._update)),
            web.put("/api/v1/{entity}/{id}", self._handled(self._update)),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {"crm": "espocrm", "url": url, "token": f"plain:{self.key}"}

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"name": f"Order {key}", "cOrderNo": key, "stage": status or self.stages[0]}
        return self._made({**shown, **fields})

    def _made(self, fields: Mapping[str, JsonValue]) -> Entry:
        number = f"{len(self.book.entries) + 0x64F0A:017x}"
        return self.book.create(ENTITY, {"cVip": False, **fields}, id=number)

    def status(self, entry: Entry) -> str:
        return str(entry.fields["stage"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"stage": status})

    def throttled(self, wait: float) -> web.Response:
        """EspoCRM has no limit of its own: this is the web server in front of it."""
        return web.Response(status=429, headers={"Retry-After": str(max(1, round(wait)))})

    def expire(self) -> None:
        self.key = secrets.token_hex(16)

    # The calls.

    def _handled(self, act: Act) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._check_key(request)
                return web.json_response(act(request, await _body(request)))
            except RefusedCall as refusal:
                headers = {"X-Status-Reason": str(refusal)}
                if refusal.body is None:
                    return web.Response(status=refusal.status, headers=headers)
                return web.json_response(refusal.body, status=refusal.status, headers=headers)

        return answer

    def _check_key(self, request: web.Request) -> None:
        if not secrets.compare_digest(request.headers.get("X-Api-Key", ""), self.key):
            raise RefusedCall(401, "user-not-found")
        if request.match_info["entity"] not in {ENTITY, "Note"}:
            raise RefusedCall(404, "Controller does not exist.")

    def _list(self, request: web.Request, _: Mapping[str, JsonValue]) -> JsonValue:
        query = request.query
        size = int(query.get("maxSize", "20"))
        if size > MOST:
            raise RefusedCall(403, "Max size should not exceed 200. Use offset and limit.")
        tests = _where(query)
        found = [each for each in self.book.of(ENTITY) if all(test(each) for test in tests)]
        by = query.get("orderBy", "createdAt")
        found.sort(key=lambda each: (str(_shown(each).get(by, "")), each.id))
        if query.get("order", "asc") == "desc":
            found.reverse()
        first = int(query.get("offset", "0"))
        page = found[first : first + size]
        names = query["select"].split(",") if "select" in query else None
        rows: list[JsonValue] = [
            {n: v for n, v in _shown(each).items() if names is None or n in {"id", *names}}
            for each in page
        ]
        total = len(found)
        if request.headers.get("X-No-Total") == "true":
            total = -1 if first + size < len(found) else -2
        return {"total": total, "list": rows}

    def _get(self, request: web.Request, _: Mapping[str, JsonValue]) -> JsonValue:
        return _shown(self._entry(request.match_info["id"]))

    def _create(self, request: web.Request, body: Mapping[str, JsonValue]) -> JsonValue:
        if request.match_info["entity"] == "Note":
            return self._posted(body)
        fields = _checked(body)
        if not fields.get("name"):
            raise _invalid("name", "required")
        again = [each.id for each in self.book.where(ENTITY, "name", fields["name"])]
        if again and request.headers.get("X-Skip-Duplicate-Check") != "true":
            raise RefusedCall(409, "duplicate", [{"id": one} for one in again])
        return _shown(self._made({"stage": self.stages[0], **fields}))

    def _update(self, request: web.Request, body: Mapping[str, JsonValue]) -> JsonValue:
        entry = self._entry(request.match_info["id"])
        fields = _checked(body)
        version = request.headers.get("X-Version-Number")
        other = {name: entry.fields.get(name) for name in fields}
        differing = {name: value for name, value in other.items() if value != fields[name]}
        if version is not None and version != str(entry.version) and differing:
            raise RefusedCall(
                409, "modified", {"values": differing, "versionNumber": entry.version}
            )
        self.book.update(entry, fields)
        return _shown(entry)

    def _posted(self, body: Mapping[str, JsonValue]) -> JsonValue:
        post = body.get("post")
        if body.get("type") != "Post" or not isinstance(post, str) or not post:
            raise _invalid("post", "required")
        if body.get("parentType") != ENTITY:
            raise RefusedCall(403, "No parent.")
        entry = self._entry(str(body.get("parentId")))
        entry.notes.append(post)
        return {"id": f"{len(entry.notes):017x}", "type": "Post", "post": post}

    def _entry(self, id: str) -> Entry:  # noqa: A002
        entry = self.book.get(ENTITY, id)
        if entry is None:
            raise RefusedCall(404, f"Record {id} does not exist.")
        return entry


async def _body(request: web.Request) -> Mapping[str, JsonValue]:
    if request.method == "GET":
        return {}
    try:
        body: JsonValue = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        raise RefusedCall(400, "Not valid JSON.") from None
    if request.content_type != "application/json" or not isinstance(body, dict):
        raise RefusedCall(400, "No data.")
    return body


def _checked(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """What is known and may be written; an attribute nobody knows is dropped."""
    fields = {name: value for name, value in body.items() if name in KINDS}
    for name, value in fields.items():
        if value is not None and not _fits(value, KINDS[name]):
            raise _invalid(name, "valid")
    if fields.get("stage", EspoCrm.stages[0]) not in EspoCrm.stages:
        raise _invalid("stage", "valid")
    return fields


def _fits(value: JsonValue, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _invalid(name: str, why: str) -> RefusedCall:
    data: JsonValue = {"field": name, "type": why}
    body: JsonValue = {"messageTranslation": {"label": "validationFailure", "data": data}}
    return RefusedCall(400, f"Field validation failure; field: {name}, type: {why}.", body)


def _shown(entry: Entry) -> dict[str, JsonValue]:
    return {
        "id": entry.id,
        **entry.fields,
        "createdAt": _stamp(entry.created_at),
        "modifiedAt": _stamp(entry.modified_at),
        "modifiedById": USER,
        "versionNumber": entry.version,
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _where(query: MultiMapping[str]) -> Sequence[Callable[[Entry], bool]]:
    items: dict[str, dict[str, list[str]]] = {}
    for name, value in query.items():
        if name.startswith("where") and not (found := ITEM.fullmatch(name)):
            raise RefusedCall(400, "Bad where item.")
        if name.startswith("where") and found:
            items.setdefault(found[1], {}).setdefault(found[2], []).append(value)
    return [_test(item) for item in items.values()]


def _test(item: Mapping[str, Sequence[str]]) -> Callable[[Entry], bool]:
    type_, name = (item.get(part, [""])[0] for part in ("type", "attribute"))
    values = item.get("value", [""])
    if name not in {*KINDS, *READ_ONLY}:
        raise RefusedCall(400, f"Not existing attribute '{name}' in where.")
    value = _folded(values[0])
    match type_:
        case "equals":
            return lambda entry: _compared(entry, name) == value
        case "in":
            return lambda entry: _compared(entry, name) in {_folded(one) for one in values}
        case "greaterThan" | "after":
            return lambda entry: _compared(entry, name) > value
        case "greaterThanOrEquals":
            return lambda entry: _compared(entry, name) >= value
        case "lessThan" | "before":
            return lambda entry: _compared(entry, name) < value
        case _:
            raise RefusedCall(400, f"Unknown where type '{type_}'.")


def _compared(entry: Entry, name: str) -> str:
    return _folded(str(_shown(entry).get(name, "")))


def _folded(text: str) -> str:
    """The database takes upper and lower case, and blanks at the end, for the same."""
    return text.casefold().rstrip(" ")
