"""HubSpot's answers come in, what became of each row, records and limits go out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from pydantic import JsonValue

from service.domain.budget import Hint
from service.worker.crms import reading
from service.worker.crms.base import Answer, Class, Record, Target, Value
from service.worker.crms.client import Call, Reply
from service.worker.crms.halving import Row

CHANGED = "hs_lastmodifieddate"
DAILY = timedelta(hours=1)
"""A spent day ends at midnight where the account is, which no answer tells: look every hour."""
CATEGORIES = {
    "OBJECT_NOT_FOUND": Class.NOT_FOUND,
    "RATE_LIMITS": Class.RATE,
    "MISSING_SCOPES": Class.HUMAN,
    "INTERNAL_ERROR": Class.TRANSIENT,
}
Filter = Mapping[str, str | Sequence[str]]


def refused(reply: Reply, call: Call) -> Answer:
    said = reading.mapping(reply.json())
    category = reading.word(said.get("category"))
    if reply.status == 429:
        return _too_fast(reply, call, said)
    kind = None
    if reply.status in {423, 477}:
        # Locked by a large job; or the account moves to another data centre.
        kind = Class.TRANSIENT
    if reply.status in {400, 404}:
        # A 404 of another category is about the path, so no record is missing.
        kind = Class.NOT_FOUND if category == "OBJECT_NOT_FOUND" else Class.PERMANENT
    return reading.answered("HubSpot", reply, call, code=category, kind=kind)


def told(reply: Reply, call: Call, rows: Sequence[Row]) -> dict[int, Answer]:
    """What a batch says about each of its rows, by their places."""
    said = reading.mapping(reply.json())
    answers: dict[int, Answer] = {}
    for result in reading.rows(said.get("results")):
        remote_id = reading.text(result.get("id"))
        row = _of(result, rows, by=remote_id)
        if row is not None and remote_id:
            answers[row.place] = Answer(
                Class.OK, call.operation, http_status=reply.status, remote_id=remote_id
            )
    for error in reading.rows(said.get("errors")):
        for row in _blamed(error, rows):
            answers[row.place] = _failed(error, reply, call)
    if len(rows) == 1 and not answers and reading.rows(said.get("errors")):
        answers[rows[0].place] = _failed(reading.rows(said["errors"])[0], reply, call)
    return answers


def _of(result: Mapping[str, JsonValue], rows: Sequence[Row], *, by: str | None) -> Row | None:
    trace = reading.text(result.get("objectWriteTraceId"))
    properties = reading.mapping(result.get("properties"))
    for row in rows:
        key = reading.text(properties.get(row.write.target.key_field))
        if trace == str(row.place) or (trace is None and row.name in {by, key}):
            return row
    return None


def _blamed(error: Mapping[str, JsonValue], rows: Sequence[Row]) -> Sequence[Row]:
    context = reading.mapping(error.get("context"))
    traces, ids = context.get("objectWriteTraceId"), context.get("ids")
    named = traces if isinstance(traces, list) else []
    missing = ids if isinstance(ids, list) else []
    return [row for row in rows if str(row.place) in named or row.name in missing]


def _failed(error: Mapping[str, JsonValue], reply: Reply, call: Call) -> Answer:
    category = reading.word(error.get("category")) or "no category"
    kind = CATEGORIES.get(category, Class.PERMANENT)
    return reading.answered("HubSpot", reply, call, code=category, kind=kind)


def unclear(reply: Reply, call: Call) -> Answer:
    kind = Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
    return reading.refused(reply, call, "HubSpot's answer was not understood.", kind=kind)


def _too_fast(reply: Reply, call: Call, said: Mapping[str, JsonValue]) -> Answer:
    policy = reading.word(said.get("policyName")) or ""
    answer = reading.refused(reply, call, "HubSpot asks for fewer calls.", kind=Class.RATE)
    if "DAILY" in policy:
        return replace(answer, scope="daily", after=reply.after or DAILY)
    if "search" in call.costs and "TEN_SECONDLY" not in policy:
        return replace(answer, scope="search", after=reply.after or timedelta(seconds=1))
    return replace(answer, scope="requests", after=reply.after or timedelta(seconds=10))


def missing(reply: Reply) -> bool:
    """Whether a 404 is about the record, and not about the path."""
    return reading.mapping(reply.json()).get("category") == "OBJECT_NOT_FOUND"


def records(
    reply: Reply, call: Call, target: Target, fields: Sequence[str]
) -> Sequence[Record] | Answer:
    """Every record of an answer that was understood from its first to its last row."""
    body = reading.mapping(reply.json())
    results, errors = body.get("results"), body.get("errors", [])
    rows = [row for row in reading.rows(results) if row.get("archived") is not True]
    found = [_record(row, target, fields) for row in rows]
    # An id that is not there is an error of the answer, all others are errors of the call.
    lacking = [row for row in reading.rows(errors) if row.get("category") == "OBJECT_NOT_FOUND"]
    if not isinstance(results, list) or len(reading.rows(results)) != len(results):
        return unclear(reply, call)
    if not isinstance(errors, list) or len(lacking) != len(errors) or None in found:
        return unclear(reply, call)
    return [one for one in found if one is not None]


def _record(row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]) -> Record | None:
    found, remote_id = row.get("properties"), reading.text(row.get("id"))
    if not isinstance(found, dict) or not remote_id:
        return None
    return Record(
        remote_id,
        reading.text(found.get(target.key_field)),
        reading.text(found.get(target.status_field)),
        {name: reading.text(found.get(name)) for name in fields},
        modified_at=reading.moment(found.get(CHANGED) or row.get("updatedAt")),
    )


def properties(target: Target, fields: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys([target.key_field, target.status_field, CHANGED, *fields]))


def compared(name: str, operator: str, value: str) -> Filter:
    return {"propertyName": name, "operator": operator, "value": value}


def shown(value: Value) -> str:
    """All properties are strings."""
    match value:
        case bool():
            return "true" if value else "false"
        case Decimal():
            return f"{value:f}"
        case str():
            return value


def html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def milliseconds(at: datetime) -> int:
    return (at - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)


def hints(reply: Reply) -> Sequence[Hint]:
    """Daily figures are sent to private apps only; -Max and -Remaining are of -Interval."""
    hints = []
    daily = _number(reply, "daily-remaining")
    if daily is not None:
        hints.append(Hint("daily", daily, _number(reply, "daily")))
    left = _number(reply, "remaining")
    if left is not None and _number(reply, "interval-milliseconds") == 10_000:
        hints.append(Hint("requests", left, _number(reply, "max")))
    return hints


def _number(reply: Reply, name: str) -> float | None:
    value = reply.headers.get(f"x-hubspot-ratelimit-{name}", "")
    return float(value) if value.isascii() and value.isdigit() and len(value) < 10 else None
