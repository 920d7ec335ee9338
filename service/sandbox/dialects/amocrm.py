"""A simulated amoCRM account: leads and notes of API v4 come in, refused as the vendor does.

Shapes: amocrm/amocrm-api-php @1354d8a of 2026-04-14 and aioamocrm 0.1.1 (catalogue of 2026-11); the
codes inside validation errors are UNVERIFIED. One bad lead rejects a request, an empty list is 204
without a body, a 429 is no JSON, an unknown key is swallowed, and while `deaf` counts down a PATCH
is answered 200 and changes nothing.
"""

import json
from collections.abc import Mapping, Sequence

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.brackets import nested
from service.sandbox.dialects.meters import Rolling
from service.sandbox.dialects.oauth import OAuthDesk

MOST = 250
PIPELINE = 1300
STATUSES = (101, 102, 103, 142, 143)
NUMBER, TRACKING, TOTAL, VIP = 500, 501, 502, 503
TYPES = {NUMBER: "text", TRACKING: "text", TOTAL: "numeric", VIP: "checkbox"}
US, PERSON = 504141, 7
Fault = tuple[str, str]
"""The path and the code of what is wrong."""


class AmoCrm(Dialect):
    """One account with one pipeline."""

    name = "amocrm"
    stages = tuple(f"{PIPELINE}/{status}" for status in STATUSES)
    foreign_stage = f"{PIPELINE}/999"
    text_field = str(TRACKING)
    number_field = str(TOTAL)
    bool_field = str(VIP)

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.meters["requests"] = Rolling(count=7, seconds=1)
        self.desk: OAuthDesk = OAuthDesk(
            self.clock, path="/oauth2/access_token", rotating=True, grants=("refresh_token",)
        )
        self.deaf = 0
        self._numbered: dict[str, list[Entry]] = {}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            *self.desk.routes(),
            web.get("/api/v4/leads", self._list),
            web.patch("/api/v4/leads", self._patch),
            web.post("/api/v4/leads", self._post),
            web.post("/api/v4/leads/notes", self._note),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        oauth: dict[str, JsonValue] = {
            "grant": "refresh_token",
            "url": f"{url}/oauth2/access_token",
            "client_id": self.desk.client_id,
            "client_secret": f"plain:{self.desk.client_secret}",
            "refresh_token": f"plain:{self.desk.install()}",
        }
        return {
            "crm": self.name,
            "url": url,
            "oauth": oauth,
            "objects": {"order": {"key_field": str(NUMBER)}},
            "options": {"user": str(US)},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        return self._new({"name": "A lead", **_placed(status or self.stages[0]), **fields}, key)

    def status(self, entry: Entry) -> str:
        return f"{entry.fields['pipeline_id']}/{entry.fields['status_id']}"

    def touch(self, entry: Entry, status: str) -> None:
        if self.book.update(entry, _placed(status)):
            entry.fields["updated_by"] = PERSON

    def throttled(self, wait: float) -> web.Response:  # noqa: ARG002  # it never says how long
        return web.Response(status=429, text="<html>429 Too Many Requests</html>")

    def expire(self) -> None:
        self.desk.expire()

    def costs(self, request: web.Request) -> Mapping[str, float]:
        return super().costs(request) if request.path.startswith("/api/") else {}

    def _new(
        self, fields: Mapping[str, JsonValue], number: JsonValue, *, by: int = PERSON
    ) -> Entry:
        made = {**fields, str(NUMBER): number, "updated_by": by}
        entry = self.book.create("lead", made)
        self._numbered.setdefault(str(number).casefold(), []).append(entry)
        return entry

    # Reading.

    async def _list(self, request: web.Request) -> web.Response:
        if not self.desk.allows(request):
            return _problem(401, "Unauthorized")
        asked = nested(request.rel_url.raw_query_string)
        limit, page = _count(asked.get("limit"), 50), _count(asked.get("page"), 1)
        if limit > MOST or page < 1:
            return _problem(400, "Bad Request")
        found = sorted(self._meant(asked), key=lambda entry: int(entry.id))
        shown = found[(page - 1) * limit : page * limit]
        if not shown:
            return web.Response(status=204)
        links: dict[str, JsonValue] = {"self": {"href": str(request.url)}}
        if len(found) > page * limit:
            links["next"] = {"href": str(request.url.update_query(page=page + 1))}
        leads: list[JsonValue] = [_shown(entry) for entry in shown]
        body = {"_page": page, "_links": links, "_embedded": {"leads": leads}}
        return web.json_response(body, content_type="application/hal+json")

    def _meant(self, asked: Mapping[str, JsonValue]) -> Sequence[Entry]:
        given = asked.get("filter")
        by = given if isinstance(given, dict) else {}
        found: Sequence[Entry] = list(self.book.of("lead"))
        if "id" in by:
            wanted = _texts(by["id"])
            found = [entry for one in dict.fromkeys(wanted) if (entry := self._lead(one))]
        if isinstance(own := by.get("custom_fields_values"), dict):
            numbers = {number.casefold() for number in _texts(own.get(str(NUMBER)))}
            there = [each for number in numbers for each in self._numbered.get(number, [])]
            found = [entry for entry in there if self._lead(entry.id) is entry]
        if "name" in by:
            names = _texts(by["name"])
            found = [entry for entry in found if entry.fields["name"] in names]
        if isinstance(when := by.get("updated_at"), dict):
            since = _count(when.get("from"), 0)
            found = [entry for entry in found if int(entry.modified_at.timestamp()) >= since]
        if isinstance(words := asked.get("query"), str):
            found = [entry for entry in found if _mentions(entry, words.casefold())]
        return found

    def _lead(self, id: str) -> Entry | None:  # noqa: A002
        return self.book.get("lead", id)

    # Writing.

    async def _patch(self, request: web.Request) -> web.Response:
        return await self._written(request, new=False)

    async def _post(self, request: web.Request) -> web.Response:
        return await self._written(request, new=True)

    async def _written(self, request: web.Request, *, new: bool) -> web.Response:
        if not self.desk.allows(request):
            return _problem(401, "Unauthorized")
        rows = await _rows(request)
        if rows is None or len(rows) > MOST:
            return _problem(400, "Bad Request")
        faults = [(number, self._fault(row, new=new)) for number, row in enumerate(rows)]
        bad = {number: fault for number, fault in faults if fault is not None}
        if bad:
            return _problem(400, "Bad Request", [_blamed(n, rows[n], bad[n]) for n in bad])
        leads: list[JsonValue] = []
        for number, row in enumerate(rows):
            entry = self._made(row) if new else self._changed(row)
            told: dict[str, JsonValue] = {"id": int(entry.id)}
            told["request_id"] = str(row.get("request_id", number))
            leads.append({**told, "updated_at": int(entry.modified_at.timestamp())})
        if not new and self.deaf:
            self.deaf -= 1
        return web.json_response({"_links": {}, "_embedded": {"leads": leads}})

    def _fault(self, row: Mapping[str, JsonValue], *, new: bool) -> Fault | None:
        if not new and self._lead(str(row.get("id"))) is None:
            return "id", "NotFound"
        if row.get("status_id") is not None and row["status_id"] not in STATUSES:
            return "status_id", "NotSupportedChoice"
        if row.get("pipeline_id") is not None and row["pipeline_id"] != PIPELINE:
            return "pipeline_id", "NotSupportedChoice"
        if not isinstance(row.get("price", 0), int):
            return "price", "InvalidType"
        own = row.get("custom_fields_values") or []
        if not isinstance(own, list):
            return "custom_fields_values", "InvalidType"
        faults = (_own_fault(number, each) for number, each in enumerate(own))
        return next((fault for fault in faults if fault is not None), None)

    def _changed(self, row: Mapping[str, JsonValue]) -> Entry:
        entry = self._lead(str(row["id"]))
        if entry is None:
            raise LookupError
        if not self.deaf and self.book.update(entry, _taken(row)):
            entry.fields["updated_by"] = US
        return entry

    def _made(self, row: Mapping[str, JsonValue]) -> Entry:
        taken = _taken(row)
        fields = {"name": "Lead", **_placed(self.stages[0]), **taken}
        return self._new(fields, taken.get(str(NUMBER)), by=US)

    async def _note(self, request: web.Request) -> web.Response:
        if not self.desk.allows(request):
            return _problem(401, "Unauthorized")
        rows = await _rows(request)
        if not rows:
            return _problem(400, "Bad Request")
        notes: list[JsonValue] = []
        for number, row in enumerate(rows):
            entry, params = self._lead(str(row.get("entity_id"))), row.get("params")
            if entry is None or row.get("note_type") != "common" or not isinstance(params, dict):
                return _problem(400, "Bad Request", [_blamed(number, row, ("", "NotFound"))])
            entry.notes.append(str(params.get("text", "")))
            self.book.effects += 1
            notes.append({"id": 1, "entity_id": int(entry.id), "request_id": str(number)})
        return web.json_response({"_links": {}, "_embedded": {"notes": notes}})


def _placed(stage: str) -> dict[str, JsonValue]:
    pipeline, _, status = stage.partition("/")
    return {"pipeline_id": int(pipeline), "status_id": int(status)}


def _own_fault(number: int, own: JsonValue) -> Fault | None:
    path = f"custom_fields_values.{number}"
    if not isinstance(own, dict) or own.get("field_id") not in TYPES:
        return f"{path}.field_id", "NotSupportedChoice"
    kind = TYPES[int(str(own["field_id"]))]
    for value in _values(own):
        wrong = kind == "checkbox" and not isinstance(value, bool)
        if wrong or (kind == "numeric" and not _numeric(value)):
            return f"{path}.values.0.value", "InvalidType"
        if kind == "text" and not isinstance(value, str):
            return f"{path}.values.0.value", "InvalidType"
    return None


def _values(own: Mapping[str, JsonValue]) -> list[JsonValue]:
    values = own.get("values")
    rows = values if isinstance(values, list) else []
    return [row.get("value") for row in rows if isinstance(row, dict)]


def _numeric(value: JsonValue) -> bool:
    try:
        float(str(value))
    except ValueError:
        return False
    return not isinstance(value, bool)


def _taken(row: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """The keys it knows; all others are swallowed."""
    known = ("name", "price", "status_id", "pipeline_id", "responsible_user_id")
    taken = {name: row[name] for name in known if row.get(name) is not None}
    own = row.get("custom_fields_values")
    for each in own if isinstance(own, list) else []:
        if isinstance(each, dict):
            value = next(iter(_values(each)), None)
            number = TYPES[int(str(each["field_id"]))] == "numeric"
            taken[str(each["field_id"])] = str(value) if number else value
    return taken


def _shown(entry: Entry) -> dict[str, JsonValue]:
    own: list[JsonValue] = [
        {
            "field_id": number,
            "field_name": f"Field {number}",
            "field_type": kind,
            "values": [{"value": entry.fields[str(number)]}],
        }
        for number, kind in TYPES.items()
        if entry.fields.get(str(number)) is not None
    ]
    return {
        "id": int(entry.id),
        "name": entry.fields["name"],
        "price": entry.fields.get("price", 0),
        "status_id": entry.fields["status_id"],
        "pipeline_id": entry.fields["pipeline_id"],
        "updated_by": entry.fields["updated_by"],
        "created_at": int(entry.created_at.timestamp()),
        "updated_at": int(entry.modified_at.timestamp()),
        "is_deleted": False,
        "custom_fields_values": own or None,
        "_links": {"self": {"href": f"/api/v4/leads/{entry.id}"}},
        "_embedded": {"tags": [], "companies": []},
    }


def _mentions(entry: Entry, words: str) -> bool:
    return any(words in str(value).casefold() for value in entry.fields.values())


def _texts(value: JsonValue) -> list[str]:
    return [str(each) for each in (value if isinstance(value, list) else [value])]


def _count(value: JsonValue, usual: int) -> int:
    return int(value) if isinstance(value, str) and value.isdigit() else usual


async def _rows(request: web.Request) -> list[dict[str, JsonValue]] | None:
    try:
        body: JsonValue = json.loads(await request.text())
    except ValueError:
        return None
    rows = body if isinstance(body, list) else [None]
    found = [row for row in rows if isinstance(row, dict)]
    return found if len(found) == len(rows) else None


def _blamed(number: int, row: Mapping[str, JsonValue], fault: Fault) -> JsonValue:
    path, code = fault
    told: JsonValue = {"code": code, "path": path, "detail": "This value is not valid."}
    return {"request_id": str(row.get("request_id", number)), "errors": [told]}


def _problem(status: int, title: str, faults: list[JsonValue] | None = None) -> web.Response:
    body: dict[str, JsonValue] = {
        "title": title,
        "type": "https://httpstatus.es/" + str(status),
        "status": status,
        "detail": "Request validation failed" if status == 400 else title,
    }
    if faults is not None:
        body["validation-errors"] = faults
    return web.json_response(body, status=status, content_type="application/problem+json")
