"""One Salesforce org: writes, questions and notes come in, calls of its REST API go out."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading, together
from service.worker.crms.api import Api, Credentials, Renewed
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
from service.worker.crms.kind import Tools
from service.worker.crms.salesforce import said

VERSION = "v68.0"
BATCH = 200
PAGE = 1000
MOST_QUERY = 7_000
"""Longest list of numbers in a URL, percent-encoded: many servers on the way take 8 KiB."""
MOST_PAGES = 10
CONDITIONAL = "Account"
USUAL = Target("Opportunity", "Order_No__c", "StageName")
ABLE = Capabilities(BATCH, creates=True, notes=True, feed=True)
LIMITS = (Limit("daily", 100_000, timedelta(days=1)),)

_JSON = {"Content-Type": "application/json"}
_COST = {"daily": 1.0}


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no credentials or a name is none of Salesforce's."""
    if tools.tokens is None:
        raise ConfigurationError(
            "Salesforce needs an oauth table (client_credentials or jwt_bearer)."
        )
    order = reading.target(destination, USUAL)
    for name in (order.object, order.key_field, order.status_field):
        if not said.IDENTIFIER.fullmatch(name):
            raise ConfigurationError(f"{name} is not an API name of Salesforce, as Order_No__c.")
    version = reading.option(destination, "version", usual=VERSION)
    if not re.fullmatch(r"v[0-9]{2,3}\.0", version):
        raise ConfigurationError("options.version is like v68.0.")
    one = order.object == CONDITIONAL
    return Salesforce(
        _api(destination, tools, Renewed(tools.tokens)),
        destination.url.rstrip("/"),
        f"/services/data/{version}",
        tools.clock,
        targets={"order": order},
        capabilities=replace(ABLE, batch=1, conditional=True) if one else ABLE,
        birth=_birth(destination),
    )


def _api(destination: Destination, tools: Tools, credentials: Credentials) -> Api:
    return Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        credentials,
        hints=said.hints,
    )


def _birth(destination: Destination) -> Mapping[str, JsonValue]:
    birth = destination.options.get("create", {})
    if not isinstance(birth, dict) or not all(map(said.IDENTIFIER.fullmatch, birth)):
        raise ConfigurationError("options.create is a table of fields and their values.")
    return birth


