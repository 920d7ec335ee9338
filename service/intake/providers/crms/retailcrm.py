"""RetailCRM (Simla): requests of its triggers in, statements about orders out.

A trigger posts whatever fields a person gives it; SETUP has those that are read here. Facts from
third parties that agree (docs.modx.pro modRetailCRM, docs.inskill.ru, knowledge-base.passteam.ru;
read 2026-11): the action HTTP request with method POST and named parameters, templates such as {{
order.getStatus().getCode() }} and {{ order.getExternalId() }}, the condition on changeSet.
UNVERIFIED: the vendor's own page on it, the codes of statuses in a new account, filters in
templates, time-outs and repeats.

Nothing is signed: the token at the end of the URL proves who sends.
"""

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.reading.reader import OWN_USER
from service.intake.verification.shared import UrlToken

SETUP = """\
1. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
2. In RetailCRM under Settings, Communications, Triggers, add one for the event "order changed" with
   the condition changeSet.hasChangedField("status").
3. Its action: HTTP request, method POST, this source's URL, a slash and the token, and the
   parameters order_id = {{ order.getExternalId() }}, status = {{ order.getStatus().getCode() }} and
   changed_at = {{ "now"|date("c") }}.
4. More parameters that are read if you add them: id (of the order in RetailCRM), total, currency,
   comment (why), author (the user or the API key that made the change).
5. With `author` set options.own_user to ours, so that our own writes are ignored; else let the
   condition of the trigger leave out changes made over the API.
6. Name statuses of your own in `statuses`; until then each is a dead letter."""

SCHEME = UrlToken()

STATUSES = {
    "new": "order.new",
    "offer-analog": "facts",
    "availability-confirmed": "order.confirmed",
    "client-confirmed": "order.confirmed",
    "prepayed": "payment.paid",
    "send-to-assembling": "order.confirmed",
    "assembling": "fulfillment.picking",
    "assembling-complete": "fulfillment.packed",
    "send-to-delivery": "fulfillment.packed",
    "delivering": "fulfillment.shipped",
    "redirect": "fulfillment.shipped",
    "complete": "order.completed",
    **dict.fromkeys(
        (
            *("no-call", "no-product", "already-buyed", "delyvery-did-not-suit"),
            *("prices-did-not-suit", "cancel-other"),
        ),
        "order.cancelled",
    ),
}

LAYOUT = Layout(
    title="RetailCRM",
    form="form",
    says=(Says("status", STATUSES),),
    ref="order_id",
    key=("order_id", "status", "changed_at", "body:sha256"),
    when="changed_at",
    reason="comment",
    author="author",
    aliases={"order:retailcrm": "id"},
    facts={"crm_stage": "status"},
    amounts={"amount": Amount("total", "currency")},
)

PRESET = Preset(
    name="retailcrm",
    title="RetailCRM (Simla)",
    category="crm",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.text("OK"))),
    scheme=SCHEME.summary,
    identity="order_id, status, changed_at and the body",
    proof=Proof("none", "docs.modx.pro, docs.inskill.ru (third parties)"),
    doubts=(
        "Nothing is signed: keep the URL secret, or anybody who learns it can change orders.",
        (
            "The codes of statuses are UNVERIFIED: compare with Settings, Statuses of your "
            "account, "
            "and name others in statuses."
        ),
        (
            "That templates of triggers take the filter date is UNVERIFIED: confirm that "
            "changed_at "
            "arrives; without it the same status twice is taken for one."
        ),
        (
            "Whether a trigger repeats a failed request is UNVERIFIED: after an outage compare "
            "with "
            "GET /api/v5/orders/history."
        ),
    ),
    url_token=True,
    options=(OWN_USER,),
)
