"""A simulated Salesforce org: calls of the REST API come in, records and their tasks change.

As the REST API guide (v68) and simple-salesforce 1.12.10 say (catalogue of 2026-11). UNVERIFIED:
the codes of rows that are no more, the whole refusal of unknown fields, 403 for a spent limit.
"""

import functools
import re
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.jsoncalls import Act, Body, Handler, RefusedCall, answering
from service.sandbox.dialects.meters import Rolling
from service.sandbox.dialects.oauth import OAuthDesk
from service.sandbox.dialects.soql import MalformedError, Query, parse

DATA = "/services/data/{version:v[0-9]+\\.0}"
DAILY = 100_000
MOST_RECORDS = 200
MOST_READ = 2000
SYSTEM = ("Id", "CreatedDate", "LastModifiedDate", "SystemModstamp")
TEXT, NUMBER, FLAG = (str, type(None)), (int, float, type(None)), (bool,)
FIELDS: Mapping[str, tuple[type, ...]] = {
    "Name": TEXT,
    "StageName": TEXT,
    "CloseDate": TEXT,
    "Amount": NUMBER,
    "Order_No__c": TEXT,
    "Tracking__c": TEXT,
    "Vip__c": FLAG,
}
KINDS = {"Opportunity": "006", "Account": "001"}


