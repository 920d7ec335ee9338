"""Adyen: standard webhooks about payments, refunds and disputes in, payment statements out.

Facts from the official SDK (Adyen 16.0.0, PyPI: both signatures) and docs.adyen.com (answers,
retries, disputes and their PSP reference, decimal places of currencies, failed captures that are
captured again; read 2026-11). UNVERIFIED, from general knowledge: the list of event codes beyond
AUTHORISATION, CAPTURE, REFUND, CANCELLATION and CHARGEBACK.

Only eight values of each item are signed: neither the time nor additionalData is. Adyen sends the
earliest refused webhook again and again before any other, so accept and look later. Other kinds of
webhooks (Management, Balance Platform) sign the whole body in a header and tell of no order.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from service.domain.events import Fate, Revocation, Statement
from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount, decimals
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification import combined, hashes
from service.intake.verification.hashes import Fields
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. Send your order number as the merchant reference of each payment. References of captures,
   cancellations and refunds are not looked at: they lead to the payment by its PSP reference.
2. In the Customer Area under Developers, Webhooks, add a standard webhook with this source's URL,
   method JSON, and have the event codes of payments, refunds and disputes sent.
3. Generate an HMAC key there and put it (64 hexadecimal digits) behind the reference in `secrets`.
   While you change it, list the old and the new one.
4. If your account captures at once, no CAPTURE comes: set options = { capture = "immediate" },
   and an authorisation counts as paid (and a capture that fails afterwards as a chargeback).
5. Adyen signs neither times nor additional data: restrict allow_from to its networks if you can."""

ITEMS = "notificationItems[].NotificationRequestItem"
KEY = "the webhook's HMAC key in hexadecimal"
OWN = "merchantReference"
SIGNED = ("pspReference", "originalReference", "merchantAccountCode", OWN)


def signed(item: Mapping[str, JSON], _secret: bytes) -> bytes:
    """Join the values that Adyen signs; a missing one is empty, and nothing is escaped.

    So only the merchant's own reference may hold a colon: two could be read in several ways.
    """
    given = item.get("amount")
    paid = given if isinstance(given, dict) else {}
    values = [
        *(item.get(name) for name in SIGNED),
        *(paid.get(name) for name in ("value", "currency")),
        *(item.get(name) for name in ("eventCode", "success")),
    ]
    texts = [hashes.text(each) for each in values]
    if any(":" in text for place, text in enumerate(texts) if place != SIGNED.index(OWN)):
        raise Unreadable("A signed value holds a colon, which ends it in what is signed.")
    return ":".join(texts).encode("utf-8", "surrogatepass")


ITEM = Fields(
    "json",
    "additionalData.hmacSignature",
    compose=signed,
    keyed=True,
    encoding="base64",
    items=ITEMS,
    key="hex",
    what=KEY,
)
HEADER = Hmac("HmacSignature", encoding="base64", key="hex", what=KEY, empty=False)
SCHEME = combined.any_of(ITEM, HEADER)

DEFENSE = "ignore: the dispute goes on; its outcome has an event of its own"
PAPERS = "ignore: the bank asks or warns, no money has moved"


def _done(status: str) -> Branch:
    """What was asked for was done, or refused, which changes nothing."""
    return Branch("success", {"true": status, "false": "facts"})


