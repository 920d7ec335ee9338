"""One portal of Bitrix24: writes, questions and notes come in, and become commands of one batch."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

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
from service.worker.crms.bitrix24.codes import unreadable
from service.worker.crms.bitrix24.commands import (
    FROM_OUTSIDE,
    Command,
    Outcome,
    known,
    original,
    sent,
    sort,
    text,
    written,
)
from service.worker.crms.bitrix24.line import OPERATING, TEN_MINUTES, Line
from service.worker.crms.brackets import Nested
from service.worker.crms.client import Reply
from service.worker.crms.kind import Tools

BATCH = 50
PAGE = 50
"""Of every list; it cannot be changed."""
METHODS = (
    "crm.item.update",
    "crm.item.list",
    "crm.item.get",
    "crm.item.add",
    "sale.order.update",
    "sale.order.list",
    "sale.order.get",
    "crm.timeline.comment.add",
)
USUAL = Target("deal", "originId", "stageId")
PACE = (Limit("requests", 2, timedelta(seconds=1), burst=50, leaky=True),)
TIMES = tuple(Limit(name, OPERATING, TEN_MINUTES, burst=OPERATING, leaky=True) for name in METHODS)
WEBHOOK = re.compile(r"(?:https?://[^/]+/(?:.*/)?rest/)?([0-9]+/[A-Za-z0-9]+)/?")


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError for an object that is none, or without usable credentials."""
    order = target(destination)
    for name in (order.object, *(rule.object for rule in destination.objects.values())):
        if name is not None and not known(name):
            raise ConfigurationError(
                f"{name} is no object of Bitrix24: write deal, lead, invoice, order or dynamic_177."
            )
    edition = reading.option(destination, "edition", usual="cloud")
    if edition not in {"cloud", "box"}:
        raise ConfigurationError('options.edition is "cloud" or "box".')
    within, spending = destination.timeout, tools.spending
    api = Api(tools.session, tools.clock, within, spending, Fixed(), expired=_never)
    return Bitrix24(
        Line(api, _root(destination, tools), tools.tokens, tools.clock, edition == "cloud"),
        originator=reading.option(destination, "originator", usual="orderhook"),
        category=reading.option(destination, "category"),
        user=reading.option(destination, "user"),
        targets={"order": order},
    )


def target(destination: Destination) -> Target:
    """What an order is here: a deal, unless options.entity or objects.order say otherwise."""
    rule = destination.objects.get("order")
    name = (rule and rule.object) or reading.option(destination, "entity", usual=USUAL.object)
    key_field = USUAL.key_field if name in FROM_OUTSIDE else "xmlId"
    status_field = "statusId" if name == "order" else USUAL.status_field
    return reading.target(destination, Target(name, key_field, status_field))


def _never(_: Reply) -> bool:
    # A token travels in the body, so the line renews it and not the Api.
    return False


def _root(destination: Destination, tools: Tools) -> str:
    url = destination.url.rstrip("/")
    if "/rest" in url:
        raise ConfigurationError(
            'url is the address of the portal alone, "https://COMPANY.bitrix24.com"; the webhook '
            'is a secret: token = "env:BITRIX24_WEBHOOK".'
        )
    if tools.tokens is not None:
        return f"{url}/rest/"
    if destination.token is None:
        raise ConfigurationError('Bitrix24 needs token = "env:…" (the webhook) or oauth.')
    match = WEBHOOK.fullmatch(destination.token.reveal().decode("latin-1").strip())
    if match is None:
        raise ConfigurationError(
            "The token of Bitrix24 is the URL of an inbound webhook, or its USER/CODE."
        )
    return f"{url}/rest/{match[1]}/"


