"""Payment systems of the west: what their presets do beyond what goldens and vectors show."""

import base64
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from hashlib import sha1
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import orjson
import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Event, Fate, Lookup, Money, Statement
from service.domain.law import fold
from service.domain.lifecycles.order import ORDER
from service.intake.provider import Forged, Genuine, Inquiry, RawRequest
from service.intake.providers.payments import adyen, braintree, mollieclassic
from service.intake.providers.registry import preset
from tests import simulated
from tests.simulated import AT

SENDERS = (
    *("adyen", "braintree", "checkoutcom", "gocardless", "klarna", "mollie", "paddle"),
    *("paypal", "razorpay", "square"),
)


def said(provider: str, sample: str, *, minute: int = 0, **rules: Any) -> Statement:
    source = simulated.source(provider, **rules)
    request = simulated.posted(source, sample=sample, key=f"evt-{sample}")
    (statement,) = preset(provider).build(source).parse(request)
    return replace(statement, ref="1001", occurred_at=AT.replace(minute=minute))


def lane(*told: Statement) -> str:
    events = [Event(UUID(int=n), "pay", each, AT) for n, each in enumerate(told)]
    return fold(ORDER, events).state.lanes["payment"]


@pytest.mark.parametrize(
    ("provider", "undone"),
    [
        ("adyen", "refund_failed"),
        ("checkoutcom", "refund_failed"),
        ("mollie", "refund_failed"),
        ("paddle", "refund_rejected"),
        ("paypal", "refund_failed"),
        ("razorpay", "refund_failed"),
        ("square", "refund_failed"),
    ],
)
def test_a_refund_that_fails_gives_the_payment_back(provider: str, undone: str) -> None:
    paid, back = said(provider, "paid"), said(provider, "partially_refunded", minute=1)
    failed = said(provider, undone, minute=2)
    assert "partially_refunded" == lane(paid, back)
    assert "paid" == lane(paid, back, failed)
    (once,) = [each for each in back.money if each.kind == "refunded"]
    assert replace(once, amount="0") in failed.money


@pytest.mark.parametrize("provider", ["adyen", "checkoutcom", "paypal", "square"])
def test_refunds_that_add_up_to_the_payment_are_a_whole_one(provider: str) -> None:
    paid, back = said(provider, "paid"), said(provider, "partially_refunded", minute=1)
    rest = replace(
        back,
        dedupe_key="evt-rest",
        money=tuple(replace(each, id="rest", amount="89.94") for each in back.money),
    )
    assert "refunded" == lane(paid, back, rest)


@pytest.mark.parametrize("provider", SENDERS)
def test_a_chargeback_or_failure_of_another_secret_is_refused(provider: str) -> None:
    source = simulated.source(provider)
    for sample in simulated.sender(provider).samples:
        request = simulated.posted(source, sample=sample, word=simulated.OTHER)
        assert isinstance(simulated.judged(source, request), Forged)


def test_adyen_counts_an_authorisation_as_paid_where_it_is_captured_at_once() -> None:
    at_once = said("adyen", "authorized", options={"capture": "immediate"})
    later = said("adyen", "authorized")
    assert ("paid", "authorized") == (at_once.status, later.status)
    assert [("paid", "149.90")] == [(each.kind, each.amount) for each in at_once.money]
    assert () == later.money
    failed = said("adyen", "failed", options={"capture": "immediate"})
    assert ("failed", ()) == (failed.status, failed.money)


def test_adyen_passes_over_webhooks_that_are_about_no_payment() -> None:
    source = simulated.source("adyen")
    built = adyen.build(source)
    body = b'{"type":"balancePlatform.transfer.created","data":{"id":"1"}}'
    key = bytes.fromhex(source.secrets[0].reveal().decode())
    proof = base64.b64encode(hmac.digest(key, body, "sha256")).decode()
    request = replace(simulated.posted(source), body=body, headers=(("hmacsignature", proof),))
    assert Genuine() == built.verify(request, now=AT)
    (statement,) = built.parse(request)
    assert (Fate.IGNORED, "balancePlatform.transfer.created") == (statement.fate, statement.code)
    for other in (b"{}", b"[]", b'{"type":1,"notificationItems":2}', b"junk"):
        (statement,) = built.parse(replace(request, body=other))
        assert Fate.UNREADABLE is statement.fate


def test_adyen_is_refused_if_only_the_first_of_several_items_is_right() -> None:
    source = simulated.source("adyen")
    request = simulated.posted(source)
    document = orjson.loads(request.body)
    (item,) = document["notificationItems"]
    other = {**item["NotificationRequestItem"], "success": "false"}
    document["notificationItems"].append({"NotificationRequestItem": other})
    changed = replace(request, body=orjson.dumps(document))
    assert isinstance(simulated.judged(source, changed), Forged)


