"""The configured senders and destinations, with what came of their traffic, out for people."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta

from service.domain import refusals as causes
from service.domain.errors import NotFound
from service.intake.refusals import UNKNOWN
from service.ops.ledger import SYNC_BUCKETS
from service.ops.lookups import Body
from service.ops.rereading import Senders
from service.settings import Destination, Source
from service.store import attempts, refusals
from service.store.pool import Pool
from service.store.refusals import Row


@dataclass(frozen=True, slots=True)
class Configured:
    """What is configured at this moment: a reload changes what the calls tell."""

    senders: Callable[[], Senders] = dict
    destinations: Callable[[], Mapping[str, Destination]] = dict
    public_url: str | None = None


COUNTS = ("accepted", "duplicate", "refused", "unavailable")


async def sources(pool: Pool, configured: Mapping[str, Source], *, public_url: str | None) -> Body:
    """Answer what GET /sources answers; names that no source has are one item, `unknown`."""
    counts = await refusals.counts(pool)
    names = [*configured, *([UNKNOWN] if UNKNOWN in counts and UNKNOWN not in configured else [])]
    return {
        "items": [
            _source(name, configured.get(name), counts.get(name, {}), public_url) for name in names
        ],
        "next": None,
    }


async def refused(pool: Pool, configured: Iterable[str], name: str) -> Body:
    """Answer what GET /sources/{name}/refusals answers: the last 50, the newest first."""
    known = sorted(configured)
    if name not in known and name != UNKNOWN:
        raise NotFound(
            f"There is no source {name}; configured are: {', '.join(known) or 'none'}. What was "
            f"sent to other names is kept under {UNKNOWN}."
        )
    rows = await refusals.of_source(pool, name)
    return {"items": [_refusal(row, name) for row in rows], "next": None}


async def destinations(pool: Pool, configured: Mapping[str, Destination]) -> Body:
    """Answer what GET /destinations answers; one that is owed but configured no more is shown."""
    counts = await attempts.owed(pool)
    names = dict.fromkeys([*configured, *counts])
    return {
        "items": [_destination(name, configured.get(name), counts.get(name)) for name in names],
        "next": None,
    }


def _source(name: str, source: Source | None, row: Row, public_url: str | None) -> Body:
    path = f"/webhooks/{name}" if source else None
    if source is not None and source.url_token is not None:
        path = f"{path}/[token]"
    return {
        "name": name,
        "provider": source.provider if source else None,
        "path": path,
        "url": f"{public_url.rstrip('/')}{path}" if public_url and path else None,
        "accepted_at": row.get("last_at"),
        "refused_at": row.get("refused_at"),
        **{term: row.get(term, 0) for term in COUNTS},
    }


def _refusal(row: Row, source: str) -> Body:
    told = causes.explain(row["reason"], source=source)
    skew: timedelta | None = row["skew"]
    return {
        "id": str(row["id"]),
        "at": row["at"],
        "cause": told.cause.value,
        "reason": row["reason"],
        "remedy": told.remedy,
        "skew_seconds": round(skew.total_seconds(), 3) if skew is not None else None,
        "peer": row["peer"],
        "method": row["method"],
        "headers": list(row["header_names"]),
        "body_sha256": row["body_sha256"].hex(),
        "body_bytes": row["body_bytes"],
    }


def _destination(name: str, rule: Destination | None, counts: Row | None) -> Body:
    return {
        "name": name,
        "crm": rule.crm if rule else None,
        **{term: counts[term] if counts else 0 for term in ("owed", *SYNC_BUCKETS)},
    }
