"""Stripe: the official SDK as oracle in both directions, and the map of its events."""

import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import stripe as sdk
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Event, Fate, Money, Statement
from service.domain.law import fold
from service.domain.lifecycles.order import ORDER
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.payments import stripe
from service.intake.providers.payments.stripe import events
from service.sandbox import senders
from service.settings import Secret, Source

SECRET = "whsec_test_secret_123"
NOW = datetime.fromtimestamp(1_700_000_000, UTC)
BODY = '{"id":"evt_1","type":"payment.paid","data":{"order":"A-1001","amount":1500}}'
VECTOR = "t=1700000000,v1=87cba0ac63eccb6a0efac7148767825e93b8595491e2624c630a4d4894983c54"


def source(**rules: Any) -> Source:
    secrets = (Secret.plain(SECRET),)
    return Source.model_validate({"name": "pay", "provider": "stripe", "secrets": secrets, **rules})


def request(body: str | bytes, *headers: str) -> RawRequest:
    raw = body.encode() if isinstance(body, str) else body
    pairs = tuple(("stripe-signature", header) for header in headers)
    return RawRequest("POST", "/webhooks/pay", "", pairs, raw, NOW)


def verdict(body: str | bytes, *headers: str, now: datetime = NOW) -> object:
    return stripe.build(source()).verify(request(body, *headers), now=now)


def parse(kind: str, thing: dict[str, Any], **event: Any) -> Statement:
    thing = {"id": "pi_1", "object": "payment_intent", "metadata": {"order_no": "1001"}, **thing}
    document = {
        "id": "evt_1",
        "object": "event",
        "type": kind,
        "created": 1_700_000_000,
        "data": {"object": thing},
        **event,
    }
    (statement,) = stripe.build(source()).parse(request(json.dumps(document)))
    return statement


def test_the_published_vector_is_genuine() -> None:
    assert Genuine() == verdict(BODY, VECTOR)
    assert VECTOR == sdk.WebhookSignature.generate_signature_header(BODY, SECRET, 1_700_000_000)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_whatever_the_sdk_signs_is_genuine(body: str) -> None:
    header = sdk.WebhookSignature.generate_signature_header(body, SECRET, 1_700_000_000)
    assert Genuine() == verdict(body, header)


@pytest.mark.parametrize("name", senders.SAMPLES["stripe"])
def test_the_sdk_takes_and_reads_whatever_our_sender_signs(name: str) -> None:
    at = datetime.now(UTC)
    body = senders.sample(source(), name, senders.Occasion("1001", at, "evt_77"))
    signed = senders.sign(source(), body, at=at)
    event = sdk.Webhook.construct_event(signed.body, signed.headers["Stripe-Signature"], SECRET)
    assert "evt_77" == event.id


def test_signatures_of_other_schemes_and_secrets_stand_beside_ours() -> None:
    stamp, ours = VECTOR.split(",")
    assert Genuine() == verdict(BODY, f"{stamp},v1={'0' * 64},{ours},v0={'1' * 64},x")
    assert Genuine() == verdict(BODY, f"{ours},{stamp}")
    assert isinstance(verdict(BODY, f"{stamp},{ours.replace('v1', 'v0')}"), Forged)


def test_hex_in_capitals_is_refused_as_the_sdk_does() -> None:
    stamp, ours = VECTOR.split(",")
    capitals = f"{stamp},v1={ours.removeprefix('v1=').upper()}"
    assert isinstance(verdict(BODY, capitals), Forged)
    with pytest.raises(sdk.SignatureVerificationError):
        sdk.WebhookSignature.verify_header(BODY, capitals, SECRET)


def test_a_time_far_ahead_is_refused_though_the_sdk_takes_it() -> None:
    answer = verdict(BODY, VECTOR, now=NOW - timedelta(days=1))
    assert isinstance(answer, Forged)
    assert timedelta(days=1) == answer.skew
    assert sdk.WebhookSignature.verify_header(BODY, VECTOR, SECRET)


