"""ShipBob: the official Standard Webhooks library as oracle, and the map of its topics."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import standardwebhooks as sdk

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Statement
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.warehouses import shipbob
from service.sandbox import senders
from service.settings import Secret, Source

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
NOW = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)


def source(**rules: Any) -> Source:
    secrets = (Secret.plain(SECRET),)
    rules = {"name": "wms", "provider": "shipbob", "secrets": secrets, **rules}
    return Source.model_validate(rules)


def request(body: bytes, **headers: str) -> RawRequest:
    pairs = tuple((name.replace("_", "-"), value) for name, value in headers.items())
    return RawRequest("POST", "/webhooks/wms", "", pairs, body, NOW)


def parse(topic: str, **told: Any) -> list[Statement]:
    body = {"reference_id": "1001", "order_id": 1, "event_time": "2026-01-15T10:30:00Z", **told}
    raw = request(json.dumps(body).encode(), x_webhook_topic=topic, webhook_id="msg_1")
    return list(shipbob.build(source()).parse(raw))


def test_what_the_library_signs_is_genuine_and_unsigned_subscriptions_are_refused() -> None:
    body = '{"reference_id":"1001"}'
    signature = sdk.Webhook(SECRET).sign("msg_1", NOW, body)
    stamp = str(int(NOW.timestamp()))
    headers = {"webhook_id": "msg_1", "webhook_timestamp": stamp, "webhook_signature": signature}
    built = shipbob.build(source())
    assert Genuine() == built.verify(request(body.encode(), **headers), now=NOW)
    legacy = request(body.encode(), shipbob_topic="order_shipped", shipbob_subscription_id="1")
    answer = built.verify(legacy, now=NOW)
    assert isinstance(answer, Forged)
    assert "The header webhook-signature is missing." == answer.reason


def test_a_printed_label_is_packed_for_the_warehouse_and_a_label_for_the_carrier() -> None:
    packed, label = parse("order.shipped")
    assert ("fulfillment", "packed", "msg_1") == (packed.lane, packed.status, packed.dedupe_key)
    assert ("delivery", "label_created", "msg_1.1") == (label.lane, label.status, label.dedupe_key)


@pytest.mark.parametrize(
    ("topic", "lane", "status"),
    [
        ("order.shipment.cancelled", "fulfillment", "cancelled"),
        ("order.shipment.delivered", "delivery", "delivered"),
        ("order.delivered", "delivery", "delivered"),
        ("order.shipment.on_hold", None, None),
        ("order.shipment.exception", None, None),
        ("order.shipment.tracking.updated", None, None),
    ],
)
def test_a_topic_moves_its_lane_or_leaves_a_mark(
    topic: str, lane: str | None, status: str | None
) -> None:
    (said,) = parse(topic)
    assert (Fate.FOLD, "1001", lane, status) == (said.fate, said.ref, said.lane, said.status)
    assert topic.rpartition(".")[2] == said.attributes["warehouse_status"]


@pytest.mark.parametrize("topic", shipbob.WORDED)
@pytest.mark.parametrize(("word", "target"), shipbob.WORDS.items())
def test_a_tracking_word_moves_the_delivery(topic: str, word: str, target: str) -> None:
    (said,) = parse(topic, status=word)
    assert target == f"{said.lane}.{said.status}"
    assert word == said.attributes["warehouse_status"]


@pytest.mark.parametrize("word", ["Teleported", "delivered", ["Delivered"], 7.5])
def test_a_tracking_word_that_is_not_known_is_unmapped(word: Any) -> None:
    (said,) = parse("order.shipment.tracking.updated", status=word)
    assert (Fate.UNMAPPED, None) == (said.fate, said.status)
    assert "tracking status" in said.note


@pytest.mark.parametrize("topic", ["order.teleported", "order.shipment.teleported"])
def test_a_topic_about_orders_that_is_not_known_is_unmapped(topic: str) -> None:
    (said,) = parse(topic)
    assert Fate.UNMAPPED is said.fate


@pytest.mark.parametrize(
    "topic", [*shipbob.IGNORED, "return.completed", "wro.created", "billing.charge.created"]
)
def test_what_is_no_status_of_an_order_is_ignored(topic: str) -> None:
    (said,) = parse(topic)
    assert (Fate.IGNORED, None) == (said.fate, said.ref)


def test_a_status_without_an_order_is_unresolved_and_says_where_it_looked() -> None:
    (said,) = parse("order.delivered", reference_id=None, order_id=None)
    assert Fate.UNRESOLVED is said.fate
    assert "order.delivered names no order: there is nothing at `reference_id`." == said.note


def test_a_shipment_is_a_parcel_and_its_tracking_number_another_name_of_the_order() -> None:
    tracking = {"tracking_id": "9400"}
    (said,) = parse(shipbob.WORDED[1], shipment_id=7, status="InTransit", tracking=tracking)
    names = [*map(str, said.aliases)]
    assert ("9400", ["tracking=9400", "order:shipbob=1"]) == (said.parcel, names)
    (unlabelled,) = parse("order.shipment.cancelled", shipment_id=7)
    assert "7" == unlabelled.parcel
    (whole,) = parse("order.delivered", shipment_id=7)
    assert whole.parcel is None


def test_without_a_reference_the_order_is_found_by_its_other_names() -> None:
    (said,) = parse("order.delivered", reference_id=None)
    assert (Fate.FOLD, None) == (said.fate, said.ref)
    assert [("order:shipbob", "1")] == [*said.aliases]


@pytest.mark.parametrize(
    "headers", [{}, {"x_webhook_topic": "order.shipped"}, {"webhook_id": "msg_1"}]
)
def test_without_topic_or_id_nothing_can_be_read(headers: dict[str, str]) -> None:
    (said,) = shipbob.build(source()).parse(request(b"{}", **headers))
    assert Fate.UNREADABLE is said.fate


@pytest.mark.parametrize("name", senders.SAMPLES["shipbob"])
def test_a_sample_says_the_status_it_is_named_after(name: str) -> None:
    body = senders.sample(source(), name, senders.Occasion("1001", NOW, "evt-1"))
    signed = senders.sign(source(), body, at=NOW, key="evt-1", sample=name)
    headers = tuple((key.lower(), value) for key, value in signed.headers.items())
    raw = RawRequest("POST", "/", "", headers, signed.body, NOW)
    built = shipbob.build(source())
    assert Genuine() == built.verify(raw, now=NOW)
    said = built.parse(raw)
    assert all(("1001", NOW, Fate.FOLD) == (s.ref, s.occurred_at, s.fate) for s in said)
    assert (None if name == "on_hold" else name) in [each.status for each in said]
    assert "evt-1" == said[0].dedupe_key


def test_a_body_of_ones_own_is_sent_as_tracking() -> None:
    signed = senders.sign(source(), b"{}", at=NOW)
    assert "order.shipment.tracking.updated" == signed.headers["x-webhook-topic"]


def test_a_source_without_a_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="put the subscription's secret"):
        shipbob.build(source(secrets=()))
