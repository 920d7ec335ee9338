"""The intake on a real PostgreSQL: the answers senders get, and what each of them leaves behind."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_network

import pytest
from structlog.testing import capture_logs

from service.intake.group_commit import GroupCommit
from service.intake.preset import Declared
from service.intake.provider import RawRequest, Reply
from service.intake.providers import registry
from service.intake.receive import Intake, Sender, Tallies
from service.ops import ledger, schedule
from service.sandbox import senders
from service.settings import (
    AnswerRule,
    BearerRule,
    EchoRule,
    QueryRule,
    Secret,
    Source,
    SubjectRule,
    UrlTokenRule,
)
from service.store import outbox, partitions, pool
from service.store.ids import new_id
from service.store.pool import Pool

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
SHOP = Source(
    name="shop",
    provider="generic",
    secrets=(Secret.plain("open"),),
    verify=BearerRule(),
    items="events",
    key="id",
    subject=SubjectRule(ref="order"),
    status="status",
    statuses={"PAID": "payment.paid", "NOISE": "ignore"},
)
TOKEN = "9f86d081884c7d659a2feaa0c55ad015"
POLITE = SHOP.model_copy(
    update={
        "name": "polite",
        "handshake": EchoRule(parameter="challenge"),
        "answer": AnswerRule(body='{"ok":true}', content_type="application/json"),
    }
)
COURIER = SHOP.model_copy(
    update={
        "name": "courier",
        "secrets": (),
        "verify": UrlTokenRule(),
        "url_token": Secret.plain(TOKEN),
    }
)
PARCELS = SHOP.model_copy(update={"name": "parcels", "verify": QueryRule(parameter="key")})
NEAR = POLITE.model_copy(update={"name": "near", "allow_from": (ip_network("192.0.2.0/24"),)})
SLOW = SHOP.model_copy(update={"name": "slow", "rate": 2})
STRIPE = Source(name="stripe", provider="stripe", secrets=(Secret.plain("whsec_x"),))

SOURCES = (SHOP, POLITE, COURIER, PARCELS, NEAR, SLOW, STRIPE)


class Shut:
    """A fast path that is closed: everything goes by the relay."""

    def reserve(self) -> bool:
        return False

    def send(self, event_ids: object, published_at: object) -> None: ...

    def release(self) -> None: ...


@dataclass
class Door:
    """An intake with its writers, and one way to knock."""

    intake: Intake
    tallies: Tallies
    process: object

    async def post(
        self,
        name: str,
        body: object,
        *,
        token: str = "open",
        method: str = "POST",
        tail: str = "",
        query: str = "",
        peer: str = "127.0.0.1",
        more: Sequence[tuple[str, str]] = (),
    ) -> Reply:
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        request = RawRequest(
            method=method,
            path=f"/webhooks/{name}/{tail}" if tail else f"/webhooks/{name}",
            query=query,
            headers=[("authorization", f"Bearer {token}"), ("x-note", "kept"), *more],
            body=raw,
            received_at=NOW,
            peer=peer,
            tail=tail,
        )
        return await self.intake.receive(name, request)


@asynccontextmanager
async def opened(db: Pool) -> AsyncIterator[Door]:
    process, tallies, stop = new_id(), Tallies(), asyncio.Event()
    commits = GroupCommit(db, Shut(), process=process, lease=outbox.LEASE)
    known = {s.name: Sender(s, registry.preset(s.provider).build(s)) for s in SOURCES}
    intake = Intake(known, commits, clock=lambda: NOW, tallies=tallies)
    keeper = schedule.tally_keeper(db, tallies, process=process)
    tasks = [asyncio.ensure_future(run(stop)) for run in (commits.run, keeper)]
    try:
        yield Door(intake, tallies, process)
    finally:
        stop.set()
        await asyncio.gather(*tasks)


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened_pool:
        await partitions.ensure(opened_pool)
        yield opened_pool


def paid(*numbers: int) -> dict[str, object]:
    return {"events": [{"id": n, "order": str(n), "status": "PAID"} for n in numbers]}


async def requests_of(db: Pool) -> dict[str, dict[str, int]]:
    counted: dict[str, dict[str, int]] = (await ledger.read(db))["requests"]
    return counted


async def test_a_genuine_request_is_answered_with_what_was_found_in_it(db: Pool) -> None:
    async with opened(db) as door:
        reply = await door.post("shop", paid(1, 2))
    body = json.loads(reply.body)
    assert (reply.status, body["events"], body["duplicates"]) == (202, 2, 0)
    assert "Orderhook-Duplicate" not in reply.headers


async def test_a_repeated_request_gets_the_same_answer_and_a_mark(db: Pool) -> None:
    async with opened(db) as door:
        await door.post("shop", paid(1))
        reply = await door.post("shop", paid(1))
    assert (reply.status, json.loads(reply.body)["duplicates"]) == (202, 1)
    assert reply.headers["Orderhook-Duplicate"] == "true"
    assert await requests_of(db) == {
        "shop": {"accepted": 1, "duplicate": 1, "refused": 0, "unavailable": 0}
    }


async def test_a_forged_request_and_an_unknown_source_get_the_very_same_answer(db: Pool) -> None:
    async with opened(db) as door:
        forged = await door.post("shop", paid(1), token="guess")
        unknown = await door.post("shopp", paid(1), token="guess")
        unsigned = await door.post("stripe", paid(1))
    assert forged == unknown == unsigned
    assert forged.status == 401
    body = await ledger.read(db)
    assert body["totals"]["accepted"] == 0
    assert {name: counts["refused"] for name, counts in body["requests"].items()} == {
        "shop": 1,
        "stripe": 1,
        "unknown": 1,
    }


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"\xff\xfe", b'{"events": [{"id": 1}]}', b'{"events": 7}', b"[" * 5000],
    ids=["empty", "cut", "not text", "no order", "no list", "deep"],
)
async def test_genuine_bytes_are_always_taken_whatever_they_say(db: Pool, body: bytes) -> None:
    async with opened(db) as door:
        reply = await door.post("shop", body)
    assert (reply.status, json.loads(reply.body)["events"]) == (202, 1)
    async with pool.session(db) as connection:
        assert await connection.fetchval("SELECT body FROM requests") == body
        assert await connection.fetchval("SELECT fate FROM events") != "fold"


async def test_credentials_are_not_stored_with_the_request(db: Pool) -> None:
    async with opened(db) as door:
        await door.post("shop", paid(1))
    async with pool.session(db) as connection:
        assert await connection.fetchval("SELECT headers FROM requests") == {"x-note": "kept"}


async def test_a_header_that_came_twice_is_not_stored_for_it_was_not_read(db: Pool) -> None:
    async with opened(db) as door:
        await door.post("shop", paid(1), more=[("x-topic", "a"), ("x-topic", "b")])
        url = [("x-original-url", f"/webhooks/courier/{TOKEN}")]
        await door.post("courier", paid(2), tail=TOKEN, more=url)
    async with pool.session(db) as connection:
        for row in await connection.fetch("SELECT headers FROM requests"):
            assert row["headers"] == {"x-note": "kept"}


async def test_while_postgresql_is_away_senders_are_asked_to_come_back(db: Pool) -> None:
    async with opened(db) as door:
        await db.close()
        reply = await door.post("shop", paid(1))
        assert door.tallies.drain() == {"shop": (0, 1)}
    assert (reply.status, reply.headers["Retry-After"]) == (503, "5")
    assert reply.headers["Content-Type"] == "application/problem+json"


async def test_what_the_simulated_stripe_signs_is_accepted(db: Pool) -> None:
    occasion = senders.Occasion(order="1001", at=NOW - timedelta(minutes=1), key="evt_1")
    signed = senders.sign(STRIPE, senders.sample(STRIPE, "paid", occasion), at=NOW)
    request = RawRequest(
        method="POST",
        path="/webhooks/stripe",
        query="",
        headers=[(name.lower(), value) for name, value in signed.headers.items()],
        body=signed.body,
        received_at=NOW,
    )
    async with opened(db) as door:
        reply = await door.intake.receive("stripe", request)
        stale = await door.intake.receive(
            "stripe", replace(request, headers=[("stripe-signature", "t=1,v1=00")])
        )
    assert (reply.status, stale.status) == (202, 401)


async def test_a_handshake_is_answered_and_leaves_nothing_behind(db: Pool) -> None:
    async with opened(db) as door:
        for method in ("GET", "POST"):
            reply = await door.post(
                "polite", b"", token="?", method=method, query="challenge=a%20b"
            )
            assert (200, b"a b") == (reply.status, reply.body)
            assert "text/plain; charset=utf-8" == reply.headers["Content-Type"]
        assert {} == door.tallies.drain()
    async with pool.session(db) as connection:
        assert 0 == await connection.fetchval("SELECT count(*) FROM requests")


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_without_a_handshake_only_post_is_taken(db: Pool, method: str) -> None:
    async with opened(db) as door:
        replies = [
            await door.post(name, b"", method=method, query=query)
            for name in ("polite", "shop", "nobody", "courier")
            for query in ("", "challenge=a&challenge=b")
        ]
    assert {405} == {reply.status for reply in replies}
    assert {"POST"} == {reply.headers["Allow"] for reply in replies}


async def test_the_answer_a_sender_demands_is_given_for_duplicates_too(db: Pool) -> None:
    async with opened(db) as door:
        first = await door.post("polite", paid(1))
        second = await door.post("polite", paid(1))
        junk = await door.post("polite", b"junk")
        forged = await door.post("polite", paid(1), token="guess")
    kind = {"Content-Type": "application/json"}
    assert Reply(200, b'{"ok":true}', kind) == first == junk
    assert Reply(200, b'{"ok":true}', {**kind, "Orderhook-Duplicate": "true"}) == second
    assert 401 == forged.status


async def test_a_provider_may_demand_another_refusal(db: Pool) -> None:
    class Fragile(Declared):
        refusal = 503

    async with opened(db) as door:
        known = door.intake.senders["shop"].provider
        assert isinstance(known, Declared)
        parts = {each.name: getattr(known, each.name) for each in fields(known)}
        door.intake.senders = {"shop": Sender(SHOP, Fragile(**parts))}
        reply = await door.post("shop", paid(1), token="guess")
    assert (503, "Not accepted") == (reply.status, json.loads(reply.body)["title"])
    assert "Retry-After" not in reply.headers


async def test_a_secret_of_the_url_is_neither_stored_nor_logged(db: Pool) -> None:
    with capture_logs() as logs:
        async with opened(db) as door:
            replies = [
                await door.post("courier", paid(1), tail=f"{TOKEN}/created"),
                await door.post("parcels", paid(2), query="v=2&key=open"),
                await door.post("courier", paid(3), tail=f"{TOKEN[:-1]}x"),
                await door.post("parcels", paid(4), query="key=opened"),
            ]
    assert [202, 202, 401, 401] == [reply.status for reply in replies]
    async with pool.session(db) as connection:
        rows = await connection.fetch("SELECT path, query FROM requests ORDER BY path")
    assert [
        ("/webhooks/courier/redacted/created", ""),
        ("/webhooks/parcels", "v=2&key=redacted"),
    ] == [tuple(row) for row in rows]
    for secret in (TOKEN, TOKEN[:-1], "opened"):
        assert secret not in repr(logs)


async def test_who_posts_from_elsewhere_is_answered_like_a_wrong_signature(db: Pool) -> None:
    async with opened(db) as door:
        near = await door.post("near", paid(1), peer="192.0.2.7")
        far = await door.post("near", paid(2), peer="198.51.100.7")
        forged = await door.post("shop", paid(2), token="guess")
        greeted = await door.post("near", b"", method="GET", query="challenge=a", peer="192.0.2.7")
        ignored = await door.post("near", b"", method="GET", query="challenge=a", peer="")
    assert (200, 200, 405) == (near.status, greeted.status, ignored.status)
    assert far == forged


async def test_what_comes_faster_than_the_rate_is_asked_to_come_back(db: Pool) -> None:
    async with opened(db) as door:
        replies = [await door.post("slow", paid(number)) for number in range(4)]
        forged = await door.post("slow", paid(5), token="guess")
    assert [202, 202, 503, 503] == [reply.status for reply in replies]
    assert {"1"} == {reply.headers["Retry-After"] for reply in replies[2:]}
    assert 401 == forged.status
