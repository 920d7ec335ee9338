"""What payment systems of the east do otherwise than others."""

import hmac
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Event, Money, Statement
from service.domain.law import fold
from service.domain.lifecycles.order import ORDER
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.payments import cloudpayments, monobank, wayforpay
from service.intake.providers.registry import preset
from service.intake.verification.material import NoKey
from service.sandbox.senders.signing import keys
from service.settings import Secret, Source
from tests import make, simulated

FORM = {"content-type": "application/x-www-form-urlencoded"}


def told(provider: str, body: bytes, sample: str = "", **rules: Any) -> Sequence[Statement]:
    """Let a simulated sender post a body, and read it."""
    source = simulated.source(provider, **rules)
    name = sample or simulated.sender(provider).usual
    request = simulated.posted(source, body=body, sample=name)
    assert Genuine() == simulated.judged(source, request)
    return preset(provider).build(source).parse(request)


def lane(*said: Statement) -> str | None:
    events: list[Event] = [make.event(source="payments", statement=each) for each in said]
    return fold(ORDER, events).state.lanes_view.get("payment")


def document(**fields: Any) -> bytes:
    return orjson.dumps(fields)


# --- sums of refunds ----------------------------------------------------------------------------


def wechat(kind: str, key: str, minute: int, **resource: Any) -> Statement:
    body = document(
        id=key,
        create_time=f"2026-01-15T10:{minute:02}:00+08:00",
        event_type=kind,
        resource={"out_trade_no": "1001", "transaction_id": "42", **resource},
    )
    (said,) = told("wechatpay", body)
    return said


def wechat_refund(kind: str, number: int, amount: int, minute: int) -> Statement:
    return wechat(
        kind,
        f"{kind}-{number}",
        minute,
        refund_id=f"50{number}",
        out_refund_no=f"R-{number}",
        amount={"total": 1500, "refund": amount},
    )


def test_refunds_of_wechat_pay_add_up_by_their_numbers() -> None:
    paid = wechat("TRANSACTION.SUCCESS", "p", 1, trade_state="SUCCESS", amount={"total": 1500})
    first = wechat_refund("REFUND.SUCCESS", 1, 1000, 2)
    second = wechat_refund("REFUND.SUCCESS", 2, 500, 3)
    assert "paid" == lane(paid)
    assert "partially_refunded" == lane(paid, first)
    assert "partially_refunded" == lane(first)
    assert "refunded" == lane(paid, first, second)


def test_a_closed_refund_of_wechat_pay_undoes_it() -> None:
    paid = wechat("TRANSACTION.SUCCESS", "p", 1, trade_state="SUCCESS", amount={"total": 1500})
    refund = wechat_refund("REFUND.SUCCESS", 1, 1500, 2)
    closed = wechat_refund("REFUND.CLOSED", 1, 1500, 3)
    assert "refunded" == lane(paid, refund)
    assert "paid" == lane(paid, refund, closed)
    assert Money("refunded", "0.00", "CNY", "R-1") in closed.money


def yookassa(event: str, key: str, value: str, **more: Any) -> Statement:
    thing = {
        "id": key,
        "status": event.partition(".")[2],
        "amount": {"value": value, "currency": "RUB"},
        "created_at": "2026-01-15T10:30:00.000Z",
        **more,
    }
    (said,) = told("yookassa", document(type="notification", event=event, object=thing))
    return said


def test_refunds_of_yookassa_add_up_and_lead_to_the_order_by_their_payment() -> None:
    paid = yookassa("payment.succeeded", "p-1", "150.00", metadata={"order_id": "1001"})
    first = yookassa("refund.succeeded", "r-1", "100.00", payment_id="p-1")
    second = yookassa("refund.succeeded", "r-2", "50.00", payment_id="p-1")
    assert (None, paid.aliases) == (first.ref, first.aliases)
    assert "partially_refunded" == lane(paid, first)
    assert "refunded" == lane(paid, first, second)


@pytest.mark.parametrize(
    ("details", "status"),
    [
        ({"party": "merchant", "reason": "canceled_by_merchant"}, "cancelled"),
        ({"party": "yoo_money", "reason": "expired_on_capture"}, "cancelled"),
        ({"party": "yoo_money", "reason": "expired_on_confirmation"}, "failed"),
        ({"party": "payment_network", "reason": "insufficient_funds"}, "failed"),
        (None, "cancelled"),
    ],
)
def test_yookassa_tells_by_whom_and_why_a_payment_ended(
    details: dict[str, str] | None, status: str
) -> None:
    more = {"cancellation_details": details} if details else {}
    assert status == yookassa("payment.canceled", "p-1", "150.00", **more).status


