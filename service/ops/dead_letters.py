"""Dead letters for people: shown with reason and remedy, and driven again or discarded by jobs."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from service.domain import remedies
from service.domain.errors import NotFound
from service.domain.events import Alias, Subject
from service.domain.remedies import explain
from service.domain.verdict import Reason
from service.ops.approvals import FEW
from service.ops.jobs import USUAL_RATE, Step, Stride
from service.ops.lookups import BadCursor, Body, Page, decode_cursor, encode_cursor
from service.store import actions, dead_letters, jobs
from service.store.dead_letters import KINDS, Kind, Resolution, Row, Selection
from service.store.ids import new_id
from service.store.jobs import Job
from service.store.pool import Connection, Pool, transaction

MOST_IDS = 1000
"""Letters one request may name; a filter takes any number."""

Verb = Literal["redrive", "discard"]


@dataclass(frozen=True, slots=True)
class Order:
    """What an operator wants done with which letters."""

    verb: Verb
    selection: Selection
    actor: str
    rate: int = USUAL_RATE
    because: str | None = None
    """Why they are discarded, in the operator's words."""

    @property
    def bulk(self) -> bool:
        """Whether nobody can have looked at each of the letters."""
        return self.selection.ids is None or len(self.selection.ids) > FEW


@dataclass(frozen=True, slots=True)
class Placed:
    """An order as it was taken: its body for the API, and its job unless it was a dry run."""

    body: Body
    job: Job | None


