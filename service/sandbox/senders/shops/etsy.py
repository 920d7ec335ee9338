"""Etsy as a sender: events that name a receipt, signed by Standard Webhooks."""

from service.intake.providers.shops import etsy
from service.sandbox.senders.occasion import Object, Occasion, Sender, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "paid": "order.paid",
    "shipped": "order.shipped",
    "delivered": "order.delivered",
    "cancelled": "order.canceled",
}
SHOP = 12345


def _event(word: str, occasion: Occasion) -> Object:
    # A receipt has a number; of any other order the digits are taken.
    receipt = "".join(filter(str.isdigit, occasion.order)) or "1"
    url = f"https://openapi.etsy.com/v3/application/shops/{SHOP}/receipts/{receipt}"
    return {"event_type": word, "resource_url": url, "shop_id": SHOP}


SENDER = Sender(etsy.PRESET.name, schemes.signer(etsy.SCHEME), told(_event, WORDS), usual="paid")