def test_the_refunds_of_monobank_are_a_running_total() -> None:
    def invoice(minute: int, *refunds: int) -> Statement:
        listed = [{"status": "success", "amount": each, "ccy": 980} for each in refunds]
        body = document(
            invoiceId="p2",
            reference="1001",
            status="success",
            amount=4200,
            finalAmount=4200 - sum(refunds),
            ccy=980,
            modifiedDate=f"2026-01-15T10:{minute:02}:00Z",
            **({"cancelList": listed} if listed else {}),
        )
        (said,) = told("monobank", body)
        return said

    paid, first, second = invoice(1), invoice(2, 1200), invoice(3, 1200, 3000)
    assert "partially_refunded" == lane(paid, first)
    assert "refunded" == lane(paid, first, second)
    assert "refunded" == lane(paid, second)


VOIDED = {
    "merchantAccount": "test_merch_n1",
    "orderReference": "1001",
    "amount": 150,
    "currency": "UAH",
    "authCode": "",
    "cardPan": "41****8217",
    "transactionStatus": "Voided",
    "reasonCode": 1100,
}


@pytest.mark.parametrize(
    ("provider", "changes"),
    [
        ("monobank", {"invoiceId": "p2", "status": "reversed", "finalAmount": 0}),
        ("liqpay", {"status": "reversed", "payment_id": 1}),
        ("fondy", {"merchant_id": 1, "order_id": "1", "order_status": "reversed"}),
        ("wayforpay", VOIDED),
    ],
)
def test_a_whole_reversal_cancels_what_was_held_and_gives_back_what_was_taken(
    provider: str, changes: dict[str, Any]
) -> None:
    def named(*found: Statement) -> list[Statement]:
        return [replace(each, ref="1001") for each in found]

    def lane_of(sample: str) -> str | None:
        source = simulated.source(provider)
        before = preset(provider).build(source).parse(simulated.posted(source, sample=sample))
        at = before[0].occurred_at
        later = at and at.replace(minute=at.minute + 1)
        back = told(provider, document(**changes))
        return lane(*named(*before), *(replace(each, occurred_at=later) for each in named(*back)))

    assert "cancelled" == lane_of("authorized")
    assert "refunded" == lane_of("paid")


def test_what_alipay_gave_back_in_all_decides() -> None:
    def trade(key: str, status: str, minute: int, **more: str) -> Statement:
        at = f"2026-01-15 10:{minute:02}:00"
        fields = {
            "notify_id": key,
            "trade_status": status,
            "sign_type": "RSA2",
            "out_trade_no": "1001",
            "trade_no": "42",
            "total_amount": "15.00",
            "gmt_payment": "2026-01-15 10:01:00",
        }
        back = {**more, "gmt_refund": at} if more else {}
        body = "&".join(f"{name}={value}" for name, value in {**fields, **back}.items())
        (said,) = told("alipay", body.encode())
        return said

    paid = trade("1", "TRADE_SUCCESS", 1)
    first = trade("2", "TRADE_SUCCESS", 2, refund_fee="10.00")
    last = trade("3", "TRADE_CLOSED", 3, refund_fee="15.00")
    assert ["paid", "partially_refunded", "refunded"] == [
        lane(paid),
        lane(paid, first),
        lane(paid, first, last),
    ]
    assert "partially_refunded" == lane(paid, first, trade("4", "TRADE_FINISHED", 1))


# --- CloudPayments ------------------------------------------------------------------------------


@pytest.mark.parametrize("header", ["content-hmac", "x-content-hmac"])
@pytest.mark.parametrize("rendering", ["sent", "decoded"])
def test_either_header_of_cloudpayments_over_either_rendering_is_taken(
    header: str, rendering: str
) -> None:
    source = simulated.source("cloudpayments")
    posted = simulated.posted(source)
    message = posted.body if rendering == "sent" else cloudpayments.decoded(posted)
    proof = b64encode(hmac.digest(source.secrets[0].reveal(), message, "sha256")).decode()
    request = replace(posted, headers=[(header, proof)])
    assert Genuine() == simulated.judged(source, request)
    wrong = replace(request, body=posted.body.replace(b"149.90", b"149.91"))
    assert isinstance(simulated.judged(source, wrong), Forged)


def test_cloudpayments_needs_the_kind_in_the_address() -> None:
    source = simulated.source("cloudpayments")
    posted = replace(simulated.posted(source), tail="", path="/webhooks/tested")
    (said,) = preset("cloudpayments").build(source).parse(posted)
    assert "unmapped" == said.fate
    assert "tail" in said.note


# --- Robokassa ----------------------------------------------------------------------------------


def robokassa(**options: Any) -> Source:
    return simulated.source("robokassa", options=options)


def test_another_hash_of_robokassa_is_only_taken_where_it_is_set() -> None:
    posted = simulated.posted(simulated.source("robokassa"))
    assert Genuine() == simulated.judged(robokassa(hash="md5"), posted)
    assert isinstance(simulated.judged(robokassa(hash="sha256"), posted), Forged)


@pytest.mark.parametrize("word", ["MD5", "ripemd160", "", 5, ["md5"]])
def test_a_hash_robokassa_does_not_have_is_refused(word: object) -> None:
    with pytest.raises(ConfigurationError, match="must be one of md5, sha1"):
        preset("robokassa").build(robokassa(hash=word))


