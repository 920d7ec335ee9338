"""A simulated Odoo 19: calls of JSON-2 and JSON-RPC come in, sale orders and leads change.

As Odoo 19.0 community answers (run and watched, catalogue of 2026-11); the routes of the session
and `/doc-bearer` are there because the clients OdooRPC 0.10.1 and odoo-client-lib 2.0.1 call them.
"""

import secrets
from collections.abc import Mapping, Sequence

import orjson
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.odoo_models import (
    ON_MODEL,
    ON_RECORDS,
    SALE_ORDER,
    USER,
    Fault,
    Models,
)

DATABASE = "shop"
LOGIN = "gateway"


class Odoo(Dialect):
    name = "odoo"
    stages = ("draft", "sale", "cancel", "sent")
    text_field = "x_tracking"
    number_field = "x_total"
    bool_field = "x_vip"
    model = SALE_ORDER
    api = "json-2"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.key = secrets.token_hex(20)
        self.models = Models(self.book)

    def routes(self) -> Sequence[web.RouteDef]:
        return [
            web.post("/json/2/{model}/{method}", self._json2),
            web.post("/jsonrpc", self._jsonrpc),
            web.post("/web/webclient/version_info", self._version),
            web.post("/web/session/authenticate", self._session),
            web.get("/doc-bearer/{model}.json", self._described),
        ]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        login: Mapping[str, JsonValue] = {"login": LOGIN} if self.api == "json-rpc" else {}
        lead: Mapping[str, JsonValue] = {
            "object": "crm.lead",
            "key_field": "x_merchant_order",
            "status_field": "stage_id",
        }
        return {
            "crm": "odoo",
            "url": url,
            "token": f"plain:{self.key}",
            "options": {"api": self.api, "database": DATABASE, **login},
            "attributes": {"vip": {"field": "x_vip", "type": "bool"}},
            "objects": {} if self.model == SALE_ORDER else {"order": {**lead}},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        if self.model == SALE_ORDER:
            shown = {"client_order_ref": key, "locked": False, **_state(status or "draft")}
        else:
            shown = {"x_merchant_order": key, "active": True, "stage_id": int(status or 1)}
        return self.book.create(self.model, {"name": f"Order {key}", **shown, **fields})

    def status(self, entry: Entry) -> str:
        if entry.fields.get("locked") is True:
            return "locked"
        return str(entry.fields["state" if self.model == SALE_ORDER else "stage_id"])

    def touch(self, entry: Entry, status: str) -> None:
        sale = self.model == SALE_ORDER
        self.book.update(entry, _state(status) if sale else {"stage_id": int(status)})

    def throttled(self, wait: float) -> web.Response:
        """Odoo has no limit of its own: this is the proxy in front of it."""
        headers = {"Retry-After": str(max(1, round(wait)))}
        text = "<html><head><title>429 Too Many Requests</title></head></html>"
        return web.Response(status=429, text=text, content_type="text/html", headers=headers)

    def _bent(self, response: web.StreamResponse) -> web.StreamResponse:
        html = response.content_type == "text/html"
        return response if html else super()._bent(response)

    def expire(self) -> None:
        self.key = secrets.token_hex(20)

    # JSON-2.

    async def _json2(self, request: web.Request) -> web.Response:
        if request.headers.get("X-Odoo-Database", DATABASE) != DATABASE:
            return web.Response(status=404, text="<h1>Not Found</h1>", content_type="text/html")
        if request.content_type != "application/json":
            text = "<h1>Unsupported Media Type</h1>"
            return web.Response(status=415, text=text, content_type="text/html")
        try:
            self._check_bearer(request)
            body = _object(await request.read())
            ids = body.pop("ids", None)
            model, method = request.match_info["model"], request.match_info["method"]
            return web.json_response(self.models.call(model, method, ids, body))
        except Fault as fault:
            return web.json_response(_fault(fault), status=fault.status)

    def _check_bearer(self, request: web.Request) -> None:
        scheme, _, key = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not secrets.compare_digest(key, self.key):
            raise Fault("werkzeug.exceptions.Unauthorized", "Invalid apikey", 401)

    async def _described(self, request: web.Request) -> web.Response:
        try:
            self._check_bearer(request)
        except Fault as fault:
            return web.json_response(_fault(fault), status=fault.status)
        methods: dict[str, JsonValue] = {
            name: {"api": ["model"] if name in ON_MODEL else [], "parameters": dict.fromkeys(names)}
            for name, names in {**ON_MODEL, **ON_RECORDS}.items()
        }
        return web.json_response({"model": request.match_info["model"], "methods": methods})

    # JSON-RPC: whatever happens, the status is 200.

    async def _jsonrpc(self, request: web.Request) -> web.Response:
        body = _object(await request.read())
        try:
            match body.get("params"):
                case {"service": "common", "method": "login", "args": [_, _, _] as args}:
                    result = self._login(args)
                case {"service": "object", "method": "execute_kw", "args": list(args)}:
                    result = self._executed(args[:5], *args[5:])
                case {"service": "object", "method": "execute", "args": list(args)}:
                    result = self._executed(args[:5], args[5:])
                case _:
                    result = self._strange()
        except Fault as fault:
            error = {"code": 0, "message": "Odoo Server Error", "data": _fault(fault)}
            return web.json_response({"jsonrpc": "2.0", "id": body.get("id"), "error": error})
        said = {} if result is None else {"result": result}
        return web.json_response({"jsonrpc": "2.0", "id": body.get("id"), **said})

    def _strange(self) -> JsonValue:
        raise Fault("builtins.KeyError", "service", 500)

    def _login(self, args: Sequence[JsonValue]) -> JsonValue:
        return USER if [*args] == [DATABASE, LOGIN, self.key] else False

    def _executed(
        self, args: Sequence[JsonValue], placed: JsonValue = None, named: JsonValue = None
    ) -> JsonValue:
        if len(args) < 5 or [args[0], args[1], args[2]] != [DATABASE, USER, self.key]:
            raise Fault("odoo.exceptions.AccessDenied", "Access Denied", 403)
        model, method = str(args[3]), str(args[4])
        placed, named = placed or [], named or {}
        if not isinstance(placed, list) or not isinstance(named, dict):
            raise Fault("builtins.TypeError", "args must be a list, kwargs a dict", 500)
        ids: JsonValue = named.pop("ids", None)
        names = list(ON_MODEL.get(method, ()))
        if method in ON_RECORDS:
            ids, placed = (placed[0], placed[1:]) if placed else (ids, placed)
            names = list(ON_RECORDS[method])
        given = dict(zip(names, placed, strict=False)) | named
        return self.models.call(model, method, ids, given)

    async def _version(self, _: web.Request) -> web.Response:
        said: JsonValue = {
            "server_version": "19.0",
            "server_version_info": [19, 0, 0, "final", 0, ""],
            "server_serie": "19.0",
            "protocol_version": 1,
        }
        return web.json_response({"jsonrpc": "2.0", "id": None, "result": said})

    async def _session(self, request: web.Request) -> web.Response:
        params = _object(await request.read()).get("params")
        given = params if isinstance(params, dict) else {}
        shown = [given.get("db"), given.get("login"), given.get("password")]
        known = shown == [DATABASE, LOGIN, self.key]
        said: JsonValue = {"uid": USER if known else None, "user_context": {"lang": "en_US"}}
        return web.json_response({"jsonrpc": "2.0", "id": None, "result": said})


def _state(word: str) -> dict[str, JsonValue]:
    return {"state": "sale", "locked": True} if word == "locked" else {"state": word}


def _object(raw: bytes) -> dict[str, JsonValue]:
    try:
        body: JsonValue = orjson.loads(raw)
    except orjson.JSONDecodeError:
        raise Fault("werkzeug.exceptions.BadRequest", "Invalid JSON data", 400) from None
    if not isinstance(body, dict):
        raise Fault("werkzeug.exceptions.BadRequest", "the body is no object", 400)
    return body


def _fault(fault: Fault) -> dict[str, JsonValue]:
    return {
        "name": fault.name,
        "message": str(fault),
        "arguments": [str(fault)],
        "context": {},
        "debug": 'Traceback (most recent call last):\n  File "/usr/lib/odoo/http.py", line 1\n',
    }
