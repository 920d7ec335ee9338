"""A simulated Pipedrive account: calls of API v2 (and notes of v1) come in, deals change.

As the OpenAPI v1 and v2 of developers.pipedrive.com and the rate limiting page say (catalogue of
2026-11); error bodies and rate limit headers are UNVERIFIED.
"""

import base64
import binascii
import html
import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

import orjson
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.jsoncalls import Act, Body, Handler, RefusedCall, answering
from service.sandbox.dialects.meters import Rolling

ORDER_NO = "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
TRACKING = "b1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
TOTAL = "c1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
VIP = "d1b2c3d4e5f60718293a4b5c6d7e8f9001122334"
CUSTOM: Mapping[str, type | tuple[type, ...]] = {
    ORDER_NO: str,
    TRACKING: str,
    TOTAL: (int, float),
    VIP: str,
}
"""The custom fields of the account; Pipedrive has none for a yes or no."""
PLAIN: Mapping[str, type | tuple[type, ...]] = {
    "title": str,
    "owner_id": int,
    "person_id": (int, type(None)),
    "org_id": (int, type(None)),
    "pipeline_id": int,
    "stage_id": int,
    "value": (int, float),
    "currency": str,
    "status": str,
    "probability": (int, float, type(None)),
    "lost_reason": (str, type(None)),
    "expected_close_date": (str, type(None)),
    "custom_fields": dict,
}
STAGES = (1, 2, 3)
MOST_IDS = 100
Place = tuple[float, int]
COSTS = {"GET one": 1.0, "PATCH": 5.0, "POST": 10.0, "GET list": 10.0, "GET search": 20.0}


