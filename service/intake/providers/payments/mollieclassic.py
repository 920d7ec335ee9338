"""Mollie's classic webhooks: the id of a payment in, a question to Mollie and its answer out.

Facts from docs.mollie.com (the one field `id`, no signature, when it is called, that only the
payment fetched by its id is to be trusted; read 2026-11). UNVERIFIED: schedule of retries and
time-out, and the words and fields of a fetched payment beyond those documented.

The body never says what happened, so the worker asks `GET /v2/payments/{id}` with the API key; its
answer is read here as well. The same id comes again for every change.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from service.domain.events import Lookup, Statement
from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry, RawRequest
from service.intake.reading import bodies, mapping
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.reader import Reader
from service.intake.verification.shared import UrlToken
from service.settings import Source

API = "https://api.mollie.com"
SETUP = """\
1. Put your order number into the metadata of each payment as `order_no`; or set subject.ref to
   the place where it is in the payment that Mollie's API answers with.
2. Make a long random url_token for this source.
3. Make this source's URL, with the token at its end, the webhookUrl of each payment.
4. Put Mollie's API key behind the reference in `token`: the webhook only says which payment
   changed, so Orderhook asks Mollie what became of it."""

SCHEME = UrlToken()

THIN = Layout(
    title="Mollie",
    form="form",
    says=(
        Says(
            "(starts_with(id, 'tr_') && 'payment') || 'other'",
            {"payment": "look up", "other": "ignore: its id is not that of a payment (tr_…)"},
        ),
    ),
    ref="`null`",
    lookup=("payment", "id"),
)

# Money that went back shows only in sums beside the status, which stays `paid`.
CHARGED_BACK = "to_number(amountChargedBack.value) > `0`"
REFUNDED = "to_number(amountRefunded.value) > `0`"
WENT_BACK = f"({CHARGED_BACK} && 'charged back') || ({REFUNDED} && 'refunded') || 'kept'"
STATUSES: dict[str, Told] = {
    "open": "payment.awaiting_payment",
    "pending": "payment.awaiting_payment",
    "authorized": "payment.authorized",
    "paid": Branch(
        WENT_BACK,
        {
            "charged back": "payment.chargeback",
            # The sums tell the law whether that was all of it.
            "refunded": "payment.partially_refunded",
            "kept": "payment.paid",
        },
    ),
    "failed": "payment.failed",
    "canceled": "payment.cancelled",
    "expired": "payment.cancelled",
}

ANSWERED = Layout(
    title="Mollie",
    says=(Says("status", STATUSES),),
    ref="metadata.order_no || metadata.order_id",
    key=("id", "status", "amountRefunded.value", "amountChargedBack.value"),
    when="paidAt || canceledAt || expiredAt || failedAt || authorizedAt || createdAt",
    aliases={"payment:mollie": "id"},
    facts={"payment_id": "id", "payment_method": "method"},
    amounts={"amount": Amount("amount.value", "amount.currency")},
    money=(
        MoneyAt("paid", "amount.value", "amount.currency", "id", when=("paid",)),
        MoneyAt("refunded", "amountRefunded.value", "amountRefunded.currency"),
        # The last word counts: a chargeback that is taken back leaves zero.
        MoneyAt("charged_back", "amountChargedBack.value", "amountChargedBack.currency", "id"),
    ),
)


@dataclass(frozen=True, slots=True)
class Payments:
    """Reads what Mollie posts, and what it answers."""

    posted: Reader
    answered: Reader

    def read(self, request: RawRequest) -> Sequence[Statement]:
        if request.method == "GET":
            return self.answered.read(request)
        try:
            fields = bodies.read_form(request.body)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        if not isinstance(fields, dict) or mapping.name(fields.get("id")) is None:
            return (mapping.unreadable(request, "It is not a call of Mollie: it needs id."),)
        return self.posted.read(request)


_PAYMENT = re.compile(r"tr_[\w-]{1,64}", re.ASCII)


def ask(lookup: Lookup) -> Inquiry | None:
    known = _PAYMENT.fullmatch(lookup.object_id)
    return Inquiry(f"/v2/payments/{lookup.object_id}") if known else None


# Mollie insists on 200.
MANNERS = Manners(answer=replies.text("OK"), inquire=ask)


def build(source: Source) -> Declared:
    readers = Payments(Reader.of(THIN, source), Reader.of(ANSWERED, source))
    return Declared(SCHEME.guard(source), readers, MANNERS)


PRESET = Preset(
    name="mollieclassic",
    title="Mollie (classic webhooks)",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the payment's id, its status and the sums that went back",
    proof=Proof("none", ""),
    url_token=True,
    api=API,
    asks=True,
    doubts=(
        (
            "The words of a fetched payment's status are UNVERIFIED to be complete: confirm that "
            "none of your live payments ends as unmapped."
        ),
        (
            "A payment tells no time of a refund or a chargeback, only of the payment: a "
            "chargeback that is taken back looks like the first word `paid` and is not told "
            "again."
        ),
        (
            "Refunds that come back lower the sum, which is not seen here: watch failed refunds "
            "in Mollie, or use the preset mollie."
        ),
    ),
)
