"""A simulated HubSpot account: calls of the CRM API v3 come in, orders and their notes change.

As the public API specifications (roll-out 424, 2026-08), the change log and hubspot-api-client
12.0.0 say (catalogue of 2026-11). UNVERIFIED: the words of errors inside of batches, policyName,
how values that are no option are refused, and the association type of notes to orders.
"""

import functools
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal, InvalidOperation

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.jsoncalls import Act, Body, Handler, RefusedCall, answering
from service.sandbox.dialects.meters import Rolling
from service.sandbox.dialects.oauth import OAuthDesk

KEY = "merchant_order_no"
STAGE = "hs_pipeline_stage"
CHANGED = "hs_lastmodifieddate"
NOTE = 850
"""The association type this account gives a note of an order."""
MOST_INPUTS = 100
MOST_ROWS = 200
MOST_FOUND = 10_000
PROPERTIES = {
    KEY: "string",
    STAGE: "enumeration",
    "hs_pipeline": "string",
    "hs_order_name": "string",
    "tracking": "string",
    "total": "number",
    "vip": "bool",
}
SCHEMAS = {
    "update": {"id", "idProperty", "properties", "objectWriteTraceId"},
    "upsert": {"id", "idProperty", "properties", "objectWriteTraceId"},
    "read": {"id"},
}


