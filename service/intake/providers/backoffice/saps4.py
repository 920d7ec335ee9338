"""SAP S/4HANA through Event Mesh: CloudEvents that carry keys only in, then the document out.

Facts: the shape of a CloudEvent and its identity (`source` and `id`), and the test of an address by
OPTIONS, from the CloudEvents specification; the types' names and that `data` holds keys from third
parties (PARTIAL; read 2026-11). UNVERIFIED: how Event Mesh proves itself (basic or OAuth 2.0, it is
said), so that here the URL ends in a secret; whether it tests the address as the specification
says; all words of the documents, and what the services for them are called.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from service.domain.events import Lookup, Statement
from service.intake.answering import handshakes
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry, RawRequest
from service.intake.reading.kinds import Kinds, Sorted
from service.intake.reading.layout import Layout, Says
from service.intake.reading.money import Amount
from service.intake.verification.shared import UrlToken
from service.settings import OriginRule, Source

SETUP = """\
1. Make up a long secret, put it behind the reference in `url_token`, and take this source's URL
   with the secret at its end.
2. In S/4HANA bind the topics of SalesOrder and OutboundDelivery (Enterprise Event Enablement); in
   Event Mesh let a queue subscribe to them, and add a webhook subscription of that queue with the
   URL. It may test the URL with OPTIONS, which is answered.
3. Set `api` to the address of the S/4HANA system, and put USER:PASSWORD of a communication user
   that may read API_SALES_ORDER_SRV and API_OUTBOUND_DELIVERY_SRV behind `token`.
