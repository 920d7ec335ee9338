"""HubSpot: thin webhooks about deals and orders in, statements about orders out.

Facts from the documentation (developers.hubspot.com, request validation and the changelog of
signature v3) and the official SDK (PyPI hubspot-api-client 12.0.0; both read 2026-11): the three
signatures, the five minutes, the fields of an event, batches of events. UNVERIFIED: the properties
of orders (hs_…), the ids of the stages in the pipeline a new account has, the size of a batch and
the schedule of repeats (third parties disagree).

An event names a record and one property of it, never the order number, so the record is asked for.
"""

import re
from dataclasses import replace
from functools import partial
from urllib.parse import urlencode

from service.domain.errors import ConfigurationError
from service.domain.events import Lookup
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry
from service.intake.reading import order_field
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.reading.money import Amount
from service.intake.reading.pointing import Pointing
from service.intake.reading.reader import OWN_USER
from service.intake.verification.combined import AnyOf
from service.intake.verification.hashes import Digest
from service.intake.verification.hmacs import Hmac
from service.settings import Source

SETUP = """\
1. In HubSpot make a property of deals (or of orders) for the order number and give its internal
   name as options = { order_field = "merchant_order_no" }, which is also what is read without it.
2. Make an app with the scopes to read these records. Put its client secret behind the reference in
   `secrets`, and its access token behind `token`: webhooks only point at records.
3. Give the app this source's URL without a query string as the target of webhooks, and subscribe it
   to creation and propertyChange of deals (or orders): dealstage, amount and the order number.
4. The URL is signed: set public_url of [server], or options.url, to exactly what HubSpot was given.
5. Set options.own_user to the sourceId of our own writes (look at one that came back), so that they
   are ignored.
6. Name the stages of your pipelines in `statuses` by their internal ids, as in "1234567" =
   "order.confirmed"; until then each is a dead letter.
7. An account that sends only the older signatures takes options.signature = "v2" or "v1"; they
   carry no time, so a recorded request can be sent again."""

WHAT = "the app's client secret"
V3 = Hmac(
    "X-HubSpot-Signature-v3",
    message="{method}{url}{body}{time}",
    encoding="base64",
    time="header:X-HubSpot-Request-Timestamp",
    unit="ms",
    what=WHAT,
)
V2 = Digest("X-HubSpot-Signature", "{secret}{method}{url}{body}", what=WHAT)
V1 = Digest("X-HubSpot-Signature", "{secret}{body}", what=WHAT)
VERSIONS = ("v3", "v2", "v1")


def chosen(source: Source) -> int:
    """Find the signature a source wants; an older one must never be taken for the newest."""
    version = source.options.get("signature", "v3")
    if version not in VERSIONS:
        raise ConfigurationError(
            f"The source {source.name} knows no signature {version}; set options.signature to one "
            f"of {', '.join(VERSIONS)}."
        )
    return VERSIONS.index(str(version))


SCHEME = AnyOf((V3, V2, V1), when=chosen)

DEALS, ORDERS = "0-3", "0-123"
KEPT = "ignore: the order keeps its last status"
OURS = f"contains(['{DEALS}', '{ORDERS}'], objectTypeId)"
LOOKED_UP = Branch(OURS, {"true": "look up", "false": "ignore: it is no deal and no order"})

POSTED = Layout(
    title="HubSpot",
    says=(
        Says(
            "subscriptionType",
            {
                "deal.creation": "look up",
                "deal.propertyChange": "look up",
                "deal.restore": "look up",
                "deal.merge": "look up",
                "deal.deletion": KEPT,
                "deal.associationChange": "ignore: an association is no status",
                "object.creation": LOOKED_UP,
                "object.propertyChange": LOOKED_UP,
                "object.restore": LOOKED_UP,
                "object.merge": LOOKED_UP,
                "object.deletion": KEPT,
                "object.associationChange": "ignore: an association is no status",
            },
            ours=("deal.", "object."),
        ),
    ),
    ref="`null`",
    # Ids of events are not unique by themselves.
    key=("subscriptionId", "eventId", "objectId", "occurredAt"),
    items="[@][]",
    when="occurredAt",
    author="sourceId",
    lookup=("record", f"join('/', [objectTypeId || '{DEALS}', to_string(objectId)])"),
)

STAGES = {
    **dict.fromkeys(
        (
            *("appointmentscheduled", "qualifiedtobuy", "presentationscheduled"),
            *("decisionmakerboughtin", "contractsent"),
        ),
        "facts",
    ),
    "closedwon": "order.confirmed",
    "closedlost": "order.cancelled",
}
STAGE = "properties.dealstage || properties.hs_pipeline_stage"
PROPERTIES = (
    *("dealstage", "dealname", "amount", "deal_currency_code", "closed_lost_reason"),
    *("hs_pipeline_stage", "hs_total_price", "hs_currency_code"),
)
ORDER_NUMBER = "merchant_order_no"

ANSWERED = Layout(
    title="HubSpot",
    says=(Says(STAGE, STAGES),),
    ref=f"properties.{ORDER_NUMBER}",
    key=("id", "updatedAt", STAGE),
    when="updatedAt",
    reason="properties.closed_lost_reason",
    aliases={
        "deal:hubspot": "properties.dealstage && id",
        "order:hubspot": "!properties.dealstage && id",
    },
    facts={"deal_name": "properties.dealname", "crm_stage": STAGE},
    amounts={
        "amount": Amount(
            "properties.amount || properties.hs_total_price",
            "properties.deal_currency_code || properties.hs_currency_code",
        )
    },
)

_RECORD = re.compile(r"0-\d{1,9}/\d{1,20}", re.ASCII)


def ask(field: str, lookup: Lookup) -> Inquiry | None:
    if _RECORD.fullmatch(lookup.object_id) is None:
        return None
    asked = ",".join((*PROPERTIES, field))
    return Inquiry(f"/crm/v3/objects/{lookup.object_id}", urlencode({"properties": asked}))


def build(source: Source) -> Declared:
    field = order_field.named(source, usual=ORDER_NUMBER)
    answered = replace(ANSWERED, ref=f"properties.{field}")
    reader = Pointing.of(POSTED, answered, source)
    return Declared(SCHEME.guard(source), reader, Manners(inquire=partial(ask, field)))


PRESET = Preset(
    name="hubspot",
    title="HubSpot",
    category="crm",
    setup=SETUP,
    build=build,
    scheme=V3.summary,
    identity="subscriptionId, eventId, objectId and occurredAt",
    proof=Proof("sdk", "hubspot-api-client 12.0.0 (PyPI); v1 also by the documentation's example"),
    doubts=(
        (
            "The stages of the default pipeline are UNVERIFIED: compare with the internal ids "
            "HubSpot "
            "shows, and name others in statuses."
        ),
        (
            "The properties of orders (hs_pipeline_stage, hs_total_price, hs_currency_code) are "
            "UNVERIFIED: confirm on an order if you use them."
        ),
        (
            "The sourceId of our own writes is UNVERIFIED: confirm on one that comes back, and set "
            "options.own_user to it."
        ),
        (
            "HubSpot decodes some characters of the URL before it signs; a URL of letters, digits,"
            " - "
            "and / has none: confirm on a live delivery if yours has others."
        ),
    ),
    api="https://api.hubapi.com",
    options=("url", "signature", order_field.OPTION, OWN_USER),
    asks=True,
)
