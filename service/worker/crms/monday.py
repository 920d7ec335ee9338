"""monday: changes become `change_multiple_column_values` of items on a board, several in a call.

The API is GraphQL: every value travels as a variable, never inside the document. A call counts
against limits of its own (calls a day and a minute, complexity), so that rows share one document
under aliases; what went wrong stands in the body, mostly with HTTP 200, by the path of its alias.

Facts: developer.monday.com (rate limits, errors, 2026-09), support.monday.com, npm
@mondaydotcomorg/api 14.0.0 and PyPI monday-api-python-sdk 1.6.8, as in the catalogue of 2026-11.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from service.domain.budget import Limit
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.worker.crms import reading, together
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
    Value,
    Wanted,
    Write,
)
from service.worker.crms.client import Call, Clock, Reply, encode
from service.worker.crms.kind import Kind, Option, Tools

URL = "https://api.monday.com/v2"
VERSION = "2026-01"
MOST_ROWS = 20
MOST_IDS = 100
PAGE = 100
MOST_PAGES = 10
PRESENTLY = timedelta(seconds=30)
NAME = "name"
"""The name of an item, which is no column of its own."""
ITEM = "id name updated_at column_values(ids: $columns) { id type text }"
DAILY = {"DAILY_LIMIT_EXCEEDED"}
RATES = {
    "COMPLEXITY_BUDGET_EXHAUSTED": "complexity",
    "ComplexityException": "complexity",
    "DAILY_LIMIT_EXCEEDED": "daily",
    "RATE_LIMIT_EXCEEDED": "minute",
    "Rate Limit Exceeded": "minute",
    "IP_RATE_LIMIT_EXCEEDED": None,
    "maxConcurrencyExceeded": None,
    "CONCURRENCY_LIMIT_EXCEEDED": None,
    "FIELD_LIMIT_EXCEEDED": None,
}
"""Codes of limits, and which limit each is."""
CODES = {
    "ResourceNotFoundException": Class.NOT_FOUND,
    "InvalidItemIdException": Class.NOT_FOUND,
    "USER_UNAUTHORIZED": Class.HUMAN,
    "UserUnauthorizedException": Class.HUMAN,
    "UserAccessDenied": Class.HUMAN,
    "missingRequiredPermissions": Class.HUMAN,
    "InvalidBoardIdException": Class.HUMAN,
    "UNAUTHENTICATED": Class.AUTH,
    "Unauthorized": Class.AUTH,
    "NOT_AUTHENTICATED": Class.AUTH,
    "API_TEMPORARILY_BLOCKED": Class.TRANSIENT,
    "ResourceLockedException": Class.TRANSIENT,
    "LOCK_TIMEOUT": Class.TRANSIENT,
    "INTERNAL_SERVER_ERROR": Class.UNKNOWN_OUTCOME,
    "InternalServerError": Class.UNKNOWN_OUTCOME,
}
"""Any other code refuses the row for good."""
USUAL = Target("", "", "status")
LIMITS = (
    Limit("daily", 1000, timedelta(days=1)),
    Limit("minute", 1000, timedelta(minutes=1), burst=50),
    Limit("complexity", 5_000_000, timedelta(minutes=1), burst=1_000_000),
)
"""Those of the plans Basic and Standard."""
SET_UP = """\
1. Open the board and take its number from the address: objects.order.object.
2. Add a text column for the order number; a column's id is shown in its menu when developer mode
   is on (Profile → monday.labs): objects.order.key_field, and status_field for the status column.
