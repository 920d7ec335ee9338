"""The whole road with nothing broken but the senders' manners, proved by an outside checker."""

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import aiohttp
import orjson
import pytest

from service.intake.provider import SignedRequest
from tests.acceptance import checker
from tests.acceptance.reference import Said
from tests.acceptance.senders import COURIER, STRIPE, WMS, Post, Witness, posts, stories, stripe
from tests.acceptance.stage import Stage

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]

ROLES = ("gateway", "relay", "worker-1", "worker-2")


async def test_orders_reach_the_crm_through_one_process(stage: Stage) -> None:
    await stage.open_crm()
    await stage.open("all")
    witness = stage.witness()
    told = stories(40, seed=1)
    await witness.send(posts(told, witness.sources, seed=1))
    evidence = await checker.prove(witness, stage.places, wasted=False)
    assert len(told) == evidence.ledger["totals"]["accepted"]


async def test_five_copies_in_any_order_through_four_processes_have_one_effect(
    stage: Stage,
) -> None:
    stage.durability = "strict"
    await stage.open_crm()
    await stage.open(*ROLES)
    witness = stage.witness()
    told = stories(80, seed=2)
    await witness.send(posts(told, witness.sources, seed=2, copies=5))
    evidence = await checker.prove(witness, stage.places, wasted=False)
    assert len(told) == evidence.ledger["totals"]["accepted"]
    assert len(witness.attempts) == sum(
        row["accepted"] + row["duplicate"] for row in evidence.ledger["requests"].values()
    )


async def test_forged_and_stale_posts_change_nothing(stage: Stage) -> None:
    await stage.open_crm()
    await stage.open("all")
    witness = stage.witness()
    forged = stories(4, seed=3, prefix="FORGED")
    async with aiohttp.ClientSession() as session:
        for post in posts(forged, witness.sources, seed=3):
            for request in _forgeries(witness, post):
                answer = await witness.post(session, post, signed=request)
                assert (401, {"title", "status", "detail"}) == (answer.status, set(answer.answer))
        unknown = await witness.post(
            session, replace(post, source="nobody"), signed=witness.sign(post)
        )
    assert 401 == unknown.status
    genuine = posts(stories(4, seed=3), witness.sources, seed=3)
    await witness.send(genuine)
    await checker.prove(witness, stage.places, wasted=False)


def _forgeries(witness: Witness, post: Post) -> Iterator[SignedRequest]:
    """Signed by someone else, changed on the way, not signed at all, and recorded long ago."""
    genuine = witness.sign(post)
    name = {STRIPE: "Stripe-Signature", WMS: "X-Signature", COURIER: "Authorization"}[post.source]
    yield replace(genuine, headers={**genuine.headers, name: genuine.headers[name][:-1] + "~"})
    yield replace(genuine, headers={"Content-Type": "application/json"})
    if post.source != COURIER:
        yield replace(genuine, body=genuine.body.replace(b"FORGED", b"forged"))
        yield witness.sign(post, at=datetime.now(UTC) - timedelta(hours=1))
        yield witness.sign(post, at=datetime.now(UTC) + timedelta(hours=1))


async def test_genuine_posts_that_say_nothing_useful_are_kept_as_dead_letters(
    stage: Stage,
) -> None:
    await stage.open_crm()
    await stage.open("all")
    witness = stage.witness()
    body = b"{this is not JSON"
    lines = (
        (body, hashlib.sha256(body).hexdigest()),
        (_courier(uid="c-1", order="Q-1", code="abducted"), "c-1"),
        (_courier(uid="c-2", code="in_transit"), "c-2"),
    )
    odd = [Post(COURIER, body, (Said(COURIER, key, "", "", "", None),)) for body, key in lines]
    await witness.send([*odd, *odd, *posts(stories(3, seed=4), witness.sources, seed=4)])
    evidence = await checker.prove(witness, stage.places, dead=3, wasted=False)
    assert {"dead"} == {
        event["outcome"] for event in evidence.events if event["dedupe_key"] in dict(lines).values()
    }


def _courier(**said: str) -> bytes:
    return orjson.dumps({**said, "at": datetime.now(UTC).isoformat()})


async def test_a_late_fact_does_not_undo_what_came_after_it(stage: Stage) -> None:
    await stage.open_crm()
    await stage.open("all")
    witness = stage.witness()
    at = datetime(2026, 2, 1, 10, tzinfo=UTC)
    paid = Said(STRIPE, "evt_paid", "1001", "payment", "paid", at)
    late = replace(paid, key="evt_failed", status="failed", at=at - timedelta(hours=1))
    await witness.send([stripe(paid, witness.sources[STRIPE])])
    await checker.prove(witness, stage.places, wasted=False)
    await witness.send([stripe(late, witness.sources[STRIPE])])
    evidence = await checker.prove(witness, stage.places, wasted=False)
    assert "paid" == evidence.orders[0]["status"]


async def test_a_crm_that_misbehaves_is_right_in_the_end(stage: Stage) -> None:
    """Refusals, answers lost after the effect, silence, throttling: no effect twice."""
    await stage.open_crm()
    await stage.open("all")
    witness = stage.witness()
    moods: tuple[dict[str, object], ...] = (
        {"mode": "status", "status": 503, "times": 20},
        {"mode": "reset", "effect": True, "times": 10},
        {"mode": "hang", "times": 8},
        {"mode": "hang", "effect": True, "times": 8},
        {"mode": "garbage", "effect": True, "times": 5},
        {"mode": "status", "status": 429, "retry_after": "2", "times": 8},
    )
    for number, mood in enumerate(moods, start=10):
        await stage.behave(**mood)
        await witness.send(posts(stories(10, seed=number), witness.sources, seed=number))
        await checker.prove(witness, stage.places)
    evidence = await checker.gather(stage.places)
    effects = {call["effect"] for call in evidence.calls}
    assert {"applied", "none", "repeated"} <= effects
    assert 2.0 <= min(_pauses(evidence, after=429))


def _pauses(evidence: checker.Evidence, *, after: int) -> list[float]:
    """Seconds until the same order was tried again."""
    calls = evidence.calls
    return [
        (_at(again) - _at(call)).total_seconds()
        for number, call in enumerate(calls)
        if call["http_status"] == after
        for again in [next(c for c in calls[number + 1 :] if c["subject"] == call["subject"])]
    ]


def _at(call: checker.Json) -> datetime:
    return datetime.fromisoformat(call["at"])
