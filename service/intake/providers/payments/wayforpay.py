"""WayForPay: callbacks about payments in, payment statements and a signed answer out.

Facts from pywayforpay 0.2.1 (PyPI) and overshom-wayforpay 1.1.0 (npm), read 2026-11: the signed
fields, the signed answer without which the callback is repeated; the list of statuses from several
third parties. A signed field that is null or absent is left out of what is signed, an empty one
is not. UNVERIFIED: the schedule of repeats; that some callbacks come as a form whose only name is
the JSON.

A customer comes back to the shop with the same signed fields, so he holds a genuine signature: what
is signed must read one way only, and what was paid is named by nothing but signed fields.
"""

import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from service.intake.answering import replies
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import Provider, RawRequest, Reply
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.reading.reversals import Reversals
from service.intake.verification import hashes, keyring
from service.intake.verification.hashes import Fields
from service.settings import Source

SETUP = """\
1. Send your order number as orderReference, and this source's URL as serviceUrl, with each payment.
2. In WayForPay under Shop settings, find the secret key of the merchant.
3. Put it behind the reference in `secrets`."""

SIGNED = (
    *("merchantAccount", "orderReference", "amount", "currency"),
    *("authCode", "cardPan", "transactionStatus", "reasonCode"),
)
NEEDED = ("merchantAccount", "orderReference", "amount", "currency", "transactionStatus")
BETWEEN = ";"
SIGNATURE = "merchantSignature"


def compose(fields: Mapping[str, JSON], _: bytes) -> bytes:
    """Join the signed fields, each number as the digits that were sent."""
    values = {name: hashes.text(fields[name]) for name in SIGNED if fields.get(name) is not None}
    if missing := [name for name in NEEDED if not values.get(name)]:
        raise Unreadable(f"The body carries no {missing[0]}.")
    if any(BETWEEN in value for value in values.values()):
        raise Unreadable(f"A signed field holds `{BETWEEN}`, which ends it in what is signed.")
    return BETWEEN.join(values.values()).encode()


SCHEME = Fields(
    where="json",
    signature=SIGNATURE,
    algorithm="md5",
    compose=compose,
    keyed=True,
    what="the secret key of the merchant",
)

PAID = """`["Approved", "WaitingAuthComplete"]`"""
PARTLY = "to_number(refundAmount) > `0` && to_number(refundAmount) < to_number(amount)"

LAYOUT = Layout(
    title="WayForPay",
    says=(
        Says(
            "transactionStatus",
            {
                "InProcessing": "payment.awaiting_payment",
                "Pending": "payment.awaiting_payment",
                "WaitingAmountConfirm": "payment.awaiting_payment",
                "WaitingAuthComplete": "payment.authorized",
                "Approved": "payment.paid",
                "Declined": "payment.failed",
                "Expired": "payment.cancelled",
                "Voided": "payment.cancelled",
                "RefundInProcessing": "ignore: the refund is under way; its end is told as well",
                "Refunded": Branch(
                    PARTLY,
                    {"true": "payment.partially_refunded", "false": "payment.refunded"},
                    absent="payment.refunded",
                ),
            },
        ),
    ),
    ref="orderReference",
    key=(
        "orderReference",
        "transactionStatus",
        # It is not signed: whoever paid could say so again, later than the refund.
        f"(!contains({PAID}, transactionStatus) && processingDate) || `null`",
        "amount && to_string(amount)",
        "refundAmount && to_string(refundAmount)",
    ),
    when="processingDate || createdDate",
    reason="(to_string(reasonCode) != '1100' && reason) || `null`",
    facts={"method": "paymentSystem", "card": "cardPan", "reason_code": "reasonCode"},
    amounts={"amount": Amount("amount", "currency")},
    money=(
        MoneyAt("paid", "amount", "currency", "orderReference", when=("Approved",)),
        MoneyAt("refunded", "refundAmount", "currency", when=("Refunded",)),
    ),
)


@dataclass(frozen=True, slots=True)
class Accepting(Declared):
    """Answers that the callback was taken, signed by the key it was signed with."""

    secrets: Sequence[bytes] = field(default=(), repr=False)

    def acknowledge(self, request: RawRequest) -> Reply | None:
        try:
            found = hashes.document("json", request.body)
            sent = found if isinstance(found, dict) else {}
            key = self._signer(sent)
            order = hashes.text(sent.get("orderReference"))
        except Unreadable:
            return None
        if key is None:
            return None
        time = int(request.received_at.timestamp())
        signature = _mac(key, f"{order};{ACCEPT};{time}".encode())
        said = {"orderReference": order, "status": ACCEPT, "time": time, "signature": signature}
        return replies.document(said)

    def _signer(self, sent: Mapping[str, JSON]) -> bytes | None:
        """Find the key the sender knows, while a new one is being given out.

        What nobody signed is not answered: a signature over a stranger's words could be his next
        callback.
        """
        given = hashes.text(sent.get(SIGNATURE)).lower().encode("utf-8", "surrogatepass")
        message = compose(sent, b"")
        found = (each for each in self.secrets if _is(_mac(each, message), given))
        return next(found, None)


ACCEPT = "accept"


def _mac(key: bytes, message: bytes) -> str:
    return hmac.digest(key, message, "md5").hex()


def _is(expected: str, given: bytes) -> bool:
    return hmac.compare_digest(expected.encode(), given)


def build(source: Source) -> Provider:
    secrets = keyring.plain(source, SCHEME.what)
    # A payment that is voided was only held, or was taken on the same day.
    reader = Reversals(Reader.of(LAYOUT, source), {"Voided"} - source.statuses.keys())
    return Accepting(SCHEME.guard(source), reader, secrets=secrets)


PRESET = Preset(
    name="wayforpay",
    title="WayForPay",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="order, status and amounts; but for payments, the time of processing too",
    proof=Proof("foreign", "pywayforpay 0.2.1 (PyPI)"),
    doubts=(
        (
            "The signature is PARTIAL (two unofficial packages agree): confirm on a live callback "
            "that it is taken."
        ),
        (
            "Whether a payment that was taken may be Voided is UNVERIFIED; it then shows as "
            "refunded, a held one as cancelled: confirm by giving one back on the same day."
        ),
        (
            "Only eight fields are signed; refundAmount and the times are not, and customers hold "
            "signed fields: set allow_from if WayForPay tells you its addresses."
        ),
        (
            "Whether refundAmount is the sum of all refunds is UNVERIFIED and taken to be so: "
            "confirm on a payment with two partial refunds."
        ),
        (
            "That some callbacks come as a form whose only name is the JSON is UNVERIFIED, and "
            "such ones are refused: confirm that yours are JSON."
        ),
    ),
)
