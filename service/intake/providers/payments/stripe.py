"""Stripe: snapshot events of payments, refunds, disputes and invoices in, payment statements out.

Facts from the official SDK (stripe 16.1.0: signature scheme, event names) and docs.stripe.com
(currencies, disputes; read 2026-11). We are stricter than the SDK: it lets any future time and
several `t=` pass and checks the time only when it is too old.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from service.domain.errors import ConfigurationError
from service.domain.events import AttributeValue, Fate, Statement
from service.intake.preset import Preset, Proof
from service.intake.provider import NO_KEYS, Forged, Genuine, Keys, Provider, RawRequest
from service.intake.reading import mapping
from service.intake.reading.mapping import Dating, Naming, Unreadable, shown
from service.intake.reading.paths import JSON
from service.intake.verification import signing
from service.settings import Source

NAME = "stripe"
TITLE = "Stripe"
SETUP = """\
1. Put your order number into the metadata of each PaymentIntent (or Checkout Session) as
   `order_no`; or set subject.ref to the place where it is.
2. In the Stripe Dashboard under Developers, Webhooks, add an endpoint with this source's URL and
   the payload style "snapshot". Select the events of payment_intent, charge, checkout.session
   and, where you use them, refund and invoice.
3. Put the endpoint's signing secret (`whsec_…`, taken as it stands) behind the reference in
   `secrets`. While you roll the secret, list the old and the new one."""

HEADER = "Stripe-Signature"
ORDER_PATH = (
    "data.object.metadata.order_no || data.object.metadata.order_id"
    " || data.object.client_reference_id"
)

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

SETTLED_REFUNDS = frozenset({"pending", "requires_action", "succeeded"})
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
    document: JSON
    thing: Mapping[str, JSON]
    """`data.object`"""


@dataclass(frozen=True, slots=True)
class Meaning:
    """What an event means for the payment lane."""

    status: str | None = None
    fate: Fate = Fate.FOLD
    note: str = ""


@dataclass(frozen=True, slots=True)
class Stripe(Provider):
    """One configured Stripe endpoint."""

    scheme: signing.Scheme
    naming: Naming
    dating: Dating

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,  # noqa: ARG002
    ) -> Genuine | Forged:
        return signing.judge(self.scheme, claim(request, now=now), request, now=now)

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        try:
            return (self._state(request),)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)

    def _state(self, request: RawRequest) -> Statement:
        document = mapping.read(request.body)
        if thin := _thin(document):
            return thin
        event = _snapshot(document)
        meaning = mean(event)
        said = Statement(
            dedupe_key=event.id,
            lifecycle=self.naming.lifecycle,
            lane="payment" if meaning.status else None,
            status=meaning.status,
            code=event.type,
            fate=meaning.fate,
            note=meaning.note,
        )
        return said if meaning.fate is Fate.IGNORED else self._fill(said, event, request)

    def _fill(self, said: Statement, event: Snapshot, request: RawRequest) -> Statement:
        named = self.naming.find(event.document)
        when, flag = self.dating.read(event.created, received_at=request.received_at)
        filled = replace(
            said,
            ref=named.ref,
            scope=named.scope,
            occurred_at=when,
            attributes=details(event.thing),
            note=mapping.sentences(said.note, flag),
        )
        if named.ref is not None or said.fate is not Fate.FOLD:
            return filled
        missing = f"{event.type} {named.note}"
        if said.status:
            return replace(filled, fate=Fate.UNRESOLVED, note=missing)
        # Refunds and inquiries seldom name the order; a dead letter for each would be noise.
        why = f"{missing} It only adds details; the events of the charge carry the status."
        return replace(filled, fate=Fate.IGNORED, note=why)


def build(source: Source) -> Stripe:
    if not source.secrets:
        raise ConfigurationError(
            f"The source {source.name} has no secrets; "
            "put the signing secret of the Stripe endpoint (whsec_…) there."
        )
    secrets = tuple(secret.reveal() for secret in source.secrets)
    return Stripe(
        signing.Scheme(secrets, source.tolerance),
        Naming.of(source, source.subject.ref or ORDER_PATH),
        Dating.of(source),
    )


def claim(request: RawRequest, *, now: datetime) -> signing.Claim | Forged:
    """Read `t=…,v1=…[,v1=…]`; other schemes in the list are passed over."""
    header = signing.single(request, HEADER)
    if isinstance(header, Forged):
        return header
    pairs = [item.partition("=")[::2] for item in header.split(",")]
    times = [value for key, value in pairs if key == "t"]
    candidates = [signing.raw(value) for key, value in pairs if key == "v1"]
    if len(times) != 1:
        return Forged(f"{HEADER} must carry one time `t=…`; it carries {len(times)}.")
    skew = signing.clock(times[0], now=now)
    if skew is None:
        return Forged(f"The time in {HEADER} is not a whole number of unix seconds.")
    if not 1 <= len(candidates) <= signing.MAX_CANDIDATES:
        limit = signing.MAX_CANDIDATES
        return Forged(f"{HEADER} carries {len(candidates)} v1 signatures, not 1 to {limit}.", skew)
    return signing.Claim(times[0].encode() + b"." + request.body, candidates, skew)


def _snapshot(document: JSON) -> Snapshot:
    head = document if isinstance(document, dict) else {}
    data = head.get("data")
    thing = data.get("object") if isinstance(data, dict) else None
    key, kind = mapping.name(head.get("id")), mapping.name(head.get("type"))
    if head.get("object") != "event" or not key or not kind or not isinstance(thing, dict):
        raise Unreadable(
            "It is not a Stripe event: it needs object = event, id, type and data.object."
        )
    return Snapshot(key, kind, head.get("created"), document, thing)


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
        return Meaning(status)
    if rule := RULES.get(event.type):
        return rule(event)
    if why := IGNORED.get(event.type):
        return Meaning(fate=Fate.IGNORED, note=f"{event.type}: {why}.")
    if event.type.startswith(OURS):
        return _unknown(event, "is a new event type of a family that tells about payments")
    return Meaning(fate=Fate.IGNORED, note=f"{shown(event.type)} is not about a payment.")


def _completed(event: Snapshot) -> Meaning:
    match event.thing.get("payment_status"):
        case "paid" | "no_payment_required":
            return Meaning("paid")
        case "unpaid":
            return Meaning("awaiting_payment")
        case _:
            return _unknown(event, "carries an unknown payment_status")


def _succeeded(event: Snapshot) -> Meaning:
    match event.thing.get("captured"):
        case bool(captured):
            return Meaning("paid" if captured else "authorized")
        case _:
            return _unknown(event, "does not tell whether the charge was captured")


def _refunded(event: Snapshot) -> Meaning:
    match event.thing.get("refunded"):
        case bool(full):
            return Meaning("refunded" if full else "partially_refunded")
        case _:
            return _unknown(event, "does not tell whether the whole charge was refunded")


def _refund(event: Snapshot) -> Meaning:
    status = mapping.name(event.thing.get("status"))
    if event.type == "refund.failed" or status in UNDONE_REFUNDS:
        return _unknown(
            event,
            "says that a refund did not reach the customer, so the payment is neither surely paid "
            "nor surely refunded; look at it in Stripe and correct the order by hand",
        )
    if status in SETTLED_REFUNDS:
        return Meaning()
    return _unknown(event, "carries an unknown refund status")


def _dispute(event: Snapshot) -> Meaning:
    status = mapping.name(event.thing.get("status"))
    if status is not None and status in DISPUTES:
        return Meaning(DISPUTES[status])
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
    return Meaning(fate=Fate.UNMAPPED, note=f"{shown(event.type)} {why}.")


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
    scheme="HMAC-SHA256 of time and body, hex",
    identity="the id of the event",
    proof=Proof("sdk", "stripe 16.1.0 (PyPI)"),
)
