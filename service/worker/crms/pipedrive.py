"""Pipedrive: a change becomes a PATCH of a deal in API v2.

A deal is found by a custom field (its 40-character key, searched exactly and with upper and lower
case told apart), a stage is written by its number, or as `won` or `lost`. Pipedrive has no batch of
updates, no conditional write and no key of ours, so what a lost answer did is read afterwards.

Facts: OpenAPI v1 and v2 of developers.pipedrive.com and the rate limiting page, as in the catalogue
of 2026-11; the npm package `pipedrive` 33.7.0 for hosts and headers.
"""

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from urllib.parse import quote, urlencode

from pydantic import JsonValue

from service.domain.budget import Hint, Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading
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
from service.worker.crms.client import Call, Clock, Reply, encode
from service.worker.crms.kind import Kind, OAuth, Tools

URL = "https://api.pipedrive.com"
STATUSES = ("won", "lost")
CUSTOM_KEY = 40
FEW = 10
"""Reading so many deals one by one costs as much as one list."""
MOST_IDS = 100
MOST_CUSTOM = 15
BLOCKED = timedelta(minutes=5)
USUAL = Target("deals", "", "stage_id")
LIMITS = (
    Limit("tokens", 30_000, timedelta(days=1)),
    Limit("requests", 20, timedelta(seconds=2), burst=5),
)
"""Those of one seat on the smallest plan."""
SET_UP = """\
1. In Pipedrive, open Company settings → Data fields → Deal and add a text field for the order
   number; its API key (40 letters and digits) is objects.order.key_field.
2. Personal preferences → API shows the API token: token = "env:PIPEDRIVE_TOKEN".
   Or register an app with the rights deals:full and search:read, and use oauth.
3. GET /api/v2/stages shows the numbers of the stages:
   statuses = { paid = "12", delivered = "won", cancelled = "lost" }.
4. limits.tokens.count is the daily token budget of the account (Company settings → Usage)."""
DOUBTS = (
    "How far the search index lags behind a write: a deal made a moment ago may not be found yet.",
    "In which time zone the day of the token budget ends; we take UTC.",
    "Whether x-daily-ratelimit-token-remaining is always sent; only third parties describe it.",
    "The shape of the error body and whether x-ratelimit-reset counts seconds.",
    "That repeated calls over the limit are blocked with a 403 that is not JSON.",
    "Whether a found deal stands in `data[]` itself or in `data[].item`; both are read.",
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no credentials, or no field to find deals by."""
    order = reading.target(destination, USUAL)
    if not _custom(order.key_field):
        raise ConfigurationError(
            "Pipedrive finds deals by a custom field: set objects.order.key_field to its API key "
            "(40 letters and digits)."
        )
    api = Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        _credentials(destination, tools),
        hints=_hints,
    )
    return Pipedrive(api, (destination.url or URL).rstrip("/"), tools.clock, {"order": order})


def _credentials(destination: Destination, tools: Tools) -> Credentials:
    if tools.tokens is not None:
        return Renewed(tools.tokens)
    if destination.token is None:
        raise ConfigurationError('Pipedrive needs token = "env:…" (the API token) or oauth.')
    return Fixed({"x-api-token": destination.token.reveal().decode("latin-1")})


@dataclass(frozen=True, slots=True)
class Pipedrive:
    """One Pipedrive account."""

    api: Api = field(repr=False)
    url: str
    clock: Clock = field(repr=False)
    targets: Mapping[str, Target]

    capabilities = Capabilities(notes=True, feed=True)

    def limits(self) -> Sequence[Limit]:
        return LIMITS

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._written(write) for write in writes]

    async def _written(self, write: Write) -> Answer:
        if write.remote_id is None:
            return Answer(Class.NOT_FOUND, "write", detail="The deal has not been found yet.")
        body = content(write)
        if body is None:
            sentence = (
                f"{write.status} is no stage: let statuses name its number, or won or lost, "
                "reload, then redrive."
            )
            return Answer(Class.PERMANENT, "write", detail=sentence)
        url = f"{self.url}/api/v2/deals/{quote(write.remote_id, safe='')}"
        call = Call("PATCH", url, "write", encode(body), _JSON, _cost(5))
        told = await self._got(call)
        if isinstance(told, Answer):
            return told
        if reading.text(reading.mapping(told.get("data")).get("id")) != write.remote_id:
            detail = "Pipedrive answered with another deal than the one that was written."
            return Answer(Class.UNKNOWN_OUTCOME, "write", http_status=200, detail=detail)
        return Answer(Class.OK, "write", http_status=200, remote_id=write.remote_id)

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return [await self._found(one) for one in wanted]

    async def _found(self, wanted: Wanted) -> Sequence[Record] | Answer:
        ids = await self._searched(wanted)
        if isinstance(ids, Answer):
            return ids
        read = await self.read_many([Known(wanted.target, one, wanted.fields) for one in ids])
        answers = [one for one in read if isinstance(one, Answer)]
        if any(one.kind is not Class.NOT_FOUND for one in answers):
            return next(one for one in answers if one.kind is not Class.NOT_FOUND)
        # The index may be behind: what counts is the number the deal shows now.
        return [one for one in read if isinstance(one, Record) and one.key == wanted.key]

    async def _searched(self, wanted: Wanted) -> Sequence[str] | Answer:
        query = {
            "entity_type": "deal",
            "field": wanted.target.key_field,
            "match": "exact",
            "term": wanted.key,
            "limit": "10",
        }
        url = f"{self.url}/api/v2/itemSearch/field?{urlencode(query)}"
        found = await self._got(Call("GET", url, "find", costs=_cost(20), safe=True))
        if isinstance(found, Answer):
            return found
        rows = reading.whole(found.get("data"))
        items = [reading.mapping(row.get("item")) or row for row in rows or ()]
        ids = [one for row in items if (one := reading.text(row.get("id")))]
        return ids if rows is not None and len(ids) == len(rows) else _unread("find")

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        if len(known) <= FEW:
            return [await self._read(one) for one in known]
        read: list[Record | Answer] = []
        for first in range(0, len(known), MOST_IDS):
            read += await self._listed(known[first : first + MOST_IDS])
        return read

    async def _read(self, known: Known) -> Record | Answer:
        url = f"{self.url}/api/v2/deals/{quote(known.remote_id, safe='')}"
        found = await self._got(Call("GET", url, "read", costs=_cost(1), safe=True))
        if isinstance(found, Answer):
            return found
        deal = reading.mapping(found.get("data"))
        if reading.text(deal.get("id")) != known.remote_id:
            return _unread("read")
        return record(deal, known.target, known.fields) or _GONE

    async def _listed(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        query = {"ids": ",".join(one.remote_id for one in known), "limit": str(MOST_IDS)}
        url = f"{self.url}/api/v2/deals?{urlencode(query, safe=',')}"
        found = await self._got(Call("GET", url, "read", costs=_cost(10), safe=True))
        if isinstance(found, Answer):
            return [found] * len(known)
        rows = reading.whole(found.get("data"))
        if rows is None:
            return [_unread("read")] * len(known)
        deals = {reading.text(row.get("id")): row for row in rows}
        return [
            record(deals.get(one.remote_id, {}), one.target, one.fields) or _GONE for one in known
        ]

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        custom = [name for name in (target.key_field, *fields) if _custom(name)]
        query = {
            "updated_since": since.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "sort_by": "update_time",
            "sort_direction": "asc",
            "limit": "500",
            **({"custom_fields": ",".join(custom)} if len(custom) <= MOST_CUSTOM else {}),
            **({"cursor": cursor} if cursor else {}),
        }
        url = f"{self.url}/api/v2/deals?{urlencode(query)}"
        found = await self._got(Call("GET", url, "read", costs=_cost(10), safe=True))
        if isinstance(found, Answer):
            return found
        rows = reading.whole(found.get("data"))
        if rows is None:
            return _unread("read")
        read = [record(row, target, fields) for row in rows]
        following = reading.mapping(found.get("additional_data")).get("next_cursor")
        return Page([one for one in read if one], reading.text(following))

    async def note(self, known: Known, text: str) -> Answer:
        body: JsonValue = {"content": html.escape(text), "deal_id": _number(known.remote_id)}
        call = Call("POST", self._notes, "note", encode(body), _JSON, _cost(10))
        told = await self._got(call)
        return told if isinstance(told, Answer) else Answer(Class.OK, "note", http_status=200)

    @property
    def _notes(self) -> str:
        # The shared host has v1 at its root, a company's own host has it beside v2.
        return f"{self.url}/v1/notes" if self.url == URL else f"{self.url}/api/v1/notes"

    async def _got(self, call: Call) -> Mapping[str, JsonValue] | Answer:
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        found = reading.mapping(reply.json())
        if reply.status in {200, 201} and found.get("success") is True:
            return found
        return self._refused(reply, call)

    def _refused(self, reply: Reply, call: Call) -> Answer:
        if reply.status == 429:
            return self._throttled(reply, call)
        body = reading.mapping(reply.json())
        if reply.status == 403 and not body:
            sentence = "Pipedrive has blocked this address for calling too fast."
            return replace(
                reading.refused(reply, call, sentence, kind=Class.RATE),
                after=reply.after or BLOCKED,
            )
        code = reading.word(body.get("code"))
        kind = Class.PERMANENT if reply.status in {409, 410, 412} else None
        return reading.answered("Pipedrive", reply, call, code=code, kind=kind)

    def _throttled(self, reply: Reply, call: Call) -> Answer:
        answer = reading.refused(reply, call, "Pipedrive asks for fewer calls.")
        if reply.headers.get("x-daily-ratelimit-token-remaining") == "0":
            now = self.clock().astimezone(UTC)
            morning = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
            sentence = "The daily token budget of the Pipedrive account is spent."
            return replace(answer, after=morning - now, detail=sentence, scope="tokens")
        after = reply.after or _seconds(reply.headers.get("x-ratelimit-reset"))
        return replace(answer, after=after or timedelta(seconds=2), scope="requests")


_JSON = {"Content-Type": "application/json"}
_GONE = Answer(Class.NOT_FOUND, "read", http_status=404, detail="Pipedrive has no such deal.")


def _unread(operation: str) -> Answer:
    detail = "Pipedrive's answer was not understood."
    return Answer(Class.TRANSIENT, operation, http_status=200, detail=detail)


def content(write: Write) -> Mapping[str, object] | None:
    """The body of a PATCH; None when the stage is no stage."""
    plain: dict[str, object] = {}
    match write.status:
        case None:
            pass
        case "won" | "lost":
            plain["status"] = write.status
        case number if number.isascii() and number.isdigit() and len(number) < 16:
            # A deal that was won or lost and moves to a stage is open again.
            plain |= {"stage_id": int(number), "status": "open"}
        case _:
            return None
    plain |= {name: value for name, value in write.fields.items() if not _custom(name)}
    # There is no custom field for a yes or no.
    custom = {
        name: ("true" if value else "false") if isinstance(value, bool) else value
        for name, value in write.fields.items()
        if _custom(name)
    }
    return {**plain, "custom_fields": custom} if custom else plain


def record(deal: Mapping[str, JsonValue], target: Target, fields: Sequence[str]) -> Record | None:
    """A deal as it stands in an answer; None for one that is no more."""
    remote_id = reading.text(deal.get("id"))
    if remote_id is None or deal.get("is_deleted") is True or deal.get("status") == "deleted":
        return None
    custom = reading.mapping(deal.get("custom_fields"))
    shown = {name: _shown(custom if _custom(name) else deal, name) for name in fields}
    status = reading.text(deal.get("status"))
    return Record(
        remote_id,
        _shown(custom if _custom(target.key_field) else deal, target.key_field),
        status if status in STATUSES else reading.text(deal.get("stage_id")),
        shown,
        modified_at=reading.moment(deal.get("update_time")),
    )


def _shown(found: Mapping[str, JsonValue], name: str) -> str | None:
    value = found.get(name)
    return reading.text(value.get("value") if isinstance(value, dict) else value)


def _custom(name: str) -> bool:
    return len(name) == CUSTOM_KEY and name.isascii() and name.isalnum()


def _cost(tokens: float) -> Mapping[str, float]:
    return {"requests": 1.0, "tokens": tokens}


def _number(text: str) -> int | str:
    return int(text) if text.isascii() and text.isdigit() else text


def _seconds(value: str | None) -> timedelta | None:
    text = value or ""
    number = text.isascii() and text.isdigit() and len(text) < 5
    return timedelta(seconds=int(text)) if number else None


def _hints(reply: Reply) -> Sequence[Hint]:
    daily = "x-daily-ratelimit-token"
    hints = (
        Hint("tokens", _float(reply, f"{daily}-remaining"), _float(reply, f"{daily}-limit")),
        # What is left of two seconds is out of date when it arrives.
        Hint("requests", ceiling=_float(reply, "x-ratelimit-limit")),
    )
    return [hint for hint in hints if (hint.remaining, hint.ceiling) != (None, None)]


def _float(reply: Reply, name: str) -> float | None:
    text = reply.headers.get(name, "")
    return float(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


KIND = Kind(
    "pipedrive",
    "Pipedrive deals (API v2)",
    build,
    setup=SET_UP,
    example={"objects": {"order": {"key_field": "a1b2c3d4e5f60718293a4b5c6d7e8f9001122334"}}},
    doubts=DOUBTS,
    oauth=OAuth(
        "https://oauth.pipedrive.com/oauth/token", ("refresh_token",), client="basic", rotating=True
    ),
    default_url=URL,
    capabilities=Pipedrive.capabilities,
    limits=LIMITS,
    targets={"order": USUAL},
)
