"""T-Bank (Tinkoff) acquiring: notifications about payments in, payment statements out.

Facts from developer.tbank.ru (notifications, read 2026-11 as a stored copy, with its published
example of a token) and tinkoff-acquiring-api 0.1.3 (PyPI, unofficial, same algorithm): the token
over sorted values, statuses, the answer `OK`. Notifications about receipts (Status RECEIPT), bound
cards and bound accounts (they carry a NotificationType) come to the same address and say nothing
of the payment. There is no time in it, so an event can only raise the payment.
"""

from collections.abc import Mapping

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.verification import hashes
from service.intake.verification.hashes import Fields

SETUP = """\
1. Send your order number as OrderId with each Init.
2. In the account of internet acquiring under Shops, Terminals, set the notifications to HTTP(S)
   with this source's URL.
3. Put the terminal's password behind the reference in `secrets`; each terminal has its own.
4. Set allow_from to 91.194.226.0/23, 91.218.132.0/22 and 212.233.80.0/22."""


def compose(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    """Join the values, the password among them, in the order of their names."""
    values = {name: value.encode() for name, value in hashes.scalars(fields).items()}
    values["Password"] = secret
    return b"".join(values[name] for name in sorted(values))


SCHEME = Fields(
    where="json",
    signature="Token",
    compose=compose,
    what="the password of the terminal",
)

STATUSES = {
    "NEW": "payment.awaiting_payment",
    "FORM_SHOWED": "payment.awaiting_payment",
    "PREAUTHORIZING": "payment.awaiting_payment",
    "AUTHORIZING": "payment.awaiting_payment",
    "3DS_CHECKING": "payment.awaiting_payment",
    "3DS_CHECKED": "payment.awaiting_payment",
    "PAY_CHECKING": "payment.awaiting_payment",
    "AUTHORIZED": "payment.authorized",
    "CONFIRMING": "payment.authorized",
    "CONFIRM_CHECKING": "payment.authorized",
    "PARTIAL_REVERSED": "payment.authorized",
    "CONFIRMED": "payment.paid",
    "REVERSED": "payment.cancelled",
    "CANCELED": "payment.cancelled",
    "DEADLINE_EXPIRED": "payment.cancelled",
    "ATTEMPTS_EXPIRED": "payment.cancelled",
    "PARTIAL_REFUNDED": "payment.partially_refunded",
    "REFUNDED": "payment.refunded",
    "AUTH_FAIL": "payment.failed",
    "REJECTED": "payment.failed",
    "REVERSING": "ignore: the reversal is under way; its end is told as well",
    "REFUNDING": "ignore: the refund is under way; its end is told as well",
    "ASYNC_REFUNDING": "ignore: the refund is under way; its end is told as well",
    "RECEIPT": "ignore: a receipt was written, which is no word about the payment",
    "binding": "ignore: a card or an account was bound, which is no word about a payment",
}

WORD = "(NotificationType && 'binding') || Status"

LAYOUT = Layout(
    title="T-Bank",
    says=(Says(WORD, STATUSES),),
    ref="OrderId",
    key=("TerminalKey", "PaymentId", WORD, "Amount", "RequestKey"),
    aliases={"payment:tbank": "PaymentId"},
    facts={"payment_id": "PaymentId", "card": "Pan", "error_code": "ErrorCode"},
    # What a refund's amount is, is not known; it must not pass for the price.
    amounts={
        "amount": Amount(
            """contains(`["AUTHORIZED", "CONFIRMED"]`, Status) && Amount""", "'RUB'", "minor"
        )
    },
    money=(MoneyAt("paid", "Amount", "'RUB'", "PaymentId", "minor", ("CONFIRMED",)),),
)

PRESET = Preset(
    name="tbank",
    title="T-Bank",
    category="payments",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("OK"))),
    scheme=SCHEME.summary,
    identity="terminal, payment, status and amount",
    proof=Proof("vector", "developer.tbank.ru; and tinkoff-acquiring-api 0.1.3 (PyPI, unofficial)"),
    doubts=(
        (
            "Two partial refunds of the same amount look alike and count as one: confirm on a live "
            "payment what tells them apart."
        ),
        (
            "What Amount means in PARTIAL_REFUNDED is UNVERIFIED, so the refunded sum is not kept: "
            "confirm whether it is the refund, the sum of refunds or the rest."
        ),
        (
            "There is no time in it: after a failed try, a second one shows as failed until it is "
            "confirmed. For payments in two steps, confirm that nobody acts on `failed`."
        ),
        (
            "The token joins values without anything between them and covers neither the names of "
            "fields nor DATA and Receipt: whoever has one notification can move its digits from "
            "one field to the next. Set allow_from, and keep recorded requests from others."
        ),
    ),
)
