"""A simulated RetailCRM: orders of API v5 come in as forms that hold JSON, and change.

Shapes and messages: retailcrm/api-client-php @8946611 of 2026-04-29 and its tests; issues 14 of the
Python client and 44 of the PHP client. A body of JSON is no form, so nothing is found in it; an
unknown custom field is dropped without a word (UNVERIFIED); too many requests are a 503.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.brackets import nested
from service.sandbox.dialects.meters import Rolling

KEY = "key-of-orderhook"
SITE = "main-shop"
PAGES = (20, 50, 100, 250)
PLAIN = {"externalId", "number", "status", "statusComment", "managerComment", "customFields"}
OWN: Mapping[str, type | tuple[type, ...]] = {
    "tracking": str,
    "total": (int, float),
    "vip": bool,
}
ZONE = timedelta(hours=3)
"""Times are told in the account's own time zone, without saying so."""
Fault = Mapping[str, JsonValue]


class RetailCrm(Dialect):
    """One account with one shop."""

    name = "retailcrm"
    stages = ("new", "prepayed", "assembling", "complete", "cancel-other")
    foreign_stage = "no-such-status"
    unique = True
    text_field = "customFields.tracking"
    number_field = "customFields.total"
    bool_field = "customFields.vip"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.meters["requests"] = Rolling(count=10, seconds=1)
        self.key: str | None = KEY
        self.history: list[dict[str, JsonValue]] = []
        self._numbered: dict[str, Entry] = {}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/api/v5/orders", self._list),
            web.get("/api/v5/orders/history", self._history),
            web.post("/api/v5/orders/create", self._create),
            web.get("/api/v5/orders/{name}", self._get),
            web.post("/api/v5/orders/{name}/edit", self._edit),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {"crm": self.name, "url": url, "token": f"plain:{KEY}", "options": {"site": SITE}}

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        given = {"externalId": key, "status": status or self.stages[0]}
        return self._new({**given, **fields}, by_us=False)

    def status(self, entry: Entry) -> str:
        return str(entry.fields["status"])

    def touch(self, entry: Entry, status: str) -> None:
        self._change(entry, {"status": status}, by_us=False)

    def throttled(self, wait: float) -> web.Response:  # noqa: ARG002  # it never says how long
        return _refused(503, "API request limit exceeded")

    def expire(self) -> None:
        self.key = None

    # Reading.

    async def _list(self, request: web.Request) -> web.Response:
        if (bad := self._stranger(request)) is not None:
            return bad
        asked = nested(request.rel_url.raw_query_string)
        limit, page = _count(asked.get("limit"), 20), _count(asked.get("page"), 1)
        if limit not in PAGES[:3]:
            return _refused(400, "Errors in the input parameters", {"limit": "Not a choice."})
        found = self._meant(_table(asked.get("filter")))
        shown: list[JsonValue] = [_shown(entry) for entry in found[(page - 1) * limit :][:limit]]
        body = {"success": True, "pagination": _pages(len(found), limit, page), "orders": shown}
        return web.json_response(body)

    def _meant(self, by: Mapping[str, JsonValue]) -> list[Entry]:
        if "externalIds" in by:
            keys = dict.fromkeys(_texts(by["externalIds"]))
            return [entry for key in keys if (entry := self._by_number(key))]
        if "ids" in by:
            there = (self.book.get("order", one) for one in dict.fromkeys(_texts(by["ids"])))
            return [entry for entry in there if entry is not None]
        found = list(self.book.of("order"))
        if "numbers" in by:
            numbers = set(_texts(by["numbers"]))
            return [entry for entry in found if entry.fields.get("number") in numbers]
        return found

    async def _get(self, request: web.Request) -> web.Response:
        if (bad := self._stranger(request)) is not None:
            return bad
        entry = self._named(request.match_info["name"], request.query.get("by", "externalId"))
        if entry is None:
            return _refused(404, "Not found")
        return web.json_response({"success": True, "order": _shown(entry)})

    async def _history(self, request: web.Request) -> web.Response:
        if (bad := self._stranger(request)) is not None:
            return bad
        asked = nested(request.rel_url.raw_query_string)
        limit, by = _count(asked.get("limit"), 20), _table(asked.get("filter"))
        if limit not in PAGES[:3]:
            return _refused(400, "Errors in the input parameters", {"limit": "Not a choice."})
        after, start = _count(by.get("sinceId"), 0), str(by.get("startDate", ""))
        # Numbers count up, so what comes after one is where it stands.
        found = [row for row in self.history[after:] if str(row["createdAt"]) >= start]
        body: dict[str, JsonValue] = {
            "success": True,
            "generatedAt": (self.clock() + ZONE).strftime("%Y-%m-%d %H:%M:%S"),
            "history": [*found[:limit]],
            "pagination": _pages(len(found), limit, 1),
        }
        return web.json_response(body)

    # Writing.

    async def _edit(self, request: web.Request) -> web.Response:
        if (bad := self._stranger(request)) is not None:
            return bad
        form = nested(await request.text()) if _is_form(request) else {}
        order = _order(form)
        if order is None:
            return _refused(400, "Parameter 'order' is missing")
        if form.get("site", SITE) != SITE:
            return _refused(400, "Site with this code does not exist")
        entry = self._named(request.match_info["name"], str(form.get("by", "externalId")))
        if entry is None:
            return _refused(404, "Not found")
        if faults := self._faults(order, entry):
            return _refused(400, "Errors in the entity format", faults)
        self._change(entry, _taken(order, entry), by_us=True)
        return web.json_response({"success": True, "id": int(entry.id), "order": _shown(entry)})

    async def _create(self, request: web.Request) -> web.Response:
        if (bad := self._stranger(request)) is not None:
            return bad
        form = nested(await request.text()) if _is_form(request) else {}
        order = _order(form)
        if order is None:
            return _refused(400, "Parameter 'order' is missing")
        if self._by_number(str(order.get("externalId", ""))):
            return _refused(400, "Order already exists.")
        if faults := self._faults(order, None):
            return _refused(400, "Errors in the entity format", faults)
        entry = self._new({"status": self.stages[0], **_taken(order, None)}, by_us=True)
        body = {"success": True, "id": int(entry.id), "order": _shown(entry)}
        return web.json_response(body, status=201)

    def _faults(self, order: Mapping[str, JsonValue], entry: Entry | None) -> Fault:
        faults: dict[str, JsonValue] = {}
        if order.get("status", "new") not in self.stages:
            faults["status"] = "Status with this code does not exist."
        for name, value in _table(order.get("customFields")).items():
            if name in OWN and not _is(value, OWN[name]):
                faults[f"customFields.{name}"] = "This value is not valid."
        taken = self._by_number(str(order.get("externalId", "")))
        if entry is not None and taken is not None and taken is not entry:
            faults["externalId"] = "This external id is already set for another order."
        return faults

    def _stranger(self, request: web.Request) -> web.Response | None:
        shown = request.headers.get("X-API-KEY") or request.query.get("apiKey")
        if shown is None:
            return _refused(403, '"apiKey" is missing.')
        return None if shown == self.key else _refused(403, 'Wrong "apiKey" value.')

    def _by_number(self, key: str) -> Entry | None:
        entry = self._numbered.get(key)
        return entry if entry and self.book.get("order", entry.id) is entry else None

    def _named(self, name: str, by: str) -> Entry | None:
        return self.book.get("order", name) if by == "id" else self._by_number(name)

    def _new(self, fields: Mapping[str, JsonValue], *, by_us: bool) -> Entry:
        entry = self.book.create("order", {"customFields": {}, **fields})
        entry.fields.setdefault("number", f"{entry.id}C")
        self._numbered[str(fields.get("externalId", ""))] = entry
        self._note(entry, "status", None, created=True, by_us=by_us)
        return entry

    def _change(self, entry: Entry, fields: Mapping[str, JsonValue], *, by_us: bool) -> None:
        if not self.book.update(entry, fields):
            return
        change = entry.effects[-1]
        for name in change.after:
            self._note(entry, name, change.before.get(name), created=False, by_us=by_us)

    def _note(
        self, entry: Entry, name: str, before: JsonValue, *, created: bool, by_us: bool
    ) -> None:
        after = entry.fields.get(name)
        change: dict[str, JsonValue] = {
            "id": len(self.history) + 1,
            "createdAt": (self.clock() + ZONE).strftime("%Y-%m-%d %H:%M:%S"),
            "source": "api" if by_us else "user",
            "field": name,
            "oldValue": {"code": before} if name == "status" and before else before,
            "newValue": {"code": after} if name == "status" else after,
            "order": {
                "id": int(entry.id),
                "externalId": entry.fields.get("externalId"),
                "site": SITE,
                "status": entry.fields["status"],
            },
        }
        change |= {"apiKey": {"current": True}} if by_us else {"user": {"id": 23}}
        self.history.append(change | ({"created": True} if created else {}))


