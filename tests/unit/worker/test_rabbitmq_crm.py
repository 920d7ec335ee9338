"""A change as a CloudEvent: what is published, under which key, and what a refusal means."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Subject
from service.settings import Destination
from service.settings.secrets import References
from service.worker.crms import rabbitmq
from service.worker.crms.base import Change, Class, Publish, Target, Write
from service.worker.crms.kind import Tools
from service.worker.crms.rabbitmq import RabbitMq

AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
TARGET = Target("order", "", "")


class Purse:
    """A budget that has what it is told to have."""

    def __init__(self) -> None:
        self.empty: timedelta | None = None

    async def spend(self, costs: Mapping[str, float]) -> timedelta | None:
        return self.empty

    def learn(self, hints: object) -> None:
        del hints


class Exchange:
    """Keeps what is published; fails when told to."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str, bytes, Mapping[str, str]]] = []
        self.fails: Exception | None = None

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, headers: Mapping[str, str]
    ) -> None:
        if self.fails:
            raise self.fails
        self.taken.append((exchange, routing_key, body, headers))

    @property
    def event(self) -> Any:
        return json.loads(self.taken[-1][2])


@pytest.fixture
def exchange() -> Exchange:
    return Exchange()


def built(publish: Publish | None, *, purse: Purse | None = None, **table: Any) -> RabbitMq:
    usual = {"name": "esb", "crm": "rabbitmq", "options": {"exchange": "orders"}}
    context = References({}, Path(), sandbox=True)
    destination = Destination.model_validate({**usual, **table}, context=context)
    # A session that was never opened: nothing here speaks HTTP.
    session = aiohttp.ClientSession.__new__(aiohttp.ClientSession)
    tools = Tools(session, lambda: AT, purse or Purse(), publish=publish)
    crm = rabbitmq.build(destination, tools)
    assert isinstance(crm, RabbitMq)
    return crm


def change(version: int = 1, **overrides: Any) -> Change:
    subject = overrides.pop("subject", Subject("order", "", "1001"))
    usual: dict[str, Any] = {
        "subject": subject,
        "status": "paid",
        "previous": "new",
        "lanes": {"payment": "paid"},
        "attributes": {"email": "a@example.com", "vip": True, "amount": "49.90"},
        "version": version,
        "event_ids": [UUID(int=version)],
        "occurred_at": AT,
        "changed_at": AT,
        "key": f"esb:{subject}:{version}",
    }
    return Change(**{**usual, **overrides})


def write(said: Change) -> Write:
    return Write(said, TARGET, said.subject.ref, said.status)


async def test_a_change_is_a_structured_cloudevent(exchange: Exchange) -> None:
    crm = built(exchange.publish)
    [answer] = await crm.write_batch([write(change())])
    assert Class.OK == answer.kind
    name, routing_key, body, headers = exchange.taken[0]
    assert ("orders", "order.paid") == (name, routing_key)
    assert "application/cloudevents+json" == headers["content-type"]
    assert "esb:order/1001:1" == headers["message-id"]
    assert {
        "specversion": "1.0",
        "id": "esb:order/1001:1",
        "source": "/orderhook/esb",
        "type": "order.status_changed",
        "subject": "order/1001",
        "time": "2026-02-01T10:00:00Z",
        "datacontenttype": "application/json",
        "data": {
            "subject": "order/1001",
            "status": "paid",
            "previous": "new",
            "lanes": {"payment": "paid"},
            "version": 1,
            "event_ids": [str(UUID(int=1))],
            "occurred_at": "2026-02-01T10:00:00Z",
            "attributes": {"amount": "49.90", "email": "a@example.com", "vip": True},
        },
    } == json.loads(body)


async def test_binary_mode_puts_the_attributes_into_headers(exchange: Exchange) -> None:
    crm = built(exchange.publish, options={"exchange": "orders", "mode": "binary"})
    await crm.write_batch([write(change())])
    headers = exchange.taken[0][3]
    assert ("1.0", "order/1001") == (
        headers["cloudEvents:specversion"],
        headers["cloudEvents:subject"],
    )
    assert "application/json" == headers["content-type"]
    assert "paid" == exchange.event["status"]


async def test_the_same_change_has_the_same_bytes_and_the_same_id(exchange: Exchange) -> None:
    crm = built(exchange.publish)
    for _ in range(2):
        await crm.write_batch([write(change())])
    assert exchange.taken[0] == exchange.taken[1]


async def test_masked_attributes_are_left_out_or_hashed(exchange: Exchange) -> None:
    options = {"exchange": "orders", "mask": {"email": "hash", "amount": "drop"}}
    crm = built(exchange.publish, options=options, token="plain:a-key-of-16-bytes")
    await crm.write_batch([write(change())])
    shown = exchange.event["data"]["attributes"]
    assert {"email", "vip"} == shown.keys()
    assert 32 == len(shown["email"])
    assert b"a@example.com" not in exchange.taken[0][2]
    await crm.write_batch([write(change(2))])
    assert shown == exchange.event["data"]["attributes"]


