"""A simulated Freshsales account: calls come in, deals change.

What it takes is what the adapter's DOUBTS say it should; almost all of it is UNVERIFIED, so this
simulator shows that the adapter is sound, not that Freshsales is so.
"""

import secrets
from collections.abc import Mapping, Sequence
from datetime import UTC

from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.jsoncalls import Act, Body, Handler, RefusedCall, answering
from service.sandbox.dialects.meters import Rolling

BASE = "/crm/sales/api"
STAGES = (402001, 402002, 402003, 402004, 402005)
CUSTOM: Mapping[str, type | tuple[type, ...]] = {
    "cf_order_no": str,
    "cf_tracking": str,
    "cf_total": (int, float),
    "cf_gift": bool,
}
PLAIN: Mapping[str, type | tuple[type, ...]] = {
    "name": str,
    "amount": (int, float),
    "deal_stage_id": int,
    "expected_close": str,
    "custom_field": dict,
}


class Freshsales(Dialect):
    name = "freshsales"
    stages = tuple(str(stage) for stage in STAGES)
    foreign_stage = "999"
    text_field = "cf_tracking"
    number_field = "cf_total"
    bool_field = "cf_gift"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.token = secrets.token_urlsafe(16)
        self.meters = {"requests": Rolling(count=1000, seconds=3600)}

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.get(f"{BASE}/lookup", self._handled(self._lookup)),
            web.get(BASE + "/deals/{id}", self._handled(self._get)),
            web.put(BASE + "/deals/{id}", self._handled(self._put)),
            web.post(f"{BASE}/notes", self._handled(self._note)),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {"crm": "freshsales", "url": url, "token": f"plain:{self.token}"}

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        stage = int(status or self.stages[0])
        shown: dict[str, JsonValue] = {"name": f"Order {key}", "deal_stage_id": stage}
        shown["cf_order_no"] = key
        return self.book.create("deal", {**shown, **fields})

    def status(self, entry: Entry) -> str:
        return str(entry.fields["deal_stage_id"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"deal_stage_id": int(status)})

    def throttled(self, wait: float) -> web.Response:
        headers = {"Retry-After": str(max(1, round(wait)))}
        return web.json_response(_errors(429, "Too many requests"), status=429, headers=headers)

    def expire(self) -> None:
        self.token = secrets.token_urlsafe(16)

    # The calls.

    def _handled(self, act: Act) -> Handler:
        return answering(act, check=self._check_credentials, unreadable=_unreadable)

    def _check_credentials(self, request: web.Request) -> None:
        shown = request.headers.get("Authorization", "").encode()
        if not secrets.compare_digest(shown, f"Token token={self.token}".encode()):
            raise RefusedCall(401, {"login": "failed", "message": "Invalid credentials"})

    def _lookup(self, request: web.Request, _: Body) -> web.Response:
        query = request.query
        if query.get("entities") != "deal" or query.get("f") not in {*CUSTOM, "name"}:
            raise RefusedCall(400, _errors(400, "Invalid lookup field"))
        found = self.book.where("deal", query["f"], query.get("q"))
        deals: list[JsonValue] = [_deal(one) for one in found]
        return web.json_response({"deals": {"deals": deals, "meta": {"total": len(deals)}}})

    def _get(self, request: web.Request, _: Body) -> web.Response:
        return web.json_response({"deal": _deal(self._entry(request.match_info["id"]))})

    def _put(self, request: web.Request, body: Body) -> web.Response:
        entry = self._entry(request.match_info["id"])
        deal = body.get("deal")
        if not isinstance(deal, dict) or set(body) != {"deal"}:
            raise RefusedCall(400, _errors(400, "deal is missing"))
        custom = deal.get("custom_field", {})
        if not _fit(deal, PLAIN) or not isinstance(custom, dict) or not _fit(custom, CUSTOM):
            raise RefusedCall(400, _errors(400, "Invalid parameters"))
        if deal.get("deal_stage_id", STAGES[0]) not in STAGES:
            raise RefusedCall(400, _errors(400, "Deal stage is invalid"))
        plain = {name: value for name, value in deal.items() if name != "custom_field"}
        self.book.update(entry, {**plain, **custom})
        return web.json_response({"deal": _deal(entry)})

    def _note(self, _: web.Request, body: Body) -> web.Response:
        note = body.get("note")
        if not isinstance(note, dict) or note.get("targetable_type") != "Deal":
            raise RefusedCall(400, _errors(400, "note is missing"))
        if not isinstance(note.get("description"), str):
            raise RefusedCall(400, _errors(400, "description can't be blank"))
        entry = self._entry(str(note.get("targetable_id")))
        entry.notes.append(str(note["description"]))
        return web.json_response({"note": {"id": len(entry.notes), **note}}, status=201)

    def _entry(self, id: str) -> Entry:  # noqa: A002
        entry = self.book.get("deal", id)
        if entry is None:
            raise RefusedCall(404, _errors(404, "Not found"))
        return entry


def _errors(code: int, message: str) -> JsonValue:
    return {"errors": {"code": code, "message": [message]}}


def _unreadable(why: str) -> RefusedCall:
    return RefusedCall(400, _errors(400, why))


def _fit(given: Mapping[str, JsonValue], known: Mapping[str, type | tuple[type, ...]]) -> bool:
    for name, value in given.items():
        kind = known.get(name)
        if kind is None or (value is not None and not isinstance(value, kind)):
            return False
        if isinstance(value, bool) and kind is not bool:
            return False
    return True


def _deal(entry: Entry) -> JsonValue:
    plain = {name: value for name, value in entry.fields.items() if name not in CUSTOM}
    return {
        "id": int(entry.id),
        **plain,
        "custom_field": {name: entry.fields.get(name) for name in CUSTOM},
        "updated_at": entry.modified_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
