"""The spools of the gateways as they last told of them; a person forgets one that is gone."""

from uuid import UUID

from service.domain.errors import Declined, NotFound
from service.ops.lookups import Body
from service.store import actions, spools
from service.store.pool import Pool, session, transaction
from service.store.spools import GONE, Row

ALIVE = (
    "The gateway {gateway} told of this spool less than {minutes} minutes ago, so it is there: "
    "stop it for good first, or let it drain."
)


async def listed(pool: Pool) -> Body:
    """Answer what GET /spools answers."""
    async with session(pool) as connection:
        rows = await spools.listed(connection)
    return {"items": [shown(row) for row in rows], "next": None}


async def forget(pool: Pool, spool_id: UUID, *, actor: str, reason: str) -> Body:
    """Take the line of a spool that never comes back out of the ledger; what it held is recorded.

    Should its file be found after all, a gateway that opens it tells of it anew and drains it.
    """
    async with transaction(pool) as tx:
        row = await spools.locked(tx, spool_id)
        if row is None:
            raise NotFound(f"No gateway told of a spool {spool_id}; `orderhook spools list`.")
        if not row["gone"]:
            minutes = int(GONE.total_seconds() // 60)
            raise Declined(ALIVE.format(gateway=row["gateway"], minutes=minutes))
        told = shown(row)
        await spools.forget(tx, spool_id)
        detail = {
            "reason": reason,
            "gateway": row["gateway"],
            "requests": row["entries"],
            "bytes": row["bytes"],
            "oldest_at": _text(row["oldest_at"]),
            "reported_at": _text(row["reported_at"]),
        }
        await actions.record(tx, actor, "spool.forget", target=str(spool_id), detail=detail)
    return told


def shown(row: Row) -> Body:
    """A line of its own: what it holds is in no bucket until it is drained."""
    state = "silent" if row["silent"] else "draining" if row["entries"] else "empty"
    return {
        "id": str(row["id"]),
        "gateway": row["gateway"],
        "state": state,
        "requests": row["entries"],
        "bytes": row["bytes"],
        "damaged": row["damaged"],
        "oldest_at": row["oldest_at"],
        "reported_at": row["reported_at"],
    }


def _text(moment: object) -> str | None:
    return None if moment is None else str(moment)
