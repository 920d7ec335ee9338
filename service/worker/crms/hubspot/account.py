"""One HubSpot account: writes, questions and notes come in, calls of its CRM API v3 go out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import quote

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading, together
from service.worker.crms.api import Api, Credentials, Fixed, Renewed
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
from service.worker.crms.client import Call, Clock, encode
from service.worker.crms.halving import Row, distinct, halved
from service.worker.crms.hubspot import said
from service.worker.crms.kind import Tools

URL = "https://api.hubapi.com"
BATCH = 100
PAGE = 200
USUAL = Target("orders", "merchant_order_no", "hs_pipeline_stage")
ABLE = Capabilities(BATCH, keyed=True, creates=True, notes=True, feed=True)
DAILY = "daily"
LIMITS = (
    Limit("requests", 100, timedelta(seconds=10), burst=10),
    Limit("search", 4, timedelta(seconds=1)),
    Limit(DAILY, 250_000, timedelta(days=1)),
)
STAGES = {"deals": "dealstage", "0-3": "dealstage"}
PIPELINES = {"deals": "pipeline", "0-3": "pipeline"}
NOTES = {"deals": 214, "0-3": 214, "tickets": 228, "0-5": 228}
"""Association types from a note (UNVERIFIED); others are options.note_association."""
_JSON = {"Content-Type": "application/json"}


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no credentials or an option is of the wrong type."""
    rule = destination.objects.get("order")
    named = rule.object if rule and rule.object else USUAL.object
    usual = Target(named, USUAL.key_field, STAGES.get(named, USUAL.status_field))
    order = reading.target(destination, usual)
    unique = reading.flag(destination, "unique", usual=True)
    kind = _association(destination, order)
    api = Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        _credentials(destination, tools),
        hints=said.hints,
    )
    return HubSpot(
        api,
        (destination.url or URL).rstrip("/"),
        tools.clock,
        targets={"order": order},
        capabilities=replace(ABLE, keyed=unique, creates=unique, notes=kind is not None),
        daily=tools.tokens is None,
        pipeline=reading.option(destination, "pipeline"),
        association=kind,
    )


def _association(destination: Destination, order: Target) -> int | None:
    kind = destination.options.get("note_association", NOTES.get(order.object))
    if kind is not None and (isinstance(kind, bool) or not isinstance(kind, int)):
        raise ConfigurationError("options.note_association is a number, as 214.")
    return kind


def _credentials(destination: Destination, tools: Tools) -> Credentials:
    if tools.tokens is not None:
        return Renewed(tools.tokens)
    if destination.token is None:
        raise ConfigurationError('HubSpot needs token = "env:…" (of a private app) or oauth.')
    return Fixed({"Authorization": f"Bearer {destination.token.reveal().decode('latin-1')}"})


def _way(write: Write) -> Literal["id", "key", "upsert"]:
    if write.remote_id is not None:
        return "id"
    return "upsert" if write.create else "key"


