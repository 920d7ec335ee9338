"""Shopify: the published formula as oracle, both families of headers, and the map of its topics."""

import base64
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Fate, Money, Revocation, Statement
from service.domain.keys import body_key
from service.intake.provider import Forged, Genuine, RawRequest, Verification
from service.intake.providers.shops import shopify
from service.intake.providers.shops.shopify import meanings
from service.sandbox import senders
from service.settings import Secret, Source

SECRET = "test_secret_123"
NOW = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
BODY = b'{"id":"evt_1","type":"payment.paid","data":{"order":"A-1001","amount":1500}}'
VECTOR = "23GvIyHdU85sI8r4jLylmnINGmlGAabikIWJ/RO3oRU="
CLASSIC, BARE = "x-shopify-hmac-sha256", "shopify-hmac-sha256"
BY_ID = {"subject": {"ref": "id"}}


def source(**rules: Any) -> Source:
    secrets = (Secret.plain(SECRET),)
    rules = {"name": "shop", "provider": "shopify", "secrets": secrets, **rules}
    return Source.model_validate(rules)


def request(body: bytes, *headers: tuple[str, str]) -> RawRequest:
    return RawRequest("POST", "/webhooks/shop", "", headers, body, NOW)


def formula(body: bytes) -> str:
    return base64.b64encode(hmac.digest(SECRET.encode(), body, "sha256")).decode()


def verdict(body: bytes, *headers: tuple[str, str]) -> Verification:
    return shopify.build(source()).verify(request(body, *headers), now=NOW)


def refusal(body: bytes, *headers: tuple[str, str]) -> str:
    answer = verdict(body, *headers)
    assert isinstance(answer, Forged)
    return answer.reason


def parse(topic: str, thing: dict[str, Any], **rules: Any) -> list[Statement]:
    order = {"id": 1, "order_id": 1, "order_number": 1001, "updated_at": "2026-01-15T10:30:00Z"}
    headers = (
        (CLASSIC, "checked before"),
        ("x-shopify-topic", topic),
        ("x-shopify-event-id", "e-1"),
    )
    raw = request(json.dumps({**order, **thing}).encode(), *headers)
    return list(shopify.build(source(**rules)).parse(raw))


def test_the_vector_of_the_formula_is_genuine_under_either_name() -> None:
    assert Genuine() == verdict(BODY, (CLASSIC, VECTOR))
    assert Genuine() == verdict(BODY, (BARE, VECTOR))


@given(st.binary(min_size=1, max_size=200))
def test_whatever_the_formula_signs_is_genuine(body: bytes) -> None:
    assert Genuine() == verdict(body, (CLASSIC, formula(body)))


def test_two_families_at_once_are_refused_even_if_both_are_right() -> None:
    reason = refusal(BODY, (CLASSIC, VECTOR), (BARE, VECTOR))
    assert "only one is safe" in reason


def test_a_bare_signature_sent_twice_is_refused() -> None:
    assert "2 times" in refusal(BODY, (BARE, VECTOR), (BARE, VECTOR))


def test_an_empty_body_is_refused_however_well_it_is_signed() -> None:
    assert "The body is empty" in refusal(b"", (CLASSIC, formula(b"")))


def test_headers_of_the_other_family_say_nothing() -> None:
    headers = (
        (BARE, "checked before"),
        ("shopify-topic", "orders/paid"),
        ("shopify-event-id", "mine"),
        ("x-shopify-topic", "orders/cancelled"),
        ("x-shopify-event-id", "smuggled"),
    )
    (said,) = shopify.build(source()).parse(request(b'{"order_number":1}', *headers))
    assert ("mine:orders/paid", "orders/paid") == (said.dedupe_key, said.code)


@pytest.mark.parametrize(("word", "target"), meanings.FINANCIAL.items())
def test_a_new_order_has_a_status_of_its_own_and_one_of_its_payment(word: str, target: str) -> None:
    new, paid = parse("orders/create", {"financial_status": word})
    assert ("order", "new", "e-1:orders/create") == (new.lane, new.status, new.dedupe_key)
    assert target == f"{paid.lane}.{paid.status}"
    assert "e-1:orders/create:1" == paid.dedupe_key


@pytest.mark.parametrize(("word", "target"), meanings.FINANCIAL.items())
def test_a_snapshot_never_repeats_what_would_take_a_chargeback_back(word: str, target: str) -> None:
    (said,) = parse("orders/updated", {"financial_status": word, "name": "#1001"})
    repeats = word in {"partially_refunded", "refunded", "voided", "expired"}
    assert (target.partition(".")[2] if repeats else None) == said.status
    assert Fate.FOLD is said.fate