@dataclass(frozen=True, slots=True)
class Salesforce:
    """One Salesforce org."""

    api: Api = field(repr=False)
    url: str
    path: str
    clock: Clock = field(repr=False)
    targets: Mapping[str, Target]
    capabilities: Capabilities
    birth: Mapping[str, JsonValue]
    """Fields that only a new record gets."""

    def limits(self) -> Sequence[Limit]:
        """The stock of the last 24 hours, without what each licence adds."""
        return LIMITS

    # Writing.

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        answers: dict[int, Answer] = {}
        groups: dict[tuple[Target, bool], list[Row]] = {}
        for place, write in enumerate(writes):
            wrong = said.misnamed(write.target, write.fields)
            if wrong is not None:
                answers[place] = wrong
            elif write.remote_id is None and not write.create:
                sentence = "The record has not been found yet."
                answers[place] = Answer(Class.NOT_FOUND, "write", detail=sentence)
            elif write.token is not None and write.target.object == CONDITIONAL:
                answers[place] = await self._write_if(write)
            else:
                known = write.remote_id is not None
                groups.setdefault((write.target, known), []).append(Row(place, write))
        for rows in groups.values():
            for part in distinct(rows, most=BATCH):
                answers |= await self._write(part)
        return [answers[place] for place in range(len(writes))]

    async def _write(self, rows: Sequence[Row]) -> Mapping[int, Answer]:
        """Write rows of one object; halve what is refused as a whole."""
        call = self._collection(rows)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return {row.place: reply for row in rows}
        if reply.status == 400 and len(rows) > 1:
            return await halved(rows, self._write)
        if reply.status != 200:
            answer = said.refused(reply, call)
            return {row.place: answer for row in rows}
        results = reply.json()
        if not isinstance(results, list) or len(results) != len(rows):
            return {row.place: said.unclear(reply, call) for row in rows}
        return {
            row.place: said.saved(reading.mapping(result), reply, call)
            for row, result in zip(rows, results, strict=True)
        }

    def _collection(self, rows: Sequence[Row]) -> Call:
        target, known = rows[0].write.target, rows[0].write.remote_id is not None
        records = [
            {"attributes": {"type": target.object}, **self._content(row.write)} for row in rows
        ]
        where = "/composite/sobjects"
        if not known:
            where += f"/{target.object}/{target.key_field}"
        body = {"allOrNone": False, "records": records}
        return self._call("PATCH", where, "write" if known else "create", body)

    def _content(self, write: Write) -> Mapping[str, object]:
        target = write.target
        stage = {} if write.status is None else {target.status_field: write.status}
        if write.remote_id is not None:
            return {"id": write.remote_id, **write.fields, **stage}
        return {**self.birth, **write.fields, **stage, target.key_field: write.key}

    async def _write_if(self, write: Write) -> Answer:
        """One Account, if it still shows the token."""
        where = f"/sobjects/{CONDITIONAL}/{quote(write.remote_id or '', safe='')}"
        content = {name: each for name, each in self._content(write).items() if name != "id"}
        call = self._call("PATCH", where, "write", content)
        call = replace(call, headers={**_JSON, "If-Match": write.token or ""})
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status == 204:
            return Answer(Class.OK, "write", http_status=204, remote_id=write.remote_id)
        return said.unclear(reply, call) if reply.status < 300 else said.refused(reply, call)

    # Reading.

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return await together.find(wanted, self._with_keys, parts=_parts)

    async def _with_keys(
        self, target: Target, fields: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Record] | Answer:
        clause = f"{target.key_field} IN ({','.join(map(said.text, keys))})"
        return await self._selected(target, fields, clause)

    async def _selected(
        self, target: Target, fields: Sequence[str], clause: str
    ) -> Sequence[Record] | Answer:
        """Every record of a query, page after page."""
        wrong = said.misnamed(target, fields)
        if wrong is not None:
            return replace(wrong, operation="find")
        found: list[Record] = []
        where: str | None = self._query(f"{said.select(target, fields)} WHERE {clause}")
        for _ in range(MOST_PAGES):
            page = await self._page(where or "", target, fields, operation="find")
            if isinstance(page, Answer):
                return page
            found += page.records
            where = page.cursor
            if where is None:
                return found
        return Answer(Class.PERMANENT, "find", detail="Salesforce found too many records.")

    async def _page(
        self, where: str, target: Target, fields: Sequence[str], *, operation: str
    ) -> Page | Answer:
        """One page of a query; its cursor is the path of the next."""
        call = Call("GET", f"{self.url}{where}", operation, costs=_COST, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return said.refused(reply, call)
        return said.page(reply, call, target, fields)

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        read: dict[int, Record | Answer] = {}
        groups: dict[tuple[Target, tuple[str, ...]], list[int]] = {}
        for place, one in enumerate(known):
            wrong = said.misnamed(one.target, one.fields)
            if wrong is not None:
                read[place] = replace(wrong, operation="read")
            elif one.target.object == CONDITIONAL:
                read[place] = await self._read_one(one)
            else:
                groups.setdefault((one.target, tuple(one.fields)), []).append(place)
        for (target, fields), places in groups.items():
            answers = await self._read(target, fields, [known[place].remote_id for place in places])
            read |= dict(zip(places, answers, strict=True))
        return [read[place] for place in range(len(known))]

    async def _read(
        self, target: Target, fields: Sequence[str], ids: Sequence[str]
    ) -> Sequence[Record | Answer]:
        body = {"ids": ids, "fields": said.names(target, fields)}
        where = f"/composite/sobjects/{target.object}"
        call = replace(self._call("POST", where, "read", body), safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return [reply] * len(ids)
        if reply.status != 200:
            return [said.refused(reply, call)] * len(ids)
        rows = reply.json()
        if not isinstance(rows, list) or len(rows) != len(ids):
            return [said.unclear(reply, call)] * len(ids)
        return [said.there(row, target, fields, reply, call) for row in rows]

    async def _read_one(self, known: Known) -> Record | Answer:
        """An Account by itself, because only so its ETag is told."""
        names = ",".join(said.names(known.target, known.fields))
        where = f"/sobjects/{CONDITIONAL}/{quote(known.remote_id, safe='')}?fields={names}"
        call = Call("GET", f"{self.url}{self.path}{where}", "read", costs=_COST, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 200:
            return said.refused(reply, call)
        read = said.there(reply.json(), known.target, known.fields, reply, call)
        if isinstance(read, Answer):
            return said.unclear(reply, call)
        return replace(read, token=reply.headers.get("etag"))

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        """By time and id, so that what changes meanwhile moves to the end and hides nothing."""
        wrong = said.misnamed(target, fields)
        if wrong is not None:
            return replace(wrong, operation="read back")
        moment, _, last = (cursor or "").partition("/")
        clause = f"{said.CHANGED} >= {said.iso(since)}"
        if last:
            same = f"{said.CHANGED} = {moment} AND Id > {said.text(last)}"
            clause = f"({said.CHANGED} > {moment} OR ({same}))"
        order = f"ORDER BY {said.CHANGED}, Id LIMIT {PAGE}"
        where = self._query(f"{said.select(target, fields)} WHERE {clause} {order}")
        page = await self._page(where, target, fields, operation="read back")
        if isinstance(page, Answer) or not page.records:
            return page
        newest = page.records[-1]
        full = page.cursor is not None or len(page.records) >= PAGE
        if not full or newest.modified_at is None:
            return Page(page.records, None)
        return Page(page.records, f"{said.iso(newest.modified_at)}/{newest.remote_id}")

    # Notes.

    async def note(self, known: Known, text: str) -> Answer:
        """A task that is done, which stands in the record's activities."""
        body = {
            "WhatId": known.remote_id,
            "Subject": text[:255],
            "Description": text[:32_000],
            "Status": "Completed",
            "ActivityDate": self.clock().astimezone(UTC).date().isoformat(),
        }
        call = self._call("POST", "/sobjects/Task", "note", body)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        if reply.status != 201:
            return said.unclear(reply, call) if reply.status < 300 else said.refused(reply, call)
        if reading.mapping(reply.json()).get("success") is not True:
            return said.unclear(reply, call)
        return Answer(Class.OK, "note", http_status=201, remote_id=known.remote_id)

    # Calls.

    def _call(self, method: str, where: str, operation: str, body: object) -> Call:
        url = f"{self.url}{self.path}{where}"
        return Call(method, url, operation, encode(body), _JSON, _COST)

    def _query(self, soql: str) -> str:
        return f"{self.path}/query?{urlencode({'q': soql}, quote_via=quote, safe='')}"


def _parts(keys: Sequence[str]) -> Sequence[Sequence[str]]:
    """Numbers as they fit into one query, by its length too."""
    parts: list[list[str]] = [[]]
    length = 0
    for key in keys:
        size = len(quote(said.text(key), safe="")) + 3
        length += size
        if length > MOST_QUERY or len(parts[-1]) == BATCH:
            parts.append([])
            length = size
        parts[-1].append(key)
    return [part for part in parts if part]
