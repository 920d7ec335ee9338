"""A simulated portal of Bitrix24: crm.item.*, sale.order.*, comments and batches of them.

Shapes and codes: bitrix-tools/b24-rest-docs @2ba8202, 2026-08. It swallows an unknown or read-only
field without a word, finds text whatever its case, puts results in for `$result[…]` inside a
batch, counts requests and the time of each method, and answers a batch 200 whatever became of it.
"""

import json
import re
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from urllib.parse import parse_qsl

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.brackets import nested
from service.sandbox.dialects.meters import Leaky, Rolling
from service.sandbox.dialects.oauth import OAuthDesk

Params = Mapping[str, JsonValue]

BATCH = 50
PAGE = 50
WEBHOOK = "1/abcdef0123456789"
TOLD: Mapping[str, JsonValue] = {
    "expires": 1_769_943_600,
    "scope": "app",
    "domain": "oauth.bitrix24.tech",
    "server_endpoint": "https://oauth.bitrix24.tech/rest/",
    "client_endpoint": "https://acme.bitrix24.com/rest/",
    "member_id": "0123456789abcdef",
    "user_id": 1,
    "status": "L",
}
"""What stands beside a token."""
US, PERSON = 1, 7
OPERATING, WINDOW = 480.0, 600.0
"""Seconds that one method may run in any so many seconds."""
FAMILIES = {1: "item-1", 2: "item-2", 31: "item-31", 177: "item-177"}
READ_ONLY = {
    "id",
    "createdTime",
    "createdBy",
    "updatedTime",
    "updatedBy",
    "movedTime",
    "movedBy",
    "stageSemanticId",
}
PLAIN = ("title", "comments", "sourceId", "sourceDescription", "additionalInfo")
OUTSIDE = ("originId", "originatorId")
OWN = {"UF_CRM_TRACKING": "ufCrmTracking", "UF_CRM_VIP": "ufCrmVip", "UF_CRM_NO": "ufCrmNo"}
ORDER_FIELDS = ("statusId", "xmlId", "comments", "userDescription", "additionalInfo", "price")
REFERENCE = re.compile(r"\$result((?:\[[^\]]+\])+)")
FILTER = re.compile(r"(>=|<=|!=|=|>|<|@|%)?(.+)")
OPERATORS: Mapping[str, Callable[[str, str], bool]] = {
    "": lambda ours, asked: ours == asked,
    "=": lambda ours, asked: ours == asked,
    "!=": lambda ours, asked: ours != asked,
    ">": lambda ours, asked: _ordered(ours) > _ordered(asked),
    ">=": lambda ours, asked: _ordered(ours) >= _ordered(asked),
    "<": lambda ours, asked: _ordered(ours) < _ordered(asked),
    "<=": lambda ours, asked: _ordered(ours) <= _ordered(asked),
    "%": lambda ours, asked: asked in ours,
}


class FaultError(Exception):
    """An error as Bitrix24 tells it."""

    def __init__(self, code: str, why: str, *, status: int = 400) -> None:
        super().__init__(why)
        self.code = code
        self.status = status

    def told(self) -> dict[str, JsonValue]:
        return {"error": self.code, "error_description": str(self)}


