"""Cin7 Core as a sender: the steps of a sale, sent to the URL that ends in the token."""

from service.intake.providers.warehouses import cin7
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import sharing

STEPS = {
    "new": "OrderAuthorized",
    "picking": "PickAuthorized",
    "packed": "PackAuthorized",
    "shipped": "ShipmentAuthorized",
    "cancelled": "Voided",
    "paid": "FullPaymentReceived",
}


def _event(step: str, occasion: Occasion) -> Object:
    return {
        "SaleID": token("", occasion.order),
        "SaleTaskID": token("", occasion.key),
        "EventType": f"{cin7.PREFIX}{step}",
    }


SENDER = Sender(
    cin7.PRESET.name,
    sharing.url_token(),
    told(_event, STEPS, ref="SaleOrderNumber"),
    usual="shipped",
)
