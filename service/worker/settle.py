"""Events at their subjects come in; the subjects' new states, names and debts are planned."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog

from service import telemetry
from service.domain import law, names, routing
from service.domain.events import Event, Outcome
from service.domain.law import Folded, State
from service.domain.names import Book, Claim, Conflict, Name
from service.store import folding
from service.store.folding import History
from service.store.pool import Connection
from service.store.subjects import Row
from service.store.writing import Contradiction, Wait
from service.worker import lives, refold, steps, waits
from service.worker.lives import Case, Life
from service.worker.plan import Plan
from service.worker.roads import End, Move
from service.worker.rules import Rules
from service.worker.seating import Seating
from service.worker.steps import Change

log = structlog.get_logger()

Holding = Mapping[str, timedelta | None]
"""Who can be owed, and for how long the lease on it runs."""

CONTESTED = "a name that brought events to it leads elsewhere, or nowhere"


async def settle(tx: Connection, plan: Plan, seating: Seating, rules: Rules) -> Book:
    """Move every subject, reading whole histories once where the law cannot go on from a state.

    What is claimed afterwards comes out.
    """
    rows, holding = seating.standing.rows, rules.holding()
    lost = _lost(seating)
    before = {each: steps.remembered(rows[each]) for each in {*seating.seats, *lost}}
    advanced = {
        each: _advance(rows[each], before[each], news, rules)
        for each, news in seating.seats.items()
    }
    stale = {each for each, folded in advanced.items() if folded is None} | lost.keys()
    telemetry.REFOLDS.inc(len(stale))
    including = [event.id for news in seating.seats.values() for event in news]
    found = await folding.histories(tx, stale, including=including)
    lived = lives.live_all(
        {
            each: Case(
                rules.lifecycles[rows[each].subject.lifecycle],
                history,
                news=seating.seats.get(each, ()),
                lost=lost.get(each, set()),
            )
            for each, history in sorted(found.items())
        },
        seating.after,
    )
    for each, folded in advanced.items():
        if folded is not None and each not in lived:
            made = steps.change(rules, rows[each], folded.state, before=before[each])
            _move(plan, made, folded, seating.seats[each], rules, holding)
    for each, life in lived.items():
        made = steps.change(rules, rows[each], life.folded.state, before=before[each])
        _live_on(plan, made, life, seating.seats.get(each, []), found[each], rules)
    return _name(plan, seating, lived)


def wait(plan: Plan, seating: Seating, *, after: Book, until: datetime) -> None:
    """Let events whose names lead nowhere yet wait for a link.

    While they were seated, claims still counted that this fold found revoked: events whose names
    lead to a subject without those come again at once.
    """
    for event, meant in seating.homeless.values():
        if isinstance(names.known_as(after, names.of(event.statement)), int):
            plan.writes.again.append(event.id)
            continue
        why = waits.reason(event, meant, standing=seating.standing, until=until)
        plan.writes.outcomes[event.id] = (Outcome.WAITING, why)
        plan.writes.waits[event.id] = Wait(names.of(event.statement), until)
        plan.ends.append(End(event, Outcome.WAITING))


def _lost(seating: Seating) -> dict[int, set[Name]]:
    """The names that this fold takes from subjects that other events may have found by them."""
    contested = names.contested(names.changed(seating.before, seating.after))
    return {each: gone for each, gone in contested.items() if _is_ours(seating, each)}


def _is_ours(seating: Seating, subject: int) -> bool:
    row = seating.standing.rows.get(subject)
    return row is not None and row.state is not None and row.law <= law.LAW


def _advance(row: Row, before: State | None, news: Sequence[Event], rules: Rules) -> Folded | None:
    """The incremental form, where it may be used: the same law, and nothing out of order.

    What is revoked may take claims with it, and an event that was rolled back elsewhere stays so;
    both only the whole history can tell.
    """
    if any(event.rolled_back for event in news):
        return None
    lifecycle = rules.lifecycles[row.subject.lifecycle]
    if before is None:
        folded = law.fold(lifecycle, news)
    elif _is_current(row, rules) and (gone_on := law.advance(lifecycle, before, news)):
        folded = gone_on
    else:
        return None
    revoked = any(said.outcome is Outcome.REVOKED for said in folded.outcomes.values())
    return None if revoked else folded


def _is_current(row: Row, rules: Rules) -> bool:
    """Whether it was folded by the present law and lifecycle, so that one may go on from there."""
    said = rules.fingerprint(row.subject.lifecycle)
    return row.law == law.LAW and row.lifecycle_hash == said


def _move(
    plan: Plan,
    made: Change,
    folded: Folded,
    news: Sequence[Event],
    rules: Rules,
    holding: Holding,
) -> None:
    """Take one subject to its new state, because of these events."""
    steps.write(plan.writes, made, folded, event_ids=[event.id for event in news])
    _owe(plan, made, news, _routed(made, news, rules), holding)


def _live_on(
    plan: Plan,
    made: Change,
    life: Life,
    news: Sequence[Event],
    history: History,
    rules: Rules,
) -> None:
    """The same from its whole history; events that left it are owed to the fold again."""
    put_off = {event.id for event in news} & life.left
    plan.writes.put_off += sorted(put_off)
    plan.writes.orphaned |= life.left - put_off
    plan.writes.unclaimed |= life.unclaimed.keys()
    stayed = [event for event in news if event.id not in put_off]
    cause = CONTESTED if life.left else ""
    steps.write(
        plan.writes, made, life.folded, event_ids=[event.id for event in stayed], cause=cause
    )
    owed_to = _routed(made, stayed, rules)
    holding: Holding = rules.holding()
    if life.left:
        owed_to = {**refold.known(rules, history, life, made), **owed_to}
        holding = {**dict.fromkeys(history.destinations), **holding}
    _owe(plan, made, stayed, owed_to, holding)


def _routed(made: Change, news: Sequence[Event], rules: Rules) -> dict[str, int]:
    return routing.destinations(rules.routes, news, made.view, before=made.before)


def _owe(
    plan: Plan,
    made: Change,
    news: Sequence[Event],
    owed_to: Mapping[str, int],
    holding: Holding,
) -> None:
    debts = steps.debts(made, owed_to, holding)
    plan.writes.debts += debts
    plan.writes.adopted |= {event.id: made.row.id for event in news if event.subject is None}
    told = [debt.destination for debt in debts]
    plan.moves.append(Move(made.row.subject, made.version, news, told))


def _name(plan: Plan, seating: Seating, lived: Mapping[int, Life]) -> Book:
    """Keep what is claimed after all, and see what follows for others."""
    gone = {claim for life in lived.values() for claim in life.unclaimed.values()}
    final: dict[Name, frozenset[Claim]] = {}
    for name, claims in seating.after.items():
        before = seating.before.get(name, frozenset())
        made = {claim for claim in claims - before if _stands(claim, lived)}
        plan.writes.claimed |= made
        final[name] = (before | made) - gone
    changes = names.changed(seating.before, final)
    plan.writes.released = names.released(changes)
    for name, (_, now) in changes.items():
        if isinstance(now, Conflict):
            plan.writes.contradictions += _contradictions(seating, name, now, plan.writes.claimed)
    return final


def _stands(claim: Claim, lived: Mapping[int, Life]) -> bool:
    """Whether an event that was not revoked makes the claim."""
    life = lived.get(claim.subject)
    return life is None or (claim.name, claim.claimant) in life.claimed


def _contradictions(
    seating: Seating, name: Name, found: Conflict, claimed: Iterable[Claim]
) -> list[Contradiction]:
    """One row for a name that leads to one more subject now."""
    claim = next((claim for claim in sorted(claimed) if claim.name == name), None)
    if claim is None:
        return []
    speaking = (
        event.id
        for event in seating.seats.get(claim.subject, ())
        if event.source == claim.claimant and name in names.of(event.statement)
    )
    detail = waits.contradiction(name, found, standing=seating.standing)
    telemetry.ALIAS_CONFLICTS.inc()
    log.warning("alias_conflict", name=str(name), source=claim.claimant)
    return [Contradiction(claim.claimant, next(speaking, None), claim.subject, detail)]
