"""Freshsales (Freshworks CRM): a change becomes a PUT of a deal, one at a time.

The least verified of all kinds: the header of the key and PUT for updates are the vendor's own
(developers.freshworks.com/crm/api); the limit of 1000 calls an hour stands in the documentation of
AWS Glue, the search by `lookup` and its answer in third-party code, the rest nowhere. See DOUBTS.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import quote, urlencode, urlsplit

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading
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
from service.worker.crms.kind import Kind, Tools

BASE = "/crm/sales/api"
PREFIX = "cf_"
HOUR = timedelta(hours=1)
PRESENTLY = timedelta(minutes=1)
USUAL = Target("deals", f"{PREFIX}order_no", "deal_stage_id")
LIMITS = (Limit("requests", 1000, HOUR, burst=50),)
"""Of the whole account."""
SET_UP = """\
1. Admin Settings → Deals: add a text field for the order number; its internal name begins with
   cf_ and is objects.order.key_field (cf_order_no when left out).
2. Personal settings → API settings shows the key: token = "env:FRESHSALES_TOKEN".
3. url = "https://ALIAS.myfreshworks.com".
4. GET /crm/sales/api/selector/deal_stages shows the numbers of the stages:
   statuses = { paid = "402001234" }.
Try it on a trial account first: little of this API is documented where we could read it."""
DOUBTS = (
    "That GET lookup?q=…&f=cf_order_no&entities=deal finds deals by such a field, and whole.",
    "That its answer is {deals: {deals: [...]}}, and how many deals it gives at most.",
    "That a deal is updated by PUT deals/ID with {deal: {...}} and only the fields named in it.",
    "That fields of one's own stand in custom_field, by names that begin with cf_.",
    "That a note is POST notes with description, targetable_type Deal and targetable_id.",
    "The limit of 1000 calls an hour, that it answers 429, and whether Retry-After is sent.",
    "The shape of refusals: {errors: {code, message}}.",
)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError when it has no key."""
    if destination.token is None:
        raise ConfigurationError('Freshsales needs token = "env:…" (the API key).')
    api = Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        Fixed({"Authorization": f"Token token={destination.token.reveal().decode('latin-1')}"}),
    )
    url = destination.url.rstrip("/")
    order = reading.target(destination, USUAL)
    return Freshsales(api, url if urlsplit(url).path else f"{url}{BASE}", {"order": order})


