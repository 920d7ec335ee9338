"""A locked subject and its state come in; its new version and what is owed for it go out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from service.domain import law
from service.domain.law import Folded, State
from service.domain.routing import View
from service.store.subjects import Row, Saved, Step
from service.store.syncs import Debt
from service.store.writing import Writes
from service.worker.rules import Rules


@dataclass(frozen=True, slots=True)
class Change:
    """A subject before and after; a new version only if anything can be seen of it."""

    row: Row
    state: State
    view: View
    before: View | None
    version: int
    lifecycle_hash: str

    @property
    def seen(self) -> bool:
        return self.version != self.row.version


def remembered(row: Row) -> State | None:
    """What the subject was folded to; None before its first event."""
    return State.from_json(row.state) if row.state is not None else None


def change(
    rules: Rules, row: Row, state: State, *, before: State | None, above: int | None = None
) -> Change:
    """Compare with what was `before`; with `above` the version is greater than that in any case."""
    now = _view(rules, row, state)
    then = _view(rules, row, before, status=row.status) if before is not None else None
    version = row.version + (now != then)
    if above is not None:
        version = max(version, above + 1)
    return Change(row, state, now, then, version, rules.fingerprint(row.subject.lifecycle))


def write(
    writes: Writes, made: Change, folded: Folded, *, event_ids: Sequence[UUID], cause: str = ""
) -> None:
    """Save the subject, what became of its events, and the step if there is one."""
    writes.outcomes |= {key: (said.outcome, said.reason) for key, said in folded.outcomes.items()}
    view = made.view
    writes.saved.append(
        Saved(
            id=made.row.id,
            status=view["status"],
            version=made.version,
            law=law.LAW,
            state=made.state.to_json(),
            flags=view["flags"],
            lifecycle_hash=made.lifecycle_hash,
        )
    )
    if made.seen:
        writes.steps.append(
            Step(
                subject_id=made.row.id,
                version=made.version,
                previous=made.row.status,
                status=view["status"],
                lanes=view["lanes"],
                occurred_at=_moment(made.state),
                event_ids=event_ids,
                cause=cause,
            )
        )


def debts(
    made: Change, priorities: Mapping[str, int], leases: Mapping[str, timedelta | None]
) -> list[Debt]:
    """What is owed for a change that is seen: to destinations that are configured."""
    if not made.seen:
        return []
    return [
        Debt(made.row.id, name, made.version, leases[name], priority)
        for name, priority in priorities.items()
        if name in leases
    ]


def _moment(state: State) -> datetime | None:
    return state.last.occurred_at if state.last else None


def _view(rules: Rules, row: Row, state: State, *, status: str | None = None) -> View:
    lanes = state.lanes_view
    look = rules.look(row.subject.lifecycle, lanes)
    return View(
        lifecycle=row.subject.lifecycle,
        scope=row.subject.scope,
        ref=row.subject.ref,
        status=look.status if status is None else status,
        lanes=lanes,
        parcels=state.parcels_view,
        attributes=state.attributes_view,
        flags=look.flags,
    )
