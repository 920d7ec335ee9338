"""ShipStation V1: thin webhooks of a shipping platform in; what they point at, asked for, out.

Facts from docs.shipstation.com (webhook model of V1; read 2026-11): nothing is signed; a webhook
only carries `resource_url` and `resource_type`. PARTIAL: the statuses of orders and the fields of
what is fetched. UNVERIFIED: retries, that times are Pacific, that one host of the API answers for
all of them (`ssapi6.shipstation.com` and the like).

Only the path and the query of an address of ShipStation's own API are taken from a webhook, and
asked at the source's `api`: nobody can lead a worker, or the key it shows, elsewhere.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.domain.events import Lookup, Statement
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry, RawRequest
from service.intake.reading.layout import Layout, Says
from service.intake.reading.reader import Reader
from service.intake.verification.shared import UrlToken
from service.settings import Source

SETUP = """\
1. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`; the webhook's URL is this source's URL, a slash and the token.
2. In ShipStation under Settings, Account, API Settings, make an API key. Put `key:secret` behind
   the reference in `token`: a webhook only carries an address, which is asked with it.
3. Under Integrations, Webhooks, add one for new orders and one for shipped orders (ORDER_NOTIFY,
   SHIP_NOTIFY) with that URL.
4. If the webhooks name another host than ssapi.shipstation.com and asking fails, set `api` to
   it."""

SCHEME = UrlToken()
API = "https://ssapi.shipstation.com"
RESOURCE = "resource"

TYPES: Mapping[str, str] = {
    "ORDER_NOTIFY": "look up",
    "ITEM_ORDER_NOTIFY": "look up",
    "SHIP_NOTIFY": "look up",
    "ITEM_SHIP_NOTIFY": "look up",
    "FULFILLMENT_SHIPPED": "look up",
}
THIN = Layout(
    title="ShipStation",
    says=(Says("resource_type", TYPES),),
    ref="`null`",
    lookup=(RESOURCE, "resource_url"),
)

ZONE = "America/Los_Angeles"
STATUSES: Mapping[str, str] = {
    "awaiting_payment": "fulfillment.new",
    "awaiting_shipment": "fulfillment.new",
    "pending_fulfillment": "fulfillment.picking",
    "on_hold": "ignore: an order on hold stays where it is",
    "shipped": "fulfillment.shipped",
    "cancelled": "fulfillment.cancelled",
}
ORDERS = Layout(
    title="ShipStation",
    items="orders",
    says=(Says("orderStatus", STATUSES),),
    ref="orderNumber",
    key=("orderNumber", "orderStatus", "modifyDate"),
    when="modifyDate",
    zone=ZONE,
    aliases={"order:shipstation": "orderId"},
)
PACKED = "voided && 'voided' || 'label'"
SHIPMENTS = Layout(
    title="ShipStation",
    items="shipments",
    says=(
        # A label is made while the parcel is still in the building.
        Says(PACKED, {"label": "fulfillment.packed", "voided": "ignore: the label was voided"}),
        Says(PACKED, {"label": "delivery.label_created", "voided": "ignore: the label was voided"}),
    ),
    ref="orderNumber",
    key=("shipmentId", PACKED, "createDate"),
    when="createDate",
    zone=ZONE,
    parcel="trackingNumber",
    returns="isReturnLabel",
    aliases={"tracking": "trackingNumber", "order:shipstation": "orderId"},
    facts={"tracking_number": "trackingNumber", "carrier": "carrierCode"},
)
FULFILLMENTS = Layout(
    title="ShipStation",
    items="fulfillments",
    says=(Says(PACKED, {"label": "fulfillment.shipped", "voided": "ignore: it was voided"}),),
    ref="orderNumber",
    key=("fulfillmentId", PACKED, "createDate"),
    when="shipDate || createDate",
    zone=ZONE,
    parcel="trackingNumber",
    aliases={"tracking": "trackingNumber", "order:shipstation": "orderId"},
    facts={"tracking_number": "trackingNumber", "carrier": "carrierCode"},
)

_HOST = re.compile(r"ssapi\d*\.shipstation\.com", re.ASCII)
_PATH = re.compile(
    r"/(?:orders|shipments|fulfillments)(?:/[A-Za-z0-9_-]+)*/?", re.ASCII | re.IGNORECASE
)
_QUERY = re.compile(r"[!-~]*", re.ASCII)


def inquire(lookup: Lookup) -> Inquiry | None:
    """Ask for what a webhook points at, if that is in ShipStation's own API."""
    try:
        parts = urlsplit(lookup.object_id)
    except ValueError:
        return None
    ours = parts.scheme == "https" and _HOST.fullmatch(parts.netloc)
    if not ours or not _PATH.fullmatch(parts.path) or not _QUERY.fullmatch(parts.query):
        return None
    return Inquiry(parts.path, parts.query, "Basic {token64}")


@dataclass(frozen=True, slots=True)
class Resources:
    """Reads webhooks, and what was fetched because of them, by what there is in it."""

    thin: Reader
    fetched: Mapping[str, Reader]

    def read(self, request: RawRequest) -> Sequence[Statement]:
        if request.method != "GET":
            return self.thin.read(request)
        path = request.path.rstrip("/").rpartition("/")[2].lower()
        return self.fetched.get(path, self.fetched["orders"]).read(request)


def build(source: Source) -> Declared:
    layouts = {"orders": ORDERS, "shipments": SHIPMENTS, "fulfillments": FULFILLMENTS}
    fetched = {path: Reader.of(layout, source) for path, layout in layouts.items()}
    reader = Resources(Reader.of(THIN, source), fetched)
    return Declared(SCHEME.guard(source), reader, Manners(inquire=inquire))


PRESET = Preset(
    name="shipstation",
    title="ShipStation API V1",
    category="courier",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="order or shipment, its status and the time of its change",
    proof=Proof("none", "docs.shipstation.com, V1 webhook model: nothing is signed"),
    doubts=(
        (
            "Times are UNVERIFIED to be Pacific: confirm modifyDate of an order you just changed, "
            "and set `timezone` if it is another."
        ),
        "The fields and statuses of what is fetched are PARTIAL: confirm one order and one label.",
        "Only the first page of an answer is read (PARTIAL): confirm that a batch fits on one.",
        (
            "That ssapi.shipstation.com answers for ssapi6 and the like is UNVERIFIED: confirm "
            "that the first look-up succeeds."
        ),
        (
            "What FULFILLMENT_REJECTED means for the order is UNVERIFIED, so that it is unmapped: "
            "confirm it, then name it in `statuses`."
        ),
    ),
    url_token=True,
    api=API,
    asks=True,
)
