"""What a simulated Odoo keeps and does: a model, a method and its arguments in, the result out.

As Odoo 19.0 community behaves (run and watched, catalogue of 2026-11): calls for many records are
all or nothing, an unknown field or a wrong selection value is a ValueError, a record that is gone a
MissingError, a state that does not allow a method a UserError. The dialog of older versions and
`action_quotation_sent` are UNVERIFIED.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from pydantic import JsonValue

from service.sandbox.dialects.book import Book, Entry

Values = Mapping[str, JsonValue]
SALE_ORDER = "sale.order"
CHAR, FLOAT, BOOL, LINK, STAMP = "char", "float", "boolean", "many2one", "datetime"
FIELDS: Mapping[str, Mapping[str, str]] = {
    SALE_ORDER: {
        "id": "integer",
        "name": CHAR,
        "display_name": CHAR,
        "client_order_ref": CHAR,
        "state": "selection",
        "locked": BOOL,
        "partner_id": LINK,
        "x_tracking": CHAR,
        "x_total": FLOAT,
        "x_vip": BOOL,
        "create_date": STAMP,
        "write_date": STAMP,
        "write_uid": LINK,
    },
    "crm.lead": {
        "id": "integer",
        "name": CHAR,
        "display_name": CHAR,
        "x_merchant_order": CHAR,
        "stage_id": LINK,
        "active": BOOL,
        "x_tracking": CHAR,
        "x_total": FLOAT,
        "x_vip": BOOL,
        "create_date": STAMP,
        "write_date": STAMP,
        "write_uid": LINK,
    },
}
STATES = ("draft", "sent", "sale", "cancel")
STAGES = {1: "New", 2: "Qualified", 3: "Proposition", 4: "Won"}
USER = 7
ON_MODEL: Mapping[str, Sequence[str]] = {
    "search_read": ("domain", "fields", "offset", "limit", "order"),
    "search": ("domain", "offset", "limit", "order"),
    "create": ("vals_list",),
    "fields_get": ("allfields", "attributes"),
    "context_get": (),
}
"""Methods of a model and the names of their arguments."""
ON_RECORDS: Mapping[str, Sequence[str]] = {
    "read": ("fields", "load"),
    "write": ("vals",),
    "message_post": (),
    "action_confirm": (),
    "action_cancel": (),
    "action_lock": (),
    "action_unlock": (),
    "action_draft": (),
    "action_quotation_sent": (),
}
"""Methods of records: `ids` comes before these."""


class Fault(Exception):
    """A Python exception of Odoo, by its full name."""

    def __init__(self, name: str, message: str, status: int) -> None:
        super().__init__(message)
        self.name = name
        self.status = status


def value_error(message: str) -> Fault:
    return Fault("builtins.ValueError", message, 500)


def user_error(message: str) -> Fault:
    return Fault("odoo.exceptions.UserError", message, 422)


class Models:
    """The models of one database."""

    def __init__(self, book: Book) -> None:
        self.book = book

    def call(self, model: str, method: str, ids: JsonValue, given: Values) -> JsonValue:
        if (model, method) == ("res.users", "context_get"):
            return {"lang": "en_US", "tz": "Europe/Brussels", "uid": USER}
        if model not in FIELDS:
            message = f"the model {model!r} does not exist"
            raise Fault("werkzeug.exceptions.NotFound", message, 404)
        if method.startswith("_"):
            message = f"Private methods (such as '{model}.{method}') cannot be called remotely."
            raise Fault("odoo.exceptions.AccessError", message, 403)
        known = {**ON_MODEL, **ON_RECORDS}.get(method)
        if known is None or (method.startswith("action_") and model != SALE_ORDER):
            message = f"the method '{model}.{method}' does not exist"
            raise Fault("werkzeug.exceptions.NotFound", message, 404)
        free = method == "message_post"
        if unknown := [name for name in given if name not in {*known, "context"} and not free]:
            message = f"got an unexpected keyword argument {unknown[0]!r}"
            raise Fault("builtins.TypeError", message, 422)
        if method in ON_MODEL:
            return self._on_model(model, method, given)
        return self._on_records(model, method, self._browsed(model, ids), given)

    def _on_model(self, model: str, method: str, given: Values) -> JsonValue:
        match method:
            case "search_read":
                found = self._searched(model, given)
                return [_read(model, each, given.get("fields")) for each in found]
            case "search":
                return [int(each.id) for each in self._searched(model, given)]
            case "create":
                return self._created(model, given)
            case _:
                return {
                    name: {"type": kind, "string": name, "readonly": kind == STAMP}
                    for name, kind in FIELDS[model].items()
                }

    def _on_records(
        self, model: str, method: str, records: Sequence[Entry], given: Values
    ) -> JsonValue:
        match method:
            case "read":
                return [_read(model, each, given.get("fields")) for each in records]
            case "write":
                vals = _checked(model, _vals(given, "vals"))
                for each in records:
                    self.book.update(each, vals)
                return True
            case "message_post":
                return self._posted(records, given)
            case _:
                return self._acted(method, records)

    def _browsed(self, model: str, ids: JsonValue) -> Sequence[Entry]:
        if isinstance(ids, int):
            ids = [ids]
        if not isinstance(ids, list) or not all(type(each) is int for each in ids):
            raise Fault("builtins.TypeError", "missing a required argument: 'ids'", 422)
        found = [self.book.get(model, str(each)) for each in ids]
        there = [each for each in found if each is not None]
        if len(there) != len(found):
            message = "Record does not exist or has been deleted."
            raise Fault("odoo.exceptions.MissingError", message, 404)
        return there

    def _searched(self, model: str, given: Values) -> Sequence[Entry]:
        context = given.get("context")
        hidden = isinstance(context, dict) and context.get("active_test") is False
        test = _domain(model, given.get("domain", []))
        found = [
            each
            for each in self.book.of(model)
            if test(each) and (hidden or each.fields.get("active", True) is True)
        ]
        for part in reversed(str(given.get("order") or "id asc").split(",")):
            name, _, way = part.strip().partition(" ")
            _field(model, name)
            found.sort(key=_sorting(name), reverse=way == "desc")
        first, limit = given.get("offset") or 0, given.get("limit")
        assert isinstance(first, int)
        return found[first : first + limit] if isinstance(limit, int) and limit else found[first:]

    def _created(self, model: str, given: Values) -> JsonValue:
        rows = given.get("vals_list")
        one = isinstance(rows, dict)
        wanted = [rows] if isinstance(rows, dict) else rows
        if not isinstance(wanted, list):
            raise Fault("builtins.TypeError", "missing a required argument: 'vals_list'", 422)
        checked = [_checked(model, row if isinstance(row, dict) else {}) for row in wanted]
        for vals in checked:
            needed = "partner_id" if model == SALE_ORDER else "name"
            if not vals.get(needed):
                message = f"Missing required value for the field {needed!r} ({needed})."
                raise Fault("odoo.exceptions.ValidationError", message, 422)
        made = [int(self.book.create(model, {**_usual(model), **vals}).id) for vals in checked]
        return made[0] if one else [*made]

    def _posted(self, records: Sequence[Entry], given: Values) -> JsonValue:
        body = given.get("body")
        if len(records) != 1 or not isinstance(body, str):
            raise value_error("Expected singleton")
        if given.get("subtype_xmlid") not in {None, "mail.mt_note", "mail.mt_comment"}:
            raise value_error(f"External ID not found in the system: {given['subtype_xmlid']}")
        records[0].notes.append(body)
        return [9000 + len(records[0].notes)]

    def _acted(self, method: str, records: Sequence[Entry]) -> JsonValue:
        """Nothing happens unless it may happen to every record."""
        for each in records:
            if why := _forbidden(method, str(each.fields["state"]), each.fields["locked"] is True):
                raise user_error(why)
        for each in records:
            self.book.update(each, _EFFECTS[method])
        return None if method in {"action_lock", "action_unlock"} else True


_EFFECTS: Mapping[str, Values] = {
    "action_confirm": {"state": "sale"},
    "action_cancel": {"state": "cancel"},
    "action_draft": {"state": "draft"},
    "action_quotation_sent": {"state": "sent"},
    "action_lock": {"locked": True},
    "action_unlock": {"locked": False},
}


def _forbidden(method: str, state: str, locked: bool) -> str | None:  # noqa: FBT001
    match method:
        case "action_confirm" if state not in {"draft", "sent"}:
            return "Some orders are not in a state requiring confirmation."
        case "action_cancel" if locked:
            return "You cannot cancel a locked order. Please unlock it first."
        case "action_draft" if state not in {"cancel", "sent"}:
            return "Only cancelled quotations go back to draft."
        case "action_quotation_sent" if state != "draft":
            return "Only draft orders can be marked as sent directly."
        case _:
            return None


def _usual(model: str) -> Values:
    if model == SALE_ORDER:
        return {"state": "draft", "locked": False, "client_order_ref": False}
    return {"active": True, "stage_id": 1}


def _vals(given: Values, name: str) -> Values:
    vals = given.get(name)
    if not isinstance(vals, dict):
        raise Fault("builtins.TypeError", f"missing a required argument: {name!r}", 422)
    return vals


def _field(model: str, name: str) -> str:
    if name not in FIELDS[model]:
        raise value_error(f"Invalid field {name!r} on model {model!r}")
    return FIELDS[model][name]


def _checked(model: str, vals: Values) -> dict[str, JsonValue]:
    checked: dict[str, JsonValue] = {}
    for name, value in vals.items():
        kind = _field(model, name)
        if kind == "selection" and value not in STATES:
            raise value_error(f"Wrong value for {model}.{name}: {value!r}")
        if kind == FLOAT and (isinstance(value, str) or value is None):
            raise value_error(f"could not convert string to float: {value!r}")
        if name == "stage_id" and value not in STAGES:
            raise value_error(f"invalid input syntax for type integer: {value!r}")
        checked[name] = bool(value) if kind == BOOL else value
        if kind == CHAR:
            checked[name] = str(value) if value else False
    return checked


def _read(model: str, entry: Entry, names: JsonValue) -> JsonValue:
    wanted = names if isinstance(names, list) and names else list(FIELDS[model])
    row: dict[str, JsonValue] = {"id": int(entry.id)}
    for name in wanted:
        kind = _field(model, str(name))
        value = _value(entry, str(name))
        if kind == LINK and value:
            shown = STAGES.get(value, "") if isinstance(value, int) else ""
            value = [value, shown or "API user"]
        row[str(name)] = value
    return row


def _value(entry: Entry, name: str) -> JsonValue:
    match name:
        case "id":
            return int(entry.id)
        case "display_name":
            return entry.fields.get("name", False)
        case "write_date":
            return stamped(entry.modified_at)
        case "create_date":
            return stamped(entry.created_at)
        case "write_uid":
            return USER
        case _:
            return entry.fields.get(name, False)


def stamped(moment: datetime) -> str:
    """To the second, without an offset, in UTC."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")