@pytest.mark.parametrize(
    ("header", "reason"),
    [
        (VECTOR.partition(",")[2], "Stripe-Signature must carry one time `t=…`; it carries 0."),
        (f"t=1,{VECTOR}", "Stripe-Signature must carry one time `t=…`; it carries 2."),
        (
            VECTOR.replace("t=", "t= "),
            "The time in Stripe-Signature is not a whole number of unix seconds.",
        ),
        (
            VECTOR.replace("1700000000", "1700000000000"),
            "The time in Stripe-Signature is not a whole number of unix seconds.",
        ),
        ("t=1700000000", "Stripe-Signature carries 0 v1 signatures, not 1 to 20."),
        (
            "t=1700000000" + ",v1=0" * 21,
            "Stripe-Signature carries 21 v1 signatures, not 1 to 20.",
        ),
    ],
)
def test_a_malformed_header_is_refused_with_the_reason(header: str, reason: str) -> None:
    answer = verdict(BODY, header)
    assert isinstance(answer, Forged)
    assert reason == answer.reason


def test_a_source_without_a_secret_cannot_be_built() -> None:
    with pytest.raises(ConfigurationError, match="The source pay has no secrets"):
        stripe.build(source(secrets=()))


def test_every_event_of_our_families_in_the_sdk_has_a_meaning() -> None:
    text = Path(sdk.__file__).with_name("_event.py").read_text()
    named = set(re.findall(r'"([a-z_]+(?:\.[a-z_]+)+)"', text))
    ours = {name for name in named if name.startswith(events.OURS)}
    known = {*events.STATUSES, *events.RULES, *events.IGNORED}
    assert len(ours) > 40
    assert set() == ours - known
    assert set() == known - ours


@pytest.mark.parametrize(("kind", "status"), events.STATUSES.items())
def test_an_event_with_one_meaning_moves_the_payment_lane(kind: str, status: str) -> None:
    statement = parse(kind, {})
    assert (Fate.FOLD, "payment", status) == (statement.fate, statement.lane, statement.status)


@pytest.mark.parametrize("kind", events.IGNORED)
def test_an_event_without_meaning_is_ignored_with_the_reason(kind: str) -> None:
    statement = parse(kind, {})
    assert (Fate.IGNORED, None) == (statement.fate, statement.status)
    assert statement.note.startswith(f"{kind}: ")


@pytest.mark.parametrize(
    ("kind", "thing", "status"),
    [
        ("checkout.session.completed", {"payment_status": "paid"}, "paid"),
        ("checkout.session.completed", {"payment_status": "no_payment_required"}, "paid"),
        ("checkout.session.completed", {"payment_status": "unpaid"}, "awaiting_payment"),
        ("charge.succeeded", {"captured": True}, "paid"),
        ("charge.succeeded", {"captured": False}, "authorized"),
        ("charge.refunded", {"refunded": True}, "refunded"),
        ("charge.refunded", {"refunded": False}, "partially_refunded"),
        ("charge.dispute.created", {"status": "needs_response"}, "chargeback"),
        ("charge.dispute.updated", {"status": "under_review"}, "chargeback"),
        ("charge.dispute.closed", {"status": "lost"}, "chargeback"),
        ("charge.dispute.closed", {"status": "won"}, "paid"),
        ("charge.dispute.closed", {"status": "warning_closed"}, None),
        ("refund.created", {"status": "pending"}, None),
        ("refund.updated", {"status": "succeeded"}, None),
        ("refund.updated", {"status": "failed"}, None),
        ("refund.updated", {"status": "canceled"}, None),
        ("refund.failed", {"status": "failed"}, None),
        ("charge.refund.updated", {"status": "requires_action"}, None),
    ],
)
def test_an_event_whose_object_decides(
    kind: str, thing: dict[str, Any], status: str | None
) -> None:
    statement = parse(kind, thing)
    assert (Fate.FOLD, status) == (statement.fate, statement.status)


@pytest.mark.parametrize(
    ("kind", "thing"),
    [
        ("checkout.session.completed", {"payment_status": "maybe"}),
        ("charge.succeeded", {}),
        ("charge.refunded", {"refunded": "yes"}),
        ("charge.dispute.closed", {"status": "new word"}),
        ("charge.dispute.closed", {"status": ["won"]}),
        ("refund.updated", {"status": "new word"}),
        ("refund.updated", {"status": {}}),
        ("charge.teleported", {}),
    ],
)
def test_what_is_not_understood_is_unmapped_and_moves_nothing(
    kind: str, thing: dict[str, Any]
) -> None:
    statement = parse(kind, thing)
    assert (Fate.UNMAPPED, None, "1001") == (statement.fate, statement.status, statement.ref)
    assert statement.note.startswith(f"`{kind}` ")


