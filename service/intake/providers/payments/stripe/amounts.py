"""The amounts in Stripe's events: an event in, its facts and the money that moved out.

Facts from docs.stripe.com (currencies; read 2026-11): amounts are in the smallest unit, with
Stripe's own view of which currencies have decimals.
"""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Literal

from service.domain.events import AttributeValue, Money
from service.intake.providers.payments.stripe.events import DISPUTES, STATUSES, Snapshot
from service.intake.reading import mapping
from service.intake.reading.money import currency_code
from service.intake.reading.paths import JSON
from service.intake.reading.telling import within

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
    if event.type != "charge.refunded" or thing.get("captured") is False:
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
