"""Which stored requests to read again comes in; what that changes, or a job for it, goes out."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any
from uuid import UUID

from service.domain import replay
from service.domain.errors import NotFound, OrderhookError
from service.domain.events import Outcome, Statement, Subject
from service.domain.replay import Choice, Plan, Stand
from service.domain.verdict import Reason
from service.ops.approvals import FEW
from service.ops.jobs import Step, Stride
from service.ops.rereading import Senders, foresee, read_again
from service.store import actions, jobs, replays
from service.store.ids import new_id
from service.store.jobs import Job
from service.store.pool import Connection, Pool, transaction
from service.store.replays import NO_ID, Counted, Found, Wanted
from service.store.seals import PLAIN, Seals
from service.worker.rules import Rules

EXAMPLES = 50
READ_AT_MOST = 5000
"""Requests a dry run reads; what it did not reach is told."""
PAGE = 200
MOST_IDS = 1000
REPLAYED_REASONS = (
    Reason.UNREADABLE.value,
    Reason.UNMAPPED.value,
    Reason.UNRESOLVED_SUBJECT.value,
    Reason.POISON.value,
)
"""Why an event may be dead."""


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator asks for: a source's requests by time and outcome, or certain events."""

    source: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    outcomes: Sequence[str] = ()
    """Words of `replay.WORDS`; none means those that a mended mapping mends."""
    event_ids: Sequence[UUID] = ()

    def to_json(self) -> dict[str, Any]:
        said = {name: value for name, value in asdict(self).items() if value}
        return {name: _plain(value) for name, value in said.items()}

    @classmethod
    def from_json(cls, said: Mapping[str, Any]) -> "Order":
        return cls(
            source=said.get("source"),
            since=_moment(said.get("since")),
            until=_moment(said.get("until")),
            outcomes=tuple(said.get("outcomes", ())),
            event_ids=tuple(map(UUID, said.get("event_ids", ()))),
        )

    @property
    def bulk(self) -> bool:
        """Whether nobody can have looked at each of the events."""
        return not self.event_ids or len(self.event_ids) > FEW

    @property
    def choice(self) -> Choice:
        ids = frozenset(self.event_ids) if self.event_ids else None
        return Choice(frozenset(self.outcomes) or replay.USUAL, ids)

    def wanted(self, last: UUID) -> Wanted:
        """The rows to look at; the choice decides."""
        places = set(self.outcomes) or set(replay.USUAL)
        if self.event_ids:
            places = set(replay.WORDS)
        if replay.DEAD in places:
            places |= set(REPLAYED_REASONS)
        return Wanted(
            source=self.source,
            since=self.since,
            until=self.until,
            ids=list(self.event_ids) or None,
            reasons=[reason for reason in REPLAYED_REASONS if reason in places],
            outcomes=[each.value for each in Outcome if each.value in places],
            empty=Outcome.IGNORED.value in places and not self.event_ids,
            last=last,
        )


class Stale(OrderhookError):
    """The configuration here is another one than where the replay was asked for."""


async def preview(
    pool: Pool, senders: Senders, order: Order, *, sealing: Seals = PLAIN
) -> dict[str, Any]:
    """Answer a dry run: what would change, counted, and examples; nothing is written."""
    check(senders, order)
    tally = _Tally()
    wanted = order.wanted(new_id())
    walk = _Walk(wanted)
    seen: set[UUID] = set()
    while not walk.over and tally.read < READ_AT_MOST:
        async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
            if not tally.read:
                tally.matched = await replays.count(tx, wanted)
            for request_id in await walk.page(tx, PAGE):
                if request_id not in seen:
                    seen.add(request_id)
                    plan = await foresee(
                        tx, senders, request_id, choice=order.choice, sealing=sealing
                    )
                    tally.note(request_id, plan)
    return {"job": None, "dry_run": True, **tally.body()}


async def start(  # noqa: PLR0913
    pool: Pool,
    senders: Senders,
    order: Order,
    *,
    actor: str,
    rate: int,
    mine: bool = False,
    two_people: bool = False,
) -> tuple[Job, dict[str, Any]]:
    """Put a replay in line and record who asked for it; with `mine` the caller carries it.

    With `two_people` bulk work waits until another person approves it.
    """
    check(senders, order)
    last = new_id()
    asked = {**order.to_json(), "last": str(last), "reading": fingerprint(senders, order)}
    async with transaction(pool) as tx:
        matched = await replays.count(tx, order.wanted(last))
        job = await jobs.add(
            tx,
            "replay",
            actor=actor,
            request=asked,
            rate=rate,
            matched=matched.requests,
            mine=mine,
            awaits=two_people and order.bulk,
        )
        await actions.record(
            tx,
            actor,
            "replay",
            target=f"source {order.source}" if order.source else "events",
            detail={"job": str(job.id), **order.to_json(), "matched": matched.requests},
        )
    body = {"job": str(job.id), "dry_run": False, **_Tally(matched=matched).body()}
    return job, body


