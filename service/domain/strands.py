"""One status said comes in; the strands of its lane step on it or not, and the lane shows a sum.

A lane has a strand for the subject as a whole and one for each parcel that was named in it.
"""

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from service.domain.events import Outcome, Statement
from service.domain.lifecycle import Lane, Status
from service.domain.state import Strands


class Ruling(NamedTuple):
    """What became of an event, and why, as a sentence."""

    outcome: Outcome
    reason: str


def step(
    lane: Lane, strands: Strands, said: Statement, *, wanted: Status, returns: Collection[str]
) -> tuple[Strands, Ruling]:
    """Step on the strands that the statement speaks to; it is applied if one of them moved."""
    if said.parcel is not None:
        return _step_parcel(lane, strands, said, wanted=wanted, returns=returns)
    timed = said.occurred_at is not None
    ruling = _judge(lane, strands.whole, wanted, timed=timed, of="")
    whole = wanted.name if ruling.outcome is Outcome.APPLIED else strands.whole
    parcels = dict(strands.parcels)
    for parcel, now in sorted(strands.parcels.items()):
        # What is said of the whole is not said of goods on their way back.
        if parcel in returns:
            continue
        mine = _judge(lane, now, wanted, timed=timed, of=f" for parcel {parcel}")
        if mine.outcome is Outcome.APPLIED:
            parcels[parcel] = wanted.name
            ruling = mine if ruling.outcome is not Outcome.APPLIED else ruling
    return Strands(whole, parcels), ruling


def _step_parcel(
    lane: Lane, strands: Strands, said: Statement, *, wanted: Status, returns: Collection[str]
) -> tuple[Strands, Ruling]:
    """Step on one parcel; a new one has come as far as the whole, unless it goes back."""
    parcel = said.parcel or ""
    now = strands.parcels.get(parcel, None if parcel in returns else strands.whole)
    timed = said.occurred_at is not None
    ruling = _judge(lane, now, wanted, timed=timed, of=f" for parcel {parcel}")
    after = wanted.name if now is None or ruling.outcome is Outcome.APPLIED else now
    return Strands(strands.whole, {**strands.parcels, parcel: after}), ruling


def _judge(lane: Lane, now: str | None, wanted: Status, *, timed: bool, of: str) -> Ruling:
    where = f"in the {lane.name} lane{of}"
    if now is None:
        return Ruling(Outcome.APPLIED, f"{wanted.name} is the first {where}")
    current = lane.statuses[now]
    if not timed and wanted.rank <= current.rank:
        late = f"{wanted.name} came without a time and does not rank above {now} {where}"
        return Ruling(Outcome.SUPERSEDED, late)
    if wanted.name == now:
        return Ruling(Outcome.APPLIED, f"{now} repeats the status of the {lane.name} lane{of}")
    if wanted.name in current.exits:
        return Ruling(Outcome.APPLIED, f"{wanted.name} follows {now} {where}")
    return Ruling(Outcome.SUPERSEDED, f"{wanted.name} cannot follow {now} {where}")


def shown(lane: Lane, strands: Strands, *, returns: Collection[str]) -> str | None:
    """The one status of a lane; None while nothing was said that counts for it."""
    statuses = lane.statuses
    outbound = [statuses[now] for name, now in strands.parcels.items() if name not in returns]
    back = {
        lane.backward[now]
        for name, now in strands.parcels.items()
        if name in returns and now in lane.backward
    }
    status = _together(lane, outbound) if outbound else strands.whole
    if not back:
        return status
    # Of several parcels on their way back the last one tells how far the return has come.
    wanted = min((statuses[name] for name in back), key=_rank).name
    may = status is None or wanted in statuses[status].exits
    return wanted if may else status


def _together(lane: Lane, parcels: Sequence[Status]) -> str:
    """All at one status show it; some ahead show the lane's word for that; else the least."""
    least = min(parcels, key=_rank)
    if all(each.name == least.name for each in parcels):
        return least.name
    marks = list(_passed_by_some(lane, parcels))
    return lane.partly[max(marks, key=_rank).name] if marks else least.name


def _passed_by_some(lane: Lane, parcels: Sequence[Status]) -> Iterator[Status]:
    for name in lane.partly:
        mark = lane.statuses[name]
        reached = [_has_reached(each, mark) for each in parcels]
        if any(reached) and not all(reached):
            yield mark


def _has_reached(status: Status, mark: Status) -> bool:
    """Whether a parcel has come as far; one that may yet come there has not, whatever its rank."""
    return status.name == mark.name or (status.rank > mark.rank and mark.name not in status.exits)


def _rank(status: Status) -> int:
    return status.rank


def known(lane: Lane, strands: Strands) -> bool:
    """Whether the lane still has every status that the strands stand on."""
    return (strands.whole is None or strands.whole in lane.statuses) and all(
        now in lane.statuses for now in strands.parcels.values()
    )