def test_a_payment_without_an_order_waits_for_who_knows_its_intent() -> None:
    statement = parse("payment_intent.succeeded", {"metadata": {}})
    assert (Fate.FOLD, "paid", None) == (statement.fate, statement.status, statement.ref)
    assert (Alias("payment:stripe", "pi_1"),) == statement.aliases


def test_a_payment_without_order_and_intent_is_unresolved() -> None:
    statement = parse("charge.captured", {"object": "charge", "metadata": {}})
    assert (Fate.UNRESOLVED, "paid", None) == (statement.fate, statement.status, statement.ref)
    assert statement.note.startswith("charge.captured names no order: ")


def test_details_without_order_and_intent_are_ignored() -> None:
    refund = {"object": "refund", "metadata": None, "status": "succeeded"}
    assert Fate.IGNORED is parse("refund.created", refund).fate


REFUND = {"id": "re_1", "object": "refund", "amount": 4000, "currency": "eur", "metadata": {}}
CHARGE = {
    "id": "ch_1",
    "object": "charge",
    "amount": 14990,
    "captured": True,
    "currency": "eur",
    "payment_intent": "pi_1",
}
DISPUTE = {"id": "du_1", "object": "dispute", "amount": 14990, "currency": "eur"}
PAID = Money("paid", "149.90", "EUR", "pi_1")
FAILED = Money("refunded", "0", "EUR", "re_1")


@pytest.mark.parametrize(
    ("kind", "thing", "expected"),
    [
        (
            "payment_intent.succeeded",
            {"amount_received": 14990, "currency": "eur"},
            [PAID],
        ),
        ("payment_intent.created", {"amount": 14990, "currency": "eur"}, []),
        ("charge.succeeded", CHARGE, [PAID]),
        ("charge.succeeded", {**CHARGE, "captured": False}, []),
        (
            "charge.captured",
            {**CHARGE, "amount_captured": 10000},
            [Money("paid", "100.00", "EUR", "pi_1")],
        ),
        (
            "charge.captured",
            {**CHARGE, "payment_intent": None},
            [Money("paid", "149.90", "EUR", "ch_1")],
        ),
        (
            "charge.refunded",
            {**CHARGE, "amount_refunded": 4000, "refunded": False},
            [PAID, Money("refunded", "40.00", "EUR")],
        ),
        (
            "charge.refunded",
            {
                **CHARGE,
                "amount_refunded": 4000,
                "refunded": False,
                "refunds": {"data": [{**REFUND, "status": "succeeded"}, None]},
            },
            [PAID, Money("refunded", "40.00", "EUR"), Money("refunded", "40.00", "EUR", "re_1")],
        ),
        (
            "checkout.session.completed",
            {
                "object": "checkout.session",
                "payment_status": "paid",
                "amount_total": 14990,
                "currency": "eur",
                "payment_intent": "pi_1",
            },
            [PAID],
        ),
        (
            "invoice.paid",
            {"object": "invoice", "amount_paid": 14990, "currency": "eur"},
            [],
        ),
        (
            "invoice.paid",
            {
                "object": "invoice",
                "amount_paid": 14990,
                "currency": "eur",
                "payment_intent": "pi_1",
            },
            [PAID],
        ),
        ("refund.created", {**REFUND, "status": "pending"}, []),
        (
            "refund.updated",
            {**REFUND, "status": "succeeded"},
            [Money("refunded", "40.00", "EUR", "re_1")],
        ),
        ("refund.updated", {**REFUND, "status": "canceled"}, [FAILED]),
        ("refund.failed", {**REFUND, "status": "failed"}, [FAILED]),
        (
            "refund.failed",
            {**REFUND, "status": "failed", "currency": None},
            [Money("refunded", "0", "", "re_1")],
        ),
        (
            "charge.dispute.created",
            {**DISPUTE, "status": "needs_response"},
            [Money("charged_back", "149.90", "EUR", "du_1")],
        ),
        ("charge.dispute.created", {**DISPUTE, "status": "warning_needs_response"}, []),
        (
            "charge.dispute.closed",
            {**DISPUTE, "status": "won"},
            [Money("charged_back", "0", "EUR", "du_1")],
        ),
        (
            "charge.dispute.funds_reinstated",
            {**DISPUTE, "status": "under_review"},
            [Money("charged_back", "0", "EUR", "du_1")],
        ),
        ("payment_intent.succeeded", {"amount_received": -1, "currency": "eur"}, []),
        ("payment_intent.succeeded", {"amount_received": 14990}, []),
    ],
)
def test_money_is_told_once_and_taken_back_by_its_id(
    kind: str, thing: dict[str, Any], expected: list[Money]
) -> None:
    assert expected == list(parse(kind, thing).money)


