"""YooKassa: notifications about payments and refunds in, payment statements out.

Facts from the official SDK (yookassa 3.13.0, PyPI; read 2026-11): event names, the networks it
posts from, cancellation details. Nothing is signed: whoever claims a header X-YooKassa-Signature
is wrong. So the end of the URL is the secret, and allow_from names the networks. UNVERIFIED: the
schedule of repeats (within 24 hours, by third parties).

A cancelled payment carries no time of that, so it can only raise the payment.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.verification.shared import UrlToken

SETUP = """\
1. Put your order number into the metadata of each payment as `order_id`; or set subject.ref to the
   place where it is.
2. Make a long random url_token for this source.
3. In YooKassa under Integration, HTTP notifications, enter this source's URL with the token at its
   end, and select the events of payment and refund.
4. Set allow_from to YooKassa's networks: 185.71.76.0/27, 185.71.77.0/27, 77.75.153.0/25,
   77.75.154.128/25, 77.75.156.11/32, 77.75.156.35/32, 2a02:5180:0:1509::/64,
   2a02:5180:0:1533::/64, 2a02:5180:0:2655::/64 and 2a02:5180:0:2669::/64."""

SCHEME = UrlToken()

# Whoever ended it, or let it lapse, did not fail to pay.
ENDED = (
    "!(object.cancellation_details) || object.cancellation_details.party == 'merchant'"
    " || object.cancellation_details.reason == 'expired_on_capture'"
)

LAYOUT = Layout(
    title="YooKassa",
    says=(
        Says(
            "event",
            {
                "payment.pending": "payment.awaiting_payment",
                "payment.waiting_for_capture": "payment.authorized",
                "payment.succeeded": "payment.paid",
                "payment.canceled": Branch(
                    ENDED, {"true": "payment.cancelled", "false": "payment.failed"}
                ),
                # The sums of refunds tell whether all of it went back.
                "refund.succeeded": "payment.partially_refunded",
            },
            ours=("payment.", "refund."),
        ),
    ),
    ref="object.metadata.order_id || object.metadata.order_no",
    key=("object.id", "event", "object.status"),
    when="object.captured_at || (event != 'payment.canceled' && object.created_at)",
    reason="object.cancellation_details.reason",
    # A refund names its payment, seldom the order.
    aliases={"payment:yookassa": "object.payment_id || object.id"},
    facts={
        "payment_id": "object.payment_id || object.id",
        "refund_id": "object.payment_id && object.id",
        "test": "object.test",
    },
    amounts={
        "amount": Amount("!(object.payment_id) && object.amount.value", "object.amount.currency")
    },
    money=(
        MoneyAt(
            "paid",
            "object.amount.value",
            "object.amount.currency",
            "object.id",
            when=("payment.succeeded",),
        ),
        MoneyAt(
            "refunded",
            "object.amount.value",
            "object.amount.currency",
            "object.id",
            when=("refund.succeeded",),
        ),
    ),
)

PRESET = Preset(
    name="yookassa",
    title="YooKassa",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("OK"))),
    scheme=SCHEME.summary,
    identity="event, object and its status",
    proof=Proof("none", ""),
    url_token=True,
    doubts=(
        (
            "Nothing is signed: keep the URL secret and set allow_from, or anybody who learns it "
            "can say that an order is paid."
        ),
        (
            "A cancelled payment carries no time of that: where a second payment of the order is "
            "only authorized by then, it shows as failed or cancelled until it is captured. "
            "Confirm that nobody acts on that."
        ),
        (
            "The networks are those of the SDK of 2026-11: confirm them against YooKassa's page "
            "when requests are refused."
        ),
    ),
)
