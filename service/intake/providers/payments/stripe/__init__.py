"""Stripe: snapshot events of payments, refunds, disputes and invoices in, payment statements out.

Facts from the official SDK (stripe 16.1.0: signature scheme, event names) and docs.stripe.com
(currencies, disputes; read 2026-11). We are stricter than the SDK: it lets any future time and
several `t=` pass and checks the time only when it is too old.

Refunds and disputes seldom name the order; the payment intent leads to it. charge.refunded tells
a running total, the events of a refund one amount each; where these come, only they count.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.events import Alias, Fate, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.providers.payments.stripe.amounts import details, moved
from service.intake.providers.payments.stripe.events import OURS, Snapshot, mean
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.reading.telling import Happening, Telling
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


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the id of the event",
    proof=Proof("sdk", "stripe 16.1.0 (PyPI)"),
    doubts=(
        (
            "Whether Stripe counts what a capture in part lets go as a refund is UNVERIFIED: "
            "confirm on such a payment that it does not show as refunded."
        ),
    ),
)
