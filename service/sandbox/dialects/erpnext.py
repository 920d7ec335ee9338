"""A simulated Frappe site with ERPNext: calls of its REST API come in, Sales Orders change.

As frappe/frappe `frappe/api/v2.py` @0627aca says (catalogue of 2026-11): pages of 20, bulk updates
row by row and later above 20, every save moves `modified`. Statuses and bodies of errors are
UNVERIFIED (third-party copies). Version 1 of the API is there for clients that still speak it.
"""

import base64
import binascii
import html
import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect, Handler
from service.sandbox.dialects.book import Entry

Values = Mapping[str, JsonValue]
Act = Callable[[web.Request, Values], Values]

DOCTYPE = "Sales Order"
STATUS = "custom_order_status"
DATA = {"po_no", "customer", "custom_tracking", "title"}
FIELDS = {"name", "modified", "modified_by", "creation", "docstatus", "status"} | DATA
FIELDS |= {STATUS, "custom_total", "custom_vip"}
ON_SUBMIT = {STATUS, "custom_tracking", "custom_total", "custom_vip"}
"""What a submitted document still takes."""
LATER_ABOVE = 20
USER = "gateway@example.com"
MICROSECOND = timedelta(microseconds=1)


class RefusedCall(Exception):
    """An exception of Frappe, by its name."""

    def __init__(self, status: int, type: str, message: str) -> None:  # noqa: A002
        super().__init__(message)
        self.status = status
        self.type = type


class Later(Exception):
    """A job that runs when somebody has time; this one never does."""


