"""One stored request in, read again; its events brought to what it says now, none doubled out.

One transaction, in which every event leaves one bucket of the ledger for another.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol
from urllib.parse import unquote
from uuid import UUID

import structlog

from service.domain import law, names, replay
from service.domain.errors import DataRejected
from service.domain.events import Event, Fate, Outcome, Statement, Subject
from service.domain.replay import Choice, Plan, Stand
from service.domain.verdict import Reason
from service.intake.provider import Provider, RawRequest
from service.settings import Source
from service.store import aliases, events, replays, subjects, writing
from service.store.ids import new_id
from service.store.pool import Connection
from service.store.replays import Stored
from service.store.seals import PLAIN, Seals
from service.store.subjects import Row
from service.store.writing import Writes
from service.worker.refold import refold
from service.worker.rules import Rules

log = structlog.get_logger()


class Sender(Protocol):
    """A configured source with the provider built for it."""

    @property
    def source(self) -> Source: ...

    @property
    def provider(self) -> Provider: ...


Senders = Mapping[str, Sender]


async def read_again(
    tx: Connection,
    senders: Senders,
    request_id: UUID,
    *,
    choice: Choice,
    rules: Rules,
    sealing: Seals = PLAIN,
) -> bool:
    """Bring the events of one request to what it says now; tells whether anything changed.

    A value that PostgreSQL refuses leaves the request as it was.
    """
    stored = await replays.request(tx, request_id, sealing=sealing)
    if stored is None or not _reads(senders, stored.source):
        return False
    said = _said(senders[stored.source], stored)
    try:
        async with replays.trying(tx):
            return await _mend(tx, stored, said, choice=choice, rules=rules)
    except DataRejected as error:
        log.warning("replay_refused", request_id=str(request_id), reason=str(error))
        return False


async def _mend(
    tx: Connection, stored: Stored, said: Sequence[Statement], *, choice: Choice, rules: Rules
) -> bool:
    await replays.lock_own(tx, stored.id)
    own = await replays.own(tx, stored.id)
    # Before any event's place is looked at: the fold decides places under these locks.
    await aliases.lock_names(tx, {name for one in _statements(own, said) for name in names.of(one)})
    homes = await _homes(tx, own, rules)
    rows = await subjects.lock_survivors(tx, homes.values())
    if any(_is_foreign(row, rules) for row in rows.values()):
        return False
    await replays.lock_letters(tx, [event.id for event in own])
    plan = await _plan(tx, stored, own=own, said=said, choice=choice)
    if plan.empty:
        return False
    landed = {rows[name].id for name in await _carry_out(tx, stored, plan, rules) if name in rows}
    by_id = {row.id: row for row in rows.values()}
    followed = await _let_follow(tx, stored, _removed(plan), sorted(by_id))
    gone = [homes.get(stand.event.id) for stand in _removed(plan) if not stand.dead]
    alive = {rows[name].id for name in gone if name is not None and name in rows}
    left = {each: by_id[each] for each in alive | followed}
    await replays.mark_stale(tx, sorted(left.keys() & landed))
    await refold(
        tx,
        [row for each, row in sorted(left.items()) if each not in landed],
        rules=rules,
        because=[stand.event.id for stand in _removed(plan)],
        cause="a request was read again",
    )
    return True


async def _let_follow(
    tx: Connection, stored: Stored, removed: Sequence[Stand], subject_ids: Sequence[int]
) -> set[int]:
    """Owe to the fold whoever is there for what was removed; tells where that was."""
    keys = [stand.key for stand in removed]
    found = await replays.followers(tx, subject_ids, source=stored.source, taken_back=keys)
    if found:
        await writing.write(tx, Writes(orphaned=set(found)))
    return set(found.values())


def _is_foreign(row: Row, rules: Rules) -> bool:
    """Whether this process cannot fold the subject: a newer release did, or nobody says how."""
    return row.law > law.LAW or row.subject.lifecycle not in rules.lifecycles


def _statements(own: Sequence[Event], said: Sequence[Statement]) -> list[Statement]:
    return [*(event.statement for event in own), *said]


async def _homes(tx: Connection, own: Sequence[Event], rules: Rules) -> dict[UUID, Subject]:
    """The subject each event is folded into, by its ref or because its names led there."""
    hosts = await replays.hosts(tx, [event.id for event in own])
    found = {event.id: lands(event, rules) or hosts.get(event.id) for event in own}
    return {each: name for each, name in found.items() if name is not None}


async def _carry_out(tx: Connection, stored: Stored, plan: Plan, rules: Rules) -> set[Subject]:
    """Write the plan; tells which subjects the fold will come to because of it."""
    await replays.take_out(tx, [stand.event.id for stand in _removed(plan)])
    rewritten = {stand.event.id: statement for stand, statement in plan.rewrites}
    suspects = [stand.event.id for stand, _ in plan.rewrites if stand.place == Reason.POISON]
    await replays.rewrite(tx, stored, rewritten, suspects=suspects)
    accepted = {new_id(): statement for statement in plan.accepts}
    fresh = await replays.accept(tx, stored, accepted)
    why = replay.farewell(plan)
    await events.decide(tx, {stand.event.id: (Outcome.DISCARDED, why) for stand in plan.discards})
    owed = [*rewritten.values(), *(accepted[each] for each in fresh)]
    made = (Event(stored.id, stored.source, one, stored.received_at) for one in owed)
    return {name for event in made if (name := lands(event, rules))}


def _removed(plan: Plan) -> list[Stand]:
    return [*(stand for stand, _ in plan.rewrites), *plan.discards]


async def _plan(
    tx: Connection,
    stored: Stored,
    *,
    own: Sequence[Event],
    said: Sequence[Statement],
    choice: Choice,
) -> Plan:
    return replay.decide(
        await replays.stands(tx, own),
        said,
        elsewhere=await replays.known(tx, stored.source, said),
        choice=choice,
    )


async def foresee(
    tx: Connection,
    senders: Senders,
    request_id: UUID,
    *,
    choice: Choice,
    sealing: Seals = PLAIN,
) -> Plan:
    """What `read_again` would do."""
    stored = await replays.request(tx, request_id, sealing=sealing)
    if stored is None or not _reads(senders, stored.source):
        return Plan()
    own = await replays.own(tx, request_id)
    said = _said(senders[stored.source], stored)
    return await _plan(tx, stored, own=own, said=said, choice=choice)


def _reads(senders: Senders, source: str) -> bool:
    """A source in capture mode reads nothing, which does not take back what it read before."""
    return source in senders and senders[source].source.mode == "live"


def lands(event: Event, rules: Rules) -> Subject | None:
    """The subject that the ref of an event names, if it is folded."""
    said = event.statement
    folded = said.fate is Fate.FOLD and said.lifecycle in rules.lifecycles
    return event.subject if folded else None


def _said(sender: Sender, stored: Stored) -> Sequence[Statement]:
    return sender.provider.parse(raw_request(stored))


def raw_request(stored: Stored) -> RawRequest:
    """The request as it was handed to the provider, but for what was not kept of it."""
    tail = stored.path.removeprefix("/webhooks/").partition("/")[2]
    return RawRequest(
        method=stored.method,
        path=stored.path,
        query=stored.query,
        headers=list(stored.headers.items()),
        body=stored.body,
        received_at=stored.received_at,
        peer=stored.peer,
        tail=unquote(tail),
        id=stored.id,
    )