class Bitrix24(Dialect):
    """One portal, with deals, leads, invoices, a smart process and a shop."""

    name = "bitrix24"
    stages = ("NEW", "PREPARATION", "FINAL_INVOICE", "WON", "LOSE")
    foreign_stage = "C99:NOWHERE"
    text_field = "ufCrmTracking"
    number_field = "opportunity"
    bool_field = "ufCrmVip"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.meters["requests"] = Leaky(rate=2, size=50)
        self.desk: OAuthDesk = OAuthDesk(
            self.clock,
            path="/oauth/token/",
            method="GET",
            rotating=True,
            grants=("refresh_token",),
            extra=TOLD,
        )
        self.webhook: str | None = WEBHOOK
        self.commands = 0
        """How many methods were run, in batches and alone."""
        self.takes = 0.02
        """Seconds one method runs."""
        self._operating: dict[str, Rolling] = {}
        self._numbered: dict[str, list[Entry]] = {}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            *self.desk.routes(),
            web.post("/rest/{user}/{code}/{method}", self._by_webhook),
            web.post("/rest/{method}", self._by_token),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        oauth: dict[str, JsonValue] = {
            "grant": "refresh_token",
            "url": f"{url}/oauth/token/",
            "client_id": self.desk.client_id,
            "client_secret": f"plain:{self.desk.client_secret}",
            "refresh_token": f"plain:{self.desk.install()}",
        }
        return {"crm": self.name, "url": url, "oauth": oauth, "options": {"user": str(US)}}

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        given = {"originId": key, "originatorId": "orderhook", "stageId": status or "NEW"}
        return self._new(2, {**given, **fields}, by=PERSON)

    def seed_order(self, key: str, *, status: str = "N") -> Entry:
        """An order of the shop."""
        return self._new(14, {"xmlId": key, "statusId": status}, by=PERSON)

    def status(self, entry: Entry) -> str:
        return str(entry.fields["statusId" if entry.kind == "order" else "stageId"])

    def touch(self, entry: Entry, status: str) -> None:
        self._change(entry, {"stageId": status}, by=PERSON)

    def throttled(self, wait: float) -> web.Response:  # noqa: ARG002  # it never says how long
        return _fault(FaultError("QUERY_LIMIT_EXCEEDED", "Too many requests", status=503))

    def expire(self) -> None:
        self.desk.expire()
        self.webhook = None

    def costs(self, request: web.Request) -> Mapping[str, float]:
        return super().costs(request) if request.path.startswith("/rest/") else {}

    # Who calls.

    async def _by_webhook(self, request: web.Request) -> web.Response:
        shown = f"{request.match_info['user']}/{request.match_info['code']}"
        if shown != self.webhook:
            return _fault(FaultError("NO_AUTH_FOUND", "Wrong authorization data", status=401))
        return self._answered(request.match_info["method"], await _params(request))

    async def _by_token(self, request: web.Request) -> web.Response:
        params = await _params(request)
        token = params.get("auth", "")
        if not isinstance(token, str) or not token.startswith("access-"):
            return _fault(FaultError("NO_AUTH_FOUND", "Wrong authorization data", status=401))
        if not self.desk.knows(token):
            why = "The access token provided has expired."
            return _fault(FaultError("expired_token", why, status=401))
        return self._answered(request.match_info["method"], params)

    def _answered(self, name: str, params: Params) -> web.Response:
        # Upper and lower case are one: their own client calls crm.item.List.
        method = name.removesuffix(".json").lower()
        try:
            if method == "batch":
                return web.json_response({"result": self._batch(params), "time": _time()})
            result, more = self._run(method, params)
        except FaultError as error:
            return _fault(error)
        return web.json_response({"result": result, **more, "time": self._time(method)})

    # What is called.

    def _batch(self, params: Params) -> dict[str, JsonValue]:
        lines = params.get("cmd")
        if isinstance(lines, list):
            lines = {str(number): line for number, line in enumerate(lines)}
        if not isinstance(lines, dict):
            raise FaultError("ERROR_ARGUMENT", "Argument 'cmd' is null or empty")
        result: dict[str, JsonValue] = {}
        errors: dict[str, JsonValue] = {}
        totals: dict[str, JsonValue] = {}
        times: dict[str, JsonValue] = {}
        for number, (key, line) in enumerate(lines.items()):
            try:
                method, given = _command(line, result, number)
                result[key], more = self._run(method, given)
            except FaultError as error:
                errors[key] = error.told()
                if str(params.get("halt", "0")).lower() in {"1", "true"}:
                    break
            else:
                totals |= {key: more["total"]} if "total" in more else {}
                times[key] = self._time(method)
        return {
            "result": _php(result),
            "result_error": _php(errors),
            "result_total": _php(totals),
            "result_next": [],
            "result_time": _php(times),
        }

    def _run(self, method: str, params: Params) -> tuple[JsonValue, dict[str, JsonValue]]:
        """The result of a method, and what stands beside it."""
        methods: Mapping[str, Callable[[Params], JsonValue]] = {
            "crm.item.get": lambda given: {"item": self._shown(self._item(given), given)},
            "crm.item.update": self._update,
            "crm.item.add": self._add,
            "sale.order.get": lambda given: {"order": _order(self._order(given))},
            "sale.order.update": self._update_order,
            "crm.timeline.comment.add": self._comment,
        }
        lists: Mapping[str, Callable[[Params], tuple[JsonValue, dict[str, JsonValue]]]] = {
            "crm.item.list": self._list,
            "sale.order.list": self._list_orders,
        }
        if method not in methods and method not in lists:
            raise FaultError("ERROR_METHOD_NOT_FOUND", "Method not found!", status=404)
        self._meter(method)
        return lists[method](params) if method in lists else (methods[method](params), {})

    def _meter(self, method: str) -> None:
        meter = self._operating.setdefault(method, Rolling(count=OPERATING, seconds=WINDOW))
        if meter.take(self.takes, at=self.clock().timestamp()) > 0:
            why = "Method is blocked due to operation time limit."
            raise FaultError("OPERATION_TIME_LIMIT", why, status=429)
        self.commands += 1

    def _time(self, method: str) -> JsonValue:
        meter = self._operating[method]
        reset = int((meter.oldest or self.clock().timestamp()) + WINDOW)
        return {**_time(), "operating": meter.level, "operating_reset_at": reset}

    # Items.

    def _item(self, params: Params) -> Entry:
        number = _number(params, "id")
        entry = self.book.get(_family(params), str(number))
        if entry is None:
            raise FaultError("NOT_FOUND", "Элемент не найден")
        return entry

    def _update(self, params: Params) -> JsonValue:
        entry, fields = self._item(params), _fields(params)
        if "id" in fields:
            why = "Setting value for Primary ID is not allowed, it is read-only field"
            raise FaultError("0", why)
        self._change(entry, self._taken(entry.kind, fields, params), by=US)
        return {"item": self._shown(entry, params)}

    def _add(self, params: Params) -> JsonValue:
        family = _family(params)
        taken = self._taken(family, _fields(params), params)
        entry = self._new(int(family.removeprefix("item-")), {"stageId": "NEW", **taken}, by=US)
        return {"item": self._shown(entry, params)}

    def _taken(self, family: str, fields: Params, params: Params) -> dict[str, JsonValue]:
        """The fields it knows; all others are dropped without a word."""
        names = OWN if params.get("useOriginalUfNames") == "Y" else dict.fromkeys(OWN.values())
        own = {names[name] or name: value for name, value in fields.items() if name in names}
        given = {name: value for name, value in fields.items() if not name.startswith("ufCrm")}
        given |= own
        known = {*PLAIN, "stageId", "categoryId", "opportunity", *OWN.values()}
        known |= set(OUTSIDE) if family in {"item-1", "item-2"} else {"xmlId"}
        return {
            name: self._value(name, value)
            for name, value in given.items()
            if name in known - READ_ONLY
        }

    def _value(self, name: str, value: JsonValue) -> JsonValue:
        if name == "stageId" and value not in self.stages:
            why = f'Неверное значение поля "{name}"'
            raise FaultError("CRM_FIELD_ERROR_VALUE_NOT_VALID", why)
        if name == "ufCrmVip":
            return "Y" if value in {True, "true", "y", "Y"} else "N"
        if name == "opportunity":
            return _float(name, value)
        return str(value)

    def _shown(self, entry: Entry, params: Params) -> JsonValue:
        names = ("title", "stageId", "categoryId", "opportunity", *PLAIN, *OWN.values())
        outside = OUTSIDE if entry.kind in {"item-1", "item-2"} else ("xmlId",)
        item: dict[str, JsonValue] = {
            "id": int(entry.id),
            "createdTime": entry.created_at.isoformat(timespec="seconds"),
            "updatedTime": entry.modified_at.isoformat(timespec="seconds"),
            **{name: entry.fields.get(name) for name in (*names, *outside, "updatedBy")},
            "entityTypeId": int(entry.kind.removeprefix("item-")),
        }
        if params.get("useOriginalUfNames") == "Y":
            back = {ours: theirs for theirs, ours in OWN.items()}
            return {back.get(name, name): value for name, value in item.items()}
        return item

    def _list(self, params: Params) -> tuple[JsonValue, dict[str, JsonValue]]:
        shown = [self._shown(entry, params) for entry in self._near(_family(params), params)]
        rows, more = _page([row for row in shown if isinstance(row, dict)], params)
        return {"items": [_selected(row, params) for row in rows]}, more

    # Orders of the shop.

    def _order(self, params: Params) -> Entry:
        entry = self.book.get("order", str(_number(params, "id")))
        if entry is None:
            raise FaultError("200540400001", "order is not exists")
        return entry

    def _update_order(self, params: Params) -> JsonValue:
        entry, fields = self._order(params), _fields(params)
        if fields.get("statusId", "N") not in {"N", "P", "S", "F"}:
            raise FaultError("0", "Status is not found")
        taken = {name: value for name, value in fields.items() if name in ORDER_FIELDS}
        self._change(entry, taken, by=US)
        return {"order": _order(entry)}

    def _list_orders(self, params: Params) -> tuple[JsonValue, dict[str, JsonValue]]:
        rows, more = _page([_order(entry) for entry in self._near("order", params)], params)
        return {"orders": [_selected(row, params) for row in rows]}, more

    # Comments, and changes.

    def _comment(self, params: Params) -> JsonValue:
        fields = _fields(params)
        kinds = {"deal": "item-2", "lead": "item-1", "order": "order"}
        named = str(fields.get("ENTITY_TYPE", ""))
        family = kinds.get(named, f"item-{named.removeprefix('dynamic_')}")
        entry = self.book.get(family, str(fields.get("ENTITY_ID", "")))
        if entry is None:
            raise FaultError("ERROR_CORE", "Owner was not found")
        if not fields.get("COMMENT"):
            raise FaultError("ERROR_CORE", "Empty comment message")
        entry.notes.append(str(fields["COMMENT"]))
        self.book.effects += 1
        return 900 + sum(len(each.notes) for each in self.book.entries.values())

    def _new(self, number: int, fields: Mapping[str, JsonValue], *, by: int) -> Entry:
        kind = "order" if number == 14 else f"item-{number}"
        entry = self.book.create(kind, {**fields, "updatedBy": by})
        self._index(entry, fields)
        return entry

    def _change(self, entry: Entry, fields: Mapping[str, JsonValue], *, by: int) -> None:
        """If nothing differs there is no saving (page crm.item.update)."""
        if self.book.update(entry, fields):
            entry.fields["updatedBy"] = by
            self._index(entry, fields)

    def _index(self, entry: Entry, fields: Mapping[str, JsonValue]) -> None:
        for name in ("originId", "xmlId"):
            if name in fields:
                self._numbered.setdefault(_place(entry.kind, fields[name]), []).append(entry)

    def _near(self, family: str, params: Params) -> list[Entry]:
        """The records a filter can mean at all: an order number is looked up, as theirs is."""
        given = params.get("filter")
        asked = given if isinstance(given, dict) else {}
        for name in ("=originId", "=xmlId"):
            if name in asked:
                found = self._numbered.get(_place(family, asked[name]), [])
                there = {entry.id: entry for entry in found}
                return [one for one in there.values() if self.book.get(family, one.id) is one]
        after = int(str(asked.get(">id", 0)))
        return [entry for entry in self.book.of(family) if int(entry.id) > after]


