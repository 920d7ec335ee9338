"""One account of RetailCRM: writes and questions come in, and become calls about orders."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading
from service.worker.crms.api import Api, Fixed
from service.worker.crms.base import (
    Answer,
    Capabilities,
    Class,
    Crm,
    Known,
    Page,
    Record,
    Target,
    Wanted,
    Write,
)
from service.worker.crms.brackets import Nested, query
from service.worker.crms.client import Call, Clock, Reply, encode
from service.worker.crms.kind import Tools
from service.worker.crms.retailcrm import orders
from service.worker.crms.retailcrm.orders import FARTHEST, TIMES

PAGES = (20, 50, 100)
"""No other page size is taken."""
SECOND = timedelta(seconds=1)
USUAL = Target("orders", "externalId", "status")
ABLE = Capabilities(keyed=True, creates=True, feed=True)
LIMITS = (Limit("requests", 10, SECOND),)
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
FILTERS = {"externalId": "externalIds", "number": "numbers"}


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError without a key, or for what an order cannot be found by."""
    if destination.token is None:
        raise ConfigurationError('RetailCRM needs token = "env:…", an API key.')
    order = reading.target(destination, USUAL)
    rules = destination.objects.values()
    keys = {order.key_field, *(rule.key_field for rule in rules if rule.key_field)}
    if not keys <= set(FILTERS):
        raise ConfigurationError("Orders of RetailCRM are found by externalId or number.")
    for rule in rules:
        if rule.object not in {None, "orders"}:
            raise ConfigurationError(f"{rule.object} is no object we write: it has orders.")
    key = destination.token.reveal().decode("latin-1")
    api = Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        Fixed({"X-API-KEY": key}),
        expired=_never,
    )
    url = f"{destination.url.rstrip('/')}/api/v5/orders"
    site = reading.option(destination, "site")
    can = replace(ABLE, keyed=keys == {USUAL.key_field})
    return RetailCrm(api, tools.clock, url, {"order": order}, site, can)


def _never(_: Reply) -> bool:
    # A key is never renewed, and the message says what is wrong with it.
    return False


