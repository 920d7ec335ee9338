"""The shapes of API v4: a write comes in, a lead of a request goes out, and answers are judged."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from service.worker.crms import reading
from service.worker.crms.base import Answer, Class, Record, Value, Write
from service.worker.crms.brackets import Nested
from service.worker.crms.client import Call, Reply

SECOND = timedelta(seconds=1)

Lead = Mapping[str, JsonValue]


def beforehand(write: Write) -> Answer | None:
    """The answer to a write that needs no call, or must not become one."""
    if write.remote_id is None and not write.create:
        return Answer(Class.NOT_FOUND, "write", detail="The lead has not been found yet.")
    if write.status is not None and split(write.status) is None:
        sentence = (
            f"{write.status} is no stage of amoCRM: let statuses name PIPELINE/STATUS, as "
            "1300/142, reload, then redrive."
        )
        return Answer(Class.PERMANENT, "write", detail=sentence)
    if write.remote_id is not None and write.status is None and not write.fields:
        return Answer(Class.OK, "write", remote_id=write.remote_id)
    return None


def lead(write: Write, *, place: int) -> Mapping[str, object]:
    """One element of the body of a PATCH or POST."""
    body: dict[str, object] = {"request_id": str(place)}
    fields: dict[str, Value] = dict(write.fields)
    if write.remote_id is not None:
        body["id"] = number(write.remote_id)
    else:
        body["name"] = write.key
        fields[write.target.key_field] = write.key
    stage = write.status and split(write.status)
    if stage:
        body |= {"pipeline_id": int(stage[0]), "status_id": int(stage[1])}
    body |= {name: value for name, value in fields.items() if not custom(name)}
    own = [
        {"field_id": int(name), "values": None if value == "" else [{"value": value}]}
        for name, value in fields.items()
        if custom(name)
    ]
    return {**body, "custom_fields_values": own} if own else body


def checked(write: Write, read: Record | Answer) -> Answer:
    """The answer to a write, by what the lead shows after it."""
    remote_id = write.remote_id
    if isinstance(read, Answer):
        if read.kind is Class.NOT_FOUND:
            return replace(read, operation="write")
        detail = "amoCRM answered 200, but the leads could not be read back."
        return Answer(Class.UNKNOWN_OUTCOME, "write", http_status=200, detail=detail)
    left = [name for name, value in write.fields.items() if value != "" and not read.fields[name]]
    if write.status not in {None, read.status}:
        left.append("status_id")
    if not left:
        return Answer(Class.OK, "write", http_status=200, remote_id=remote_id)
    names = ", ".join(sorted(left))
    sentence = f"amoCRM answered 200 and left {names} as before: look at statuses and attributes."
    return Answer(Class.PERMANENT, "write", http_status=200, detail=sentence, remote_id=remote_id)


def made(reply: Reply, count: int) -> Sequence[Answer]:
    """The answers to leads that were made; each is known by its request_id."""
    ids = {reading.text(row.get("request_id")): row.get("id") for row in leads_of(reply) or []}
    return [
        Answer(Class.OK, "create", http_status=reply.status, remote_id=remote_id)
        if (remote_id := reading.text(ids.get(str(number))))
        else unreadable("create")
        for number in range(count)
    ]


def blame(body: JsonValue, count: int) -> Mapping[int, Answer]:
    """Who of a refused request is at fault, by request_id, and what for."""
    faults: dict[int, Answer] = {}
    for entry in reading.rows(reading.mapping(body).get("validation-errors")):
        number = reading.text(entry.get("request_id")) or ""
        first = next(iter(reading.rows(entry.get("errors"))), {})
        if number.isascii() and number.isdigit() and int(number[:9]) < count:
            where, code = reading.word(first.get("path")), reading.word(first.get("code"))
            faults[int(number[:9])] = fault(where or "", code or "")
    return faults


def fault(where: str, code: str) -> Answer:
    if "notfound" in code.lower():
        sentence = "amoCRM has no such lead any more."
        return Answer(Class.NOT_FOUND, "write", http_status=400, detail=sentence)
    what = f"{where or 'the lead'}{f' ({code})' if code else ''}"
    sentence = f"amoCRM refuses {what}: look at statuses and attributes, then redrive."
    return Answer(Class.PERMANENT, "write", http_status=400, detail=sentence)


def refused(reply: Reply, operation: str, *, safe: bool = False) -> Answer:
    call = Call("GET", "", operation, safe=safe)
    match reply.status:
        case 429:
            # Its body is not JSON, and it does not say how long.
            answer = reading.refused(reply, call, "amoCRM asks for fewer calls.")
            return replace(answer, after=reply.after or SECOND, scope="requests")
        case 402:
            return reading.refused(reply, call, "The amoCRM account is not paid: pay, then resume.")
        case 403:
            sentence = (
                "amoCRM forbids it: the user of the token has no right to leads, or the address "
                "of this server is blocked for calling too fast. Give the right or ask support, "
                "then resume the destination."
            )
            return reading.refused(reply, call, sentence)
        case 404:
            sentence = "There is no API v4 at url: write https://COMPANY.amocrm.ru, then resume."
            return reading.refused(reply, call, sentence, kind=Class.HUMAN)
        case status if 200 <= status < 300:
            return unreadable(operation, safe=safe)
        case _:
            return reading.answered("amoCRM", reply, call)


def unreadable(operation: str, *, safe: bool = False) -> Answer:
    kind = Class.TRANSIENT if safe else Class.UNKNOWN_OUTCOME
    detail = "The answer of amoCRM does not say what became of it."
    return Answer(kind, operation, http_status=200, detail=detail)


def embedded(reply: Reply) -> JsonValue:
    return reading.mapping(reply.json()).get("_embedded")


def leads_of(reply: Reply) -> Sequence[Lead] | None:
    found = reading.mapping(embedded(reply)).get("leads")
    if not isinstance(found, list):
        return None
    rows = reading.rows(found)
    whole = len(rows) == len(found) and all(reading.text(row.get("id")) for row in rows)
    return rows if whole else None


def keyed(name: str, keys: Sequence[str]) -> Mapping[str, Nested]:
    if name == "name":
        return {"filter": {"name": keys}}
    return {"filter": {"custom_fields_values": {name: keys}}}


def custom(name: str) -> bool:
    """A custom field is named by its id."""
    return name.isascii() and name.isdigit() and len(name) < 16


def split(stage: str) -> tuple[str, str] | None:
    pipeline, _, status = stage.partition("/")
    return (pipeline, status) if custom(pipeline) and custom(status) else None


def stage(row: Lead) -> str | None:
    pipeline, status = reading.text(row.get("pipeline_id")), reading.text(row.get("status_id"))
    return f"{pipeline}/{status}" if pipeline and status else None


def value(row: Lead, name: str) -> str | None:
    """A field as text; several values stand side by side."""
    if not custom(name):
        return reading.text(row.get(name))
    for own in reading.rows(row.get("custom_fields_values")):
        if reading.text(own.get("field_id")) == name:
            values = [reading.text(each.get("value")) for each in reading.rows(own.get("values"))]
            return ", ".join(value for value in values if value) or None
    return None


def moment(value: JsonValue) -> datetime | None:
    if isinstance(value, int) and 0 < value < 100_000_000_000:
        return datetime.fromtimestamp(value, UTC)
    return None


def number(text: str) -> int | str:
    return int(text) if custom(text) else text
