"""Stripe: snapshot events of payments, refunds, disputes and invoices in, payment statements out.

Facts from the official SDK (stripe 16.1.0: signature scheme, event names) and docs.stripe.com
(currencies, disputes; read 2026-11). We are stricter than the SDK: it lets any future time and
several `t=` pass and checks the time only when it is too old.

Refunds and disputes seldom name the order; the payment intent leads to it. charge.refunded tells
a running total, the events of a refund one amount each; where these come, only they count.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal

from service.domain.events import Alias, AttributeValue, Fate, Money, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.money import currency_code
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Happening, Meaning, Telling, within
from service.intake.verification.hmacs import Hmac
from service.settings import Source

NAME = "stripe"
TITLE = "Stripe"
SETUP = """\
1. Put your order number into the metadata of each PaymentIntent (or Checkout Session) as
   `order_no`; or set subject.ref to the place where it is.
2. In the Stripe Dashboard under Developers, Webhooks, add an endpoint with this source's URL and
   the payload style "snapshot". Select the events of payment_intent, charge, checkout.session,
   refund (created, updated and failed: all three) and, where you use them, invoice.
3. Put the endpoint's signing secret (`whsec_…`, taken as it stands) behind the reference in
   `secrets`. While you roll the secret, list the old and the new one."""

HEADER = "Stripe-Signature"
SCHEME = Hmac(
    HEADER,
    message="{time}.{body}",
    pairs=("t", "v1"),
    exact=True,
    what="the signing secret of the Stripe endpoint (whsec_…)",
)
ORDER_PATH = (
    "data.object.metadata.order_no || data.object.metadata.order_id"
    " || data.object.client_reference_id"
)

PAYMENT = "payment:stripe"
"""The payment intent, which charges, refunds and disputes name too."""

OURS = ("payment_intent.", "charge.", "refund.", "checkout.session.", "invoice.")

STATUSES: Mapping[str, str] = {
    "payment_intent.created": "awaiting_payment",
    "payment_intent.requires_action": "awaiting_payment",
    "payment_intent.processing": "awaiting_payment",
    "payment_intent.partially_funded": "awaiting_payment",
    "payment_intent.amount_capturable_updated": "authorized",
    "payment_intent.succeeded": "paid",
    "payment_intent.payment_failed": "failed",
    "payment_intent.canceled": "cancelled",
    "checkout.session.async_payment_succeeded": "paid",
    "checkout.session.async_payment_failed": "failed",
    "checkout.session.expired": "cancelled",
    "charge.pending": "awaiting_payment",
    "charge.captured": "paid",
    "charge.failed": "failed",
    "charge.expired": "cancelled",
    "charge.dispute.funds_withdrawn": "chargeback",
    "charge.dispute.funds_reinstated": "paid",
    "invoice.finalized": "awaiting_payment",
    "invoice.sent": "awaiting_payment",
    "invoice.will_be_due": "awaiting_payment",
    "invoice.overdue": "awaiting_payment",
    "invoice.payment_action_required": "awaiting_payment",
    "invoice.payment_attempt_required": "awaiting_payment",
    "invoice.paid": "paid",
    "invoice.payment_succeeded": "paid",
    "invoice.payment_failed": "failed",
    "invoice.voided": "cancelled",
    "invoice.marked_uncollectible": "failed",
}

IGNORED: Mapping[str, str] = {
    "charge.updated": "only details of the charge changed",
    "invoice.created": "the invoice is a draft",
    "invoice.updated": "other invoice events carry the status",
    "invoice.deleted": "only drafts can be deleted",
    "invoice.upcoming": "the invoice does not exist yet",
    "invoice.finalization_failed": "the invoice is still a draft",
    "invoice.overpaid": "invoice.paid carries the status",
}

DISPUTES: Mapping[str, str | None] = {
    "needs_response": "chargeback",
    "under_review": "chargeback",
    "lost": "chargeback",
    "won": "paid",
    # An inquiry: the bank asks, no money has moved.
    "warning_needs_response": None,
    "warning_under_review": None,
    "warning_closed": None,
    "prevented": None,
}

REFUNDS = frozenset({"pending", "requires_action", "succeeded", "failed", "canceled"})
UNDONE_REFUNDS = frozenset({"failed", "canceled"})

ZERO_DECIMAL = frozenset(
    {
        *("BIF", "CLP", "DJF", "GNF", "JPY", "KMF", "KRW", "MGA"),
        *("PYG", "RWF", "VND", "VUV", "XAF", "XOF", "XPF"),
    }
)
"""Without ISK and UGX: Stripe still counts them in hundredths."""
THREE_DECIMAL = frozenset(("BHD", "JOD", "KWD", "OMR", "TND"))

TEXTS: Mapping[str, Mapping[str, str]] = {
    "payment_intent": {"payment_id": "id"},
    "charge": {"payment_id": "payment_intent", "charge_id": "id"},
    "checkout.session": {"payment_id": "payment_intent", "checkout_id": "id"},
    "invoice": {
        "payment_id": "payment_intent",
        "invoice_id": "id",
        "invoice_number": "number",
    },
    "refund": {"payment_id": "payment_intent", "refund_id": "id", "refund_status": "status"},
    "dispute": {
        "payment_id": "payment_intent",
        "dispute_id": "id",
        "dispute_status": "status",
        "dispute_reason": "reason",
    },
}
MONEY: Mapping[str, Mapping[str, str]] = {
    "payment_intent": {"amount": "amount", "amount_received": "amount_received"},
    "charge": {"amount": "amount", "amount_refunded": "amount_refunded"},
    "checkout.session": {"amount": "amount_total"},
    "invoice": {"amount": "total", "amount_paid": "amount_paid"},
    "refund": {"refund_amount": "amount"},
    "dispute": {"dispute_amount": "amount"},
}
CURRENCY: Mapping[str, str] = {"refund": "refund_currency", "dispute": "dispute_currency"}
"""A refund's or dispute's own currency must not relabel the amount of the order."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The parts of an event that this preset reads."""

    id: str
    type: str
    created: JSON
    document: dict[str, JSON]
    thing: Mapping[str, JSON]
    """`data.object`"""


