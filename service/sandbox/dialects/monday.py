"""A simulated monday account with one board: GraphQL documents come in, its items change.

As developer.monday.com and the schema of npm @mondaydotcomorg/api 14.0.0 say (2026-11 catalogue);
what a change of a missing item answers is UNVERIFIED.
"""

import html
import re
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

import orjson
from aiohttp import web
from pydantic import JsonValue

from service.sandbox.dialects.base import Clock, Dialect
from service.sandbox.dialects.book import Entry
from service.sandbox.dialects.graphql import Field, GraphQLError, Operation, parse
from service.sandbox.dialects.jsoncalls import Body, RefusedCall, answering
from service.sandbox.dialects.meters import Rolling

BOARD = "4150868001"
COLUMNS = {
    "order_no": "text",
    "status": "status",
    "tracking": "text",
    "total": "numbers",
    "gift": "checkbox",
}
LABELS = ("Working on it", "Paid", "Shipped", "Done", "Stuck")
ITEM = {
    "id": "",
    "name": "",
    "updated_at": "",
    "created_at": "",
    "state": "",
    "column_values": "column",
    "updates": "update",
    "group": "group",
    "board": "board",
    "subitems": "item",
    "parent_item": "item",
}
TYPES: Mapping[str, Mapping[str, str]] = {
    "item": ITEM,
    "column": {"id": "", "type": "", "text": "", "value": "", "column": "heading"},
    "heading": {"id": "", "title": ""},
    "page": {"cursor": "", "items": "item"},
    "board": {"id": "", "name": "", "items_page": "page"},
    "group": {"id": "", "title": ""},
    "update": {"id": "", "body": ""},
    "complexity": {"before": "", "after": "", "query": "", "reset_in_x_seconds": ""},
}
"""The fields of each type, and of which type they are."""
ROOTS: Mapping[str, Mapping[str, str]] = {
    "query": {
        "items": "item",
        "boards": "board",
        "items_page_by_column_values": "page",
        "next_items_page": "page",
        "complexity": "complexity",
    },
    "mutation": {
        "change_multiple_column_values": "item",
        "change_column_value": "item",
        "change_simple_column_value": "item",
        "create_item": "item",
        "create_update": "update",
        "complexity": "complexity",
    },
}
ARGUMENTS: Mapping[str, Mapping[str, str]] = {
    "items": {"ids": "[ID!]", "limit": "Int", "page": "Int", "exclude_nonactive": "Boolean"},
    "boards": {"ids": "[ID!]", "limit": "Int", "page": "Int"},
    "items_page": {"query_params": "ItemsQuery", "limit": "Int!", "cursor": "String"},
    "items_page_by_column_values": {
        "board_id": "ID!",
        "columns": "[ItemsPageByColumnValuesQuery!]",
        "limit": "Int!",
        "cursor": "String",
    },
    "next_items_page": {"cursor": "String!", "limit": "Int!"},
    "column_values": {"ids": "[String!]", "types": "[ColumnType!]"},
    "change_multiple_column_values": {
        "board_id": "ID!",
        "item_id": "ID",
        "column_values": "JSON!",
        "create_labels_if_missing": "Boolean",
    },
    "change_column_value": {
        "board_id": "ID!",
        "item_id": "ID",
        "column_id": "String!",
        "value": "JSON!",
        "create_labels_if_missing": "Boolean",
    },
    "change_simple_column_value": {
        "board_id": "ID!",
        "item_id": "ID",
        "column_id": "String!",
        "value": "String",
        "create_labels_if_missing": "Boolean",
    },
    "create_item": {
        "board_id": "ID!",
        "group_id": "String",
        "item_name": "String!",
        "column_values": "JSON",
        "create_labels_if_missing": "Boolean",
    },
    "create_update": {"item_id": "ID", "parent_id": "ID", "body": "String!"},
}
DEFAULTED = {"limit"}
SCALARS: Mapping[str, type | tuple[type, ...]] = {
    "ID": (str, int),
    "Int": int,
    "Boolean": bool,
    "String": str,
    "JSON": str,
}
MOST_IDS = 100
MOST_PAGE = 500
NUMBER = re.compile(r"-?\d+(\.\d+)?")
DAY_OR_MORE = 3600