async def queues(pool: Pool) -> Body:
    """Answer what GET /dead-letters/queues answers."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        rows = await dead_letters.queues(tx)
    by_queue: dict[tuple[str, str | None], list[Row]] = {}
    for row in rows:
        by_queue.setdefault((row["kind"], row["destination"]), []).append(row)
    return {"items": [_queue(*name, causes) for name, causes in by_queue.items()], "next": None}


async def letters(
    pool: Pool, wanted: Selection, page: Page, *, closed: Resolution | None = None
) -> Body:
    """Answer what GET /dead-letters answers."""
    before = _place(page.cursor) if page.cursor else None
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        rows = await dead_letters.letters(
            tx, wanted, before=before, limit=page.limit + 1, closed=closed
        )
        shown = rows[: page.limit]
        told = await _bodies(tx, shown)
    more = len(rows) > page.limit
    return {
        "items": told,
        "next": encode_cursor([str(shown[-1]["id"])]) if more else None,
    }


async def letter(pool: Pool, letter_id: UUID) -> Body:
    """One letter, open or closed."""
    async with transaction(pool, isolation="repeatable_read", readonly=True) as tx:
        row = await dead_letters.letter(tx, letter_id)
        if row is None:
            raise NotFound("No dead letter has this id; take it from a list.")
        [told] = await _bodies(tx, [row])
        return told


async def place(
    pool: Pool, order: Order, *, dry_run: bool, mine: bool = False, two_people: bool = False
) -> Placed:
    """Count what an order is about, and unless it is a dry run, make it a job.

    With `mine` the caller runs the job; else it waits for a process that runs jobs. With
    `two_people` bulk work waits until another person approves it.
    """
    awaits = two_people and order.bulk
    async with transaction(pool) as tx:
        await _expect_known(tx, order.selection.ids or ())
        matched, already_right = await dead_letters.count(tx, order.selection)
        job = None if dry_run else await _make(tx, order, matched=matched, mine=mine, awaits=awaits)
    body = {
        "job": str(job.id) if job else None,
        "matched": matched,
        "would_write": matched - already_right,
        "already_right": already_right,
    }
    return Placed(body, job)


async def fates(pool: Pool, *, since: datetime) -> tuple[int, int]:
    """Of what was redriven since then: how much is still owed, and how much is dead again."""
    async with transaction(pool, readonly=True) as tx:
        return await dead_letters.fates(tx, since=since)


async def redrive(tx: Connection, job: Job, limit: int) -> Stride:
    """One stride of a redrive."""

    async def act(ids: list[UUID], kind: Kind) -> int:
        return await dead_letters.redrive(tx, ids, kind=kind)

    return await _stride(tx, job, limit, act)


async def discard(tx: Connection, job: Job, limit: int) -> Stride:
    """One stride of a discard; each row keeps who wanted it and why."""
    why = f"{job.request['because']} ({job.actor})"

    async def act(ids: list[UUID], kind: Kind) -> int:
        return await dead_letters.discard(tx, ids, kind=kind, why=why)

    return await _stride(tx, job, limit, act)


STEPS: Mapping[str, Step] = {"redrive": redrive, "discard": discard}
"""What a runner of jobs needs to know of this module."""


async def _stride(
    tx: Connection,
    job: Job,
    limit: int,
    act: Callable[[list[UUID], Kind], Awaitable[int]],
) -> Stride:
    """Take some letters, the events' first, and act on them.

    Open letters are claimed by their state; the cursor only spares reading dead rows again. At its
    end the letters that others had locked are looked for from the start.
    """
    wanted, until = _selection(job.request), UUID(job.request["until"])
    began, after = _read_cursor(job.cursor)
    for kind in KINDS[KINDS.index(began) :]:
        ids = await dead_letters.take(tx, wanted, kind=kind, after=after, until=until, limit=limit)
        if ids:
            done = await act(ids, kind)
            return Stride(f"{kind}:{ids[-1]}", done=done, skipped=len(ids) - done)
        after = None
    left = await dead_letters.any_open(tx, wanted, until=until)
    return Stride(None, done=0, over=not left)


async def _make(tx: Connection, order: Order, *, matched: int, mine: bool, awaits: bool) -> Job:
    chosen = {name: value for name, value in asdict(order.selection).items() if value is not None}
    if order.selection.ids is not None:
        chosen["ids"] = [str(letter_id) for letter_id in order.selection.ids]
    request = {
        "selection": chosen,
        # What dies from now on, perhaps of this very job, is not a part of it.
        "until": str(new_id()),
        "because": order.because or "discarded without a word",
    }
    job = await jobs.add(
        tx,
        order.verb,
        actor=order.actor,
        request=request,
        rate=order.rate,
        matched=matched,
        mine=mine,
        awaits=awaits,
    )
    await actions.record(
        tx,
        order.actor,
        f"dead_letters.{order.verb}",
        target=f"job/{job.id}",
        detail={
            "selection": chosen,
            "matched": matched,
            "rate": order.rate,
            "because": order.because,
        },
    )
    return job


async def _expect_known(tx: Connection, ids: Iterable[UUID]) -> None:
    if missing := await dead_letters.unknown(tx, list(ids)):
        more = f", nor {len(missing) - 1} more of these ids" if len(missing) > 1 else ""
        raise NotFound(f"There is no dead letter {missing[0]}{more}; take the ids from a list.")


def _selection(request: Mapping[str, Any]) -> Selection:
    chosen = dict(request["selection"])
    ids = chosen.pop("ids", None)
    return Selection(**chosen, ids=tuple(map(UUID, ids)) if ids is not None else None)


def _read_cursor(cursor: str | None) -> tuple[Kind, UUID | None]:
    word, _, place = (cursor or "event:").partition(":")
    kind: Kind = "sync" if word == "sync" else "event"
    return kind, UUID(place) if place else None


def _place(cursor: str) -> UUID:
    match decode_cursor(cursor):
        case [str(text)]:
            try:
                return UUID(text)
            except ValueError:
                raise BadCursor from None
        case _:
            raise BadCursor


def _queue(kind: str, destination: str | None, causes: list[Row]) -> Body:
    return {
        "kind": kind,
        "destination": destination,
        "count": sum(row["count"] for row in causes),
        "causes": [_cause(row) for row in causes],
    }


def _cause(row: Row) -> Body:
    told = explain(row["reason"])
    return {
        "reason": row["reason"],
        "summary": told.summary,
        "remedy": told.remedy,
        "count": row["count"],
        "oldest": row["oldest"],
        "newest": row["newest"],
        "sample": {"id": str(row["sample_id"]), "summary": row["sample"]},
    }


async def _bodies(tx: Connection, rows: Sequence[Row]) -> list[Body]:
    ids = [row["id"] for row in rows]
    attempts, redriven = await dead_letters.attempts(tx, ids), await dead_letters.redriven(tx, ids)
    return [_letter(row, attempts[row["id"]], redriven=redriven.get(row["id"], 0)) for row in rows]


def _letter(row: Row, attempts: Iterable[Row], *, redriven: int) -> Body:
    named = row["ref"] is not None
    return {
        "id": str(row["id"]),
        "kind": row["kind"],
        "event_id": str(row["event_id"]) if row["event_id"] else None,
        "subject": str(Subject(row["lifecycle"], row["scope"], row["ref"])) if named else None,
        "lifecycle": row["lifecycle"],
        "scope": row["scope"],
        "ref": row["ref"],
        "destination": row["destination"],
        "reason": row["reason"],
        "summary": row["summary"],
        "remedy": _remedy(row),
        "first_at": row["first_at"],
        "last_at": row["last_at"],
        "redriven": redriven,
        "resolution": row["resolution"],
        "resolved_at": row["resolved_at"],
        "attempts": [_attempt(attempt) for attempt in attempts],
    }


def _remedy(row: Row) -> str:
    if row["reason"] == Reason.UNRESOLVED_SUBJECT and row["aliases"]:
        return remedies.link(row["of"], [str(Alias(**each)) for each in row["aliases"]])
    return explain(row["reason"]).remedy


def _attempt(row: Row) -> Body:
    names = ("at", "operation", "class", "http_status", "ms", "detail")
    return {name: row[name] for name in names}
