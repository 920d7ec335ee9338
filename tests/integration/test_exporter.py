"""Publishing to an exchange of somebody else, on a real RabbitMQ that can break."""

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import aio_pika
import aiohttp
import pytest
from aio_pika.abc import AbstractChannel, AbstractIncomingMessage, AbstractQueue

from service.broker.exporter import Exporter, Exporters, exporting
from service.domain.errors import ConfigurationError
from service.domain.events import Subject
from service.settings import Destination
from service.settings.secrets import References
from service.worker.crms import rabbitmq
from service.worker.crms.base import Change, Class, Crm, Target, Write
from service.worker.crms.kind import Tools
from tests.integration.test_rabbitmq import Proxy
from tests.rabbitmq import Rabbit

pytestmark = pytest.mark.rabbitmq

AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)


class Reader:
    """Somebody else's exchange with a queue behind it."""

    def __init__(self, channel: AbstractChannel, name: str, queue: AbstractQueue) -> None:
        self.channel = channel
        self.name = name
        self.queue = queue

    async def take(self) -> AbstractIncomingMessage:
        message = await self.queue.get(timeout=5, fail=True)
        assert message is not None
        await message.ack()
        return message


@pytest.fixture
async def theirs(amqp_url: str) -> AsyncIterator[Reader]:
    name = f"export-{secrets.token_hex(6)}"
    async with asyncio.timeout(20), await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(name, "topic", durable=True)
        queue = await channel.declare_queue(name, durable=True)
        await queue.bind(exchange, "order.*")
        yield Reader(channel, name, queue)
        cleaning = await connection.channel()
        await cleaning.queue_delete(name)
        await cleaning.exchange_delete(name)


@pytest.fixture
async def exporters() -> AsyncIterator[Exporters]:
    async with exporting() as made:
        yield made


class Purse:
    """A budget without end."""

    async def spend(self, costs: object) -> None:
        del costs

    def learn(self, hints: object) -> None:
        del hints


def crm(exporter: Exporter, exchange: str, **options: Any) -> Crm:
    table = {"name": "esb", "crm": "rabbitmq", "options": {"exchange": exchange, **options}}
    context = References({}, Path(), sandbox=True)
    session = aiohttp.ClientSession.__new__(aiohttp.ClientSession)  # never opened, never used
    tools = Tools(session, lambda: AT, Purse(), publish=exporter.publish)
    return rabbitmq.build(Destination.model_validate(table, context=context), tools)


def write(version: int = 1, **overrides: Any) -> Write:
    subject = Subject("order", "", "1001")
    said = Change(
        **{
            "subject": subject,
            "status": "paid",
            "previous": None,
            "lanes": {},
            "attributes": {"amount": "49.90"},
            "version": version,
            "event_ids": [UUID(int=version)],
            "occurred_at": AT,
            "changed_at": AT,
            "key": f"esb:{subject}:{version}",
            **overrides,
        }
    )
    return Write(said, Target("order", "", ""), "1001", said.status)


async def until_told(told: Crm, row: Write) -> None:
    """Repeat as the pump does, until it is confirmed."""
    async with asyncio.timeout(20):
        while (await told.write_batch([row]))[0].kind is not Class.OK:
            await asyncio.sleep(0.1)


async def test_a_change_reaches_their_queue_with_its_id(
    amqp_url: str, theirs: Reader, exporters: Exporters
) -> None:
    [answer] = await crm(exporters.to(amqp_url), theirs.name).write_batch([write()])
    assert Class.OK == answer.kind, answer
    message = await theirs.take()
    assert ("esb:order/1001:1", "order.paid") == (message.message_id, message.routing_key)
    assert "application/cloudevents+json" == message.content_type
    assert 2 == message.delivery_mode
    assert "1.0" == json.loads(message.body)["specversion"]


async def test_binary_mode_arrives_as_headers(
    amqp_url: str, theirs: Reader, exporters: Exporters
) -> None:
    await crm(exporters.to(amqp_url), theirs.name, mode="binary").write_batch([write()])
    message = await theirs.take()
    assert "order.status_changed" == message.headers["cloudEvents:type"]
    assert "paid" == json.loads(message.body)["status"]


async def test_versions_arrive_in_their_order(
    amqp_url: str, theirs: Reader, exporters: Exporters
) -> None:
    told = crm(exporters.to(amqp_url), theirs.name)
    for version in range(1, 21):
        await told.write_batch([write(version)])
    seen = [json.loads((await theirs.take()).body)["data"]["version"] for _ in range(20)]
    assert list(range(1, 21)) == seen


async def test_a_batch_is_confirmed_row_by_row(
    amqp_url: str, theirs: Reader, exporters: Exporters
) -> None:
    rows = [write(n, status="paid" if n != 3 else "a.b") for n in range(1, 101)]
    answers = await crm(exporters.to(amqp_url), theirs.name).write_batch(rows)
    assert {Class.OK} == {answer.kind for answer in answers}
    unbound = crm(exporters.to(amqp_url), theirs.name, routing_key="{status}.x")
    answers = await unbound.write_batch([write(1), write(2)])
    assert [Class.PERMANENT] * 2 == [answer.kind for answer in answers]