class MondayError(Exception):
    """An error of one field of the document."""

    def __init__(self, code: str, message: str, *, status: int = 200) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class Monday(Dialect):
    name = "monday"
    stages = LABELS
    text_field = "tracking"
    number_field = "total"
    bool_field = "gift"

    def __init__(self, *, clock: Clock | None = None) -> None:
        super().__init__(clock=clock)
        self.token = secrets.token_hex(20)
        self.labels = list(LABELS)
        self.documents: list[str] = []
        """What arrived, without its variables."""
        self.meters = {
            "daily": Rolling(count=1000, seconds=86_400),
            "minute": Rolling(count=1000, seconds=60),
            "complexity": Rolling(count=5_000_000, seconds=60),
        }

    def routes(self) -> Sequence[web.RouteDef]:
        handler = answering(self._run, check=self._check_credentials, unreadable=_unreadable)
        return [web.post("/v2", handler)]

    def destination(self, url: str) -> Mapping[str, JsonValue]:
        return {
            "crm": "monday",
            "url": f"{url}/v2",
            "token": f"plain:{self.token}",
            "objects": {"order": {"object": BOARD, "key_field": "order_no"}},
        }

    def seed(self, key: str, *, status: str | None = None, **fields: JsonValue) -> Entry:
        shown = {"name": f"Order {key}", "order_no": key, "status": status or LABELS[0]}
        return self.book.create("item", {**shown, **fields})

    def status(self, entry: Entry) -> str:
        return str(entry.fields["status"])

    def touch(self, entry: Entry, status: str) -> None:
        self.book.update(entry, {"status": status})

    def throttled(self, wait: float) -> web.Response:
        if wait > DAY_OR_MORE:
            error = _error("DAILY_LIMIT_EXCEEDED", "Daily limit exceeded")
            return web.json_response({"errors": [error]}, status=429)
        seconds = max(1, round(wait))
        error = _error("COMPLEXITY_BUDGET_EXHAUSTED", "Complexity budget exhausted")
        error["extensions"] = {"code": "COMPLEXITY_BUDGET_EXHAUSTED", "retry_in_seconds": seconds}
        headers = {"Retry-After": str(seconds)}
        return web.json_response({"errors": [error]}, status=429, headers=headers)

    def expire(self) -> None:
        self.token = secrets.token_hex(20)

    def costs(self, request: web.Request) -> Mapping[str, float]:  # noqa: ARG002
        return {"daily": 1.0, "minute": 1.0, "complexity": 30_000.0} if self.meters else {}

    # The calls.

    def _check_credentials(self, request: web.Request) -> None:
        shown = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if not secrets.compare_digest(shown.encode(), self.token.encode()):
            raise RefusedCall(401, {"errors": ["Not Authenticated"]})

    def _run(self, _: web.Request, body: Body) -> web.Response:
        text, variables = body.get("query"), body.get("variables") or {}
        if not isinstance(text, str) or not isinstance(variables, dict):
            raise _unreadable("No query string was present")
        self.documents.append(text)
        try:
            operation = parse(text, variables)
            for one in operation.fields:
                _check(one, ROOTS[operation.kind], operation)
        except GraphQLError as error:
            wrong = _error("GRAPHQL_VALIDATION_FAILED", str(error))
            return web.json_response({"errors": [wrong]}, status=400)
        data: dict[str, JsonValue] = {}
        errors: list[JsonValue] = []
        for one in operation.fields:
            try:
                data[one.alias] = self._resolved(one)
            except MondayError as error:
                data[one.alias] = None
                errors.append({**_error(error.code, str(error)), "path": [one.alias]})
        answer: dict[str, JsonValue] = {"data": data, "extensions": {"request_id": "sandbox"}}
        return web.json_response({**answer, "errors": errors} if errors else answer)

    def _resolved(self, one: Field) -> JsonValue:
        resolvers: Mapping[str, Callable[[Field], JsonValue]] = {
            "items": self._items,
            "boards": self._boards,
            "items_page_by_column_values": self._matching,
            "next_items_page": self._next,
            "change_multiple_column_values": self._change,
            "change_column_value": self._change_one,
            "change_simple_column_value": self._change_simply,
            "create_item": self._create,
            "create_update": self._note,
            "complexity": lambda _: {"query": 30_000, "before": 1, "after": 1},
        }
        return resolvers[one.name](one)

    def _items(self, one: Field) -> JsonValue:
        ids = [str(each) for each in _list(one.arguments.get("ids"))]
        limit = one.arguments.get("limit") or 25
        if len(ids) > MOST_IDS or not isinstance(limit, int) or limit > MOST_IDS:
            raise MondayError("InvalidArgumentException", "at most 100 items can be asked for")
        found = [entry for entry in self.book.of("item") if entry.id in ids]
        return [_item(entry, one.fields) for entry in found[:limit]]

    def _boards(self, one: Field) -> JsonValue:
        if [str(each) for each in _list(one.arguments.get("ids"))] != [BOARD]:
            return []
        shown: dict[str, JsonValue] = {"id": BOARD, "name": "Orders"}
        for inner in one.fields:
            if inner.name == "items_page":
                rules = inner.arguments.get("query_params")
                found = _ruled(list(self.book.of("item")), rules)
                shown[inner.alias] = self._paged(found, inner)
        return [shown]

    def _matching(self, one: Field) -> JsonValue:
        self._check_board(one)
        found: list[Entry] = list(self.book.of("item"))
        for column in _list(one.arguments.get("columns")):
            if not isinstance(column, dict) or str(column.get("column_id")) not in COLUMNS:
                raise MondayError("InvalidColumnIdException", "This column ID doesn't exist")
            values = _list(column.get("column_values"))
            found = [each for each in found if each.fields.get(str(column["column_id"])) in values]
        return self._paged(found, one)

    def _next(self, one: Field) -> JsonValue:
        cursor = str(one.arguments["cursor"])
        ids = cursor.split(",")
        entries = [entry for each in ids if (entry := self.book.get("item", each))]
        if not entries:
            raise MondayError("CursorException", "The cursor is expired or invalid")
        return self._paged(entries, one)

    def _paged(self, found: Sequence[Entry], one: Field) -> JsonValue:
        limit = one.arguments.get("limit", 25)
        if not isinstance(limit, int) or not 0 < limit <= MOST_PAGE:
            raise MondayError("InvalidArgumentException", "limit must be at most 500")
        inner = next((each.fields for each in one.fields if each.name == "items"), ())
        items: list[JsonValue] = [_item(entry, inner) for entry in found[:limit]]
        # The list stays as it was when the first page was asked for.
        rest = ",".join(entry.id for entry in found[limit:])
        return {"cursor": rest or None, "items": items}

    def _change(self, one: Field) -> JsonValue:
        self._check_board(one)
        entry = self._entry(one)
        labels = one.arguments.get("create_labels_if_missing") is True
        self.book.update(entry, self._values(one.arguments["column_values"], new_labels=labels))
        return _item(entry, one.fields)

    def _change_one(self, one: Field) -> JsonValue:
        given = _loaded(one.arguments["value"])
        return self._change_column(one, given)

    def _change_simply(self, one: Field) -> JsonValue:
        return self._change_column(one, one.arguments.get("value"))

    def _change_column(self, one: Field, value: JsonValue) -> JsonValue:
        self._check_board(one)
        name = str(one.arguments["column_id"])
        self.book.update(self._entry(one), {name: self._value(name, value, new_labels=False)})
        return _item(self._entry(one), one.fields)

    def _create(self, one: Field) -> JsonValue:
        self._check_board(one)
        values = self._values(one.arguments.get("column_values") or "{}", new_labels=False)
        entry = self.book.create("item", {"name": str(one.arguments["item_name"]), **values})
        return _item(entry, one.fields)

    def _note(self, one: Field) -> JsonValue:
        entry = self._entry(one)
        entry.notes.append(html.unescape(str(one.arguments["body"])))
        return {"id": str(len(entry.notes))}

    def _entry(self, one: Field) -> Entry:
        entry = self.book.get("item", str(one.arguments.get("item_id")))
        if entry is None:
            raise MondayError("ResourceNotFoundException", "Item not found")
        return entry

    def _check_board(self, one: Field) -> None:
        if str(one.arguments["board_id"]) != BOARD:
            raise MondayError("InvalidBoardIdException", "The board does not exist")

    def _values(self, given: JsonValue, *, new_labels: bool) -> dict[str, JsonValue]:
        values = _loaded(given)
        if not isinstance(values, dict):
            raise MondayError("INVALID_COLUMN_VALUES", "column_values must be a JSON object")
        return {
            name: self._value(name, value, new_labels=new_labels) for name, value in values.items()
        }

    def _value(self, name: str, value: JsonValue, *, new_labels: bool) -> JsonValue:
        kind = "text" if name == "name" else COLUMNS.get(name)
        match kind, value:
            case "text", str():
                return value
            case "numbers", str() if value == "" or NUMBER.fullmatch(value):
                return value or None
            case "checkbox", {"checked": "true"}:
                return True
            case "checkbox", None:
                return None
            case "status", {"label": str(label)}:
                if label not in self.labels and not new_labels:
                    raise MondayError(
                        "ColumnValueException",
                        "This status label doesn't exist, possible statuses are: …",
                    )
                return label
            case None, _:
                raise MondayError("InvalidColumnIdException", "This column ID doesn't exist")
            case _:
                raise MondayError("ColumnValueException", f"invalid value for a {kind} column")


