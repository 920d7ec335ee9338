"""Every simulated CRM at once, beside the whole service: a shop posts, and all of them are read."""

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import orjson
from pydantic import JsonValue

from service.sandbox.dialects.base import Dialect, running
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.registry import DIALECTS
from service.worker.crms.kind import Kind
from service.worker.crms.registry import crms_by_name
from tests.acceptance.presets import toml
from tests.acceptance.stage import JWT_SECRET, Stage, token

SHOP_SECRET = "the secret of the shop of all CRMs"
SEALING = "0123456789abcdef" * 4
HEAD = f"""\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "{{folder}}/data"
sandbox = true
keys = ["plain:{SEALING}"]
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
prefix = "{{prefix}}"
[auth]
jwt_secret = "plain:{JWT_SECRET}"
[sources.shop]
provider = "generic"
secrets = ["plain:{SHOP_SECRET}"]
key = "id"
subject = {{{{ ref = "order" }}}}
occurred_at = "at"
status = "code"
attributes = {{{{ tracking = "tracking", total = "total", gift = "gift" }}}}
verify = {{{{ scheme = "hmac", header = "X-Signature", signed = "{{{{body}}}}" }}}}
[sources.shop.statuses]
AWAITING = "payment.awaiting_payment"
PAID = "payment.paid"
SHIPPED = "fulfillment.shipped"
DELIVERED = "delivery.delivered"
"""
STATES = ("paid", "shipped", "delivered")
STAGES: Mapping[str, Sequence[str]] = {"odoo": ("sent", "sale", "locked")}
"""Where the order of a dialect's own list is not the way of an order."""
WIDE: Mapping[str, JsonValue] = {
    "freshsales": {"requests": {"count": 1000, "period": "1h", "burst": 400}},
    "twenty": {"requests": {"count": 100, "period": "1m", "burst": 80}},
}
"""Quotas so small that the test would be about waiting."""
NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=8)
WITHIN = 45.0

Json = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Crm:
    """One destination, and what stands behind it."""

    name: str
    dialect: Dialect
    kind: Kind
    url: str
    table: Mapping[str, JsonValue]

    @classmethod
    def of(cls, dialect: Dialect, url: str, rules: Mapping[str, JsonValue]) -> "Crm":
        own = dialect.destination(url)
        kind = crms_by_name()[str(own["crm"])]
        can = kind.capabilities
        assert can is not None
        stages = STAGES.get(dialect.name, dialect.stages[1:4])
        table: dict[str, JsonValue] = {
            **own,
            "statuses": dict(zip(STATES, stages, strict=True)),
            "attributes": {
                "tracking": dialect.text_field,
                "total": {"field": dialect.number_field, "type": "number"},
                "gift": {"field": dialect.bool_field, "type": "bool"},
            },
            "retry": {"first": "300ms", "max": "2s"},
            "timeout": "5s",
            **rules,
        }
        if rules.get("on_missing") == "create" and not creates(kind, dialect):
            del table["on_missing"]
        if not can.notes:
            table.pop("notes", None)
        if dialect.name in WIDE:
            table["limits"] = WIDE[dialect.name]
        return cls(dialect.name, dialect, kind, url, table)

    @property
    def creates(self) -> bool:
        return self.table.get("on_missing") == "create"

    def stage(self, state: str) -> str:
        stages = self.table["statuses"]
        assert isinstance(stages, dict)
        return str(stages[state])

    def entries(self, order: str) -> list[Entry]:
        """Its records of an order, however the vendor keeps the number."""
        return [each for each in self.dialect.book.entries.values() if order in values(each)]

    def entry(self, order: str) -> Entry:
        [entry] = self.entries(order)
        return entry

    def shows(self, order: str, state: str) -> bool:
        found = self.entries(order)
        return len(found) == 1 and self.dialect.status(found[0]) == self.stage(state)

    def story(self, order: str) -> list[str]:
        """The stages its record has shown, in their order, the first one among them."""
        entry = self.entry(order)
        shown: list[str] = []
        fields: dict[str, JsonValue] = {}
        for effect in entry.effects:
            fields |= effect.after
            past = Entry(entry.id, entry.kind, dict(fields), entry.created_at, effect.at)
            stage = self.dialect.status(past)
            if shown[-1:] != [stage]:
                shown.append(stage)
        return shown

    def secrets(self) -> set[str]:
        """What nobody may ever find in a log, an answer or a row."""
        oauth = self.table.get("oauth")
        tables = [self.table, oauth if isinstance(oauth, dict) else {}]
        texts = {value for table in tables for value in table.values() if isinstance(value, str)}
        plain = {text.removeprefix("plain:") for text in texts if text.startswith("plain:")}
        desk = self.dialect.desk
        return plain | ({*desk.access, *desk.refresh, *desk.spent} if desk else set())


