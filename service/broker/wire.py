"""A work message: outbox ids and their publish time in, JSON bytes out, and back with suspicion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from uuid import UUID

import orjson

from service.domain.errors import OrderhookError

MAX_IDS = 100
MAX_BYTES = 8192
"""A full message is about 4 KB; more was not written by us."""
FIELDS = {"v", "published_at", "ids"}
VERSION = 1


class Malformed(OrderhookError):
    """The body is no work message; what it pointed to is still owed in the outbox."""


@dataclass(frozen=True, slots=True)
class Work:
    ids: tuple[UUID, ...]
    published_at: datetime
    """Database time, UTC."""


def encode(ids: Sequence[UUID], published_at: datetime) -> bytes:
    """Raise ValueError on anything `decode` would not give back unchanged."""
    if not 1 <= len(ids) <= MAX_IDS or len(set(ids)) != len(ids):
        raise ValueError(f"a work message carries 1 to {MAX_IDS} different ids, not {len(ids)}")
    if published_at.tzinfo is None:
        raise ValueError("the publish time needs a time zone")
    moment = published_at.astimezone(UTC).isoformat(timespec="microseconds")
    return orjson.dumps({"v": VERSION, "published_at": moment, "ids": [str(id_) for id_ in ids]})


def decode(body: bytes) -> Work:
    fields = _fields(body)
    if fields["v"] != VERSION:
        raise Malformed("The work message has a version this release does not know.")
    return Work(ids=_ids(fields["ids"]), published_at=_moment(fields["published_at"]))


def _fields(body: bytes) -> dict[str, object]:
    if len(body) > MAX_BYTES:
        raise Malformed(f"The work message is {len(body)} bytes long; {MAX_BYTES} are allowed.")
    try:
        found: object = orjson.loads(body)
    except (orjson.JSONDecodeError, RecursionError):
        raise Malformed("The work message is not JSON.") from None
    if not isinstance(found, dict) or set(found) != FIELDS:
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
