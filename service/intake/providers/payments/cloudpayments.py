"""CloudPayments (and TipTopPay): notifications about transactions in, payment statements out.

Facts from cloudpayments 6.0.1 (npm, community, used with the official API) and third parties, read
2026-11: HMAC-SHA256 in two headers, the status words, the answer. UNVERIFIED: which of the two
headers is over the body as sent and which over the decoded text, so either may be over either;
that notifications are repeated up to 100 times.

The body does not say what kind of notification it is; the end of the address does. Form and JSON
are both read.
"""

from urllib.parse import unquote_to_bytes

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.provider import RawRequest
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.verification.combined import any_of
from service.intake.verification.hmacs import Hmac
from service.intake.verification.wrapped import Wrapped, form_or_json

SETUP = """\
1. Send your order number as InvoiceId with each payment.
2. In the account's site settings, enter one address for each notification: this source's URL
   followed by /pay, /confirm, /fail, /refund or /cancel, in small letters, by POST.
3. Put the API secret (password for API) behind the reference in `secrets`.
4. Leave Check without this address, or end it in /check: every check would be answered with 0,
   which lets the payment go on."""

WHAT = "the API secret of the site"


def decoded(request: RawRequest) -> bytes:
    """Write the body as it is without the encoding of a form."""
    return unquote_to_bytes(request.body.replace(b"+", b" "))


SENT = Hmac("Content-HMAC", encoding="base64", what=WHAT)
PROOF = any_of(
    SENT,
    Hmac("X-Content-HMAC", encoding="base64", canonical=decoded, what=WHAT),
    Hmac("Content-HMAC", encoding="base64", canonical=decoded, what=WHAT),
    Hmac("X-Content-HMAC", encoding="base64", what=WHAT),
)
SCHEME = Wrapped(PROOF, form_or_json)

STATES = {
    "AwaitingAuthentication": "payment.awaiting_payment",
    "Authorized": "payment.authorized",
    "Completed": "payment.paid",
    "Cancelled": "payment.cancelled",
    "Declined": "payment.failed",
}

# The end of the address is not signed: where the body says what it is, that counts.
BACK = "payment.partially_refunded"
SIGNED = "OperationType == 'Refund' && 'refund' || Status"
TOLD = {**STATES, "refund": BACK}

LAYOUT = Layout(
    title="CloudPayments",
    says=(
        Says(
            "tail",
            {
                "pay": Branch("Status", STATES),
                "confirm": Branch(SIGNED, TOLD, absent="payment.paid"),
                "fail": Branch(SIGNED, TOLD, absent="payment.failed"),
                # The sums of refunds tell whether all of it went back.
                "refund": Branch(
                    "OperationType == 'Payment' && (Status || 'payment') || 'refund'", TOLD
                ),
                "cancel": Branch(SIGNED, TOLD, absent="payment.cancelled"),
                "check": "ignore: it asks whether to take the payment, before there is one",
                "recurrent": "ignore: a subscription changed, not a payment",
                "receipt": "ignore: a receipt was written, which is no word about the payment",
                "kkt": "ignore: a cash register changed, not a payment",
            },
        ),
    ),
    ref="InvoiceId",
    key=("TransactionId", "tail"),
    when="DateTime",
    zone="UTC",
    reason="Reason",
    aliases={"payment:cloudpayments": "PaymentTransactionId || TransactionId"},
    facts={
        "payment_id": "PaymentTransactionId || TransactionId",
        "customer": "AccountId",
        "reason_code": "ReasonCode",
        "test": "TestMode",
    },
    amounts={"amount": Amount("!PaymentTransactionId && Amount", "Currency")},
    money=(
        MoneyAt(
            "paid",
            "OperationType != 'Refund' && Status == 'Completed' && Amount",
            "Currency",
            "TransactionId",
            when=("pay",),
        ),
        MoneyAt(
            "paid",
            "OperationType != 'Refund' && (!Status || Status == 'Completed') && Amount",
            "Currency",
            "TransactionId",
            when=("confirm",),
        ),
        MoneyAt(
            "refunded",
            "OperationType != 'Payment' && Amount",
            "Currency",
            "TransactionId",
            when=("refund",),
        ),
    ),
)

PRESET = Preset(
    name="cloudpayments",
    title="CloudPayments",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document({"code": 0}))),
    scheme="HMAC-SHA256 of the body, as sent or decoded, base64",
    identity="the transaction and the kind of notification",
    proof=Proof("foreign", "cloudpayments 6.0.1 (npm, community)"),
    doubts=(
        (
            "The signature is PARTIAL (third parties agree): confirm on a live delivery that it "
            "is taken."
        ),
        (
            "Which header is over the decoded body is UNVERIFIED, so either is taken: confirm on a "
            "live delivery that one of them matches."
        ),
        "Notifications by GET carry no body and are refused: choose POST.",
        (
            "The end of the address, which tells the kind, is not signed; that OperationType and "
            "Status tell it as well is UNVERIFIED for each kind: confirm on live deliveries."
        ),
    ),
)
