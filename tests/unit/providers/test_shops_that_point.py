"""Shops that are asked for their orders, or that test the address: what each of it means."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Lookup, Money, Statement
from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.registry import preset
from service.intake.providers.shops import ecwid, ozon, salla, squarespace, tilda
from tests import simulated

AT = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)


def answered(provider: str, document: object) -> list[Statement]:
    source = simulated.source(provider)
    request = RawRequest("GET", "/order", "", (), orjson.dumps(document), AT)
    return list(preset(provider).build(source).parse(request))


def asked(body: bytes, method: str = "POST") -> RawRequest:
    return RawRequest(method, "/webhooks/tested", "", (), body, AT)


def test_an_order_of_ecwid_says_both_of_its_statuses() -> None:
    order = {
        "id": "XJ12H",
        "internalId": 4242,
        "paymentStatus": "PAID",
        "fulfillmentStatus": "SHIPPED",
        "total": 12.5,
        "refundedAmount": 2.5,
        "updateDate": "2026-01-15 10:30:00 +0000",
    }
    paid, shipped = answered("ecwid", order)
    assert ("payment", "paid", "XJ12H") == (paid.lane, paid.status, paid.ref)
    assert ("fulfillment", "shipped", "XJ12H") == (shipped.lane, shipped.status, shipped.ref)
    assert ((Money("refunded", "2.5"),), ()) == (paid.money, shipped.money)
    assert paid.occurred_at == datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
    unknown, _ = answered("ecwid", order | {"paymentStatus": "BARTERED"})
    assert Fate.UNMAPPED is unknown.fate
    unplaced = answered("ecwid", order | {"paymentStatus": "INCOMPLETE"})
    assert [Fate.IGNORED, Fate.IGNORED] == [each.fate for each in unplaced]


def test_an_order_of_squarespace_tells_what_went_back() -> None:
    order = {
        "id": "5fd3",
        "orderNumber": "42",
        "createdOn": "2026-01-15T10:20:00.000Z",
        "modifiedOn": "2026-01-15T10:30:00.123Z",
        "fulfillmentStatus": "FULFILLED",
        "grandTotal": {"value": "12.50", "currency": "EUR"},
        "refundedTotal": {"value": "2.50", "currency": "EUR"},
    }
    said, back = answered("squarespace", order)
    assert ("42", "fulfillment", "shipped") == (said.ref, said.lane, said.status)
    assert (Money("refunded", "2.50", "EUR"),) == said.money
    assert ("42", "payment", "partially_refunded") == (back.ref, back.lane, back.status)
    said, back = answered("squarespace", order | {"fulfillmentStatus": "PENDING"})
    assert (None, "partially_refunded") == (said.status, back.status)


def test_an_order_of_squarespace_was_paid_when_it_was_made() -> None:
    order = {
        "id": "5fd3",
        "orderNumber": "42",
        "createdOn": "2026-01-15T10:20:00.000Z",
        "modifiedOn": "2026-01-15T10:30:00.123Z",
        "fulfillmentStatus": "PENDING",
        "refundedTotal": {"value": "0.00", "currency": "EUR"},
    }
    paid, kept = answered("squarespace", order)
    assert ("payment", "paid", Fate.IGNORED) == (paid.lane, paid.status, kept.fate)
    assert datetime(2026, 1, 15, 10, 20, tzinfo=UTC) == paid.occurred_at
    (shipped, _) = answered("squarespace", order | {"fulfillmentStatus": "FULFILLED"})
    assert datetime(2026, 1, 15, 10, 30, 0, 123000, tzinfo=UTC) == shipped.occurred_at


@pytest.mark.parametrize("wrong", ["", "..", "a/b", "1003/orders/", "1/orders/../x", "x?y", "é"])
def test_no_id_leads_an_inquiry_elsewhere(wrong: str) -> None:
    assert ecwid.ask(Lookup("order", wrong)) is None
    assert squarespace.ask(Lookup("order", wrong)) is None


def test_an_order_is_asked_for_where_it_stands() -> None:
    found = ecwid.ask(Lookup("order", "1003/orders/XJ12H"))
    assert found is not None
    assert "/1003/orders/XJ12H" == found.path
    found = squarespace.ask(Lookup("order", "5fd3"))
    assert found is not None
    assert ("/1.0/commerce/orders/5fd3", {"User-Agent": "Orderhook"}) == (found.path, found.headers)


def test_the_vector_of_the_catalogue_for_ecwid_is_genuine_whatever_else_the_body_says() -> None:
    body = {"eventId": "80aece08-40e8-4145-8764-6c2f0d38678", "eventCreated": 1234567}
    proof = (("x-ecwid-webhook-signature", "Rtspmg3jjTnPqGYLxNa0dfngxD4VjAOuznygqJLvgOg="),)
    source = simulated.described({"secrets": ["client_secret_1"], "token": "t"}, "ecwid")
    for more in ({}, {"entityId": 5}):
        request = replace(asked(orjson.dumps(body | more)), headers=proof)
        assert Genuine() == simulated.judged(source, request)
    request = replace(asked(orjson.dumps(body | {"eventCreated": 1234568})), headers=proof)
    assert isinstance(simulated.judged(source, request), Forged)


def test_ozon_is_answered_when_it_tests_the_address_and_when_it_tells() -> None:
    reply = ozon.ping(asked(b'{"message_type":"TYPE_PING","time":"2026-01-15T10:30:00Z"}'))
    assert reply is not None
    expected = {"version": "1.0", "name": "orderhook", "time": "2026-01-15T10:30:05Z"}
    assert (200, expected) == (reply.status, orjson.loads(reply.body))
    assert ozon.ping(asked(b'{"message_type":"TYPE_NEW_POSTING","x":"TYPE_PING"}')) is None
    assert ozon.ping(asked(b'["TYPE_PING"]')) is None
    assert ozon.ping(asked(b'"TYPE_PING" {')) is None
    built = preset("ozon").build(simulated.source("ozon"))
    answer = built.acknowledge(asked(b"{}"))
    assert answer is not None
    assert (200, b'{"result":true}') == (answer.status, answer.body)


def test_tilda_is_answered_when_it_tests_the_address() -> None:
    reply = tilda.test(asked(b"test=test"))
    assert reply is not None
    assert (200, b"ok") == (reply.status, reply.body)
    assert tilda.test(asked(b"test=test&tranid=1")) is None
    assert tilda.test(asked(b"test=test", "GET")) is None


@pytest.mark.parametrize(
    ("options", "headers", "body"),
    [
        ({"header": "X-Key"}, (("x-key", "user:secret-old"),), b"tranid=1"),
        ({"field": "pass"}, (), b"tranid=1&pass=user:secret-old"),
    ],
)
def test_tilda_shows_its_key_where_the_options_say(
    options: dict[str, Any], headers: tuple[tuple[str, str], ...], body: bytes
) -> None:
    source = simulated.source("tilda", options=options)
    request = replace(asked(body), headers=headers)
    assert Genuine() == simulated.judged(source, request)
    assert "secret-old" not in repr(preset("tilda").build(source).redact(request))
    answer = simulated.judged(source, replace(asked(b"tranid=1&api_key=user:secret-old")))
    assert isinstance(answer, Forged)
    assert Cause.MISSING is answer.cause


@pytest.mark.parametrize("wrong", ["", "a b", "auth[x]", 5, "\n"])
def test_tilda_needs_a_usable_name_for_its_key(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match=r"options\.field"):
        preset("tilda").build(simulated.source("tilda", options={"field": wrong}))


def test_what_salla_sends_does_not_choose_how_it_proves_itself() -> None:
    signed = simulated.source("salla")
    shown = (("authorization", "user:secret-old"), ("x-salla-security-strategy", "Token"))
    request = replace(asked(b'{"event":"order.created"}'), headers=shown)
    answer = simulated.judged(signed, request)
    assert isinstance(answer, Forged)
    assert Cause.MISSING is answer.cause
    by_token = simulated.source("salla", options={"strategy": "token"})
    assert Genuine() == simulated.judged(by_token, request)
    with pytest.raises(ConfigurationError, match="knows no strategy none"):
        preset("salla").build(simulated.source("salla", options={"strategy": "none"}))


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("Wed Oct 13 2021 07:53:00 GMT+0300", "2021-10-13T07:53:00+03:00"),
        ("Wed Oct 13 2021 07:53:00 GMT+0300 (Arabian Time)", "2021-10-13T07:53:00+03:00"),
        ("Wed Foo 13 2021 07:53:00 GMT+0300", "Wed Foo 13 2021 07:53:00 GMT+0300"),
        ("2021-10-13T07:53:00Z", "2021-10-13T07:53:00Z"),
        (1634100780, 1634100780),
        (None, None),
    ],
)
def test_times_of_salla_are_read_as_they_are_spoken(written: Any, expected: Any) -> None:
    assert expected == salla.moment(written)
