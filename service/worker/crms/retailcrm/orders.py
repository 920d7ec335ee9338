"""The shapes of API v5: a write comes in, an order of a form goes out, and answers are judged."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from service.worker.crms import reading
from service.worker.crms.base import Answer, Class, Record, Target, Value, Wanted, Write
from service.worker.crms.client import Call, Reply

SECOND = timedelta(seconds=1)
FARTHEST = timedelta(hours=14)
"""Times of the history are of the account's own time zone; none is farther from UTC."""
QUARTER = timedelta(minutes=15)
TIMES = "%Y-%m-%d %H:%M:%S"

SAYS: tuple[tuple[str, Class, str], ...] = (
    ('"apiKey" is missing', Class.AUTH, "the API key is missing: set token"),
    ('Wrong "apiKey" value', Class.AUTH, "the API key is wrong: make a new one in its settings"),
    ("Access denied", Class.HUMAN, "the API key has no right to orders or to this shop"),
    ("Account does not exist", Class.HUMAN, "there is no such account: look at url"),
    ("Account is not active", Class.HUMAN, "the account is switched off"),
    (r"^Not found\.?$", Class.NOT_FOUND, "there is no such order"),
    ("API method not found", Class.HUMAN, "there is no API v5 at url"),
    ("already exists", Class.CONFLICT, "the order is there already"),
    ("Errors in the entity format", Class.PERMANENT, "a value is not accepted"),
    ("Validation error", Class.PERMANENT, "a value is not accepted"),
    ("Order is not loaded", Class.PERMANENT, "the order is not accepted"),
    ("is missing", Class.PERMANENT, "a parameter is missing"),
)
"""What errorMsg means by a pattern found in it; it decides, not the status."""
GONE = Answer(
    Class.NOT_FOUND, "read", http_status=200, detail="RetailCRM has no such order any more."
)


def fits(key: str) -> bool:
    """Whether a number can stand in a path: a slash would end it, encoded or not."""
    return bool(key) and "/" not in key and "\\" not in key and key not in {".", ".."}


def content(write: Write) -> dict[str, object]:
    """The order of an edit; a name with dots leads into the tables of the order."""
    order: dict[str, object] = {}
    for name, value in write.fields.items():
        _put(order, name.split("."), value)
    return order if write.status is None else {**order, write.target.status_field: write.status}


def _put(order: dict[str, object], path: Sequence[str], value: Value) -> None:
    below = order
    for key in path[:-1]:
        found = below.setdefault(key, {})
        below = found if isinstance(found, dict) else {}
    below[path[-1]] = value


def written(write: Write, found: Mapping[str, JsonValue], operation: str) -> Answer:
    """The answer to an edit; PERMANENT names a field that the returned order does not show."""
    order = reading.mapping(found.get("order"))
    remote_id = reading.text(found.get("id")) or reading.text(order.get("id"))
    if remote_id is None or write.remote_id not in {None, remote_id}:
        return unreadable(operation)
    answer = Answer(Class.OK, operation, http_status=200, remote_id=remote_id)
    if not order:
        return answer
    left = [
        name
        for name, value in write.fields.items()
        if value != "" and _value(order, name) is None and not _zero(value)
    ]
    status = write.target.status_field
    if write.status not in {None, reading.text(order.get(status))}:
        left.append(status)
    if not left:
        return answer
    names = ", ".join(sorted(left))
    sentence = (
        f"RetailCRM ignored {names}: there is no such field, or it cannot be written; mend "
        "statuses or attributes, reload, then redrive."
    )
    return replace(answer, kind=Class.PERMANENT, detail=sentence)


def _zero(value: Value) -> bool:
    return value is False or (isinstance(value, Decimal) and value == 0)


def record(order: Mapping[str, JsonValue], target: Target, fields: Sequence[str]) -> Record | None:
    remote_id = reading.text(order.get("id"))
    if remote_id is None:
        return None
    return Record(
        remote_id,
        reading.text(order.get(target.key_field)),
        reading.text(order.get(target.status_field)),
        {name: _value(order, name) for name in fields},
    )


def matching(
    orders: Sequence[Mapping[str, JsonValue]] | Answer, one: Wanted
) -> Sequence[Record] | Answer:
    if isinstance(orders, Answer):
        return orders
    records = [record(row, one.target, one.fields) for row in orders]
    return [each for each in records if each is not None and each.key == one.key]


def _value(order: Mapping[str, JsonValue], name: str) -> str | None:
    """A field by its path; an empty table comes as a list."""
    found: JsonValue = dict(order)
    for key in name.split("."):
        found = reading.mapping(found).get(key)
    return reading.text(found)


def offset(generated: JsonValue, *, now: datetime) -> timedelta | None:
    """How far the account's clock is from UTC: answers are stamped with its own time."""
    moment = reading.moment(generated)
    if moment is None:
        return None
    quarters = round((moment - now) / QUARTER)
    return quarters * QUARTER if abs(quarters * QUARTER) <= FARTHEST else None


def authors(changes: Sequence[Mapping[str, JsonValue]], *, since: str = "") -> Mapping[str, bool]:
    """Whose the last change of each order was: ours, if made with the key we use."""
    ours: dict[str, bool] = {}
    for change in changes:
        remote_id = reading.text(reading.mapping(change.get("order")).get("id"))
        late = (reading.text(change.get("createdAt")) or since) >= since
        if remote_id is not None and late and change.get("deleted") is not True:
            ours.pop(remote_id, None)
            ours[remote_id] = reading.mapping(change.get("apiKey")).get("current") is True
    return ours


def refused(reply: Reply, operation: str, *, safe: bool = False) -> Answer:
    """A reply that is no success, by its errorMsg."""
    call = Call("POST", "", operation, safe=safe)
    if reply.status in {429, 503}:
        answer = reading.refused(reply, call, "RetailCRM asks for fewer calls.", kind=Class.RATE)
        return replace(answer, after=reply.after or SECOND, scope="requests")
    body = reading.mapping(reply.json())
    said = reading.text(body.get("errorMsg")) or ""
    if 200 <= reply.status < 300 and body.get("success") is not False:
        return unreadable(operation, safe=safe)
    for pattern, kind, why in SAYS:
        if re.search(pattern, said, re.IGNORECASE):
            names = [word for name in reading.mapping(body.get("errors")) if (word := _word(name))]
            where = f" ({', '.join(names[:5])})" if names else ""
            sentence = f"RetailCRM refuses: {why}{where}."
            return reading.refused(reply, call, sentence, kind=kind)
    kinds = {404: Class.HUMAN, 403: Class.HUMAN, 400: Class.PERMANENT}
    return reading.answered("RetailCRM", reply, call, kind=kinds.get(reply.status))


def _word(name: str) -> str | None:
    """Errors are an object by field, or a list whose places say nothing."""
    return None if name.isdigit() else reading.word(name)


def unreadable(operation: str, *, safe: bool = False) -> Answer:
    kind = Class.TRANSIENT if safe else Class.UNKNOWN_OUTCOME
    detail = "The answer of RetailCRM does not say what became of it."
    return Answer(kind, operation, http_status=200, detail=detail)
