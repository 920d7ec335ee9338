"""Saleor as a sender: events of orders and fulfilments, signed by a key of its key set."""

from collections.abc import Mapping

from service.intake.provider import SignedRequest
from service.intake.providers.shops import saleor
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import keys, tokens
from service.settings import Source

DOMAIN = "sandbox.saleor.cloud"
ADDRESS = f"https://{DOMAIN}/.well-known/jwks.json"
KEY_ID = "key-1"
WORDS = {
    "new": "order_created",
    "paid": "order_fully_paid",
    "packed": "fulfillment_created",
    "shipped": "fulfillment_approved",
    "taken_back": "fulfillment_canceled",
    "partially_refunded": "order_refunded",
    "cancelled": "order_cancelled",
}


def publish(private: keys.Private, _: str) -> Mapping[str, bytes]:
    return {ADDRESS: tokens.key_set(private, KEY_ID)}


def dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    headers = {
        "Content-Type": "application/json",
        "Saleor-Event": WORDS.get(delivery.sample, "order_updated"),
        "Saleor-Domain": DOMAIN,
        "Saleor-Api-Url": f"https://{DOMAIN}/graphql/",
        "Saleor-Schema-Version": "3.20",
    }
    return SignedRequest(headers, body)


def _event(word: str, occasion: Occasion) -> Object:
    amount, currency = float(occasion.amount), occasion.currency
    paid = word not in ("order_created", "order_cancelled")
    refunded = 9.9 if word == "order_refunded" else 0.0
    order: Object = {
        "id": token("T3JkZXI6", occasion.order),
        "chargeStatus": "FULL" if paid else "NONE",
        "total": {"gross": {"amount": amount, "currency": currency}},
        "totalCharged": {"amount": amount if paid else 0.0, "currency": currency},
        "totalRefunded": {"amount": refunded, "currency": currency},
    }
    said: Object = {"issuedAt": occasion.at.isoformat(), "order": order}
    if word.startswith("fulfillment_"):
        said["fulfillment"] = {
            "id": token("RnVsZmlsbG1lbnQ6", occasion.order),
            "trackingNumber": token("SA", occasion.order)[:14].upper(),
        }
    return said


SENDER = Sender(
    saleor.PRESET.name,
    tokens.signer(saleor.JWS, publish=publish, key_id=KEY_ID, unencoded=True),
    told(_event, WORDS, ref="order.number"),
    "paid",
    dress,
    rules={"options": {"domain": DOMAIN}},
)
