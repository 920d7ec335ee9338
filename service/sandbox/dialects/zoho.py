"""A simulated Zoho CRM organisation: calls of API v8 come in, records of Deals change.

As zoho/crm-oas v8.0 and the pages named in the adapter say (catalogue of 2026-11); the statuses of
mixed results and of a call over the limit are UNVERIFIED.
"""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.jsoncalls import Act, Body, Handler, RefusedCall, answering
from service.sandbox.dialects.meters import Rolling
from service.sandbox.dialects.oauth import OAuthDesk

MODULE = "Deals"
FIELDS: Mapping[str, type | tuple[type, ...]] = {
    "Deal_Name": str,
    "Stage": str,
    "Order_No": str,
    "Tracking_Link": str,
    "Total_Paid": (int, float),
    "Gift": bool,
    "Amount": (int, float),
    "Description": str,
}
OURS = "4150868000000225013"
PERSON = "4150868000000231921"
MOST_ROWS = 100
MOST_VALUES = 50
PER_PAGE = 200
TOKEN = re.compile(r"\s*(?:'((?:[^']|'')*)'|([A-Za-z_][A-Za-z0-9_]*|\d+)|([(),=]))")


class Zoho(Dialect):
    name = "zoho"
    stages = ("Qualification", "Paid", "Shipped", "Closed Won", "Closed Lost")
    unique = True
    text_field = "Tracking_Link"
    number_field = "Total_Paid"
    bool_field = "Gift"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.meters = {"credits": Rolling(count=50_000, seconds=86_400)}
        self.desk = OAuthDesk(
            self.clock,
            path="/oauth/v2/token",
            grants=("refresh_token",),
            extra={"api_domain": "https://www.zohoapis.com"},
        )
        self.locked: set[str] = set()
        """Ids of records that are locked for the moment."""
        self.blueprinted: set[str] = set()
        """Ids of records whose stage only a blueprint may move."""

    def routes(self) -> Sequence[web.RouteDef]:
        base = f"/crm/v8/{MODULE}"
        return [
            web.post("/crm/v8/coql", self._handled(self._coql)),
            web.post("/crm/v8/Notes", self._handled(self._note)),
            web.get("/crm/v8/settings/fields", self._handled(_fields)),
            web.get(base, self._handled(self._list)),
            web.put(base, self._handled(self._update)),
            web.post(f"{base}/upsert", self._handled(self._upsert)),
            *(self.desk.routes() if self.desk else ()),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        assert self.desk
        return {
            "crm": "zoho",
            "url": url,
            "oauth": {
                "grant": "refresh_token",
                "url": f"{url}{self.desk.path}",
                "client_id": self.desk.client_id,
                "client_secret": f"plain:{self.desk.client_secret}",
                "refresh_token": f"plain:{self.desk.install()}",
            },
            "options": {"user_id": OURS},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"Deal_Name": f"Order {key}", "Stage": status or self.stages[0], "Order_No": key}
        return self.book.create(MODULE, {**shown, "Modified_By": PERSON, **fields})

    def status(self, entry: Entry) -> str:
        return str(entry.fields["Stage"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"Stage": status, "Modified_By": PERSON})

    def throttled(self, wait: float) -> web.Response:
        headers = {"X-API-CREDITS-REMAINING": "0"} if wait > 60 else {}
        message = "You have exceeded the permitted limits"
        return web.json_response(_error("TOO_MANY_REQUESTS", message), status=429, headers=headers)

    def expire(self) -> None:
        if self.desk:
            self.desk.expire()

    def costs(self, request: web.Request) -> Mapping[str, float]:
        return {} if request.path.startswith("/oauth") else {"credits": 1.0}

    # The calls.

    def _handled(self, act: Act) -> Handler:
        return answering(act, check=self._check_credentials, unreadable=_unreadable)

    def _check_credentials(self, request: web.Request) -> None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme != "Zoho-oauthtoken" or not (self.desk and self.desk.knows(token)):
            raise RefusedCall(401, _error("INVALID_TOKEN", "invalid oauth token"))

    def _list(self, request: web.Request, _: Body) -> web.Response:
        query = request.query
        names = query.get("fields", "").split(",")
        if names == [""]:
            message = "One of the expected parameter is missing"
            raise RefusedCall(400, _error("REQUIRED_PARAM_MISSING", message, param="fields"))
        found = sorted(self.book.of(MODULE), key=lambda one: (one.modified_at, int(one.id)))
        if "ids" in query:
            ids = query["ids"].split(",")
            if len(ids) > MOST_ROWS:
                raise RefusedCall(400, _error("LIMIT_EXCEEDED", "too many ids"))
            found = [one for one in found if one.id in ids]
        if "If-Modified-Since" in request.headers:
            since = _moment(request.headers["If-Modified-Since"])
            found = [one for one in found if one.modified_at > since]
        if "page_token" in query:
            found = [one for one in found if _place(one) >= _page(query["page_token"])]
        size = int(query.get("per_page", PER_PAGE))
        if not 0 < size <= PER_PAGE:
            raise RefusedCall(400, _error("INVALID_DATA", "per_page", param_name="per_page"))
        return _answer(found, names, size=size)

    def _coql(self, _: web.Request, body: Body) -> web.Response:
        text = body.get("select_query")
        if not isinstance(text, str):
            raise RefusedCall(400, _error("MANDATORY_NOT_FOUND", "select_query"))
        select = _select(text)
        if not set(select.columns) <= {*FIELDS, "id", "Modified_Time", "Modified_By"}:
            raise RefusedCall(400, _error("INVALID_QUERY", "column given seems to be invalid"))
        found = [
            one for one in self.book.of(MODULE) if one.fields.get(select.column) in select.values
        ]
        found = found[select.offset :]
        return _answer(found, select.columns, size=select.limit)

    def _update(self, _: web.Request, body: Body) -> web.Response:
        return _told([self._updated(one) for one in _rows(body)])

    def _updated(self, row: Body) -> Body:
        entry = self.book.get(MODULE, str(row.get("id")))
        # Zoho's own client writes ids as numbers.
        if not isinstance(row.get("id"), str | int) or entry is None:
            return _error("INVALID_DATA", "the id given seems to be invalid", api_name="id")
        if entry.id in self.locked:
            return _error("RECORD_LOCKED", "record is locked")
        fields = {name: value for name, value in row.items() if name != "id"}
        if entry.id in self.blueprinted and "Stage" in fields:
            return _error("RECORD_IN_BLUEPRINT", "record is in blueprint", api_name="Stage")
        wrong = self._wrong(fields)
        if wrong is not None:
            return wrong
        if any(entry.fields.get(name) != value for name, value in fields.items()):
            fields["Modified_By"] = OURS
        self.book.update(entry, fields)
        return _done(entry, "update")

    def _upsert(self, _: web.Request, body: Body) -> web.Response:
        checked = body.get("duplicate_check_fields")
        if checked != ["Order_No"]:
            message = "the field is not unique"
            raise RefusedCall(400, _error("INVALID_DATA", message, api_name="Order_No"))
        return _told([self._upserted(one) for one in _rows(body)], created=True)

    def _upserted(self, row: Body) -> Body:
        wrong = self._wrong(row)
        if wrong is not None:
            return wrong
        found = self.book.where(MODULE, "Order_No", row.get("Order_No"))
        if found:
            return self._updated({**row, "id": found[0].id})
        missing = next((name for name in ("Deal_Name", "Stage") if not row.get(name)), None)
        if missing:
            return _error("MANDATORY_NOT_FOUND", "required field not found", api_name=missing)
        return _done(self.book.create(MODULE, {**row, "Modified_By": OURS}), "insert")

    def _wrong(self, fields: Body) -> Body | None:
        for name, value in fields.items():
            kind = FIELDS.get(name)
            fits = kind is not None and (value is None or isinstance(value, kind))
            if kind is not bool and isinstance(value, bool):
                fits = False
            if not fits or (name == "Stage" and value not in self.stages):
                return _error("INVALID_DATA", "invalid data", api_name=name)
        return None

    def _note(self, _: web.Request, body: Body) -> web.Response:
        [row] = _rows(body)
        parent = row.get("Parent_Id")
        entry = self.book.get(MODULE, str(parent.get("id"))) if isinstance(parent, dict) else None
        module = parent.get("module") if isinstance(parent, dict) else None
        if not isinstance(module, dict) or module.get("api_name") != MODULE or entry is None:
            wrong = _error("INVALID_DATA", "the related id given seems to be invalid")
            return _told([wrong])
        if not isinstance(row.get("Note_Content"), str):
            return _told([_error("MANDATORY_NOT_FOUND", "required", api_name="Note_Content")])
        entry.notes.append(str(row["Note_Content"]))
        return _told([_done(entry, "insert")], created=True)


class _Select:
    """`select a, b from Deals where F in ('x', 'y') limit n offset m`."""

    def __init__(self, words: Sequence[str]) -> None:
        place = words.index("from")
        self.columns = [word for word in words[1:place] if word != ","]
        self.module, where, self.column, operator, bracket = words[place + 1 : place + 6]
        end = words.index(")", place)
        # A value is marked by its quote.
        self.values = [word[1:] for word in words[place + 6 : end] if word != ","]
        rest = words[end + 1 :]
        self.limit, self.offset = int(rest[1]), int(rest[3]) if len(rest) > 2 else 0
        shape = (words[0], where, operator, bracket, rest[0], *rest[2:3])
        if shape[:5] != ("select", "where", "in", "(", "limit") or self.module != MODULE:
            raise ValueError
        if len(self.values) > MOST_VALUES or not 0 < self.limit <= PER_PAGE:
            raise ValueError


def _select(text: str) -> _Select:
    try:
        return _Select(_words(text.rstrip()))
    except (ValueError, IndexError):
        message = "error occurred while parsing the query"
        raise RefusedCall(400, _error("SYNTAX_ERROR", message)) from None


def _words(text: str) -> list[str]:
    words: list[str] = []
    place = 0
    while place < len(text):
        found = TOKEN.match(text, place)
        if found is None:
            raise ValueError(text[place:])
        value, word, sign = found.groups()
        words.append(word or sign or "'" + value.replace("''", "'"))
        place = found.end()
    return words


def _fields(request: web.Request, _: Body) -> web.Response:
    """What the vendor's own client asks about a module before it reads records."""
    if request.query.get("module") != MODULE:
        raise RefusedCall(
            400, _error("INVALID_MODULE", "the module name given seems to be invalid")
        )
    kinds = {str: "text", bool: "boolean", (int, float): "double"}
    types = {name: kinds[kind] for name, kind in FIELDS.items()} | {"Stage": "picklist"}
    types |= {"Modified_Time": "datetime"}
    found: list[JsonValue] = [
        {"api_name": name, "data_type": kind, "field_label": name, "id": f"41508680000000{at:05d}"}
        for at, (name, kind) in enumerate(types.items())
    ]
    return web.json_response({"fields": found})


def _rows(body: Body) -> Sequence[Body]:
    data = body.get("data")
    if not isinstance(data, list) or not data or not all(isinstance(one, dict) for one in data):
        raise RefusedCall(400, _error("INVALID_DATA", "data", expected_data_type="jsonarray"))
    if len(data) > MOST_ROWS:
        raise RefusedCall(400, _error("LIMIT_EXCEEDED", "only 100 records are allowed"))
    return [one for one in data if isinstance(one, dict)]


def _error(code: str, message: str, **details: JsonValue) -> dict[str, JsonValue]:
    return {"code": code, "details": details, "message": message, "status": "error"}


def _unreadable(why: str) -> RefusedCall:
    return RefusedCall(400, _error("INVALID_DATA", why))


def _done(entry: Entry, action: str) -> Body:
    return {
        "code": "SUCCESS",
        "duplicate_field": None,
        "action": action,
        "details": {"Modified_Time": _stamp(entry.modified_at), "id": entry.id},
        "message": "record updated" if action == "update" else "record added",
        "status": "success",
    }


def _told(rows: Sequence[Body], *, created: bool = False) -> web.Response:
    good = [row["status"] == "success" for row in rows]
    status = (201 if created else 200) if all(good) else 207 if any(good) else 400
    return web.json_response({"data": [dict(row) for row in rows]}, status=status)


def _answer(found: Sequence[Entry], names: Sequence[str], *, size: int) -> web.Response:
    if not found:
        return web.Response(status=204)
    more = len(found) > size
    info: JsonValue = {
        "per_page": size,
        "count": len(found[:size]),
        "more_records": more,
        "next_page_token": "|".join(_place(found[size])) if more else None,
    }
    rows: list[JsonValue] = [_shown(one, names) for one in found[:size]]
    return web.json_response({"data": rows, "info": info})


def _shown(entry: Entry, names: Sequence[str]) -> JsonValue:
    whole = {
        **entry.fields,
        "Modified_Time": _stamp(entry.modified_at),
        "Modified_By": {"name": "Somebody", "id": entry.fields.get("Modified_By")},
    }
    return {"id": entry.id, **{name: whole.get(name) for name in names if name != "id"}}


def _place(entry: Entry) -> tuple[str, str]:
    return f"{entry.modified_at.timestamp():020.6f}", f"{int(entry.id):020d}"


def _page(token: str) -> tuple[str, str]:
    time, _, number = token.partition("|")
    return time, number


def _stamp(moment: datetime) -> str:
    return moment.replace(microsecond=0).isoformat()


def _moment(text: str) -> datetime:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        wrong = _error("INVALID_DATA", "If-Modified-Since", expected_data_type="datetime")
        raise RefusedCall(400, wrong) from None
