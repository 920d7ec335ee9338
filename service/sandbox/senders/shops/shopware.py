"""Shopware as a sender: an order that enters a state, signed with the shop's secret."""

from service.intake.providers.shops import shopware
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "new": "checkout.order.placed",
    "authorized": "state_enter.order_transaction.state.authorized",
    "paid": "state_enter.order_transaction.state.paid",
    "shipped": "state_enter.order_delivery.state.shipped",
    "returned": "state_enter.order_delivery.state.returned",
    "refunded": "state_enter.order_transaction.state.refunded",
    "cancelled": "state_enter.order.state.cancelled",
}


def _event(word: str, occasion: Occasion) -> Object:
    order: Object = {"id": token("", occasion.order), "amountTotal": float(occasion.amount)}
    return {
        "data": {"payload": {"order": order}, "event": word},
        "source": {
            "url": "https://shop.example",
            "appVersion": "1.0.0",
            "shopId": "dgrH7nLU6tlE",
            "eventId": occasion.key,
        },
        "timestamp": int(occasion.at.timestamp()),
    }


SENDER = Sender(
    shopware.PRESET.name,
    schemes.signer(shopware.SCHEME),
    told(_event, WORDS, ref=shopware.LAYOUT.ref),
    usual="paid",
)