@dataclass(frozen=True, slots=True)
class RetailCrm:
    """One account."""

    api: Api = field(repr=False)
    clock: Clock = field(repr=False)
    url: str
    """Of all orders."""
    targets: Mapping[str, Target]
    site: str
    capabilities: Capabilities

    def limits(self) -> Sequence[Limit]:
        """Of one key."""
        return LIMITS

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._written(write) for write in writes]

    async def _written(self, write: Write) -> Answer:
        order = orders.content(write)
        if not order and write.remote_id is not None:
            return Answer(Class.OK, "write", remote_id=write.remote_id)
        name = await self._name(write)
        if isinstance(name, Answer):
            missing = name.kind is Class.NOT_FOUND
            return await self._created(write) if missing and write.create else name
        path, by = name
        answer = await self._posted(f"{quote(path, safe='')}/edit", order, write, by=by)
        if answer.kind is Class.NOT_FOUND and write.create and write.remote_id is None:
            return await self._created(write)
        return answer

    async def _name(self, write: Write) -> tuple[str, str] | Answer:
        """How the order is named in a path; a number that cannot stand there is looked up."""
        if write.remote_id is not None:
            return write.remote_id, "id"
        if write.target.key_field == "externalId" and orders.fits(write.key):
            return write.key, "externalId"
        [found] = await self.find([Wanted(write.target, write.key)])
        if isinstance(found, Answer):
            return replace(found, operation="write")
        match [one.remote_id for one in found]:
            case [only]:
                return only, "id"
            case []:
                detail = "RetailCRM has no order of this number."
                return Answer(Class.NOT_FOUND, "write", detail=detail)
            case many:
                ids = ", ".join(many)
                detail = f"Orders {ids} carry the same number: merge them there, then redrive."
                return Answer(Class.PERMANENT, "write", detail=detail)

    async def _created(self, write: Write) -> Answer:
        order = {**orders.content(write), write.target.key_field: write.key}
        return await self._posted("create", order, write, by=None)

    async def _posted(
        self, path: str, order: Mapping[str, object], write: Write, *, by: str | None
    ) -> Answer:
        operation = "create" if by is None else "write"
        form = {"order": encode(order).decode(), **({"by": by} if by else {}), **self._of_site()}
        body = urlencode(form).encode()
        reply = await self.api.call(Call("POST", f"{self.url}/{path}", operation, body, FORM))
        if isinstance(reply, Answer):
            return reply
        found = reading.mapping(reply.json())
        if found.get("success") is not True or reply.status not in {200, 201}:
            return orders.refused(reply, operation)
        return orders.written(write, found, operation)

    def _of_site(self) -> Mapping[str, str]:
        return {"site": self.site} if self.site else {}

    # Finding and reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        found: dict[str, Sequence[Mapping[str, JsonValue]] | Answer] = {}
        for name in sorted({one.target.key_field for one in wanted}):
            keys = [one.key for one in wanted if one.target.key_field == name]
            found[name] = await self._listed({FILTERS[name]: keys}, len(keys), "find")
        return [orders.matching(found[one.target.key_field], one) for one in wanted]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        if not known:
            return []
        ids = [one.remote_id for one in known]
        listed = await self._listed({"ids": ids}, len(ids), "read")
        if isinstance(listed, Answer):
            return [listed] * len(known)
        by_id = {reading.text(row.get("id")): row for row in listed}
        return [
            orders.record(by_id.get(one.remote_id, {}), one.target, one.fields) or orders.GONE
            for one in known
        ]

    async def _listed(
        self, asked: Mapping[str, Nested], count: int, operation: str
    ) -> Sequence[Mapping[str, JsonValue]] | Answer:
        # One more than asked for, so that a second order of a number is seen.
        limit = next((size for size in PAGES if size > count), PAGES[-1])
        filtered = {**asked, **({"sites": [self.site]} if self.site else {})}
        found = await self._got(self.url, {"filter": filtered, "limit": limit}, operation)
        if isinstance(found, Answer):
            return found
        listed = found.get("orders")
        rows = reading.rows(listed)
        if not isinstance(listed, list) or len(rows) != len(listed):
            return orders.unreadable(operation, safe=True)
        return rows

    async def _got(
        self, url: str, params: Mapping[str, Nested], operation: str
    ) -> Mapping[str, JsonValue] | Answer:
        call = Call("GET", f"{url}?{query(params)}", operation, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        found = reading.mapping(reply.json())
        if reply.status == 200 and found.get("success") is True:
            return found
        return orders.refused(reply, operation, safe=True)

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        """By the ids of changes, so that none is lost; then the orders as they are now."""
        start = (since.astimezone(UTC) - FARTHEST).strftime(TIMES)
        after: Mapping[str, Nested] = {"sinceId": cursor} if cursor else {"startDate": start}
        params: dict[str, Nested] = {"filter": after, "limit": PAGES[-1]}
        found = await self._got(f"{self.url}/history", params, "read")
        if isinstance(found, Answer):
            return found
        history = found.get("history")
        changes = reading.rows(history)
        last = reading.text(changes[-1].get("id")) if changes else None
        if not isinstance(history, list) or len(changes) != len(history) or (changes and not last):
            return orders.unreadable("read", safe=True)
        zone = orders.offset(found.get("generatedAt"), now=self.clock())
        local = since.astimezone(UTC) + (-FARTHEST if zone is None else zone)
        ours = orders.authors(changes, since=local.strftime(TIMES))
        read = await self.read_many([Known(target, one, fields) for one in ours])
        failed = [
            one for one in read if isinstance(one, Answer) and one.kind is not orders.GONE.kind
        ]
        if failed:
            return failed[0]
        records = [
            replace(one, by_us=ours[one.remote_id]) for one in read if isinstance(one, Record)
        ]
        return Page(records, last if len(changes) >= PAGES[-1] else None)

    async def note(self, known: Known, text: str) -> Answer:  # noqa: ARG002  # there is none
        detail = "RetailCRM keeps notes of customers only: switch notes off."
        return Answer(Class.PERMANENT, "note", detail=detail)