# How much went back in all is added up by the law, which then says `refunded`.
BACK = "payment.partially_refunded"
# It always takes the whole payment back.
MODIFIED = Branch(
    'additionalData."modification.action"',
    {"cancel": "payment.cancelled", "refund": "payment.refunded"},
)
EVENTS: dict[str, Told] = {
    "AUTHORISATION": Branch("success", {"true": "payment.authorized", "false": "payment.failed"}),
    "PENDING": "payment.awaiting_payment",
    "AUTHORISATION_ADJUSTMENT": "ignore: only the amount that is held changed",
    "CAPTURE": _done("payment.paid"),
    "CAPTURE_FAILED": "payment.failed",
    "CANCELLATION": _done("payment.cancelled"),
    "TECHNICAL_CANCEL": _done("payment.cancelled"),
    "CANCEL_OR_REFUND": Branch("success", {"true": MODIFIED, "false": "facts"}),
    "EXPIRE": "payment.cancelled",
    "OFFER_CLOSED": "payment.cancelled",
    "REFUND": _done(BACK),
    "REFUND_FAILED": "facts",
    "REFUNDED_REVERSED": "facts",
    "NOTIFICATION_OF_CHARGEBACK": "payment.chargeback",
    "CHARGEBACK": "payment.chargeback",
    "SECOND_CHARGEBACK": "payment.chargeback",
    "PREARBITRATION_LOST": "payment.chargeback",
    "CHARGEBACK_REVERSED": "payment.paid",
    "PREARBITRATION_WON": "payment.paid",
    "DISPUTE_DEFENSE_PERIOD_ENDED": DEFENSE,
    "ISSUER_RESPONSE_TIMEFRAME_EXPIRED": DEFENSE,
    "NOTIFICATION_OF_FRAUD": PAPERS,
    "REQUEST_FOR_INFORMATION": PAPERS,
    "ORDER_OPENED": "ignore: a split payment began; its parts have events of their own",
    "ORDER_CLOSED": "ignore: a split payment ended; its parts have events of their own",
    "REPORT_AVAILABLE": "ignore: it is about a report",
}
AT_ONCE: dict[str, Told] = {
    **EVENTS,
    "AUTHORISATION": Branch("success", {"true": "payment.paid", "false": "payment.failed"}),
    # The payment was told as paid, and the money did not come.
    "CAPTURE_FAILED": "payment.chargeback",
}
CAPTURE, FAILED = "CAPTURE", "CAPTURE_FAILED"
AGAIN = (
    "(contains(to_string(reason), 'ecaptured') && join(':', [to_string(success), 'again']))"
    " || success"
)
"""Adyen may repeat a capture that failed, under the same PSP reference."""

OUTCOME = ("eventCode", "success")
LOST = ("CHARGEBACK", "SECOND_CHARGEBACK", "PREARBITRATION_LOST")
WON = ("CHARGEBACK_REVERSED", "PREARBITRATION_WON")


def _moved(
    kind: Literal["paid", "refunded", "charged_back"], *when: str, words: tuple[str, ...] = ()
) -> MoneyAt:
    amount, currency = "amount.value", "amount.currency"
    return MoneyAt(kind, amount, currency, "pspReference", "minor", when, words)


def _undone(
    kind: Literal["refunded", "charged_back"], *when: str, words: tuple[str, ...] = ()
) -> MoneyAt:
    return MoneyAt(kind, "'0'", "amount.currency", "pspReference", when=when, words=words)


MONEY = (
    _moved("refunded", "REFUND:true", words=OUTCOME),
    _undone("refunded", "REFUND:false", words=OUTCOME),
    _undone("refunded", "REFUND_FAILED", "REFUNDED_REVERSED"),
    # All events of a dispute carry its own PSP reference.
    _moved("charged_back", *LOST),
    _undone("charged_back", *WON),
)
LAYOUT = Layout(
    title="Adyen",
    items=ITEMS,
    says=(Says("eventCode", EVENTS),),
    ref="(!originalReference && merchantReference) || `null`",
    key=("pspReference", "eventCode", AGAIN),
    when="eventDate",
    # The reason of an authorisation that went well holds digits of the card.
    reason="((success == 'false' || originalReference) && reason) || `null`",
    aliases={"payment:adyen": "originalReference || pspReference"},
    facts={
        "payment_id": "originalReference || pspReference",
        "payment_method": "paymentMethod",
        "merchant_account": "merchantAccountCode",
    },
    amounts={
        "amount": Amount("amount.value", "amount.currency", "minor", ("AUTHORISATION", "PENDING"))
    },
    money=(_moved("paid", "CAPTURE:true", words=OUTCOME), *MONEY),
)
CAPTURED_AT_ONCE = replace(
    LAYOUT,
    says=(Says("eventCode", AT_ONCE),),
    money=(_moved("paid", "AUTHORISATION:true", words=OUTCOME), *MONEY),
)