def _error(code: str, message: str) -> dict[str, JsonValue]:
    return {"message": message, "extensions": {"code": code}}


def _loaded(given: JsonValue) -> JsonValue:
    """The JSON in a text, as monday's scalar JSON travels."""
    try:
        found: JsonValue = orjson.loads(given) if isinstance(given, str) else None
    except orjson.JSONDecodeError:
        return None
    return found


def _unreadable(why: str) -> RefusedCall:
    return RefusedCall(400, {"errors": [_error("BAD_REQUEST", why)]})


def _check(one: Field, known: Mapping[str, str], operation: Operation) -> None:
    """Whether a field exists, has its arguments, and is asked for fields if it has any."""
    if one.name not in known:
        raise GraphQLError(f'Cannot query field "{one.name}".')
    _check_arguments(one, ARGUMENTS.get(one.name, {}))
    inner = TYPES.get(known[one.name], {})
    if bool(inner) != bool(one.fields):
        raise GraphQLError(f'Field "{one.name}" must have a selection of subfields.')
    for each in one.fields:
        _check(each, inner, operation)


def _check_arguments(one: Field, allowed: Mapping[str, str]) -> None:
    for name, value in one.arguments.items():
        if name not in allowed:
            raise GraphQLError(f'Unknown argument "{name}" on field "{one.name}".')
        if name in one.bound and one.bound[name].rstrip("!") != allowed[name].rstrip("!"):
            raise GraphQLError(f'Variable of type "{one.bound[name]}" used for "{allowed[name]}".')
        if not _fits(value, allowed[name]):
            raise GraphQLError(f'Expected value of type "{allowed[name]}" for "{name}".')
    for name, kind in allowed.items():
        needed = kind.endswith("!") and name not in DEFAULTED
        if needed and one.arguments.get(name) is None:
            raise GraphQLError(f'Field "{one.name}" argument "{name}" is required.')


