"""Pipedrive: webhooks (version 2.0) about deals in, statements about orders out.

Facts from the documentation (pipedrive.readme.io, guide for webhooks v2 and its migration guide,
read 2026-11): HTTP basic as the only protection, `meta` and its fields, three repeats after 3, 30
and 150 s, the ban for 30 minutes after ten failures, whose events are lost. A recorded event of
PipedreamHQ/pipedream agrees. UNVERIFIED: how a field of your own is written in custom_fields.
"""

from dataclasses import replace

from service.intake.preset import Declared, Preset, Proof
from service.intake.reading import order_field
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.reading.reader import OWN_USER, Reader
from service.intake.verification.shared import Basic
from service.settings import Source

SETUP = """\
1. In Pipedrive make a field of deals for the order number, and give its API key (40 letters and
   digits) as options = { order_field = "dcf558aac1ae4e8c4f849ba5e668430d8df9be12" }.
2. Make a user and a long password for this source and put user:password behind the reference in
   `secrets`.
3. Under Tools and apps, Webhooks, add a webhook of version 2 with this source's URL, event action
   *, event object deal, that user and password; its permission level must see every deal.
4. Set options.own_user to the id of the user whose token we write with, so that our own writes are
   ignored when they come back.
5. Ten failures ban the webhook for 30 minutes, and what happens then is lost: after an outage
   ask GET /api/v2/deals?updated_since=… and compare."""

SCHEME = Basic("user:password as entered in Pipedrive")
KEPT = "ignore: the order keeps its last status"

LAYOUT = Layout(
    title="Pipedrive",
    says=(
        Says(
            "meta.entity == 'deal' && (meta.action == 'delete' && 'delete' || data.status)"
            " || meta.entity != 'deal' && 'no deal' || `null`",
            {
                "open": "facts",
                "won": "order.confirmed",
                "lost": "order.cancelled",
                "deleted": KEPT,
                "delete": KEPT,
                "no deal": "ignore: it is not about a deal",
            },
        ),
    ),
    ref="`null`",
    key=("meta.id",),
    when="meta.timestamp",
    reason="data.lost_reason",
    author="meta.change_source == 'api' && meta.user_id",
    aliases={"deal:pipedrive": "data.id || meta.entity_id"},
    facts={
        "deal_name": "data.title",
        "crm_stage": "data.stage_id",
        "pipeline": "data.pipeline_id",
    },
    amounts={"amount": Amount("data.value", "data.currency")},
)


def build(source: Source) -> Declared:
    field = order_field.named(source)
    place = f'data.custom_fields."{field}"'
    layout = replace(LAYOUT, ref=f"{place}.value || {place}") if field else LAYOUT
    return Declared(SCHEME.guard(source), Reader.of(layout, source))


PRESET = Preset(
    name="pipedrive",
    title="Pipedrive",
    category="crm",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="meta.id",
    proof=Proof("none", "pipedrive.readme.io"),
    doubts=(
        (
            "How custom_fields writes a text is UNVERIFIED; the text itself and { value } are both "
            "read: confirm that the order number is found."
        ),
        (
            "That a repeat keeps meta.id is UNVERIFIED: confirm by answering one webhook with an "
            "error."
        ),
        "Nothing but the password proves the body: confirm that the URL is https.",
    ),
    options=(order_field.OPTION, OWN_USER),
)
