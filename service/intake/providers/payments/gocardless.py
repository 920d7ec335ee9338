"""GoCardless: batches of events about payments and refunds in, payment statements out.

Facts from the official SDK (gocardless_pro 3.22.0, PyPI: signature), from gocardless-events 0.1.4
(PyPI, of others: resource types and actions) and from the vendor's convention that a wrong
signature is answered 498; read 2026-11. UNVERIFIED: time-outs, the count of retries, and whether
an event carries the metadata of its resource.

An event names no order and no amount, only GoCardless's ids; each event of a batch is one of ours.
Since no amounts tell what is left when a refund fails, that takes back what was said of this one;
so the events of refunds are named by the refund.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from service.domain.events import Fate, Revocation, Statement
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading.layout import Layout, Says
from service.intake.reading.reader import Reader
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. In the GoCardless Dashboard under Developers, Webhooks, add an endpoint with this source's URL.
2. Put the endpoint's secret behind the reference in `secrets`. While you change it, list the old
   and the new one.
3. An event names its payment (PM…) but no order: let the shop tell `payment:gocardless` with the
   order, or set the name by hand; the events wait until then. If your events carry the metadata
   of their resource, put your order number there as `order_no`."""

SCHEME = Hmac("Webhook-Signature", what="the secret of the webhook endpoint")

REFUSED = 498
"""Token Invalid, which GoCardless asks for."""

EVENTS = {
    "payments.created": "payment.awaiting_payment",
    "payments.customer_approval_granted": "payment.awaiting_payment",
    "payments.submitted": "payment.awaiting_payment",
    "payments.resubmission_requested": "payment.awaiting_payment",
    "payments.confirmed": "payment.paid",
    "payments.paid_out": "payment.paid",
    "payments.failed": "payment.failed",
    # The payment was reported as paid; the money has been taken back since.
    "payments.late_failure_settled": "payment.chargeback",
    "payments.cancelled": "payment.cancelled",
    "payments.customer_approval_denied": "payment.cancelled",
    "payments.charged_back": "payment.chargeback",
    "payments.chargeback_settled": "payment.chargeback",
    "payments.chargeback_cancelled": "payment.paid",
    "payments.surcharge_fee_debited": "ignore: it is about a fee",
    "refunds.created": "facts",
    # The amount is not told, so nothing can tell whether that was all of it.
    "refunds.paid": "payment.partially_refunded",
    "refunds.refund_settled": "payment.partially_refunded",
    "refunds.failed": "facts",
    "refunds.funds_returned": "facts",
}

LAYOUT = Layout(
    title="GoCardless",
    items="events",
    says=(Says("join('.', [resource_type, action])", EVENTS, ours=("payments.", "refunds.")),),
    ref=(
        "resource_metadata.order_no || resource_metadata.order_id"
        " || metadata.order_no || metadata.order_id"
    ),
    key=("id",),
    when="created_at",
    reason="details.cause",
    aliases={"payment:gocardless": "links.payment"},
    facts={
        "payment_id": "links.payment",
        "refund_id": "links.refund",
        "mandate_id": "links.mandate",
    },
)

GIVEN = ("refunds.paid", "refunds.refund_settled")
UNDONE = ("refunds.failed", "refunds.funds_returned")
MAX_REFUND = 200


@dataclass(frozen=True, slots=True)
class Events:
    """Reads batches, and lets a refund that fails take back that it was made."""

    reader: Reader
    source: str

    def read(self, request: RawRequest) -> Sequence[Statement]:
        return [each for said in self.reader.read(request) for each in self._named(said)]

    def _named(self, said: Statement) -> Iterator[Statement]:
        refund = said.attributes.get("refund_id")
        known = isinstance(refund, str) and len(refund.encode()) <= MAX_REFUND
        if not known or said.fate is not Fate.FOLD or said.code not in GIVEN + UNDONE:
            yield said
        elif said.code in GIVEN:
            yield replace(said, dedupe_key=f"{said.code}:{refund}")
        else:
            for code in GIVEN:
                taken = Revocation(self.source, f"{code}:{refund}")
                yield replace(said, dedupe_key=f"{taken.dedupe_key}:revoked", revokes=taken)


MANNERS = Manners(refusal=REFUSED)


def build(source: Source) -> Declared:
    reader = Events(Reader.of(LAYOUT, source), source.name)
    return Declared(SCHEME.guard(source), reader, MANNERS)


PRESET = Preset(
    name="gocardless",
    title="GoCardless",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the id of each event of the batch; of a refund, its own and what became of it",
    proof=Proof("sdk", "gocardless_pro 3.22.0 (PyPI)"),
    doubts=(
        (
            "Whether an event carries the metadata of its payment (resource_metadata) is "
            "UNVERIFIED: confirm on a live event where your order number stands."
        ),
        (
            "That an event of a refund names its payment too (links.payment) is UNVERIFIED: "
            "confirm on a live refund; without it the event waits for a name that never comes."
        ),
        (
            "Events carry no amounts, so every refund counts as a part: confirm in GoCardless "
            "whether it was all of it."
        ),
    ),
)