def refund(source: Any, action: str, name: str, *, minute: int) -> list[Statement]:
    links = {"payment": "PM1", "refund": name}
    event = {"id": f"EV{action}{name}", "resource_type": "refunds", "action": action}
    times = {"created_at": f"2026-01-15T10:{minute:02}:00.000Z"}
    body = orjson.dumps({"events": [{**event, **times, "links": links}]})
    request = replace(simulated.posted(source), body=body)
    found = preset("gocardless").build(source).parse(request)
    return [replace(each, ref="1001") for each in found]


def test_a_refund_of_gocardless_that_fails_takes_back_no_other() -> None:
    source = simulated.source("gocardless").model_copy(update={"name": "pay"})
    first = refund(source, "paid", "RF1", minute=1)
    second = refund(source, "paid", "RF2", minute=2)
    settled = refund(source, "refund_settled", "RF2", minute=3)
    failed = refund(source, "failed", "RF2", minute=4)
    paid = said("gocardless", "paid")
    assert "partially_refunded" == lane(paid, *first, *second, *settled, *failed)
    assert "paid" == lane(paid, *second, *settled, *failed)
    assert "partially_refunded" == lane(paid, *second, *settled)


def adyen_item(code: str, *, minute: int, reason: str = "", **rules: Any) -> Statement:
    source = simulated.source("adyen", **rules).model_copy(update={"name": "pay"})
    request = simulated.posted(source, sample="paid")
    document = orjson.loads(request.body)
    item = document["notificationItems"][0]["NotificationRequestItem"]
    item |= {"eventCode": code, "eventDate": f"2026-01-15T10:{minute:02}:00Z", "reason": reason}
    changed = replace(request, body=orjson.dumps(document))
    (statement,) = preset("adyen").build(source).parse(changed)
    return replace(statement, ref="1001")


def test_a_capture_of_adyen_that_fails_is_no_payment_until_it_is_made_again() -> None:
    authorized = said("adyen", "authorized")
    captured = adyen_item("CAPTURE", minute=1)
    failed = adyen_item("CAPTURE_FAILED", minute=2)
    again = adyen_item("CAPTURE", minute=3, reason="Transaction Recaptured")
    assert "paid" == lane(authorized, captured)
    assert "failed" == lane(authorized, captured, failed)
    assert "failed" == lane(authorized, failed)
    assert "paid" == lane(authorized, captured, failed, again)


def test_a_capture_at_once_of_adyen_that_fails_takes_the_money_back() -> None:
    at_once: dict[str, Any] = {"options": {"capture": "immediate"}}
    paid = said("adyen", "authorized", **at_once)
    failed = adyen_item("CAPTURE_FAILED", minute=2, **at_once)
    again = adyen_item("CAPTURE", minute=3, reason="Transaction Recaptured", **at_once)
    assert "chargeback" == lane(paid, failed)
    assert "paid" == lane(paid, failed, again)


@pytest.mark.parametrize(
    ("value", "currency", "amount"),
    [(1500, "CLP", "15"), (1550, "CLP", None), (1500, "IDR", "1500.00"), (1500, "CVE", "1500.00")],
)
def test_amounts_of_adyen_follow_its_own_decimal_places(
    value: int, currency: str, amount: str | None
) -> None:
    source = simulated.source("adyen")
    request = simulated.posted(source, sample="paid")
    document = orjson.loads(request.body)
    item = document["notificationItems"][0]["NotificationRequestItem"]
    item["amount"] = {"value": value, "currency": currency}
    (statement,) = adyen.build(source).parse(replace(request, body=orjson.dumps(document)))
    assert ([amount] if amount else []) == [each.amount for each in statement.money]


def test_the_token_that_klarna_hands_over_is_never_stored() -> None:
    source = simulated.source("klarna")
    request = simulated.posted(source, sample="authorized")
    built = preset("klarna").build(source)
    assert b"krn:network:" in request.body
    kept = built.redact(request)
    assert b"krn:network:" not in kept.body
    assert built.parse(request) == built.parse(kept)
    other = simulated.posted(source, sample="cancelled")
    assert other == built.redact(other)
    for body in (b"junk", b"[]", b'{"payload":[{"interoperability_token":"secret"}]}'):
        assert b'secret"' not in built.redact(replace(request, body=body)).body


def braintree_source(**rules: Any) -> Any:
    return simulated.source("braintree", **rules)


def form(payload: str) -> RawRequest:
    body = urlencode({"bt_payload": payload}).encode()
    return RawRequest("POST", "/webhooks/tested", "", (), body, AT)


def test_braintree_answers_the_challenge_with_both_keys() -> None:
    source = braintree_source()
    built = braintree.build(source)
    challenge = "20f9f8ed05f77439fe955c977e4c8a53"
    asked = RawRequest("GET", "/webhooks/tested", f"bt_challenge={challenge}", (), b"", AT)
    key = sha1(source.secrets[0].reveal(), usedforsecurity=False).digest()
    proof = hmac.digest(key, challenge.encode(), "sha1").hex()
    reply = built.handshake(asked)
    assert reply is not None
    assert (200, f"integration_public_key|{proof}".encode()) == (reply.status, reply.body)
    for other in ("", "bt_challenge=", "bt_challenge=zz", f"bt_challenge={challenge.upper()}"):
        assert built.handshake(replace(asked, query=other)) is None
    assert built.handshake(replace(asked, method="POST")) is None