def _command(line: JsonValue, result: Params, number: int) -> tuple[str, Params]:
    if number >= BATCH:
        raise FaultError("ERROR_BATCH_LENGTH_EXCEEDED", "Max batch length exceeded")
    name, _, text = str(line).partition("?")
    method = name.lower()
    if method == "batch":
        why = "Method is not allowed for batch usage"
        raise FaultError("ERROR_BATCH_METHOD_NOT_ALLOWED", why, status=405)
    filled = _filled(nested(text), result)
    return method, filled if isinstance(filled, dict) else {}


def _filled(value: JsonValue, result: Params) -> JsonValue:
    """Put earlier results in for references, wherever they came from."""
    match value:
        case str():
            return REFERENCE.sub(lambda match: _referred(match[1], result), value)
        case list():
            return [_filled(each, result) for each in value]
        case dict():
            return {name: _filled(each, result) for name, each in value.items()}
        case _:
            return value


def _referred(path: str, result: Params) -> str:
    found: JsonValue = dict(result)
    for key in re.findall(r"\[([^\]]+)\]", path):
        if isinstance(found, list):
            found = found[int(key)] if key.isdigit() and int(key) < len(found) else None
        else:
            found = found.get(key) if isinstance(found, dict) else None
    return "" if found is None or isinstance(found, dict | list) else str(found)