class Pipedrive(Dialect):
    name = "pipedrive"
    stages = ("1", "2", "3", "won", "lost")
    foreign_stage = "999"
    text_field = TRACKING
    number_field = TOTAL
    bool_field = VIP

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.token = secrets.token_hex(20)
        self.behind: dict[str, str] = {}
        """Numbers under which the search index still has a deal, by its id."""
        self.meters = {
            "requests": Rolling(count=20, seconds=2),
            "tokens": Rolling(count=30_000, seconds=86_400),
        }

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get("/api/v2/deals", self._handled(self._list)),
            web.post("/api/v2/deals", self._handled(self._create)),
            web.get("/api/v2/deals/{id}", self._handled(self._get)),
            web.patch("/api/v2/deals/{id}", self._handled(self._patch)),
            web.get("/api/v2/itemSearch/field", self._handled(self._search)),
            web.post("/v1/notes", self._handled(self._note)),
            web.post("/api/v1/notes", self._handled(self._note)),
            *(self.desk.routes() if self.desk else ()),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {
            "crm": "pipedrive",
            "url": url,
            "token": f"plain:{self.token}",
            "objects": {"order": {"key_field": ORDER_NO}},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"status": "open", "stage_id": 1, **_stage(status or "1")}
        custom = {ORDER_NO: key} | {name: value for name, value in fields.items() if name in CUSTOM}
        plain = {name: value for name, value in fields.items() if name not in CUSTOM}
        return self.book.create("deal", {"title": f"Order {key}", **shown, **custom, **plain})

    def status(self, entry: Entry) -> str:
        word = str(entry.fields["status"])
        return str(entry.fields["stage_id"]) if word == "open" else word

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, _stage(status))

    def throttled(self, wait: float) -> web.Response:
        daily = wait > 60
        headers = {
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "0",
            "x-ratelimit-reset": str(max(1, round(min(wait, 2.0)))),
            "x-daily-ratelimit-token-limit": "30000",
            "x-daily-ratelimit-token-remaining": "0" if daily else str(self._left()),
        }
        body = {"success": False, "error": "request over limit", "errorCode": 429}
        return web.json_response(body, status=429, headers=headers)

    def expire(self) -> None:
        self.token = secrets.token_hex(20)
        if self.desk:
            self.desk.expire()

    def costs(self, request: web.Request) -> Mapping[str, float]:
        if self.desk and request.path == self.desk.path:
            return {}
        name = request.method
        if name == "GET":
            name = "GET one"
            name = "GET list" if request.path.endswith("/deals") else name
            name = "GET search" if "itemSearch" in request.path else name
        return {"requests": 1.0, "tokens": COSTS[name]}

    # The calls.

    def _handled(self, act: Act) -> Handler:
        return answering(act, check=self._check_credentials, unreadable=_invalid)

    def _check_credentials(self, request: web.Request) -> None:
        shown = request.headers.get("x-api-token")
        if shown is not None and secrets.compare_digest(shown, self.token):
            return
        if self.desk and self.desk.allows(request):
            return
        raise _refusal(401, "unauthorized access", "ERR_UNAUTHORIZED")

    def _get(self, request: web.Request, _: Body) -> web.Response:
        return self._answer(_deal(self._entry(request.match_info["id"])))

    def _list(self, request: web.Request, _: Body) -> web.Response:
        found = [one for one in self.book.of("deal") if not one.fields.get("is_deleted")]
        if "ids" in request.query:
            ids = request.query["ids"].split(",")
            if len(ids) > MOST_IDS or len(ids) != len(set(ids)):
                raise _invalid("ids: must be up to 100 unique items")
            found = [one for one in found if one.id in ids]
        if "updated_since" in request.query:
            since = _moment(request.query["updated_since"])
            found = [one for one in found if one.modified_at.replace(microsecond=0) >= since]
        by_time = request.query.get("sort_by") == "update_time"
        places = sorted(
            ((_place(one, by_time=by_time), one) for one in found), key=lambda pair: pair[0]
        )
        if "cursor" in request.query:
            first = _cursor(request.query["cursor"])
            places = [pair for pair in places if pair[0] >= first]
        limit = _limit(request.query.get("limit"), most=500)
        following = _mark(places[limit][0]) if limit < len(places) else None
        page: list[JsonValue] = [_deal(one) for _, one in places[:limit]]
        return self._answer(page, additional_data={"next_cursor": following})

    def _create(self, _: web.Request, body: Body) -> web.Response:
        if not isinstance(body.get("title"), str):
            raise _invalid("title: Required")
        fields = {"status": "open", "stage_id": 1, **_fields(body)}
        return self._answer(_deal(self.book.create("deal", fields)), status=201)

    def _patch(self, request: web.Request, body: Body) -> web.Response:
        entry = self._entry(request.match_info["id"])
        fields = _fields(body)
        status = fields.get("status", entry.fields["status"])
        if fields.get("lost_reason") is not None and status != "lost":
            raise _invalid("lost_reason: can only be set when the status is lost")
        self.book.update(entry, fields)
        return self._answer(_deal(entry))

    def _search(self, request: web.Request, _: Body) -> web.Response:
        query = request.query
        name, term = query.get("field", ""), query.get("term", "")
        if query.get("entity_type") != "deal" or name not in CUSTOM:
            raise _invalid("field: no such field of this entity_type")
        if not term or (len(term) < 2 and query.get("match") != "exact"):
            raise _invalid("term: too short")
        if query.get("match") != "exact":
            raise _refusal(501, "the sandbox only has exact matches", "ERR_NOT_IMPLEMENTED")
        found = [one.id for one in self.book.where("deal", name, term)]
        found += [self.behind[term]] if term in self.behind else []
        limit = _limit(query.get("limit"), most=500)
        items: list[JsonValue] = [{"id": int(one), name: term} for one in found[:limit]]
        return self._answer(items, additional_data={"next_cursor": None})

    def _note(self, _: web.Request, body: Body) -> web.Response:
        content, deal = body.get("content"), body.get("deal_id")
        if not isinstance(content, str) or not content or not isinstance(deal, int):
            raise _refusal(400, "content and deal_id are required", "ERR_BAD_REQUEST")
        entry = self._entry(str(deal))
        entry.notes.append(html.unescape(content))
        return self._answer({"id": len(entry.notes), "content": content}, status=201)

    def _entry(self, id: str) -> Entry:  # noqa: A002
        entry = self.book.get("deal", id)
        if entry is None or entry.fields.get("is_deleted"):
            raise _refusal(404, "Deal not found", "ERR_NOT_FOUND")
        return entry

    def _left(self) -> int:
        """Of the day's tokens."""
        return max(0, int(30_000 - (self.meters["tokens"].used if self.meters else 0)))

    def _answer(self, data: JsonValue, *, status: int = 200, **more: JsonValue) -> web.Response:
        headers = {
            "x-ratelimit-limit": "20",
            "x-ratelimit-remaining": "19",
            "x-ratelimit-reset": "2",
            "x-daily-ratelimit-token-limit": "30000",
            "x-daily-ratelimit-token-remaining": str(self._left()),
        }
        body = {"success": True, "data": data, **more}
        return web.json_response(body, status=status, headers=headers)