def test_braintree_answers_its_published_challenge() -> None:
    source = braintree_source()
    known = simulated.described(
        {
            "secrets": ["integration_private_key"],
            "options": {"public_key": "integration_public_key"},
        },
        "braintree",
    )
    assert source.options == known.options
    query = "bt_challenge=20f9f8ed05f77439fe955c977e4c8a53"
    asked = RawRequest("GET", "/webhooks/tested", query, (), b"", AT)
    reply = braintree.build(known).handshake(asked)
    expected = b"integration_public_key|d9b899556c966b3f06945ec21311865d35df3ce4"
    assert reply is not None
    assert expected == reply.body


@pytest.mark.parametrize("options", [{}, {"public_key": ""}, {"public_key": [1]}])
def test_braintree_needs_its_public_key(options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match="does not know the API's public key"):
        braintree.build(braintree_source(options=options))


def test_braintree_takes_the_keys_of_a_rotation() -> None:
    keys = {"public_key": ["newer_key", "integration_public_key"]}
    source = braintree_source(options=keys)
    assert Genuine() == simulated.judged(source, simulated.posted(braintree_source()))
    alone = braintree_source(options={"public_key": "newer_key"})
    assert isinstance(simulated.judged(alone, simulated.posted(braintree_source())), Forged)


@pytest.mark.parametrize("payload", ["", "<xml/>", "A", "QQ==\n=QQ"])
def test_braintree_payloads_that_are_no_base64_are_unreadable(payload: str) -> None:
    (statement,) = braintree.build(braintree_source()).parse(form(payload))
    assert Fate.UNREADABLE is statement.fate


PAYMENT = {
    "resource": "payment",
    "id": "tr_1",
    "status": "paid",
    "amount": {"value": "149.90", "currency": "EUR"},
    "metadata": {"order_no": "1001"},
    "paidAt": "2026-01-15T10:29:00+00:00",
    "createdAt": "2026-01-15T10:20:00+00:00",
}


def fetched(**changes: Any) -> Statement:
    source = simulated.source("mollieclassic")
    body = orjson.dumps({**PAYMENT, **changes})
    request = RawRequest("GET", "/v2/payments/tr_1", "", (), body, AT)
    (statement,) = mollieclassic.build(source).parse(request)
    return statement


def test_mollie_is_asked_about_the_payment_it_names() -> None:
    built = mollieclassic.build(simulated.source("mollieclassic"))
    assert Inquiry("/v2/payments/tr_1") == built.inquire(Lookup("payment", "tr_1"))
    assert built.inquire(Lookup("payment", "../me?a")) is None


def test_the_payment_mollie_answers_with_is_read() -> None:
    paid = fetched()
    assert ("1001", "payment", "paid", "paid") == (paid.ref, paid.lane, paid.status, paid.code)
    assert datetime(2026, 1, 15, 10, 29, tzinfo=UTC) == paid.occurred_at
    assert (Alias("payment:mollie", "tr_1"),) == paid.aliases
    assert (Money("paid", "149.90", "EUR", "tr_1"),) == paid.money


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"status": "open"}, "awaiting_payment"),
        ({"status": "pending"}, "awaiting_payment"),
        ({"status": "authorized"}, "authorized"),
        ({"status": "failed"}, "failed"),
        ({"status": "canceled"}, "cancelled"),
        ({"status": "expired"}, "cancelled"),
        ({"amountRefunded": {"value": "0.00", "currency": "EUR"}}, "paid"),
        ({"amountRefunded": {"value": "40.00", "currency": "EUR"}}, "partially_refunded"),
        ({"amountChargedBack": {"value": "149.90", "currency": "EUR"}}, "chargeback"),
    ],
)
def test_a_fetched_payment_moves_the_payment_lane(changes: dict[str, Any], status: str) -> None:
    assert ("payment", status) == (fetched(**changes).lane, fetched(**changes).status)


def test_all_of_a_fetched_payment_that_went_back_is_a_whole_refund() -> None:
    whole = {"value": "149.90", "currency": "EUR"}
    assert "refunded" == lane(fetched(), fetched(amountRefunded=whole))
    assert fetched().dedupe_key != fetched(amountRefunded=whole).dedupe_key


def test_a_fetched_payment_of_an_unknown_status_is_unmapped() -> None:
    assert Fate.UNMAPPED is fetched(status="teleported").fate


@pytest.mark.parametrize("body", [b"", b"a=b", b"id=", b"\xff", b"id=a&id=b"])
def test_a_call_of_mollie_without_one_id_is_unreadable(body: bytes) -> None:
    request = RawRequest("POST", "/webhooks/tested", "", (), body, AT)
    (statement,) = mollieclassic.build(simulated.source("mollieclassic")).parse(request)
    assert Fate.UNREADABLE is statement.fate
