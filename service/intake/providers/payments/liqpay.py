"""LiqPay: callbacks about payments in, payment statements out.

Facts from liqpay-python3 1.1.2, liqpay-sdk-python3 1.0.6 and liqpy 0.20 (PyPI, which agree) and
copies of the documentation, read 2026-11: base64 of JSON in the form field `data`, its signature,
the whole list of statuses. UNVERIFIED: the schedule of repeats, a newer signature by SHA3-256.
"""

from collections.abc import Mapping

from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Provider
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.reading.reversals import Reversals
from service.intake.verification import hashes
from service.intake.verification.hashes import Fields
from service.intake.verification.wrapped import Wrapped, enclosed
from service.settings import Source

SETUP = """\
1. Send your order number as order_id, and this source's URL as server_url, with each payment.
2. In LiqPay under Business, Shop settings, API, find the private key of the shop.
3. Put it behind the reference in `secrets`. Sandbox payments are left out; to count them, set
   statuses.sandbox to payment.paid, and only for a shop that is a test."""


def compose(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    """Put the data, as it came, between two private keys."""
    if "data" not in fields:
        raise Unreadable("The form carries no `data`.")
    return secret + hashes.text(fields["data"]).encode() + secret


def unwrap(body: bytes) -> bytes:
    return enclosed(hashes.form(body).get("data"))


PROOF = Fields(
    where="form",
    signature="signature",
    algorithm="sha1",
    encoding="base64",
    compose=compose,
    what="the private key of the shop",
)
SCHEME = Wrapped(PROOF, unwrap)

WAITING = (
    *("cash_wait", "invoice_wait", "prepared", "processing", "wait_secure", "wait_card"),
    *("wait_reserve", "3ds_verify", "captcha_verify", "cvv_verify", "ivr_verify", "otp_verify"),
    *("password_verify", "phone_verify", "pin_verify", "receiver_verify", "sender_verify"),
    *("senderapp_verify", "wait_qr", "wait_sender", "p24_verify", "mp_verify"),
)

PARTLY = "to_number(refund_amount) > `0` && to_number(refund_amount) < to_number(amount)"

STATUSES: Mapping[str, Told] = {
    **dict.fromkeys(WAITING, "payment.awaiting_payment"),
    "hold_wait": "payment.authorized",
    "wait_accept": "payment.authorized",
    "wait_lc": "payment.authorized",
    "success": "payment.paid",
    "wait_compensation": "payment.paid",
    "failure": "payment.failed",
    "error": "payment.failed",
    "try_again": "payment.failed",
    "reversed": Branch(
        PARTLY,
        {"true": "payment.partially_refunded", "false": "payment.refunded"},
        absent="payment.refunded",
    ),
    "sandbox": "ignore: it is a test payment, and no money moved",
    "subscribed": "ignore: a subscription began, which is no payment",
    "unsubscribed": "ignore: a subscription ended, which is no payment",
}

LAYOUT = Layout(
    title="LiqPay",
    says=(Says("status", STATUSES),),
    ref="order_id",
    key=(
        "payment_id || transaction_id || liqpay_order_id || order_id",
        "status",
        "amount && to_string(amount)",
        "refund_amount && to_string(refund_amount)",
        "end_date || create_date",
    ),
    when="end_date || create_date",
    reason="err_code",
    aliases={"payment:liqpay": "payment_id"},
    facts={"payment_id": "payment_id", "method": "paytype", "action": "action"},
    amounts={"amount": Amount("amount", "currency")},
    money=(
        MoneyAt("paid", "amount", "currency", "payment_id", when=("success", "wait_compensation")),
        MoneyAt("refunded", "refund_amount", "currency", when=("reversed",)),
    ),
)

MANNERS = Manners(answer=replies.text("OK"))


def build(source: Source) -> Provider:
    reader = Reversals(Reader.of(LAYOUT, source), {"reversed"} - source.statuses.keys())
    return Declared(SCHEME.guard(source), reader, MANNERS)


PRESET = Preset(
    name="liqpay",
    title="LiqPay",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="payment, status, amounts and time",
    proof=Proof("foreign", "liqpay-python3 1.1.2 (PyPI)"),
    doubts=(
        (
            "The signature is PARTIAL (three unofficial packages agree): confirm on a live "
            "callback that it is taken."
        ),
        (
            "Whether refund_amount is the sum of all refunds is UNVERIFIED and taken to be so: "
            "confirm on a payment with two partial refunds."
        ),
        (
            "That a hold which is let go comes as `reversed`, too, is UNVERIFIED; it then shows as "
            "cancelled: confirm on one."
        ),
        (
            "Whether end_date moves with a refund is UNVERIFIED: confirm that `reversed` does not "
            "carry the time of the payment."
        ),
        (
            "A signature by SHA3-256 is UNVERIFIED and not judged: confirm that callbacks of the "
            "version in use are signed by SHA-1."
        ),
    ),
)