async def _params(request: web.Request) -> Params:
    """A body of JSON, or a form in PHP's brackets."""
    text = await request.text()
    if request.content_type == "application/json":
        try:
            body = json.loads(text or "{}")
        except ValueError:
            return {}
        return body if isinstance(body, dict) else {}
    return nested(text) | dict(parse_qsl(request.query_string))


def _family(params: Params) -> str:
    family = FAMILIES.get(_number(params, "entityTypeId"))
    if family is None:
        raise FaultError("NOT_FOUND", "Смарт-процесс не найден")
    return family


def _number(params: Params, name: str) -> int:
    text = str(params.get(name, ""))
    if not text.isdigit():
        raise FaultError("100", f"Could not find value for parameter {{{name}}}")
    return int(text)


def _fields(params: Params) -> dict[str, JsonValue]:
    fields = params.get("fields")
    if not isinstance(fields, dict) or not fields:
        raise FaultError("100", "Could not find value for parameter {fields}")
    return fields


def _float(name: str, value: JsonValue) -> float:
    try:
        return float(str(value))
    except ValueError:
        why = f'Неверное значение поля "{name}"'
        raise FaultError("CRM_FIELD_ERROR_VALUE_NOT_VALID", why) from None


def _order(entry: Entry) -> dict[str, JsonValue]:
    return {
        "id": int(entry.id),
        "accountNumber": entry.id,
        "dateInsert": entry.created_at.isoformat(timespec="seconds"),
        "dateUpdate": entry.modified_at.isoformat(timespec="seconds"),
        **{name: entry.fields.get(name, "") for name in ORDER_FIELDS},
    }


