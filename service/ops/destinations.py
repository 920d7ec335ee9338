"""The destinations with how they stand, out for people; a person's pause or resume in."""

from collections.abc import Iterable, Mapping

from service.domain import budget
from service.domain.errors import NotFound
from service.ops import in_force, ledger
from service.ops.ledger import SYNC_BUCKETS
from service.ops.lookups import Body
from service.settings import Destination
from service.store import actions, budgets, destinations
from service.store.destinations import Row
from service.store.pool import Pool, transaction
from service.worker.crms import registry as crms

REMEDIES = {
    "operator": "When it may be called again, `orderhook destinations resume {name} --reason …`.",
    "auth": (
        "Mend its credentials (token, or oauth) or the rights behind them, reload the workers, "
        "then `orderhook destinations resume {name} --reason …`."
    ),
    "human": (
        "Set the account there in order (a bill, a block, a missing right), then "
        "`orderhook destinations resume {name} --reason …`."
    ),
}
UNUSUAL = (
    "paused_at",
    "paused_by",
    "pause_cause",
    "pause_reason",
    "opened_at",
    "next_probe_at",
    "last_error",
)
USUAL: Row = {"breaker": "closed", **dict.fromkeys(UNUSUAL)}


async def listed(pool: Pool, configured: Mapping[str, Destination]) -> Body:
    """Answer what GET /destinations answers; one that is owed but configured no more is shown."""
    return await told(pool, configured, await ledger.owed(pool))


async def told(
    pool: Pool, configured: Mapping[str, Destination], counts: Mapping[str, Row]
) -> Body:
    """The same of what was counted before: counting takes its time, how they stand does not."""
    names = list(dict.fromkeys([*configured, *counts]))
    states = await destinations.states(pool)
    spent = await budgets.of(pool, names)
    return {
        "items": [
            {
                "name": name,
                "crm": configured[name].crm if name in configured else None,
                **_counts(counts.get(name)),
                **_standing(name, states.get(name, USUAL)),
                "budgets": [_budget(row) for row in spent if row["destination"] == name],
            }
            for name in names
        ],
        "next": None,
    }


async def destination(pool: Pool, configured: Mapping[str, Destination], name: str) -> Body:
    """Answer what GET /destinations/{name} answers: how it is set up, and how it stands."""
    _find(configured, name)
    found = configured[name]
    kind = crms.crms_by_name()[found.crm]
    states = await destinations.states(pool)
    return {
        "crm": found.crm,
        "title": kind.title,
        **_standing(name, states.get(name, USUAL)),
        "name": name,
        "budgets": [_budget(row) for row in await budgets.of(pool, [name])],
        "configuration": in_force.configuration(found),
        "given": in_force.given(found),
        "promise": kind.promise,
        "keeps_records": kind.targets is not None,
        "tells_changes": bool(kind.capabilities and kind.capabilities.feed),
    }


async def pause(
    pool: Pool, configured: Iterable[str], name: str, *, actor: str, reason: str
) -> Body:
    """Stop all calls; what is owed waits, however long, and that counts as no attempt."""
    _find(configured, name)
    async with transaction(pool) as tx:
        await destinations.pause(tx, name, by=actor, cause="operator", reason=reason)
        await actions.record(tx, actor, "destination.pause", target=name, detail={"reason": reason})
    return await _told(pool, name)


async def resume(
    pool: Pool, configured: Iterable[str], name: str, *, actor: str, reason: str
) -> Body:
    """Call it again, whatever stopped that; what is owed is due at once."""
    _find(configured, name)
    async with transaction(pool) as tx:
        await destinations.resume(tx, name)
        await actions.record(
            tx, actor, "destination.resume", target=name, detail={"reason": reason}
        )
    hastened = 0
    while some := await destinations.hasten(pool, name):
        hastened += some
    return {**await _told(pool, name), "hastened": hastened}


async def _told(pool: Pool, name: str) -> Body:
    states = await destinations.states(pool)
    return {"name": name, **_standing(name, states.get(name, USUAL))}


def _find(configured: Iterable[str], name: str) -> None:
    known = sorted(configured)
    if name not in known:
        raise NotFound(
            f"There is no destination {name}; configured are: {', '.join(known) or 'none'}."
        )


def _counts(row: Row | None) -> Body:
    counts = {term: row[term] if row else 0 for term in ("owed", *SYNC_BUCKETS)}
    return {**counts, "oldest_owed_at": row["oldest_at"] if row else None}


def _standing(name: str, row: Row) -> Body:
    failing = row["breaker"] != "closed"
    return {
        "state": "paused" if row["paused_at"] else "failing" if failing else "running",
        "paused": _pause(name, row) if row["paused_at"] else None,
        "breaker": {
            "position": row["breaker"],
            "opened_at": row["opened_at"],
            "next_probe_at": row["next_probe_at"],
            "last_error": row["last_error"],
        },
    }


def _pause(name: str, row: Row) -> Body:
    cause = row["pause_cause"]
    return {
        "at": row["paused_at"],
        "by": row["paused_by"],
        "cause": cause,
        "reason": row["pause_reason"],
        "remedy": REMEDIES[cause].format(name=name),
    }


def _budget(row: Row) -> Body:
    """A stock tells what is gone of it; what is spaced evenly has nothing to tell but its speed."""
    stock = row["period"] >= budget.DAY
    return {
        "limit": row["name"],
        "count": row["ceiling"],
        "period_seconds": row["period"].total_seconds(),
        "used": row["used"] if stock else None,
        "resets_at": row["resets_at"] if stock else None,
        "rests_until": row["rests_until"],
    }
