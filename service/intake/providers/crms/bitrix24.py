"""Bitrix24: thin events about deals in, statements about orders out.

Facts from the official documentation (bitrix-tools/b24-rest-docs @2ba8202 and later pages, read
2026-11): form bodies, `auth[application_token]` as the only proof, no repeats, crm.item.get and its
answer, `originId` as the id in another system. UNVERIFIED: that originId is unique, and the ids of
stages other than WON.

An event names an item and nothing else, and Bitrix24 sends it once: what was lost has to be asked
for, by offline events or by the list of changed items.
"""

import re
from dataclasses import replace
from urllib.parse import urlencode

from service.domain.events import Lookup
from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry
from service.intake.reading import order_field
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.reading.pointing import Pointing
from service.intake.reading.reader import OWN_USER
from service.intake.verification.shared import BodySecret
from service.settings import Source

SETUP = """\
1. In Bitrix24 under Developer resources, Other, add an outbound webhook with this source's URL and
   the events ONCRMDEALADD and ONCRMDEALUPDATE (for smart processes ONCRMDYNAMICITEMADD and
   ONCRMDYNAMICITEMUPDATE). Put the application token it shows behind the reference in `secrets`.
2. Add an inbound webhook with the right crm for a user of its own: events only name a deal, the
   rest is asked for. Its address is https://PORTAL/rest/USER/CODE: set `api` to https://PORTAL and
   put USER/CODE, which lets anybody read your CRM, behind the reference in `token`.
3. The order number is `originId` of the deal; for a field of your own set options = { order_field =
   "ufCrm_1720019876534" }, spelled as crm.item.get writes it.
4. Set options.own_user to the id of the user we write as: a deal that this user changed and moved
   last is our own write come back.
5. Name the stages of your pipelines in `statuses`, as in "C2:WON" = "order.confirmed"; until then
   each is a dead letter.
6. Bitrix24 repeats nothing: compare crm.item.list with `>=updatedTime` after every outage."""

TOKEN = "auth[application_token]"  # noqa: S105  # the name of a field
SCHEME = BodySecret(
    "form",
    TOKEN,
    also=("auth[access_token]", "auth[refresh_token]"),
    what="the application token of the outbound webhook",
)

KEPT = "ignore: the order keeps its last status"
FIELD = "ignore: a field was defined, no deal changed"
DYNAMIC = "ONCRMDYNAMICITEM"
EVENT = (
    " || ".join(
        f"starts_with(event, '{DYNAMIC}{verb}_') && '{DYNAMIC}{verb}'"
        for verb in ("ADD", "UPDATE", "DELETE")
    )
    + " || event"
)

POSTED = Layout(
    title="Bitrix24",
    form="form",
    says=(
        Says(
            EVENT,
            {
                "ONCRMDEALADD": "look up",
                "ONCRMDEALUPDATE": "look up",
                "ONCRMDEALMOVETOCATEGORY": "look up",
                "ONCRMDEALDELETE": KEPT,
                f"{DYNAMIC}ADD": "look up",
                f"{DYNAMIC}UPDATE": "look up",
                f"{DYNAMIC}DELETE": KEPT,
                "ONCRMDEALUSERFIELDADD": FIELD,
                "ONCRMDEALUSERFIELDUPDATE": FIELD,
                "ONCRMDEALUSERFIELDDELETE": FIELD,
                "ONCRMDEALUSERFIELDSETENUMVALUES": FIELD,
            },
            ours=("ONCRMDEAL", DYNAMIC),
        ),
    ),
    ref="`null`",
    # No key: two changes within a second are written alike, and each must be looked up.
    when="ts",
    lookup=("item", "join('/', [data.FIELDS.ENTITY_TYPE_ID || '2', data.FIELDS.ID])"),
)

ITEM = "result.item"
STAGE = f"{ITEM}.stageId"
STAGES = {
    **dict.fromkeys(
        ("NEW", "PREPARATION", "PREPAYMENT_INVOICE", "EXECUTING", "FINAL_INVOICE"), "facts"
    ),
    "WON": "order.confirmed",
    "LOSE": "order.cancelled",
    "APOLOGY": "order.cancelled",
}
ORDER_NUMBER = "originId"

ANSWERED = Layout(
    title="Bitrix24",
    says=(Says(STAGE, STAGES),),
    ref=f"{ITEM}.{ORDER_NUMBER}",
    # Times are whole seconds, in which a person may change an item as well as we.
    key=(
        f"{ITEM}.id",
        f"{ITEM}.entityTypeId",
        f"{ITEM}.updatedTime",
        STAGE,
        f"{ITEM}.updatedBy",
        f"to_string({ITEM}.opportunity)",
    ),
    when=f"{ITEM}.updatedTime",
    # A person who only moved it, or only edited it, must be heard.
    author=f"{ITEM}.updatedBy == {ITEM}.movedBy && {ITEM}.updatedBy",
    aliases={"deal:bitrix24": f"{ITEM}.entityTypeId == `2` && {ITEM}.id"},
    facts={"deal_name": f"{ITEM}.title", "crm_stage": STAGE},
    amounts={"amount": Amount(f"{ITEM}.opportunity", f"{ITEM}.currencyId")},
)

_ITEM = re.compile(r"(\d{1,9})/(\d{1,18})", re.ASCII)


def ask(lookup: Lookup) -> Inquiry | None:
    found = _ITEM.fullmatch(lookup.object_id)
    if found is None:
        return None
    # The address of an inbound webhook holds its own secret.
    query = urlencode({"entityTypeId": found[1], "id": found[2]})
    return Inquiry("/rest/{token}/crm.item.get", query, authorization="")


MANNERS = Manners(answer=replies.text("OK"), inquire=ask)


def build(source: Source) -> Declared:
    field = order_field.named(source, usual=ORDER_NUMBER)
    place = f"{ITEM}.{field}"
    answered = replace(ANSWERED, ref=place, key=(*ANSWERED.key, place))
    return Declared(
        SCHEME.guard(source), Pointing.of(POSTED, answered, source, needs="event"), MANNERS
    )


PRESET = Preset(
    name="bitrix24",
    title="Bitrix24",
    category="crm",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="each event asks anew; an item by its id, time and author of its change, and content",
    proof=Proof("none", "bitrix-tools/b24-rest-docs"),
    doubts=(
        (
            "An item is read as it is when asked for, so that what a person changed and we wrote "
            "over before is not heard: confirm with the list of changed items once a day."
        ),
        "The stages other than WON are UNVERIFIED: compare with crm.status.list of your portal.",
        (
            "Two deals with the same originId are UNVERIFIED to be refused by Bitrix24: confirm "
            "that "
            "nobody copies deals with it."
        ),
        (
            "That crm.item.get answers a GET is UNVERIFIED (the documentation posts): confirm on "
            "the "
            "first event."
        ),
    ),
    options=(order_field.OPTION, OWN_USER),
    asks=True,
)