@pytest.mark.parametrize(
    ("topic", "thing", "lane", "status"),
    [
        ("orders/paid", {"financial_status": "paid"}, "payment", "paid"),
        ("orders/paid", {"financial_status": None, "name": "#1"}, None, None),
        ("orders/fulfilled", {"fulfillment_status": "fulfilled"}, "fulfillment", "shipped"),
        ("orders/fulfilled", {"fulfillment_status": "restocked"}, "fulfillment", "cancelled"),
        (
            "orders/partially_fulfilled",
            {"fulfillment_status": "partial"},
            "fulfillment",
            "partially_shipped",
        ),
        ("orders/cancelled", {"cancelled_at": "2026-01-15T10:00:00Z"}, "order", "cancelled"),
        ("refunds/create", {}, None, None),
        ("fulfillments/create", {"tracking_number": "T1"}, None, None),
        ("fulfillments/update", {"tracking_number": "T1"}, None, None),
        ("disputes/create", {"status": "needs_response"}, "payment", "chargeback"),
        ("disputes/update", {"status": "lost"}, "payment", "chargeback"),
        ("disputes/update", {"status": "won"}, "payment", "paid"),
        ("disputes/update", {"status": "charge_refunded"}, None, None),
        ("disputes/create", {"status": "needs_response", "type": "inquiry"}, None, None),
    ],
)
def test_a_topic_says_what_its_body_says(
    topic: str, thing: dict[str, Any], lane: str | None, status: str | None
) -> None:
    (said,) = parse(topic, thing, **BY_ID)
    assert (Fate.FOLD, "1", lane, status) == (said.fate, said.ref, said.lane, said.status)


@pytest.mark.parametrize(("word", "target"), meanings.SCANS.items())
def test_a_scan_moves_the_delivery(word: str, target: str) -> None:
    happened = {"status": word, "happened_at": "2026-01-15T09:00:00+02:00"}
    (said,) = parse("fulfillment_events/create", happened, **BY_ID)
    lane, _, status = target.partition(".")
    assert (lane or None, status or None) == (said.lane, said.status)
    assert datetime(2026, 1, 15, 7, tzinfo=UTC) == said.occurred_at


@pytest.mark.parametrize(
    ("topic", "thing"),
    [
        ("orders/paid", {"financial_status": "maybe"}),
        ("orders/paid", {"financial_status": ["paid"]}),
        ("orders/updated", {"financial_status": "maybe"}),
        ("orders/fulfilled", {"fulfillment_status": "maybe"}),
        ("orders/cancelled", {"cancelled_at": None}),
        ("fulfillment_events/create", {"status": "maybe"}),
        ("fulfillment_events/delete", {"id": None}),
        ("disputes/update", {"status": "maybe"}),
        ("disputes/teleported", {}),
    ],
)
def test_what_is_not_understood_is_unmapped_and_moves_nothing(
    topic: str, thing: dict[str, Any]
) -> None:
    (said,) = parse(topic, thing, **BY_ID)
    assert (Fate.UNMAPPED, None, "1") == (said.fate, said.status, said.ref)
    assert said.note.endswith(".")


@pytest.mark.parametrize("topic", [*meanings.IGNORED, "customers/redact", "app/uninstalled"])
def test_what_is_no_status_of_an_order_is_ignored(topic: str) -> None:
    (said,) = parse(topic, {})
    assert (Fate.IGNORED, None) == (said.fate, said.ref)


def test_a_refund_is_never_taken_for_its_order() -> None:
    (said,) = parse("refunds/create", {"id": 77, "order_id": 1}, **BY_ID)
    assert ("1", "77") == (said.ref, said.attributes["refund_id"])


def test_equal_numbers_of_two_shops_are_kept_apart_by_the_shop() -> None:
    own = source(subject={"scope": "shop_domain"})
    headers = (
        (CLASSIC, "checked before"),
        ("x-shopify-topic", "orders/cancelled"),
        ("x-shopify-shop-domain", "eu.myshopify.com"),
    )
    body = b'{"order_number":1001,"cancelled_at":"2026-01-15T10:00:00Z"}'
    (said,) = shopify.build(own).parse(request(body, *headers))
    assert ("eu.myshopify.com", "1001") == (said.scope, said.ref)
    assert f"{body_key(body)}:orders/cancelled" == said.dedupe_key


@pytest.mark.parametrize(
    ("transactions", "amount"),
    [
        ([{"amount": "0.10"}, {"amount": "0.20"}], "0.30"),
        ([{"amount": "5"}], "5"),
        ([], None),
        (None, None),
        ({"amount": "5.00"}, None),
        (["5.00"], None),
        ([{"amount": "5.00"}, {"amount": 5.1e30}], None),
        ([{"amount": "1e400"}], None),
        ([{"amount": "-5.00"}], None),
        ([{"amount": None}], None),
    ],
)
def test_what_went_back_is_added_up_exactly_or_left_out(
    transactions: Any, amount: str | None
) -> None:
    (said,) = parse("refunds/create", {"transactions": transactions}, **BY_ID)
    assert amount == said.attributes.get("refund_amount")