def _is_form(request: web.Request) -> bool:
    return request.content_type == "application/x-www-form-urlencoded"


def _order(form: Mapping[str, JsonValue]) -> Mapping[str, JsonValue] | None:
    try:
        order = json.loads(str(form.get("order", "")))
    except ValueError:
        return None
    return order if isinstance(order, dict) else None


def _taken(order: Mapping[str, JsonValue], entry: Entry | None) -> dict[str, JsonValue]:
    """The fields it knows; all others are dropped without a word."""
    taken = {name: value for name, value in order.items() if name in PLAIN - {"customFields"}}
    own = {name: value for name, value in _table(order.get("customFields")).items() if name in OWN}
    if own:
        before = _table(entry.fields["customFields"]) if entry else {}
        taken["customFields"] = {**before, **own}
    return taken


def _is(value: JsonValue, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and (kind is bool or not isinstance(value, bool))


def _shown(entry: Entry) -> dict[str, JsonValue]:
    changed = entry.modified_at + ZONE
    return {
        "slug": int(entry.id),
        "id": int(entry.id),
        **{name: entry.fields[name] for name in sorted(entry.fields)},
        # An empty array of PHP is a list.
        "customFields": entry.fields["customFields"] or [],
        "site": SITE,
        "createdAt": (entry.created_at + ZONE).strftime("%Y-%m-%d %H:%M:%S"),
        "statusUpdatedAt": changed.strftime("%Y-%m-%d %H:%M:%S"),
        "items": [],
        "payments": [],
    }


def _pages(total: int, limit: int, page: int) -> JsonValue:
    pages = max(1, -(-total // limit))
    return {"limit": limit, "totalCount": total, "currentPage": page, "totalPageCount": pages}


def _table(value: JsonValue) -> Mapping[str, JsonValue]:
    return value if isinstance(value, dict) else {}


def _texts(value: JsonValue) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def _count(value: JsonValue, usual: int) -> int:
    return int(value) if isinstance(value, str) and value.isdigit() else usual


def _refused(status: int, message: str, errors: Fault | None = None) -> web.Response:
    body: dict[str, JsonValue] = {"success": False, "errorMsg": message}
    if errors is not None:
        body["errors"] = dict(errors)
    return web.json_response(body, status=status)
