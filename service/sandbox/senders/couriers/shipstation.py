"""ShipStation V1 as a sender: addresses to ask, posted to the URL that ends in the token."""

from service.intake.providers.couriers import shipstation
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "order": ("ORDER_NOTIFY", "orders"),
    "shipment": ("SHIP_NOTIFY", "shipments"),
}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    kind, path = word
    batch = token("", f"{occasion.order} {occasion.key}")
    return {
        "resource_url": f"https://ssapi6.shipstation.com/{path}?importBatch={batch}",
        "resource_type": kind,
    }


SENDER = Sender(
    shipstation.PRESET.name,
    schemes.signer(shipstation.SCHEME),
    told(_event, WORDS),
    usual="order",
)
