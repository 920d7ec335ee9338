"""Refused requests on a real PostgreSQL: remembered with the reason, bounded, no values."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import Any

import pytest

from service.domain.errors import NotFound
from service.intake.group_commit import GroupCommit
from service.intake.provider import Forged, RawRequest
from service.intake.providers import registry
from service.intake.receive import Intake, Sender, Tallies
from service.intake.refusals import MOST_SOURCES, Refusals, keeper
from service.ops import sources
from service.sandbox import senders
from service.settings import HmacRule, Secret, Source, SubjectRule
from service.store import outbox, pool
from service.store.ids import new_id
from service.store.pool import Pool
from service.store.refusals import KEPT
from tests.integration.test_receive import Shut

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
KEY = "a key nobody else has"
WMS = Source(
    name="wms",
    provider="generic",
    secrets=(Secret.plain(KEY),),
    verify=HmacRule(
        header="X-Signature", signed="{timestamp}.{body}", timestamp_header="X-Timestamp"
    ),
    subject=SubjectRule(ref="order"),
    status="status",
    statuses={"PAID": "payment.paid"},
)
BODY = json.dumps({"order": "1001", "status": "PAID", "note": "very private"}).encode()


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=3) as opened:
        yield opened


@asynccontextmanager
async def gate(db: Pool) -> AsyncIterator[Intake]:
    """An intake whose refusals are written down when the block ends."""
    commits = GroupCommit(db, Shut(), process=new_id(), lease=outbox.LEASE)
    known = {"wms": Sender(WMS, registry.preset("generic").build(WMS))}
    intake = Intake(known, commits, clock=lambda: NOW, tallies=Tallies())
    yield intake
    stop = asyncio.Event()
    stop.set()
    await keeper(db, intake.refusals)(stop)


def request(*headers: tuple[str, str], body: bytes = BODY, path: str = "wms") -> RawRequest:
    return RawRequest(
        method="POST",
        path=f"/webhooks/{path}",
        query="",
        headers=[("user-agent", "a/1"), *headers],
        body=body,
        received_at=NOW,
        peer="192.0.2.7",
    )


def signed(source: Source = WMS, *, at: datetime = NOW) -> list[tuple[str, str]]:
    made = senders.sign(source, BODY, at=at)
    return [(name.lower(), value) for name, value in made.headers.items()]


async def remembered(db: Pool, name: str = "wms") -> Sequence[dict[str, Any]]:
    items: Sequence[dict[str, Any]] = (await sources.refused(db, ["wms"], name))["items"]
    return items


async def test_each_way_to_be_refused_is_told_apart_with_a_remedy(db: Pool) -> None:
    other = WMS.model_copy(update={"secrets": (Secret.plain("another key"),)})
    async with gate(db) as intake:
        for one in (
            request(),
            request(*signed(other)),
            request(*signed(at=NOW - timedelta(hours=2))),
            request(*signed(), *signed()),
            request(("x-signature", "00"), ("x-timestamp", "yesterday")),
        ):
            assert (await intake.receive("wms", one)).status == 401
    items = list(reversed(await remembered(db)))
    assert ["missing", "wrong_secret", "stale_clock", "repeated", "malformed"] == [
        item["cause"] for item in items
    ]
    assert [None, 0.0, -7200.0, None, None] == [item["skew_seconds"] for item in items]
    assert "X-Signature is missing" in items[0]["reason"]
    assert "7200 s before our clock" in items[2]["reason"]
    assert all(item["remedy"] for item in items)


async def test_names_and_sums_are_kept_but_no_value_and_no_body(db: Pool) -> None:
    async with gate(db) as intake:
        await intake.receive("wms", request(("x-signature", "c0ffee"), ("x-timestamp", "1")))
    (item,) = await remembered(db)
    assert ["user-agent", "x-signature", "x-timestamp"] == item["headers"]
    assert (sha256(BODY).hexdigest(), len(BODY)) == (item["body_sha256"], item["body_bytes"])
    assert ("192.0.2.7", "POST", NOW) == (item["peer"], item["method"], item["at"])
    async with pool.session(db) as connection:
        row = str(await connection.fetchrow("SELECT * FROM refusals"))
    assert not [word for word in ("c0ffee", "private", KEY) if word in row]


async def test_names_that_no_source_has_are_kept_together(db: Pool) -> None:
    async with gate(db) as intake:
        await intake.receive("wmss", request(path="wmss"))
        await intake.receive("", request(path="%00"))
    items = await remembered(db, "unknown")
    assert ["There is no source named in the path.", "There is no source wmss."] == [
        item["reason"] for item in items
    ]
    assert {"unknown_source"} == {item["cause"] for item in items}
    listed = (await sources.sources(db, {"wms": WMS}, public_url="https://hooks.example.com/"))[
        "items"
    ]
    assert [("wms", "https://hooks.example.com/webhooks/wms", 0)] == [
        (item["name"], item["url"], item["accepted"]) for item in listed
    ]
    with pytest.raises(NotFound, match="unknown"):
        await remembered(db, "wmss")


async def test_a_flood_leaves_the_last_fifty(db: Pool) -> None:
    async with gate(db) as intake:
        for number in range(KEPT + 30):
            await intake.receive("wms", request(body=b"%d" % number))
    async with gate(db) as intake:
        for number in range(7):
            await intake.receive("wms", request(body=b"late %d" % number))
    items = await remembered(db)
    assert KEPT == len(items)
    assert sha256(b"late 6").hexdigest() == items[0]["body_sha256"]
    assert sha256(b"37").hexdigest() == items[-1]["body_sha256"]


async def test_what_waits_is_bounded_and_kept_while_the_database_is_away(db: Pool) -> None:
    waiting = Refusals()
    for number in range(MOST_SOURCES + 10):
        for _ in range(2):
            waiting.note(f"s{number}", request(), Forged("No."), at=NOW)
    await db.close()
    stop = asyncio.Event()
    stop.set()
    await keeper(db, waiting)(stop)
    assert 2 * MOST_SOURCES == len(waiting.drain())


async def test_a_reason_may_hold_any_text(db: Pool) -> None:
    waiting = Refusals()
    strange = request(("x-\udcff", "1"), ('a"b', "1"), ("back`tick", "1"))
    waiting.note("wms", strange, Forged("\0\ud800\x1b[2J" + "x" * 5000), at=NOW)
    stop = asyncio.Event()
    stop.set()
    await keeper(db, waiting)(stop)
    (item,) = await remembered(db)
    assert ["user-agent", "back`tick"] == item["headers"]
    assert 1024 == len(item["reason"])
