"""ERPNext and Frappe CRM: a change becomes an update of a document, up to 20 in one call.

A document is found by a field (a Sales Order by `po_no`) and written by its name. `modified`, sent
back as it was read, makes a save fail with TimestampMismatchError once somebody else has saved.
`bulk_update` saves row by row; what it says of a refused row is only a sentence in the user's
language, so that row is written once more by itself, to learn what happened. Above 20 rows it
would answer 202 and work later: never.

Facts: frappe/frappe `frappe/api/v2.py` @0627aca (routes, bulk updates, paging), frappe's rate
limiter, statuses of its exceptions (third-party copies); catalogue of 2026-11.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import quote, urlencode
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import onsite, reading, together, windows
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
from service.worker.crms.client import Call, Reply, encode
from service.worker.crms.kind import Kind, Option, Tools

USUAL = Target("Sales Order", "po_no", "custom_order_status")
BATCH = 20
PAGE = 200
MOST_PAGES = 5
JSON = {"Content-Type": "application/json", "Accept": "application/json"}
NAMED = {
    "TimestampMismatchError": Class.CONFLICT,
    "DoesNotExistError": Class.NOT_FOUND,
    "AuthenticationError": Class.AUTH,
    "PermissionError": Class.HUMAN,
    "QueryDeadlockError": Class.TRANSIENT,
    "QueryTimeoutError": Class.TRANSIENT,
    "DocumentLockedError": Class.TRANSIENT,
    "InReadOnlyMode": Class.TRANSIENT,
    "SessionStopped": Class.TRANSIENT,
    "ServiceUnavailableError": Class.TRANSIENT,
    "TooManyRequestsError": Class.RATE,
    "RateLimitExceededError": Class.RATE,
}
"""All other exceptions undo the call and would come again."""
SET_UP = """\
1. In ERPNext, make a user for this gateway with a role that may read and write Sales Orders and
   create Comments. In its settings, under API Access, generate keys:
   token = "env:ERPNEXT_TOKEN", which holds KEY:SECRET.
2. Sales Orders are found by Customer's Purchase Order (po_no). Their own status follows deliveries
   and bills, so add a field: Customize Form → Sales Order → a Select named custom_order_status,
   with its options and Allow on Submit. The same for every attribute.
3. statuses = { paid = "Paid", delivered = "Delivered" }: the options of that field.
4. For Frappe CRM: objects.order = { object = "CRM Deal", key_field = "custom_order_no",
   status_field = "status" }, and the names of the deal statuses.
5. options.time_zone is the time zone in System Settings."""
DOUBTS = (
    "That sending back `modified` makes a save conditional; this is read out of the source.",
    "The status of TimestampMismatchError and other validation errors: 417.",
    "Where an answer names the exception: errors[0].type or exc_type; both are read.",
    "That a submitted Sales Order takes only fields with Allow on Submit.",
    "That order_by takes two fields, and modified is in the time zone of the system.",
    "Limits of Frappe Cloud; a site has none unless its operator sets rate_limit.",
)
OPTIONS = (
    Option("time_zone", "The time zone in System Settings; UTC by default.", "Asia/Kolkata"),
    Option("user", "The API user, so that its own changes are told apart.", "gateway@example.com"),
    onsite.CREATE,
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when the token is no KEY:SECRET, or for an unknown time zone."""
    key = onsite.key(destination, "The API key of a Frappe user, KEY:SECRET,")
    if ":" not in key:
        raise ConfigurationError("The token of ERPNext holds both parts: KEY:SECRET.")
    shown = Fixed({"Authorization": f"token {key}"})
    return ErpNext(
        Api(tools.session, tools.clock, destination.timeout, tools.spending, shown),
        onsite.site(destination, USUAL),
        onsite.bools(destination),
        _zone(reading.option(destination, "time_zone", usual="UTC")),
        reading.option(destination, "user") or None,
    )


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise ConfigurationError(f"options.time_zone: there is no time zone {name!r}.") from None


