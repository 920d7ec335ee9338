"""What Stripe's events mean: an event in, the status of the payment it tells of out.

Facts from the official SDK (stripe 16.1.0: event names) and docs.stripe.com (disputes; read
2026-11). A hold that is let go comes as a refund of a charge that was never captured (as several
plugins found, odoo/odoo#259230 among them, read 2026-11): it cancels the payment.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from service.intake.reading import mapping, telling
from service.intake.reading.mapping import shown
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Meaning

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


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The parts of an event that this preset reads."""

    id: str
    type: str
    created: JSON
    document: dict[str, JSON]
    thing: Mapping[str, JSON]
    """`data.object`"""


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
        case True if event.thing.get("captured") is False:
            return _moves_to("cancelled")
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