4. Say in subject.ref which number names an order: "d.PurchaseOrderByCustomer" where the shop writes
   its order number there (and no customer a number of their own), "d.SalesOrder" for SAP's. Without
   it whoever tells both numbers links them, and until then it waits."""

SCHEME = UrlToken()
TITLE = "SAP S/4HANA"

_PREFIXES = ("sap.s4.beh.salesorder.", "sap.s4.beh.outbounddelivery.")
_ORDER, _DELIVERY = (f"{each}v1." for each in _PREFIXES)

NOTIFICATIONS = Layout(
    title=TITLE,
    says=(
        Says(
            "type",
            {
                f"{_ORDER}SalesOrder.Created.v1": "look up",
                f"{_ORDER}SalesOrder.Changed.v1": "look up",
                f"{_DELIVERY}OutboundDelivery.Created.v1": "look up",
                f"{_DELIVERY}OutboundDelivery.Changed.v1": "look up",
            },
            ours=_PREFIXES,
        ),
    ),
    ref="`null`",
    key=("id && source", "id"),
    form="cloudevents",
    when="time",
    zone="UTC",
    lookup=(
        "document",
        " || ".join(
            f"(data.{name} && join(' ', ['{kind}', data.{name}]))"
            for name, kind in (
                ("SalesOrder", "order"),
                ("OutboundDelivery", "delivery"),
                ("DeliveryDocument", "delivery"),
            )
        ),
    ),
)

ORDER = Layout(
    title=TITLE,
    says=(
        Says(
            "(d.OverallSDDocumentRejectionSts == 'C' && 'rejected')"
            " || join(' ', ['process', d.OverallSDProcessStatus])",
            {
                "rejected": "order.cancelled",
                "process ": "facts",
                "process A": "order.new",
                "process B": "order.confirmed",
                "process C": "order.completed",
            },
        ),
    ),
    # Customers write numbers of their own there, and two may write the same.
    ref="",
    key=(
        "d.SalesOrder",
        "d.LastChangeDateTime",
        "d.OverallSDProcessStatus",
        "d.OverallSDDocumentRejectionSts",
    ),
    when="d.LastChangeDateTime",
    zone="UTC",
    aliases={"order:saps4": "d.SalesOrder"},
    facts={"erp_number": "d.SalesOrder", "external_number": "d.PurchaseOrderByCustomer"},
    amounts={"amount": Amount("d.TotalNetAmount", "d.TransactionCurrency")},
)

DELIVERY = Layout(
    title=TITLE,
    says=(
        Says(
            "(contains(['B', 'C'], d.OverallGoodsMovementStatus)"
            " && join(' ', ['goods', d.OverallGoodsMovementStatus]))"
            " || join(' ', ['picking', d.OverallPickingStatus])",
            {
                "goods B": "fulfillment.partially_shipped",
                "goods C": "fulfillment.shipped",
                "picking ": "facts",
                "picking A": "fulfillment.new",
                "picking B": "fulfillment.picking",
                "picking C": "fulfillment.packed",
            },
        ),
    ),
    ref="`null`",
    key=(
        "d.DeliveryDocument",
        "d.LastChangeDate",
        "d.OverallPickingStatus",
        "d.OverallGoodsMovementStatus",
    ),
    parcel="d.DeliveryDocument",
    aliases={"order:saps4": "d.to_DeliveryDocumentItem.results[0].ReferenceSDDocument"},
    facts={"delivery_number": "d.DeliveryDocument", "carrier_number": "d.BillOfLading"},
)

SERVICES = {
    "order": ("API_SALES_ORDER_SRV/A_SalesOrder", ""),
    "delivery": (
        "API_OUTBOUND_DELIVERY_SRV;v=0002/A_OutbDeliveryHeader",
        "$expand=to_DeliveryDocumentItem&",
    ),
}
_NUMBER = re.compile(r"[0-9A-Za-z]{1,20}", re.ASCII)
_DATE = re.compile(rb'"\\?/Date\((\d{1,13})(?:[+-]\d{4})?\)\\?/"')


def kind(request: RawRequest) -> str:
    """Tell which document an answer is; a webhook is none."""
    if request.method != "GET":
        return ""
    found = (name for name, (path, _) in SERVICES.items() if f"/{path}(" in request.path)
    return next(found, "")


KINDS = Kinds(kind, {"order": ORDER, "delivery": DELIVERY}, usual=NOTIFICATIONS)


@dataclass(frozen=True, slots=True)
class Documents:
    """Reads webhooks, and answers in which OData 2 writes times as `/Date(…)/`."""

    documents: Sorted

    def read(self, request: RawRequest) -> Sequence[Statement]:
        if request.method != "GET":
            return self.documents.read(request)
        return self.documents.read(replace(request, body=_DATE.sub(rb"\1", request.body)))


def inquire(lookup: Lookup) -> Inquiry | None:
    """Ask for a document by its number."""
    name, _, number = lookup.object_id.partition(" ")
    if name not in SERVICES or _NUMBER.fullmatch(number) is None:
        return None
    path, query = SERVICES[name]
    return Inquiry(
        f"/sap/opu/odata/sap/{path}('{number}')",
        f"{query}$format=json",
        authorization="Basic {token64}",
    )


MANNERS = Manners(greet=partial(handshakes.greet, OriginRule()), inquire=inquire)


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Documents(KINDS.reader(source)), MANNERS)


PRESET = Preset(
    name="saps4",
    title="SAP S/4HANA (through Event Mesh)",
    category="erp",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the CloudEvent's source and id",
    proof=Proof("none", "the CloudEvents specification"),
    doubts=(
        (
            "How Event Mesh proves itself is UNVERIFIED, so the URL's end is the secret: confirm "
            "that nobody else may see the subscription's URL."
        ),
        (
            "That Event Mesh tests the address by OPTIONS with WebHook-Request-Origin is "
            "UNVERIFIED: confirm that the subscription gets active."
        ),
        (
            "The services and all words of sales orders and deliveries are UNVERIFIED: confirm on "
            "a live delivery that picking, goods issue and rejection read as they should."
        ),
        (
            "The names of the types and that `data` holds keys are PARTIAL: confirm that a change "
            "of an order and of a delivery is asked for."
        ),
        (
            "A delivery tells no time of its change, so it only moves an order forward: confirm "
            "that a goods issue that was reversed is told elsewhere."
        ),
        (
            "Only the first item of a delivery names its sales order here: confirm that a "
            "delivery never holds several orders."
        ),
    ),
    url_token=True,
    asks=True,
)
