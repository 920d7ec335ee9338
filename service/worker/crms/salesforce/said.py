"""Salesforce's answers come in, what became of each row, records and limits go out; and SOQL."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from pydantic import JsonValue

from service.domain.budget import Hint
from service.worker.crms import reading
from service.worker.crms.base import Answer, Class, Page, Record, Target
from service.worker.crms.client import Call, Reply

CHANGED = "SystemModstamp"
IDENTIFIER = re.compile(r"[A-Za-z][A-Za-z0-9_]{0,79}")
INSIDE = re.compile(r"/services/data/[A-Za-z0-9_./-]+")
BUSY = timedelta(seconds=5)
SPENT = timedelta(hours=1)
"""The day is the last 24 hours: look every hour whether enough of it has passed."""
ROWS = {
    "UNABLE_TO_LOCK_ROW": Class.TRANSIENT,
    "SERVER_UNAVAILABLE": Class.TRANSIENT,
    "REQUEST_LIMIT_EXCEEDED": Class.RATE,
    "ENTITY_IS_DELETED": Class.NOT_FOUND,
    "NOT_FOUND": Class.NOT_FOUND,
    "API_DISABLED_FOR_ORG": Class.HUMAN,
    "INVALID_SESSION_ID": Class.AUTH,
}


def text(value: str) -> str:
    """A string of SOQL: the backslash and the quote would end it."""
    escaped = value.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + escaped.replace("\n", "\\n").replace("\r", "\\r") + "'"


def select(target: Target, fields: Sequence[str]) -> str:
    every = ",".join(["Id", *names(target, fields)])
    return f"SELECT {every} FROM {target.object}"  # noqa: S608  # each name is an IDENTIFIER


def names(target: Target, fields: Sequence[str]) -> Sequence[str]:
    return list(dict.fromkeys([target.key_field, target.status_field, CHANGED, *fields]))


def misnamed(target: Target, fields: Sequence[str] | Mapping[str, object]) -> Answer | None:
    """Whatever is no API name must not come into a query."""
    for name in (target.object, target.key_field, target.status_field, *fields):
        if not IDENTIFIER.fullmatch(name):
            return Answer(Class.PERMANENT, "write", detail=f"{name!r} is no API name of a field.")
    return None


def page(reply: Reply, call: Call, target: Target, fields: Sequence[str]) -> Page | Answer:
    """One page of a query; its cursor is the path of the next."""
    body = reading.mapping(reply.json())
    rows, done, following = body.get("records"), body.get("done"), body.get("nextRecordsUrl")
    found = [_record(row, target, fields) for row in reading.rows(rows)]
    records = [one for one in found if one is not None]
    if not isinstance(rows, list) or len(records) != len(rows) or not isinstance(done, bool):
        return unclear(reply, call)
    if not done and not _inside(following):
        return unclear(reply, call)
    return Page(records, None if done else str(following))


def _inside(path: JsonValue) -> bool:
    return isinstance(path, str) and INSIDE.fullmatch(path) is not None


def there(
    row: JsonValue, target: Target, fields: Sequence[str], reply: Reply, call: Call
) -> Record | Answer:
    if row is None:
        return Answer(Class.NOT_FOUND, "read", detail="Salesforce has no such record any more.")
    read = _record(reading.mapping(row), target, fields)
    return read or unclear(reply, call)


def _record(row: Mapping[str, JsonValue], target: Target, fields: Sequence[str]) -> Record | None:
    remote_id = reading.text(row.get("Id"))
    if not remote_id or not {target.key_field, target.status_field} <= row.keys():
        return None
    return Record(
        remote_id,
        reading.text(row.get(target.key_field)),
        reading.text(row.get(target.status_field)),
        {name: reading.text(row.get(name)) for name in fields},
        modified_at=reading.moment(row.get(CHANGED)),
    )


def saved(result: Mapping[str, JsonValue], reply: Reply, call: Call) -> Answer:
    """What became of one row."""
    remote_id, success = reading.text(result.get("id")), result.get("success")
    if success is True and remote_id:
        return Answer(Class.OK, call.operation, http_status=reply.status, remote_id=remote_id)
    errors = reading.rows(result.get("errors"))
    if success is not False or not errors:
        return unclear(reply, call)
    code = reading.word(errors[0].get("statusCode")) or ""
    return _judged(code, errors[0], reply, call)


def _judged(code: str, error: Mapping[str, JsonValue], reply: Reply, call: Call) -> Answer:
    kind = ROWS.get(code, Class.PERMANENT)
    # The same code also says that another record, named by a field, is not there.
    if code == "INVALID_CROSS_REFERENCE_KEY" and not error.get("fields"):
        kind = Class.NOT_FOUND
    answer = reading.answered("Salesforce", reply, call, code=code, kind=kind)
    if code == "ALL_OR_NONE_OPERATION_ROLLED_BACK":
        return replace(answer, kind=Class.TRANSIENT, tried=False)
    return _too_fast(answer, error) if kind is Class.RATE else answer


def refused(reply: Reply, call: Call) -> Answer:
    """A call that failed as a whole."""
    said = reply.json()
    errors = reading.rows(said)
    error: Mapping[str, JsonValue] = errors[0] if errors else {}
    code = reading.word(error.get("errorCode")) or ""
    if reply.status == 300:
        detail = "Two or more records carry this number there: merge them, then redrive."
        return reading.refused(reply, call, detail, kind=Class.PERMANENT)
    if reply.status >= 500 or code not in ROWS or code == "NOT_FOUND":
        # Without our own code a missing path says nothing about a record.
        wrong = reply.status == 404 and code != "NOT_FOUND"
        kind = Class.PERMANENT if wrong else None
        return reading.answered("Salesforce", reply, call, code=code, kind=kind)
    answer = reading.answered("Salesforce", reply, call, code=code, kind=ROWS[code])
    return _too_fast(answer, error) if answer.kind is Class.RATE else answer


def _too_fast(answer: Answer, error: Mapping[str, JsonValue]) -> Answer:
    """The day is spent; or too many long calls run at once, which passes in seconds."""
    if "oncurrent" in str(error.get("message")):
        return replace(answer, after=answer.after or BUSY)
    return replace(answer, scope="daily", after=answer.after or SPENT)


def unclear(reply: Reply, call: Call) -> Answer:
    kind = Class.TRANSIENT if call.safe else Class.UNKNOWN_OUTCOME
    return reading.refused(reply, call, "Salesforce's answer was not understood.", kind=kind)


def hints(reply: Reply) -> Sequence[Hint]:
    """`Sforce-Limit-Info: api-usage=25/5000; …` comes with every answer."""
    info = reply.headers.get("sforce-limit-info", "")
    usage = re.search(r"(?:^|[;,\s])api-usage=([0-9]{1,12})/([0-9]{1,12})", info)
    if usage is None:
        return ()
    used, most = (float(figure) for figure in usage.groups())
    return (Hint("daily", max(0.0, most - used), most),)


def iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