@pytest.mark.parametrize(
    ("body", "answer"),
    [
        (b"OutSum=1.00&InvId=678", b"OK678"),
        (b"OutSum=1.00", b"OK"),
        (b"OutSum=1.00&InvId=%3Cscript%3E", b"OK"),
        (b"OutSum=1.00&InvId=" + b"9" * 500, b"OK" + b"9" * 20),
    ],
)
def test_robokassa_is_answered_with_its_number_and_nothing_else(body: bytes, answer: bytes) -> None:
    source = simulated.source("robokassa")
    reply = preset("robokassa").build(source).acknowledge(simulated.posted(source, body=body))
    assert reply is not None
    assert (200, answer) == (reply.status, reply.body)


# --- WayForPay ----------------------------------------------------------------------------------

SECRET = "flk3409refn54t54t*FNJRET"
CALLBACK = document(
    merchantAccount="test_merch_n1",
    orderReference="DH783023",
    merchantSignature="ee460de4b316672fa974295ed4dba738",
    amount=1547.36,
    currency="UAH",
    authCode="541963",
    cardPan="41****8217",
    transactionStatus="Approved",
    reasonCode=1100,
)


def wayforpay_request(body: bytes) -> RawRequest:
    at = datetime.fromtimestamp(1415379863, UTC)
    return RawRequest("POST", "/webhooks/x", "", [], body, at)


@pytest.mark.parametrize("secrets", [(SECRET,), ("a newer one", SECRET)])
def test_wayforpay_is_answered_as_its_documentation_computes(secrets: tuple[str, ...]) -> None:
    known = tuple(map(Secret.plain, secrets))
    source = Source(name="x", provider="wayforpay", secrets=known)
    built, request = wayforpay.build(source), wayforpay_request(CALLBACK)
    assert Genuine() == built.verify(request, now=request.received_at)
    reply = built.acknowledge(request)
    assert reply is not None
    assert {
        "orderReference": "DH783023",
        "status": "accept",
        "time": 1415379863,
        "signature": "bd8d3443f99fb2c7a8b610ac600c80b0",
    } == orjson.loads(reply.body)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"orderReference":[]}', b"\xff"])
def test_wayforpay_is_not_answered_where_there_is_nothing_to_accept(body: bytes) -> None:
    source = Source(name="x", provider="wayforpay", secrets=(Secret.plain(SECRET),))
    assert wayforpay.build(source).acknowledge(wayforpay_request(body)) is None


# --- Monobank -----------------------------------------------------------------------------------


def pubkey() -> str:
    return b64encode(keys.public_pem(keys.ec_key("mono"))).decode()


@pytest.mark.parametrize("form", ['{{"key":"{}"}}', '"{}"', "{}\n"])
def test_the_key_of_monobank_is_read_as_its_api_and_people_write_it(form: str) -> None:
    (key,) = monobank.published(form.format(pubkey()).encode())
    assert keys.ec_key("mono").public_key().public_numbers() == key.public.public_numbers()  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "answer", [b"", b"{}", b'{"key":1}', b'{"key":"x"}', b"{", b'{"errCode":1}']
)
def test_an_answer_of_monobank_without_a_key_is_none(answer: bytes) -> None:
    with pytest.raises(NoKey, match=r"\.$"):
        monobank.published(answer)


def test_a_source_of_monobank_needs_a_token_or_a_key() -> None:
    with pytest.raises(ConfigurationError, match="no token"):
        preset("monobank").build(Source(name="x", provider="monobank"))


def test_a_look_at_the_address_of_monobank_is_answered() -> None:
    source = simulated.source("monobank")
    asked = replace(simulated.posted(source), method="GET", body=b"", headers=[])
    reply = preset("monobank").build(source).handshake(asked)
    assert reply is not None
    assert 200 == reply.status


# --- LiqPay, T-Bank, Alipay ---------------------------------------------------------------------


def test_sandbox_payments_of_liqpay_count_only_where_a_source_says_so() -> None:
    body = document(payment_id=1, order_id="1001", status="sandbox", amount=150, currency="UAH")
    (ignored,) = told("liqpay", body)
    (said,) = told("liqpay", body, statuses={"sandbox": "payment.paid"})
    assert ("ignored", "paid") == (ignored.fate, said.status)


def test_the_token_of_t_bank_covers_numbers_as_they_are_written() -> None:
    source = simulated.source("tbank")
    posted = simulated.posted(source)
    changed = replace(posted, body=posted.body.replace(b":14990,", b":14990.0,"))
    assert posted.body != changed.body
    assert isinstance(simulated.judged(source, changed), Forged)


def test_an_old_signature_of_alipay_is_refused() -> None:
    source = simulated.source("alipay")
    posted = simulated.posted(source)
    for old in (b"sign_type=RSA&", b"sign_type=&", b""):
        changed = replace(posted, body=posted.body.replace(b"sign_type=RSA2&", old))
        answer = simulated.judged(source, changed)
        assert isinstance(answer, Forged)
        assert "choose RSA2" in answer.reason
