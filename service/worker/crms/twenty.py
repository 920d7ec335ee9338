"""Twenty: a change becomes a PATCH of an opportunity, or of any other object of the workspace.

A record is found by a custom field with a filter of the REST API. The language of filters has no
escapes: brackets and quotes inside a value would end it, so that such numbers are searched with a
wild card in their place and compared here. There is no conditional write, no key of ours, and no
update of different records in one call (the batch of 60 makes records). A record that is gone
answers a PATCH with 400, EntityNotFoundError.

Facts: twentyhq/twenty, the developer pages `extend/api.mdx` @35e1596 (key, 100 calls a minute,
fields, batches) and the server's own REST parsers and tests (filters, cursors, answers), catalogue
of 2026-11.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from service.domain.budget import Limit
from service.settings import Destination
from service.store import ids
from service.worker.crms import onsite, reading
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

USUAL = Target("opportunities", "orderNo", "stage")
URL = "https://api.twenty.com"
PAGE = 60
MOST_PAGES = 5
COSTS: Mapping[str, float] = {"requests": 1.0}
REST = timedelta(seconds=60)
UNSAFE = re.compile(r"""[()\[\]"'\\,]""")
JSON = {"Content-Type": "application/json"}
SET_UP = """\
1. In Twenty, open Settings → Data model → Opportunities and add a text field orderNo: its API
   name is objects.order.key_field. Objects are named in the plural: opportunities.
2. Settings → APIs & Webhooks → Create key, with a role that may read and update opportunities and
   create notes: token = "env:TWENTY_KEY". url is the address of your own server; left out, it is
   Twenty's cloud.
3. Stages are the API names of the options:
   statuses = { paid = "PROPOSAL", delivered = "CUSTOMER" }."""