async def test_what_no_queue_takes_is_refused_with_a_sentence(
    amqp_url: str, theirs: Reader, exporters: Exporters
) -> None:
    told = crm(exporters.to(amqp_url), theirs.name, routing_key="nobody.{status}")
    [answer] = await told.write_batch([write()])
    assert Class.PERMANENT == answer.kind
    assert f"No queue takes nobody.paid at exchange {theirs.name}: bind one" in answer.detail
    assert (
        Class.OK == (await crm(exporters.to(amqp_url), theirs.name).write_batch([write()]))[0].kind
    )


async def test_a_missing_exchange_is_named_and_never_declared(
    amqp_url: str, theirs: Reader, exporters: Exporters
) -> None:
    name = f"{theirs.name}-late"
    told = crm(exporters.to(amqp_url), name)
    [answer] = await told.write_batch([write()])
    assert Class.HUMAN == answer.kind
    assert f"no exchange {name}" in answer.detail
    late = await theirs.channel.declare_exchange(name, "topic", auto_delete=True)
    await theirs.queue.bind(late, "#")
    assert Class.OK == (await told.write_batch([write()]))[0].kind
    await theirs.queue.unbind(late, "#")
    [answer] = await told.write_batch([write()])
    assert Class.HUMAN == answer.kind, "the exchange went with its last binding"


async def test_a_full_queue_is_tried_later(
    amqp_url: str, theirs: Reader, exporters: Exporters
) -> None:
    arguments: dict[str, Any] = {"x-max-length": 1, "x-overflow": "reject-publish"}
    exchange = await theirs.channel.get_exchange(theirs.name)
    full = await theirs.channel.declare_queue(exclusive=True, arguments=arguments)
    await full.bind(exchange, "full.#")
    told = crm(exporters.to(amqp_url), theirs.name, routing_key="full.{status}")
    kinds = [(await told.write_batch([write(n)]))[0].kind for n in range(1, 5)]
    assert Class.OK == kinds[0]
    assert Class.TRANSIENT == kinds[-1]


async def test_our_own_exchange_is_never_written_to(amqp_url: str, exporters: Exporters) -> None:
    exporter = exporters.to(amqp_url, ours=["orderhook", "orderhook.dead"])
    for name in ("orderhook", "orderhook.dead", ""):
        with pytest.raises(ValueError, match="our own"):
            await exporter.publish(name, "x", b"", {})


@pytest.mark.parametrize(
    ("url", "kind", "says"),
    [
        ("amqp://guest:guest@127.0.0.1:9/", Class.TRANSIENT, "refuses connections"),
        ("amqp://nobody:secret-word@{host}/", Class.HUMAN, "user name or password"),
    ],
)
async def test_a_broker_that_lets_nobody_in_says_so_without_the_password(
    amqp_url: str, exporters: Exporters, url: str, kind: Class, says: str
) -> None:
    host = amqp_url.partition("@")[2].rstrip("/")
    [answer] = await crm(exporters.to(url.format(host=host)), "orders").write_batch([write()])
    assert kind == answer.kind, answer
    assert says in answer.detail
    assert "secret-word" not in repr(answer)


def test_what_is_no_amqp_url_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="amqp://"):
        Exporters().to("https://broker.example.com")


async def test_a_lost_confirm_is_repeated_with_the_same_id(amqp_url: str, theirs: Reader) -> None:
    proxy = Proxy(amqp_url)
    await proxy.start()
    exporter = Exporter(proxy.url, within=1.0)
    told = crm(exporter, theirs.name)
    assert Class.OK == (await told.write_batch([write(1)]))[0].kind
    proxy.freeze()
    assert [Class.TRANSIENT] == [each.kind for each in await told.write_batch([write(2)])]
    proxy.thaw()
    await until_told(told, write(2))
    ids = [(await theirs.take()).message_id for _ in range(2)]
    assert ["esb:order/1001:1", "esb:order/1001:2"] == ids
    await exporter.close()
    await proxy.stop()


async def test_a_broker_that_died_is_found_again(rabbit: Rabbit) -> None:
    name = f"export-{secrets.token_hex(6)}"
    async with await aio_pika.connect(rabbit.url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(name, "topic", durable=True)
        queue = await channel.declare_queue(name, durable=True)
        await queue.bind(exchange, "#")
    async with exporting() as exporters:
        told = crm(exporters.to(rabbit.url), name)
        assert Class.OK == (await told.write_batch([write(1)]))[0].kind
        await asyncio.to_thread(rabbit.kill)
        [answer] = await told.write_batch([write(2)])
        assert Class.TRANSIENT == answer.kind, answer
        rabbit.start()  # not in a thread: the server ends with the thread that started it
        await until_told(told, write(2))