@dataclass(frozen=True, slots=True)
class Bitrix24:
    """One portal."""

    line: Line
    originator: str
    category: str
    user: str
    targets: Mapping[str, Target]

    capabilities = Capabilities(batch=BATCH, creates=True, notes=True, feed=True)

    def limits(self) -> Sequence[Limit]:
        """Those of all plans but Enterprise (5 a second, 250); a box limits no requests."""
        return [*(PACE if self.line.paced else ()), *TIMES]

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        told = [self._told(write) for write in writes]
        commands = [one for one in told if isinstance(one, Command)]
        outcomes = iter(await self.line.run(commands, "write"))
        return [
            one if isinstance(one, Answer) else written(write, next(outcomes))
            for write, one in zip(writes, told, strict=True)
        ]

    def _told(self, write: Write) -> Command | Answer:
        if write.remote_id is None:
            return self._made(write)
        fields = sent(write)
        if not fields:
            return Answer(Class.OK, "write", remote_id=write.remote_id)
        kind = sort(write.target.object)
        params = {**kind.common, **original(fields), "id": write.remote_id, "fields": fields}
        return Command(f"{kind.family}.update", params)

    def _made(self, write: Write) -> Command | Answer:
        kind = sort(write.target.object)
        if not write.create:
            return Answer(Class.NOT_FOUND, "write", detail="The record has not been found yet.")
        if kind.family == "sale.order":
            sentence = "An order of the shop can only be made in the shop: make it there."
            return Answer(Class.PERMANENT, "create", detail=sentence)
        fields = {**sent(write), **self._identity(write.target, write.key)}
        if self.category:
            fields["categoryId"] = self.category
        return Command("crm.item.add", {**kind.common, **original(fields), "fields": fields})

    def _identity(self, target: Target, key: str) -> dict[str, Nested]:
        if target.key_field == "originId":
            return {"originId": key, "originatorId": self.originator}
        return {target.key_field: key}

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        commands = [
            _listing(
                one.target,
                one.fields,
                {f"={name}": value for name, value in self._identity(one.target, one.key).items()},
            )
            for one in wanted
        ]
        outcomes = await self.line.run(commands, "find", safe=True)
        return [self._found(one, got) for one, got in zip(wanted, outcomes, strict=True)]

    def _found(self, wanted: Wanted, got: Outcome) -> Sequence[Record] | Answer:
        listed = self._listed(got, wanted.target, wanted.fields, operation="find")
        if isinstance(listed, Answer):
            return listed
        # Their database tells neither upper from lower case nor trailing blanks.
        return [one for one in listed if one.key == wanted.key]

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        outcomes = await self.line.run([_getting(one) for one in known], "read", safe=True)
        return [self._read(one, got) for one, got in zip(known, outcomes, strict=True)]

    def _read(self, known: Known, got: Outcome) -> Record | Answer:
        if isinstance(got, Answer):
            return got
        item = reading.mapping(reading.mapping(got).get(sort(known.target.object).one))
        record = self._record(item, known.target, known.fields)
        if record is None or record.remote_id != known.remote_id:
            return unreadable("read", safe=True)
        return record

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        """In the order of ids, as the vendor advises: a record that changes moves no page."""
        moment = since.astimezone(UTC).isoformat(timespec="seconds")
        only = {f">={sort(target.object).changed}": moment, ">id": cursor or "0"}
        [got] = await self.line.run([_listing(target, fields, only)], "read", safe=True)
        records = self._listed(got, target, fields, operation="read")
        if isinstance(records, Answer):
            return records
        return Page(records, records[-1].remote_id if len(records) >= PAGE else None)

    def _listed(
        self, got: Outcome, target: Target, fields: Sequence[str], *, operation: str
    ) -> Sequence[Record] | Answer:
        if isinstance(got, Answer):
            return got
        listed = reading.mapping(got).get(sort(target.object).many)
        if not isinstance(listed, list):
            return unreadable(operation, safe=True)
        read = [self._record(reading.mapping(row), target, fields) for row in listed]
        records = [one for one in read if one is not None]
        return records if len(records) == len(listed) else unreadable(operation, safe=True)

    def _record(
        self, item: Mapping[str, JsonValue], target: Target, fields: Sequence[str]
    ) -> Record | None:
        kind, remote_id = sort(target.object), reading.text(item.get("id"))
        if remote_id is None:
            return None
        by = reading.text(item.get(kind.changed_by))
        return Record(
            remote_id,
            text(item.get(target.key_field)),
            text(item.get(target.status_field)),
            {name: text(item.get(name)) for name in fields},
            modified_at=reading.moment(item.get(kind.changed)),
            by_us=by == self.user if by and self.user else None,
        )

    async def note(self, known: Known, text: str) -> Answer:
        fields: dict[str, Nested] = {
            "ENTITY_ID": known.remote_id,
            "ENTITY_TYPE": sort(known.target.object).timeline,
            "COMMENT": text,
        }
        command = Command("crm.timeline.comment.add", {"fields": fields})
        [got] = await self.line.run([command], "note")
        if isinstance(got, Answer):
            return got
        if reading.text(got) is None:
            return unreadable("note")
        return Answer(Class.OK, "note", http_status=200)


def _listing(target: Target, fields: Sequence[str], only: Mapping[str, Nested]) -> Command:
    kind = sort(target.object)
    names = (target.key_field, target.status_field, kind.changed, kind.changed_by, *fields)
    select = ["id", *(name for name in names if name)]
    params: dict[str, Nested] = {
        **kind.common,
        **original(select),
        "select": select,
        "filter": only,
        "order": {"id": "ASC"},
        # Without counting how many there are: hundreds of times faster (page huge-data).
        "start": -1,
    }
    return Command(f"{kind.family}.list", params)


def _getting(known: Known) -> Command:
    kind = sort(known.target.object)
    names = original([known.target.key_field, *known.fields])
    return Command(f"{kind.family}.get", {**kind.common, **names, "id": known.remote_id})
