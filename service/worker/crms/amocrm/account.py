"""One account of amoCRM: writes, questions and notes come in, and become calls about leads."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading
from service.worker.crms.amocrm import leads as shapes
from service.worker.crms.amocrm.leads import Lead
from service.worker.crms.api import Api, Fixed, Renewed
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
from service.worker.crms.client import Call, Reply, encode
from service.worker.crms.kind import Tools

BATCH = 50
"""What the official client advises; 250 are the most."""
PAGE = 250
MOST_PAGES = 8
SECOND = timedelta(seconds=1)
USUAL = Target("leads", "", "status_id")
LIMITS = (Limit("requests", 7, SECOND),)
JSON = {"Content-Type": "application/json"}


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no credentials, or no field to find leads by."""
    order = reading.target(destination, USUAL)
    if not shapes.custom(order.key_field) and order.key_field != "name":
        raise ConfigurationError(
            "amoCRM finds leads by a custom field: set objects.order.key_field to its id "
            "(a number), or to name."
        )
    for rule in destination.objects.values():
        if rule.object not in {None, "leads"}:
            raise ConfigurationError(f"{rule.object} is no object we write: it has leads.")
    find = reading.option(destination, "find", usual="filter")
    if find not in {"filter", "query"}:
        raise ConfigurationError('options.find is "filter" or "query".')
    shown = _credentials(destination, tools)
    api = Api(tools.session, tools.clock, destination.timeout, tools.spending, shown)
    url = f"{destination.url.rstrip('/')}/api/v4/leads"
    user = reading.option(destination, "user")
    return AmoCrm(api, url, {"order": order}, by_query=find == "query", user=user)


def _credentials(destination: Destination, tools: Tools) -> Fixed | Renewed:
    if tools.tokens is not None:
        return Renewed(tools.tokens)
    if destination.token is None:
        raise ConfigurationError('amoCRM needs token = "env:…" (a long-lived token) or oauth.')
    token = destination.token.reveal().decode("latin-1")
    return Fixed({"Authorization": f"Bearer {token}"})


