"""ShipBob: webhooks of a fulfilment warehouse in, fulfilment and delivery statements out.

Facts from developer.shipbob.com (webhooks, tracking guide and logistics webhook of 2026-07, read
2026-11): Standard Webhooks signature, topics, `reference_id`, `event_time`, retries for a day, the
end of an endpoint after five days of failure. ShipBob publishes one payload in full, that of
order.shipment.tracking_received; that the other topics of an order carry the same fields is
UNVERIFIED, and so are `shipment_id` and tracking words other than the four in WORDS, which are
therefore unmapped.

The topic stands in a header that is not signed; id, time and body are.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from service.domain.events import Alias, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Happening, Meaning, Object, unmapped
from service.intake.verification import standard
from service.settings import Source

NAME = "shipbob"
TITLE = "ShipBob"
SETUP = """\
1. Send the shop's order number as `reference_id` when you create the order in ShipBob; or set
   subject.ref to the place where it is.
2. In ShipBob under Integrations, Webhooks, add a subscription (not of the API versions 1.0 and 2.0,
   which do not sign) with this source's URL and the topics order.shipped,
   order.shipment.tracking_received, order.shipment.tracking.updated, order.delivered and
   order.shipment.cancelled.
3. Put the subscription's secret (`whsec_…`, taken as it stands) behind the reference in `secrets`.
4. Where orders are split into several shipments, leave order.shipment.delivered out:
   order.delivered comes when all of them arrived."""

SCHEME = standard.StandardWebhooks("the subscription's secret (whsec_…)")
TOPIC = "x-webhook-topic"
ORDER_PATH = "reference_id"

TOPICS: Mapping[str, tuple[str, ...]] = {
    # It comes when the label is printed, not when the parcel leaves.
    "order.shipped": ("fulfillment.packed", "delivery.label_created"),
    "order.shipment.cancelled": ("fulfillment.cancelled",),
    "order.shipment.delivered": ("delivery.delivered",),
    "order.delivered": ("delivery.delivered",),
    "order.shipment.on_hold": ("",),
    "order.shipment.exception": ("",),
}
"""What a topic says by itself; on hold and exception (out of stock) only leave a mark."""
WORDED = ("order.shipment.tracking_received", "order.shipment.tracking.updated")
WHOLE = "order.delivered"
"""It comes once, when all shipments of the order arrived."""
WORDS: Mapping[str, str] = {
    "LabelCreated": "delivery.label_created",
    "InTransit": "delivery.in_transit",
    "OutForDelivery": "delivery.out_for_delivery",
    "Delivered": "delivery.delivered",
}

IGNORED: Mapping[str, str] = {
    "order.shipment.address.updated": "the address is no status",
    "order.shipment.line_item.added": "the lines are no status",
    "order.shipment.line_item.removed": "the lines are no status",
    "order.shipment.line_item.updated": "the lines are no status",
    "order.shipment.shipping_service.updated": "the shipping service is no status",
}

ATTRIBUTES = telling.paths(
    {
        "carrier": "tracking.carrier",
        "tracking_number": "tracking.tracking_id",
        "tracking_url": "tracking.tracking_url",
        "shipbob_order_id": "order_id",
        "warehouse_status": "status",
    }
)


@dataclass(frozen=True, slots=True)
class Shipments:
    """Reads webhooks for one configured subscription."""

    telling: telling.Telling

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            body = telling.document(request, sender=TITLE)
            topic, key = _named(request)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        happening = Happening(
            key=key,
            code=topic,
            subject=body,
            when=body.get("event_time"),
            facts=ATTRIBUTES,
            told={**body, "status": body.get("status") or topic.rpartition(".")[2]},
            parcel=None if topic == WHOLE else _parcel(body),
            aliases=tuple(_names(body)),
        )
        return tuple(
            self.telling.state(said, replace(happening, key=_part(key, place)), request)
            for place, said in enumerate(meanings(topic, body))
        )


def build(source: Source) -> Declared:
    rules = telling.Telling.of(source, ORDER_PATH)
    return Declared(SCHEME.guard(source), Shipments(rules))


def _named(request: RawRequest) -> tuple[str, str]:
    topic = mapping.name(request.header(TOPIC))
    key = mapping.name(request.header(standard.ID))
    if topic is None or key is None:
        raise Unreadable(f"The headers {TOPIC} and {standard.ID} must be there, of 256 bytes each.")
    return topic, key


def _tracking(body: Object) -> str | None:
    return mapping.name(telling.within(body, "tracking").get("tracking_id"))


def _parcel(body: Object) -> str | None:
    """Name a parcel as its courier does, who may tell about it too."""
    return _tracking(body) or mapping.name(body.get("shipment_id"))


def _names(body: Object) -> Iterator[Alias]:
    number = _tracking(body)
    for kind, name in (("tracking", number), ("order:shipbob", mapping.name(body.get("order_id")))):
        if name:
            yield Alias(kind, name)


def _part(key: str, place: int) -> str:
    # An id holds no dot, so no other event has this key.
    return f"{key}.{place}" if place else key


def meanings(topic: str, body: Object) -> Sequence[Meaning]:
    """Tell what a topic means, one meaning for each lane."""
    if topic in TOPICS:
        return [Meaning(target) for target in TOPICS[topic]]
    if topic in WORDED:
        return [_tracked(body.get("status"))]
    if why := IGNORED.get(topic):
        return [telling.ignored(f"{topic}: {why}.")]
    if topic.startswith("order."):
        return [unmapped(f"{shown(topic)} is a topic about orders that we do not know.")]
    # The reference of a return is its own, not the order's.
    return [telling.ignored(f"{shown(topic)} is not about an order on its way out.")]


def _tracked(status: JSON) -> Meaning:
    if status is None:
        return FACTS
    word = mapping.name(status)
    if word is None or word not in WORDS:
        return telling.unknown(word, "tracking status")
    return Meaning(WORDS[word])


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="warehouse",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="webhook-id",
    proof=Proof("sdk", "standardwebhooks 1.1.0 (PyPI), the specification it names"),
    doubts=(
        (
            "Whether topics about a shipment carry `shipment_id`, and all the tracking number, is "
            "UNVERIFIED: confirm on an order of two shipments that each is a parcel of its own."
        ),
        (
            "Tracking words other than the four published are UNVERIFIED and unmapped: confirm "
            "those that come, and that all topics carry the same fields."
        ),
    ),
)
