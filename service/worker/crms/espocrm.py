"""EspoCRM: a change becomes a PATCH of an Opportunity, or of any other record.

A record is found by a custom field. Opportunity, Account, Case and Task have a real optimistic
lock: `X-Version-Number` names the version that was read, and a record that differs by now answers
409 with its `versionNumber` (a later version that already shows our values is no conflict). Other
409s are locked records and duplicates. There is no batch of different updates.

Facts: espocrm/documentation @b73eb2d (search parameters, stream, API) and the application's source
espocrm/espocrm @2cde9d9 (lock, status codes), catalogue of 2026-11.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from service.domain.budget import Limit
from service.settings import Destination
from service.worker.crms import onsite, reading, windows
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

USUAL = Target("Opportunity", "cOrderNo", "stage")
PAGE = 200
JSON = {"Content-Type": "application/json"}
SET_UP = """\
1. In EspoCRM, open Administration → Entity Manager → Opportunity → Fields and add a text field
   orderNo; its attribute is cOrderNo, which is objects.order.key_field. Add an index if you can.
2. Administration → Roles: a role that may read and edit all opportunities (and create notes).
   Administration → API Users: a user with this role and the method API Key:
   token = "env:ESPO_KEY". url is the address of EspoCRM.
3. Stages are the words of the field stage as they are stored:
   statuses = { paid = "Negotiation", delivered = "Closed Won", cancelled = "Closed Lost" }."""
DOUBTS = (
    "That a list may select versionNumber; without it a write is not conditional.",
    "That greaterThanOrEquals and lessThan take a moment for modifiedAt, and greaterThan an id.",
    "That a list gives at most 200 records.",
    "That the answer to a PATCH is the whole record, versionNumber among it.",
    "A limit your web server may add; EspoCRM has none.",
)
OPTIONS = (
    Option("user_id", "The id of the API user, so that its own changes are told apart.", "64f0a"),
    onsite.CREATE,
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no key."""
    shown = Fixed({"X-Api-Key": onsite.key(destination, "The API key of an EspoCRM user")})
    return EspoCrm(
        Api(tools.session, tools.clock, destination.timeout, tools.spending, shown),
        onsite.site(destination, USUAL),
        onsite.bools(destination),
        reading.option(destination, "user_id") or None,
    )


