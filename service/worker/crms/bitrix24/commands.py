"""Bitrix24's words for records and calls: a write comes in, a command goes out, and back again."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from pydantic import JsonValue

from service.worker.crms import reading
from service.worker.crms.base import Answer, Class, Value, Write
from service.worker.crms.bitrix24.codes import unreadable
from service.worker.crms.brackets import Nested, query

NUMBERS = {"lead": 1, "deal": 2, "quote": 7, "invoice": 31}
TIMELINES = {1: "lead", 2: "deal", 7: "quote"}
FROM_OUTSIDE = ("lead", "deal")
"""They have originId and originatorId; all others have xmlId (object-fields)."""
REFERENCE = "$result["
"""A batch puts a result of an earlier command in for it, whoever wrote it."""

Outcome = JsonValue | Answer
"""What a command brought: its result, or why there is none."""


@dataclass(frozen=True, slots=True)
class Sort:
    """What a kind of record is called in methods, parameters and answers."""

    family: str
    common: Mapping[str, Nested]
    one: str
    many: str
    changed: str
    changed_by: str
    timeline: str


@dataclass(frozen=True, slots=True)
class Command:
    """A method and its parameters."""

    method: str
    params: Mapping[str, Nested]

    @property
    def line(self) -> str:
        return f"{self.method}?{query(self.params)}"

    @property
    def refers(self) -> bool:
        """Whether a batch would take a piece of it for a reference to another result."""
        return _mentions(self.params)


def known(name: str) -> bool:
    """Whether there can be such an object: a word of ours, `dynamic_177` or `177`."""
    number = name.removeprefix("dynamic_")
    numeric = number.isascii() and number.isdigit() and 0 < len(number) < 10
    return name == "order" or name in NUMBERS or numeric


def sort(name: str) -> Sort:
    if name == "order":
        return Sort("sale.order", {}, "order", "orders", "dateUpdate", "", "order")
    number = NUMBERS.get(name) or int(name.removeprefix("dynamic_"))
    timeline = TIMELINES.get(number, f"dynamic_{number}")
    common: Mapping[str, Nested] = {"entityTypeId": number}
    return Sort("crm.item", common, "item", "items", "updatedTime", "updatedBy", timeline)


def original(names: Mapping[str, Nested] | Sequence[str]) -> dict[str, Nested]:
    """Own fields are called ufCrmTrack, or UF_CRM_TRACK where the call says so."""
    return {"useOriginalUfNames": "Y"} if any(name.startswith("UF_") for name in names) else {}


def sent(write: Write) -> dict[str, Nested]:
    """The fields of a write as Bitrix24 takes them."""
    fields: dict[str, Nested] = {name: _shown(value) for name, value in write.fields.items()}
    return fields if write.status is None else {**fields, write.target.status_field: write.status}


def written(write: Write, got: Outcome) -> Answer:
    """The answer to a write; PERMANENT names a field that was ignored without a word."""
    operation = "write" if write.remote_id else "create"
    if isinstance(got, Answer):
        return replace(got, operation=operation)
    item = reading.mapping(reading.mapping(got).get(sort(write.target.object).one))
    remote_id = reading.text(item.get("id"))
    if remote_id is None or write.remote_id not in {None, remote_id}:
        return unreadable(operation)
    answer = Answer(Class.OK, operation, http_status=200, remote_id=remote_id)
    names = ", ".join(_ignored(write, item))
    if not names:
        return answer
    sentence = (
        f"Bitrix24 ignored {names}: it is no field of this object, or cannot be written; mend "
        "statuses or attributes, reload, then redrive."
    )
    return replace(answer, kind=Class.PERMANENT, detail=sentence)


def _ignored(write: Write, item: Mapping[str, JsonValue]) -> Sequence[str]:
    """Fields that stayed empty; another spelling of a date or a number is no loss."""
    names = [
        name for name, value in write.fields.items() if value != "" and text(item.get(name)) is None
    ]
    status = write.target.status_field
    left = write.status is not None and text(item.get(status)) != write.status
    return sorted([*names, status] if left else names)


def text(value: JsonValue) -> str | None:
    """A field as text; several values stand side by side."""
    if isinstance(value, list):
        shown = [one for each in value if (one := reading.text(each)) is not None]
        return ", ".join(shown) or None
    return reading.text(value)


def _shown(value: Value) -> str:
    match value:
        case bool():
            return "Y" if value else "N"
        case Decimal():
            return f"{value:f}"
        case str():
            return value


def _mentions(value: Nested) -> bool:
    match value:
        case str():
            return REFERENCE in value
        case Mapping():
            return any(_mentions(each) for each in value.values())
        case Sequence():
            return any(_mentions(each) for each in value)
        case _:
            return False
