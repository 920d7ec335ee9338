"""From a webhook to an exchange of somebody else: every version as a CloudEvent, masked."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import aio_pika
import aiohttp
import pytest
from aio_pika.abc import AbstractExchange, AbstractQueue

from tests.acceptance.stage import Stage, token

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(90)]

BEARER = "the-token-of-the-shop"
CONFIG = """
[sources.shop]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:{bearer}"]
key = "id"
subject = {{ ref = "order" }}
occurred_at = "at"
status = "code"
attributes = {{ email = "email", tracking_number = "tracking" }}
[sources.shop.statuses]
picking = "fulfillment.picking"
packed = "fulfillment.packed"
shipped = "fulfillment.shipped"

[destinations.esb]
crm = "rabbitmq"
token = "plain:a-key-that-masks-what-is-private"
options = {{ exchange = "{exchange}", mask = {{ email = "hash" }} }}
retry = {{ first = "300ms", max = "1s" }}

[[routes]]
sources = ["shop"]
destinations = ["esb"]
"""


@dataclass(frozen=True, slots=True)
class Theirs:
    """Their exchange, and the queue of a receiver."""

    exchange: AbstractExchange
    queue: AbstractQueue

    async def take(self) -> tuple[str | None, str | None, dict[str, Any]]:
        """Message id, routing key and body of the next message."""
        async with asyncio.timeout(20):
            while (message := await self.queue.get(fail=False)) is None:
                await asyncio.sleep(0.02)
        await message.ack()
        return message.message_id, message.routing_key, json.loads(message.body)


@pytest.fixture
async def theirs(amqp_url: str) -> AsyncIterator[Theirs]:
    name = f"theirs-{secrets.token_hex(6)}"
    async with asyncio.timeout(60), await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(name, "topic", durable=True)
        queue = await channel.declare_queue(name, durable=True)
        await queue.bind(exchange, "order.ready_to_ship")
        yield Theirs(exchange, queue)
        await channel.queue_delete(name)
        await channel.exchange_delete(name)


async def post(stage: Stage, event: str, code: str, minute: int) -> None:
    said = {"id": event, "order": "A.#*1", "code": code, "at": f"2026-01-15T10:{minute}:00Z"}
    private = {"email": "kaethe@example.com", "tracking": "T-1"}
    headers = {"Authorization": f"Bearer {BEARER}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{stage.public}/webhooks/shop", json={**said, **private}, headers=headers
        ) as answer,
    ):
        assert answer.status == 202, await answer.text()


async def api(stage: Stage, path: str) -> Any:
    headers = {"Authorization": f"Bearer {token()}"}
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"{stage.places.api}/api/v1{path}", headers=headers) as answer,
    ):
        assert answer.status == 200, await answer.text()
        return await answer.json()


async def test_every_version_reaches_their_exchange_and_what_nobody_takes_is_told(
    stage: Stage, theirs: Theirs
) -> None:
    stage.configure(CONFIG.format(bearer=BEARER, exchange=theirs.exchange.name))
    text = stage.config.read_text().replace('[[routes]]\ndestinations = ["crm"]\n', "")
    stage.config.write_text(text)
    await stage.open("all")
    await post(stage, "e1", "packed", 10)
    message_id, routing_key, event = await theirs.take()
    data = event["data"]
    assert ("esb:order/A.#*1:1", "order.ready_to_ship") == (message_id, routing_key)
    assert ("1.0", "order/A.#*1", 1) == (event["specversion"], event["subject"], data["version"])
    assert ("T-1", 32) == (data["attributes"]["tracking_number"], len(data["attributes"]["email"]))
    assert "kaethe" not in json.dumps(event)

    # A key that no queue is bound for: a person binds one, and what waited goes out.
    await post(stage, "e2", "shipped", 20)
    async with asyncio.timeout(20):
        while not (letters := (await api(stage, "/dead-letters"))["items"]):
            await asyncio.sleep(0.05)
    assert "No queue takes order.shipped" in letters[0]["summary"]
    await theirs.queue.bind(theirs.exchange, "order.#")
    done = await asyncio.to_thread(stage.verb, "dead", "redrive", letters[0]["id"], "--yes")
    assert done.code == 0, done.out + done.err
    message_id, routing_key, event = await theirs.take()
    assert ("order.shipped", 2) == (routing_key, event["data"]["version"])
    ledger = await api(stage, "/ledger")
    assert ledger["balanced"]
