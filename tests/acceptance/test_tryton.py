"""From a webhook to a sale of a real ERP: Tryton shows what the shop said, once and for good."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from tests.acceptance.stage import Stage, token
from tests.tryton import server
from tests.tryton.destination import table
from tests.tryton.server import Tryton

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.timeout(400),  # the first run installs Tryton and makes its database
]

BEARER = "the-token-of-the-shop"
SHOP = f"""
[sources.shop]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:{BEARER}"]
key = "id"
subject = {{ ref = "order" }}
occurred_at = "at"
status = "code"
attributes = {{ tracking_number = "tracking" }}
[sources.shop.statuses]
picking = "fulfillment.picking"
packed = "fulfillment.packed"
cancelled = "order.cancelled"

[[routes]]
sources = ["shop"]
destinations = ["tryton"]
"""
NOON = datetime.now(UTC).replace(microsecond=0) - timedelta(hours=2)
WITHIN = 30.0


@pytest.fixture
def tryton(tmp_path: Path) -> Iterator[Tryton]:
    folder = tmp_path / "tryton"
    folder.mkdir()
    with server.running(folder) as running:
        yield running


class Clerk:
    """Somebody who works in Tryton, by the same calls as a script of their own would."""

    def __init__(self, tryton: Tryton, session: aiohttp.ClientSession) -> None:
        self._tryton = tryton
        self._session = session
        self._url = f"{tryton.url}/model/sale.sale"
        self._headers = {
            "Authorization": f"Bearer {tryton.key}",
            "X-Tryton-Context": tryton.context,
        }

    async def enter(self, reference: str) -> int:
        made = {name: self._tryton.made[name] for name in ("company", "party", "currency")}
        said = {**made, "reference": reference}
        async with self._session.post(self._url, json=said, headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            return int((await answer.json())["id"])

    async def look(self, sale: int) -> dict[str, Any]:
        asked = [("f", name) for name in ("state", "description", "write_date")]
        url = f"{self._url}/{sale}"
        async with self._session.get(url, params=asked, headers=self._headers) as answer:
            assert answer.status == 200, await answer.text()
            shown: dict[str, Any] = await answer.json()
            return shown

    async def until(self, sale: int, **wanted: str) -> dict[str, Any]:
        """Wait until a sale shows it."""
        deadline = time.monotonic() + WITHIN
        while True:
            shown = await self.look(sale)
            if wanted.items() <= shown.items():
                return shown
            assert time.monotonic() < deadline, (wanted, shown)
            await asyncio.sleep(0.05)


class Shop:
    """Posts what happened to orders, and asks our API what became of it."""

    def __init__(self, stage: Stage, session: aiohttp.ClientSession) -> None:
        self._stage = stage
        self._session = session

    async def post(self, event: str, order: str, code: str, *, minute: int, **more: str) -> Any:
        at = (NOON + timedelta(minutes=minute)).isoformat()
        said = {"id": event, "order": order, "code": code, "at": at, **more}
        url = f"{self._stage.public}/webhooks/shop"
        headers = {"Authorization": f"Bearer {BEARER}"}
        async with self._session.post(url, json=said, headers=headers) as answer:
            assert answer.status == 202, await answer.text()
            return await answer.json()

    async def api(self, path: str, **query: str) -> Any:
        url = f"{self._stage.places.api}/api/v1{path}"
        headers = {"Authorization": f"Bearer {token()}"}
        async with self._session.get(url, params=query, headers=headers) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json()

    async def ledger(self, holds: Callable[[Any, Any], bool]) -> Any:
        """Wait until the accounts of Tryton and of all events show it; they must add up."""
        deadline = time.monotonic() + WITHIN
        while True:
            said = await self.api("/ledger")
            row = said["destinations"].get("tryton", {})
            if row and holds(row, said["totals"]):
                assert said["balanced"], said
                return said
            assert time.monotonic() < deadline, said
            await asyncio.sleep(0.05)

    async def quiet(self) -> Any:
        return await self.ledger(lambda row, totals: row["pending"] == totals["pending"] == 0)


@dataclass(frozen=True, slots=True)
class Road:
    """The whole service at work between a shop and Tryton."""

    tryton: Tryton
    clerk: Clerk
    shop: Shop


@pytest.fixture
async def road(stage: Stage, tryton: Tryton) -> AsyncIterator[Road]:
    stage.configure(table(tryton) + SHOP)
    # The callback of the usual stage has nobody to call: only Tryton is listening here.
    text = stage.config.read_text().replace('[[routes]]\ndestinations = ["crm"]\n', "")
    stage.config.write_text(text)
    await stage.open("all")
    async with aiohttp.ClientSession() as session:
        yield Road(tryton, Clerk(tryton, session), Shop(stage, session))


async def test_posted_webhooks_drive_the_state_of_a_sale(road: Road) -> None:
    sale = await road.clerk.enter("SHOP-1001")
    other = await road.clerk.enter("SHOP-10012")
    await road.shop.post("e1", "SHOP-1001", "packed", minute=10, tracking="TRK-Ä 1")
    shown = await road.clerk.until(sale, description="TRK-Ä 1")
    assert "draft" == shown["state"]
    await road.shop.post("e2", "SHOP-1001", "cancelled", minute=20)
    shown = await road.clerk.until(sale, state="cancelled", description="TRK-Ä 1")
    await road.shop.quiet()
    again = await road.shop.post("e2", "SHOP-1001", "cancelled", minute=20)
    assert 1 == again["duplicates"]
    await road.shop.post("e3", "SHOP-1001", "picking", minute=15)
    ledger = await road.shop.quiet()
    assert 1 == ledger["totals"]["superseded"]
    assert shown == await road.clerk.look(sale), "neither had a second effect"
    untouched = await road.clerk.look(other)
    assert ("draft", None) == (untouched["state"], untouched["write_date"])


async def test_what_happened_while_tryton_was_away_is_written_when_it_is_back(road: Road) -> None:
    sale = await road.clerk.enter("SHOP-1002")
    await road.shop.post("e1", "SHOP-1002", "packed", minute=10, tracking="TRK-2")
    await road.clerk.until(sale, description="TRK-2")
    await road.shop.quiet()
    await asyncio.to_thread(road.tryton.stop)
    await road.shop.post("e2", "SHOP-1002", "cancelled", minute=20)
    await _refused(road.shop)
    await asyncio.to_thread(road.tryton.start)
    shown = await road.clerk.until(sale, state="cancelled", description="TRK-2")
    row = (await road.shop.quiet())["destinations"]["tryton"]
    assert (1, 1) == (row["owed"], row["synced"])
    assert shown == await road.clerk.look(sale)


async def test_sales_that_are_missing_or_double_are_told_apart(road: Road) -> None:
    await road.shop.post("e1", "SHOP-2002", "cancelled", minute=10)
    await road.shop.ledger(lambda row, _: row["no_record"] == 1)
    late = await road.clerk.enter("SHOP-2002")
    await road.clerk.until(late, state="cancelled")
    twice = [await road.clerk.enter("TWICE") for _ in range(2)]
    await road.shop.post("e2", "TWICE", "cancelled", minute=20)
    await road.shop.ledger(lambda row, _: row["dead"] == 1)
    letters = (await road.shop.api("/dead-letters", destination="tryton"))["items"]
    assert all(str(sale) in letters[0]["summary"] for sale in twice), letters
    row = (await road.shop.quiet())["destinations"]["tryton"]
    assert (2, 1, 1) == (row["owed"], row["synced"], row["dead"])


async def _refused(shop: Shop) -> None:
    """Wait until a call of ours found Tryton away."""
    deadline = time.monotonic() + WITHIN
    while True:
        attempts = (await shop.api("/attempts", destination="tryton"))["items"]
        if any(each["class"] == "transient" for each in attempts):
            return
        assert time.monotonic() < deadline, attempts
        await asyncio.sleep(0.05)