class HubSpot(Dialect):
    name = "hubspot"
    stages = ("open", "paid", "shipped", "delivered", "cancelled")
    unique = True
    whole = False
    """A batch with a bad row is refused as a whole, instead of in part."""
    policy = ""
    """Which limit the next refusals name, instead of what they mean."""

    def __init__(self, *, clock: Clock | None = None, oauth: bool = False) -> None:
        super().__init__(clock=clock)
        self.token = f"pat-eu1-{secrets.token_hex(16)}"
        if oauth:
            self.desk = OAuthDesk(
                self.clock,
                path="/oauth/v1/token",
                lifetime=timedelta(minutes=30),
                grants=("refresh_token",),
            )
        self._numbered: dict[tuple[str, str], Entry] = {}
        """Where a number was last found; it may have been changed since."""
        self.meters = {
            "requests": Rolling(count=190, seconds=10),
            "search": Rolling(count=4, seconds=1),
            **({} if oauth else {"daily": Rolling(count=650_000, seconds=86_400)}),
        }

    def routes(self) -> Sequence[web.RouteDef]:
        objects = "/crm/v3/objects/{object}"
        return [
            web.post("/crm/v3/objects/notes", self._handled(self._note)),
            web.post(f"{objects}/batch/read", self._handled(self._batch_read)),
            web.post(f"{objects}/batch/update", self._handled(self._batch_update)),
            web.post(f"{objects}/batch/upsert", self._handled(self._batch_upsert)),
            web.post(f"{objects}/search", self._handled(self._search)),
            web.get(f"{objects}/{{id}}", self._handled(self._get)),
            web.patch(f"{objects}/{{id}}", self._handled(self._patch)),
            *(self.desk.routes() if self.desk else ()),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        table: dict[str, JsonValue] = {
            "crm": "hubspot",
            "url": url,
            "options": {"note_association": NOTE},
        }
        if self.desk is None:
            return {**table, "token": f"plain:{self.token}"}
        oauth: JsonValue = {
            "grant": "refresh_token",
            "url": f"{url}{self.desk.path}",
            "client_id": self.desk.client_id,
            "client_secret": f"plain:{self.desk.client_secret}",
            "refresh_token": f"plain:{self.desk.install()}",
        }
        return {**table, "oauth": oauth}

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {KEY: key, STAGE: status or self.stages[0]}
        entry = self.book.create("orders", {**shown, **fields})
        self._numbered.setdefault(("orders", key), entry)
        return entry

    def status(self, entry: Entry) -> str:
        return str(entry.fields[STAGE])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {STAGE: status})

    def throttled(self, wait: float) -> web.Response:
        short = "TEN_SECONDLY_ROLLING" if wait > 1 else "SECONDLY"
        policy = self.policy or ("DAILY" if wait > 60 else short)
        body = {
            "status": "error",
            "message": f"You have reached your {policy.lower()} limit.",
            "errorType": "RATE_LIMIT",
            "category": "RATE_LIMITS",
            "correlationId": _correlation(),
            "policyName": policy,
        }
        return web.json_response(body, status=429)

    def expire(self) -> None:
        self.token = f"pat-eu1-{secrets.token_hex(16)}"
        if self.desk:
            self.desk.expire()

    def costs(self, request: web.Request) -> Mapping[str, float]:
        if self.desk and request.path == self.desk.path:
            return {}
        searching = request.path.endswith("/search")
        return {name: 1.0 for name in self.meters if name != "search" or searching}

    # How a call is let in and answered.

    def _handled(self, act: Act) -> Handler:
        return answering(
            self._limited(act),
            check=self._check,
            unreadable=lambda why: _refused(400, "VALIDATION_ERROR", f"Invalid input JSON: {why}"),
        )

    def _limited(self, act: Act) -> Act:
        def limited(request: web.Request, body: Body) -> web.Response:
            response = act(request, body)
            # Search answers carry no headers of limits.
            if not request.path.endswith("/search"):
                for name, value in self._headers().items():
                    response.headers[f"X-HubSpot-RateLimit-{name}"] = value
            return response

        return limited

    def _headers(self) -> Mapping[str, str]:
        used = int(self.meters["requests"].used) if "requests" in self.meters else 0
        headers = {
            "Interval-Milliseconds": "10000",
            "Max": "190",
            "Remaining": str(max(0, 190 - used % 190)),
            "Secondly": "19",
            "Secondly-Remaining": "18",
        }
        if "daily" in self.meters:
            left = 650_000 - int(self.meters["daily"].used)
            headers |= {"Daily": "650000", "Daily-Remaining": str(left)}
        return headers

    def _check(self, request: web.Request) -> None:
        header = request.headers.get("Authorization", "")
        if self.desk is not None and self.desk.allows(request):
            return
        if self.desk is None and header == f"Bearer {self.token}":
            return
        category = "EXPIRED_AUTHENTICATION" if self.desk else "INVALID_AUTHENTICATION"
        raise _refused(401, category, "Authentication credentials not found.")

    # Batches.

    def _batch_read(self, request: web.Request, body: Body) -> web.Response:
        kind, inputs = _kind(request), _inputs(body, "read")
        by = body.get("idProperty")
        if by is not None and by != KEY:
            raise _refused(400, "VALIDATION_ERROR", f"{by} is not a unique property")
        for name in ("properties", "propertiesWithHistory"):
            if not isinstance(body.get(name), list):
                raise _refused(
                    400, "VALIDATION_ERROR", f"Some required fields were not set: {name}"
                )
        found, missing = list[Entry](), list[str]()
        for each in inputs:
            entry = self._entry(kind, str(each["id"]), by=by)
            if entry is None:
                missing.append(str(each["id"]))
            else:
                found.append(entry)
        errors = [_missing(missing)] if missing else []
        return self._batch([_shown(one, body.get("properties")) for one in found], errors)

    def _batch_update(self, request: web.Request, body: Body) -> web.Response:
        return self._batch_write(request, body, "update")

    def _batch_upsert(self, request: web.Request, body: Body) -> web.Response:
        return self._batch_write(request, body, "upsert")

    def _batch_write(self, request: web.Request, body: Body, verb: str) -> web.Response:
        kind, inputs = _kind(request), _inputs(body, verb)
        entries = [self._entry(kind, str(row["id"]), by=row.get("idProperty")) for row in inputs]
        refusals = [
            _refusal(row, entry, verb, self.stages)
            for row, entry in zip(inputs, entries, strict=True)
        ]
        bad = [one for one in refusals if one is not None]
        traces = [row.get("objectWriteTraceId") for row in inputs]
        if bad and (self.whole or None in traces or len(set(map(str, traces))) < len(traces)):
            first = bad[0]
            raise _refused(400, str(first["category"]), str(first["message"]))
        results = list[JsonValue]()
        for row, entry, refusal in zip(inputs, entries, refusals, strict=True):
            if refusal is None:
                results.append(self._written(kind, row, entry))
        return self._batch(results, bad)

    def _written(self, kind: str, row: Body, entry: Entry | None) -> JsonValue:
        given = row["properties"]
        assert isinstance(given, dict)
        new = entry is None
        if entry is None:
            entry = self.book.create(kind, {KEY: row["id"], STAGE: self.stages[0], **given})
        else:
            self.book.update(entry, given)
        shown = _shown(entry, list(given))
        trace = row.get("objectWriteTraceId")
        return {**shown, "new": new, **({} if trace is None else {"objectWriteTraceId": trace})}

    def _batch(self, results: Sequence[JsonValue], errors: Sequence[JsonValue]) -> web.Response:
        now = _iso(self.clock())
        body: dict[str, JsonValue] = {
            "status": "COMPLETE",
            "results": list(results),
            "startedAt": now,
            "completedAt": now,
        }
        if errors:
            body |= {"numErrors": len(errors), "errors": list(errors)}
        return web.json_response(body, status=207 if errors else 200)

    def _entry(self, kind: str, id: str, *, by: JsonValue) -> Entry | None:  # noqa: A002
        if by is None:
            return self.book.get(kind, id)
        known = self._numbered.get((kind, id))
        if known and known.fields.get(KEY) == id and self.book.get(kind, known.id) is known:
            return known
        found = next(iter(self.book.where(kind, KEY, id)), None)
        if found:
            self._numbered[kind, id] = found
        return found

    # Single records, search and notes.

    def _get(self, request: web.Request, _: Body) -> web.Response:
        entry = self._named(request)
        names: list[JsonValue] = [
            name for name in request.query.get("properties", "").split(",") if name
        ]
        return web.json_response(_shown(entry, names))

    def _patch(self, request: web.Request, body: Body) -> web.Response:
        entry = self._named(request)
        refusal = _refusal({"id": entry.id, **body}, entry, "update", self.stages)
        if refusal is not None:
            raise _refused(400, str(refusal["category"]), str(refusal["message"]))
        given = body["properties"]
        assert isinstance(given, dict)
        self.book.update(entry, given)
        return web.json_response(_shown(entry, list(given)))

    def _named(self, request: web.Request) -> Entry:
        by = request.query.get("idProperty")
        entry = self._entry(_kind(request), request.match_info["id"], by=by)
        if entry is None:
            raise _refused(404, "OBJECT_NOT_FOUND", "Object not found.")
        return entry

    def _search(self, request: web.Request, body: Body) -> web.Response:
        limit, after = body.get("limit", 10), body.get("after") or 0
        if not isinstance(limit, int) or not 0 < limit <= MOST_ROWS:
            raise _refused(400, "VALIDATION_ERROR", f"limit must be at most {MOST_ROWS}")
        start = int(str(after))
        if start + limit > MOST_FOUND:
            raise _refused(400, "VALIDATION_ERROR", "The search is limited to 10000 rows.")
        tests = [_test(one) for one in _filters(body)]
        kind = _kind(request)
        found = [one for one in self.book.of(kind) if all(test(one) for test in tests)]
        sorts = body.get("sorts")
        for sort in reversed(sorts if isinstance(sorts, list) else []):
            name = str(sort.get("propertyName") if isinstance(sort, dict) else sort)
            found.sort(key=functools.partial(_compared, name=name))
        page = found[start : start + limit]
        results: list[JsonValue] = [_shown(one, body.get("properties")) for one in page]
        answer: dict[str, JsonValue] = {"total": len(found), "results": results}
        if len(found) > start + limit:
            answer["paging"] = {"next": {"after": str(start + limit)}}
        return web.json_response(answer)

    def _note(self, _: web.Request, body: Body) -> web.Response:
        properties, associations = body.get("properties"), body.get("associations")
        if not isinstance(properties, dict) or not isinstance(associations, list):
            raise _refused(400, "VALIDATION_ERROR", "properties and associations are required")
        if "hs_timestamp" not in properties:
            raise _refused(400, "VALIDATION_ERROR", "Property hs_timestamp is required")
        for one in associations:
            self._associated(one).notes.append(str(properties.get("hs_note_body", "")))
        shown = {"id": secrets.token_hex(4), "properties": properties, "archived": False}
        return web.json_response(shown, status=201)

    def _associated(self, one: JsonValue) -> Entry:
        match one:
            case {"to": {"id": str(id)}, "types": [{"associationTypeId": 850, **more}]} if more == {
                "associationCategory": "HUBSPOT_DEFINED"
            }:
                entry = self.book.get("orders", id)
            case _:
                raise _refused(400, "VALIDATION_ERROR", "invalid association")
        if entry is None:
            raise _refused(404, "OBJECT_NOT_FOUND", "Object to associate not found.")
        return entry


