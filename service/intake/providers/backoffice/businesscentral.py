"""Business Central (Microsoft Dynamics 365): names of changed documents in, their words out.

Facts from MicrosoftDocs/dynamics365smb-devitpro-pb (read 2026-11): `clientState` in each item, the
validation token on creation and renewal, that any error but 408, 429 and 5xx ends the subscription,
`resource`, `changeType`, `lastModifiedDateTime`, three days of life. PARTIAL: the words of a sales
order's status. UNVERIFIED: the words of a sales invoice's status, what a posted shipment tells of
the rest of its order, why orders are deleted.

A notification proves nothing but that its sender knows the client state, and carries no facts, so
the document is asked for.
"""

import re

from service.domain.events import Lookup
from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry, RawRequest, Reply
from service.intake.reading.kinds import Kinds
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.reading.money import Amount
from service.intake.verification.itemised import REFUSED, Itemised
from service.settings import Source

SETUP = """\
1. Make up a long client state and put it behind the reference in `secrets`. Subscribe
   (POST …/api/v2.0/subscriptions) salesOrders, salesShipments and salesInvoices of the company to
   this source's URL, with it as `clientState`. Business Central tests the URL at once.
2. A subscription lives for three days: have a job renew each (PATCH …/subscriptions) every day,
   with the same client state.
3. Set `api` to https://api.businesscentral.dynamics.com/v2.0/TENANT/ENVIRONMENT, and put an access
   token that may read these documents behind `token`. Such a token is short-lived: refer
   to a file, and have a job write a fresh one there and reload the service (SIGHUP).
4. Say in subject.ref which number names an order: "externalDocumentNumber" where the shop writes
   its order number there (and no customer a number of their own), "orderNumber || number" for
   Business Central's. Without it whoever tells both numbers links them, and until then it waits.
5. Where orders go in several shipments, set statuses = { salesShipment =
   "fulfillment.partially_shipped" }: the order's own fullyShipped then completes it."""

SCHEME = Itemised("value", "clientState", "changeType", what="the clientState of the subscription")

_ID = r"\([0-9A-Fa-f-]{36}\)"
_RESOURCE = re.compile(
    rf"api/(?:[\w-]+/){{0,2}}v\d\.\d/companies{_ID}/([A-Za-z]{{1,64}}){_ID}", re.ASCII
)

ENTITIES = ("salesOrders", "salesShipments", "salesInvoices")
ENTITY = " || ".join(
    [*(f"(contains(resource, '/{name}(') && '{name}')" for name in ENTITIES), "'other'"]
)
ASKED = Branch(
    ENTITY,
    dict.fromkeys(ENTITIES, "look up")
    | {"other": "ignore: it is no sales order, shipment or invoice"},
)

NOTIFICATIONS = Layout(
    title="Business Central",
    says=(
        Says(
            "changeType",
            {
                "created": ASKED,
                "updated": ASKED,
                # An order is also deleted when it was posted in full, and can no more be asked for.
                "deleted": "ignore: a document that is gone tells nothing more",
                REFUSED: "ignore: its clientState is none of this source's",
            },
        ),
    ),
    ref="`null`",
    key=("subscriptionId", "resource", "changeType", "lastModifiedDateTime"),
    items="value",
    when="lastModifiedDateTime",
    zone="UTC",
    lookup=("document", "resource"),
)

TOTAL = {"amount": Amount("totalAmountIncludingTax", "currencyCode")}

ORDER = Layout(
    title="Business Central",
    says=(
        Says(
            "(fullyShipped && 'fullyShipped') || status",
            {
                "fullyShipped": "fulfillment.shipped",
                "Draft": "fulfillment.new",
                "In Review": "facts",
                "In_x0020_Review": "facts",
                "Open": "fulfillment.new",
            },
        ),
    ),
    # Customers write numbers of their own there, and two may write the same.
    ref="",
    key=("id", "lastModifiedDateTime", "status", "fullyShipped"),
    when="lastModifiedDateTime",
    zone="UTC",
    aliases={"order:businesscentral": "number"},
    facts={
        "erp_number": "number",
        "external_number": "externalDocumentNumber",
        "customer_number": "customerNumber",
    },
    amounts=TOTAL,
)

SHIPMENT = Layout(
    title="Business Central",
    says=(Says("'salesShipment'", {"salesShipment": "fulfillment.shipped"}),),
    ref="",
    key=("id", "lastModifiedDateTime"),
    when="lastModifiedDateTime",
    zone="UTC",
    parcel="number",
    aliases={"order:businesscentral": "orderNumber"},
    facts={"shipment_number": "number"},
)

INVOICE = Layout(
    title="Business Central",
    says=(
        Says(
            "status",
            {
                "Draft": "document.draft",
                "In Review": "facts",
                "In_x0020_Review": "facts",
                "Open": "payment.open",
                "Paid": "payment.paid",
                "Canceled": "document.cancelled",
                "Corrective": "document.credited",
            },
        ),
    ),
    ref="number",
    key=("id", "lastModifiedDateTime", "status"),
    when="lastModifiedDateTime",
    zone="UTC",
    lifecycle="invoice",
    facts={"order_number": "orderNumber", "external_number": "externalDocumentNumber"},
    amounts=TOTAL,
)


def kind(request: RawRequest) -> str:
    """Tell which document an answer is; a webhook is none."""
    found = _RESOURCE.search(request.path) if request.method == "GET" else None
    return found[1] if found else ""


KINDS = Kinds(
    kind, dict(zip(ENTITIES, (ORDER, SHIPMENT, INVOICE), strict=True)), usual=NOTIFICATIONS
)


def greet(request: RawRequest) -> Reply | None:
    """Give the validation token back, as on each creation and renewal of a subscription."""
    return replies.echo(request, "validationToken") if request.method == "POST" else None


def inquire(lookup: Lookup) -> Inquiry | None:
    """Ask for the document a notification names, if it names one of a company."""
    return Inquiry(f"/{lookup.object_id}") if _RESOURCE.fullmatch(lookup.object_id) else None


# Refused with a status that is tried again: any other one would end the subscription.
MANNERS = Manners(refusal=503, greet=greet, inquire=inquire)


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), KINDS.reader(source), MANNERS)


PRESET = Preset(
    name="businesscentral",
    title="Microsoft Dynamics 365 Business Central",
    category="erp",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="subscription, resource, kind and time of the change",
    proof=Proof("none", "MicrosoftDocs/dynamics365smb-devitpro-pb"),
    doubts=(
        (
            "The words of a sales order's status are PARTIAL, those of a sales invoice's "
            "UNVERIFIED: an unknown one is a dead letter."
        ),
        (
            "That a posted shipment is the whole order is UNVERIFIED: confirm on an order that "
            "goes in two, and set statuses for salesShipment."
        ),
        (
            "A notification `collection` (more than 1000 changes at once) names no document and "
            "is a dead letter: have the company's documents read again."
        ),
        (
            "How long an access token lives is UNVERIFIED: confirm that the job renews it in "
            "time, for documents cannot be asked for without."
        ),
    ),
    asks=True,
)
