"""Zoho CRM: thin notifications about records in, statements about orders out.

Facts from the documentation (zoho.com/crm/developer, notifications of v7 and v8; read 2026-11): the
channel's `token` of at most 50 characters is sent back so that the sender can be told, channels
live a week at most, GET /crm/v8/{module}/{id}. UNVERIFIED: where the token and the ids stand in a
notification (as below, by what is generally known), the names of stages and statuses, repeats.

A notification names records and nothing else, so each is asked for.
"""

import re
from dataclasses import replace

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
1. Make a token of 32 hexadecimal digits (openssl rand -hex 16) and put it behind the reference in
   `secrets`.
2. Enable notifications with POST /crm/v8/actions/watch: that token, this source's URL as
   notify_url, and the events Deals.all (or Sales_Orders.all). A channel ends after a week at most:
   renew it every day.
3. Notifications only name records. Put an access token behind the reference in `token`, and have
   whatever renews it (they live an hour) write it there; set `api` to the api_domain Zoho gave you,
   if it is not https://www.zohoapis.com.
4. The order number is the field Order_No; for another one set options = { order_field = "NAME" }.
5. Set options.own_user to the id of the user we write as, so that our own writes are ignored when
   they come back.
6. Name stages of your own in `statuses`; until then each is a dead letter."""

SCHEME = BodySecret("json", "token", what="the token of the notification channel")
KEPT = "ignore: the order keeps its last status"

POSTED = Layout(
    title="Zoho CRM",
    items="ids[].{id: @}",
    says=(Says("root.operation", {"insert": "look up", "update": "look up", "delete": KEPT}),),
    ref="`null`",
    when="root.server_time",
    # No key: a record changes again and again, and each time it must be looked up.
    lookup=("record", "join('/', [root.module, id])"),
)

STAGES = {
    **dict.fromkeys(
        (
            *("Qualification", "Needs Analysis", "Value Proposition", "Identify Decision Makers"),
            *("Proposal/Price Quote", "Negotiation/Review", "Created"),
        ),
        "facts",
    ),
    "Closed Won": "order.confirmed",
    "Closed Lost": "order.cancelled",
    "Closed Lost to Competition": "order.cancelled",
    "Approved": "order.confirmed",
    "Delivered": "delivery.delivered",
    "Cancelled": "order.cancelled",
}
STAGE = "Stage || Status"
ORDER_NUMBER = "Order_No"

ANSWERED = Layout(
    title="Zoho CRM",
    items="data",
    says=(Says(STAGE, STAGES),),
    ref=ORDER_NUMBER,
    # Times are whole seconds, in which a person may change a record as well as we.
    key=("id", "Modified_Time", STAGE, "Modified_By.id", "to_string(Amount || Grand_Total)"),
    when="Modified_Time",
    author="Modified_By.id",
    aliases={"record:zoho": "id"},
    facts={"deal_name": "Deal_Name || Subject", "crm_stage": STAGE},
    amounts={"amount": Amount("Amount || Grand_Total", "Currency")},
)

_RECORD = re.compile(r"\w{1,64}/\d{1,32}", re.ASCII)


def ask(lookup: Lookup) -> Inquiry | None:
    known = _RECORD.fullmatch(lookup.object_id)
    return (
        Inquiry(f"/crm/v8/{lookup.object_id}", authorization="Zoho-oauthtoken {token}")
        if known
        else None
    )


MANNERS = Manners(answer=replies.text("OK"), inquire=ask)


def build(source: Source) -> Declared:
    field = order_field.named(source, usual=ORDER_NUMBER)
    answered = replace(ANSWERED, ref=field, key=(*ANSWERED.key, field))
    return Declared(SCHEME.guard(source), Pointing.of(POSTED, answered, source), MANNERS)


PRESET = Preset(
    name="zoho",
    title="Zoho CRM",
    category="crm",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="each notification asks anew; a record by id, time and author of its change, content",
    proof=Proof("none", "zoho.com/crm/developer"),
    doubts=(
        (
            "A record is read as it is when asked for, so that what a person changed and we wrote "
            "over before is not heard: confirm by comparing records once a day."
        ),
        (
            "Where token, module, ids and operation stand in a notification is UNVERIFIED: confirm"
            " on "
            "the first one, which is refused if the token is elsewhere."
        ),
        (
            "The stages of deals and the statuses of sales orders are UNVERIFIED: compare with "
            "your account, and name others in statuses."
        ),
        (
            "Whether Zoho repeats a notification is UNVERIFIED: compare records by Modified_Time "
            "after "
            "an outage."
        ),
    ),
    api="https://www.zohoapis.com",
    options=(order_field.OPTION, OWN_USER),
    asks=True,
)