@dataclass(frozen=True, slots=True)
class EspoCrm:
    """One EspoCRM."""

    api: Api = field(repr=False)
    site: onsite.Site
    bools: frozenset[str]
    user_id: str | None

    capabilities = Capabilities(conditional=True, creates=True, notes=True, feed=True)

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
        if write.remote_id is None:
            return await self._made(write) if write.create else onsite.unknown_yet(write)
        shown = {} if write.token is None else {"X-Version-Number": write.token}
        url = self._url(write.target.object, write.remote_id)
        body = encode(onsite.values(write))
        return await self._saved(Call("PATCH", url, "write", body, JSON | shown, self.site.costs))

    async def _made(self, write: Write) -> Answer:
        # Duplicates are told by the number, which was searched for just before.
        headers = JSON | {"X-Skip-Duplicate-Check": "true"}
        body = encode(self.site.named_new(write))
        url = self._url(write.target.object)
        return await self._saved(Call("POST", url, "create", body, headers, self.site.costs))

    async def note(self, known: Known, text: str) -> Answer:
        fields = {
            "type": "Post",
            "parentType": known.target.object,
            "parentId": known.remote_id,
            "post": text,
        }
        url = self._url("Note")
        return await self._saved(Call("POST", url, "note", encode(fields), JSON, self.site.costs))

    async def _saved(self, call: Call) -> Answer:
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return self._refused(reply, call)
        row = reading.mapping(reply.json())
        remote_id = reading.text(row.get("id"))
        if remote_id is None or (call.method == "PATCH" and not call.url.endswith(f"/{remote_id}")):
            return onsite.puzzled(call, reply, "EspoCRM")
        token = reading.text(row.get("versionNumber"))
        return Answer(Class.OK, call.operation, http_status=200, remote_id=remote_id, token=token)

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return [await self._found(one) for one in wanted]

    async def _found(self, wanted: Wanted) -> Sequence[Record] | Answer:
        where = [("equals", wanted.target.key_field, wanted.key)]
        read = await self._listed(wanted.target, wanted.fields, where, "find")
        if isinstance(read, Answer):
            return onsite.blamed(read, wanted.key)
        # The database may take upper and lower case for the same.
        return [each for each in read if each.key == wanted.key]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        return [await self._read(one) for one in known]

    async def _read(self, known: Known) -> Record | Answer:
        url = self._url(known.target.object, known.remote_id)
        call = Call("GET", url, "read", costs=self.site.costs, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return self._refused(reply, call)
        read = self._record(reading.mapping(reply.json()), known.target, known.fields)
        return read or onsite.puzzled(call, reply, "EspoCRM")

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        window = windows.opened(since, cursor)
        where = [("greaterThanOrEquals", "modifiedAt", windows.spaced(window.since))]
        if window.before is not None:
            where.append(("lessThan", "modifiedAt", windows.spaced(window.before)))
        if window.above:
            where.append(("greaterThan", "id", window.above))
        by = "id" if window.alone else "modifiedAt"
        read = await self._listed(target, fields, where, "read", by=by)
        if isinstance(read, Answer):
            return read
        return windows.turned(window, read, full=len(read) >= PAGE)

    async def _listed(
        self,
        target: Target,
        fields: Sequence[str],
        where: Sequence[tuple[str, str, str]],
        operation: str,
        *,
        by: str = "id",
    ) -> Sequence[Record] | Answer:
        names = [target.key_field, target.status_field, "modifiedAt", "modifiedById", *fields]
        query = {
            "select": ",".join(dict.fromkeys(["id", "versionNumber", *names])),
            "maxSize": str(PAGE),
            "orderBy": by,
            "order": "asc",
        }
        for place, item in enumerate(where):
            for part, value in zip(("type", "attribute", "value"), item, strict=True):
                query[f"whereGroup[{place}][{part}]"] = value
        url = f"{self._url(target.object)}?{urlencode(query)}"
        # Counting all is slow, and nobody asks.
        headers = {"X-No-Total": "true"}
        call = Call("GET", url, operation, b"", headers, self.site.costs, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return self._refused(reply, call)
        rows = reading.mapping(reply.json()).get("list")
        read = [self._record(row, target, fields) for row in reading.rows(rows)]
        whole = [each for each in read if each is not None and each.modified_at is not None]
        if not isinstance(rows, list) or len(whole) != len(rows):
            return onsite.puzzled(call, reply, "EspoCRM")
        return whole

    def _record(
        self, row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Record | None:
        remote_id = reading.text(row.get("id"))
        if remote_id is None or row.get("deleted") is True:
            return None
        user = reading.text(row.get("modifiedById"))
        return Record(
            remote_id,
            reading.text(row.get(target.key_field)),
            reading.text(row.get(target.status_field)),
            {name: onsite.shown(row.get(name), boolean=name in self.bools) for name in fields},
            reading.text(row.get("versionNumber")),
            reading.moment(row.get("modifiedAt")),
            by_us=None if self.user_id is None or user is None else user == self.user_id,
        )

    def _url(self, *path: str) -> str:
        return "/".join([self.site.url, "api/v1", *(quote(part, safe="") for part in path)])

    def _refused(self, reply: Reply, call: Call) -> Answer:
        if 200 <= reply.status < 300:
            return onsite.puzzled(call, reply, "EspoCRM")
        if reply.status == 409:
            moved = "versionNumber" in reading.mapping(reply.json())
            clash = Class.CONFLICT if moved else Class.PERMANENT
            return reading.answered("EspoCRM", reply, call, kind=clash)
        # A right may be missing for this one record only.
        kind = Class.PERMANENT if reply.status == 403 else None
        if reply.status in {400, 403, 404} and "?" in call.url:
            # A list that is refused is refused for every order.
            kind = Class.HUMAN
        return reading.answered("EspoCRM", reply, call, kind=kind)


KIND = Kind(
    "espocrm",
    "EspoCRM opportunities and other records",
    build,
    setup=SET_UP,
    example={"url": "https://crm.example.com"},
    doubts=DOUBTS,
    options=OPTIONS,
    capabilities=EspoCrm.capabilities,
    targets={"order": USUAL},
)
