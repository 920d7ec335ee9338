"""Time-ordered identifiers: tables are cut by day through the ids of their rows."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from asyncpg.pgproto import pgproto
from uuid_utils import uuid7

ALL = UUID(int=0), UUID(int=(1 << 128) - 1)
"""The least and the greatest that any id can be."""


def new_id() -> UUID:
    """A fresh id that sorts after the ids made before it on this machine (RFC 9562, version 7).

    Of the driver's own kind, as the ids that are read are: made, written and compared far faster.
    """
    return pgproto.UUID(uuid7().bytes)


def first_id(moment: datetime) -> UUID:
    """The least id that can be made at or after `moment`: the bound of a partition."""
    return UUID(int=int(moment.astimezone(UTC).timestamp() * 1000) << 80)


def around_now(span: timedelta) -> tuple[UUID, UUID]:
    """The bounds of ids that are made at most so long before or after now, by this machine."""
    now = datetime.fromtimestamp(made_at(new_id()), UTC)
    return first_id(now - span), first_id(now + span)


def made_at(id_: UUID) -> float:
    """When an id was made, in seconds since the epoch by the clock of the machine that made it."""
    return (id_.int >> 80) / 1000
