"""SAP S/4HANA as a sender: CloudEvents of Event Mesh, with keys only."""

from service.intake.provider import SignedRequest
from service.intake.providers.backoffice import saps4
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

ORDER, DELIVERY, PARTNER = "SalesOrder", "OutboundDelivery", "BusinessPartner"
TOLD = {
    "order_created": (ORDER, "Created"),
    "order_changed": (ORDER, "Changed"),
    "delivery_created": (DELIVERY, "Created"),
    "delivery_changed": (DELIVERY, "Changed"),
    "partner_changed": (PARTNER, "Changed"),
}


def structured(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    return SignedRequest({"Content-Type": "application/cloudevents+json"}, body)


def _event(said: tuple[str, str], occasion: Occasion) -> Object:
    kind, change = said
    return {
        "specversion": "1.0",
        "type": f"sap.s4.beh.{kind.lower()}.v1.{kind}.{change}.v1",
        "source": "/default/sap.s4.beh/S4",
        "id": occasion.key,
        "time": occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "datacontenttype": "application/json",
        "data": {kind: str(int(token("", occasion.order)[:6], 16))},
    }


SENDER = Sender(
    saps4.PRESET.name,
    schemes.signer(saps4.SCHEME),
    told(_event, TOLD),
    "delivery_changed",
    structured,
)