@dataclass(frozen=True, slots=True)
class Freshsales:
    """One Freshsales account."""

    api: Api = field(repr=False)
    url: str
    targets: Mapping[str, Target]

    capabilities = Capabilities(notes=True)

    def limits(self) -> Sequence[Limit]:
        return LIMITS

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        return [await self._written(write) for write in writes]

    async def _written(self, write: Write) -> Answer:
        if write.remote_id is None:
            return Answer(Class.NOT_FOUND, "write", detail="The deal has not been found yet.")
        url = f"{self.url}/deals/{quote(write.remote_id, safe='')}"
        call = Call("PUT", url, "write", encode({"deal": content(write)}), _JSON)
        told = await self._got(call, "deal")
        if isinstance(told, Answer):
            return told
        if reading.text(told.get("id")) != write.remote_id:
            detail = "Freshsales answered with another deal than the one that was written."
            return Answer(Class.UNKNOWN_OUTCOME, "write", http_status=200, detail=detail)
        return Answer(Class.OK, "write", http_status=200, remote_id=write.remote_id)

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return [await self._found(one) for one in wanted]

    async def _found(self, wanted: Wanted) -> Sequence[Record] | Answer:
        query = {"q": wanted.key, "f": wanted.target.key_field, "entities": "deal"}
        url = f"{self.url}/lookup?{urlencode(query, quote_via=quote)}"
        told = await self._got(Call("GET", url, "find", safe=True), "deals")
        if isinstance(told, Answer):
            return told
        rows = reading.whole(told.get("deals"))
        if rows is None:
            return Answer(Class.TRANSIENT, "find", detail="Freshsales gave no list of deals.")
        read = [record(row, wanted.target, wanted.fields) for row in rows]
        if None in read:
            return Answer(Class.TRANSIENT, "find", detail="Freshsales gave a deal without an id.")
        return [one for one in read if one and one.key == wanted.key]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        return [await self._read(one) for one in known]

    async def _read(self, known: Known) -> Record | Answer:
        url = f"{self.url}/deals/{quote(known.remote_id, safe='')}"
        told = await self._got(Call("GET", url, "read", safe=True), "deal")
        if isinstance(told, Answer):
            return told
        found = record(told, known.target, known.fields)
        same = found is not None and found.remote_id == known.remote_id
        lost = Answer(Class.TRANSIENT, "read", detail="Freshsales gave no such deal.")
        return found if found is not None and same else lost

    async def read_back(
        self,
        target: Target,  # noqa: ARG002
        fields: Sequence[str],  # noqa: ARG002
        *,
        since: datetime,  # noqa: ARG002
        cursor: str | None,  # noqa: ARG002
    ) -> Page | Answer:
        """No list of changes is known of."""
        detail = "Freshsales is not known to list what changed."
        return Answer(Class.PERMANENT, "read", detail=detail, tried=False)

    async def note(self, known: Known, text: str) -> Answer:
        note = {
            "description": text,
            "targetable_type": "Deal",
            "targetable_id": known.remote_id,
        }
        call = Call("POST", f"{self.url}/notes", "note", encode({"note": note}), _JSON)
        told = await self._got(call, "note")
        return told if isinstance(told, Answer) else Answer(Class.OK, "note", http_status=200)

    async def _got(self, call: Call, name: str) -> Mapping[str, JsonValue] | Answer:
        """The object that an answer carries under a name."""
        reply = await self.api.call(call)
        if isinstance(reply, Answer):
            return reply
        found = reading.mapping(reply.json()).get(name)
        if reply.status in {200, 201} and isinstance(found, dict):
            return found
        return _refused(reply, call)


_JSON = {"Content-Type": "application/json"}


def content(write: Write) -> Mapping[str, object]:
    """The fields of a deal that a write sets."""
    stage: dict[str, object] = {}
    if write.status is not None:
        word = write.status
        number = word.isascii() and word.isdigit() and len(word) < 19
        stage[write.target.status_field] = int(word) if number else word
    custom = {name: value for name, value in write.fields.items() if name.startswith(PREFIX)}
    plain = {name: value for name, value in write.fields.items() if name not in custom}
    return {**stage, **plain, **({"custom_field": custom} if custom else {})}


def record(deal: Mapping[str, JsonValue], target: Target, fields: Sequence[str]) -> Record | None:
    remote_id = reading.text(deal.get("id"))
    if remote_id is None:
        return None
    shown = {**deal, **reading.mapping(deal.get("custom_field"))}
    return Record(
        remote_id,
        reading.text(shown.get(target.key_field)),
        reading.text(shown.get(target.status_field)),
        {name: reading.text(shown.get(name)) for name in fields},
        modified_at=reading.moment(deal.get("updated_at")),
    )


def _refused(reply: Reply, call: Call) -> Answer:
    code = reading.word(reading.mapping(reading.mapping(reply.json()).get("errors")).get("code"))
    answer = reading.answered("Freshsales", reply, call, code=code)
    if answer.kind is not Class.RATE:
        return answer
    return replace(answer, after=reply.after or PRESENTLY, scope="requests")


KIND = Kind(
    "freshsales",
    "Freshsales deals (Freshworks CRM)",
    build,
    setup=SET_UP,
    example={"url": "https://company.myfreshworks.com"},
    doubts=DOUBTS,
    capabilities=Freshsales.capabilities,
    limits=LIMITS,
    targets={"order": USUAL},
)