@dataclass(frozen=True, slots=True)
class Snapshots:
    """Reads events for one configured endpoint."""

    telling: Telling

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            return (self._state(request),)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)

    def _state(self, request: RawRequest) -> Statement:
        document = mapping.read(request.body)
        if thin := _thin(document):
            return thin
        event = _snapshot(document)
        return self.telling.state(mean(event), _happening(event), request)


def _happening(event: Snapshot) -> Happening:
    facts = details(event.thing)
    payment = facts.get("payment_id")
    return Happening(
        key=event.id,
        code=event.type,
        subject=event.document,
        when=event.created,
        more=facts,
        aliases=(Alias(PAYMENT, payment),) if isinstance(payment, str) else (),
        money=tuple(moved(event)),
    )


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Snapshots(Telling.of(source, ORDER_PATH)))


def _snapshot(document: JSON) -> Snapshot:
    head = document if isinstance(document, dict) else {}
    data = head.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    key, kind = mapping.name(head.get("id")), mapping.name(head.get("type"))
    if head.get("object") != "event" or not key or not kind or not isinstance(thing, dict):
        raise Unreadable(
            "It is not a Stripe event: it needs object = event, id, type and data.object."
        )
    return Snapshot(key, kind, head.get("created"), head, thing)


def _thin(document: JSON) -> Statement | None:
    """Answer for the v2 events that only point at an object; None when it is none of them."""
    if not isinstance(document, dict) or document.get("object") != "v2.core.event":
        return None
    key, kind = mapping.name(document.get("id")), mapping.name(document.get("type"))
    if not key or not kind:
        raise Unreadable("It is not a Stripe event: it needs id and type.")
    if not kind.removeprefix("v1.").startswith(OURS):
        return Statement(key, code=kind, fate=Fate.IGNORED, note=f"{kind} is not about a payment.")
    note = (
        f"{kind} is a thin event: it tells that something happened to a payment, but not what; "
        "choose the payload style snapshot for this endpoint in Stripe."
    )
    return Statement(key, code=kind, fate=Fate.UNMAPPED, note=note)


