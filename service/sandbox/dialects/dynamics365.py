"""A simulated Dynamics 365 organisation: calls of the Web API v9.2 come in, sales orders change.

As learn.microsoft.com and MicrosoftDocs/powerapps-docs say (catalogue of 2026-11); messages and the
codes of what is refused for its shape are UNVERIFIED.
"""

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import parse_qsl, unquote, urlsplit

import orjson
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.meters import Rolling
from service.sandbox.dialects.oauth import OAuthDesk

API = "/api/data/v9.2"
SET = "salesorders"
COLUMNS: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "ordernumber": str,
    "statecode": int,
    "statuscode": int,
    "new_tracking": str,
    "new_total": (int, float),
    "new_vip": bool,
    "description": str,
}
STATUSES = {1: 0, 690970000: 0, 3: 1, 4: 2, 100001: 3}
"""Which state each status belongs to."""
OURS = "5d0ed3b1-3a35-4c64-9b10-8f2b7c1e0a01"
PERSON = "5d0ed3b1-3a35-4c64-9b10-8f2b7c1e0a02"
UNKEYED = set("/<>*%&:\\?+#")
PLACE = re.compile(r"([A-Za-z_]+)(?:\((.*)\))?(?:/Attributes.*)?", re.DOTALL)
KEYED = re.compile(r"ordernumber='((?:[^']|'')*)'", re.DOTALL)
EQUAL = re.compile(r"(\w+) eq '((?:[^']|'')*)'(?: or |$)", re.DOTALL)
SINCE = re.compile(r"modifiedon ge (\S+)")
BOUNDARY = re.compile(r'multipart/mixed; ?boundary="?([^";]+)"?')
MOST_PARTS = 1000


