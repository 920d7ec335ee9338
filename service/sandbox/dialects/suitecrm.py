"""A simulated SuiteCRM: calls of the V8 JSON:API come in, opportunities change.

As salesagility/SuiteDocs @c54022f and the source `Api/V8` say (catalogue of 2026-11): every refusal
is a 400 with one `errors` object, what is saved is answered 201. SuiteCRM stores any stage; this
site has a logic hook that refuses unknown ones, as many have. How texts are read out is UNVERIFIED.
"""

import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect, Handler
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.oauth import OAuthDesk

Values = Mapping[str, JsonValue]
Act = Callable[[web.Request, Values], web.Response]

MODULE = "Opportunities"
MEDIA = "application/vnd.api+json"
STORED = {"name", "order_no_c", "sales_stage", "tracking_c", "total_c", "vip_c", "description"}
READ_ONLY = {"id", "date_modified", "date_entered", "modified_user_id", "deleted"}
FILTER = re.compile(r"filter\[(\w+)\]\[(\w+)\]")
SIGNS = {'"': "&quot;", "'": "&#039;", "<": "&lt;", ">": "&gt;"}
USER = "1"


class RefusedCall(Exception):
    """An exception; whatever it is, the status is 400."""


class Desk(OAuthDesk):
    """It takes the client's id and secret from the form or as HTTP Basic."""

    def _check_client(self, request: web.Request, form: Mapping[str, str]) -> None:
        self.client = "basic" if "Authorization" in request.headers else "body"
        super()._check_client(request, form)


