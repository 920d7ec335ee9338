"""Simulated senders: samples that say what they are named after, and sentences when they cannot."""

from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Fate
from service.intake.provider import RawRequest
from service.intake.providers.registry import preset
from service.sandbox import senders
from service.settings import Secret, Source

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
OCCASION = senders.Occasion("1001", AT, "evt-1")


def source(provider: str = "generic", **rules: Any) -> Source:
    secrets = (Secret.plain("user:secret"),)
    return Source.model_validate(
        {"name": "tested", "provider": provider, "secrets": secrets, **rules}
    )


def mapped(**rules: Any) -> Source:
    words = {name: name for name in senders.SAMPLES["generic"]}
    usual = {
        "verify": {"scheme": "basic"},
        "key": "id",
        "subject": {"ref": "order.number"},
        "occurred_at": "at",
        "status": "state",
        "statuses": words,
    }
    return source(**{**usual, **rules})


def parsed(source: Source, name: str) -> list[tuple[str | None, str, str | None]]:
    body = senders.sample(source, name, OCCASION)
    signed = senders.sign(source, body, at=AT, key="evt-1")
    headers = tuple((key.lower(), value) for key, value in signed.headers.items())
    request = RawRequest("POST", "/", "", headers, signed.body, AT)
    statements = preset(source.provider).build(source).parse(request)
    assert all(each.fate is Fate.FOLD and each.occurred_at == AT for each in statements)
    return [(each.ref, each.dedupe_key, each.status) for each in statements]


@pytest.mark.parametrize("name", senders.SAMPLES["generic"])
def test_a_generic_sample_says_the_status_it_is_named_after(name: str) -> None:
    assert [("1001", "evt-1", name.partition(".")[2])] == parsed(mapped(), name)


@pytest.mark.parametrize(
    ("name", "status"),
    [(name, name) for name in senders.SAMPLES["stripe"] if name not in {"charged", "checkout"}]
    + [("charged", "paid"), ("checkout", "paid")],
)
def test_a_stripe_sample_says_the_status_it_is_named_after(name: str, status: str) -> None:
    assert [("1001", "evt-1", status)] == parsed(source("stripe"), name)


def test_a_sample_puts_the_order_where_the_source_looks() -> None:
    own = source("stripe", subject={"ref": 'data.object.metadata."order-no"'})
    assert [("1001", "evt-1", "paid")] == parsed(own, "paid")


@pytest.mark.parametrize("items", ["events[]", "data.events", "events[*]", "[]", "@"])
def test_a_generic_sample_takes_the_shape_of_the_source(items: str) -> None:
    assert [("1001", "evt-1", "picking")] == parsed(mapped(items=items), "fulfillment.picking")


@pytest.mark.parametrize(
    "rules",
    [
        {"format": "form"},
        {"format": "form", "items": "events"},
        {"format": "cloudevents"},
        {"format": "cloudevents", "key": "data.id", "occurred_at": "data.at"},
        {"format": "xml", "items": "events.event"},
        {
            "format": "xml",
            "key": 'event."@id"',
            "subject": {"ref": "event.order"},
            "occurred_at": "event.at",
            "status": 'event.state."#text"',
            "attributes": {"vip": 'event.state."@vip"'},
        },
    ],
)
def test_a_generic_sample_is_written_in_the_format_of_the_source(rules: dict[str, Any]) -> None:
    own = mapped(**rules)
    assert [("1001", "evt-1", "picking")] == parsed(own, "fulfillment.picking")


def test_a_sample_of_a_cloudevent_is_one_without_any_rule() -> None:
    own = mapped(format="cloudevents", key=None, occurred_at=None)
    assert [("1001", "/samples evt-1", "picking")] == parsed(own, "fulfillment.picking")


@pytest.mark.parametrize("form", ["auto", "iso", "unix", "unix_ms", "%d.%m.%Y %H:%M"])
def test_a_sample_writes_times_as_the_source_reads_them(form: str) -> None:
    own = mapped(time_formats=[form, "iso"], timezone="Asia/Kolkata")
    assert [("1001", "evt-1", "picking")] == parsed(own, "fulfillment.picking")


def test_a_key_header_is_filled() -> None:
    rules = {"key": "header:X-Event-Id"}
    assert [("1001", "evt-1", "paid")] == parsed(mapped(**rules), "payment.paid")
    signed = senders.sign(mapped(**rules), b"{}", at=AT)
    assert 32 == len(signed.headers["X-Event-Id"])


def test_facts_are_made_up_for_every_attribute() -> None:
    rules = {"attributes": {"amount": "total", "vip": "customer.vip", "colour": "look.colour"}}
    own = mapped(**rules)
    body = senders.sample(own, "payment.paid", OCCASION)
    request = RawRequest("POST", "/", "", (), body, AT)
    (statement,) = preset("generic").build(own).parse(request)
    assert {"amount": "149.90", "vip": False, "colour": "sample colour"} == statement.attributes


def test_a_source_that_only_carries_facts_has_samples_too() -> None:
    rules: dict[str, Any] = {"key": None, "occurred_at": None, "status": None, "statuses": {}}
    assert b'{"order":{"number":"1001"}}' == senders.sample(
        mapped(**rules), "payment.paid", OCCASION
    )


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: senders.sample(mapped(), "nonsense", OCCASION), "generic has no sample nonsense"),
        (
            lambda: senders.sample(source("acme"), "paid", OCCASION),
            "acme has no sample paid; there is: none",
        ),
        (
            lambda: senders.sample(mapped(statuses={}), "payment.paid", OCCASION),
            "has no word for payment.paid",
        ),
        (
            lambda: senders.sample(mapped(key="join('-', [a, b])"), "payment.paid", OCCASION),
            "No sample can be made for the JMESPath",
        ),
        (
            lambda: senders.sample(mapped(status="id.word"), "payment.paid", OCCASION),
            "Two paths of the source meet at 'id'",
        ),
        (
            lambda: senders.sample(mapped(format="xml"), "payment.paid", OCCASION),
            "all paths of the source must begin at one root element",
        ),
        (lambda: senders.sign(source(), b"", at=AT), "The source tested has no verify rule"),
        (lambda: senders.sign(source("acme"), b"", at=AT), "no simulated sender for the provider"),
    ],
)
def test_what_cannot_be_simulated_is_told_in_a_sentence(make: Any, sentence: str) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        make()
