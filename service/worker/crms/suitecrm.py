"""SuiteCRM: a change becomes a PATCH of the V8 JSON:API, with the id in the body.

A record is found by a custom field (releases up to 7.12.1 answer a filter on one with "Database
failure"). Every refusal of the API is a 400 whose `errors` is one object: only its `detail` tells
a record that is gone from a change that is refused. Stages are not checked: SuiteCRM stores any
text. There is no batch, no conditional write, no key of ours.

Facts: salesagility/SuiteDocs @c54022f and the source salesagility/SuiteCRM `Api/V8` (filters,
controllers, module service; statuses 200, 201 and 400), PyPI PySuiteCRM 2022.8.13 (the filter's
history); catalogue of 2026-11.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import onsite, reading, windows
from service.worker.crms.api import Api, Renewed
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
from service.worker.crms.kind import Kind, OAuth, Option, Tools

USUAL = Target("Opportunities", "order_no_c", "sales_stage")
PAGE = 100
JSON = {"Content-Type": "application/vnd.api+json", "Accept": "application/vnd.api+json"}
QUOTED = {"&quot;": '"', "&#039;": "'", "&lt;": "<", "&gt;": ">"}
"""How records are read out; & stands for itself."""
SET_UP = """\
1. In SuiteCRM, open Admin → Studio → Opportunities → Fields and add a text field order_no; its
   name is order_no_c, which is objects.order.key_field. Mind that release 7.12.3 is the first that
   finds records by such a field.
2. Make the keys of the API (Api/V8/OAuth2, see the developer guide), then Admin → OAuth2 Clients
   and Tokens → New Client Credentials Client, with a user who may edit opportunities:
   oauth = { grant = "client_credentials", url = "https://crm.example.com/Api/access_token",
   client_id = "…", client_secret = "env:SUITECRM_SECRET" }.
3. url is the address of SuiteCRM 7; of SuiteCRM 8, the address followed by /legacy (for both).
4. Stages are the keys of the drop-down list sales_stage_dom:
   statuses = { paid = "Negotiation/Review", delivered = "Closed Won" }."""
DOUBTS = (
    "That filters take date_modified as YYYY-MM-DD HH:MM:SS in UTC, and gt compares ids.",
    "That texts are read out with &quot; &#039; &lt; &gt; for these signs; they are turned back.",
    "Whether markup in a text is cleaned away when it is saved.",
    "That page[size]=100 is allowed everywhere.",
    "Limits a web server may add; SuiteCRM has none.",
)
OPTIONS = (
    Option("user_id", "The id of the client's user, so that its own changes are told apart.", "1"),
    onsite.CREATE,
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError without an `oauth` table."""
    if tools.tokens is None:
        raise ConfigurationError(
            'SuiteCRM needs oauth = { grant = "client_credentials", url = ".../access_token", … }.'
        )
    shown = Renewed(tools.tokens)
    return SuiteCrm(
        Api(tools.session, tools.clock, destination.timeout, tools.spending, shown),
        onsite.site(destination, USUAL),
        onsite.bools(destination),
        reading.option(destination, "user_id") or None,
    )