3. Developers → My access tokens shows the token: token = "env:MONDAY_TOKEN".
4. statuses names the labels of the status column as they are written there.
5. limits.daily.count is the calls a day of the plan (Basic and Standard 1000, Pro 10 000,
   Enterprise 25 000)."""
DOUBTS = (
    "Whether several aliased changes in one call are carried out each on its own, in their order.",
    "That a change of an item that is no more answers ResourceNotFoundException or a null.",
    "The number of calls a minute of each plan, and the codes of that limit and of concurrency.",
    "Whether items_page_by_column_values matches a text whole; what is found is compared again.",
    "That __last_updated__ sorts a board and compares with a day.",
    "What one call of ours costs in complexity; a hundred thousand points are set aside.",
)
OPTIONS = (Option("new_labels", "Whether a label that is missing is made (false).", "true"),)


def build(destination: Destination, tools: Tools) -> Crm:
    """Raises ConfigurationError without a token, a board or its columns."""
    order = reading.target(destination, USUAL)
    if not order.object.isascii() or not order.object.isdigit() or not order.key_field:
        raise ConfigurationError(
            "monday needs objects.order: object is the number of the board, key_field the id of "
            "the column with the order number, status_field that of the status."
        )
    if destination.token is None:
        raise ConfigurationError('monday needs token = "env:…".')
    shown = {
        "Authorization": destination.token.reveal().decode("latin-1"),
        "API-Version": VERSION,
        "Content-Type": "application/json",
    }
    api = Api(
        tools.session,
        tools.clock,
        destination.timeout,
        tools.spending,
        Fixed(shown),
        expired=_expired,
    )
    return Monday(
        api,
        destination.url or URL,
        tools.clock,
        {"order": order},
        new_labels=reading.flag(destination, "new_labels", usual=False),
    )


@dataclass(frozen=True, slots=True)
class Monday:
    """One monday account."""

    api: Api = field(repr=False)
    url: str
    clock: Clock = field(repr=False)
    targets: Mapping[str, Target]
    new_labels: bool = False

    capabilities = Capabilities(batch=MOST_ROWS, notes=True, feed=True)

    def limits(self) -> Sequence[Limit]:
        return LIMITS

    async def write_batch(self, writes: Sequence[Write]) -> Sequence[Answer]:
        answers: dict[int, Answer] = {}
        ready: list[int] = []
        for place, write in enumerate(writes):
            if write.remote_id is None:
                detail = "The item has not been found yet."
                answers[place] = Answer(Class.NOT_FOUND, "write", detail=detail)
            else:
                ready.append(place)
        told = await self._written([writes[place] for place in ready])
        answers |= dict(zip(ready, told, strict=True))
        return [answers[place] for place in range(len(writes))]

    async def _written(self, writes: Sequence[Write]) -> Sequence[Answer]:
        if not writes:
            return []
        declared, fields = ["$labels: Boolean"], []
        variables: dict[str, object] = {"labels": self.new_labels}
        for place, write in enumerate(writes):
            declared.append(f"$board{place}: ID!, $item{place}: ID!, $values{place}: JSON!")
            fields.append(
                f"row{place}: change_multiple_column_values(board_id: $board{place}, "
                f"item_id: $item{place}, column_values: $values{place}, "
                "create_labels_if_missing: $labels) { id }"
            )
            variables[f"board{place}"] = write.target.object
            variables[f"item{place}"] = write.remote_id
            variables[f"values{place}"] = encode(columns(write)).decode()
        document = f"mutation({', '.join(declared)}) {{ {' '.join(fields)} }}"
        reply, call = await self._sent("write", document, variables)
        if isinstance(reply, Answer):
            return [reply] * len(writes)
        body = reading.mapping(reply.json())
        data, errors = reading.mapping(body.get("data")), _errors(body)
        refusal = self._refused(reply, call, errors[0] if errors else None)
        if not data and refusal.kind is Class.PERMANENT and len(writes) > 1:
            # The document was refused before any of it was done: each row shows for itself.
            middle = len(writes) // 2
            first = await self._written(writes[:middle])
            return [*first, *await self._written(writes[middle:])]
        return [
            self._judged(data.get(f"row{place}"), _of(errors, f"row{place}"), write, reply, call)
            for place, write in enumerate(writes)
        ]

    def _judged(
        self,
        row: JsonValue,
        error: Mapping[str, JsonValue] | None,
        write: Write,
        reply: Reply,
        call: Call,
    ) -> Answer:
        if reading.text(reading.mapping(row).get("id")) == write.remote_id and error is None:
            return Answer(Class.OK, "write", http_status=reply.status, remote_id=write.remote_id)
        if row is not None and error is not None and not isinstance(error.get("path"), list):
            # Something is wrong with the call, and yet this row has an answer.
            return self._refused(reply, call, None)
        return self._refused(reply, call, error)

    async def find(self, wanted: Sequence[Wanted]) -> Sequence[Sequence[Record] | Answer]:
        return await together.find(wanted, self._matching, parts=together.by(MOST_IDS))

    async def _matching(
        self, target: Target, fields: Sequence[str], keys: Sequence[str]
    ) -> Sequence[Record] | Answer:
        document = (
            "query($board: ID!, $where: [ItemsPageByColumnValuesQuery!], $columns: [String!], "
            "$limit: Int!) { items_page_by_column_values(board_id: $board, columns: $where, "
            f"limit: $limit) {{ cursor items {{ {ITEM} }} }} }}"
        )
        where = [{"column_id": target.key_field, "column_values": list(keys)}]
        variables: dict[str, object] = {
            "board": target.object,
            "where": where,
            "columns": _columns(target, fields),
            "limit": PAGE,
        }
        records: list[Record] = []
        page = await self._page("find", document, variables, "items_page_by_column_values")
        for _ in range(MOST_PAGES):
            if isinstance(page, Answer):
                return page
            rows, cursor = page
            records += [one for row in rows if (one := record(row, target, fields))]
            if cursor is None:
                break
            page = await self._next("find", cursor, target, fields)
        return records

    async def _next(
        self, operation: str, cursor: str, target: Target, fields: Sequence[str]
    ) -> tuple[Sequence[Mapping[str, JsonValue]], str | None] | Answer:
        document = (
            "query($cursor: String!, $columns: [String!], $limit: Int!) { "
            f"next_items_page(cursor: $cursor, limit: $limit) {{ cursor items {{ {ITEM} }} }} }}"
        )
        shown = _columns(target, fields)
        variables: dict[str, object] = {"cursor": cursor, "columns": shown, "limit": PAGE}
        return await self._page(operation, document, variables, "next_items_page")

    async def read_many(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        read: list[Record | Answer] = []
        for at in range(0, len(known), MOST_IDS):
            read += await self._items(known[at : at + MOST_IDS])
        return read

    async def _items(self, known: Sequence[Known]) -> Sequence[Record | Answer]:
        names = list(dict.fromkeys(n for one in known for n in _columns(one.target, one.fields)))
        document = (
            "query($ids: [ID!], $columns: [String!], $limit: Int!) { "
            f"items(ids: $ids, limit: $limit) {{ {ITEM} state }} }}"
        )
        ids = list(dict.fromkeys(one.remote_id for one in known))
        variables: dict[str, object] = {"ids": ids, "columns": names, "limit": MOST_IDS}
        told = await self._data("read", document, variables)
        if isinstance(told, Answer):
            return [told] * len(known)
        data, reply, call = told
        rows = reading.whole(data.get("items"))
        if rows is None:
            return [self._refused(reply, call, None)] * len(known)
        there = {reading.text(row.get("id")): row for row in rows if row.get("state") != "deleted"}
        return [
            record(there.get(one.remote_id, {}), one.target, one.fields) or _GONE for one in known
        ]

    async def read_back(
        self, target: Target, fields: Sequence[str], *, since: datetime, cursor: str | None
    ) -> Page | Answer:
        if cursor is not None:
            page = await self._next("read", cursor, target, fields)
        else:
            page = await self._newest(target, fields, since)
        if isinstance(page, Answer):
            return page
        rows, following = page
        read = [record(row, target, fields) for row in rows]
        # A day is as exact as the board can be asked.
        start = since.replace(microsecond=0)
        fresh = [
            one for one in read if one and (one.modified_at is None or one.modified_at >= start)
        ]
        return Page(fresh, following)

    async def _newest(
        self, target: Target, fields: Sequence[str], since: datetime
    ) -> tuple[Sequence[Mapping[str, JsonValue]], str | None] | Answer:
        document = (
            "query($boards: [ID!], $rules: ItemsQuery, $columns: [String!], $limit: Int!) { "
            "boards(ids: $boards) { items_page(query_params: $rules, limit: $limit) "
            f"{{ cursor items {{ {ITEM} }} }} }} }}"
        )
        day = (since.astimezone(UTC) - timedelta(days=1)).strftime("%Y-%m-%d")
        rules = {
            "rules": [
                {
                    "column_id": "__last_updated__",
                    "compare_value": ["EXACT", day],
                    "operator": "greater_than_or_equals",
                    "compare_attribute": "UPDATED_AT",
                }
            ],
            "order_by": [{"column_id": "__last_updated__", "direction": "asc"}],
        }
        variables: dict[str, object] = {
            "boards": [target.object],
            "rules": rules,
            "columns": _columns(target, fields),
            "limit": PAGE,
        }
        told = await self._data("read", document, variables)
        if isinstance(told, Answer):
            return told
        data, reply, call = told
        boards = reading.whole(data.get("boards"))
        page = _page(boards[0].get("items_page")) if boards else None
        return self._refused(reply, call, None) if page is None else page

    async def note(self, known: Known, text: str) -> Answer:
        document = (
            "mutation($item: ID!, $body: String!) "
            "{ made: create_update(item_id: $item, body: $body) { id } }"
        )
        variables: dict[str, object] = {"item": known.remote_id, "body": _html(text)}
        reply, call = await self._sent("note", document, variables)
        if isinstance(reply, Answer):
            return reply
        body = reading.mapping(reply.json())
        made = reading.mapping(reading.mapping(body.get("data")).get("made"))
        error = _of(_errors(body), "made")
        if error is None and reading.text(made.get("id")):
            return Answer(Class.OK, "note", http_status=reply.status)
        return self._refused(reply, call, error)

    async def _page(
        self, operation: str, document: str, variables: Mapping[str, object], name: str
    ) -> tuple[Sequence[Mapping[str, JsonValue]], str | None] | Answer:
        told = await self._data(operation, document, variables)
        if isinstance(told, Answer):
            return told
        data, reply, call = told
        return _page(data.get(name)) or self._refused(reply, call, None)

    async def _data(
        self, operation: str, document: str, variables: Mapping[str, object]
    ) -> tuple[Mapping[str, JsonValue], Reply, Call] | Answer:
        """The data of a question; one error spoils it all."""
        reply, call = await self._sent(operation, document, variables, safe=True)
        if isinstance(reply, Answer):
            return reply
        body = reading.mapping(reply.json())
        errors = _errors(body)
        if reply.status != 200 or errors or not isinstance(body.get("data"), dict):
            return self._refused(reply, call, errors[0] if errors else None)
        return reading.mapping(body.get("data")), reply, call

    async def _sent(
        self, operation: str, document: str, variables: Mapping[str, object], *, safe: bool = False
    ) -> tuple[Reply | Answer, Call]:
        body = encode({"query": document, "variables": variables})
        costs = {"daily": 1.0, "minute": 1.0, "complexity": 100_000.0}
        call = Call("POST", self.url, operation, body, costs=costs, safe=safe)
        return await self.api.call(call), call

    def _refused(self, reply: Reply, call: Call, error: Mapping[str, JsonValue] | None) -> Answer:
        extensions = reading.mapping((error or {}).get("extensions"))
        code = reading.text(extensions.get("code"))
        if code in RATES or reply.status == 429:
            return self._throttled(reply, call, code or "", extensions)
        shown = reading.word(code)
        if error is None or shown is None:
            return reading.answered("monday", reply, call)
        # Trouble on their side may have come after the effect, whatever it is called.
        kind = CODES.get(shown, None if _in_trouble(reply, extensions) else Class.PERMANENT)
        if kind in {None, Class.UNKNOWN_OUTCOME}:
            kind = Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
        return reading.answered("monday", reply, call, code=shown, kind=kind)

    def _throttled(
        self, reply: Reply, call: Call, code: str, extensions: Mapping[str, JsonValue]
    ) -> Answer:
        told = extensions.get("retry_in_seconds")
        after = reply.after
        if isinstance(told, int | float) and 0 < told <= 86_400:
            after = timedelta(seconds=float(told))
        if code in DAILY:
            now = self.clock().astimezone(UTC)
            midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
            after = midnight + timedelta(days=1) - now
        said = (
            "monday allows no more calls today."
            if code in DAILY
            else "monday asks for fewer calls."
        )
        answer = reading.refused(reply, call, said, kind=Class.RATE)
        return replace(answer, after=after or PRESENTLY, scope=RATES.get(code))


_GONE = Answer(Class.NOT_FOUND, "read", detail="monday has no such item.")


def columns(write: Write) -> Mapping[str, object]:
    """The values of columns as monday takes them; a text stands for any simple one."""
    status = {} if write.status is None else {write.target.status_field: {"label": write.status}}
    return {**status, **{name: _value(value) for name, value in write.fields.items()}}


def _value(value: Value) -> object:
    match value:
        case bool():
            return {"checked": "true"} if value else None
        case Decimal():
            return f"{value:f}"
        case str():
            return value


def record(row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]) -> Record | None:
    remote_id = reading.text(row.get("id"))
    if remote_id is None:
        return None
    shown = {
        reading.text(each.get("id")): _shown(each)
        for each in reading.rows(row.get("column_values"))
    }
    shown[NAME] = reading.text(row.get("name"))
    return Record(
        remote_id,
        shown.get(target.key_field),
        shown.get(target.status_field),
        {name: shown.get(name) for name in fields},
        modified_at=reading.moment(row.get("updated_at")),
    )


def _shown(column: Mapping[str, JsonValue]) -> str | None:
    found = reading.text(column.get("text"))
    # A box that is ticked shows a v.
    return ("true" if found else "false") if column.get("type") == "checkbox" else found


def _columns(target: Target, fields: Sequence[str]) -> Sequence[str]:
    names = dict.fromkeys((target.key_field, target.status_field, *fields))
    return [name for name in names if name != NAME]


def _page(
    value: JsonValue,
) -> tuple[Sequence[Mapping[str, JsonValue]], str | None] | None:
    found = reading.mapping(value)
    rows = reading.whole(found.get("items"))
    return None if rows is None else (rows, reading.text(found.get("cursor")))


def _errors(body: Mapping[str, JsonValue]) -> Sequence[Mapping[str, JsonValue]]:
    """What is wrong, also in the older form with `error_code` beside the data."""
    errors = reading.rows(body.get("errors"))
    code = body.get("error_code")
    return errors or ([{"extensions": {"code": code}}] if code else [])


def _of(errors: Sequence[Mapping[str, JsonValue]], alias: str) -> Mapping[str, JsonValue] | None:
    """The error about one alias, or one about the whole call."""
    for error in errors:
        path = error.get("path")
        if not isinstance(path, list) or path[:1] == [alias]:
            return error
    return None


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _in_trouble(reply: Reply, extensions: Mapping[str, JsonValue]) -> bool:
    told = extensions.get("status_code")
    return reply.status >= 500 or (isinstance(told, int) and told >= 500)


def _expired(reply: Reply) -> bool:
    return reply.status == 401


KIND = Kind(
    "monday",
    "monday.com boards (GraphQL, API version 2026-01)",
    build,
    setup=SET_UP,
    example={"objects": {"order": {"object": "4150868001", "key_field": "order_no"}}},
    doubts=DOUBTS,
    options=OPTIONS,
    default_url=URL,
    capabilities=Monday.capabilities,
    limits=LIMITS,
    targets={"order": USUAL},
)