def test_a_refund_that_fails_leaves_the_payment_paid() -> None:
    told = [
        parse("payment_intent.succeeded", {"amount_received": 14990, "currency": "eur"}),
        parse("refund.created", {**REFUND, "amount": 14990, "status": "succeeded"}, id="evt_2"),
        parse(
            "charge.refunded",
            {**CHARGE, "amount_refunded": 14990, "refunded": True},
            id="evt_3",
            created=1_700_000_001,
        ),
        parse("refund.failed", {**REFUND, "status": "failed"}, id="evt_4", created=1_700_000_009),
    ]
    events = [Event(UUID(int=n), "pay", said, NOW) for n, said in enumerate(told)]
    assert "refunded" == fold(ORDER, events[:3]).state.lanes["payment"]
    assert "paid" == fold(ORDER, events).state.lanes["payment"]


def test_the_statuses_of_a_source_outrank_those_known() -> None:
    said = stripe.build(source(statuses={"charge.expired": "payment.failed"}))
    document = {
        "id": "evt_1",
        "object": "event",
        "type": "charge.expired",
        "created": 1_700_000_000,
    }
    thing = {**CHARGE, "metadata": {"order_no": "1001"}}
    (statement,) = said.parse(request(json.dumps({**document, "data": {"object": thing}})))
    assert "failed" == statement.status


@pytest.mark.parametrize(
    ("amount", "currency", "expected"),
    [
        (14990, "eur", "149.90"),
        (5, "usd", "0.05"),
        (0, "usd", "0.00"),
        (-14990, "usd", "-149.90"),
        (1500, "jpy", "1500"),
        (5120, "kwd", "5.120"),
        (500, "ugx", "5.00"),
        (500, "isk", "5.00"),
        (10**18 + 1, "usd", "10000000000000000.01"),
    ],
)
def test_an_amount_is_an_exact_decimal_in_major_units(
    amount: int, currency: str, expected: str
) -> None:
    attributes = parse(
        "payment_intent.succeeded", {"amount": amount, "currency": currency}
    ).attributes
    assert (expected, currency.upper()) == (attributes["amount"], attributes["currency"])


@pytest.mark.parametrize(
    "thing",
    [
        {"amount": 14990},
        {"amount": 14990, "currency": "euro"},
        {"amount": 149.9, "currency": "eur"},
        {"amount": True, "currency": "eur"},
        {"amount": "14990", "currency": "eur"},
    ],
)
def test_an_amount_that_is_not_sure_is_left_out(thing: dict[str, Any]) -> None:
    assert "amount" not in parse("payment_intent.succeeded", thing).attributes


def test_an_object_of_another_kind_has_no_facts() -> None:
    for kind in ["setup_intent", None, ["charge"]]:
        assert {} == parse("payment_intent.succeeded", {"object": kind}).attributes


@pytest.mark.parametrize(
    "body",
    ['{"object":"event"}', '{"object":"v2.core.event","id":"evt_1"}', "[]", "null", '"event"'],
)
def test_a_body_that_is_not_an_event_is_unreadable(body: str) -> None:
    (statement,) = stripe.build(source()).parse(request(body))
    assert Fate.UNREADABLE is statement.fate
    assert statement.note.startswith("It is not a Stripe event")


def test_a_duplicate_has_the_same_key_and_another_event_another() -> None:
    first, again = parse("charge.captured", {}), parse("charge.captured", {})
    other = parse("charge.captured", {}, id="evt_2")
    assert ("evt_1", "evt_2") == (first.dedupe_key, other.dedupe_key)
    assert first == again == replace(other, dedupe_key="evt_1")
