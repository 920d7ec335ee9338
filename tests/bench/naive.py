"""Baseline (d): what a good engineer builds in a day; no database, no dedupe, no order of events.

`gateway` verifies the signature, publishes the body to a durable quorum queue, waits for the
confirm and answers 202. `worker` takes a message, reads the status, calls the CRM once for each
event over kept connections, and acknowledges. Both run on uvloop, with a hundred under way.
"""

import argparse
import asyncio
import hashlib
import hmac
import os
import time
from pathlib import Path
from typing import Any

import aio_pika
import orjson
import uvloop
from aio_pika.abc import AbstractExchange, AbstractIncomingMessage
from aiohttp import ClientSession, ClientTimeout, TCPConnector, web

from tests.bench import ready

QUEUE = "naive.events"
UNDER_WAY = 100
TOLERANCE = 300
PATIENCE = ClientTimeout(total=10)
PAYMENTS = {
    "payment_intent.amount_capturable_updated": "authorized",
    "payment_intent.succeeded": "paid",
}


def genuine(source: str, headers: Any, body: bytes, keys: dict[str, bytes]) -> bool:
    if source == "shop":
        expected = hmac.digest(keys["shop"], body, hashlib.sha256).hex()
        return hmac.compare_digest(expected, headers.get("X-Signature", ""))
    if source == "pay":
        parts = dict(
            part.partition("=")[::2] for part in headers.get("Stripe-Signature", "").split(",")
        )
        stamp = parts.get("t", "0")
        if abs(time.time() - int(stamp)) > TOLERANCE:
            return False
        expected = hmac.digest(keys["pay"], stamp.encode() + b"." + body, hashlib.sha256).hex()
        return hmac.compare_digest(expected, parts.get("v1", ""))
    return False


def change(source: str, body: bytes) -> dict[str, str]:
    """What the CRM is told."""
    said = orjson.loads(body)
    if source == "shop":
        return {"subject": f"order/{said['order']}", "status": said["status"].lower()}
    order = said["data"]["object"]["metadata"]["order_no"]
    return {"subject": f"order/{order}", "status": PAYMENTS.get(said["type"], said["type"])}


async def connected(url: str) -> tuple[aio_pika.abc.AbstractConnection, Any]:
    connection = await aio_pika.connect_robust(url)
    channel = await connection.channel()
    await channel.set_qos(UNDER_WAY)
    queue = await channel.declare_queue(QUEUE, durable=True, arguments={"x-queue-type": "quorum"})
    return connection, (channel, queue)


def gateway(exchange: AbstractExchange, keys: dict[str, bytes]) -> web.Application:
    async def take(request: web.Request) -> web.Response:
        source, body = request.match_info["source"], await request.read()
        if not genuine(source, request.headers, body, keys):
            return web.Response(status=401)
        message = aio_pika.Message(
            body, delivery_mode=aio_pika.DeliveryMode.PERSISTENT, headers={"source": source}
        )
        await exchange.publish(message, QUEUE)
        return web.Response(status=202)

    app = web.Application()
    app.router.add_post("/webhooks/{source}", take)
    return app


async def run_gateway(words: argparse.Namespace) -> None:
    _, (channel, _) = await connected(words.amqp)
    keys = {"shop": os.environ["SHOP_KEY"].encode(), "pay": os.environ["PAY_KEY"].encode()}
    await ready.serve(gateway(channel.default_exchange, keys), words.ready_file)


async def run_worker(words: argparse.Namespace) -> None:
    connector = TCPConnector(limit=UNDER_WAY)
    async with ClientSession(connector=connector, timeout=PATIENCE) as session:

        async def take(message: AbstractIncomingMessage) -> None:
            async with message.process(requeue=True):
                data = change(str(message.headers["source"]), message.body)
                async with session.post(f"{words.crm}/callback", json={"data": data}) as answer:
                    answer.raise_for_status()

        _, (_, queue) = await connected(words.amqp)
        await queue.consume(take)
        ready.tell(words.ready_file, "")
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("role", choices=("gateway", "worker"))
    parser.add_argument("--amqp", required=True)
    parser.add_argument("--crm", default="")
    parser.add_argument("--ready-file", type=Path, required=True)
    words = parser.parse_args()
    uvloop.run(run_gateway(words) if words.role == "gateway" else run_worker(words))


if __name__ == "__main__":
    main()