class ErpNext(Dialect):
    name = "erpnext"
    stages = ("Open", "Paid", "Shipped", "Delivered", "Cancelled")
    text_field = "custom_tracking"
    number_field = "custom_total"
    bool_field = "custom_vip"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.key, self.secret = secrets.token_hex(8), secrets.token_hex(8)

    def routes(self) -> Sequence[web.RouteDef]:
        many, one = "/api/v2/document/{doctype}", "/api/v2/document/{doctype}/{name:.+}"
        old = "/api/resource/{doctype}"
        return [
            web.get(many, self._handled(self._list)),
            web.post(many, self._handled(self._create)),
            web.post(f"{many}/bulk_update", self._handled(self._bulk)),
            web.get(f"{one}/", self._handled(self._get)),
            web.patch(f"{one}/", self._handled(self._update)),
            web.put(f"{one}/", self._handled(self._update)),
            web.get(one, self._slashed),
            web.patch(one, self._slashed),
            web.get(old, self._handled(self._old_list)),
            web.post(old, self._handled(self._create)),
            web.get(f"{old}/{{name:.+}}", self._handled(self._get)),
            web.put(f"{old}/{{name:.+}}", self._handled(self._update)),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {
            "crm": "erpnext",
            "url": url,
            "token": f"plain:{self.key}:{self.secret}",
            "options": {"create": {"customer": "Web shop"}},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown: Values = {"po_no": key, STATUS: status or self.stages[0], "docstatus": 1}
        return self._made({**shown, "customer": "Ada", **fields})

    def _made(self, fields: Values) -> Entry:
        name = f"SAL-ORD-{self.clock().year}-{len(self.book.entries) + 1:05}"
        usual: Values = {"docstatus": 0, STATUS: self.stages[0], "custom_vip": 0, "status": "Draft"}
        return self.book.create(DOCTYPE, {**usual, **fields}, id=str(fields.get("name") or name))

    def status(self, entry: Entry) -> str:
        return str(entry.fields[STATUS])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {STATUS: status})
        entry.modified_at = self.clock()

    def throttled(self, wait: float) -> web.Response:
        after = str(max(1, round(wait)))
        headers = {
            "Retry-After": after,
            "X-RateLimit-Reset": after,
            "X-RateLimit-Limit": "60000000",
            "X-RateLimit-Remaining": "0",
        }
        return web.Response(status=429, text="Too Many Requests", headers=headers)

    def _bent(self, response: web.StreamResponse) -> web.StreamResponse:
        return super()._bent(response) if response.content_type == "application/json" else response

    def expire(self) -> None:
        self.secret = secrets.token_hex(8)

    # The calls.

    def _handled(self, act: Act) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            try:
                self._check_token(request)
                _check_doctype(request.match_info["doctype"])
                said = act(request, await _body(request))
            except RefusedCall as refusal:
                return self._error(request, refusal)
            except Later as later:
                return web.json_response({"data": {"job_id": str(later)}}, status=202)
            return web.json_response(said)

        return answer

    def _error(self, request: web.Request, refusal: RefusedCall) -> web.Response:
        if request.path.startswith("/api/resource"):
            old: Values = {"exc_type": refusal.type, "exc": f'["{refusal.type}: {refusal}"]'}
            return web.json_response(old, status=refusal.status)
        errors: JsonValue = [{"type": refusal.type, "message": str(refusal), "indicator": "red"}]
        return web.json_response({"errors": errors}, status=refusal.status)

    async def _slashed(self, request: web.Request) -> web.Response:
        return web.Response(status=308, headers={"Location": f"{request.path}/"})

    def _check_token(self, request: web.Request) -> None:
        scheme, _, shown = request.headers.get("Authorization", "").partition(" ")
        if not scheme:
            raise RefusedCall(403, "PermissionError", "Login to access")
        if scheme.lower() == "basic":
            try:
                shown = base64.b64decode(shown, validate=True).decode()
            except (binascii.Error, UnicodeDecodeError):
                shown = ""
        known = secrets.compare_digest(shown.encode(), f"{self.key}:{self.secret}".encode())
        if scheme.lower() not in {"token", "basic"} or not known:
            raise RefusedCall(401, "AuthenticationError", "Authentication failed")

    def _get(self, request: web.Request, _: Values) -> Values:
        return {"data": _document(self._entry(request.match_info["name"]))}

    def _list(self, request: web.Request, _: Values) -> Values:
        start, limit = request.query.get("start", "0"), request.query.get("limit", "20")
        rows, more = self._rows(request, int(start), int(limit))
        return {"data": rows, "has_next_page": more}

    def _old_list(self, request: web.Request, _: Values) -> Values:
        start = request.query.get("limit_start", "0")
        limit = request.query.get("limit_page_length", "20")
        return {"data": self._rows(request, int(start), int(limit) or 1000)[0]}

    def _rows(self, request: web.Request, start: int, limit: int) -> tuple[list[JsonValue], bool]:
        query = request.query
        names = _parsed(query.get("fields", '["name"]'))
        if not isinstance(names, list) and names != "*":
            raise RefusedCall(417, "FrappeValueError", "'fields' must be a list")
        wanted = sorted(FIELDS) if names in ("*", ["*"]) else [str(each) for each in names]
        test = _filter(_parsed(query.get("filters", "[]")))
        found = [each for each in self.book.of(DOCTYPE) if test(each)]
        for part in reversed(query.get("order_by", "modified desc").split(",")):
            name, _, way = part.strip().partition(" ")
            _known(name)
            found.sort(key=_sorting(name), reverse=way == "desc")
        page = found[start : start + limit]
        rows: list[JsonValue] = []
        for each in page:
            document = _document(each)
            rows.append({name: document[_known(name)] for name in wanted})
        return rows, start + limit < len(found)

    def _create(self, request: web.Request, body: Values) -> Values:
        if request.match_info["doctype"] == "Comment":
            return {"data": self._commented(body)}
        fields = {name: value for name, value in body.items() if name in FIELDS}
        if self.book.get(DOCTYPE, str(fields.get("name"))):
            raise RefusedCall(409, "DuplicateEntryError", f"{fields['name']} already exists")
        if not fields.get("customer"):
            raise RefusedCall(417, "MandatoryError", "[Sales Order]: customer")
        _check(fields)
        return {"data": _document(self._made(fields))}

    def _update(self, request: web.Request, body: Values) -> Values:
        entry = self._entry(request.match_info["name"])
        self._save(entry, body)
        return {"data": _document(entry)}

    def _bulk(self, _: web.Request, body: Values) -> Values:
        docs = body.get("docs")
        if not isinstance(docs, list):
            raise RefusedCall(417, "FrappeValueError", "'docs' must be a list")
        if len(docs) > LATER_ABOVE:
            raise Later(secrets.token_hex(8))
        updated: list[JsonValue] = []
        failed: list[JsonValue] = []
        shown: list[JsonValue] = []
        for row in docs:
            name = row.get("name") if isinstance(row, dict) else None
            try:
                entry = self._saved_of(row)
            except RefusedCall as refusal:
                failed.append({"name": name, "error": str(refusal)})
            else:
                updated.append(name)
                shown.append(_document(entry))
        data: JsonValue = {
            "updated": updated,
            "failed": failed,
            "total": len(docs),
            "success_count": len(updated),
            "failure_count": len(failed),
        }
        return {"data": data, "docs": shown} if shown else {"data": data}

    def _saved_of(self, row: JsonValue) -> Entry:
        name = row.get("name") if isinstance(row, dict) else None
        if not isinstance(row, dict) or not isinstance(name, str):
            raise RefusedCall(417, "FrappeValueError", "'name' must be a string or integer")
        entry = self._entry(name)
        self._save(entry, {each: row[each] for each in row if each != "name"})
        return entry

    def _save(self, entry: Entry, body: Values) -> None:
        """Every save moves `modified`, whether or not it changes anything."""
        read = body.get("modified")
        if read is not None and read != _stamp(entry.modified_at):
            message = "Error: Document has been modified after you have opened it"
            raise RefusedCall(417, "TimestampMismatchError", message)
        fields = {name: body[name] for name in body if name in FIELDS - {"modified", "name"}}
        _check(fields)
        changed = {name for name, value in fields.items() if entry.fields.get(name) != value}
        if entry.fields["docstatus"] == 1 and changed - ON_SUBMIT:
            message = f"Not allowed to change {min(changed - ON_SUBMIT)} after submission"
            raise RefusedCall(417, "UpdateAfterSubmitError", message)
        self.book.update(entry, fields)
        entry.modified_at = max(self.clock(), entry.modified_at + MICROSECOND)

    def _commented(self, body: Values) -> JsonValue:
        content = body.get("content")
        if body.get("comment_type") != "Comment" or not isinstance(content, str) or not content:
            raise RefusedCall(417, "MandatoryError", "[Comment]: comment_type, content")
        if body.get("reference_doctype") != DOCTYPE:
            raise RefusedCall(417, "LinkValidationError", "Could not find reference_doctype")
        entry = self._entry(str(body.get("reference_name")))
        entry.notes.append(html.unescape(content))
        return {"name": secrets.token_hex(5), "content": content, "modified": _stamp(self.clock())}

    def _entry(self, name: str) -> Entry:
        entry = self.book.get(DOCTYPE, name)
        if entry is None:
            raise RefusedCall(404, "DoesNotExistError", f"{DOCTYPE} {name} not found")
        return entry


def _check_doctype(name: str) -> None:
    if name not in {DOCTYPE, "Comment"}:
        raise RefusedCall(404, "DoesNotExistError", f"DocType {name} not found")


async def _body(request: web.Request) -> Values:
    if request.method == "GET":
        return {}
    raw: str | None = await request.text()
    if request.content_type == "application/x-www-form-urlencoded":
        # Version 1: the document travels as text in a field of a form.
        shown = (await request.post()).get("data")
        raw = shown if isinstance(shown, str) else None
    found = _parsed(raw or "")
    if not isinstance(found, dict):
        raise RefusedCall(417, "FrappeValueError", "a document is an object")
    return found


def _parsed(text: str) -> JsonValue:
    try:
        found: JsonValue = json.loads(text)
    except ValueError:
        raise RefusedCall(500, "JSONDecodeError", "Expecting value") from None
    return found


def _known(name: str) -> str:
    if name not in FIELDS:
        raise RefusedCall(417, "DataError", f"Field not permitted in query: {name}")
    return name


def _sorting(name: str) -> Callable[[Entry], str]:
    return lambda entry: str(_document(entry)[name])


def _check(fields: Values) -> None:
    status = fields.get(STATUS, ErpNext.stages[0])
    if status not in ErpNext.stages:
        message = f'{STATUS} cannot be "{status}". It should be one of "Open", "Paid", …'
        raise RefusedCall(417, "ValidationError", message)
    if isinstance(fields.get("custom_total", 0), str):
        raise RefusedCall(417, "ValidationError", "custom_total: not a number")


def _document(entry: Entry) -> dict[str, JsonValue]:
    return {
        **dict.fromkeys(FIELDS),
        **entry.fields,
        "name": entry.id,
        "modified": _stamp(entry.modified_at),
        "modified_by": USER,
        "creation": _stamp(entry.created_at),
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")


def _filter(filters: JsonValue) -> Callable[[Entry], bool]:
    items = filters
    if isinstance(filters, dict):
        items = [[name, "=", value] for name, value in filters.items()]
    if not isinstance(items, list):
        raise RefusedCall(417, "FrappeValueError", "'filters' must be a list or dictionary")
    tests = [_leaf(item) for item in items]
    return lambda entry: all(test(entry) for test in tests)


def _leaf(item: JsonValue) -> Callable[[Entry], bool]:
    match item:
        case [str(name), str(operator), value] if name in FIELDS:
            pass
        case _:
            raise RefusedCall(417, "ValidationError", f"Invalid filter: {item}")

    def test(entry: Entry) -> bool:
        found = _document(entry)[name]
        match operator:
            case "=":
                return _folded(found) == _folded(value)
            case "in" if isinstance(value, list):
                return _folded(found) in {_folded(each) for each in value}
            case ">":
                return str(found) > str(value)
            case ">=":
                return str(found) >= str(value)
            case "<":
                return str(found) < str(value)
            case _:
                raise RefusedCall(417, "ValidationError", f"Operator {operator} is not allowed")

    return test


def _folded(value: JsonValue) -> str:
    """The database takes upper and lower case, and blanks at the end, for the same."""
    return str(value).casefold().rstrip(" ")
