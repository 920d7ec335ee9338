"""Replay on a real PostgreSQL: a mended mapping mends what came before it, and doubles nothing."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest

from service.domain.errors import NotFound
from service.domain.routing import Route
from service.intake.group_commit import GroupCommit
from service.intake.provider import RawRequest
from service.intake.providers import registry
from service.intake.receive import Intake, Sender, Tallies
from service.ops import ledger, replay
from service.ops.jobs import Runner
from service.ops.replay import Order
from service.settings import BearerRule, Secret, Source, SubjectRule
from service.store import outbox, partitions, pool
from service.store.ids import new_id
from service.store.jobs import Job
from service.store.pool import Pool
from service.worker.fold import Fold
from service.worker.rules import Rules

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
BROKEN: dict[str, Any] = {
    "name": "shop",
    "provider": "generic",
    "secrets": (Secret.plain("open"),),
    "verify": BearerRule(),
    "items": "events",
    "key": "id",
    "subject": SubjectRule(ref="order"),
    "occurred_at": "at",
    "status": "status",
    "statuses": {"PAID": "payment.paid", "NOISE": "ignore"},
}


class Shut:
    """A fast path that is closed."""

    def reserve(self) -> bool:
        return False

    def send(self, event_ids: object, published_at: object) -> None: ...

    def release(self) -> None: ...


@dataclass
class Shop:
    """One source whose configuration can be mended, and everything behind it but the broker."""

    db: Pool
    senders: dict[str, Sender] = field(default_factory=dict)

    def configure(self, **said: Any) -> None:
        source = Source(**{**BROKEN, **said})
        sender = Sender(source, registry.preset("generic").build(source))
        self.senders = {source.name: sender}

    async def post(self, *events: Mapping[str, object], **body: object) -> None:
        stop = asyncio.Event()
        commits = GroupCommit(self.db, Shut(), process=new_id(), lease=outbox.LEASE)
        writer = asyncio.ensure_future(commits.run(stop))
        intake = Intake(self.senders, commits, clock=lambda: NOW, tallies=Tallies())
        raw = json.dumps(body or {"events": events}).encode()
        reply = await intake.receive(
            "shop",
            RawRequest(
                method="POST",
                path="/webhooks/shop",
                query="",
                headers=[("authorization", "Bearer open")],
                body=raw,
                received_at=NOW,
            ),
        )
        assert reply.status == 202
        stop.set()
        await writer

    async def fold(self) -> None:
        routes = [Route(["*"], ["order.*"], ["crm"])]
        rules = Rules(routes=routes, leases={"crm": timedelta(seconds=30)})
        fold = Fold(self.db, rules, hand_on=lambda _: None)
        await fold.fold([row[0] for row in await self.rows("SELECT event_id FROM outbox")])

    async def replay(self, **said: Any) -> Job:
        """Ask for a replay and carry it to its end, with the ledger balanced at every stride."""
        order = Order(**{"source": "shop", **said})
        job, _ = await replay.start(
            self.db, self.senders, order, actor="anna", rate=10_000, mine=True
        )
        runner = Runner(self.db, {"replay": replay.step(lambda: self.senders, Rules)})
        while job.state == "running":
            taken = await runner._stride(job)  # noqa: SLF001  # between strides the ledger is read
            assert taken is not None
            job = taken[0]
            await self.balanced()
        return job

    async def balanced(self) -> dict[str, int]:
        body = await ledger.read(self.db)
        assert body["balanced"], body["misplaced"]
        return {name: count for name, count in body["totals"].items() if count}

    async def subjects(self) -> dict[str, tuple[str, int]]:
        rows = await self.rows("SELECT ref, status, version FROM subjects ORDER BY ref")
        return {ref: (status, version) for ref, status, version in rows}

    async def rows(self, query: str, *values: object) -> Sequence[Any]:
        async with pool.session(self.db) as connection:
            return [tuple(row) for row in await connection.fetch(query, *values)]


@pytest.fixture
async def shop(database: str) -> AsyncIterator[Shop]:
    async with pool.opened(database, size=4) as opened:
        await partitions.ensure(opened)
        made = Shop(opened)
        made.configure()
        yield made


def event(number: int, status: str, **said: object) -> dict[str, object]:
    at = (NOW - timedelta(hours=1) + timedelta(minutes=number)).isoformat()
    return {"id": number, "order": "1001", "status": status, "at": at, **said}


async def test_an_unmapped_word_is_mended_and_only_once(shop: Shop) -> None:
    await shop.post(event(1, "PAID"), event(2, "PACKED"))
    await shop.post(event(3, "NOISE"))
    await shop.fold()
    assert {"accepted": 3, "applied": 1, "dead": 1, "ignored": 1} == await shop.balanced()
    shop.configure(statuses={**BROKEN["statuses"], "PACKED": "fulfillment.packed"})
    seen = await replay.preview(shop.db, shop.senders, Order(source="shop"))
    assert (2, 2, 2) == (seen["matched"], seen["events"], seen["read"])
    assert [{"from": "unmapped", "to": "fold", "events": 1}] == seen["changes"]
    assert {"accepted": 3, "applied": 1, "dead": 1, "ignored": 1} == await shop.balanced()

    job = await shop.replay()
    assert ("finished", 2, 1, 1) == (job.state, job.matched, job.done, job.skipped)
    assert {"accepted": 3, "applied": 1, "ignored": 1, "pending": 1} == await shop.balanced()
    await shop.fold()
    assert {"accepted": 3, "applied": 2, "ignored": 1} == await shop.balanced()
    assert {"1001": ("ready_to_ship", 2)} == await shop.subjects()
    assert [("replayed",)] == await shop.rows("SELECT resolution FROM dead_letters")
    (action,) = await shop.rows("SELECT actor, action, target FROM operator_actions")
    assert ("anna", "replay", "source shop") == action

    again = await shop.replay()
    assert ("finished", 0) == (again.state, again.done)
    assert {"1001": ("ready_to_ship", 2)} == await shop.subjects()


async def test_an_unreadable_request_becomes_its_events(shop: Shop) -> None:
    await shop.post(data=[event(1, "PAID"), event(2, "PAID", order="1002")])
    await shop.post(event(2, "PAID", order="1002"))
    await shop.fold()
    assert {"accepted": 2, "applied": 1, "dead": 1} == await shop.balanced()
    shop.configure(items="events || data")
    seen = await replay.preview(shop.db, shop.senders, Order(source="shop"))
    assert [
        {"from": "unreadable", "to": "discarded", "events": 1},
        {"from": None, "to": "fold", "events": 1},
    ] == sorted(seen["changes"], key=lambda change: str(change["to"]))
    await shop.replay()
    await shop.fold()
    assert {"accepted": 3, "applied": 2, "discarded": 1} == await shop.balanced()
    assert {"1001": ("paid", 1), "1002": ("paid", 1)} == await shop.subjects()
    assert [("replayed into 2 events, 1 of them known before",)] == await shop.rows(
        "SELECT reason FROM event_outcomes WHERE outcome = 'discarded'"
    )
    (first,) = await shop.rows(
        "SELECT count(DISTINCT request_id), min(received_at) FROM events WHERE dedupe_key <> '2'"
    )
    assert (1, NOW) == first
    await shop.replay(outcomes=["dead", "discarded", "ignored"])
    assert {"accepted": 3, "applied": 2, "discarded": 1} == await shop.balanced()


async def test_a_request_in_which_nothing_was_found_is_read_again(shop: Shop) -> None:
    shop.configure(items="events[?kind=='order']")
    await shop.post(event(1, "PAID", kind="orders"))
    await shop.fold()
    assert {} == await shop.balanced()
    shop.configure(items="events[?kind=='orders']")
    job = await shop.replay()
    assert (1, 1) == (job.matched, job.done)
    await shop.fold()
    assert {"accepted": 1, "applied": 1} == await shop.balanced()


async def test_an_applied_event_changes_its_meaning_only_when_chosen(shop: Shop) -> None:
    await shop.post(event(1, "PAID"), event(2, "PAID"))
    await shop.fold()
    shop.configure(statuses={"PAID": "payment.refunded"})
    assert 0 == (await shop.replay()).done
    assert 1 == (await shop.replay(outcomes=["applied"])).done
    await shop.fold()
    assert {"accepted": 2, "applied": 2} == await shop.balanced()
    assert {"1001": ("refunded", 2)} == await shop.subjects()
    assert 0 == (await shop.replay(outcomes=["applied"])).done


async def test_an_event_that_moves_leaves_its_old_subject_as_if_it_never_was_there(
    shop: Shop,
) -> None:
    await shop.post(event(1, "PAID"))
    await shop.post(event(2, "PACKED", order="#1001"), event(3, "NOISE"))
    shop.configure(statuses={**BROKEN["statuses"], "PACKED": "fulfillment.packed"})
    await shop.post(event(4, "PACKED", order="#1001"))
    await shop.post(event(5, "PAID", order="#1001"))
    await shop.fold()
    assert {"#1001": ("ready_to_ship", 1), "1001": ("paid", 1)} == await shop.subjects()
    shop.configure(
        statuses={**BROKEN["statuses"], "PACKED": "fulfillment.packed"},
        subject=SubjectRule(ref="order", normalize=("strip_prefix:#",)),
    )
    await shop.replay(outcomes=["dead", "applied"])
    await shop.fold()
    assert {"accepted": 5, "applied": 4, "ignored": 1} == await shop.balanced()
    states = await shop.subjects()
    assert ("new", "ready_to_ship") == (states["#1001"][0], states["1001"][0])
    syncs = await shop.rows(
        "SELECT s.ref, s.version = y.desired_version FROM syncs y JOIN subjects s"
        " ON s.id = y.subject_id ORDER BY 1"
    )
    assert [("#1001", True), ("1001", True)] == syncs


async def test_certain_events_are_replayed_by_id(shop: Shop) -> None:
    await shop.post(event(1, "PACKED"), event(2, "PACKED"))
    await shop.fold()
    shop.configure(statuses={"PACKED": "fulfillment.packed"})
    (named, _) = await shop.rows("SELECT id FROM events ORDER BY dedupe_key")
    await shop.replay(source=None, event_ids=(UUID(str(named[0])),))
    await shop.fold()
    assert {"accepted": 2, "applied": 1, "dead": 1} == await shop.balanced()


async def test_times_and_sources_bound_what_is_read(shop: Shop) -> None:
    await shop.post(event(1, "PACKED"))
    await shop.fold()
    for order in (Order("shop", since=NOW + timedelta(seconds=1)), Order("shop", until=NOW)):
        assert 0 == (await replay.preview(shop.db, shop.senders, order))["read"]
    with pytest.raises(NotFound, match="configured are: shop"):
        await replay.preview(shop.db, shop.senders, Order("shopp"))


async def test_a_process_with_another_configuration_does_not_run_it(shop: Shop) -> None:
    await shop.post(event(1, "PACKED"))
    await shop.fold()
    order = Order("shop")
    job, _ = await replay.start(shop.db, shop.senders, order, actor="anna", rate=1000, mine=True)
    shop.configure(statuses={"PACKED": "fulfillment.packed"})
    runner = Runner(shop.db, {"replay": replay.step(lambda: shop.senders, Rules)})
    ended = await runner.carry(job, asyncio.Event())
    assert "failed" == ended.state
    assert "reload" in str(ended.error)
    assert {"accepted": 1, "dead": 1} == await shop.balanced()


async def test_a_replay_beside_a_busy_fold_keeps_the_ledger_balanced(shop: Shop) -> None:
    shop.configure(statuses={**BROKEN["statuses"], "PACKED": "fulfillment.packed"})
    for number in range(0, 40, 2):
        await shop.post(event(number, "PAID"), event(number + 1, "PACKED"))
    await shop.fold()
    shop.configure(statuses={"PAID": "payment.refunded", "PACKED": "fulfillment.shipped"})
    done = asyncio.Event()

    async def keep_folding() -> None:
        number = 100
        while not done.is_set():
            await shop.post(event(number, "PAID"))
            await shop.fold()
            number += 1

    folding = asyncio.ensure_future(keep_folding())
    job = await shop.replay(outcomes=["applied", "superseded"])
    done.set()
    await folding
    await shop.fold()
    assert "finished" == job.state
    totals = await shop.balanced()
    assert totals["accepted"] == totals["applied"] + totals.get("superseded", 0)
    assert "refunded" == (await shop.subjects())["1001"][0]
    lanes = await shop.rows("SELECT state->'lanes'->>'fulfillment' FROM subjects")
    assert [("shipped",)] == lanes
