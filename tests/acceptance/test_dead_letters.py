"""From a thousand dead letters of one cause to applied: two commands, the second with progress."""

import asyncio
from datetime import UTC, datetime
from typing import Any

import aiohttp
import orjson
import pytest

from tests.acceptance import senders
from tests.acceptance.reference import Said
from tests.acceptance.stage import Stage, token

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]

MANY = 1000


async def book(stage: Stage) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {token()}"}
    url = f"{stage.places.api}/api/v1/ledger"
    async with aiohttp.ClientSession() as session, session.get(url, headers=headers) as answer:
        said: dict[str, Any] = await answer.json()
        return said


async def settled(stage: Stage) -> dict[str, Any]:
    """The ledger when nothing is pending any more."""
    found: dict[str, Any] = {}
    while True:
        found.update(await book(stage))
        crm = found["destinations"].get("crm", {})
        done = crm.get("owed") == MANY and not crm["pending"]
        if done and not found["totals"]["pending"]:
            return found
        await asyncio.sleep(0.1)


async def test_a_thousand_dead_letters_are_applied_by_two_commands(stage: Stage) -> None:
    await stage.open_crm()
    await stage.open("all")
    await stage.behave(mode="status", status=422)
    now = datetime.now(UTC)
    told = [
        Said(senders.WMS, f"evt-{n}", f"R-{n}", "fulfillment", "packed", now) for n in range(MANY)
    ]
    batches = [senders.wms(told[n : n + 50]) for n in range(0, MANY, 50)]
    await stage.witness().send(batches)
    before = await settled(stage)
    assert (True, MANY) == (before["balanced"], before["destinations"]["crm"]["dead"])
    await stage.behave(mode="ok")

    first = stage.verb("dead", "queues", "--json")
    assert 0 == first.code, first.err
    [queue] = orjson.loads(first.out)["items"]
    assert ("crm", MANY, ["refused"]) == (
        queue["destination"],
        queue["count"],
        [cause["reason"] for cause in queue["causes"]],
    )
    second = stage.verb("dead", "redrive", "--destination", "crm", "--reason", "refused", "--yes")
    assert 0 == second.code, second.err
    assert f"{MANY:,} match" in second.out
    assert f"redriven {'━' * 40} {MANY}/{MANY}" in " ".join(second.out.split())
    assert f"applied {'━' * 40} {MANY}/{MANY}" in " ".join(second.out.split())

    after = await settled(stage)
    assert (True, MANY, 0) == (
        after["balanced"],
        after["destinations"]["crm"]["synced"],
        after["destinations"]["crm"]["dead"],
    )
