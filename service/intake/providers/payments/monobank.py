"""Monobank acquiring (plata by mono): webhooks about invoices in, payment statements out.

Facts from several third-party SDKs that agree and copies of the documentation on caching the key
(read 2026-11): ECDSA of the body by the merchant's public key, which the API gives out for the
merchant's token, and which may be replaced with nothing to tell it by. UNVERIFIED: the curve; any
is taken. `expired` is never pushed (third parties). Deliveries may come in any order; modifiedDate
sorts them.
"""

from collections.abc import Sequence

import orjson

from service.intake.answering import replies
from service.intake.answering.handshakes import READING
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Provider, RawRequest, Reply
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.reading.reader import Reader
from service.intake.reading.reversals import Reversals
from service.intake.verification import material
from service.intake.verification.material import Key, NoKey
from service.intake.verification.publickeys import PublicKey
from service.settings import Source

SETUP = """\
1. Send your order number as merchantPaymInfo.reference, and this source's URL as webHookUrl, with
   each invoice.
2. Put the merchant's token (X-Token) behind the reference in `token`: the public key is fetched
   with it. Or put the key of GET /api/merchant/pubkey into `secrets`, and mind its replacement.
3. An invoice that expires is never told: let the shop cancel such orders."""


def published(document: bytes) -> Sequence[Key]:
    """Take the key of what the API answers: `{"key": base64 of PEM}`, or that text alone."""
    text = document.strip()
    if not text.startswith(b"{"):
        return material.read(text.strip(b'"'))
    try:
        found = orjson.loads(text)["key"]
    except (orjson.JSONDecodeError, KeyError):
        found = None
    if not isinstance(found, str):
        raise NoKey("The answer holds no key.")
    return material.read(found.encode("utf-8", "replace"))


PUBKEY = "https://api.monobank.ua/api/merchant/pubkey"

SCHEME = PublicKey(
    "X-Sign",
    algorithm="ecdsa-sha256",
    fetched=PUBKEY,
    document=published,
    authorized=True,
    token_header="X-Token",  # noqa: S106  # the name of a header
    rotates=True,
    body=False,
    what="the public key of the merchant",
)


def greet(request: RawRequest) -> Reply | None:
    """Answer a look at the address."""
    return replies.text("OK") if request.method in READING else None


CURRENCY = (
    "(ccy == `980` && 'UAH') || (ccy == `840` && 'USD') || (ccy == `978` && 'EUR')"
    " || (ccy == `826` && 'GBP') || (ccy == `985` && 'PLN')"
)

# Holding an amount and taking less makes finalAmount smaller, too; a refund is in the list.
TAKEN = "(cancelList && finalAmount < amount && 'partly') || 'whole'"
BACK = "cancelList && sum(cancelList[?status == 'success'].amount)"

LAYOUT = Layout(
    title="Monobank",
    says=(
        Says(
            "status",
            {
                "created": "payment.awaiting_payment",
                "processing": "payment.awaiting_payment",
                "hold": "payment.authorized",
                "success": Branch(
                    TAKEN, {"partly": "payment.partially_refunded", "whole": "payment.paid"}
                ),
                "failure": "payment.failed",
                "expired": "payment.cancelled",
                "reversed": Branch(
                    "finalAmount > `0`",
                    {"true": "payment.partially_refunded", "false": "payment.refunded"},
                    absent="payment.refunded",
                ),
            },
        ),
    ),
    ref="reference",
    key=("invoiceId", "status", "modifiedDate"),
    when="modifiedDate || createdDate",
    reason="failureReason",
    aliases={"payment:monobank": "invoiceId"},
    facts={"payment_id": "invoiceId", "card": "paymentInfo.maskedPan"},
    amounts={"amount": Amount("amount", CURRENCY, "minor")},
    money=(
        MoneyAt(
            "paid",
            "!cancelList && (finalAmount || amount)",
            CURRENCY,
            "invoiceId",
            "minor",
            ("success",),
        ),
        MoneyAt("refunded", BACK, CURRENCY, spelling="minor", when=("success", "reversed")),
    ),
)

MANNERS = Manners(answer=replies.text("OK"), greet=greet)


def build(source: Source) -> Provider:
    reader = Reversals(Reader.of(LAYOUT, source), {"reversed"} - source.statuses.keys())
    return Declared(SCHEME.guard(source), reader, MANNERS)


PRESET = Preset(
    name="monobank",
    title="Monobank (plata by mono)",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="invoice, status and time of change",
    proof=Proof("foreign", "aiomonobnk 0.5.5 (PyPI)"),
    keyless=True,
    doubts=(
        (
            "The signature is PARTIAL (third parties agree) and the curve of the key UNVERIFIED: "
            "confirm on a live delivery that it is taken."
        ),
        (
            "A hold that is given back is told as `reversed`, as a refund is; what was told before "
            "tells the two apart here. Confirm that a hold that is released shows as cancelled."
        ),
        "Whether a partial refund comes as `success` or `reversed` is UNVERIFIED; both are read.",
    ),
)