DOUBTS = (
    "That a filter knows `like`, whose _ stands for any sign, for text fields.",
    "That the answer to a refused stage is a 400, and to too many calls a 429.",
    "That a page holds 60 records and order_by=updatedAt[AscNullsLast] goes with a cursor.",
    "How a note is tied to a record: noteTargets with targetOpportunityId (options.note_field).",
    "That the text of a note is bodyV2.markdown.",
    "Whether a record that is gone answers 400 or 404 in your version; both are understood.",
)
OPTIONS = (
    Option(
        "note_field",
        "The field of noteTargets that names the record; targetOpportunityId by default.",
        "opportunityId",
    ),
    onsite.CREATE,
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no key."""
    key = onsite.key(destination, "The API key of a Twenty workspace")
    shown = Fixed({"Authorization": f"Bearer {key}"})
    return Twenty(
        Api(tools.session, tools.clock, destination.timeout, tools.spending, shown),
        onsite.site(destination.model_copy(update={"url": destination.url or URL}), USUAL),
        onsite.bools(destination),
        reading.option(destination, "note_field", usual="targetOpportunityId"),
    )


@dataclass(frozen=True, slots=True)
class Twenty:
    """One workspace."""

    api: Api = field(repr=False)
    site: onsite.Site
    bools: frozenset[str]
    note_field: str

    capabilities = Capabilities(creates=True, notes=True, feed=True)

    @property
    def targets(self) -> Mapping[str, Target]:
        return self.site.targets

    def limits(self) -> Sequence[Limit]:
        return (Limit("requests", 100, timedelta(minutes=1), burst=10),)

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._written(write) for write in writes]

    async def _written(self, write: Write) -> Answer:
        kind, fields = write.target.object, onsite.values(write)
        if write.remote_id is not None:
            return await self._saved("PATCH", self._url(kind, write.remote_id), fields, "write")
        if not write.create:
            return onsite.unknown_yet(write)
        named = {} if "name" in self.site.starting else {"name": write.key}
        new = {**named, **self.site.fields_of_new(write), **fields}
        new[write.target.key_field] = write.key
        return await self._saved("POST", self._url(kind), new, "create")

    async def note(self, known: Known, text: str) -> Answer:
        """Make a note under an id of ours and tie it to the record, even if an answer was lost."""
        note = str(ids.new_id())
        title = text.partition("\n")[0][:100]
        fields = {"id": note, "title": title, "bodyV2": {"markdown": text}}
        made = await self._saved("POST", self._url("notes"), fields, "note")
        if made.kind not in {Class.OK, Class.UNKNOWN_OUTCOME} or not made.reached:
            return made
        tie = {"noteId": note, self.note_field: known.remote_id}
        tied = await self._saved("POST", self._url("noteTargets"), tie, "note")
        worse = made if made.kind is not Class.OK else tied
        return replace(worse, remote_id=None)

    async def _saved(
        self, method: str, url: str, fields: Mapping[str, object], operation: str
    ) -> Answer:
        call = Call(method, f"{url}?depth=0", operation, encode(fields), JSON, COSTS)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status not in {200, 201}:
            return self._refused(reply, call)
        # The one key of `data` is named after the call: updateOpportunity.
        data = reading.mapping(reading.mapping(reply.json()).get("data"))
        saved = next((reading.mapping(value) for value in data.values()), {})
        remote_id = reading.text(saved.get("id"))
        if remote_id is None or (method == "PATCH" and not url.endswith(f"/{remote_id}")):
            return onsite.puzzled(call, reply, "Twenty")
        return Answer(Class.OK, operation, http_status=reply.status, remote_id=remote_id)

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return [await self._found(one) for one in wanted]

    async def _found(self, wanted: Wanted) -> Sequence[Record] | Answer:
        found: list[Record] = []
        cursor: str | None = None
        condition = searched(wanted.target.key_field, wanted.key)
        for _ in range(MOST_PAGES):
            page = await self._listed(
                wanted.target, wanted.fields, condition, "find", cursor=cursor
            )
            if isinstance(page, Answer):
                return onsite.blamed(page, wanted.key)
            found += [each for each in page.records if each.key == wanted.key]
            cursor = page.cursor
            if cursor is None:
                return found
        sentence = f"Twenty cannot search for {wanted.key}: too many records look like it."
        return Answer(Class.PERMANENT, "find", detail=sentence)

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        return [await self._read(one) for one in known]

    async def _read(self, known: Known) -> Record | Answer:
        condition = searched("id", known.remote_id)
        page = await self._listed(known.target, known.fields, condition, "read")
        if isinstance(page, Answer):
            return page
        return next((each for each in page.records if each.remote_id == known.remote_id), _GONE)

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        stamp = since.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        condition = f'updatedAt[gte]:"{stamp}"'
        order = "updatedAt[AscNullsLast]"
        return await self._listed(target, fields, condition, "read", order=order, cursor=cursor)

    async def _listed(
        self,
        target: Target,
        fields: Sequence[str],
        condition: str,
        operation: str,
        *,
        order: str | None = None,
        cursor: str | None = None,
    ) -> Page | Answer:
        names = ["id", "updatedAt", target.key_field, target.status_field, *fields]
        query = {
            "filter": condition,
            # Wide objects are cut at 200 fields unless one says which.
            "fields": ",".join(dict.fromkeys(names)),
            "depth": "0",
            "limit": str(PAGE),
            **({"order_by": order} if order else {}),
            **({"starting_after": cursor} if cursor else {}),
        }
        url = f"{self._url(target.object)}?{urlencode(query, quote_via=quote)}"
        call = Call("GET", url, operation, b"", JSON, COSTS, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return self._refused(reply, call)
        body = reading.mapping(reply.json())
        rows = reading.mapping(body.get("data")).get(target.object)
        info = reading.mapping(body.get("pageInfo"))
        read = [self._record(row, target, fields) for row in reading.rows(rows)]
        whole = [each for each in read if each is not None and each.modified_at is not None]
        more, after = info.get("hasNextPage"), reading.text(info.get("endCursor"))
        sound = isinstance(more, bool) and (after is not None or more is False)
        if not sound or not isinstance(rows, list) or len(whole) != len(rows):
            return onsite.puzzled(call, reply, "Twenty")
        return Page(whole, after if more else None)

    def _record(
        self, row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Record | None:
        remote_id = reading.text(row.get("id"))
        if remote_id is None:
            return None
        return Record(
            remote_id,
            reading.text(row.get(target.key_field)),
            reading.text(row.get(target.status_field)),
            {name: onsite.shown(row.get(name), boolean=name in self.bools) for name in fields},
            modified_at=reading.moment(row.get("updatedAt")),
        )

    def _url(self, *path: str) -> str:
        return "/".join([self.site.url, "rest", *(quote(part, safe="") for part in path)])

    def _refused(self, reply: Reply, call: Call) -> Answer:
        if 200 <= reply.status < 300:
            return onsite.puzzled(call, reply, "Twenty")
        name = reading.word(reading.mapping(reply.json()).get("error"))
        kind = None
        if reply.status in {400, 404} and call.safe:
            # A search that is refused is refused for every order: no such object, no such field.
            kind = Class.HUMAN
        elif name == "EntityNotFoundError":
            kind = Class.NOT_FOUND
        answer = reading.answered("Twenty", reply, call, code=name, kind=kind)
        if answer.kind is not Class.RATE:
            return answer
        return replace(answer, after=answer.after or REST, scope="requests")


_GONE = Answer(Class.NOT_FOUND, "read", detail="Twenty has no such record.")


def searched(name: str, value: str) -> str:
    """A filter for the records whose field has this value, or looks like it."""
    if UNSAFE.search(value):
        return f'{name}[like]:"{UNSAFE.sub("_", value)}"'
    return f'{name}[eq]:"{value}"'


KIND = Kind(
    "twenty",
    "Twenty opportunities and other objects (REST)",
    build,
    setup=SET_UP,
    doubts=DOUBTS,
    options=OPTIONS,
    default_url=URL,
    capabilities=Twenty.capabilities,
    targets={"order": USUAL},
)