def _page(
    rows: list[dict[str, JsonValue]], params: Params
) -> tuple[list[dict[str, JsonValue]], dict[str, JsonValue]]:
    """Fifty rows, filtered and sorted; counted unless `start` is -1."""
    given = params.get("filter")
    asked = given if isinstance(given, dict) else {}
    found = [row for row in rows if all(_meets(row, name, asked[name]) for name in asked)]
    order = params.get("order")
    for name, way in reversed(list(order.items()) if isinstance(order, dict) else []):
        found.sort(key=lambda row: _ordered(_text(row.get(name))), reverse=way == "DESC")
    start = int(str(params.get("start") or 0))
    if start == -1:
        return found[:PAGE], {}
    more: dict[str, JsonValue] = {"total": len(found)}
    if start + PAGE < len(found):
        more["next"] = start + PAGE
    return found[start : start + PAGE], more


def _meets(row: Params, name: str, asked: JsonValue) -> bool:
    match = FILTER.fullmatch(name)
    operator, field = (match[1] or "", match[2]) if match else ("", name)
    if field not in row:
        raise FaultError("INVALID_ARG_VALUE", f"Invalid filter: field '{field}' is not allowed")
    # As their database compares: without upper and lower case, without trailing blanks.
    ours = _text(row[field]).rstrip().casefold()
    values = asked if isinstance(asked, list) else [asked]
    check = OPERATORS["=" if operator == "@" else operator]
    return any(check(ours, _text(value).rstrip().casefold()) for value in values)


def _selected(row: dict[str, JsonValue], params: Params) -> JsonValue:
    """The fields that were asked for; a name that is none is dropped."""
    names = params.get("select")
    if not isinstance(names, list) or not names or "*" in names:
        return row
    return {name: value for name, value in row.items() if name in names}


def _text(value: JsonValue) -> str:
    return "" if value is None else str(value)


def _ordered(text: str) -> tuple[float, str]:
    """Numbers by their size, moments by their time, all else as text."""
    if text.replace(".", "", 1).isdigit():
        return float(text), ""
    try:
        return datetime.fromisoformat(text.upper()).timestamp(), ""
    except ValueError:
        return 0.0, text


def _place(family: str, number: JsonValue) -> str:
    return f"{family}/{_text(number).rstrip().casefold()}"


def _php(found: dict[str, JsonValue]) -> JsonValue:
    """An empty array of PHP is a list."""
    return found or []


def _time() -> dict[str, JsonValue]:
    now = time.time()
    date = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    spans: dict[str, JsonValue] = {"start": now, "finish": now, "duration": 0.01}
    return {**spans, "processing": 0.01, "date_start": date, "date_finish": date}


def _fault(error: FaultError) -> web.Response:
    return web.json_response(error.told(), status=error.status)