@dataclass(frozen=True, slots=True)
class HubSpot:
    """One HubSpot account."""

    api: Api = field(repr=False)
    url: str
    clock: Clock = field(repr=False)
    targets: Mapping[str, Target]
    capabilities: Capabilities
    daily: bool
    """Whether a daily limit applies: it does to private apps, not to OAuth (change log)."""
    pipeline: str
    association: int | None

    def limits(self) -> Sequence[Limit]:
        """Those of the smallest edition."""
        return LIMITS if self.daily else [each for each in LIMITS if each.name != DAILY]

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        answers: dict[int, Answer] = {}
        groups: dict[tuple[Target, str], list[Row]] = {}
        for place, write in enumerate(writes):
            row = Row(place, write)
            if _way(row.write) != "id" and not self.capabilities.keyed:
                sentence = "The record has not been found yet."
                answers[place] = Answer(Class.NOT_FOUND, "write", detail=sentence)
                continue
            groups.setdefault((write.target, _way(row.write)), []).append(row)
        for rows in groups.values():
            for part in distinct(rows, most=BATCH):
                answers |= await self._write(part)
        return [answers[place] for place in range(len(writes))]

    async def _write(self, rows: Sequence[Row]) -> Mapping[int, Answer]:
        """Write rows of one object in one way; halve what is refused as a whole."""
        call = self._writing(rows)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return {row.place: reply for row in rows}
        if reply.status in {400, 404} and len(rows) > 1:
            return await halved(rows, self._write)
        if reply.status not in {200, 201, 207}:
            answer = said.refused(reply, call)
            return {row.place: answer for row in rows}
        answers = said.told(reply, call, rows)
        left = [row for row in rows if row.place not in answers]
        # Each row is told, unless an error does not say whose it is.
        if left and len(rows) > 1 and reply.status == 207:
            return {**answers, **await halved(left, self._write)}
        return answers | {row.place: said.unclear(reply, call) for row in left}

    def _writing(self, rows: Sequence[Row]) -> Call:
        first = rows[0]
        verb = "upsert" if _way(first.write) == "upsert" else "update"
        body = {"inputs": [self._input(row) for row in rows]}
        url = f"{self._objects(first.write.target)}/batch/{verb}"
        return self._call("POST", url, "create" if verb == "upsert" else "write", body)

    def _input(self, row: Row) -> Mapping[str, object]:
        write, target = row.write, row.write.target
        properties = {name: said.shown(value) for name, value in write.fields.items()}
        if write.status is not None:
            properties[target.status_field] = write.status
            if self.pipeline:
                properties[PIPELINES.get(target.object, "hs_pipeline")] = self.pipeline
        entry = {"properties": properties, "objectWriteTraceId": str(row.place)}
        if _way(row.write) == "id":
            return {"id": write.remote_id, **entry}
        if _way(row.write) == "upsert":
            properties[target.key_field] = write.key
        return {"id": write.key, "idProperty": target.key_field, **entry}

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        ask = self._with_keys if self.capabilities.keyed else self._searched
        return await together.find(wanted, ask, parts=together.by(BATCH))

    async def _with_keys(
        self, target: Target, fields: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Record] | Answer:
        return await self._batch(target, keys, fields, operation="find", by_key=True)

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        some = together.by(BATCH)
        return await together.read_many(known, self._with_ids, gone=_GONE, parts=some)

    async def _with_ids(
        self, target: Target, fields: Sequence[str], ids: Sequence[str]
    ) -> Sequence[Record] | Answer:
        return await self._batch(target, ids, fields, operation="read", by_key=False)

    async def _batch(
        self,
        target: Target,
        ids: Sequence[str],
        fields: Sequence[str],
        *,
        operation: str,
        by_key: bool,
    ) -> Sequence[Record] | Answer:
        """The records there are; one that is missing is simply not among them."""
        body: dict[str, object] = {
            "inputs": [{"id": each} for each in ids],
            "properties": said.properties(target, fields),
            "propertiesWithHistory": [],
        }
        if by_key:
            body["idProperty"] = target.key_field
        call = self._call("POST", f"{self._objects(target)}/batch/read", operation, body, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status == 404 and len(ids) == 1 and said.missing(reply):
            return []
        if reply.status not in {200, 207}:
            return said.refused(reply, call)
        return said.records(reply, call, target, fields)

    async def _searched(
        self, target: Target, fields: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Record] | Answer:
        """IN matches text in lower case only; a full page may hide a record of the next."""
        some: said.Filter = {
            "propertyName": target.key_field,
            "operator": "IN",
            "values": [key.lower() for key in keys],
        }
        found = await self._search(target, fields, [some], sort="hs_object_id", operation="find")
        if isinstance(found, Answer) or len(found) < PAGE or len(keys) == 1:
            return found
        middle = len(keys) // 2
        first = await self._searched(target, fields, keys[:middle])
        last = (
            first
            if isinstance(first, Answer)
            else await self._searched(target, fields, keys[middle:])
        )
        if isinstance(first, Answer) or isinstance(last, Answer):
            return last
        return [*first, *last]

    async def _search(
        self,
        target: Target,
        fields: Sequence[str],
        filters: Sequence[said.Filter],
        *,
        sort: str,
        operation: str,
    ) -> Sequence[Record] | Answer:
        body = {
            "filterGroups": [{"filters": filters}],
            "sorts": [{"propertyName": sort, "direction": "ASCENDING"}],
            "properties": said.properties(target, fields),
            "limit": PAGE,
        }
        call = self._call("POST", f"{self._objects(target)}/search", operation, body, safe=True)
        call = replace(call, costs={**call.costs, "search": 1.0})
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return said.refused(reply, call)
        return said.records(reply, call, target, fields)

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        """By time; records of one and the same moment, of which there may be many, by their id.

        Paging by HubSpot's own `after` counts rows, so that a record changed meanwhile would make
        another one slip through, and ends at 10 000 rows.
        """
        moment, _, last = (cursor or f"{said.milliseconds(since) - 1}:").partition(":")
        if last:
            filters = [
                said.compared(said.CHANGED, "EQ", moment),
                said.compared("hs_object_id", "GT", last),
            ]
            sort = "hs_object_id"
        else:
            filters, sort = [said.compared(said.CHANGED, "GT", moment)], said.CHANGED
        found = await self._search(target, fields, filters, sort=sort, operation="read back")
        if isinstance(found, Answer):
            return found
        full = len(found) >= PAGE
        if last:
            return Page(found, f"{moment}:{found[-1].remote_id}" if full else f"{moment}:")
        if not full or found[-1].modified_at is None:
            return Page(found, None)
        newest = found[-1].modified_at
        before = [one for one in found if one.modified_at != newest]
        return Page(before, f"{said.milliseconds(newest)}:0")

    # Notes.

    async def note(self, known: Known, text: str) -> Answer:
        kind = {"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": self.association}
        body = {
            "properties": {"hs_note_body": said.html(text), "hs_timestamp": said.iso(self.clock())},
            "associations": [{"to": {"id": known.remote_id}, "types": [kind]}],
        }
        call = self._call("POST", f"{self.url}/crm/v3/objects/notes", "note", body)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 201:
            return said.refused(reply, call)
        if not reading.text(reading.mapping(reply.json()).get("id")):
            return said.unclear(reply, call)
        return Answer(Class.OK, "note", http_status=201, remote_id=known.remote_id)

    # Calls.

    def _objects(self, target: Target) -> str:
        return f"{self.url}/crm/v3/objects/{quote(target.object, safe='')}"

    def _call(
        self, method: str, url: str, operation: str, body: object, *, safe: bool = False
    ) -> Call:
        costs = {"requests": 1.0, "daily": 1.0} if self.daily else {"requests": 1.0}
        return Call(method, url, operation, encode(body), _JSON, costs, safe=safe)


_GONE = Answer(Class.NOT_FOUND, "read", detail="HubSpot has no such record any more.")
