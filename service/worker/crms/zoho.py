"""Zoho CRM: changes become rows of one update or upsert of a module in API v8, 100 at a time.

Zoho judges each row by a code in the body, so the status of a call says little. Records are found
with COQL, where a single quote is doubled; what is found counts only if it carries the very number.
Two rows may not share a call when they are of different modules or one is to be made.

Facts: zoho/crm-oas v8.0 and zoho.com/crm/developer/docs/api/v8 as in the catalogue of 2026-11; COQL
from the pages COQL-Overview and COQL-Limitations; its quotes and the limits of concurrency from the
posts Kaizen 171 and 203 of Zoho's own community (read 2026-11).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import urlencode

from pydantic import JsonValue

from service.domain.budget import Hint, Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading, together
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
    Tokens,
    Wanted,
    Write,
)
from service.worker.crms.client import Call, Reply, encode
from service.worker.crms.kind import Kind, OAuth, Option, Tools

URL = "https://www.zohoapis.com"
FORM = "Zoho-oauthtoken {token}"
MOST_ROWS = 100
MOST_VALUES = 50
PAGE = 200
MOST_PAGES = 10
PRESENTLY = timedelta(seconds=2)
LATER = timedelta(minutes=15)
NAMES = {"Deals": "Deal_Name", "Sales_Orders": "Subject"}
"""The field without which a new record is refused; modules of one's own have `Name`."""
HOST = re.compile(r"https://[a-z]+\.zohoapis\.(?:com|eu|in|jp|uk|ca|sa|ae|com\.au|com\.cn)")
"""Whose token server says that a data centre is elsewhere does not learn our token."""
API_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,99}")
CODES = {
    "SUCCESS": Class.OK,
    "NOT_FOUND": Class.NOT_FOUND,
    "RECORD_NOT_FOUND": Class.NOT_FOUND,
    "RECORD_LOCKED": Class.TRANSIENT,
    "INTERNAL_ERROR": Class.UNKNOWN_OUTCOME,
    "TOO_MANY_REQUESTS": Class.RATE,
    "LIMIT_EXCEEDED": Class.RATE,
    "LIMIT_REACHED": Class.RATE,
    "INVALID_TOKEN": Class.AUTH,
    "AUTHENTICATION_FAILURE": Class.AUTH,
    "OAUTH_SCOPE_MISMATCH": Class.AUTH,
}
"""Any other code of a row refuses that row for good."""
WHOLE = CODES | {"NO_PERMISSION": Class.HUMAN, "INVALID_MODULE": Class.HUMAN}
"""What a code means that is said of the whole call."""
REMEDIES = {
    "RECORD_IN_BLUEPRINT": "The record is in a blueprint, which alone may move its stage: "
    "take the stage out of the blueprint or leave statuses empty, then redrive.",
    "RECORD_LOCKED": "The record is locked there for the moment.",
    "OAUTH_SCOPE_MISMATCH": "The app lacks a right: sign it in anew with ZohoCRM.modules.ALL and "
    "ZohoCRM.coql.READ, then resume the destination.",
    "INVALID_MODULE": "Zoho has no module of the name in objects.order.object: mend it, reload, "
    "then resume the destination.",
    "NO_PERMISSION": "The user of the app has no right to this: give it there, then resume the "
    "destination, or redrive the order.",
}
USUAL = Target("Deals", "Order_No", "Stage")
LIMITS = (Limit("credits", 50_000, timedelta(days=1)),)
"""Those of the smallest paid edition; the 24 hours roll."""
SET_UP = """\
1. In Zoho CRM, Setup → Modules and Fields: add a single-line field for the order number to Deals
   (or Sales_Orders) and mark it as unique; Developer Hub → APIs shows its API name, which is
   objects.order.key_field (Order_No when left out).
2. In api-console.zoho.com make a Self Client, and a code with the scopes
   ZohoCRM.modules.ALL,ZohoCRM.coql.READ; exchange it for a refresh token.
3. oauth = { grant = "refresh_token", client_id = "…", client_secret = "env:…",
   refresh_token = "env:…" }; outside the US also oauth.url, as
   https://accounts.zoho.eu/oauth/v2/token, and url only if api_domain must not be followed.
4. limits.credits.count is the number of API credits in 24 hours (Developer Hub → API dashboard)."""
DOUBTS = (
    "The status of an update whose rows went differently (207 or 200); the rows count in any case.",
    "That a row for an id that is no more says INVALID_DATA about the id.",
    "Whether If-Unmodified-Since works for updates; it is of a whole call, so it is not used.",
    "That trigger = [] switches workflows off (options.workflows = false).",
    "Which of its limits a TOO_MANY_REQUESTS means; without a header we wait two seconds.",
    "Whether COQL takes a backslash in a value as it stands.",
    "That 100 ids may be read in one call.",
    "Whether If-Modified-Since and a page token go together, and how long a token serves.",
)
OPTIONS = (
    Option("workflows", "Whether writes start workflows there (true).", "false"),
    Option("user_id", "The id of the user of the app: its own writes are then known.", '"4150868"'),
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no oauth: an access token serves one hour only."""
    if tools.tokens is None:
        raise ConfigurationError("Zoho needs oauth with the grant refresh_token.")
    api = Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        Renewed(tools.tokens, FORM),
        expired=_expired,
        hints=_hints,
    )
    order = reading.target(destination, USUAL)
    return Zoho(
        api,
        tools.tokens,
        destination.url.rstrip("/"),
        {"order": order},
        workflows=reading.flag(destination, "workflows", usual=True),
        user_id=reading.option(destination, "user_id") or None,
    )


@dataclass(frozen=True, slots=True)
class Zoho:
    """One Zoho CRM organisation."""

    api: Api = field(repr=False)
    tokens: Tokens = field(repr=False)
    url: str
    targets: Mapping[str, Target]
    workflows: bool = True
    user_id: str | None = None

    capabilities = Capabilities(batch=MOST_ROWS, creates=True, notes=True, feed=True)

    def limits(self) -> Sequence[Limit]:
        return LIMITS

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        answers: dict[int, Answer] = {}
        groups: dict[tuple[str, str, bool], list[int]] = {}
        for place, write in enumerate(writes):
            if write.remote_id is None and not write.create:
                detail = "The record has not been found yet."
                answers[place] = Answer(Class.NOT_FOUND, "write", detail=detail)
            else:
                new = write.remote_id is None
                groups.setdefault((write.target.object, write.target.key_field, new), []).append(
                    place
                )
        for places in groups.values():
            told = await self._written([writes[place] for place in places])
            answers |= dict(zip(places, told, strict=True))
        return [answers[place] for place in range(len(writes))]

    async def _written(self, writes: Sequence[Write]) -> Sequence[Answer]:
        first = writes[0]
        new = first.remote_id is None
        body: dict[str, object] = {"data": [row(write) for write in writes]}
        body |= {"duplicate_check_fields": [first.target.key_field]} if new else {}
        body |= {} if self.workflows else {"trigger": []}
        path = f"/{first.target.object}/upsert" if new else f"/{first.target.object}"
        reply, call = await self._sent(
            "POST" if new else "PUT", path, "create" if new else "write", encode(body)
        )
        if isinstance(reply, Answer):
            return [reply] * len(writes)
        told = reading.whole(reading.mapping(reply.json()).get("data")) or ()
        if len(told) != len(writes):
            return [refused(reply, call)] * len(writes)
        return [
            judged(each, reply, call, known=write.remote_id)
            for each, write in zip(told, writes, strict=True)
        ]

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return await together.find(wanted, self._selected, parts=together.by(MOST_VALUES))

    async def _selected(
        self, target: Target, fields: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Record] | Answer:
        select = query(target, fields, sorted(keys))
        if select is None:
            detail = "A name in objects or attributes is no API name of Zoho."
            return Answer(Class.PERMANENT, "find", detail=detail)
        records: list[Record] = []
        for page in range(MOST_PAGES):
            text = f"{select} limit {PAGE} offset {page * PAGE}"
            body = encode({"select_query": text})
            told = await self._asked("POST", "/coql", "find", body=body)
            if isinstance(told, Answer):
                return told
            read = self._records(told, target, fields)
            if read is None:
                return _UNREAD
            records += read
            if reading.mapping(told.get("info")).get("more_records") is not True:
                break
        return records

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        some = together.by(MOST_ROWS)
        return await together.read_many(known, self._listed, gone=_GONE, parts=some)

    async def _listed(
        self, target: Target, fields: Sequence[str], ids: Sequence[str]
    ) -> Sequence[Record] | Answer:
        asked = {
            "ids": ",".join(ids),
            "fields": ",".join(_names(target, fields)),
            "per_page": str(PAGE),
        }
        path = f"/{target.object}?{urlencode(asked, safe=',')}"
        told = await self._asked("GET", path, "read")
        if isinstance(told, Answer):
            return told
        read = self._records(told, target, fields)
        return _UNREAD if read is None else read

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        asked = {
            "fields": ",".join(_names(target, fields)),
            "sort_by": "Modified_Time",
            "sort_order": "asc",
            "per_page": str(PAGE),
            **({"page_token": cursor} if cursor else {}),
        }
        path = f"/{target.object}?{urlencode(asked, safe=',')}"
        stamp = since.astimezone(UTC).replace(microsecond=0).isoformat()
        told = await self._asked("GET", path, "read", headers={"If-Modified-Since": stamp})
        if isinstance(told, Answer):
            return told
        info = reading.mapping(told.get("info"))
        more = info.get("more_records") is True
        following = reading.text(info.get("next_page_token")) if more else None
        read = self._records(told, target, fields)
        return _UNREAD if read is None else Page(read, following)

    async def note(self, known: Known, text: str) -> Answer:
        parent = {"module": {"api_name": known.target.object}, "id": known.remote_id}
        row = {"Note_Title": "Orderhook", "Note_Content": text, "Parent_Id": parent}
        reply, call = await self._sent("POST", "/Notes", "note", encode({"data": [row]}))
        if isinstance(reply, Answer):
            return reply
        told = reading.rows(reading.mapping(reply.json()).get("data"))
        if len(told) != 1:
            return refused(reply, call)
        return replace(judged(told[0], reply, call, known=None), remote_id=None)

    async def _asked(
        self,
        method: str,
        path: str,
        operation: str,
        *,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Mapping[str, JsonValue] | Answer:
        """A question; nothing found is an answer without a body."""
        reply, call = await self._sent(method, path, operation, body, headers=headers, safe=True)
        if isinstance(reply, Answer):
            return reply
        if reply.status in {204, 304}:
            return {}
        told = reading.mapping(reply.json())
        if reply.status == 200 and reading.whole(told.get("data")) is not None:
            return told
        return refused(reply, call)

    async def _sent(
        self,
        method: str,
        path: str,
        operation: str,
        body: bytes,
        *,
        headers: Mapping[str, str] | None = None,
        safe: bool = False,
    ) -> tuple[Reply | Answer, Call]:
        kind = {"Content-Type": "application/json"} if body else {}
        call = Call(
            method,
            f"{await self.host()}/crm/v8{path}",
            operation,
            body,
            {**kind, **(headers or {})},
            {"credits": 1.0},
            safe,
        )
        return await self.api.call(call), call

    async def host(self) -> str:
        """The data centre is told with the token; a configured address comes first."""
        told = None if self.url else await self.tokens.said("api_domain")
        return self.url or (told if told and HOST.fullmatch(told) else URL)

    def _records(
        self, told: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Sequence[Record] | None:
        """None when a row of it is no record: what is not understood is not absent."""
        rows = reading.rows(told.get("data"))
        read = [record(row, target, fields, user_id=self.user_id) for row in rows]
        found = [one for one in read if one is not None]
        return found if len(found) == len(rows) else None


_UNREAD = Answer(
    Class.TRANSIENT, "read", http_status=200, detail="Zoho's answer was not understood."
)
_GONE = Answer(Class.NOT_FOUND, "read", detail="Zoho has no such record.")


def row(write: Write) -> Mapping[str, object]:
    """A row of an update, or of an upsert when the record is to be made."""
    target = write.target
    status = {} if write.status is None else {target.status_field: write.status}
    if write.remote_id is not None:
        return {"id": write.remote_id, **status, **write.fields}
    name = NAMES.get(target.object, "Name")
    return {name: write.key, **status, **write.fields, target.key_field: write.key}


def query(target: Target, fields: Sequence[str], keys: Sequence[str]) -> str | None:
    """The COQL that finds numbers; None when a name could not stand in it."""
    names = ["id", *_names(target, fields)]
    if not all(API_NAME.fullmatch(name) for name in (target.object, *names)):
        return None
    values = ",".join("'" + key.replace("'", "''") + "'" for key in keys)
    return f"select {', '.join(names)} from {target.object} where {target.key_field} in ({values})"  # noqa: S608


def record(
    row: Mapping[str, JsonValue], target: Target, fields: Sequence[str], *, user_id: str | None
) -> Record | None:
    remote_id = reading.text(row.get("id"))
    if remote_id is None:
        return None
    author = reading.text(reading.mapping(row.get("Modified_By")).get("id"))
    return Record(
        remote_id,
        _shown(row.get(target.key_field)),
        _shown(row.get(target.status_field)),
        {name: _shown(row.get(name)) for name in fields},
        modified_at=reading.moment(row.get("Modified_Time")),
        by_us=author == user_id if author and user_id else None,
    )


def _shown(value: JsonValue) -> str | None:
    return reading.text(value.get("name") if isinstance(value, dict) else value)


def _names(target: Target, fields: Sequence[str]) -> Sequence[str]:
    usual = (target.key_field, target.status_field, "Modified_Time", "Modified_By")
    return list(dict.fromkeys((*usual, *fields)))


def judged(row: Mapping[str, JsonValue], reply: Reply, call: Call, *, known: str | None) -> Answer:
    """What became of one row."""
    code, details = reading.word(row.get("code")), reading.mapping(row.get("details"))
    status = reading.text(row.get("status"))
    if code is None or status not in {"success", "error"}:
        return refused(reply, call)
    if status == "success":
        remote_id = reading.text(details.get("id"))
        if code != "SUCCESS" or remote_id is None or known not in {None, remote_id}:
            # Not a word about this row, or one about another.
            return reading.refused(reply, call, "Zoho's answer was not understood.", kind=Class.OK)
        return Answer(Class.OK, call.operation, http_status=reply.status, remote_id=remote_id)
    name = reading.word(details.get("api_name"))
    kind = CODES.get(code, Class.PERMANENT)
    if code == "INVALID_DATA" and known is not None and _about_the_id(row, name):
        kind = Class.NOT_FOUND
    if kind is Class.OK:
        return refused(reply, call)
    return _said(reply, call, code, kind=kind, about=name)


def _about_the_id(row: Mapping[str, JsonValue], name: str | None) -> bool:
    return name == "id" or "id given seems to be invalid" in (
        reading.text(row.get("message")) or ""
    )


def _said(
    reply: Reply, call: Call, code: str, *, kind: Class | None, about: str | None = None
) -> Answer:
    word = f"{code} about {about}" if about else code
    answer = reading.answered("Zoho", reply, call, code=word, kind=kind)
    return replace(answer, detail=REMEDIES.get(code) or answer.detail)


def refused(reply: Reply, call: Call) -> Answer:
    """What is said of the whole call."""
    body = reading.mapping(reply.json())
    code = reading.word(body.get("code"))
    if code is None or body.get("status") != "error":
        return reading.answered("Zoho", reply, call)
    # Trouble on their side may have come after the effect, whatever it is called.
    kind = WHOLE.get(code, Class.PERMANENT if 400 <= reply.status < 500 else None)
    kind = Class.TRANSIENT if call.safe and kind is Class.UNKNOWN_OUTCOME else kind
    answer = _said(reply, call, code, kind=kind)
    if answer.kind is not Class.RATE:
        return answer
    spent = reply.headers.get("x-api-credits-remaining") == "0"
    return replace(
        answer,
        after=reply.after or (LATER if spent else PRESENTLY),
        scope="credits" if spent else None,
    )


def _expired(reply: Reply) -> bool:
    if reply.status != 401:
        return False
    return reading.mapping(reply.json()).get("code") != "OAUTH_SCOPE_MISMATCH"


def _hints(reply: Reply) -> Sequence[Hint]:
    # Sent only once half of the credits is spent (api-limits page of zoho.com).
    left = reply.headers.get("x-api-credits-remaining", "")
    counts = left.isascii() and left.isdigit() and len(left) < 16
    return [Hint("credits", float(left))] if counts else []


KIND = Kind(
    "zoho",
    "Zoho CRM modules (API v8)",
    build,
    setup=SET_UP,
    token=False,
    doubts=DOUBTS,
    options=OPTIONS,
    oauth=OAuth("https://accounts.zoho.com/oauth/v2/token", ("refresh_token",), form=FORM),
    default_url=URL,
    capabilities=Zoho.capabilities,
    limits=LIMITS,
    targets={"order": USUAL},
)
