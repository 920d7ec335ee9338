"""Every fault that can be injected, and those of the list that cannot, with the reason."""

from collections.abc import Mapping

from tests.torture.faults import (
    broker,
    crm,
    entries,
    network,
    points,
    postgres,
    power,
    resources,
    returns,
    roles,
)
from tests.torture.faults.base import Fault

FAULTS: tuple[type[Fault], ...] = (
    roles.GatewayKilled,
    roles.GatewayFrozen,
    roles.RelayKilled,
    roles.RelayFrozen,
    roles.WorkerKilled,
    roles.WorkerFrozen,
    roles.AllWorkersFrozen,
    roles.AllKilled,
    roles.SecondRelay,
    roles.RollingRestart,
    roles.MigrationUnderLoad,
    roles.ReadAgain,
    roles.BrokenConfiguration,
    postgres.Killed,
    postgres.Away,
    postgres.Frozen,
    postgres.BackendsTerminated,
    postgres.ImmediateRestarts,
    postgres.AnswerLost,
    postgres.SyncFails,
    postgres.SyncSlow,
    postgres.DiskFull,
    postgres.Exhausted,
    postgres.TableLocked,
    postgres.LongSnapshot,
    postgres.RowsCrossed,
    postgres.ReadOnly,
    broker.Killed,
    broker.Frozen,
    broker.MemoryAlarm,
    broker.DiskAlarm,
    broker.ConnectionsClosed,
    broker.QueuePurged,
    broker.QueueDeleted,
    broker.BindingRemoved,
    broker.Leaderless,
    broker.Wiped,
    broker.ConfirmsHeld,
    broker.ConsumerTimeout,
    broker.QueueFull,
    broker.Garbage,
    network.OneWay,
    network.Silent,
    network.Refused,
    network.Resets,
    network.Slow,
    network.Narrow,
    network.ResetsInAnAnswer,
    network.EndsInAnAnswer,
    network.HalfClosed,
    network.Loss,
    network.CrmLine,
    crm.Hangs,
    crm.HangsAfterEffect,
    crm.Drips,
    crm.Cuts,
    crm.LosesAnswers,
    crm.Storms,
    crm.StormsAfterEffect,
    crm.Limits,
    crm.Babbles,
    crm.SlowCrm,
    crm.PutsOff,
    crm.Killed,
    crm.Frozen,
    crm.NoName,
    crm.NoTls,
    points.GatewayAtPoint,
    points.RelayAtPoint,
    points.FoldAtPoint,
    points.SyncAtPoint,
    points.SpoolAtPoint,
    power.SpoolForgets,
    entries.TornTail,
    points.GatewayCancelled,
    points.RelayCancelled,
    points.RelayCancelledForGood,
    points.WorkerCancelled,
    returns.ComeBack,
    returns.ComeBackInVain,
    resources.ClockWrong,
    resources.WorkerAhead,
    resources.LittleProcessor,
    resources.LittleMemory,
    resources.FewFiles,
)

ABSENT: Mapping[str, str] = {
    "F31 thread pool full": "only the spool uses a thread, and it has one of its own",
    "F32 bit flip": "tests/unit/spool does it to the file itself",
    "F36 JWKS unavailable": "no source of this installation verifies by one",
}
"""Faults of the list that no injector here stands for."""


def chosen(words: str) -> tuple[type[Fault], ...]:
    """`all`, or codes, names, targets and parts of names, with commas; a leading minus leaves out.

    `F4,relay` are PostgreSQL's kills and all that is done to the relay; `-F30` is all but clocks.
    """
    parts = [part.strip().lower() for part in words.split(",") if part.strip()]
    without = [part[1:] for part in parts if part.startswith("-")]
    wanted = [part for part in parts if not part.startswith("-") and part != "all"]
    return tuple(
        each
        for each in FAULTS
        if (not wanted or any(_is(each, part) for part in wanted))
        and not any(_is(each, part) for part in without)
    )


def _is(fault: type[Fault], part: str) -> bool:
    exact = {fault.code.lower(), fault.target, fault.name.lower()}
    return part in exact or (len(part) > 3 and part in fault.name.lower())
