"""Stories that cross systems: who has to know is told, in the words of each, and only then."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from tests.acceptance.checker import gather
from tests.acceptance.stage import CRM_SECRET, JWT_SECRET, Stage

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(120)]

SYSTEMS = ("shop", "erp", "wms", "courier", "crm-desk")
CONFIG = """\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "{folder}/data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
prefix = "{prefix}"
[auth]
jwt_secret = "plain:{jwt}"

{sources}
{destinations}
{routes}
"""
SOURCE = """\
[sources.{name}]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:the-token-of-{name}"]
key = "id"
subject = {{ lifecycle = "{lifecycle}", ref = "number", aliases = {{ tracking = "tracking" }} }}
occurred_at = "at"
status = "word"
attributes = {{ vip = "vip", document = "document" }}
[sources.{name}.statuses]
{statuses}
"""
DESTINATION = """\
[destinations.{name}]
crm = "callback"
url = "{url}/callback"
secret = "plain:{secret}"
timeout = "2s"
concurrency = {concurrency}
retry = {{ first = "200ms", max = "1s" }}
"""

ORDER = {
    "shop": {"placed": "order.new", "details": "ignore"},
    "erp": {"booked": "payment.paid"},
    "wms": {"picking": "fulfillment.picking", "shipped": "fulfillment.shipped"},
    "courier": {"moving": "delivery.in_transit", "home": "delivery.delivered"},
}
RETURN = {
    "crm-desk": {"agreed": "request.approved"},
    "wms": {"received": "goods.received", "restocked": "goods.restocked"},
    "erp": {"credited": "refund.credited"},
}


@dataclass
class Town:
    """All systems of a company around one gateway."""

    stage: Stage
    places: dict[str, str]
    """Where each system that is told listens."""
    lifecycle: str
    said: int = 0

    async def say(self, name: str, word: str, number: str | None, **more: Any) -> None:
        """Let a system post one event."""
        self.said += 1
        at = datetime.now(UTC).isoformat()
        body = {"id": f"{name}-{self.said}", "word": word, "number": number, "at": at, **more}
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.stage.public}/webhooks/{name}",
                json=body,
                headers={"Authorization": f"Bearer the-token-of-{name}"},
            ) as answer,
        ):
            assert answer.status == 202, await answer.text()

    async def records(self, name: str) -> dict[str, Any]:
        """What a system knows, by subject."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.places[name]}/orders") as answer,
        ):
            return {each["subject"]: each for each in (await answer.json())["items"]}

    async def applied(self, name: str) -> list[str]:
        """The subjects whose news had an effect, in the order of the effects."""
        async with (
            aiohttp.ClientSession() as session,
            session.get(f"{self.places[name]}/calls") as answer,
        ):
            calls = (await answer.json())["items"]
        return [each["subject"] for each in calls if each["effect"] == "applied"]

    async def until(self, name: str, number: str, status: str) -> dict[str, Any]:
        """Wait until a system knows a status."""
        subject = f"{self.lifecycle}/{number}"

        def known(records: dict[str, Any]) -> bool:
            return bool(records.get(subject, {}).get("status") == status)

        records = await self.wait(name, known)
        found: dict[str, Any] = records[subject]
        return found

    async def wait(self, name: str, holds: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        deadline = time.monotonic() + 20
        while not holds(records := await self.records(name)):
            assert time.monotonic() < deadline, records
            await asyncio.sleep(0.05)
        return records


async def built(
    stage: Stage,
    sources: dict[str, dict[str, str]],
    routes: str,
    *told: str,
    lifecycle: str = "order",
    concurrency: int = 16,
) -> Town:
    """Start the systems that are told something, and the gateway between all of them."""
    places = {}
    for name in told:
        program = stage._start(name, ("service.sandbox.crm", "--secret", CRM_SECRET))  # noqa: SLF001
        places[name] = (await program.ready())["url"]
    listed = [
        SOURCE.format(
            name=name,
            lifecycle=lifecycle,
            statuses="\n".join(f'{word} = "{target}"' for word, target in words.items()),
        )
        for name, words in sources.items()
    ]
    reached = [
        DESTINATION.format(name=name, url=url, secret=CRM_SECRET, concurrency=concurrency)
        for name, url in places.items()
    ]
    text = CONFIG.format(
        folder=stage.folder,
        prefix=stage.prefix,
        jwt=JWT_SECRET,
        sources="\n".join(listed),
        destinations="\n".join(reached),
        routes=routes,
    )
    stage.config.write_text(text)
    stage.crm = places[told[0]]
    await stage.open("all")
    return Town(stage, places, lifecycle)


async def test_a_payment_booked_in_the_erp_lets_the_warehouse_start(stage: Stage) -> None:
    routes = """
[[routes]]
destinations = ["crm"]
[[routes]]
events = ["order.payment.*", "order.order.*"]
destinations = ["wms"]
when = "lanes.payment == 'paid'"
"""
    town = await built(stage, ORDER, routes, "crm", "wms")
    await town.say("shop", "placed", "1001")
    await town.until("crm", "1001", "new")
    assert await town.records("wms") == {}, "an unpaid order must not be picked"
    await town.say("erp", "booked", "1001", document="B-1")
    await town.until("crm", "1001", "paid")
    start = await town.until("wms", "1001", "paid")
    assert start["attributes"]["document"] == "B-1"
    await town.say("wms", "picking", "1001")
    await town.until("crm", "1001", "picking")
    await town.say("wms", "shipped", "1001", tracking="T-1")
    # The courier knows only the number on its label, and this one is told before the link exists.
    await town.say("courier", "home", None, tracking="T-2")
    await town.say("courier", "home", None, tracking="T-1")
    await town.until("crm", "1001", "delivered")
    ledger = (await gather(stage.places)).ledger
    assert (ledger["balanced"], ledger["totals"]["waiting"]) == (True, 1)
    assert (await town.records("wms"))["order/1001"]["status"] == "paid"


async def test_a_return_goes_from_the_desk_through_the_warehouse_to_a_credit_note(
    stage: Stage,
) -> None:
    routes = """
[[routes]]
events = ["return.*"]
destinations = ["crm"]
[[routes]]
events = ["return.request.*"]
destinations = ["wms"]
when = "lanes.request == 'approved'"
[[routes]]
events = ["return.goods.*"]
destinations = ["erp"]
when = "lanes.goods == 'restocked'"
"""
    town = await built(stage, RETURN, routes, "crm", "wms", "erp", lifecycle="return")
    await town.say("crm-desk", "agreed", "R-7", document="RMA-7")
    await town.until("wms", "R-7", "approved")
    await town.say("wms", "received", "R-7")
    await town.until("crm", "R-7", "received")
    assert await town.records("erp") == {}, "no credit before the goods are checked in"
    await town.say("wms", "restocked", "R-7")
    await town.wait("erp", lambda records: "return/R-7" in records)
    await town.say("erp", "credited", "R-7", document="CN-1")
    last = await town.until("crm", "R-7", "credited")
    assert last["attributes"]["document"] == "CN-1"
    ledger = (await gather(stage.places)).ledger
    assert (ledger["balanced"], ledger["totals"]["applied"]) == (True, 4)


async def test_a_vip_order_overtakes_a_backlog(stage: Stage) -> None:
    backlog = 120
    routes = """
[[routes]]
destinations = ["crm"]
[[routes]]
destinations = ["crm"]
when = "attributes.vip"
priority = "high"
"""
    town = await built(stage, ORDER, routes, "crm", concurrency=1)
    await stage.behave(mode="ok", delay_ms=40)
    await asyncio.gather(*(town.say("shop", "placed", f"N-{n}") for n in range(backlog)))
    # What makes it important is only learned from the shop's own later word.
    await town.say("erp", "booked", "VIP-1")
    await town.say("shop", "placed", "VIP-1", vip=True)
    await town.until("crm", "VIP-1", "paid")
    before = len(await town.applied("crm"))
    assert before < backlog, "the backlog was gone already; the test showed nothing"
    await town.wait("crm", lambda records: len(records) == backlog + 1)
    ledger = (await gather(stage.places)).ledger
    assert ledger["balanced"] is True
