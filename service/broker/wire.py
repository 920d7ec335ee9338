"""A work message: outbox ids and their publish time in, JSON bytes out, and back with suspicion."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from uuid import UUID

import orjson

from service import tracing
from service.domain.errors import OrderhookError

MAX_IDS = 100
MAX_BYTES = 16384
"""A full message is about 4 KB, or 11 KB with a trace for each id; more was not written by us."""
FIELDS = {"v", "published_at", "ids"}
TRACED = FIELDS | {"traces"}
VERSION = 1


class Malformed(OrderhookError):
    """The body is no work message; what it pointed to is still owed in the outbox."""


@dataclass(frozen=True, slots=True)
class Work:
    ids: tuple[UUID, ...]
    published_at: datetime
    """Database time, UTC."""
    traces: Mapping[UUID, tracing.Context] = field(default_factory=dict)
    """The contexts of ids that came with a sampled request; they decide nothing."""


def encode(
    ids: Sequence[UUID],
    published_at: datetime,
    traces: Mapping[UUID, tracing.Context] = tracing.NOTHING,
) -> bytes:
    """Raise ValueError on anything `decode` would not give back unchanged."""
    if not 1 <= len(ids) <= MAX_IDS or len(set(ids)) != len(ids):
        raise ValueError(f"a work message carries 1 to {MAX_IDS} different ids, not {len(ids)}")
    if published_at.tzinfo is None:
        raise ValueError("the publish time needs a time zone")
    moment = published_at.astimezone(UTC).isoformat(timespec="microseconds")
    said: dict[str, object] = {
        "v": VERSION,
        "published_at": moment,
        "ids": [str(id_) for id_ in ids],
    }
    if traces:
        said["traces"] = _placed(ids, traces)
    return orjson.dumps(said)


def decode(body: bytes) -> Work:
    fields = _fields(body)
    if fields["v"] != VERSION:
        raise Malformed("The work message has a version this release does not know.")
    ids = _ids(fields["ids"])
    return Work(ids, _moment(fields["published_at"]), _traces(fields.get("traces", {}), ids))


def _placed(
    ids: Sequence[UUID], traces: Mapping[UUID, tracing.Context]
) -> dict[tracing.Context, list[int]]:
    """Each context once, with the places of its ids: a request may have carried them all."""
    places: dict[tracing.Context, list[int]] = {}
    for place, each in enumerate(ids):
        if each in traces:
            places.setdefault(traces[each], []).append(place)
    return places


def _traces(value: object, ids: Sequence[UUID]) -> dict[UUID, tracing.Context]:
    """The id of each place; a place nobody has or that two contexts claim was not written by us."""
    if not isinstance(value, dict):
        raise Malformed("The traces of the work message are no object.")
    found: dict[UUID, tracing.Context] = {}
    for context, places in value.items():
        if not tracing.SAMPLED.fullmatch(context) or not isinstance(places, list):
            raise Malformed("The work message carries a trace that cannot be read.")
        for place in places:
            if type(place) is not int or not 0 <= place < len(ids) or ids[place] in found:
                raise Malformed("The work message carries a trace of no id.")
            found[ids[place]] = context
    return found


def _fields(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BYTES:
        raise Malformed(f"The work message is {len(body)} bytes long; {MAX_BYTES} are allowed.")
    try:
        found: object = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise Malformed("The work message is not JSON.") from None
    if not isinstance(found, dict) or set(found) not in (FIELDS, TRACED):
        raise Malformed("The work message does not have the fields v, published_at and ids.")
    return found


def _ids(value: object) -> tuple[UUID, ...]:
    if not isinstance(value, list) or not 1 <= len(value) <= MAX_IDS:
        raise Malformed(f"The work message does not carry 1 to {MAX_IDS} ids.")
    ids = tuple(_id(item) for item in value)
    if len(set(ids)) != len(ids):
        raise Malformed("The work message carries an id twice.")
    return ids


def _id(value: object) -> UUID:
    try:
        found = UUID(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or str(found) != value:
        raise Malformed("The work message carries something that is not an id.")
    return found


def _moment(value: object) -> datetime:
    try:
        found = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        found = None
    if found is None or found.utcoffset() is None:
        raise Malformed("The publish time of the work message cannot be read.")
    try:
        return found.astimezone(UTC)
    except OverflowError:
        raise Malformed("The publish time of the work message cannot be read.") from None