def check(senders: Senders, order: Order) -> None:
    """Raise NotFound for a source that is not configured: nothing could read its requests."""
    if order.source is not None and order.source not in senders:
        known = ", ".join(sorted(senders)) or "none"
        raise NotFound(f"There is no source {order.source}; configured are: {known}.")


def fingerprint(senders: Senders, order: Order) -> str:
    """Name the configuration that an order would be read with; secrets do not count."""
    names = [order.source] if order.source else sorted(senders)
    said = [senders[name].source.model_dump_json(exclude=_NOT_READING) for name in names]
    return sha256("\n".join(said).encode()).hexdigest()[:16]


_NOT_READING = {"secrets", "url_token", "tolerance", "rate", "allow_from", "max_body"}


def step(
    senders: Callable[[], Senders], rules: Callable[[], Rules], *, sealing: Seals = PLAIN
) -> Step:
    """The strides of replay jobs; both arguments tell what is configured at this moment."""

    async def stride(tx: Connection, job: Job, _rows: int) -> Stride:
        order = Order.from_json(job.request)
        known = senders()
        check(known, order)
        if job.request.get("reading") != fingerprint(known, order):
            raise Stale(
                "This process reads the source by another configuration than the one that asked "
                "for the replay: reload every process (SIGHUP), then replay again."
            )
        walk = _Walk(order.wanted(UUID(job.request["last"])), cursor=job.cursor)
        # One request a stride: two replays and the fold take their locks in one order only then.
        found = await walk.page(tx, 1)
        if not found:
            return Stride(cursor=walk.cursor, done=0, over=walk.over)
        changed = await read_again(
            tx, known, found[0], choice=order.choice, rules=rules(), sealing=sealing
        )
        return Stride(cursor=walk.cursor, done=int(changed), skipped=int(not changed))

    return stride


class _Walk:
    """Goes over the wanted requests: first by their chosen events, then those without any."""

    def __init__(self, wanted: Wanted, *, cursor: str | None = None) -> None:
        self._wanted = wanted
        phase, at, last = (cursor or f"events {NO_ID} {NO_ID}").split(" ")
        self._phase, self._at, self._last = phase, UUID(at), UUID(last)

    @property
    def over(self) -> bool:
        return self._phase == "over"

    @property
    def cursor(self) -> str:
        return f"{self._phase} {self._at} {self._last}"

    async def page(self, tx: Connection, limit: int) -> list[UUID]:
        """The next requests, each once; none when a phase is over."""
        found = await self._find(tx, limit)
        if not found:
            begin_empty = self._phase == "events" and self._wanted.empty
            self._phase = "empty" if begin_empty else "over"
            self._at = self._last = NO_ID
            return []
        before, self._at, self._last = self._last, found[-1].id, found[-1].request_id
        return [each for each in dict.fromkeys(one.request_id for one in found) if each != before]

    async def _find(self, tx: Connection, limit: int) -> list[Found]:
        if self._phase == "events":
            return await replays.page(tx, self._wanted, after=self._at, limit=limit, but=self._last)
        return await replays.page_empty(tx, self._wanted, after=self._at, limit=limit)


@dataclass(slots=True)
class _Tally:
    """What a dry run found."""

    matched: Counted = field(default_factory=lambda: Counted(0, 0))
    read: int = 0
    left: int = 0
    changes: Counter[tuple[str | None, str]] = field(default_factory=Counter)
    examples: list[dict[str, Any]] = field(default_factory=list)

    def note(self, request_id: UUID, plan: Plan) -> None:
        self.read += 1
        self.left += bool(plan.left)
        for stand, said in plan.rewrites:
            self._add(request_id, stand, said, to=said.fate.value)
        for stand in plan.discards:
            self._add(request_id, stand, None, to=Outcome.DISCARDED.value)
        for said in plan.accepts:
            self._add(request_id, None, said, to=said.fate.value)

    def _add(
        self, request_id: UUID, stand: Stand | None, said: Statement | None, *, to: str
    ) -> None:
        place = stand.place if stand else None
        self.changes[place, to] += 1
        if len(self.examples) < EXAMPLES:
            self.examples.append(_example(request_id, stand, said, to=to))

    def body(self) -> dict[str, Any]:
        return {
            "matched": self.matched.requests,
            "events": self.matched.events,
            "read": self.read,
            "left": self.left,
            "changes": [
                {"from": place, "to": to, "events": count}
                for (place, to), count in sorted(
                    self.changes.items(), key=lambda item: (-item[1], str(item[0]))
                )
            ],
            "examples": self.examples,
        }


def _example(
    request_id: UUID, stand: Stand | None, said: Statement | None, *, to: str
) -> dict[str, Any]:
    named = said is not None and said.ref is not None
    return {
        "request_id": str(request_id),
        "event_id": str(stand.event.id) if stand else None,
        "from": stand.place if stand else None,
        "to": to,
        "subject": str(Subject(said.lifecycle, said.scope, str(said.ref)))
        if said and named
        else None,
        "lane": said.lane if said else None,
        "status": said.status if said else None,
        "note": said.note if said else "",
    }


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case list() | tuple():
            return [str(each) for each in value]
        case _:
            return value


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