@dataclass(frozen=True, slots=True)
class AmoCrm:
    """One account."""

    api: Api = field(repr=False)
    url: str
    """Of all leads."""
    targets: Mapping[str, Target]
    by_query: bool
    user: str

    capabilities = Capabilities(batch=BATCH, creates=True, notes=True, feed=True)

    def limits(self) -> Sequence[Limit]:
        """Of one integration; over it the address itself may be blocked."""
        return LIMITS

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        answers = [shapes.beforehand(write) for write in writes]
        for method in ("PATCH", "POST"):
            places = [
                place
                for place, write in enumerate(writes)
                if answers[place] is None and (write.remote_id is None) == (method == "POST")
            ]
            rows = [writes[place] for place in places]
            for place, answer in zip(
                places, await self._written(method, rows) if rows else (), strict=True
            ):
                answers[place] = answer
        return [answer for answer in answers if answer is not None]

    async def _written(self, method: str, writes: Sequence[Write]) -> Sequence[Answer]:
        operation = "write" if method == "PATCH" else "create"
        body = [shapes.lead(write, place=place) for place, write in enumerate(writes)]
        reply = await self.api.call(Call(method, self.url, operation, encode(body), JSON))
        if isinstance(reply, Answer):
            return [reply] * len(writes)
        if reply.status == 400:
            return await self._blamed(method, writes, reply)
        if reply.status not in {200, 201, 202}:
            return [shapes.refused(reply, operation)] * len(writes)
        if method == "POST":
            return shapes.made(reply, len(writes))
        if shapes.leads_of(reply) is None:
            return [shapes.unreadable(operation)] * len(writes)
        return await self._checked(writes)

    async def _blamed(self, method: str, writes: Sequence[Write], reply: Reply) -> Sequence[Answer]:
        operation = "write" if method == "PATCH" else "create"
        faults = shapes.blame(reply.json(), len(writes))
        if not faults and len(writes) > 1:
            # Nobody was named: each must show for itself.
            return [answer for one in writes for answer in await self._written(method, [one])]
        if not faults:
            return [replace(shapes.fault("", ""), operation=operation)]
        aside = Answer(
            Class.TRANSIENT,
            operation,
            http_status=400,
            detail="Another lead of the same request was refused.",
            tried=False,
        )
        return [
            replace(faults.get(number, aside), operation=operation) for number in range(len(writes))
        ]

    async def _checked(self, writes: Sequence[Write]) -> Sequence[Answer]:
        """What a PATCH answered with 200 has really done."""
        known = [Known(one.target, one.remote_id or "", list(one.fields)) for one in writes]
        read = await self.read_many(known)
        return [shapes.checked(write, one) for write, one in zip(writes, read, strict=True)]

    # Finding and reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        if self.by_query:
            return [await self._found({"query": one.key}, one) for one in wanted]
        asked: dict[str, list[str]] = {}
        for one in wanted:
            asked.setdefault(one.target.key_field, []).append(one.key)
        found = {
            (name, key): leads
            for name, keys in asked.items()
            for some in reading.parts(keys)
            for leads in [await self._all(shapes.keyed(name, some))]
            for key in some
        }
        return [self._matching(found[one.target.key_field, one.key], one) for one in wanted]

    async def _found(self, asked: Mapping[str, Nested], one: Wanted) -> Sequence[Record] | Answer:
        return self._matching(await self._all(asked), one)

    def _matching(self, leads: Sequence[Lead] | Answer, one: Wanted) -> Sequence[Record] | Answer:
        """Exactly the number: a filter may mind no case, a query finds anything like it."""
        if isinstance(leads, Answer):
            return replace(leads, operation="find")
        records = [self._record(row, one.target, one.fields) for row in leads]
        return [each for each in records if each is not None and each.key == one.key]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        if not known:
            return []
        leads = await self._all({"filter": {"id": [one.remote_id for one in known]}})
        if isinstance(leads, Answer):
            return [leads] * len(known)
        by_id = {reading.text(row.get("id")): row for row in leads}
        gone = Answer(
            Class.NOT_FOUND, "read", http_status=200, detail="amoCRM has no such lead any more."
        )
        return [
            self._record(by_id.get(one.remote_id, {}), one.target, one.fields) or gone
            for one in known
        ]

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        """In the order of ids: a lead that changes meanwhile moves no page."""
        page = int(cursor) if cursor and cursor.isdigit() else 1
        moment = int(since.astimezone(UTC).timestamp())
        leads = await self._listed({"filter": {"updated_at": {"from": moment}}}, page)
        if isinstance(leads, Answer):
            return leads
        read = [self._record(row, target, fields) for row in leads]
        records = [one for one in read if one is not None]
        return Page(records, str(page + 1) if len(leads) >= PAGE else None)

    async def _all(self, asked: Mapping[str, Nested]) -> Sequence[Lead] | Answer:
        gathered: list[Lead] = []
        for page in range(1, MOST_PAGES + 1):
            leads = await self._listed(asked, page)
            if isinstance(leads, Answer):
                return leads
            gathered += leads
            if len(leads) < PAGE:
                return gathered
        if "query" not in asked:
            # No fifty numbers have so many leads: the filter is ignored, as some plans do.
            sentence = (
                "amoCRM does not filter leads by this field: set options.find to query, reload, "
                "then resume the destination."
            )
            return Answer(Class.HUMAN, "read", http_status=200, detail=sentence)
        sentence = "Too many leads look like this number: write it at the lead, then redrive."
        return Answer(Class.PERMANENT, "read", http_status=200, detail=sentence)

    async def _listed(self, asked: Mapping[str, Nested], page: int) -> Sequence[Lead] | Answer:
        params = {**asked, "order": {"id": "asc"}, "limit": PAGE, "page": page}
        reply = await self.api.call(Call("GET", f"{self.url}?{query(params)}", "read", safe=True))
        if isinstance(reply, Answer):
            return reply
        if reply.status == 204:
            return []
        if reply.status != 200:
            return shapes.refused(reply, "read", safe=True)
        leads = shapes.leads_of(reply)
        return shapes.unreadable("read", safe=True) if leads is None else leads

    def _record(self, row: Lead, target: Target, fields: Sequence[str]) -> Record | None:
        remote_id = reading.text(row.get("id"))
        if remote_id is None or row.get("is_deleted") is True:
            return None
        by = reading.text(row.get("updated_by"))
        return Record(
            remote_id,
            shapes.value(row, target.key_field),
            shapes.stage(row),
            {name: shapes.value(row, name) for name in fields},
            modified_at=shapes.moment(row.get("updated_at")),
            by_us=by == self.user if by and self.user else None,
        )

    async def note(self, known: Known, text: str) -> Answer:
        body = [
            {
                "entity_id": shapes.number(known.remote_id),
                "note_type": "common",
                "params": {"text": text},
            }
        ]
        call = Call("POST", f"{self.url}/notes", "note", encode(body), JSON)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status not in {200, 201, 202}:
            return shapes.refused(reply, "note")
        made = reading.rows(reading.mapping(shapes.embedded(reply)).get("notes"))
        return Answer(Class.OK, "note", http_status=200) if made else shapes.unreadable("note")
