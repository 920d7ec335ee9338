"""Refreshes gauges: a look at the tables for what is owed, at the tasks for their pulse."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from service import telemetry
from service.domain import budget
from service.settings import Settings
from service.store import budgets, destinations, gauges, partitions
from service.store.pool import Connection, Pool, transaction
from service.supervisor import Phase, Supervisor

PRIORITY_NAMES = {1: "high", 5: "live", 9: "backlog"}
OWED_STATES = ("pending", "no_record")


@dataclass(frozen=True, slots=True)
class Labels:
    """What the configuration names: a row that names something else makes no new series."""

    destinations: Sequence[str] = ()
    sources: Sequence[str] = ()
    flags: Sequence[str] = ()

    @classmethod
    def of(cls, settings: Settings) -> "Labels":
        alarms = {
            alarm.flag for lifecycle in settings.lifecycles.values() for alarm in lifecycle.alarms
        }
        return cls(list(settings.destinations), list(settings.sources), sorted(alarms))


async def look_at_tables(pool: Pool, labels: Labels) -> None:
    """Count what is owed, dead and odd; raises StoreUnavailable and changes nothing then."""
    names = labels.destinations
    async with transaction(pool, readonly=True) as tx:
        backlogs = await gauges.outbox(tx)
        owed = await gauges.syncs(tx, names)
        dead = await gauges.dead_letters(tx, names)
        days = await partitions.ahead(tx)
        oddities = await _oddities(tx, labels)
    standing = await destinations.states(pool)
    spent = await budgets.of(pool, names)
    _show(oddities, labels)
    _show_destinations(standing, spent, names)
    telemetry.PARTITION_DAYS.set(days)
    for backlog in backlogs:
        name = PRIORITY_NAMES[backlog.priority]
        telemetry.OUTBOX_ENTRIES.labels(name).set(backlog.entries)
        telemetry.OUTBOX_OLDEST.labels(name).set(backlog.oldest_seconds)
    # Cleared: a destination may be gone, and a count that is 0 has no row.
    telemetry.SYNCS_OWED.clear()
    for name in names:
        for state in OWED_STATES:
            telemetry.SYNCS_OWED.labels(name, state).set(0)
    for row in owed:
        telemetry.SYNCS_OWED.labels(row.destination, row.state).set(row.syncs)
    telemetry.DEAD_LETTERS.clear()
    for letters in dead:
        telemetry.DEAD_LETTERS.labels(letters.kind, letters.destination, letters.reason).set(
            letters.letters
        )
    telemetry.GAUGES_REFRESHED.set_to_current_time()


@dataclass(frozen=True, slots=True)
class _Oddities:
    """What looks wrong though nothing failed."""

    anomalies: Mapping[tuple[str, str], int]
    unmapped: Mapping[str, int]
    lookups: Mapping[str, tuple[int, float]]
    flagged: Mapping[str, int]


async def _oddities(tx: Connection, labels: Labels) -> _Oddities:
    return _Oddities(
        await gauges.anomalies(tx, labels.sources),
        await gauges.unmapped(tx, labels.sources),
        await gauges.lookups(tx, labels.sources),
        await gauges.flagged(tx, labels.flags),
    )


def _show(found: _Oddities, labels: Labels) -> None:
    for gauge in (
        telemetry.ANOMALIES,
        telemetry.UNMAPPED,
        telemetry.SUBJECTS_FLAGGED,
        telemetry.LOOKUPS_OWED,
        telemetry.LOOKUPS_OLDEST,
    ):
        gauge.clear()
    for source in labels.sources:
        for kind in gauges.ANOMALIES:
            telemetry.ANOMALIES.labels(kind, source).set(found.anomalies.get((kind, source), 0))
        telemetry.UNMAPPED.labels(source).set(found.unmapped.get(source, 0))
        owed, oldest = found.lookups.get(source, (0, 0.0))
        telemetry.LOOKUPS_OWED.labels(source).set(owed)
        telemetry.LOOKUPS_OLDEST.labels(source).set(oldest)
    for flag in labels.flags:
        telemetry.SUBJECTS_FLAGGED.labels(flag).set(found.flagged.get(flag, 0))


CAUSES = ("operator", "auth", "human")


def _show_destinations(
    standing: Mapping[str, destinations.Row], spent: Sequence[budgets.Row], names: Sequence[str]
) -> None:
    for gauge in (telemetry.DESTINATION_PAUSED, telemetry.BREAKER_OPEN, telemetry.BUDGET_LEFT):
        gauge.clear()
    for name in names:
        row = standing.get(name, {})
        telemetry.BREAKER_OPEN.labels(name).set(row.get("breaker", "closed") != "closed")
        for cause in CAUSES:
            telemetry.DESTINATION_PAUSED.labels(name, cause).set(row.get("pause_cause") == cause)
    for row in spent:
        if row["period"] >= budget.DAY:
            left = max(0.0, 1 - row["used"] / row["ceiling"])
            telemetry.BUDGET_LEFT.labels(row["destination"], row["name"]).set(left)


def look_at_tasks(supervisors: Iterable[Supervisor]) -> None:
    """Say of every supervised task whether it runs, and for how long it has not got on."""
    for group in supervisors:
        for name, state in group.states().items():
            telemetry.TASK_UP.labels(name).set(state.phase is Phase.RUNNING)
        for name, seconds in group.silences().items():
            telemetry.TASK_SILENCE.labels(name).set(seconds)