def _kind(request: web.Request) -> str:
    kind = request.match_info["object"]
    if kind not in {"orders", "deals", "tickets"}:
        raise _refused(404, "NOT_FOUND", f"Unable to infer object type from: {kind}")
    return kind


def _inputs(body: Body, verb: str) -> Sequence[Body]:
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise _refused(400, "VALIDATION_ERROR", "inputs must not be empty")
    if len(inputs) > MOST_INPUTS:
        raise _refused(400, "VALIDATION_ERROR", f"inputs: at most {MOST_INPUTS}")
    rows = [row for row in inputs if isinstance(row, dict) and isinstance(row.get("id"), str)]
    if len(rows) < len(inputs) or any(not row.keys() <= SCHEMAS[verb] for row in rows):
        raise _refused(400, "VALIDATION_ERROR", "Invalid input JSON: an input is not as specified")
    if len({(row.get("idProperty"), row["id"]) for row in rows}) < len(rows):
        raise _refused(400, "VALIDATION_ERROR", "Duplicate IDs found in batch input")
    for row in rows:
        if row.get("idProperty") not in {None, KEY}:
            raise _refused(400, "VALIDATION_ERROR", "idProperty is not a unique property")
        if verb == "upsert" and row.get("idProperty") is None:
            raise _refused(400, "VALIDATION_ERROR", "idProperty is required")
    return rows