def _refusal(status: int, error: str, code: str) -> RefusedCall:
    return RefusedCall(status, {"success": False, "error": error, "code": code})


def _invalid(why: str) -> RefusedCall:
    return _refusal(400, f"Validation failed: {why}", "ERR_SCHEMA_VALIDATION_FAILED")


def _stage(word: str) -> dict[str, JsonValue]:
    return (
        {"status": word} if word in {"won", "lost"} else {"status": "open", "stage_id": int(word)}
    )


def _fields(body: Body) -> dict[str, JsonValue]:
    """The fields of a deal that a body sets; anything of a wrong kind is refused."""
    for name, value in body.items():
        if name not in PLAIN:
            raise _invalid(f"{name}: unknown field")
        if not _fits(value, PLAIN[name]):
            raise _invalid(f"{name}: wrong type")
    if body.get("stage_id", 1) not in STAGES:
        raise _invalid("stage_id: no such stage")
    if body.get("status", "open") not in {"open", "won", "lost"}:
        raise _invalid("status: must be one of open, won, lost")
    custom = body.get("custom_fields", {})
    assert isinstance(custom, dict)
    for name, value in custom.items():
        if name not in CUSTOM or not (value is None or _fits(value, CUSTOM[name])):
            raise _invalid(f"custom_fields.{name}: wrong type")
    return {**{name: body[name] for name in body if name != "custom_fields"}, **custom}


def _fits(value: JsonValue, kind: type | tuple[type, ...]) -> bool:
    return isinstance(value, kind) and not isinstance(value, bool)


def _deal(entry: Entry) -> JsonValue:
    plain = {name: value for name, value in entry.fields.items() if name not in CUSTOM}
    return {
        "id": int(entry.id),
        **plain,
        "is_deleted": False,
        "is_archived": False,
        "add_time": _stamp(entry.created_at),
        "update_time": _stamp(entry.modified_at),
        "custom_fields": {name: entry.fields.get(name) for name in CUSTOM},
    }


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _moment(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise _invalid("updated_since: not RFC 3339") from None
    if found.tzinfo is None:
        raise _invalid("updated_since: not RFC 3339")
    return found


def _limit(text: str | None, *, most: int) -> int:
    limit = int(text) if text and text.isdigit() else 100
    if not 0 < limit <= most:
        raise _invalid(f"limit: must be at most {most}")
    return limit


def _place(entry: Entry, *, by_time: bool) -> Place:
    return (entry.modified_at.timestamp() if by_time else 0.0, int(entry.id))


def _mark(place: Place) -> str:
    """The cursor names the first deal of the next page."""
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode()


def _cursor(text: str) -> Place:
    try:
        time, number = orjson.loads(base64.urlsafe_b64decode(text))
        return float(time), int(number)
    except (binascii.Error, ValueError, TypeError):
        raise _invalid("cursor: is not valid") from None