def test_a_refund_is_told_by_its_id_and_one_that_failed_gives_nothing_back() -> None:
    paid = {"amount": "4.10", "currency": "USD", "status": "success"}
    (said,) = parse("refunds/create", {"id": 7, "transactions": [paid]})
    assert (Money("refunded", "4.10", "USD", "7"),) == said.money
    (said,) = parse("refunds/create", {"id": 7, "transactions": [{**paid, "status": "failure"}]})
    assert (Money("refunded", "0", "USD", "7"),) == said.money
    euros = {**paid, "currency": "EUR"}
    (said,) = parse("refunds/create", {"id": 7, "transactions": [paid, euros]})
    assert (Money("refunded", "8.20", "", "7"),) == said.money


def test_a_deleted_scan_takes_back_the_scan_of_its_id_and_says_nothing_else() -> None:
    scan = {"id": 9, "fulfillment_id": 3, "status": "delivered"}
    (made,) = parse("fulfillment_events/create", scan)
    (gone,) = parse("fulfillment_events/delete", scan)
    assert Revocation("shop", made.dedupe_key) == gone.revokes
    assert f"{made.dedupe_key}:revoked" == gone.dedupe_key
    assert (None, {}, "3", Fate.FOLD) == (gone.status, gone.attributes, gone.parcel, gone.fate)


def test_orders_claim_their_id_and_the_tracking_numbers_of_all_their_parcels() -> None:
    parcels = [
        {"tracking_number": "A", "tracking_numbers": ["A", "B"]},
        {"tracking_number": None, "tracking_numbers": None},
        "junk",
        {"tracking_number": "C"},
    ]
    (said,) = parse("orders/updated", {"fulfillments": parcels})
    tracking = [Alias("tracking", number) for number in "ABC"]
    assert (Alias("order:shopify", "1"), *tracking) == said.aliases


def test_a_parcel_leads_to_its_order_by_the_id_of_shopify() -> None:
    (said,) = parse("fulfillments/create", {"id": 3, "tracking_number": "A"})
    assert (None, "3", Fate.FOLD) == (said.ref, said.parcel, said.fate)
    assert (Alias("order:shopify", "1"), Alias("tracking", "A")) == said.aliases


def test_a_body_without_its_topic_is_unreadable() -> None:
    (said,) = shopify.build(source()).parse(request(b"{}", (CLASSIC, "checked before")))
    assert (Fate.UNREADABLE, body_key(b"{}")) == (said.fate, said.dedupe_key)
    assert said.note.startswith("The header X-Shopify-Topic is missing")


def test_a_refund_without_an_order_is_ignored_because_it_only_adds_details() -> None:
    (said,) = parse("refunds/create", {"order_id": None}, **BY_ID)
    assert Fate.IGNORED is said.fate
    assert "refunds/create names no order: there is nothing at `id`. It only adds details." == (
        said.note
    )


def test_an_event_id_that_is_no_key_is_unreadable() -> None:
    headers = (
        (CLASSIC, "checked before"),
        ("x-shopify-topic", "orders/paid"),
        ("x-shopify-event-id", "x" * 300),
    )
    (said,) = shopify.build(source()).parse(request(b"{}", *headers))
    assert (Fate.UNREADABLE, body_key(b"{}")) == (said.fate, said.dedupe_key)


def test_the_same_event_under_another_topic_is_another_event() -> None:
    (paid,), (updated,) = (
        parse(topic, {"financial_status": "refunded"})
        for topic in ("orders/paid", "orders/updated")
    )
    assert paid != updated
    assert paid == replace(updated, dedupe_key=paid.dedupe_key, code=paid.code)


STATELESS = ("taken_back", "refund", "sent")


@pytest.mark.parametrize("name", senders.SAMPLES["shopify"])
def test_a_sample_says_the_status_it_is_named_after(name: str) -> None:
    own = source(**BY_ID)
    body = senders.sample(own, name, senders.Occasion("1001", NOW, "evt-1"))
    signed = senders.sign(own, body, at=NOW, key="evt-1", sample=name)
    headers = tuple((key.lower(), value) for key, value in signed.headers.items())
    built, raw = shopify.build(own), request(signed.body, *headers)
    assert Genuine() == built.verify(raw, now=NOW)
    said = built.parse(raw)
    assert all(("1001", NOW, Fate.FOLD) == (s.ref, s.occurred_at, s.fate) for s in said)
    assert name in [each.status for each in said] or name in STATELESS
    scan = json.loads(body)["id"] if "delivery_status" in said[0].attributes else "evt-1"
    assert said[0].dedupe_key.startswith(f"{scan}:") or said[0].revokes


def test_a_body_of_ones_own_is_sent_as_a_snapshot() -> None:
    signed = senders.sign(source(), BODY, at=NOW)
    assert ("orders/updated", VECTOR) == (
        signed.headers["X-Shopify-Topic"],
        signed.headers[shopify.SIGNATURE],
    )
    assert signed.headers["X-Shopify-Event-Id"]


def test_a_source_without_a_secret_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="put the app's client secret there"):
        shopify.build(source(secrets=()))
