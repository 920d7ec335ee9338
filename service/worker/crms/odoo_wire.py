"""Two ways to call a method of Odoo: a model, a method and named values in, its result out.

JSON-2 (Odoo 19): `POST /json/2/MODEL/METHOD` with a bearer key. Errors carry a status and the name
of a Python exception, but an unknown field or a wrong selection value is a 500: only the name says
what happened. JSON-RPC (`/jsonrpc`, all versions, announced for removal): every error is a 200.
Observed on Odoo 19.0 community (catalogue of 2026-11); names marked in DOUBTS are UNVERIFIED.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from pydantic import JsonValue

from service.worker.crms import onsite, reading
from service.worker.crms.api import Api
from service.worker.crms.base import Answer, Class
from service.worker.crms.client import Call, Reply, encode

NAMED = {
    "odoo.exceptions.AccessDenied": Class.AUTH,
    "werkzeug.exceptions.Unauthorized": Class.AUTH,
    "odoo.exceptions.AccessError": Class.HUMAN,
    "odoo.exceptions.MissingError": Class.NOT_FOUND,
    "odoo.exceptions.LockError": Class.TRANSIENT,
    "psycopg2.errors.SerializationFailure": Class.TRANSIENT,
    "psycopg2.errors.LockNotAvailable": Class.TRANSIENT,
    "psycopg2.errors.DeadlockDetected": Class.TRANSIENT,
    "psycopg2.errors.AdminShutdown": Class.TRANSIENT,
    "psycopg2.errors.QueryCanceled": Class.TRANSIENT,
    "psycopg2.OperationalError": Class.TRANSIENT,
    "psycopg2.InterfaceError": Class.TRANSIENT,
    "psycopg2.pool.PoolError": Class.TRANSIENT,
    "werkzeug.exceptions.TooManyRequests": Class.RATE,
    "werkzeug.exceptions.ServiceUnavailable": Class.TRANSIENT,
}
"""All other exceptions undo the call and would come again."""
FIRST = ("ids", "vals_list")
"""What JSON-RPC takes by place and not by name."""
JSON = {"Content-Type": "application/json"}


@dataclass(frozen=True, slots=True)
class Said:
    """What a method returned."""

    value: JsonValue
    status: int


class Wire(Protocol):
    async def ask(
        self, model: str, method: str, given: Mapping[str, object], *, operation: str, safe: bool
    ) -> Said | Answer:
        """Call a method; an Answer tells why there is no result."""
        ...


@dataclass(frozen=True, slots=True)
class Json2:
    """`POST /json/2/MODEL/METHOD`."""

    api: Api = field(repr=False)
    url: str
    database: str
    costs: Mapping[str, float]

    async def ask(
        self, model: str, method: str, given: Mapping[str, object], *, operation: str, safe: bool
    ) -> Said | Answer:
        named = {"X-Odoo-Database": self.database} if self.database else {}
        url = f"{self.url}/json/2/{model}/{method}"
        call = Call("POST", url, operation, encode(given), JSON | named, self.costs, safe)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status == 200:
            return _said(call, reply, reply.json(), empty=reply.body == b"null")
        name = reading.word(reading.mapping(reply.json()).get("name"))
        if name is None and reply.status == 404:
            sentence = (
                "Odoo has no such database, or is older than 19 and has no JSON-2: mend url, "
                "options.database or options.api, reload, then resume the destination."
            )
            return reading.refused(reply, call, sentence, kind=Class.HUMAN)
        return refused(call, reply, name)


@dataclass(slots=True)
class JsonRpc:
    """`POST /jsonrpc`, service `object`, method `execute_kw`."""

    api: Api = field(repr=False)
    url: str
    database: str
    login: str
    key: str = field(repr=False)
    costs: Mapping[str, float]
    _uid: int | None = None

    async def ask(
        self, model: str, method: str, given: Mapping[str, object], *, operation: str, safe: bool
    ) -> Said | Answer:
        uid = self._uid or await self._signed_in()
        if isinstance(uid, Answer):
            return uid
        self._uid = uid
        placed = [given[name] for name in FIRST if name in given]
        named = {name: value for name, value in given.items() if name not in FIRST}
        args = [self.database, uid, self.key, model, method, placed, named]
        return await self._posted("object", "execute_kw", args, operation=operation, safe=safe)

    async def _signed_in(self) -> int | Answer:
        args = [self.database, self.login, self.key]
        said = await self._posted("common", "login", args, operation="sign in", safe=True)
        if isinstance(said, Answer):
            return said
        if said.value is False:
            sentence = (
                "Odoo does not know this login, or the key is not its own: mend options.login or "
                "token, reload, then resume the destination."
            )
            return Answer(Class.AUTH, "sign in", http_status=said.status, detail=sentence)
        if isinstance(said.value, int) and said.value is not True:
            return said.value
        sentence = "Odoo answered the sign-in with something else than a number."
        return Answer(Class.TRANSIENT, "sign in", http_status=said.status, detail=sentence)

    async def _posted(
        self, service: str, method: str, args: Sequence[object], *, operation: str, safe: bool
    ) -> Said | Answer:
        params = {"service": service, "method": method, "args": args}
        body = {"jsonrpc": "2.0", "method": "call", "params": params, "id": 1}
        url = f"{self.url}/jsonrpc"
        call = Call("POST", url, operation, encode(body), JSON, self.costs, safe)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        found = reading.mapping(reply.json())
        if reply.status != 200:
            return refused(call, reply, None)
        if "error" in found:
            data = reading.mapping(reading.mapping(found["error"]).get("data"))
            name = reading.word(data.get("name"))
            return refused(call, reply, name) if name else onsite.puzzled(call, reply, "Odoo")
        # A method that returns nothing leaves `result` out.
        nothing = found.get("jsonrpc") == "2.0" and "result" not in found
        return _said(call, reply, found.get("result"), empty=nothing)


def _said(call: Call, reply: Reply, value: JsonValue, *, empty: bool) -> Said | Answer:
    if value is None and not empty:
        return onsite.puzzled(call, reply, "Odoo")
    return Said(value, reply.status)


def refused(call: Call, reply: Reply, name: str | None) -> Answer:
    """An error by the name of its exception; `debug` holds a traceback and is never looked at."""
    kind = None if name is None else NAMED.get(name, Class.PERMANENT)
    if kind is Class.PERMANENT and reply.status in {429, 502, 503, 504}:
        kind = None
    return reading.answered("Odoo", reply, call, code=name, kind=kind)