def _refusal(
    row: Body, entry: Entry | None, verb: str, stages: Sequence[str]
) -> dict[str, JsonValue] | None:
    """Why a row cannot be written, in the vendor's words."""
    trace = row.get("objectWriteTraceId")
    context: dict[str, JsonValue] = {} if trace is None else {"objectWriteTraceId": [trace]}
    if entry is None and verb == "update":
        return {**_missing([str(row["id"])]), "context": {"ids": [row["id"]], **context}}
    why = _wrong(row.get("properties"), stages)
    if why is None:
        return None
    return {
        "status": "error",
        "category": "VALIDATION_ERROR",
        "message": f"Property values were not valid: {why}",
        "context": context,
    }


def _wrong(properties: JsonValue, stages: Sequence[str]) -> str | None:
    if not isinstance(properties, dict):
        return "properties is required"
    for name, value in properties.items():
        if name not in PROPERTIES:
            return f'Property "{name}" does not exist'
        if not isinstance(value, str):
            return f"{name} is not a string"
        if not _fits(PROPERTIES[name], value, stages):
            return f"{value} was not one of the allowed options of {name}"
    return None


def _fits(kind: str, value: str, stages: Sequence[str]) -> bool:
    match kind:
        case "number":
            try:
                return value == "" or Decimal(value).is_finite()
            except InvalidOperation:
                return False
        case "bool":
            return value in {"true", "false", ""}
        case "enumeration":
            return value in stages
        case _:
            return True


def _missing(ids: Sequence[str]) -> dict[str, JsonValue]:
    return {
        "status": "error",
        "category": "OBJECT_NOT_FOUND",
        "message": "Could not get some ORDER objects, they may be deleted or not exist.",
        "context": {"ids": list(ids)},
    }


def _shown(entry: Entry, names: JsonValue) -> dict[str, JsonValue]:
    wanted = [name for name in names if isinstance(name, str)] if isinstance(names, list) else []
    own = {
        "hs_object_id": entry.id,
        "hs_createdate": _iso(entry.created_at),
        CHANGED: _iso(entry.modified_at),
    }
    known = {**entry.fields, **own}
    properties: dict[str, JsonValue] = {name: known.get(name) for name in wanted}
    return {
        "id": entry.id,
        "properties": {**properties, **own},
        "createdAt": _iso(entry.created_at),
        "updatedAt": _iso(entry.modified_at),
        "archived": False,
    }


def _filters(body: Body) -> Sequence[Body]:
    groups = body.get("filterGroups")
    match groups:
        case None | []:
            return []
        case [{"filters": [*filters]}]:
            return [one for one in filters if isinstance(one, dict)]
        case _:
            raise _refused(400, "VALIDATION_ERROR", "This sandbox takes one group of filters.")


def _test(one: Body) -> Callable[[Entry], bool]:
    name, operator, value = str(one.get("propertyName")), one.get("operator"), one.get("value")
    values = one.get("values")
    if operator == "IN" and isinstance(values, list) and 0 < len(values) <= MOST_INPUTS:
        # Values are compared as they stand with text in lower case.
        wanted = {(0, str(each)) for each in values}
        return lambda entry: _compared(entry, name) in wanted
    if not isinstance(value, str):
        raise _refused(400, "VALIDATION_ERROR", f"{name} needs a value")
    number = name in {CHANGED, "hs_object_id"}
    other = (int(value), "") if number else (0, value.lower())
    match operator:
        case "EQ":
            return lambda entry: _compared(entry, name) == other
        case "GT":
            return lambda entry: _compared(entry, name) > other
        case "GTE":
            return lambda entry: _compared(entry, name) >= other
        case _:
            raise _refused(400, "VALIDATION_ERROR", f"{operator} is not an operator here")


def _compared(entry: Entry, name: str) -> tuple[int, str]:
    """Moments are compared in milliseconds, ids as numbers, text without its case."""
    match name:
        case "hs_object_id":
            return int(entry.id), ""
        case "hs_lastmodifieddate":
            passed = entry.modified_at - datetime(1970, 1, 1, tzinfo=UTC)
            return passed // timedelta(milliseconds=1), ""
        case _:
            return 0, str(entry.fields.get(name) or "").lower()


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _correlation() -> str:
    return secrets.token_hex(16)


def _refused(status: int, category: str, message: str) -> RefusedCall:
    body: JsonValue = {
        "status": "error",
        "message": message,
        "correlationId": _correlation(),
        "category": category,
    }
    return RefusedCall(status, body)
