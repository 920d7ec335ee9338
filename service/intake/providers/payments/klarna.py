"""Klarna Network: webhooks about payment requests and disputes in, payment statements out.

Facts from docs.klarna.com (headers, algorithm, identity, answers) and from the WooCommerce plugin
of Krokedil, two versions of which agree that the signature is lower-case hex (read 2026-11).
PARTIAL: fields and states of disputes, from a copy of generated SDK documentation. UNVERIFIED: the
name of a canceled payment request, the outcome WON, and where a payment request carries the
merchant's reference. Klarna's older callbacks (push, notification, status_update) carry no
signature and are no concern of this preset.

`completed` hands over a token that the acquirer must still use: it is no proof of a capture. The
header with the key's id is not signed; all keys of the source are tried instead. That token is
never stored.
"""

from dataclasses import dataclass, replace

import orjson

from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping
from service.intake.reading.layout import Branch, Layout, Says, Told
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification.enclosed import REDACTED
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. In the Klarna Partner Portal under Webhooks (or by the API of notifications), make a signing
   key and put it behind the reference in `secrets`; it is shown only once.
2. Add a webhook with this source's URL (port 443 or 8443) and that key, for
   payment.request.state-change.* and payment.dispute.state-change.*.
3. A payment request names no order that is known for sure: let the shop tell
   `payment:klarna` with the order, or set subject.ref to where your reference is.
4. To change the key, make another one and list both here until the webhook uses it."""

SCHEME = Hmac("Klarna-Signature", what="the signing key of the webhook")

REQUEST = "payment.request.state-change."
DISPUTE = "payment.dispute.state-change."
EVENTS: dict[str, Told] = {
    f"{REQUEST}submitted": "payment.awaiting_payment",
    f"{REQUEST}authorized": "payment.authorized",
    f"{REQUEST}completed": "payment.authorized",
    f"{REQUEST}expired": "payment.cancelled",
    f"{REQUEST}canceled": "payment.cancelled",
    f"{DISPUTE}initiated": "payment.chargeback",
    f"{DISPUTE}representment": "payment.chargeback",
    f"{DISPUTE}pre-arbitration": "payment.chargeback",
    f"{DISPUTE}arbitration": "payment.chargeback",
    f"{DISPUTE}closed": Branch(
        "payload.dispute_outcome", {"LOST": "payment.chargeback", "WON": "payment.paid"}
    ),
}

LAYOUT = Layout(
    title="Klarna",
    says=(Says("metadata.event_type", EVENTS, ours=(REQUEST, DISPUTE)),),
    ref="payload.merchant_reference2 || payload.purchase_reference",
    key=("metadata.event_id",),
    when="metadata.occurred_at",
    aliases={
        "payment:klarna": "payload.payment_request_id",
        "transaction:klarna": "payload.payment_transaction_reference",
        "order:klarna": "payload.order_id",
    },
    facts={
        "payment_id": "payload.payment_request_id",
        "payment_state": "payload.state",
        "dispute_outcome": "payload.dispute_outcome",
    },
)
TOKENS = frozenset({"klarna_network_session_token", "interoperability_token"})
"""With one of these the acquirer takes the money."""


@dataclass(frozen=True, slots=True)
class Discreet(Declared):
    """Takes the token out before anything is stored."""

    def redact(self, request: RawRequest) -> RawRequest:
        try:
            document = mapping.read(request.body)
        except Unreadable:
            return request
        kept = _without_tokens(document)
        return request if kept == document else replace(request, body=orjson.dumps(kept))


def _without_tokens(node: JSON) -> JSON:
    match node:
        case dict():
            return {
                name: REDACTED if name in TOKENS else _without_tokens(inner)
                for name, inner in node.items()
            }
        case list():
            return [_without_tokens(inner) for inner in node]
        case _:
            return node


def build(source: Source) -> Declared:
    return Discreet(SCHEME.guard(source), Reader.of(LAYOUT, source), MANNERS)


# Klarna's documentation asks for 400 where the signature is wrong.
MANNERS = Manners(refusal=400)

PRESET = Preset(
    name="klarna",
    title="Klarna",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="metadata.event_id",
    proof=Proof("none", "docs.klarna.com; the encoding from the WooCommerce plugin of Krokedil"),
    doubts=(
        (
            "Where a payment request carries your own reference is UNVERIFIED: confirm on a live "
            "webhook, then set subject.ref."
        ),
        (
            "The outcome WON of a dispute and the name …state-change.canceled are UNVERIFIED: "
            "confirm on live events that neither ends as unmapped."
        ),
        (
            "What disputes carry is PARTIAL, and whether merchant_reference2 and "
            "purchase_reference are your order number is UNVERIFIED: confirm on a live dispute "
            "that it moves your order and makes no new one; else set subject.ref."
        ),
        (
            "That the signature is lower-case hex is PARTIAL (two versions of one plugin): "
            "confirm on a live webhook that it is taken."
        ),
        "No webhook tells of captures and refunds: let the shop or the acquirer tell those.",
    ),
)