def mean(event: Snapshot) -> Meaning:
    """Decide what an event means, by its type and, where that is not enough, by its object."""
    if status := STATUSES.get(event.type):
        return _moves_to(status)
    if rule := RULES.get(event.type):
        return rule(event)
    if why := IGNORED.get(event.type):
        return telling.ignored(f"{event.type}: {why}.")
    if event.type.startswith(OURS):
        return _unknown(event, "is a new event type of a family that tells about payments")
    return telling.ignored(f"{shown(event.type)} is not about a payment.")


def _moves_to(status: str) -> Meaning:
    return Meaning(f"payment.{status}")


def _completed(event: Snapshot) -> Meaning:
    match event.thing.get("payment_status"):
        case "paid" | "no_payment_required":
            return _moves_to("paid")
        case "unpaid":
            return _moves_to("awaiting_payment")
        case _:
            return _unknown(event, "carries an unknown payment_status")


def _succeeded(event: Snapshot) -> Meaning:
    match event.thing.get("captured"):
        case bool(captured):
            return _moves_to("paid" if captured else "authorized")
        case _:
            return _unknown(event, "does not tell whether the charge was captured")


def _refunded(event: Snapshot) -> Meaning:
    match event.thing.get("refunded"):
        case bool(full):
            return _moves_to("refunded" if full else "partially_refunded")
        case _:
            return _unknown(event, "does not tell whether the whole charge was refunded")


def _refund(event: Snapshot) -> Meaning:
    """Leave the status to the sums of the refunds."""
    if event.type == "refund.failed" or mapping.name(event.thing.get("status")) in REFUNDS:
        return FACTS
    return _unknown(event, "carries an unknown refund status")


def _dispute(event: Snapshot) -> Meaning:
    status = mapping.name(event.thing.get("status"))
    if status is not None and status in DISPUTES:
        lasting = DISPUTES[status]
        return _moves_to(lasting) if lasting else FACTS
    return _unknown(event, "carries an unknown dispute status")


RULES: Mapping[str, Callable[[Snapshot], Meaning]] = {
    "checkout.session.completed": _completed,
    "charge.succeeded": _succeeded,
    "charge.refunded": _refunded,
    "charge.refund.updated": _refund,
    "refund.created": _refund,
    "refund.updated": _refund,
    "refund.failed": _refund,
    "charge.dispute.created": _dispute,
    "charge.dispute.updated": _dispute,
    "charge.dispute.closed": _dispute,
}


def _unknown(event: Snapshot, why: str) -> Meaning:
    return telling.unmapped(f"{shown(event.type)} {why}.")


def details(thing: Mapping[str, JSON]) -> dict[str, AttributeValue]:
    """Collect the facts of a payment object; amounts as exact decimals in major units."""
    kind = thing.get("object")
    if not isinstance(kind, str) or kind not in TEXTS:
        return {}
    found = {label: mapping.name(thing.get(key)) for label, key in TEXTS[kind].items()}
    currency = thing.get("currency")
    if isinstance(currency, str) and len(currency) == 3 and currency.isascii():
        code = currency.upper()
        found[CURRENCY.get(kind, "currency")] = code
        amounts = {label: money(thing.get(key), code) for label, key in MONEY[kind].items()}
        found = amounts | found
    return {label: value for label, value in found.items() if value is not None}


Kind = Literal["paid", "refunded", "charged_back"]


