"""How things stand at this moment: tables in, what the first page of the console shows out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from service.domain import budget, hour, remedies
from service.intake.refusals import UNKNOWN
from service.ops import spools as spooled
from service.ops.lookups import Body
from service.ops.sources import Configured
from service.ops.traffic import Traffic
from service.settings import Destination as Rule
from service.store import (
    budgets,
    dead_letters,
    destinations,
    gauges,
    now,
    refusals,
    rhythms,
    spools,
)
from service.store.now import CAP, Row
from service.store.pool import Connection, Pool, transaction

State = Literal["running", "paused", "failing"]


@dataclass(frozen=True, slots=True)
class Refused:
    cause: str
    requests: int
    last_at: datetime


@dataclass(frozen=True, slots=True)
class Source:
    name: str
    provider: str
    per_second: float
    hour: Sequence[int]
    """Accepted events in strides of `hour.STRIDE` seconds, the present one last."""
    heard_at: datetime | None
    silent_since: datetime | None
    refused: Sequence[Refused]
    conflicts: int
    """Keys that came again with another meaning, and names that contradict each other."""


@dataclass(frozen=True, slots=True)
class Budget:
    limit: str
    used: float
    ceiling: float
    stock: bool
    """Whether it is used up and filled again at once, and not spent evenly."""
    resets_at: datetime | None
    rests_until: datetime | None

    @property
    def share(self) -> float:
        return min(1.0, self.used / self.ceiling) if self.stock and self.ceiling > 0 else 0.0


@dataclass(frozen=True, slots=True)
class Destination:
    name: str
    crm: str | None
    state: State
    per_second: float
    hour: Sequence[int]
    """Writes that were taken, in strides."""
    failures: Sequence[int]
    reached_at: datetime | None
    owed: int
    """Syncs that wait for their turn, counted up to `CAP`."""
    no_record: int
    held: int
    dead: int
    oldest_owed_at: datetime | None
    pause: Mapping[str, str] | None
    state_since: datetime | None
    next_probe_at: datetime | None
    last_error: str | None
    budgets: Sequence[Budget]


@dataclass(frozen=True, slots=True)
class Dead:
    """Open dead letters of one queue with one cause."""

    kind: str
    destination: str | None
    reason: str
    letters: int
    first_at: datetime
    last_at: datetime
    summary: str


@dataclass(frozen=True, slots=True)
class Lag:
    waiting: int
    """Accepted events that are owed to the fold, counted up to `CAP` for each priority."""
    oldest_event_at: datetime | None
    oldest_sync_at: datetime | None
    median_seconds: float | None
    slow_seconds: float | None
    """From acceptance to destination, of the last writes: half took less, one in a hundred more."""
    writes: int
    lookups: int
    oldest_lookup_at: datetime | None


@dataclass(frozen=True, slots=True)
class Look:
    at: datetime
    came: Sequence[int]
    went: Sequence[int]
    failed: Sequence[int]
    came_per_second: float
    went_per_second: float
    lag: Lag
    sources: Sequence[Source]
    destinations: Sequence[Destination]
    dead: Sequence[Dead]
    spools: Sequence[Body]
    strangers: Sequence[Refused]
    """Refused lately, at addresses that no source has."""
    stride_seconds: int = hour.STRIDE
    cap: int = CAP


@dataclass(frozen=True, slots=True)
class _Found:
    """Rows of one moment."""

    at: float
    kept: Mapping[str, rhythms.Kept]
    refused: Sequence[Row]
    anomalies: Mapping[tuple[str, str], int]
    owed: Mapping[str, Row]
    held: Mapping[str, int]
    dead: Sequence[Row]
    waits: Sequence[float]
    backlog: Sequence[gauges.Backlog]
    lookups: Mapping[str, tuple[int, float]]
    spools: Sequence[Row]


async def read(pool: Pool, configured: Configured, traffic: Traffic | None = None) -> Look:
    """Look at everything once; with the same `traffic` again the next look costs less."""
    senders, rules = configured.senders(), configured.destinations()
    traffic = Traffic() if traffic is None else traffic
    sources, names = list(senders), list(rules)
    async with transaction(pool, readonly=True) as tx:
        at = await now.bound(tx)
        await traffic.count(tx, at)
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        found = await _found(tx, sources, names)
    standing, spent = await destinations.states(pool), await budgets.of(pool, names)
    end = hour.stride_of(at)
    into = at - end * hour.STRIDE
    came, went = traffic.came.row(end), traffic.went.row(end)
    places = _Places(traffic, end, into)
    dead = [_dead(row) for row in found.dead]
    told = [
        _destination(name, rules.get(name), found, places, standing.get(name, {}), spent)
        for name in dict.fromkeys([*names, *(letter.destination or "" for letter in dead)])
        if name
    ]
    return Look(
        at=_moment(at),
        came=came,
        went=went,
        failed=traffic.failed.row(end),
        came_per_second=hour.speed(came, into=into),
        went_per_second=hour.speed(went, into=into),
        lag=_lag(found, told),
        sources=[
            _source(name, sender.source.provider, found, places) for name, sender in senders.items()
        ],
        destinations=told,
        dead=dead,
        spools=[spooled.shown(row) for row in found.spools],
        strangers=[] if UNKNOWN in senders else _refused(found, UNKNOWN),
    )


async def _found(tx: Connection, sources: list[str], names: list[str]) -> _Found:
    at = await now.bound(tx)
    return _Found(
        at=at,
        kept=await rhythms.read(tx, sources),
        refused=await now.refused(tx, [*sources, UNKNOWN], most=refusals.KEPT),
        anomalies=await gauges.anomalies(tx, sources),
        owed=await now.owed(tx, names),
        held=await now.held(tx, names),
        dead=await dead_letters.queues(tx),
        waits=await now.waits(tx, at - hour.STRIDES * hour.STRIDE),
        backlog=await gauges.outbox(tx),
        lookups=await gauges.lookups(tx, sources),
        spools=await spools.listed(tx),
    )


@dataclass(frozen=True, slots=True)
class _Places:
    """The hour as it is now."""

    traffic: Traffic
    end: int
    into: float


def _source(name: str, provider: str, found: _Found, places: _Places) -> Source:
    row = places.traffic.came.row(places.end, name)
    kept = found.kept.get(name)
    rhythm = kept.rhythm if kept else None
    heard = max(
        filter(None, (rhythm.heard if rhythm else None, places.traffic.heard.get(name))),
        default=None,
    )
    silent = rhythm is not None and kept is not None and kept.silent
    since = None
    if silent and rhythm is not None:
        since = _moment(rhythm.heard if rhythm.heard is not None else rhythm.known)
    conflicts = ("key_conflict", "alias_conflict")
    return Source(
        name=name,
        provider=provider,
        per_second=hour.speed(row, into=places.into),
        hour=row,
        heard_at=_moment(heard) if heard is not None else None,
        silent_since=since,
        refused=_refused(found, name),
        conflicts=sum(found.anomalies.get((kind, name), 0) for kind in conflicts),
    )


def _refused(found: _Found, name: str) -> list[Refused]:
    return [
        Refused(row["cause"], row["refused"], row["last_at"])
        for row in found.refused
        if row["source"] == name
    ]


def _destination(  # the tables one line is made of
    name: str,
    rule: Rule | None,
    found: _Found,
    places: _Places,
    standing: Row,
    spent: Sequence[Row],
) -> Destination:
    owed = found.owed.get(name, {})
    row = places.traffic.went.row(places.end, name)
    reached = places.traffic.reached.get(name)
    paused, failing = standing.get("paused_at"), standing.get("breaker", "closed") != "closed"
    return Destination(
        name=name,
        crm=rule.crm if rule else None,
        state="paused" if paused else "failing" if failing else "running",
        per_second=hour.speed(row, into=places.into),
        hour=row,
        failures=places.traffic.failed.row(places.end, name),
        reached_at=_moment(reached) if reached is not None else None,
        owed=owed.get("owed", 0),
        no_record=owed.get("no_record", 0),
        held=found.held.get(name, 0),
        dead=sum(each["count"] for each in found.dead if each["destination"] == name),
        oldest_owed_at=owed.get("oldest_at"),
        pause=_pause(standing) if paused else None,
        state_since=paused or (standing.get("opened_at") if failing else None),
        next_probe_at=standing.get("next_probe_at") if failing else None,
        last_error=standing.get("last_error") if failing else None,
        budgets=[_budget(each) for each in spent if each["destination"] == name],
    )


def _pause(row: Row) -> Mapping[str, str]:
    return {
        "cause": row["pause_cause"],
        "by": row["paused_by"] or "",
        "reason": row["pause_reason"] or "",
    }


def _budget(row: Row) -> Budget:
    return Budget(
        limit=row["name"],
        used=row["used"],
        ceiling=row["ceiling"],
        stock=row["period"] >= budget.DAY,
        resets_at=row["resets_at"],
        rests_until=row["rests_until"],
    )


def _dead(row: Row) -> Dead:
    explained = remedies.explain(row["reason"])
    return Dead(
        kind=row["kind"],
        destination=row["destination"],
        reason=row["reason"],
        letters=row["count"],
        first_at=row["oldest"],
        last_at=row["newest"],
        summary=explained.summary,
    )


def _lag(found: _Found, told: Sequence[Destination]) -> Lag:
    waits = found.waits
    events = max((each.oldest_seconds for each in found.backlog), default=0.0)
    lookups = max((age for _, age in found.lookups.values()), default=0.0)
    return Lag(
        waiting=sum(each.entries for each in found.backlog),
        oldest_event_at=_moment(round(found.at - events, 3)) if events else None,
        oldest_sync_at=min(
            (one.oldest_owed_at for one in told if one.oldest_owed_at), default=None
        ),
        median_seconds=waits[(len(waits) - 1) // 2] if waits else None,
        slow_seconds=waits[-1 - len(waits) // 100] if waits else None,
        writes=len(waits),
        lookups=sum(count for count, _ in found.lookups.values()),
        oldest_lookup_at=_moment(round(found.at - lookups, 3)) if lookups else None,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