def _fits(value: JsonValue, kind: str) -> bool:
    plain = kind.rstrip("!")
    if value is None:
        return plain == kind
    if plain.startswith("["):
        return all(_fits(each, plain[1:-1]) for each in _list(value))
    if isinstance(value, bool):
        return plain == "Boolean"
    return isinstance(value, SCALARS.get(plain, dict))


def _list(value: JsonValue) -> list[JsonValue]:
    return value if isinstance(value, list) else [] if value is None else [value]


def _ruled(found: list[Entry], rules: JsonValue) -> list[Entry]:
    """Items changed on a day or later, as far as the sandbox can be asked."""
    found.sort(key=lambda entry: (entry.modified_at, int(entry.id)))
    given = rules.get("rules") if isinstance(rules, dict) else None
    for rule in _list(given):
        if not isinstance(rule, dict) or rule.get("column_id") != "__last_updated__":
            raise MondayError("InvalidColumnIdException", "This column ID doesn't exist")
        compared = _list(rule.get("compare_value"))
        if compared[:1] != ["EXACT"] or rule.get("operator") != "greater_than_or_equals":
            raise MondayError("InvalidArgumentException", "The sandbox cannot compare so")
        day = datetime.fromisoformat(str(compared[1])).replace(tzinfo=UTC)
        found = [entry for entry in found if entry.modified_at >= day]
    return found


def _item(entry: Entry, fields: Sequence[Field]) -> JsonValue:
    whole: dict[str, JsonValue] = {
        "id": entry.id,
        "name": entry.fields.get("name"),
        "state": "active",
        "updated_at": entry.modified_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "created_at": entry.created_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "group": {"id": "topics", "title": "Orders"},
        "board": {"id": BOARD, "name": "Orders"},
        "updates": [],
        "subitems": [],
    }
    shown: dict[str, JsonValue] = {}
    for one in fields:
        if one.name == "column_values":
            ids = one.arguments.get("ids")
            names = [name for name in COLUMNS if ids is None or name in _list(ids)]
            asked = {each.name for each in one.fields}
            shown[one.alias] = [
                {key: value for key, value in _column(entry, name).items() if key in asked}
                for name in names
            ]
        else:
            shown[one.alias] = whole.get(one.name)
    return shown


def _column(entry: Entry, name: str) -> Mapping[str, JsonValue]:
    value = entry.fields.get(name)
    text = ("v" if value else "") if COLUMNS[name] == "checkbox" else str(value or "")
    kept = None if value is None else orjson.dumps(value).decode()
    heading: JsonValue = {"id": name, "title": name}
    return {
        "id": name,
        "type": COLUMNS[name],
        "text": text,
        "value": kept,
        "column": heading,
    }