class SuiteCrm(Dialect):
    name = "suitecrm"
    stages = ("Prospecting", "Qualification", "Negotiation/Review", "Closed Won", "Closed Lost")
    text_field = "tracking_c"
    number_field = "total_c"
    bool_field = "vip_c"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.desk = Desk(
            self.clock, path="/Api/access_token", grants=("client_credentials", "refresh_token")
        )

    def routes(self) -> Sequence[web.RouteDef]:
        assert self.desk
        return [
            web.get("/Api/V8/module/{module}", self._handled(self._list)),
            web.get("/Api/V8/module/{module}/{id}", self._handled(self._get)),
            web.post("/Api/V8/module", self._handled(self._create)),
            web.patch("/Api/V8/module", self._handled(self._update)),
            *self.desk.routes(),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        assert self.desk
        return {
            "crm": "suitecrm",
            "url": url,
            "oauth": {
                "grant": "client_credentials",
                "url": f"{url}{self.desk.path}",
                "client_id": self.desk.client_id,
                "client_secret": f"plain:{self.desk.client_secret}",
            },
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"name": f"Order {key}", "order_no_c": key, "sales_stage": status or self.stages[0]}
        return self._made({**shown, **fields}, None)

    def _made(self, fields: Values, id: str | None) -> Entry:  # noqa: A002
        number = len(self.book.entries) + 1
        made = id or f"{number:08x}-0000-4000-8000-{number:012x}"
        usual: Values = {"vip_c": "0", "sales_stage": self.stages[0]}
        return self.book.create(MODULE, {**usual, **fields}, id=made)

    def status(self, entry: Entry) -> str:
        return str(entry.fields["sales_stage"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"sales_stage": status})

    def throttled(self, wait: float) -> web.Response:
        """SuiteCRM has no limit of its own: this is the web server in front of it."""
        return web.Response(status=429, headers={"Retry-After": str(max(1, round(wait)))})

    def expire(self) -> None:
        assert self.desk
        self.desk.expire()

    # The calls.

    def _handled(self, act: Act) -> Handler:
        async def answer(request: web.Request) -> web.StreamResponse:
            assert self.desk
            if not self.desk.allows(request):
                denied: JsonValue = {
                    "error": "access_denied",
                    "message": "The resource owner … denied.",
                }
                return _said(denied, status=401)
            try:
                return act(request, await _body(request))
            except RefusedCall as refusal:
                error: JsonValue = {"status": 400, "title": None, "detail": str(refusal)}
                return _said({"errors": error}, status=400)

        return answer

    def _get(self, request: web.Request, _: Values) -> web.Response:
        entry = self._entry(request.match_info["module"], request.match_info["id"])
        return _said({"data": _row(entry, _names(request))})

    def _list(self, request: web.Request, _: Values) -> web.Response:
        _module(request.match_info["module"])
        tests = _filters(request)
        found = [each for each in self.book.of(MODULE) if all(test(each) for test in tests)]
        sort = request.query.get("sort", "date_modified")
        by = sort.removeprefix("-")
        if by not in STORED | READ_ONLY:
            raise RefusedCall(f"Sort field {by} in {MODULE} module is not found")
        found.sort(key=lambda each: (_raw(each, by), each.id), reverse=sort.startswith("-"))
        size, number = (int(request.query.get(f"page[{n}]", "20")) for n in ("size", "number"))
        if "page[number]" not in request.query:
            number = 1
        page: list[JsonValue] = [
            _row(each, _names(request)) for each in found[(number - 1) * size : number * size]
        ]
        pages = -(-len(found) // size)
        meta: JsonValue = {"total-pages": pages, "records-on-this-page": len(page)}
        return _said({"meta": meta, "data": page} if page else {"data": page})

    def _create(self, _: web.Request, body: Values) -> web.Response:
        kind, id_, fields = _data(body)
        if kind == "Notes":
            return _said({"data": self._noted(fields)}, status=201)
        _module(kind)
        if id_ and self.book.get(kind, id_):
            raise RefusedCall(f"Bean {kind} with id {id_} is already exist")
        return _said({"data": _row(self._made(_checked(fields), id_), None)}, status=201)

    def _update(self, _: web.Request, body: Values) -> web.Response:
        kind, id_, fields = _data(body)
        if not id_:
            raise RefusedCall('The required option "id" is missing.')
        entry = self._entry(kind, id_)
        self.book.update(entry, _checked(fields))
        return _said({"data": _row(entry, None)}, status=201)

    def _noted(self, fields: Values) -> JsonValue:
        text = fields.get("description")
        if not isinstance(text, str) or not fields.get("name"):
            raise RefusedCall("Missing required field: name")
        entry = self._entry(str(fields.get("parent_type")), str(fields.get("parent_id")))
        entry.notes.append(text)
        return {"type": "Note", "id": secrets.token_hex(16), "attributes": {**fields}}

    def _entry(self, module: str, id: str) -> Entry:  # noqa: A002
        _module(module)
        entry = self.book.get(module, id)
        if entry is None:
            raise RefusedCall(f"{module} module with id {id} is not found")
        return entry


def _said(body: JsonValue, *, status: int = 200) -> web.Response:
    return web.Response(
        status=status, text=orjson.dumps(body).decode(), headers={"Content-Type": MEDIA}
    )


async def _body(request: web.Request) -> Values:
    if request.method == "GET":
        return {}
    if request.content_type not in {MEDIA, "application/json"}:
        # Nothing is parsed, so that nothing is there.
        return {}
    try:
        body: JsonValue = orjson.loads(await request.read())
    except orjson.JSONDecodeError:
        body = None
    return body if isinstance(body, dict) else {}


def _data(body: Values) -> tuple[str, str | None, Values]:
    data = body.get("data")
    match data:
        case {"type": str(kind), **rest}:
            id_, fields = rest.get("id"), rest.get("attributes", {})
            if (id_ is None or isinstance(id_, str)) and isinstance(fields, dict):
                return kind, id_, fields
        case _:
            pass
    raise RefusedCall('The required option "data" is missing.')


def _module(name: str) -> None:
    if name != MODULE:
        raise RefusedCall(f"Module with name {name} is not found")


def _checked(fields: Values) -> dict[str, JsonValue]:
    checked: dict[str, JsonValue] = {}
    for name, value in fields.items():
        if name not in STORED:
            raise RefusedCall(f"Property {name} in Opportunity module is invalid")
        checked[name] = ("1" if value else "0") if isinstance(value, bool) else str(value)
    if checked.get("sales_stage", SuiteCrm.stages[0]) not in SuiteCrm.stages:
        raise RefusedCall("The hook of this site knows no such sales_stage.")
    return checked


def _names(request: web.Request) -> Sequence[str] | None:
    listed = request.query.get(f"fields[{MODULE}]")
    return None if listed is None else listed.split(",")


def _row(entry: Entry, names: Sequence[str] | None) -> dict[str, JsonValue]:
    attributes: dict[str, JsonValue] = {
        **{name: _read_out(entry.fields.get(name, "")) for name in STORED},
        "date_modified": entry.modified_at.astimezone(UTC).isoformat(timespec="seconds"),
        "date_entered": entry.created_at.astimezone(UTC).isoformat(timespec="seconds"),
        "modified_user_id": USER,
        "deleted": "0",
    }
    wanted = {n: v for n, v in attributes.items() if names is None or n in names}
    return {"type": "Opportunity", "id": entry.id, "attributes": wanted, "relationships": {}}


def _read_out(value: JsonValue) -> str:
    text = "" if value is None else str(value)
    for sign, entity in SIGNS.items():
        text = text.replace(sign, entity)
    return text


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _raw(entry: Entry, name: str) -> str:
    """A column as the database compares it: upper and lower case are the same."""
    match name:
        case "id":
            return entry.id
        case "date_modified":
            return _stamp(entry.modified_at)
        case "deleted":
            return "0"
        case _:
            return str(entry.fields.get(name, "")).casefold().rstrip(" ")


def _filters(request: web.Request) -> Sequence[Callable[[Entry], bool]]:
    tests: list[Callable[[Entry], bool]] = []
    for name, value in request.query.items():
        if name == "filter[operator]":
            if value.lower() != "and":
                raise RefusedCall(f"Filter operator {value} is invalid")
        elif found := FILTER.fullmatch(name):
            tests.append(_test(found[1], found[2].lower(), value.casefold().rstrip(" ")))
        elif name.startswith("filter"):
            raise RefusedCall(f"Filter field {name} must be an array")
    return tests


def _test(name: str, operator: str, value: str) -> Callable[[Entry], bool]:
    if name not in STORED | READ_ONLY:
        raise RefusedCall(f"Filter field {name} in Opportunity module is not found")
    match operator:
        case "eq":
            return lambda entry: _raw(entry, name) == value
        case "neq":
            return lambda entry: _raw(entry, name) != value
        case "gt":
            return lambda entry: _raw(entry, name) > value
        case "gte":
            return lambda entry: _raw(entry, name) >= value
        case "lt":
            return lambda entry: _raw(entry, name) < value
        case "lte":
            return lambda entry: _raw(entry, name) <= value
        case _:
            raise RefusedCall(f"Filter operator {operator} is invalid")