@dataclass(frozen=True, slots=True)
class SuiteCrm:
    """One SuiteCRM."""

    api: Api = field(repr=False)
    site: onsite.Site
    bools: frozenset[str]
    user_id: str | None

    capabilities = Capabilities(creates=True, notes=True, feed=True)

    @property
    def targets(self) -> Mapping[str, Target]:
        return self.site.targets

    def limits(self) -> Sequence[Limit]:
        """None of its own."""
        return self.site.limits

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._written(write) for write in writes]

    async def _written(self, write: Write) -> Answer:
        kind = write.target.object
        if write.remote_id is not None:
            return await self._saved("PATCH", kind, onsite.values(write), "write", write.remote_id)
        if not write.create:
            return onsite.unknown_yet(write)
        return await self._saved("POST", kind, self.site.named_new(write), "create")

    async def note(self, known: Known, text: str) -> Answer:
        fields = {
            "name": text.partition("\n")[0][:100],
            "description": text,
            "parent_type": known.target.object,
            "parent_id": known.remote_id,
        }
        return await self._saved("POST", "Notes", fields, "note")

    async def _saved(
        self,
        method: str,
        kind: str,
        fields: Mapping[str, object],
        operation: str,
        remote_id: str | None = None,
    ) -> Answer:
        known = {} if remote_id is None else {"id": remote_id}
        body = encode({"data": {"type": kind, **known, "attributes": fields}})
        url = f"{self.site.url}/Api/V8/module"
        call = Call(method, url, operation, body, JSON, self.site.costs)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status not in {200, 201}:
            return self._refused(reply, call)
        made = reading.text(reading.mapping(reading.mapping(reply.json()).get("data")).get("id"))
        if made is None or remote_id not in {None, made}:
            return onsite.puzzled(call, reply, "SuiteCRM")
        return Answer(Class.OK, operation, http_status=reply.status, remote_id=made)

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return [await self._found(one) for one in wanted]

    async def _found(self, wanted: Wanted) -> Sequence[Record] | Answer:
        filters = [(wanted.target.key_field, "eq", wanted.key)]
        read = await self._listed(wanted.target, wanted.fields, filters, "find")
        if isinstance(read, Answer):
            return onsite.blamed(read, wanted.key)
        # The database may take upper and lower case for the same.
        return [each for each in read if each.key == wanted.key]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        return [await self._read(one) for one in known]

    async def _read(self, known: Known) -> Record | Answer:
        target = known.target
        query = urlencode({f"fields[{target.object}]": _fields(target, known.fields)})
        one = quote(known.remote_id, safe="")
        url = f"{self.site.url}/Api/V8/module/{target.object}/{one}?{query}"
        call = Call("GET", url, "read", b"", JSON, self.site.costs, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return self._refused(reply, call)
        row = reading.mapping(reading.mapping(reply.json()).get("data"))
        return self._record(row, target, known.fields) or onsite.puzzled(call, reply, "SuiteCRM")

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        window = windows.opened(since, cursor)
        filters = [("date_modified", "gte", windows.spaced(window.since))]
        if window.before is not None:
            filters.append(("date_modified", "lt", windows.spaced(window.before)))
        if window.above:
            filters.append(("id", "gt", window.above))
        by = "id" if window.alone else "date_modified"
        read = await self._listed(target, fields, filters, "read", by=by)
        if isinstance(read, Answer):
            return read
        return windows.turned(window, read, full=len(read) >= PAGE)

    async def _listed(
        self,
        target: Target,
        fields: Sequence[str],
        filters: Sequence[tuple[str, str, str]],
        operation: str,
        *,
        by: str = "id",
    ) -> Sequence[Record] | Answer:
        query = {
            f"fields[{target.object}]": _fields(target, fields),
            "filter[operator]": "and",
            **{f"filter[{name}][{operator}]": value for name, operator, value in filters},
            "page[number]": "1",
            "page[size]": str(PAGE),
            "sort": by,
        }
        url = f"{self.site.url}/Api/V8/module/{target.object}?{urlencode(query)}"
        call = Call("GET", url, operation, b"", JSON, self.site.costs, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status == 400:
            # What is wrong with a list is wrong for every order: a module, a field, a right.
            sentence = (
                "SuiteCRM refuses the search: look whether there is such a module with such "
                "fields, and whether its user may list it, then resume the destination."
            )
            return reading.refused(reply, call, sentence, kind=Class.HUMAN)
        if reply.status != 200:
            return self._refused(reply, call)
        rows = reading.mapping(reply.json()).get("data")
        read = [self._record(row, target, fields) for row in reading.rows(rows)]
        whole = [each for each in read if each is not None and each.modified_at is not None]
        if not isinstance(rows, list) or len(whole) != len(rows):
            return onsite.puzzled(call, reply, "SuiteCRM")
        return whole

    def _record(
        self, row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Record | None:
        remote_id, found = reading.text(row.get("id")), reading.mapping(row.get("attributes"))
        if remote_id is None or not found:
            return None
        user = _plain(found, "modified_user_id")
        values = {
            name: onsite.shown(_plain(found, name), boolean=name in self.bools) for name in fields
        }
        return Record(
            remote_id,
            _plain(found, target.key_field),
            _plain(found, target.status_field),
            values,
            modified_at=reading.moment(found.get("date_modified")),
            by_us=None if self.user_id is None or user is None else user == self.user_id,
        )

    def _refused(self, reply: Reply, call: Call) -> Answer:
        if 200 <= reply.status < 300:
            return onsite.puzzled(call, reply, "SuiteCRM")
        kind = None
        if reply.status == 400:
            errors = reading.mapping(reading.mapping(reply.json()).get("errors"))
            detail = reading.text(errors.get("detail")) or ""
            gone = detail.endswith("is not found") and " module with id " in detail
            kind = Class.NOT_FOUND if gone else Class.PERMANENT
        return reading.answered("SuiteCRM", reply, call, kind=kind)


def _fields(target: Target, fields: Sequence[str]) -> str:
    usual = [target.key_field, target.status_field, "date_modified", "modified_user_id"]
    return ",".join(dict.fromkeys([*usual, *fields]))


def _plain(found: Mapping[str, JsonValue], name: str) -> str | None:
    said = reading.text(found.get(name))
    for entity, sign in QUOTED.items():
        said = said and said.replace(entity, sign)
    return said


KIND = Kind(
    "suitecrm",
    "SuiteCRM opportunities and other modules (V8 API)",
    build,
    setup=SET_UP,
    token=False,
    example={
        "url": "https://crm.example.com",
        "oauth": {"url": "https://crm.example.com/Api/access_token"},
    },
    doubts=DOUBTS,
    options=OPTIONS,
    oauth=OAuth(None, ("client_credentials", "refresh_token")),
    capabilities=SuiteCrm.capabilities,
    targets={"order": USUAL},
)