@dataclass(frozen=True, slots=True)
class ErpNext:
    """One site."""

    api: Api = field(repr=False)
    site: onsite.Site
    bools: frozenset[str]
    zone: ZoneInfo
    user: str | None

    capabilities = Capabilities(batch=BATCH, conditional=True, creates=True, notes=True, feed=True)

    @property
    def targets(self) -> Mapping[str, Target]:
        return self.site.targets

    def limits(self) -> Sequence[Limit]:
        """None of its own."""
        return self.site.limits

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        answers: dict[int, Answer] = {}
        groups: dict[str, list[int]] = {}
        for place, write in enumerate(writes):
            if write.remote_id is not None:
                groups.setdefault(write.target.object, []).append(place)
            elif write.create:
                answers[place] = await self._made(write)
            else:
                answers[place] = onsite.unknown_yet(write)
        for places in groups.values():
            rows = [writes[place] for place in places]
            said = [await self._written(rows[0])] if len(rows) == 1 else await self._together(rows)
            answers |= dict(zip(places, said, strict=True))
        return [answers[place] for place in range(len(writes))]

    async def _written(self, write: Write) -> Answer:
        url = self._url(write.target.object, write.remote_id or "", "")
        body = encode(self._document(write))
        call = Call("PATCH", url, "write", body, JSON, self.site.costs)
        return await self._saved(call, write.remote_id)

    async def _together(self, writes: Sequence[Write]) -> Sequence[Answer]:
        docs = [{"name": write.remote_id, **self._document(write)} for write in writes]
        url = self._url(writes[0].target.object, "bulk_update")
        call = Call("POST", url, "write", encode({"docs": docs}), JSON, self.site.costs)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return [reply] * len(writes)
        if reply.status == 202:
            sentence = (
                "ERPNext took the batch for later: raise bulk_operation_async_threshold to 20."
            )
            late = Answer(Class.UNKNOWN_OUTCOME, "write", http_status=202, detail=sentence)
            return [late] * len(writes)
        if reply.status != 200:
            return [self._refused(reply, call)] * len(writes)
        body = reading.mapping(reply.json())
        data = reading.mapping(body.get("data"))
        updated, failed = data.get("updated"), reading.rows(data.get("failed"))
        done = {reading.text(name) for name in updated} if isinstance(updated, list) else set()
        wrong = {reading.text(row.get("name")) for row in failed}
        tokens = {
            reading.text(row.get("name")): reading.text(row.get("modified"))
            for row in reading.rows(body.get("docs"))
        }
        answers: list[Answer] = []
        for write in writes:
            name = write.remote_id
            stop = next((each for each in answers if each.kind not in onsite.BLAMED), None)
            if name in done:
                token = tokens.get(name)
                answers.append(
                    Answer(Class.OK, "write", http_status=200, remote_id=name, token=token)
                )
            elif name in wrong:
                answers.append(onsite.untried(stop) if stop else await self._written(write))
            else:
                answers.append(onsite.puzzled(call, reply, "ERPNext"))
        return answers

    def _document(self, write: Write) -> Mapping[str, object]:
        fields = {
            # A check box holds 1 or 0.
            name: int(value) if isinstance(value, bool) else value
            for name, value in onsite.values(write).items()
        }
        return fields if write.token is None else {**fields, "modified": write.token}

    async def _made(self, write: Write) -> Answer:
        key = {write.target.key_field: write.key}
        fields = {**self.site.fields_of_new(write), **self._document(write), **key}
        url = self._url(write.target.object)
        return await self._saved(
            Call("POST", url, "create", encode(fields), JSON, self.site.costs), None
        )

    async def note(self, known: Known, text: str) -> Answer:
        fields = {
            "comment_type": "Comment",
            "reference_doctype": known.target.object,
            "reference_name": known.remote_id,
            "content": html.escape(text, quote=False),
        }
        url = self._url("Comment")
        answer = await self._saved(
            Call("POST", url, "note", encode(fields), JSON, self.site.costs), None
        )
        return replace(answer, remote_id=None, token=None)

    async def _saved(self, call: Call, name: str | None) -> Answer:
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return self._refused(reply, call)
        saved = reading.mapping(reading.mapping(reply.json()).get("data"))
        remote_id = reading.text(saved.get("name"))
        if remote_id is None or name not in {None, remote_id}:
            return onsite.puzzled(call, reply, "ERPNext")
        token = reading.text(saved.get("modified"))
        return Answer(Class.OK, call.operation, http_status=200, remote_id=remote_id, token=token)

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return await together.find(wanted, self._with_keys, parts=reading.parts)

    async def _with_keys(
        self, target: Target, fields: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Record] | Answer:
        return await self._all(target, fields, [[target.key_field, "in", list(keys)]], "find")

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        some = together.by(BATCH)
        return await together.read_many(known, self._with_names, gone=_GONE, parts=some)

    async def _with_names(
        self, target: Target, fields: Sequence[str], names: Sequence[str]
    ) -> Sequence[Record] | Answer:
        return await self._all(target, fields, [["name", "in", list(names)]], "read")

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        window = windows.opened(since, cursor)
        filters: list[JsonValue] = [["modified", ">=", windows.spaced(window.since, self.zone)]]
        if window.before is not None:
            filters.append(["modified", "<", windows.spaced(window.before, self.zone)])
        if window.above:
            filters.append(["name", ">", window.above])
        order = "name asc" if window.alone else "modified asc, name asc"
        read = await self._listed(target, fields, filters, "read", order=order)
        if isinstance(read, Answer):
            return read
        return windows.turned(window, read[0], full=read[1])

    async def _all(
        self, target: Target, fields: Sequence[str], filters: JsonValue, operation: str
    ) -> Sequence[Record] | Answer:
        found: list[Record] = []
        for page in range(MOST_PAGES):
            read = await self._listed(target, fields, filters, operation, start=page * PAGE)
            if isinstance(read, Answer):
                return read
            found += read[0]
            if not read[1]:
                return found
        sentence = (
            f"More than {MOST_PAGES * PAGE} documents carry these numbers: is key_field the field "
            "of the order number?"
        )
        return Answer(Class.PERMANENT, operation, detail=sentence)

    async def _listed(
        self,
        target: Target,
        fields: Sequence[str],
        filters: JsonValue,
        operation: str,
        *,
        order: str = "name asc",
        start: int = 0,
    ) -> tuple[Sequence[Record], bool] | Answer:
        """One page of documents, and whether there are more."""
        usual = ["name", target.key_field, target.status_field, "modified", "modified_by"]
        query = {
            "fields": encode(list(dict.fromkeys([*usual, *fields]))).decode(),
            "filters": encode(filters).decode(),
            "order_by": order,
            "start": str(start),
            "limit": str(PAGE),
        }
        url = f"{self._url(target.object)}?{urlencode(query)}"
        call = Call("GET", url, operation, b"", JSON, self.site.costs, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return self._refused(reply, call)
        body = reading.mapping(reply.json())
        rows, more = body.get("data"), body.get("has_next_page")
        read = [self._record(row, target, fields) for row in reading.rows(rows)]
        whole = [each for each in read if each is not None and each.modified_at is not None]
        if not isinstance(rows, list) or len(whole) != len(rows) or not isinstance(more, bool):
            return onsite.puzzled(call, reply, "ERPNext")
        return whole, more

    def _record(
        self, row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Record | None:
        remote_id = reading.text(row.get("name"))
        if remote_id is None:
            return None
        user = reading.text(row.get("modified_by"))
        return Record(
            remote_id,
            reading.text(row.get(target.key_field)),
            reading.text(row.get(target.status_field)),
            {name: onsite.shown(row.get(name), boolean=name in self.bools) for name in fields},
            reading.text(row.get("modified")),
            self._moment(row.get("modified")),
            by_us=None if self.user is None or user is None else user == self.user,
        )

    def _moment(self, value: JsonValue) -> datetime | None:
        found = reading.moment(value)
        return None if found is None else found.replace(tzinfo=self.zone)

    def _url(self, *path: str) -> str:
        # A document's address ends with a slash: without it there is a redirect.
        parts = (quote(part, safe="") for part in path)
        return "/".join([self.site.url, "api/v2/document", *parts])

    def _refused(self, reply: Reply, call: Call) -> Answer:
        if 200 <= reply.status < 300:
            return onsite.puzzled(call, reply, "ERPNext")
        name = exception(reply.json())
        kind = NAMED.get(name or "")
        if kind is Class.NOT_FOUND and "?" in call.url:
            # A list of a kind of document that does not exist.
            kind = Class.HUMAN
        if kind is None and name is not None and reply.status != 429 and reply.status < 500:
            kind = Class.PERMANENT
        if name is None and reply.status == 412:
            kind = Class.PERMANENT
        return reading.answered("ERPNext", reply, call, code=name, kind=kind)


_GONE = Answer(Class.NOT_FOUND, "read", detail="ERPNext has no such document.")


def exception(body: JsonValue) -> str | None:
    """The name of the exception, where version 2 of the API and where version 1 has it."""
    found = reading.mapping(body)
    errors = reading.rows(found.get("errors"))
    return reading.word(errors[0].get("type") if errors else found.get("exc_type"))


KIND = Kind(
    "erpnext",
    "ERPNext sales orders, Frappe CRM deals and other documents",
    build,
    setup=SET_UP,
    example={"url": "https://erp.example.com"},
    doubts=DOUBTS,
    options=OPTIONS,
    capabilities=ErpNext.capabilities,
    targets={"order": USUAL},
)
