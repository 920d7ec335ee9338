"""Microsoft Dynamics 365 (Dataverse): changes become PATCH calls in one $batch of the Web API v9.2.

A record is named by its GUID, or by an alternate key over the merchant's number; `If-Match: *`
keeps a missing one from being made, `If-Match: <ETag>` one that changed meanwhile from being
overwritten. Where the number holds a character that Dataverse cannot take in a key, the record is
found first. A change of `statecode` always carries its `statuscode`.

Facts: MicrosoftDocs/powerapps-docs and learn.microsoft.com as in the catalogue of 2026-11, PyPI
PowerPlatform-Dataverse-Client 1.1.0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlsplit

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import multipart, reading
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
from service.worker.crms.client import Call, Reply, encode, parse_retry_after
from service.worker.crms.kind import Kind, OAuth, Option, Tools
from service.worker.crms.multipart import Part

VERSION = "/api/data/v9.2"
MOST_ROWS = 50
KEYS_A_FILTER = 20
PAGE = 500
UNKEYED = frozenset("/<>*%&:\\?+#")
"""With one of these in it a value cannot stand in an alternate key (learn.microsoft.com)."""
GUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,127}")
LINK = re.compile(r"[!-~]{1,8000}")
TOO_MANY = "0x80072322"
USUAL = {"Accept": "application/json", "OData-MaxVersion": "4.0", "OData-Version": "4.0"}
ORDER = Target("salesorders", "ordernumber", "statuscode")
LIMITS = (Limit("requests", 6000, timedelta(minutes=5), burst=100),)
"""Those of one user on one web server; time of execution cannot be known beforehand."""
SET_UP = """\
1. In Power Apps, open the table Order (salesorder) → Keys → New key, over the column that holds the
   merchant's number; wait until it is Active. Its logical name is objects.order.key_field
   (ordernumber when left out).
2. In Microsoft Entra ID register an app with a client secret; in the Power Platform admin centre
   add it as an application user with rights to read, write and append to orders and notes.
3. url = "https://ORG.crm.dynamics.com" and oauth = { grant = "client_credentials",
   url = "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token", client_id = "…",
   client_secret = "env:…", scope = "https://ORG.crm.dynamics.com/.default" }.
4. statuses names a statuscode, or statecode:statuscode where the state changes with it:
   { paid = "0:690970000", cancelled = "2:4" }. A choice column of your own takes its number."""
DOUBTS = (
    "That every organisation honours odata.continue-on-error, so that no row stops another.",
    "That statecode of an order may be written; some allow it only by FulfillSalesOrder.",
    "That a note binds to its record as objectid_TABLE@odata.bind; only third parties show it.",
    "Whether pages of @odata.nextLink stay whole while records change.",
)
OPTIONS = (
    Option(
        "logical_names",
        "The logical name of a table by that of its set, where it is not its singular.",
        '{ new_staff = "new_staffmember" }',
    ),
    Option("user_id", "The GUID of the application user: its own writes are then known.", '"…"'),
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError without oauth, or for an option of another shape."""
    if tools.tokens is None:
        raise ConfigurationError("Dynamics 365 needs oauth with the grant client_credentials.")
    names = destination.options.get("logical_names", {})
    if not isinstance(names, dict):
        raise ConfigurationError("options.logical_names is a table of set = name.")
    order = reading.target(destination, ORDER)
    rules = destination.objects.values()
    words = {*destination.statuses.values()}
    words |= {word for rule in rules for word in (rule.statuses or {}).values()}
    return Dynamics365(
        Api(
            tools.session,
            tools.clock,
            destination.timeout,
            tools.spending,
            Renewed(tools.tokens),
        ),
        destination.url.rstrip("/"),
        {"order": order},
        logical={name: str(value) for name, value in names.items()},
        paired=frozenset(word for word in words if ":" in word),
        user_id=reading.option(destination, "user_id").lower() or None,
    )


