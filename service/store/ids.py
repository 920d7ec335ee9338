"""Time-ordered identifiers: tables are cut by day through the ids of their rows."""

from datetime import UTC, datetime
from uuid import UUID

from uuid_utils.compat import uuid7


def new_id() -> UUID:
    """A fresh id that sorts after the ids made before it on this machine (RFC 9562, version 7)."""
    return uuid7()


def first_id(moment: datetime) -> UUID:
    """The least id that can be made at or after `moment`: the bound of a partition."""
    return UUID(int=int(moment.astimezone(UTC).timestamp() * 1000) << 80)


def made_at(id_: UUID) -> float:
    """When an id was made, in seconds since the epoch by the clock of the machine that made it."""
    return (id_.int >> 80) / 1000
