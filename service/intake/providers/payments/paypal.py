"""PayPal: REST webhooks about orders, captures, refunds and disputes in, payment statements out.

Facts from paypalrestsdk 1.13.3 (PyPI, the vendor's legacy SDK: the signed text, the certificate),
paypal-server-sdk 2.4 (statuses) and developer.paypal.com (headers, retries, outcomes of disputes;
read 2026-11). UNVERIFIED: the meaning of a dispute's outcome for the payment, the fields of
invoices and of the legacy PAYMENT.SALE events, and whether the time of transmission is that of
the attempt. Events of PayPal's simulator are signed with no real webhook id and never pass.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.money import Amount
from service.intake.verification.certificates import PayPal

SETUP = """\
1. Put your order number into `invoice_id` (or `custom_id`) of each purchase unit; or set
   subject.ref to the place where it is.
2. In the PayPal Developer Dashboard, open your app and add a webhook with this source's URL (port
   443) and the events of Checkout order, Payment authorization, Payment capture, Payment refund
   and Customer dispute.
3. Set options = { webhook_id = "…" } to the id PayPal gave that webhook: it is part of what is
   signed. There is no secret; the public key comes from PayPal.
4. A test from PayPal's webhook simulator is always refused; make a payment in the sandbox."""

SCHEME = PayPal()

OUTCOMES = {
    "RESOLVED_SELLER_FAVOUR": "payment.paid",
    "CANCELED_BY_BUYER": "payment.paid",
    "RESOLVED_BUYER_FAVOUR": "payment.chargeback",
}
# How much went back in all is added up by the law, which then says `refunded`.
BACK = "payment.partially_refunded"
EVENTS: dict[str, Told] = {
    # The buyer approved; nothing is paid yet.
    "CHECKOUT.ORDER.APPROVED": "payment.awaiting_payment",
    "CHECKOUT.ORDER.COMPLETED": "payment.paid",
    "PAYMENT.AUTHORIZATION.CREATED": "payment.authorized",
    "PAYMENT.AUTHORIZATION.VOIDED": "payment.cancelled",
    "PAYMENT.CAPTURE.PENDING": "payment.awaiting_payment",
    "PAYMENT.CAPTURE.COMPLETED": "payment.paid",
    "PAYMENT.CAPTURE.DECLINED": "payment.failed",
    "PAYMENT.CAPTURE.DENIED": "payment.failed",
    "PAYMENT.CAPTURE.REFUNDED": BACK,
    "PAYMENT.CAPTURE.REVERSED": "payment.chargeback",
    "PAYMENT.REFUND.PENDING": "facts",
    "PAYMENT.REFUND.FAILED": "facts",
    "PAYMENT.SALE.PENDING": "payment.awaiting_payment",
    "PAYMENT.SALE.COMPLETED": "payment.paid",
    "PAYMENT.SALE.DENIED": "payment.failed",
    "PAYMENT.SALE.REFUNDED": BACK,
    "PAYMENT.SALE.REVERSED": "payment.chargeback",
    "CUSTOMER.DISPUTE.CREATED": "payment.chargeback",
    "CUSTOMER.DISPUTE.UPDATED": "payment.chargeback",
    "CUSTOMER.DISPUTE.RESOLVED": Branch("resource.dispute_outcome.outcome_code", OUTCOMES),
    "INVOICING.INVOICE.PAID": "payment.paid",
    "INVOICING.INVOICE.CANCELLED": "payment.cancelled",
    "INVOICING.INVOICE.REFUNDED": BACK,
}
OURS = (
    *("CHECKOUT.ORDER.", "PAYMENT.AUTHORIZATION.", "PAYMENT.CAPTURE.", "PAYMENT.REFUND."),
    *("PAYMENT.SALE.", "CUSTOMER.DISPUTE."),
)

RELATED = "resource.supplementary_data.related_ids"
CAPTURE = (
    f"{RELATED}.capture_id || resource.disputed_transactions[0].seller_transaction_id"
    " || (resource_type == 'capture' && resource.id) || `null`"
)
ORDER = f"{RELATED}.order_id || (resource_type == 'checkout-order' && resource.id) || `null`"
AMOUNT, CURRENCY = "resource.amount.value", "resource.amount.currency_code"
DISPUTED = ("resource.dispute_amount.currency_code", "resource.dispute_id")

LAYOUT = Layout(
    title="PayPal",
    says=(Says("event_type", EVENTS, ours=OURS),),
    # purchase_units[].reference_id is left out: it is `default` unless the shop sets it.
    ref=(
        "resource.invoice_id || resource.custom_id || resource.purchase_units[0].invoice_id"
        " || resource.purchase_units[0].custom_id"
        " || resource.disputed_transactions[0].invoice_number"
    ),
    key=("id",),
    when="create_time",
    reason="resource.status_details.reason || resource.reason",
    aliases={"payment:paypal": CAPTURE, "order:paypal": ORDER},
    facts={
        "payment_id": CAPTURE,
        "dispute_id": "resource.dispute_id",
        "dispute_outcome": "resource.dispute_outcome.outcome_code",
    },
    amounts={
        "amount": Amount(
            AMOUNT,
            CURRENCY,
            when=(
                *("PAYMENT.AUTHORIZATION.CREATED", "PAYMENT.CAPTURE.PENDING"),
                "PAYMENT.CAPTURE.COMPLETED",
            ),
        ),
    },
    money=(
        MoneyAt("paid", AMOUNT, CURRENCY, "resource.id", when=("PAYMENT.CAPTURE.COMPLETED",)),
        MoneyAt("refunded", AMOUNT, CURRENCY, "resource.id", when=("PAYMENT.CAPTURE.REFUNDED",)),
        MoneyAt("refunded", "'0'", CURRENCY, "resource.id", when=("PAYMENT.REFUND.FAILED",)),
        MoneyAt(
            "charged_back",
            "resource.dispute_amount.value",
            *DISPUTED,
            when=("CUSTOMER.DISPUTE.CREATED", "CUSTOMER.DISPUTE.UPDATED"),
        ),
        MoneyAt(
            "charged_back",
            "'0'",
            *DISPUTED,
            when=("RESOLVED_SELLER_FAVOUR", "CANCELED_BY_BUYER"),
            words=("resource.dispute_outcome.outcome_code",),
        ),
    ),
)

PRESET = Preset(
    name="paypal",
    title="PayPal",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=SCHEME.summary,
    identity="the event's id",
    proof=Proof(
        "foreign",
        "dj-paypal-checkout 0.4.0 (PyPI); the signed text by paypalrestsdk 1.13.3 (PyPI)",
    ),
    doubts=(
        (
            "Of the body only a CRC-32 is signed: whoever has one signed request can make another "
            "body fit it until its time is too old. Keep tolerance short, recorded requests from "
            "others, and compare large sums with PayPal."
        ),
        (
            "Whether the time of transmission is that of the attempt is UNVERIFIED: confirm on a "
            "delivery that PayPal sends again hours later; if it is refused as stale, raise "
            "tolerance."
        ),
        (
            "What the outcome of a dispute means for the payment is UNVERIFIED: confirm on "
            "resolved disputes, above all RESOLVED_WITH_PAYOUT, which ends as unmapped."
        ),
        (
            "The fields of INVOICING.INVOICE.* and PAYMENT.SALE.* are UNVERIFIED: confirm where "
            "they carry your order number before you select them."
        ),
        (
            "That a refund which fails carries the id and currency of the refund is UNVERIFIED: "
            "confirm on one."
        ),
    ),
    keyless=True,
    options=("webhook_id",),
)
