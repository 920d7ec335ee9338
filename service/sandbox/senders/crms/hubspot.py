"""HubSpot as a sender: events that point at deals, signed with the address and a time."""

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.crms import hubspot
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sender,
    as_json,
    token,
    told,
)
from service.sandbox.senders.signing import schemes
from service.settings import Source

OURS = "app:9010"
WORDS: dict[str, Object] = {
    "new": {"subscriptionType": "deal.creation", "changeFlag": "NEW"},
    "stage_changed": {
        "subscriptionType": "deal.propertyChange",
        "propertyName": "dealstage",
        "propertyValue": "closedwon",
    },
    "amount_changed": {
        "subscriptionType": "object.propertyChange",
        "objectTypeId": hubspot.ORDERS,
        "propertyName": "hs_total_price",
        "propertyValue": "149.90",
    },
    "deleted": {"subscriptionType": "deal.deletion"},
    "own_write": {
        "subscriptionType": "deal.propertyChange",
        "propertyName": "dealstage",
        "propertyValue": "closedwon",
        "changeSource": "INTEGRATION",
        "sourceId": OURS,
    },
}


def dress(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    """An array of events is posted, however many there are."""
    said = orjson.loads(body) if body[:1] == b"{" else None
    return as_json(source, orjson.dumps([said]) if isinstance(said, dict) else body, delivery)


def _event(word: Object, occasion: Occasion) -> Object:
    return {
        "eventId": occasion.key,
        "subscriptionId": 234567,
        "portalId": 62515,
        "appId": 9010,
        "occurredAt": int(occasion.at.timestamp() * 1000),
        "attemptNumber": 0,
        "objectId": int(token("", occasion.order)[:12], 16),
        "changeSource": "CRM_UI",
        "sourceId": "userId:45678",
        **word,
    }


SENDER = Sender(
    hubspot.PRESET.name,
    schemes.signer(hubspot.SCHEME),
    told(_event, WORDS),
    usual="stage_changed",
    dress=dress,
    rules={"token": "pat-test", "options": {"own_user": OURS}},
)
