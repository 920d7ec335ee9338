"""Couriers: what their layouts alone do not show."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Fate, Lookup, Statement
from service.domain.lifecycles import ORDER
from service.intake.provider import Forged, Genuine, Inquiry, RawRequest
from service.intake.providers.couriers import (
    aftership,
    dhl,
    fedex,
    sendcloud,
    shipengine,
    shippo,
    shipstation,
    ups,
)
from service.intake.reading.layout import Branch
from service.sandbox.senders.couriers.shipengine import KEY_ID, publish
from service.sandbox.senders.occasion import Delivery
from service.sandbox.senders.signing import drafts, keys, publickeys
from service.settings import Secret, Source
from tests import simulated

NOW = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
TABLES = {
    "aftership": aftership.TAGS,
    "dhl": dhl.STATUSES,
    **dhl.DIVISIONS,
    "fedex": fedex.CODES,
    "sendcloud": sendcloud.STATUSES,
    "shipengine": shipengine.CODES,
    "shippo": shippo.STATUSES,
    "shipstation": shipstation.STATUSES,
    "ups": ups.CODES,
}


def source(provider: str, **rules: Any) -> Source:
    usual = {"name": "courier", "provider": provider, "secrets": (Secret.plain("secret"),)}
    return Source.model_validate({**usual, **rules})


def request(body: object, method: str = "POST", path: str = "/webhooks/courier") -> RawRequest:
    return RawRequest(method, path, "", (), json.dumps(body).encode(), NOW)


@pytest.mark.parametrize("name", TABLES)
def test_every_word_means_a_status_there_is_or_nothing_for_a_reason(name: str) -> None:
    for told in TABLES[name].values():
        for said in told.told.values() if isinstance(told, Branch) else (told,):
            assert isinstance(said, str)
            lane, _, status = said.partition(".")
            assert said.startswith("ignore: ") or ORDER.find(lane, status), said


# --- ShipStation V1 ----------------------------------------------------------------------------

TOKEN = {"url_token": Secret.plain("4f9d1c0b7a6e5d3c2b1a09f8e7d6c5b4"), "secrets": ()}


def fetched(body: object, path: str) -> tuple[Statement, ...]:
    built = shipstation.build(source("shipstation", **TOKEN))
    return tuple(built.parse(request(body, "GET", path)))


@pytest.mark.parametrize(
    ("address", "path", "query"),
    [
        (
            "https://ssapi6.shipstation.com/orders?importBatch=1ab23c4d-5",
            "/orders",
            "importBatch=1ab23c4d-5",
        ),
        ("https://ssapi.shipstation.com/shipments?batchId=1&a=b", "/shipments", "batchId=1&a=b"),
        ("https://ssapi12.shipstation.com/orders/9", "/orders/9", ""),
    ],
)
def test_an_address_of_shipstation_is_asked_at_its_own_api(
    address: str, path: str, query: str
) -> None:
    asked = shipstation.inquire(Lookup("resource", address))
    assert Inquiry(path, query, "Basic {token64}") == asked


@pytest.mark.parametrize(
    "address",
    [
        "http://ssapi.shipstation.com/orders",
        "https://ssapi.shipstation.com.evil.example/orders",
        "https://ssapi.shipstation.com:8443/orders",
        "https://user@ssapi.shipstation.com/orders",
        "https://evil.example/?https://ssapi.shipstation.com/orders",
        "https://ssapiX.shipstation.com/orders",
        "https://ssapi.shipstation.com/../admin",
        "https://ssapi.shipstation.com//evil.example/",
        "https://ssapi.shipstation.com\\@evil.example/orders",
        "https://ssapi.shipstation.com/orders?a=\r\nHost: evil",
        "https://[::1/orders",
        "169.254.169.254",
        "",
    ],
)
def test_an_address_of_anybody_else_is_never_asked(address: str) -> None:
    assert shipstation.inquire(Lookup("resource", address)) is None


def test_the_orders_that_were_asked_for_say_how_they_stand() -> None:
    def order(number: str, status: str) -> dict[str, Any]:
        when = "2026-01-15T02:00:00.0000000"
        return {"orderId": 9, "orderNumber": number, "orderStatus": status, "modifyDate": when}

    said = fetched(
        {"orders": [order("1001", "shipped"), order("1002", "odd")], "pages": 1}, "/orders"
    )
    assert ["1001", "1002"] == [each.ref for each in said]
    assert [Fate.FOLD, Fate.UNMAPPED] == [each.fate for each in said]
    assert ("fulfillment", "shipped") == (said[0].lane, said[0].status)
    assert datetime(2026, 1, 15, 10, 0, tzinfo=UTC) == said[0].occurred_at
    assert (Alias("order:shipstation", "9"),) == said[0].aliases


def test_a_label_that_was_asked_for_is_packed_and_has_a_tracking_number() -> None:
    label = {"shipmentId": 5, "orderId": 9, "orderNumber": "1001", "trackingNumber": "T1"}
    label |= {"createDate": "2026-01-15T02:00:00", "carrierCode": "ups", "voided": False}
    said = fetched({"shipments": [label]}, "/shipments")
    assert ["packed", "label_created"] == [each.status for each in said]
    assert {"1001"} == {each.ref for each in said}
    assert {"T1"} == {each.parcel for each in said}
    assert Alias("tracking", "T1") in said[0].aliases
    voided = fetched({"shipments": [{**label, "voided": True}]}, "/shipments")
    assert {Fate.IGNORED} == {each.fate for each in voided}
    assert not {each.dedupe_key for each in said} & {each.dedupe_key for each in voided}


def test_a_fulfilment_that_was_asked_for_has_left() -> None:
    one = {"fulfillmentId": 5, "orderNumber": "1001", "trackingNumber": "T1", "voided": False}
    (said,) = fetched({"fulfillments": [one]}, "/fulfillments")
    assert ("1001", "shipped", "T1") == (said.ref, said.status, said.parcel)


# --- the others --------------------------------------------------------------------------------


def dhl_event(code: str, **options: str) -> Statement:
    event = {"statusCode": code, "timestamp": "2026-01-15T10:00:00Z"}
    body = {"scope": "subscription.push", "shipments": [{"id": "JD1", "events": [event]}]}
    (said,) = dhl.build(source("dhl", options=options)).parse(request(body))
    return said


def test_one_code_of_two_divisions_of_dhl_means_two_things() -> None:
    assert "delivered" == dhl_event("DD", division="express").status
    assert Fate.IGNORED is dhl_event("DD", division="parcel-de").fate
    assert Fate.UNMAPPED is dhl_event("DD").fate
    assert Fate.IGNORED is dhl_event("101", division="ecommerce").fate
    assert "in_transit" == dhl_event("481", division="ecommerce").status
    assert "delivered" == dhl_event("delivered", division="ecommerce").status


def test_a_division_that_dhl_does_not_have_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="one of express, parcel-de, ecommerce"):
        dhl_event("OK", division="air")


def test_all_codes_of_the_divisions_are_there() -> None:
    assert (352, 38, 16) == tuple(len(each) for each in (dhl.ECOMMERCE, dhl.EXPRESS, dhl.PARCEL_DE))


@pytest.mark.parametrize(
    ("activity", "expected"),
    [
        ({"gmtActivityDate": "20260115", "gmtActivityTime": "100000"}, "20260115T100000Z"),
        (
            {
                "gmtActivityDate": "",
                "localActivityDate": "20260115",
                "localActivityTime": "060000",
                "gmtOffset": "-04.00",
            },
            "20260115T060000-0400",
        ),
        ({"localActivityDate": "20260115", "localActivityTime": "060000"}, "20260115T060000"),
        ({"localActivityDate": "20260115", "gmtOffset": "-04.00"}, None),
        ({"gmtActivityDate": 20260115, "gmtActivityTime": ["1"]}, None),
        ({}, None),
    ],
)
def test_the_time_of_an_activity_of_ups(activity: Any, expected: str | None) -> None:
    assert expected == ups.moment(activity)


def test_shippo_is_proven_by_a_token_only_where_the_source_says_so() -> None:
    shown = RawRequest("POST", "/webhooks/courier", "token=secret", (), b"{}", NOW)
    wanted = source("shippo", options={"proof": "token"})
    assert Genuine() == shippo.PRESET.build(wanted).verify(shown, now=NOW)
    assert isinstance(shippo.PRESET.build(source("shippo")).verify(shown, now=NOW), Forged)
    other = RawRequest("POST", "/webhooks/courier", "token=other", (), b"{}", NOW)
    assert isinstance(shippo.PRESET.build(wanted).verify(other, now=NOW), Forged)


def test_shipengine_may_count_seconds_and_signs_with_the_key_of_its_region() -> None:
    made = publickeys.signer(shipengine.COUNTED, publish=publish, key_id=KEY_ID)
    eu = shipengine.KEY_SETS["eu"]
    (document,) = publish(keys.rsa_key("eu"), "eu").values()
    ends = made.keys("eu")
    wanted = source("shipengine", secrets=(), options={"region": "eu"})
    signing = wanted.model_copy(update={"secrets": (ends.sign_with,)})
    delivery = Delivery(NOW, "evt-1")
    draft = simulated.sender("shipengine").dress(signing, b"{}", delivery)
    signed = made.prove(signing, draft, delivery)
    raw = drafts.arrived(signing, signed, delivery)
    assert Genuine() == simulated.judged(wanted, raw, now=NOW, served={eu: document})
    us = source("shipengine", secrets=())
    assert isinstance(simulated.judged(us, raw, now=NOW, served={eu: document}), Forged)