DECIMALS = {"CLP": 2, "CVE": 0, "IDR": 0, "ISK": 2}
"""Where Adyen counts other decimal places than ISO 4217."""


class Items(Reader):
    """Reads the items of a webhook, with amounts in the minor units of ISO 4217."""

    __slots__ = ()

    def views(self, document: JSON) -> Sequence[JSON]:
        return [_standard(view) for view in super().views(document)]


def _standard(view: JSON) -> JSON:
    """Shift an amount of the few currencies that Adyen counts otherwise; exactly or not at all."""
    paid = view.get("amount") if isinstance(view, dict) else None
    if not isinstance(view, dict) or not isinstance(paid, dict):
        return view
    currency, value = paid.get("currency"), paid.get("value")
    if not isinstance(currency, str) or currency not in DECIMALS or type(value) is not int:
        return view
    places = decimals(currency) - DECIMALS[currency]
    whole, rest = divmod(value * 10 ** max(places, 0), 10 ** max(-places, 0))
    return {**view, "amount": {**paid, "value": None if rest else whole}}


@dataclass(frozen=True, slots=True)
class Notifications:
    """Reads standard webhooks, and passes over the kinds that are about no payment."""

    reader: Reader
    source: str
    at_once: bool = False

    def read(self, request: RawRequest) -> Sequence[Statement]:
        said = self.reader.read(request)
        if not self.at_once:
            said = [_taking_back(each, self.source) for each in said]
        unread = len(said) == 1 and said[0].fate is Fate.UNREADABLE
        kind = _other_kind(request.body) if unread else None
        if kind is None:
            return said
        note = f"{mapping.shown(kind)} is no standard webhook: it is about no payment."
        return (Statement(said[0].dedupe_key, code=kind, fate=Fate.IGNORED, note=note),)


def _taking_back(said: Statement, source: str) -> Statement:
    """Let a capture that failed take back the one that went well, which has its PSP reference."""
    named, found, _ = said.dedupe_key.rpartition(f":{FAILED}:")
    if said.code != FAILED or said.fate is not Fate.FOLD or not found:
        return said
    taken = Revocation(source, f"{named}:{CAPTURE}:true")
    return replace(said, dedupe_key=f"{taken.dedupe_key}:revoked", revokes=taken)


def _other_kind(body: bytes) -> str | None:
    """Name the kind of a webhook that is not a standard one; None where it is no such thing."""
    try:
        document = mapping.read(body)
    except Unreadable:
        return None
    if not isinstance(document, dict) or "notificationItems" in document:
        return None
    return mapping.name(document.get("type"))


MANNERS = Manners(answer=replies.text("[accepted]"))


def build(source: Source) -> Declared:
    at_once = source.options.get("capture") == "immediate"
    reader = Items.of(CAPTURED_AT_ONCE if at_once else LAYOUT, source)
    told = Notifications(reader, source.name, at_once=at_once)
    return Declared(SCHEME.guard(source), told, MANNERS)


PRESET = Preset(
    name="adyen",
    title="Adyen",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="PSP reference, event code and success",
    proof=Proof("sdk", "Adyen 16.0.0 (PyPI)"),
    doubts=(
        (
            "Times and additionalData are not signed, and of CANCEL_OR_REFUND additionalData says "
            "which of the two it was: set allow_from, and compare such events with Adyen."
        ),
        (
            "That Adyen counts IDR without decimals is UNVERIFIED: confirm the amount of a payment "
            "in rupiah."
        ),
        (
            "The list of event codes is UNVERIFIED to be complete: confirm that none of your "
            "live events ends as unmapped."
        ),
        (
            "That REFUND_FAILED and REFUNDED_REVERSED carry the PSP reference of the refund, and "
            "CAPTURE_FAILED that of the capture, is UNVERIFIED: confirm on one of each that fails."
        ),
        (
            "That CHARGEBACK_REVERSED and PREARBITRATION_WON put the payment back to paid is "
            "UNVERIFIED: confirm on a dispute that you won."
        ),
    ),
    options=("capture",),
)