@dataclass(frozen=True, slots=True)
class Dynamics365:
    """One organisation of Dynamics 365."""

    api: Api = field(repr=False)
    url: str
    targets: Mapping[str, Target]
    logical: Mapping[str, str] = field(default_factory=dict)
    paired: frozenset[str] = frozenset()
    """The configured words that name a state besides the status."""
    user_id: str | None = None

    capabilities = Capabilities(
        batch=MOST_ROWS, keyed=True, conditional=True, creates=True, notes=True, feed=True
    )

    def limits(self) -> Sequence[Limit]:
        return LIMITS

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        rows = await self._named(writes)
        ready = {place: row for place, row in enumerate(rows) if not isinstance(row, Answer)}
        parts = {place: self._part(row) for place, row in ready.items()}
        answers: dict[int, Answer] = {
            place: row for place, row in enumerate(rows) if isinstance(row, Answer)
        }
        answers |= {place: part for place, part in parts.items() if isinstance(part, Answer)}
        sent = [place for place, part in parts.items() if not isinstance(part, Answer)]
        told = await self._batch(
            [part for part in parts.values() if isinstance(part, Part)], "write"
        )
        for place, one in zip(sent, told, strict=True):
            answers[place] = one if isinstance(one, Answer) else self._written(ready[place], one)
        return [answers[place] for place in range(len(writes))]

    async def _named(self, writes: Sequence[Write]) -> Sequence[Write | Answer]:
        """Find the records whose number cannot stand in a key."""
        rows: list[Write | Answer] = list(writes)
        odd = [
            place
            for place, write in enumerate(writes)
            if write.remote_id is None and not _keyable(write.key)
        ]
        found = await self.find([Wanted(writes[one].target, writes[one].key) for one in odd])
        for place, records in zip(odd, found, strict=True):
            write = writes[place]
            match records:
                case Answer():
                    rows[place] = records
                case [record]:
                    rows[place] = replace(write, remote_id=record.remote_id)
                case [] if write.create:
                    pass
                case []:
                    rows[place] = _answer(Class.NOT_FOUND, "write", "No record has this number.")
                case _:
                    several = "Several records carry this number: merge them there, then redrive."
                    rows[place] = _answer(Class.PERMANENT, "write", several)
        return rows

    def _part(self, write: Write) -> Part | Answer:
        body = content(write)
        if body is None:
            sentence = (
                f"{write.status} is no status: let statuses name a number, or state:status, "
                "reload, then redrive."
            )
            return _answer(Class.PERMANENT, "write", sentence)
        headers = {
            **USUAL,
            "Content-Type": "application/json; charset=utf-8",
            "Prefer": "return=representation",
        }
        where = f"{VERSION}/{write.target.object}"
        shown = f"?$select={self._id(write.target)},{write.target.key_field}"
        if write.remote_id is not None:
            headers["If-Match"] = write.token or "*"
            one = quote(write.remote_id, safe="")
            return Part("PATCH", f"{where}({one}){shown}", headers, encode(body))
        if not _keyable(write.key):
            made = {**body, write.target.key_field: write.key}
            return Part("POST", f"{where}{shown}", headers, encode(made))
        if not write.create:
            headers["If-Match"] = "*"
        key = f"({write.target.key_field}={_literal(write.key)})"
        return Part("PATCH", f"{where}{key}{shown}", headers, encode(body))

    def _written(self, write: Write, reply: Reply) -> Answer:
        operation = "create" if write.create and write.remote_id is None else "write"
        call = Call("PATCH", self.url, operation)
        if reply.status not in {200, 201, 204}:
            return self._refused(reply, call)
        row = reading.mapping(reply.json())
        told = self._guid(row, write.target) or _entity(reply)
        remote_id = write.remote_id or told
        if remote_id is None or (told or remote_id).lower() != remote_id.lower():
            # It says nothing of this row, or speaks of another.
            return self._refused(reply, call)
        token = etag(row)
        return Answer(Class.OK, operation, reply.status, remote_id=remote_id, token=token)

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        found: list[Sequence[Record] | Answer] = [()] * len(wanted)
        groups: dict[tuple[Target, tuple[str, ...]], list[int]] = {}
        for place, one in enumerate(wanted):
            groups.setdefault((one.target, tuple(one.fields)), []).append(place)
        some = [
            (target, fields, places[at : at + KEYS_A_FILTER])
            for (target, fields), places in groups.items()
            for at in range(0, len(places), KEYS_A_FILTER)
        ]
        parts = [
            self._filter(target, fields, [wanted[one].key for one in places])
            for target, fields, places in some
        ]
        told = await self._batch(parts, "find")
        for (target, fields, places), reply in zip(some, told, strict=True):
            records = self._records(reply, target, fields)
            for place in places:
                # Dataverse does not tell upper and lower case apart.
                found[place] = (
                    records
                    if isinstance(records, Answer)
                    else [one for one in records if one.key == wanted[place].key]
                )
        return found

    def _filter(self, target: Target, fields: Sequence[str], keys: Sequence[str]) -> Part:
        each = "%20or%20".join(
            f"{target.key_field}%20eq%20{_literal(key)}" for key in dict.fromkeys(keys)
        )
        shown = self._select(target, fields)
        return Part("GET", f"{VERSION}/{target.object}?$select={shown}&$filter={each}", USUAL)

    def _records(
        self, reply: Reply | Answer, target: Target, fields: Sequence[str]
    ) -> Sequence[Record] | Answer:
        if isinstance(reply, Answer):
            return reply
        rows = reading.whole(reading.mapping(reply.json()).get("value"))
        if reply.status != 200 or rows is None:
            return self._refused(reply, Call("GET", self.url, "find", safe=True))
        read = [self._record(row, target, fields) for row in rows]
        if None in read:
            sentence = (
                f"Dynamics 365 tells records without {self._id(target)}: name the table in "
                "options.logical_names, reload, then resume the destination."
            )
            return _answer(Class.HUMAN, "find", sentence)
        return [one for one in read if one]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        parts = [
            Part(
                "GET",
                f"{VERSION}/{one.target.object}({quote(one.remote_id, safe='')})"
                f"?$select={self._select(one.target, one.fields)}",
                USUAL,
            )
            for one in known
        ]
        told = await self._batch(parts, "read")
        return [self._read(one, reply) for one, reply in zip(known, told, strict=True)]

    def _read(self, known: Known, reply: Reply | Answer) -> Record | Answer:
        if isinstance(reply, Answer):
            return reply
        row = reading.mapping(reply.json()) if reply.status == 200 else {}
        found = self._record(row, known.target, known.fields)
        return found or self._refused(reply, Call("GET", self.url, "read", safe=True))

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        stamp = since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        first = (
            f"{self.url}{VERSION}/{target.object}?$select={self._select(target, fields)}"
            f"&$filter=modifiedon%20ge%20{stamp}"
            f"&$orderby=modifiedon%20asc,{self._id(target)}%20asc"
        )
        if cursor and not self._ours(cursor):
            return _answer(Class.PERMANENT, "read", "The next page is said to be on another host.")
        headers = {**USUAL, "Prefer": f"odata.maxpagesize={PAGE}"}
        call = Call("GET", cursor or first, "read", headers=headers, safe=True)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        records = self._records(reply, target, fields)
        if isinstance(records, Answer):
            return replace(records, operation="read")
        following = reading.text(reading.mapping(reply.json()).get("@odata.nextLink"))
        if following is None or self._ours(following):
            return Page(records, following)
        return _answer(Class.PERMANENT, "read", "The next page is said to be on another host.")

    def _ours(self, link: str) -> bool:
        """Whether a link leads where the token may be shown."""
        if not LINK.fullmatch(link):
            return False
        try:
            told, own = urlsplit(link), urlsplit(self.url)
        except ValueError:
            return False
        return (told.scheme, told.netloc) == (own.scheme, own.netloc)

    async def note(self, known: Known, text: str) -> Answer:
        table, where = self._table(known.target), f"/{known.target.object}({known.remote_id})"
        body = {"subject": "Orderhook", "notetext": text, f"objectid_{table}@odata.bind": where}
        headers = {**USUAL, "Content-Type": "application/json; charset=utf-8"}
        call = Call("POST", f"{self.url}{VERSION}/annotations", "note", encode(body), headers)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        made = reply.status in {201, 204} and _entity(reply) is not None
        if not made:
            return self._refused(reply, call)
        return Answer(Class.OK, "note", http_status=reply.status)

    async def _batch(self, parts: Sequence[Part], operation: str) -> Sequence[Reply | Answer]:
        """One call for all parts; what is said of the whole is said of each."""
        if not parts:
            return []
        kind, body = multipart.encode(parts)
        headers = {**USUAL, "Content-Type": kind, "Prefer": "odata.continue-on-error"}
        safe = operation != "write"
        call = Call("POST", f"{self.url}{VERSION}/$batch", operation, body, headers, safe=safe)
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return [reply] * len(parts)
        told = multipart.decode(reply.headers.get("content-type", ""), reply.body or b"")
        if reply.status not in {200, 202} or told is None:
            refusal = self._refused(reply, call)
            if refusal.kind is Class.PERMANENT and len(parts) > 1:
                # One part may have spoilt the whole: each is asked alone.
                return [one for part in parts for one in await self._batch([part], operation)]
            return [refusal] * len(parts)
        if len(told) > len(parts):
            # Nobody knows which of them is whose.
            return [self._refused(reply, call)] * len(parts)
        replies: list[Reply | Answer] = [
            Reply(one.status, self._after(one.headers) or reply.after, one.headers, one.body)
            for one in told
        ]
        missing = reading.refused(reply, call, "Dynamics 365 left this row out of its answer.")
        return replies + [missing] * (len(parts) - len(replies))

    def _after(self, headers: Mapping[str, str]) -> timedelta | None:
        return parse_retry_after(headers.get("retry-after"), now=self.api.clock())

    def _record(
        self, row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Record | None:
        remote_id = self._guid(row, target)
        if remote_id is None:
            return None
        author = reading.text(row.get("_modifiedby_value"))
        return Record(
            remote_id,
            reading.text(row.get(target.key_field)),
            self._status(row, target),
            {name: reading.text(row.get(name)) for name in fields},
            token=etag(row),
            modified_at=reading.moment(row.get("modifiedon")),
            by_us=author.lower() == self.user_id if author and self.user_id else None,
        )

    def _status(self, row: Mapping[str, JsonValue], target: Target) -> str | None:
        status = reading.text(row.get(target.status_field))
        pair = f"{reading.text(row.get('statecode'))}:{status}"
        return pair if pair in self.paired else status

    def _guid(self, row: Mapping[str, JsonValue], target: Target) -> str | None:
        found = reading.text(row.get(self._id(target)))
        return found if found and GUID.fullmatch(found) else None

    def _select(self, target: Target, fields: Sequence[str]) -> str:
        usual = (self._id(target), target.key_field, target.status_field, "modifiedon")
        state = ("statecode",) if target.status_field == "statuscode" else ()
        names = dict.fromkeys((*usual, "_modifiedby_value", *state, *fields))
        return ",".join(name for name in names if NAME.fullmatch(name))

    def _table(self, target: Target) -> str:
        return self.logical.get(target.object) or singular(target.object)

    def _id(self, target: Target) -> str:
        return f"{self._table(target)}id"

    def _refused(self, reply: Reply, call: Call) -> Answer:
        code = reading.word(reading.mapping(reading.mapping(reply.json()).get("error")).get("code"))
        answer = reading.answered("Dynamics 365", reply, call, code=code)
        if answer.kind is not Class.RATE:
            return answer
        return replace(answer, scope="requests" if code == TOO_MANY else None)


def content(write: Write) -> Mapping[str, object] | None:
    """The columns a write sets; None when its status is none."""
    if write.status is None:
        return write.fields
    state, colon, status = write.status.rpartition(":")
    if colon or write.target.status_field == "statuscode":
        if not _whole(status) or (colon and not _whole(state)):
            return None
        states = {"statecode": int(state)} if colon else {}
        return {**states, write.target.status_field: int(status), **write.fields}
    word = int(write.status) if _whole(write.status) else write.status
    return {write.target.status_field: word, **write.fields}


def singular(name: str) -> str:
    """The logical name of a table by that of its set: `opportunities` is of `opportunity`."""
    if name.endswith("ies"):
        return f"{name[:-3]}y"
    if name.endswith(("ses", "xes", "zes", "ches", "shes")):
        return name[:-2]
    return name.removesuffix("s")


def _keyable(key: str) -> bool:
    return not UNKEYED & set(key)


def _literal(text: str) -> str:
    """A text of OData, ready for a URL."""
    return quote("'" + text.replace("'", "''") + "'", safe="'")


def _whole(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10


def etag(row: Mapping[str, JsonValue]) -> str | None:
    """It will stand in a header of a batch, whose lines it must not end."""
    found = reading.text(row.get("@odata.etag"))
    return found if found and LINK.fullmatch(found) else None


def _entity(reply: Reply) -> str | None:
    found = GUID.search(reply.headers.get("odata-entityid", ""))
    return found[0] if found else None


def _answer(kind: Class, operation: str, detail: str) -> Answer:
    return Answer(kind, operation, detail=detail)


KIND = Kind(
    "dynamics365",
    "Microsoft Dynamics 365 and Dataverse tables (Web API v9.2)",
    build,
    setup=SET_UP,
    token=False,
    example={
        "url": "https://company.crm.dynamics.com",
        "oauth": {
            "url": "https://login.microsoftonline.com/TENANT/oauth2/v2.0/token",
            "scope": "https://company.crm.dynamics.com/.default",
        },
    },
    doubts=DOUBTS,
    options=OPTIONS,
    oauth=OAuth(None, ("client_credentials",)),
    capabilities=Dynamics365.capabilities,
    limits=LIMITS,
    targets={"order": ORDER},
)
