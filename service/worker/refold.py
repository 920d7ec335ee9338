"""Subjects that lost an event come in; they move to the state of those that remain."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID

from service.domain import law
from service.domain.events import Event, Subject
from service.domain.law import State
from service.domain.lifecycle import overall
from service.domain.lifecycles import LIFECYCLES
from service.store import events, subjects, syncs
from service.store.pool import Connection
from service.store.subjects import Row, Saved, Step
from service.store.syncs import Debt


async def refold(tx: Connection, rows: Sequence[Row], *, because: Sequence[UUID]) -> None:
    """Apply the law to what is left of locked subjects; tell every destination that knows them.

    `because` names the events that were taken away. What becomes owed is due at once, for any
    worker.
    """
    remaining: dict[Subject, list[Event]] = {row.subject: [] for row in rows}
    for event in await events.of_subjects(tx, remaining, including=[]):
        assert event.subject is not None
        remaining[event.subject].append(event)
    moved: dict[int, int] = {}
    for row in rows:
        folded = law.fold(LIFECYCLES[row.subject.lifecycle], remaining[row.subject])
        step = _step(row, folded.state, because)
        version = step.version if step else row.version
        status = step.status if step else row.status
        saved = Saved(row.id, status, version, law.LAW, folded.state.to_json())
        await subjects.save(tx, [saved], steps=[step] if step else [])
        await events.decide(
            tx, {key: (said.outcome, said.reason) for key, said in folded.outcomes.items()}
        )
        if step:
            moved[row.id] = version
    await _owe(tx, moved)


def _step(row: Row, state: State, because: Sequence[UUID]) -> Step | None:
    """The new version, if anything can be seen of it."""
    before = State.from_json(row.state) if row.state is not None else State.empty()
    status = overall(LIFECYCLES[row.subject.lifecycle], state.lanes_view)
    if (row.status, before.lanes_view, before.attributes_view) == (
        status,
        state.lanes_view,
        state.attributes_view,
    ):
        return None
    return Step(
        subject_id=row.id,
        version=row.version + 1,
        previous=row.status,
        status=status,
        lanes=state.lanes_view,
        occurred_at=state.last.occurred_at if state.last else None,
        event_ids=because,
    )


async def _owe(tx: Connection, versions: dict[int, int]) -> None:
    known = await syncs.of_subjects(tx, list(versions))
    leases = await syncs.owe(
        tx, [Debt(each, name, versions[each], timedelta(0)) for each, name in known]
    )
    for name in sorted({lease.destination for lease in leases}):
        mine = [lease for lease in leases if lease.destination == name]
        await syncs.release(tx, mine, destination=name)