class Salesforce(Dialect):
    name = "salesforce"
    stages = ("Prospecting", "Paid", "Shipped", "Closed Won", "Closed Lost")
    text_field = "Tracking__c"
    number_field = "Amount"
    bool_field = "Vip__c"
    kind = "Opportunity"
    page = 200
    """Rows in one answer of a query; the vendor gives at most 2000, and fewer of wide ones."""

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        # The answer names no expires_in: sessions end when the org says.
        self.desk = OAuthDesk(
            self.clock, path="/services/oauth2/token", lifetime=timedelta(hours=2)
        )
        self.meters = {"daily": Rolling(count=DAILY, seconds=86_400)}
        self.locked: set[str] = set()
        """Ids of records another transaction holds."""
        self.concurrent = False
        """The next refusals are for too many calls at once, not for the day."""
        self._cursors: dict[str, Sequence[JsonValue]] = {}

    def routes(self) -> Sequence[web.RouteDef]:
        sobjects, composite = f"{DATA}/sobjects", f"{DATA}/composite/sobjects"
        return [
            web.get(f"{DATA}/query", self._handled(self._query)),
            web.get(f"{DATA}/query/", self._handled(self._query)),
            web.get(f"{DATA}/query/{{cursor}}", self._handled(self._more)),
            web.post(f"{sobjects}/Task", self._handled(self._task)),
            web.post(f"{sobjects}/Task/", self._handled(self._task)),
            web.post(f"{sobjects}/{{kind}}", self._handled(self._insert)),
            web.post(f"{sobjects}/{{kind}}/", self._handled(self._insert)),
            web.get(f"{sobjects}/{{kind}}/{{id}}", self._handled(self._get)),
            web.patch(f"{sobjects}/{{kind}}/{{id}}", self._handled(self._patch)),
            web.patch(f"{sobjects}/{{kind}}/{{field}}/{{value}}", self._handled(self._upsert)),
            web.patch(composite, self._handled(self._update_all)),
            web.patch(f"{composite}/{{kind}}/{{field}}", self._handled(self._upsert_all)),
            web.post(f"{composite}/{{kind}}", self._handled(self._read_all)),
            *(self.desk.routes() if self.desk else ()),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        assert self.desk is not None
        return {
            "crm": "salesforce",
            "url": url,
            "oauth": {
                "grant": "client_credentials",
                "url": f"{url}{self.desk.path}",
                "client_id": self.desk.client_id,
                "client_secret": f"plain:{self.desk.client_secret}",
            },
            "objects": {"order": {"object": self.kind}},
            "options": {"create": {"Name": "Web order", "CloseDate": "2026-12-31"}},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"Order_No__c": key, "StageName": status or self.stages[0]}
        return self._new(self.kind, {"Name": f"Order {key}", **shown, **fields})

    def status(self, entry: Entry) -> str:
        return str(entry.fields["StageName"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"StageName": status})

    def throttled(self, wait: float) -> web.Response:
        concurrent = self.concurrent or wait < 1
        what = "ConcurrentRequests (Concurrent API Requests)" if concurrent else "TotalRequests"
        body = [_error("REQUEST_LIMIT_EXCEEDED", f"{what} Limit exceeded.")]
        return web.json_response(body, status=403)

    def expire(self) -> None:
        if self.desk:
            self.desk.expire()

    def costs(self, request: web.Request) -> Mapping[str, float]:
        return {"daily": 1.0} if request.path.startswith("/services/data") else {}

    # How a call is let in and answered.

    def _handled(self, act: Act) -> Handler:
        def measured(request: web.Request, body: Body) -> web.Response:
            response = act(request, body)
            meter = self.meters.get("daily")
            used = int(meter.used) if meter else 0
            response.headers["Sforce-Limit-Info"] = f"api-usage={used}/{DAILY}"
            return response

        return answering(
            measured,
            check=self._check,
            unreadable=lambda why: _refused(400, "JSON_PARSER_ERROR", why),
        )

    def _check(self, request: web.Request) -> None:
        if self.desk is None or not self.desk.allows(request):
            raise _refused(401, "INVALID_SESSION_ID", "Session expired or invalid")

    # Queries.

    def _query(self, request: web.Request, _: Body) -> web.Response:
        try:
            query = parse(request.query.get("q", ""))
            rows = self._selected(query)
        except MalformedError as error:
            raise _refused(400, "MALFORMED_QUERY", str(error)) from None
        shown = [_shown(entry, query.fields, request) for entry in rows]
        return self._answered(shown, len(shown), request)

    def _selected(self, query: Query) -> Sequence[Entry]:
        _known(query.kind, query.fields)
        found = [entry for entry in self.book.of(query.kind) if query.test(_columns(entry))]
        for name in reversed(query.order):
            found.sort(key=functools.partial(_column, name=name))
        return found[: query.limit]

    def _answered(
        self, rows: Sequence[JsonValue], total: int, request: web.Request
    ) -> web.Response:
        body: dict[str, JsonValue] = {"totalSize": total, "records": list(rows[: self.page])}
        left = rows[self.page :]
        body["done"] = not left
        if left:
            cursor = f"01g{secrets.token_hex(6)}-{total - len(left)}"
            self._cursors[cursor] = left
            version = request.match_info["version"]
            body["nextRecordsUrl"] = f"/services/data/{version}/query/{cursor}"
        return web.json_response(body)

    def _more(self, request: web.Request, _: Body) -> web.Response:
        rows = self._cursors.pop(request.match_info["cursor"], None)
        if rows is None:
            raise _refused(400, "INVALID_QUERY_LOCATOR", "invalid query locator")
        return self._answered(rows, len(rows), request)

    # Collections.

    def _update_all(self, _: web.Request, body: Body) -> web.Response:
        rows = _records(body)
        ids = [str(row.get("id") or row.get("Id")) for row in rows]
        if len(set(ids)) < len(ids):
            raise _refused(400, "INVALID_INPUT", "duplicate id in the list")
        results = list[JsonValue]()
        for row, id_ in zip(rows, ids, strict=True):
            entry = self.book.get(_type(row), id_)
            given = {name: each for name, each in row.items() if name.lower() != "id"}
            results.append(self._saved(entry, given))
        return web.json_response(results)

    def _saved(self, entry: Entry | None, given: Body) -> JsonValue:
        if entry is None:
            return _failed("ENTITY_IS_DELETED", "entity is deleted")
        wrong = self._wrong(entry, given)
        if wrong is not None:
            return wrong
        self.book.update(
            entry, {name: each for name, each in given.items() if name != "attributes"}
        )
        return {"id": entry.id, "success": True, "errors": []}

    def _wrong(self, entry: Entry | None, given: Body) -> JsonValue:
        if entry is not None and entry.id in self.locked:
            return _failed("UNABLE_TO_LOCK_ROW", "unable to obtain exclusive access to this record")
        stage = given.get("StageName", self.stages[0])
        if stage not in self.stages:
            code = "INVALID_OR_NULL_FOR_RESTRICTED_PICKLIST"
            return _failed(code, f"Stage: bad value for restricted picklist field: {stage}")
        if entry is None and not all(given.get(name) for name in ("Name", "CloseDate")):
            return _failed(
                "REQUIRED_FIELD_MISSING", "Required fields are missing: [Name, CloseDate]"
            )
        return None

    def _upsert_all(self, request: web.Request, body: Body) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["field"]
        rows = _records(body)
        if name != "Order_No__c" or any(_type(row) != kind for row in rows):
            raise _refused(400, "INVALID_FIELD", f"{name} is not an external id of {kind}")
        if any("id" in {each.lower() for each in row} for row in rows):
            raise _refused(400, "INVALID_FIELD", "The id is not to be given in an upsert.")
        results = [self._upserted(kind, name, row) for row in rows]
        return web.json_response(results)

    def _upserted(self, kind: str, name: str, row: Body) -> JsonValue:
        found = self.book.where(kind, name, row.get(name))
        if len(found) > 1:
            return _failed("DUPLICATE_EXTERNAL_ID", f"more than one record found for {name}")
        given = {each: value for each, value in row.items() if each != "attributes"}
        wrong = self._wrong(found[0] if found else None, given)
        if wrong is not None:
            return wrong
        if found:
            self.book.update(found[0], given)
        entry = found[0] if found else self._new(kind, {"StageName": self.stages[0], **given})
        return {"id": entry.id, "success": True, "errors": [], "created": not found}

    def _read_all(self, request: web.Request, body: Body) -> web.Response:
        kind, ids, fields = request.match_info["kind"], body.get("ids"), body.get("fields")
        if not isinstance(ids, list) or not isinstance(fields, list):
            raise _refused(400, "JSON_PARSER_ERROR", "ids and fields are lists")
        if not 0 < len(ids) <= MOST_READ:
            raise _refused(400, "INVALID_INPUT", f"at most {MOST_READ} ids")
        names = [str(name) for name in fields]
        _known(kind, names)
        found = [self.book.get(kind, str(each)) for each in ids]
        return web.json_response([one and _shown(one, names, request) for one in found])

    # Single records.

    def _get(self, request: web.Request, _: Body) -> web.Response:
        entry = self._named(request)
        asked = request.query.get("fields")
        names = asked.split(",") if asked else [*SYSTEM, *FIELDS]
        _known(entry.kind, names)
        # Only an Account has an ETag.
        headers = {"ETag": _tag(entry)} if entry.kind == "Account" else {}
        return web.json_response(_shown(entry, ["Id", *names], request), headers=headers)

    def _patch(self, request: web.Request, body: Body) -> web.Response:
        entry, shown = self._named(request), request.headers.get("If-Match")
        if entry.kind == "Account" and shown not in {None, _tag(entry)}:
            raise _refused(412, "PRECONDITION_FAILED", "The record was changed.")
        _typed(entry.kind, body)
        _raise_failed(self._saved(entry, body))
        return web.Response(status=204)

    def _insert(self, request: web.Request, body: Body) -> web.Response:
        kind = request.match_info["kind"]
        _typed(kind, body)
        _raise_failed(self._wrong(None, body))
        entry = self._new(kind, {"StageName": self.stages[0], **body})
        return web.json_response({"id": entry.id, "success": True, "errors": []}, status=201)

    def _upsert(self, request: web.Request, body: Body) -> web.Response:
        kind, name = request.match_info["kind"], request.match_info["field"]
        value, only = request.match_info["value"], request.query.get("updateOnly") == "true"
        if name == "Id":
            raise _refused(404, "NOT_FOUND", "The requested resource does not exist")
        _typed(kind, {name: value, **body})
        found = self.book.where(kind, name, value)
        if len(found) > 1:
            paths = [f"{request.path.partition('/sobjects')[0]}/{one.id}" for one in found]
            raise RefusedCall(300, list[JsonValue](paths))
        if not found and only:
            raise _refused(404, "NOT_FOUND", "The requested resource does not exist")
        result = self._upserted(kind, name, {name: value, **body})
        _raise_failed(result)
        return web.json_response(result, status=200 if found else 201)

    def _task(self, _: web.Request, body: Body) -> web.Response:
        entry = next(
            (one for one in self.book.entries.values() if one.id == body.get("WhatId")), None
        )
        if entry is None:
            raise _refused(400, "INVALID_CROSS_REFERENCE_KEY", "invalid cross reference id")
        if not isinstance(body.get("Subject"), str) or len(str(body["Subject"])) > 255:
            raise _refused(400, "STRING_TOO_LONG", "Subject: data value too large")
        entry.notes.append(str(body.get("Description") or body["Subject"]))
        answer = {"id": f"00T{secrets.token_hex(6)}", "success": True, "errors": []}
        return web.json_response(answer, status=201)

    def _named(self, request: web.Request) -> Entry:
        entry = self.book.get(request.match_info["kind"], request.match_info["id"])
        if entry is None:
            raise _refused(404, "NOT_FOUND", "The requested resource does not exist")
        return entry

    def _new(self, kind: str, fields: Body) -> Entry:
        number = self.book.effects + 1
        given = {"Vip__c": False, **fields}
        return self.book.create(kind, given, id=f"{KINDS[kind]}{number:015d}")


def _records(body: Body) -> Sequence[Body]:
    rows = body.get("records")
    if not isinstance(rows, list) or not rows:
        raise _refused(400, "JSON_PARSER_ERROR", "records is a list")
    if len(rows) > MOST_RECORDS:
        raise _refused(400, "INVALID_INPUT", f"at most {MOST_RECORDS} records")
    found = [row for row in rows if isinstance(row, dict)]
    for row in found:
        plain = {name: each for name, each in row.items() if name.lower() != "id"}
        _typed(_type(row), {name: each for name, each in plain.items() if name != "attributes"})
    return found


def _type(row: Body) -> str:
    match row.get("attributes"):
        case {"type": str(kind)}:
            return kind
        case _:
            raise _refused(400, "INVALID_INPUT", "Include an attributes.type in each record.")


def _known(kind: str, names: Sequence[str]) -> None:
    if kind not in KINDS:
        raise _refused(404, "NOT_FOUND", "The requested resource does not exist")
    for name in names:
        if name not in FIELDS and name not in SYSTEM:
            raise _refused(400, "INVALID_FIELD", f"No such column '{name}' on sobject {kind}")


def _typed(kind: str, given: Body) -> None:
    _known(kind, [name for name in given if name not in SYSTEM])
    for name, value in given.items():
        if name in SYSTEM:
            raise _refused(400, "INVALID_FIELD_FOR_INSERT_UPDATE", f"{name} cannot be written")
        flag = isinstance(value, bool) and bool not in FIELDS[name]
        if flag or not isinstance(value, FIELDS[name]):
            raise _refused(400, "JSON_PARSER_ERROR", f"Cannot deserialize the value of {name}")


def _columns(entry: Entry) -> dict[str, JsonValue]:
    moment = _moment(entry.modified_at)
    system = dict.fromkeys(("LastModifiedDate", "SystemModstamp"), moment)
    blank: dict[str, JsonValue] = dict.fromkeys(FIELDS)
    created = _moment(entry.created_at)
    return {**blank, **entry.fields, "Id": entry.id, "CreatedDate": created, **system}


def _column(entry: Entry, name: str) -> str:
    return str(_columns(entry)[name])


def _shown(entry: Entry, names: Sequence[str], request: web.Request) -> JsonValue:
    columns = _columns(entry)
    path = f"/services/data/{request.match_info['version']}/sobjects/{entry.kind}/{entry.id}"
    attributes: JsonValue = {"type": entry.kind, "url": path}
    # Empty text is kept as nothing.
    shown: dict[str, JsonValue] = {name: columns[name] for name in names}
    own: dict[str, JsonValue] = {"attributes": attributes, "Id": entry.id}
    return {**own, **{name: _value(each) for name, each in shown.items()}}


def _value(value: JsonValue) -> JsonValue:
    """Empty text is nothing; moments are told with their offset."""
    if isinstance(value, str) and re.fullmatch(r"[\d-]{10}T[\d:.]{12}Z", value):
        return value.replace("Z", "+0000")
    return None if value == "" else value


def _tag(entry: Entry) -> str:
    return f'"{entry.id}-{entry.version}--gzip"'


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _raise_failed(result: JsonValue) -> None:
    match result:
        case {"success": False, "errors": [{"statusCode": str(code), "message": str(message)}]}:
            raise _refused(400, code, message)
        case _:
            return


def _failed(code: str, message: str) -> JsonValue:
    return {"success": False, "errors": [{"statusCode": code, "message": message, "fields": []}]}


def _error(code: str, message: str) -> dict[str, JsonValue]:
    return {"message": message, "errorCode": code}


def _refused(status: int, code: str, message: str) -> RefusedCall:
    return RefusedCall(status, [_error(code, message)])
