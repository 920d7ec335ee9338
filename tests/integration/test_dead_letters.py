"""Dead letters behind the API: shown with cause and remedy, driven again or discarded by jobs."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest
import yaml
from jsonschema import Draft202012Validator

from service.ops import dead_letters, jobs, ledger
from service.ops.dead_letters import Order
from service.store import jobs as store_jobs
from service.store import pool
from service.store.dead_letters import Selection
from service.store.ids import new_id
from service.store.pool import Connection, Pool, transaction
from tests import internals, rows
from tests.owed import eventually, running

pytestmark = pytest.mark.postgres

DESCRIPTION = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
OPERATOR = {"role": "operator", "sub": "anna"}


@dataclass
class Api:
    url: str
    session: aiohttp.ClientSession

    async def get(self, path: str, *, shape: str | None = None, **parameters: Any) -> Any:
        async with self.session.get(
            f"{self.url}{path}", params=parameters, headers=internals.bearer()
        ) as answer:
            return await _judged(answer, 200, shape)

    async def post(
        self, path: str, body: object, *, status: int = 202, **claims: Any
    ) -> dict[str, Any]:
        headers = internals.bearer(**{**OPERATOR, **claims})
        async with self.session.post(f"{self.url}{path}", json=body, headers=headers) as answer:
            said: dict[str, Any] = await _judged(
                answer, status, "OrderPlaced" if status < 400 else "Problem"
            )
            return said

    async def ended(self, job: str) -> dict[str, Any]:
        """The job once it has ended."""
        found: dict[str, Any] = {}

        async def over() -> bool:
            found.update(await self.get(f"/jobs/{job}", shape="Job"))
            return found["state"] not in {"queued", "running"}

        await eventually(over)
        return found


async def _judged(answer: aiohttp.ClientResponse, status: int, shape: str | None) -> Any:
    body = await answer.json(content_type=None)
    assert status == answer.status, body
    if shape is not None:
        schema = {"$ref": f"#/components/schemas/{shape}", "components": DESCRIPTION["components"]}
        Draft202012Validator(schema).validate(body)
    return body


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        yield opened


@pytest.fixture
async def api(database: str) -> AsyncIterator[Api]:
    async with internals.opened(database) as url, aiohttp.ClientSession() as session:
        yield Api(f"{url}/api/v1", session)


@pytest.fixture
async def runner(store: Pool) -> AsyncIterator[None]:
    """A process that runs jobs."""
    async with running(jobs.Runner(store, dead_letters.STEPS).run):
        yield


async def dead_event(tx: Connection, *, reason: str = "unmapped", **said: Any) -> UUID:
    """Return the id of an event, not of its letter."""
    event_id = await rows.event(tx, **said)
    await rows.letter(tx, kind="event", event_id=event_id, reason=reason)
    return event_id


async def dead_sync(
    tx: Connection, ref: str, *, reason: str = "refused", destination: str = "crm", **said: Any
) -> int:
    subject = await rows.subject(tx, ref=ref)
    row = {"state": "dead", "synced_version": 0, "attempts": 7, "error": "HTTP 422", **said}
    await rows.sync(tx, subject, destination=destination, **row)
    summary = f"crm refuses order/{ref}: HTTP 422"
    await rows.letter(
        tx,
        kind="sync",
        subject_id=subject,
        destination=destination,
        reason=reason,
        summary=summary,
    )
    return subject


async def asked(store: Pool, query: str, *values: object) -> list[tuple[Any, ...]]:
    async with pool.session(store) as connection:
        return [tuple(row) for row in await connection.fetch(query, *values)]


async def letter_ids(store: Pool) -> list[str]:
    return [str(row[0]) for row in await asked(store, "SELECT id FROM dead_letters ORDER BY id")]


async def test_queues_count_by_place_and_cause(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        for ref in ("1", "2"):
            await dead_event(tx, ref=ref)
        await dead_event(tx, reason="poison", ref="3")
        for ref in ("4", "5"):
            await dead_sync(tx, ref)
        await dead_sync(tx, "6", destination="wms", reason="gone")
    body = await api.get("/dead-letters/queues")
    assert [
        ("event", None, 3, [("unmapped", 2), ("poison", 1)]),
        ("sync", "crm", 2, [("refused", 2)]),
        ("sync", "wms", 1, [("gone", 1)]),
    ] == [
        (
            queue["kind"],
            queue["destination"],
            queue["count"],
            [(cause["reason"], cause["count"]) for cause in queue["causes"]],
        )
        for queue in body["items"]
    ]
    assert "replay" in body["items"][0]["causes"][0]["remedy"]


async def test_a_letter_says_what_was_tried(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        subject = await dead_sync(tx, "7", synced_version=1)
        await rows.attempt(tx, subject, version=1)
        for status in (500, 422):
            await rows.attempt(
                tx, subject, version=3, http_status=status, detail="no", **{"class": "permanent"}
            )
    [item] = (await api.get("/dead-letters"))["items"]
    assert {
        "id": item["id"],
        "kind": "sync",
        "event_id": None,
        "subject": "order/7",
        "lifecycle": "order",
        "scope": "",
        "ref": "7",
        "destination": "crm",
        "reason": "refused",
        "summary": "crm refuses order/7: HTTP 422",
        "remedy": item["remedy"],
        "first_at": item["first_at"],
        "last_at": item["last_at"],
        "redriven": 0,
        "resolution": None,
        "resolved_at": None,
        "attempts": item["attempts"],
    } == item
    assert [500, 422] == [attempt["http_status"] for attempt in item["attempts"]]
    assert {"at", "operation", "class", "http_status", "ms", "detail"} == set(item["attempts"][0])
    assert item == await api.get(f"/dead-letters/{item['id']}", shape="DeadLetter")


async def test_letters_are_filtered_and_paged(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await dead_event(tx, ref="1")
        await dead_event(tx, ref=None, source="wms", reason="unresolved_subject")
        await dead_sync(tx, "1")
        await dead_sync(tx, "2", destination="erp", reason="gone")
        await rows.letter(
            tx, kind="event", event_id=new_id(), resolved_at=rows.AT, resolution="redriven"
        )

    async def count(**wanted: str) -> int:
        return len((await api.get("/dead-letters", **wanted))["items"])

    assert 4 == await count()
    assert 2 == await count(kind="event")
    assert 1 == await count(destination="erp")
    assert 1 == await count(reason="refused")
    assert 1 == await count(source="wms")
    assert 2 == await count(subject="order/1")
    assert 0 == await count(subject="order/1", destination="erp")
    seen: list[str] = []
    cursor: dict[str, str] = {}
    while True:
        page = await api.get("/dead-letters", limit="3", **cursor)
        seen += [item["id"] for item in page["items"]]
        if page["next"] is None:
            break
        cursor = {"cursor": page["next"]}
    assert 4 == len(seen) == len(set(seen))


async def test_a_dry_run_counts_and_changes_nothing(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        for ref in ("1", "2", "3"):
            await dead_sync(tx, ref)
    body = {"filter": {"reason": "refused"}, "dry_run": True}
    said = await api.post("/dead-letters/redrive", body, status=200)
    assert {"job": None, "matched": 3, "would_write": 3, "already_right": 0} == said
    assert [] == await asked(store, "SELECT 1 FROM jobs UNION ALL SELECT 1 FROM operator_actions")
    assert [(3,)] == await asked(store, "SELECT count(*) FROM syncs WHERE state = 'dead'")


@pytest.mark.usefixtures("runner")
async def test_a_redriven_sync_is_owed_at_once_with_all_its_tries(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        for number in range(5):
            await dead_sync(tx, str(number))
        await dead_sync(tx, "other", reason="gone")
    said = await api.post("/dead-letters/redrive", {"filter": {"reason": "refused"}})
    assert (5, 5, 0) == (said["matched"], said["would_write"], said["already_right"])
    job = await api.ended(said["job"])
    assert ("finished", 5, 0, "anna") == (job["state"], job["done"], job["skipped"], job["actor"])
    assert [("dead", False, 7, 1), ("pending", True, 0, 5)] == await asked(
        store,
        "SELECT state, due_at <= now(), attempts, count(*) FROM"
        " (SELECT state, COALESCE(due_at, 'infinity') AS due_at, attempts FROM syncs) s"
        " GROUP BY 1, 2, 3 ORDER BY 1",
    )
    assert (await ledger.read(store))["balanced"]
    [(actor, action, target, detail)] = await asked(
        store, "SELECT actor, action, target, detail FROM operator_actions"
    )
    assert ("anna", "dead_letters.redrive", f"job/{said['job']}") == (actor, action, target)
    assert ({"reason": "refused"}, 5) == (detail["selection"], detail["matched"])


@pytest.mark.usefixtures("runner")
async def test_a_redriven_event_waits_behind_the_live_ones(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await dead_event(tx, ref="1")
        await dead_event(tx, ref="2", reason="poison")
    said = await api.post("/dead-letters/redrive", {"ids": await letter_ids(store)})
    await api.ended(said["job"])
    assert [(9, False, 0), (9, True, 0)] == await asked(
        store, "SELECT priority, solo, crashes FROM outbox WHERE due_at <= now() ORDER BY solo"
    )
    assert [("redriven", 2)] == await asked(
        store, "SELECT resolution, count(*) FROM dead_letters GROUP BY 1"
    )
    book = await ledger.read(store)
    assert (True, 2, 0) == (book["balanced"], book["totals"]["pending"], book["totals"]["dead"])


@pytest.mark.usefixtures("runner")
async def test_discarding_keeps_the_ledger_balanced_and_the_reason(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await dead_event(tx, ref="1")
        await dead_sync(tx, "2")
    said = await api.post("/dead-letters/discard", {"filter": {}, "because": "They were tests."})
    job = await api.ended(said["job"])
    assert (2, 2) == (job["matched"], job["done"])
    book = await ledger.read(store)
    assert book["balanced"]
    assert (1, 1) == (book["totals"]["discarded"], book["destinations"]["crm"]["held"])
    assert [("discarded", "They were tests. (anna)")] == await asked(
        store, "SELECT outcome, reason FROM event_outcomes"
    )
    assert [("held", None, "They were tests. (anna)")] == await asked(
        store, "SELECT state, due_at, error FROM syncs"
    )


async def test_what_is_right_already_is_counted_and_left_alone(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await dead_sync(tx, "1")
        await dead_sync(tx, "2", synced_version=3)
        event_id = await rows.event(tx, "applied", ref="3")
        await rows.letter(
            tx, kind="event", event_id=event_id, resolved_at=rows.AT, resolution="redriven"
        )
    body = {"ids": await letter_ids(store), "dry_run": True}
    said = await api.post("/dead-letters/redrive", body, status=200)
    assert (3, 1, 2) == (said["matched"], said["would_write"], said["already_right"])
    said = await api.post("/dead-letters/redrive", {"ids": await letter_ids(store)})
    async with running(jobs.Runner(store, dead_letters.STEPS).run):
        job = await api.ended(said["job"])
    assert (1, 2) == (job["done"], job["skipped"])
    assert [("pending",), ("synced",)] == await asked(
        store, "SELECT state FROM syncs ORDER BY state"
    )
    assert [] == await asked(store, "SELECT 1 FROM outbox")


async def test_a_letter_that_was_closed_says_how(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.letter(
            tx, kind="event", event_id=new_id(), resolved_at=rows.AT, resolution="redriven"
        )
    [letter_id] = await letter_ids(store)
    shown = await api.get(f"/dead-letters/{letter_id}", shape="DeadLetter")
    assert ("redriven", "2026-03-01T12:00:00+00:00") == (shown["resolution"], shown["resolved_at"])
    assert [] == (await api.get("/dead-letters"))["items"]
    assert [shown] == (await api.get("/dead-letters", resolution="redriven"))["items"]
    assert [] == (await api.get("/dead-letters", resolution="discarded"))["items"]


async def test_a_letter_that_died_again_says_how_often_it_was_redriven(
    api: Api, store: Pool
) -> None:
    """Of its own event, or of its own sync, and only before it."""
    closed = {"resolved_at": rows.AT, "resolution": "redriven"}
    async with transaction(store) as tx:
        event_id, subject = await rows.event(tx), await rows.subject(tx, ref="7")
        of_sync = {"kind": "sync", "subject_id": subject}
        for destination in ("crm", "crm", "wms"):
            await rows.letter(tx, destination=destination, **of_sync, **closed)
        await rows.letter(tx, kind="event", event_id=event_id, **closed)
        await rows.letter(tx, kind="event", event_id=new_id(), **closed)
        await rows.letter(tx, kind="event", event_id=event_id)
        await rows.sync(tx, subject, state="dead", synced_version=0)
        await rows.letter(tx, destination="crm", reason="refused", **of_sync)
    found = (await api.get("/dead-letters"))["items"]
    assert {"event": 1, "sync": 2} == {item["kind"]: item["redriven"] for item in found}
    closed_ones = (await api.get("/dead-letters", resolution="redriven"))["items"]
    assert [0, 0, 0, 1, 0] == [item["redriven"] for item in closed_ones]


async def test_each_cause_shows_what_its_last_letter_says(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await dead_event(tx, ref="1")
        for ref in ("2", "3"):
            await dead_sync(tx, ref)
    queues = (await api.get("/dead-letters/queues"))["items"]
    assert ["The status is not known.", "crm refuses order/3: HTTP 422"] == [
        queue["causes"][0]["sample"]["summary"] for queue in queues
    ]
    shown = await api.get(f"/dead-letters/{queues[1]['causes'][0]['sample']['id']}")
    assert "order/3" == shown["subject"]


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"kind": "event"}, ["order/a:1", "order/1"]),
        ({"source": "shop"}, ["order/1"]),
        ({"kind": "sync", "source": "shop"}, []),
        ({"subject": "order/1"}, ["order/1"]),
        ({"subject": "order/a:1"}, ["order/a:1"]),
        ({"subject": "order/2", "destination": "crm"}, ["order/2"]),
        ({"subject": "order/2", "destination": "wms"}, []),
        ({"destination": "crm", "reason": "refused"}, ["order/2"]),
        ({"kind": "event", "destination": "crm"}, []),
    ],
)
async def test_a_filter_finds_and_counts_the_same(
    api: Api, store: Pool, wanted: dict[str, str], found: list[str]
) -> None:
    async with transaction(store) as tx:
        await dead_event(tx, ref="1")
        await dead_event(tx, scope="a", ref="1", source="wms")
        await dead_sync(tx, "2")
    items = (await api.get("/dead-letters", **wanted))["items"]
    assert found == [item["subject"] for item in items]
    body = {"filter": wanted, "dry_run": True}
    said = await api.post("/dead-letters/redrive", body, status=200)
    assert len(found) == said["matched"]
    async with running(jobs.Runner(store, dead_letters.STEPS).run):
        said = await api.post("/dead-letters/redrive", {"filter": wanted})
        assert len(found) == (await api.ended(said["job"]))["done"]


MISTAKES: list[tuple[object, str]] = [
    ([], "must be a JSON object with ids, filter, dry_run, rate"),
    ({}, "either ids, or a filter"),
    ({"ids": [str(UUID(int=0))], "filter": {}}, "either ids, or a filter"),
    ({"ids": []}, "'ids'"),
    ({"ids": None}, "leave it out"),
    ({"ids": ["1"]}, "'ids.0'"),
    ({"ids": [str(UUID(int=0))] * 1001}, "'ids'"),
    ({"filter": {}, "role": "admin"}, "'role' is not known; known are ids, filter, dry_run, rate"),
    ({"filter": {"actor": "bob"}}, "'filter.actor' is not known; known are kind, destination"),
    ({"filter": {"kind": "request"}}, "'filter.kind'"),
    ({"filter": {"subject": "1001"}}, "'filter.subject'"),
    ({"filter": {}, "rate": 0}, "'rate'"),
    ({"filter": {}, "rate": 10_001}, "'rate'"),
    ({"filter": {}, "rate": "5"}, "'rate'"),
    ({"filter": {}, "dry_run": "yes"}, "'dry_run'"),
    ({"filter": {}, "because": "x"}, "'because' is not known"),
]


async def test_mistakes_are_explained_and_change_nothing(api: Api, store: Pool) -> None:
    async with transaction(store) as tx:
        await dead_sync(tx, "1")
    for body, sentence in MISTAKES:
        said = await api.post("/dead-letters/redrive", body, status=400)
        assert sentence in said["detail"], (body, said)
    said = await api.post("/dead-letters/redrive", {"ids": [str(new_id())]}, status=404)
    assert "There is no dead letter" in said["detail"]
    assert [] == await asked(store, "SELECT 1 FROM jobs UNION ALL SELECT 1 FROM operator_actions")


async def test_a_body_must_be_json(api: Api) -> None:
    url, headers = f"{api.url}/dead-letters/redrive", internals.bearer(**OPERATOR)
    for kind, body, status in (
        ("text/plain", b"{}", 415),
        ("application/x-www-form-urlencoded", b"filter=", 415),
        ("application/json", b"{", 400),
        ("application/json", b"[" * 100_000, 413),
    ):
        sent = {**headers, "Content-Type": kind}
        async with api.session.post(url, data=body, headers=sent) as answer:
            assert status == answer.status


async def test_viewers_may_look_but_not_touch(api: Api) -> None:
    for verb in ("redrive", "discard"):
        said = await api.post(f"/dead-letters/{verb}", {"filter": {}}, status=403, role="viewer")
        assert "needs the role operator" in said["detail"]


class TestJobs:
    async def ordered(self, store: Pool, *, rate: int = 10_000) -> store_jobs.Job:
        order = Order("redrive", Selection(kind="sync"), "test", rate)
        placed = await dead_letters.place(store, order, dry_run=False, mine=True)
        assert placed.job is not None
        return placed.job

    async def test_two_runners_never_do_a_row_twice(self, store: Pool) -> None:
        async with transaction(store) as tx:
            for number in range(300):
                await dead_sync(tx, str(number))
        job = await self.ordered(store)
        runner = jobs.Runner(store, dead_letters.STEPS)
        await asyncio.gather(*(runner.carry(job, asyncio.Event()) for _ in range(3)))
        after = await jobs.find(store, job.id)
        assert after is not None
        assert 300 >= after.done
        assert [("pending", 0)] == await asked(store, "SELECT DISTINCT state, attempts FROM syncs")
        assert [("redriven", 300)] == await asked(
            store, "SELECT resolution, count(*) FROM dead_letters GROUP BY 1"
        )

    async def test_a_job_whose_process_died_is_taken_up_where_it_stood(self, store: Pool) -> None:
        async with transaction(store) as tx:
            for number in range(20):
                await dead_sync(tx, str(number))
        job = await self.ordered(store, rate=50)
        dying = asyncio.create_task(
            jobs.Runner(store, dead_letters.STEPS).carry(job, asyncio.Event())
        )

        async def begun() -> bool:
            found = await jobs.find(store, job.id)
            return found is not None and found.done >= 10

        await eventually(begun)
        dying.cancel()
        await asyncio.wait({dying})
        await asked(store, "UPDATE jobs SET due_at = now()")
        async with running(jobs.Runner(store, dead_letters.STEPS).run):

            async def over() -> bool:
                found = await jobs.find(store, job.id)
                return found is not None and found.state == "finished"

            await eventually(over)
        found = await jobs.find(store, job.id)
        assert found is not None
        assert (20, 0) == (found.done, found.skipped)

    async def test_the_rate_is_kept(self, store: Pool) -> None:
        async with transaction(store) as tx:
            for number in range(20):
                await dead_sync(tx, str(number))
        job = await self.ordered(store, rate=40)
        clock = asyncio.get_running_loop().time
        began = clock()
        await jobs.Runner(store, dead_letters.STEPS).carry(job, asyncio.Event())
        assert clock() - began >= 0.45

    async def test_letters_others_hold_are_waited_for_not_lost(self, store: Pool) -> None:
        async with transaction(store) as tx:
            subjects = [await dead_sync(tx, str(number)) for number in range(3)]
        job = await self.ordered(store)
        runner = jobs.Runner(store, dead_letters.STEPS)
        async with transaction(store) as tx:
            await tx.execute("SELECT FROM syncs WHERE subject_id = $1 FOR UPDATE", subjects[1])
            work = asyncio.create_task(runner.carry(job, asyncio.Event()))

            async def others_done() -> bool:
                found = await jobs.find(store, job.id)
                return found is not None and found.done == 2

            await eventually(others_done)
            assert not work.done()
        ended = await asyncio.wait_for(work, 10)
        assert ("finished", 3) == (ended.state, ended.done)

    async def test_what_dies_while_it_runs_is_not_a_part_of_it(self, store: Pool) -> None:
        async with transaction(store) as tx:
            await dead_sync(tx, "before")
        job = await self.ordered(store)
        async with transaction(store) as tx:
            await dead_sync(tx, "after")
        ended = await jobs.Runner(store, dead_letters.STEPS).carry(job, asyncio.Event())
        assert ("finished", 1) == (ended.state, ended.done)
        assert [("dead",), ("pending",)] == await asked(
            store, "SELECT state FROM syncs ORDER BY state"
        )

    async def test_a_step_that_breaks_fails_the_job_and_changes_nothing(self, store: Pool) -> None:
        async def broken(tx: Connection, job: store_jobs.Job, limit: int) -> jobs.Stride:
            await tx.execute("UPDATE syncs SET state = 'held'")
            raise ZeroDivisionError

        async with transaction(store) as tx:
            await dead_sync(tx, "1")
        job = await self.ordered(store)
        ended = await jobs.Runner(store, {"redrive": broken}).carry(job, asyncio.Event())
        assert "failed" == ended.state
        assert ended.error is not None
        assert str(job.id) in ended.error
        assert [("dead",)] == await asked(store, "SELECT state FROM syncs")

    async def test_a_stopped_runner_gives_its_job_back(self, store: Pool) -> None:
        async with transaction(store) as tx:
            await dead_sync(tx, "1")
        job = await self.ordered(store)
        stop = asyncio.Event()
        stop.set()
        await jobs.Runner(store, dead_letters.STEPS).carry(job, stop)
        async with transaction(store) as tx:
            again = await store_jobs.claim(tx, ["redrive"])
        assert again is not None
        assert job.id == again.id
