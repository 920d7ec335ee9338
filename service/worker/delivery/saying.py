"""An exchange that went well comes in; what the destination was told, or showed, goes out in words.

Of fields other than the stage only the names: values may be about people.
"""

from service.worker.crms.base import Answer, Class
from service.worker.delivery.errands import Errand

ASKING = frozenset({"find", "read"})
SILENT = frozenset({"note", "shadow", "wording"})
MOST_NAMES = 5


def words(errand: Errand, answer: Answer) -> str:
    """Nothing where the answer has words of its own, or went wrong."""
    if answer.detail or answer.kind is not Class.OK or answer.operation in SILENT:
        return answer.detail
    if answer.operation in ASKING:
        return _seen(errand)
    return _told(errand, answer)


def _seen(errand: Errand) -> str:
    if errand.record is None:
        return ""
    field, record = errand.write.target.status_field, errand.record
    return f"Record {record.remote_id} showed {field}: {record.status or 'empty'}."


def _told(errand: Errand, answer: Answer) -> str:
    if not errand.keeps:
        return f"Told the status {errand.owed.status}, version {errand.owed.version}."
    write = errand.write
    stage = [f"{write.target.status_field}: {write.status}"] if write.status is not None else []
    names = [name for name in write.fields if name != write.target.status_field]
    more = ["…"] if len(names) > MOST_NAMES else []
    said = ", ".join([*stage, *names[:MOST_NAMES], *more])
    where = answer.remote_id or write.remote_id
    return f"Wrote {said}{f' to record {where}' if where else ''}."