def moved(event: Snapshot) -> Iterator[Money]:
    """Tell what was paid, by payment intent, and what went back, by refund or dispute."""
    thing = event.thing
    match thing.get("object"):
        case "payment_intent" if event.type == "payment_intent.succeeded":
            yield from _money("paid", thing, thing.get("amount_received"), thing.get("id"))
        case "charge":
            yield from _of_charge(event)
        case "checkout.session" if thing.get("payment_status") == "paid":
            paid_by = thing.get("payment_intent")
            yield from _money("paid", thing, thing.get("amount_total"), paid_by)
        case "invoice" if event.type in {"invoice.paid", "invoice.payment_succeeded"}:
            paid_by = thing.get("payment_intent")
            yield from _money("paid", thing, thing.get("amount_paid"), paid_by)
        case "refund":
            yield from _of_refund(thing, failed=event.type == "refund.failed")
        case "dispute":
            yield from _of_dispute(event)
        case _:
            return


def _of_charge(event: Snapshot) -> Iterator[Money]:
    thing = event.thing
    if thing.get("captured") is True and event.type in CAPTURED:
        amount = thing.get("amount_captured", thing.get("amount"))
        named = thing.get("payment_intent") or thing.get("id")
        yield from _money("paid", thing, amount, named)
    if event.type != "charge.refunded":
        return
    total = minor(thing, thing.get("amount_refunded"))
    if total is not None:
        yield Money("refunded", total, _currency(thing))
    # Older versions of the API list the refunds of the charge.
    listed = within(thing, "refunds").get("data")
    for refund in listed[:MAX_REFUNDS] if isinstance(listed, list) else ():
        if isinstance(refund, dict):
            yield from _of_refund(refund)


def _of_refund(refund: Mapping[str, JSON], *, failed: bool = False) -> Iterator[Money]:
    status = mapping.name(refund.get("status"))
    if failed or status in UNDONE_REFUNDS:
        yield from _nothing("refunded", refund)
    elif status == "succeeded":
        yield from _money("refunded", refund, refund.get("amount"), refund.get("id"))


def _of_dispute(event: Snapshot) -> Iterator[Money]:
    thing = event.thing
    status = mapping.name(thing.get("status")) or ""
    means = STATUSES.get(event.type) or DISPUTES.get(status)
    if means == "chargeback":
        yield from _money("charged_back", thing, thing.get("amount"), thing.get("id"))
    elif means == "paid":
        yield from _nothing("charged_back", thing)


CAPTURED = frozenset({"charge.succeeded", "charge.captured", "charge.refunded"})
MAX_REFUNDS = 32


def _money(kind: Kind, thing: Mapping[str, JSON], amount: JSON, named: JSON) -> Iterator[Money]:
    told, name = minor(thing, amount), mapping.name(named)
    if told is not None and name is not None:
        yield Money(kind, told, _currency(thing), name)


def _nothing(kind: Kind, thing: Mapping[str, JSON]) -> Iterator[Money]:
    """Take back what was said of a refund or a dispute, even where no currency is told."""
    if (name := mapping.name(thing.get("id"))) is not None:
        yield Money(kind, "0", _currency(thing), name)


def minor(thing: Mapping[str, JSON], amount: JSON) -> str | None:
    """Read an amount of an object in its currency; never a negative one."""
    currency = _currency(thing)
    sure = isinstance(amount, int) and amount >= 0 and currency
    return money(amount, currency) if sure else None


def _currency(thing: Mapping[str, JSON]) -> str:
    return currency_code(thing.get("currency"))


def money(amount: JSON, currency: str) -> str | None:
    """Write an amount in minor units as a decimal in major units; never through a float."""
    if not isinstance(amount, int) or isinstance(amount, bool):
        return None
    return format(Decimal(amount).scaleb(-decimals(currency)), "f")


def decimals(currency: str) -> int:
    """Tell how many decimal places Stripe counts for a currency."""
    return 0 if currency in ZERO_DECIMAL else 3 if currency in THREE_DECIMAL else 2


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the id of the event",
    proof=Proof("sdk", "stripe 16.1.0 (PyPI)"),
)