class ODataRefusal(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code


@dataclass(frozen=True, slots=True)
class Asked:
    """One call, alone or within a batch."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class Told:
    status: int
    body: JsonValue = None
    headers: Mapping[str, str] | None = None


class Dynamics365(Dialect):
    name = "dynamics365"
    stages = ("0:1", "0:690970000", "1:3", "3:100001", "2:4")
    foreign_stage = "0:424242"
    unique = True
    text_field = "new_tracking"
    number_field = "new_total"
    bool_field = "new_vip"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.meters = {"requests": Rolling(count=6000, seconds=300)}
        self.desk = OAuthDesk(
            self.clock, path="/tenant/oauth2/v2.0/token", grants=("client_credentials",)
        )
        self.goes_on = True
        """Whether the organisation honours odata.continue-on-error."""
        self._made = 0

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            *(self.desk.routes() if self.desk else ()),
            web.route("*", API + "/{rest:.*}", self._called),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        assert self.desk
        return {
            "crm": "dynamics365",
            "url": url,
            "oauth": {
                "grant": "client_credentials",
                "url": f"{url}{self.desk.path}",
                "client_id": self.desk.client_id,
                "client_secret": f"plain:{self.desk.client_secret}",
                "scope": f"{url}/.default",
            },
            "statuses": dict(
                zip(("new", "paid", "shipped", "done", "off"), self.stages, strict=True)
            ),
            "options": {"user_id": OURS},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"name": f"Order {key}", "ordernumber": key, **_split(status or "0:1")}
        return self._create({**shown, **fields}, by=PERSON)

    def _create(self, fields: Mapping[str, JsonValue], *, by: str) -> Entry:
        self._made += 1
        return self.book.create(
            "salesorder", {**fields, "by": by}, id=f"8f2b7c1e-0a01-4c64-9b10-{self._made:012x}"
        )

    def status(self, entry: Entry) -> str:
        pair = f"{entry.fields['statecode']}:{entry.fields['statuscode']}"
        return pair if pair in self.stages else str(entry.fields["statuscode"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {**_split(status), "by": PERSON})

    def throttled(self, wait: float) -> web.Response:
        message = "Number of requests exceeded the limit of 6000 over time window of 300 seconds."
        body = {"error": {"code": "0x80072322", "message": message}}
        headers = {"Retry-After": str(max(1, round(wait)))}
        return web.json_response(body, status=429, headers=headers)

    def expire(self) -> None:
        if self.desk:
            self.desk.expire()

    def costs(self, request: web.Request) -> Mapping[str, float]:
        return {"requests": 1.0} if request.path.startswith(API) else {}

    # One call, or many.

    async def _called(self, request: web.Request) -> web.StreamResponse:
        if not (self.desk and self.desk.allows(request)):
            return web.Response(status=401, headers={"WWW-Authenticate": "Bearer"})
        host = f"{request.scheme}://{request.host}"
        body = await request.read()
        if request.path == f"{API}/$batch":
            return self._batched(request, body, host=host)
        told = self._told(Asked(request.method, request.path_qs, request.headers, body), host=host)
        if told.body is None:
            return web.Response(status=told.status, headers=told.headers)
        return web.json_response(told.body, status=told.status, headers=told.headers)

    def _batched(self, request: web.Request, body: bytes, *, host: str) -> web.Response:
        named = BOUNDARY.fullmatch(request.headers.get("Content-Type", ""))
        try:
            asked = _parts(body, named[1] if named and request.method == "POST" else None)
        except ODataRefusal as refusal:
            return web.json_response(_error(refusal), status=refusal.status)
        prefers = request.headers.get("Prefer") == "odata.continue-on-error"
        goes_on = prefers and self.goes_on
        lines: list[bytes] = []
        for one in asked:
            told = self._told(one, host=host)
            lines += _part(told)
            if told.status >= 400 and not goes_on:
                break
        lines += [b"--batchresponse_1--", b""]
        kind = 'multipart/mixed; boundary="batchresponse_1"'
        return web.Response(body=b"\r\n".join(lines), headers={"Content-Type": kind})

    def _told(self, asked: Asked, *, host: str) -> Told:
        try:
            return self._done(asked, host=host)
        except ODataRefusal as refusal:
            return Told(refusal.status, _error(refusal))

    def _done(self, asked: Asked, *, host: str) -> Told:
        split = urlsplit(asked.target)
        query = dict(parse_qsl(split.query))
        found = PLACE.fullmatch(unquote(split.path.removeprefix(f"{API}/")))
        if found is None or not split.path.startswith(f"{API}/"):
            raise ODataRefusal(404, "0x8006088a", "Resource not found for the segment.")
        if asked.method == "GET" and found[1] == "EntityDefinitions":
            return _defined(query)
        match asked.method, found[1], found[2]:
            case "GET", "salesorders", None:
                return self._listed(query, host=host, most=_most(asked))
            case "GET", "salesorders", key:
                return Told(200, _shown(self._entry(key), query))
            case "PATCH", "salesorders", str(key):
                return self._patched(key, asked, query, host=host)
            case "POST", "salesorders", None:
                return self._posted(_json(asked.body), asked, query, host=host)
            case "POST", "annotations", None:
                return self._noted(_json(asked.body), host=host)
            case _:
                raise ODataRefusal(404, "0x8006088a", "Resource not found for the segment.")

    def _entry(self, key: str) -> Entry:
        named = KEYED.fullmatch(key)
        if named is None:
            entry = self.book.get("salesorder", key.lower())
            message = f"Entity 'SalesOrder' With Id = {key[:36]} Does Not Exist"
        else:
            entry = self._by_number(_unkeyed(named[1]))
            message = "A record with the specified key values does not exist in salesorder entity"
        if entry is None:
            raise ODataRefusal(404, "0x80040217" if named is None else "0x80060891", message)
        return entry

    def _by_number(self, number: str) -> Entry | None:
        """As the collation of the database has it, without upper and lower case."""
        same = number.lower()
        found = (one for one in self.book.of("salesorder") if _number(one) == same)
        return next(found, None)

    def _patched(self, key: str, asked: Asked, query: Mapping[str, str], *, host: str) -> Told:
        fields = _columns(_json(asked.body))
        condition = asked.headers.get("If-Match")
        try:
            entry = self._entry(key)
        except ODataRefusal:
            named = KEYED.fullmatch(key)
            if condition is not None or named is None:
                raise
            return self._posted(
                {**fields, "ordernumber": _unkeyed(named[1])}, asked, query, host=host
            )
        if condition not in {None, "*", _etag(entry)}:
            message = (
                "The version of the existing record doesn't match the RowVersion property provided."
            )
            raise ODataRefusal(412, "0x80060882", message)
        _check_state({**entry.fields, **fields})
        if any(entry.fields.get(name) != value for name, value in fields.items()):
            fields["by"] = OURS
        self.book.update(entry, fields)
        return _written(entry, asked, query, host=host, status=200)

    def _posted(
        self, body: Mapping[str, JsonValue], asked: Asked, query: Mapping[str, str], *, host: str
    ) -> Told:
        fields = {"statecode": 0, "statuscode": 1, **_columns(body)}
        _check_state(fields)
        number = fields.get("ordernumber")
        if isinstance(number, str) and self._by_number(number):
            raise ODataRefusal(412, "0x80060892", "A record that has the attribute values exists.")
        return _written(self._create(fields, by=OURS), asked, query, host=host, status=201)

    def _listed(self, query: Mapping[str, str], *, host: str, most: int) -> Told:
        found = _filtered(list(self.book.of("salesorder")), query.get("$filter", ""))
        if query.get("$orderby") not in {None, "modifiedon asc,salesorderid asc"}:
            raise ODataRefusal(400, "0x80060888", "The sandbox does not know this order.")
        places = sorted(((one.modified_at.timestamp(), one.id), one) for one in found)
        if "$skiptoken" in query:
            places = [pair for pair in places if pair[0] >= _skipped(query["$skiptoken"])]
        rows: list[JsonValue] = [_shown(one, query) for _, one in places[:most]]
        answer: dict[str, JsonValue] = {"@odata.context": f"{host}{API}/$metadata", "value": rows}
        if len(places) > most:
            token = base64.urlsafe_b64encode(orjson.dumps(places[most][0])).decode()
            kept = "&".join(
                f"{name}={value.replace(' ', '%20')}"
                for name, value in query.items()
                if name != "$skiptoken"
            )
            answer["@odata.nextLink"] = f"{host}{API}/{SET}?{kept}&$skiptoken={token}"
        return Told(200, answer)

    def _noted(self, body: Mapping[str, JsonValue], *, host: str) -> Told:
        bound, text = body.get("objectid_salesorder@odata.bind"), body.get("notetext")
        place = PLACE.fullmatch(bound.removeprefix("/")) if isinstance(bound, str) else None
        if place is None or place[1] != SET or not isinstance(text, str):
            raise ODataRefusal(
                400, "0x80048d19", "Error identified in Payload provided by the user"
            )
        entry = self._entry(place[2] or "")
        entry.notes.append(text)
        note = f"{host}{API}/annotations(00000000-0000-0000-0000-{len(entry.notes):012x})"
        return Told(204, headers={"OData-EntityId": note})


def _error(refusal: ODataRefusal) -> JsonValue:
    return {"error": {"code": refusal.code, "message": str(refusal)}}


def _defined(query: Mapping[str, str]) -> Told:
    """What the vendor's client asks of the table before all else; it has no choice columns."""
    table: dict[str, JsonValue] = {
        "LogicalName": "salesorder",
        "SchemaName": "SalesOrder",
        "EntitySetName": SET,
        "PrimaryIdAttribute": "salesorderid",
        "PrimaryNameAttribute": "name",
    }
    asked = query.get("$filter") == "LogicalName eq 'salesorder'"
    return Told(200, {"value": [table] if asked else []})


def _split(word: str) -> dict[str, JsonValue]:
    state, _, status = word.rpartition(":")
    return {"statecode": int(state or STATUSES[int(status)]), "statuscode": int(status)}


def _number(entry: Entry) -> str:
    return str(entry.fields.get("ordernumber", "")).lower()


def _unkeyed(text: str) -> str:
    value = text.replace("''", "'")
    if UNKEYED & set(value):
        raise ODataRefusal(400, "0x0", "Bad Request - Error in query syntax.")
    return value


def _columns(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    for name, value in body.items():
        kind = COLUMNS.get(name)
        if kind is None:
            message = f"Invalid property '{name}' was found in entity 'Microsoft.Dynamics.CRM'."
            raise ODataRefusal(400, "0x80048d19", message)
        fits = value is None or isinstance(value, kind)
        if not fits or (isinstance(value, bool) and kind is not bool):
            message = f"Error identified in Payload provided by the user for '{name}'."
            raise ODataRefusal(400, "0x80048d19", message)
    return dict(body)


def _check_state(fields: Mapping[str, JsonValue]) -> None:
    status, state = fields["statuscode"], fields["statecode"]
    if not isinstance(status, int) or STATUSES.get(status) != state:
        message = f"{status} is not a valid status code for state code {state} on salesorder."
        raise ODataRefusal(400, "0x80048408", message)


def _filtered(entries: Sequence[Entry], text: str) -> Sequence[Entry]:
    if not text:
        return entries
    since = SINCE.fullmatch(text)
    if since:
        start = datetime.fromisoformat(since[1])
        return [one for one in entries if one.modified_at >= start]
    place, wanted = 0, set[str]()
    while place < len(text):
        found = EQUAL.match(text, place)
        if found is None or found[1] != "ordernumber":
            raise ODataRefusal(400, "0x80060888", "There is a syntax error in '$filter'.")
        wanted.add(found[2].replace("''", "'").lower())
        place = found.end()
    return [one for one in entries if _number(one) in wanted]


def _shown(entry: Entry, query: Mapping[str, str]) -> JsonValue:
    whole = {
        **entry.fields,
        "salesorderid": entry.id,
        "modifiedon": entry.modified_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "_modifiedby_value": entry.fields.get("by"),
    }
    known = {*COLUMNS, "salesorderid", "modifiedon", "_modifiedby_value"}
    names = query["$select"].split(",") if "$select" in query else sorted(known)
    if not set(names) <= known:
        unknown = min(set(names) - known)
        raise ODataRefusal(400, "0x80060888", f"Could not find a property named '{unknown}'.")
    return {"@odata.etag": _etag(entry), **{name: whole.get(name) for name in names}}


def _written(
    entry: Entry, asked: Asked, query: Mapping[str, str], *, host: str, status: int
) -> Told:
    headers = {"OData-EntityId": f"{host}{API}/{SET}({entry.id})", "OData-Version": "4.0"}
    if "return=representation" in asked.headers.get("Prefer", ""):
        return Told(status, _shown(entry, query), headers)
    return Told(204, None, headers)


def _etag(entry: Entry) -> str:
    return f'W/"{470_866 + entry.version}"'


def _most(asked: Asked) -> int:
    _, _, size = asked.headers.get("Prefer", "").partition("odata.maxpagesize=")
    return min(int(size), 5000) if size.isdigit() else 5000


def _skipped(token: str) -> tuple[float, str]:
    try:
        time, key = orjson.loads(base64.urlsafe_b64decode(token))
        return float(time), str(key)
    except (binascii.Error, ValueError, TypeError):
        raise ODataRefusal(400, "0x80060888", "The skip token is not valid.") from None


def _json(body: bytes) -> Mapping[str, JsonValue]:
    try:
        found: JsonValue = orjson.loads(body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise ODataRefusal(400, "0x80048d19", "Error identified in Payload provided by the user")
    return found


def _parts(body: bytes, boundary: str | None) -> Sequence[Asked]:
    """The calls of a batch; anything but CRLF between lines is refused."""
    if boundary is None:
        raise ODataRefusal(400, "0x0", "The batch has no boundary.")
    mark = f"--{boundary}".encode()
    first, *pieces = (b"\r\n" + body).split(b"\r\n" + mark)
    if first or not pieces or not pieces[-1].startswith(b"--") or len(pieces) < 2:
        raise ODataRefusal(400, "0x80048d1a", "The batch does not end with its boundary.")
    if len(pieces) - 1 > MOST_PARTS:
        raise ODataRefusal(400, "0x80060890", "A batch holds at most 1000 calls.")
    return [_asked(piece) for piece in pieces[:-1]]


def _asked(piece: bytes) -> Asked:
    mime, _, inner = piece.removeprefix(b"\r\n").partition(b"\r\n\r\n")
    said = _headers(mime.split(b"\r\n"))
    head, _, body = inner.partition(b"\r\n\r\n")
    first, *rest = head.split(b"\r\n")
    words = first.decode("latin-1").split(" ")
    if (
        said.get("Content-Type") != "application/http"
        or said.get("Content-Transfer-Encoding") != "binary"
        or len(words) != 3
        or words[2] != "HTTP/1.1"
    ):
        raise ODataRefusal(400, "0x80048d1a", "A part of the batch is no HTTP call.")
    target = words[1]
    if "://" in target:
        split = urlsplit(target)
        target = f"{split.path}?{split.query}" if split.query else split.path
    return Asked(words[0], target, _headers(rest), body)


def _headers(lines: Sequence[bytes]) -> Mapping[str, str]:
    pairs = (line.decode("latin-1").partition(":") for line in lines if line)
    return {name.strip(): value.strip() for name, _, value in pairs}


def _part(told: Told) -> list[bytes]:
    body = b"" if told.body is None else orjson.dumps(told.body)
    shown = {"OData-Version": "4.0", **(told.headers or {})}
    if body:
        shown["Content-Type"] = "application/json; odata.metadata=minimal"
    return [
        b"--batchresponse_1",
        b"Content-Type: application/http",
        b"Content-Transfer-Encoding: binary",
        b"",
        f"HTTP/1.1 {told.status} {'OK' if told.status < 400 else 'Bad Request'}".encode(),
        *(f"{name}: {value}".encode("latin-1") for name, value in shown.items()),
        b"",
        body,
    ]