async def test_a_list_of_masked_attributes_leaves_them_out(exchange: Exchange) -> None:
    crm = built(exchange.publish, options={"exchange": "orders", "mask": ["email"]})
    await crm.write_batch([write(change())])
    assert {"amount", "vip"} == exchange.event["data"]["attributes"].keys()


async def test_only_named_attributes_go_out_and_words_are_theirs(exchange: Exchange) -> None:
    crm = built(exchange.publish, statuses={"paid": "bezahlt"}, attributes={"amount": "sum"})
    await crm.write_batch([write(change())])
    data = exchange.event["data"]
    assert ("bezahlt", {"sum": "49.90"}) == (data["status"], data["attributes"])
    assert "order.bezahlt" == exchange.taken[0][1]


@pytest.mark.parametrize(
    ("status", "key"),
    [
        ("#", "order.%23"),
        ("*", "order.%2A"),
        ("a.b", "order.a%2Eb"),
        ("gesch ä", "order.gesch%20%C3%A4"),
        ("ok_1-2", "order.ok_1-2"),
    ],
)
async def test_no_word_of_a_routing_key_is_a_wildcard(
    exchange: Exchange, status: str, key: str
) -> None:
    crm = built(exchange.publish, statuses={"paid": status})
    await crm.write_batch([write(change())])
    assert key == exchange.taken[0][1]


async def test_a_routing_key_that_is_too_long_is_refused(exchange: Exchange) -> None:
    crm = built(exchange.publish, statuses={"paid": "ä" * 60})
    [answer] = await crm.write_batch([write(change())])
    assert (Class.PERMANENT, []) == (answer.kind, exchange.taken)


async def test_a_long_key_becomes_a_short_message_id(exchange: Exchange) -> None:
    crm = built(exchange.publish)
    subjects = [Subject("order", "", "9" * 256), Subject("order", "", "9" * 255 + "8")]
    for subject in subjects:
        await crm.write_batch([write(change(subject=subject))])
    ids = [taken[3]["message-id"] for taken in exchange.taken]
    assert 2 == len(set(ids))
    assert max(map(len, ids)) <= 255
    assert exchange.event["id"].startswith("esb:order/999")


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (LookupError("No queue takes it."), Class.PERMANENT),
        (FileNotFoundError("No exchange."), Class.HUMAN),
        (PermissionError("Not you."), Class.HUMAN),
        (TimeoutError("Nobody knows."), Class.TRANSIENT),
        (ConnectionError("Away."), Class.TRANSIENT),
        (OSError("Full."), Class.TRANSIENT),
    ],
)
async def test_what_the_broker_says_is_classed(
    exchange: Exchange, error: Exception, kind: Class
) -> None:
    exchange.fails = error
    [answer] = await built(exchange.publish).write_batch([write(change())])
    assert (kind, str(error)) == (answer.kind, answer.detail)
    assert (not isinstance(error, ConnectionError)) == answer.reached


async def test_an_empty_budget_publishes_nothing(exchange: Exchange) -> None:
    purse = Purse()
    purse.empty = timedelta(seconds=3)
    [answer] = await built(exchange.publish, purse=purse).write_batch([write(change())])
    assert (Class.RATE, False, []) == (answer.kind, answer.tried, exchange.taken)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"options": {}}, "name of an exchange"),
        ({"options": {"exchange": ""}}, "must be text"),
        ({"options": {"exchange": 7}}, "must be text"),
        ({"options": {"exchange": "x" * 256}}, "that name"),
        ({"options": {"exchange": "o", "mode": "odd"}}, '"structured" or "binary"'),
        ({"options": {"exchange": "o", "routing_key": "{ref}"}}, "no value here"),
        ({"options": {"exchange": "o", "routing_key": "{status"}}, "no placeholder"),
        ({"options": {"exchange": "o", "routing_key": "a.#"}}, "without #"),
        ({"options": {"exchange": "o", "routing_key": "a" * 200}}, "127"),
        ({"options": {"exchange": "o", "mask": {"email": "md5"}}}, "leave out"),
        ({"options": {"exchange": "o", "mask": {"email": "hash"}}}, "MASK_KEY"),
    ],
)
def test_options_that_do_not_fit_are_explained(
    exchange: Exchange, table: dict[str, Any], says: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        built(exchange.publish, **table)
    assert says in str(caught.value)


def test_without_a_broker_it_says_what_to_do() -> None:
    with pytest.raises(ConfigurationError, match="ESB_AMQP_URL"):
        built(None)


def test_its_key_is_not_shown(exchange: Exchange) -> None:
    assert "a-key-of-16-bytes" not in repr(built(exchange.publish, token="plain:a-key-of-16-bytes"))