def _sorting(name: str) -> Callable[[Entry], str]:
    def place(entry: Entry) -> str:
        value = _value(entry, name)
        return f"{value:020}" if isinstance(value, int) else str(value)

    return place


def _domain(model: str, domain: JsonValue) -> Callable[[Entry], bool]:
    """A domain in Polish notation, as one test."""
    if not isinstance(domain, list):
        raise value_error("Domain() invalid item in domain")
    stack: list[Callable[[Entry], bool]] = []
    for item in reversed(domain):
        match item:
            case "&" | "|" if len(stack) > 1:
                one, other = stack.pop(), stack.pop()
                stack.append(_both(one, other) if item == "&" else _either(one, other))
            case [str(name), str(operator), value]:
                _field(model, name)
                stack.append(_leaf(name, operator, value))
            case _:
                raise value_error(f"Domain() invalid item in domain: {item!r}")
    return lambda entry: all(test(entry) for test in stack)


def _both(one: Callable[[Entry], bool], other: Callable[[Entry], bool]) -> Callable[[Entry], bool]:
    return lambda entry: one(entry) and other(entry)


def _either(
    one: Callable[[Entry], bool], other: Callable[[Entry], bool]
) -> Callable[[Entry], bool]:
    return lambda entry: one(entry) or other(entry)


def _leaf(name: str, operator: str, value: JsonValue) -> Callable[[Entry], bool]:
    match operator:
        case "=":
            return lambda entry: _value(entry, name) == value
        case "!=":
            return lambda entry: _value(entry, name) != value
        case "in" if isinstance(value, list):
            return lambda entry: _value(entry, name) in value
        case ">" | ">=" | "<" | "<=" if isinstance(value, (str, int)):
            return lambda entry: _compared(_value(entry, name), operator, value)
        case _:
            raise value_error(f"Invalid operator {operator!r} in domain term")


def _compared(found: JsonValue, operator: str, value: str | int) -> bool:
    one, other = str(found), str(value)
    if isinstance(found, int) and isinstance(value, int):
        one, other = f"{found:020}", f"{value:020}"
    return {">": one > other, ">=": one >= other, "<": one < other, "<=": one <= other}[operator]