def creates(kind: Kind, dialect: Dialect) -> bool:
    """Whether the table of this dialect leads to an object that can be made."""
    return bool(kind.capabilities and kind.capabilities.creates) and dialect.name != "odoo"


def values(entry: Entry) -> Iterable[JsonValue]:
    """All values of a record; custom fields may be in tables and lists."""
    return _flat(entry.fields)


def _flat(value: JsonValue) -> Iterator[JsonValue]:
    match value:
        case dict():
            for each in value.values():
                yield from _flat(each)
        case list():
            for each in value:
                yield from _flat(each)
        case _:
            yield value


@dataclass
class Square:
    """All CRMs and the service between them and a shop."""

    stage: Stage
    crms: Sequence[Crm]
    session: aiohttp.ClientSession
    posted: int = 0
    _number: int = 0
    _bodies: list[bytes] = field(default_factory=list)

    async def post(self, order: str, code: str, *, hour: float, **more: JsonValue) -> Json:
        """Something new happened to an order."""
        self._number += 1
        at = (NOON + timedelta(hours=hour)).isoformat()
        said = {"id": f"e{self._number}", "order": order, "code": code, "at": at, **more}
        self._bodies.append(orjson.dumps(said))
        status, answer = await self.send(self._bodies[-1])
        assert status == 202, answer
        return answer

    async def again(self) -> Json:
        """The last one, once more."""
        status, answer = await self.send(self._bodies[-1])
        assert status == 202, answer
        return answer

    async def send(self, body: bytes, *, secret: str = SHOP_SECRET) -> tuple[int, Json]:
        signature = hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()
        url = f"{self.stage.public}/webhooks/shop"
        async with self.session.post(url, data=body, headers={"X-Signature": signature}) as answer:
            self.posted += 1
            return answer.status, await answer.json(content_type=None)

    async def api(self, path: str, **query: str) -> Json:
        url = f"{self.stage.places.api}/api/v1{path}"
        headers = {"Authorization": f"Bearer {token()}"}
        async with self.session.get(url, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            said: Json = await answer.json()
            return said

    async def items(self, path: str, **query: str) -> list[Json]:
        found: list[Json] = []
        cursor: dict[str, str] = {}
        while True:
            page = await self.api(path, **{"limit": "200", **query, **cursor})
            found += page["items"]
            if page["next"] is None:
                return found
            cursor = {"cursor": page["next"]}

    async def until(self, holds: Callable[[Crm], object], what: str) -> None:
        """Wait until it holds of all; those of which it does not are named."""
        deadline = time.monotonic() + WITHIN
        while late := [crm.name for crm in self.crms if not holds(crm)]:
            if time.monotonic() > deadline:
                raise AssertionError(f"{what}: not {late}\n{await self._troubles(late)}")
            await asyncio.sleep(0.05)

    async def ledger(self, holds: Callable[[Crm, Json], object], what: str) -> Json:
        """Wait until it holds of the accounts of all destinations."""
        deadline = time.monotonic() + WITHIN
        while True:
            said = await self.api("/ledger")
            rows = said["destinations"]
            late = [c.name for c in self.crms if c.name not in rows or not holds(c, rows[c.name])]
            if not late and said["totals"]["pending"] == 0:
                return said
            if time.monotonic() > deadline:
                shown = {name: rows.get(name) for name in late}
                raise AssertionError(f"{what}: {shown}\n{await self._troubles(late)}")
            await asyncio.sleep(0.1)

    async def quiet(self) -> Json:
        """Wait until nothing is owed any more, nor waited for."""
        waited = ("pending", "no_record")
        return await self.ledger(lambda _, row: not any(row[name] for name in waited), "quiet")

    async def _troubles(self, names: Sequence[str]) -> str:
        """What they were told last, for whoever reads why a test failed."""
        lines = []
        for name in names:
            attempts = (await self.api("/attempts", destination=name, limit="6"))["items"]
            lines += [
                f"{name}: {one['subject']} {one['operation']} {one['class']} {one['detail']}"
                for one in attempts
            ]
        return "\n".join(lines)


@asynccontextmanager
async def square(stage: Stage, **rules: JsonValue) -> AsyncIterator[Square]:
    """Start every simulated CRM and the service, with these rules for every destination."""
    async with AsyncExitStack() as stack:
        crms = [
            Crm.of(dialect, await stack.enter_async_context(running(dialect)), rules)
            for dialect in (kind() for kind in DIALECTS)
        ]
        text = HEAD.format(folder=stage.folder, prefix=stage.prefix)
        tables = [toml(f"destinations.{crm.name}", crm.table) for crm in crms]
        route = toml("[routes]", {"destinations": [crm.name for crm in crms]})
        stage.config.write_text("\n".join([text, *tables, route]))
        session = await stack.enter_async_context(aiohttp.ClientSession())
        yield Square(stage, crms, session)
