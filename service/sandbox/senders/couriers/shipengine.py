"""ShipEngine as a sender: a tracking that moves, signed with a key of its key set."""

from collections.abc import Mapping

import orjson
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from jwt.algorithms import RSAAlgorithm

from service.intake.providers.couriers import shipengine
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import keys, publickeys

KEY_ID = "sandbox-key"
WORDS = {
    "label_created": ("NY", "SHIPMENT_CREATED"),
    "in_transit": ("IT", "HUB_SCAN_IN"),
    "out_for_delivery": ("IT", "OUT_FOR_DELIVERY"),
    "delivery_failed": ("AT", "ATTEMPTED_DELIVERY"),
    "returning": ("EX", "RETURN_TO_SENDER"),
    "delivered": ("DE", "DELIVERED"),
}


def publish(private: keys.Private, _: str) -> Mapping[str, bytes]:
    """Write the key set as it stands at its address."""
    if not isinstance(private, RSAPrivateKey):
        raise TypeError("ShipEngine signs with RSA.")
    key = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    listed = {**key, "kid": KEY_ID, "alg": "RS256", "use": "sig"}
    document = orjson.dumps({"keys": [listed]}, option=orjson.OPT_SORT_KEYS)
    return {shipengine.KEY_SETS["us"]: document}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    short, detail = word
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    number = token("94", occasion.order)[:22].upper()
    scan: Object = {
        "occurred_at": at,
        "carrier_occurred_at": occasion.at.strftime("%Y-%m-%dT%H:%M:%S"),
        "city_locality": "AUSTIN",
        "status_code": short,
        "event_code": "01",
    }
    return {
        "resource_url": f"{_API}?carrier_code=usps&tracking_number={number}",
        "resource_type": "API_TRACK",
        "data": {
            "tracking_number": number,
            "carrier_code": "usps",
            "status_code": short,
            "status_detail_code": detail,
            "events": [scan],
        },
    }


_API = "https://api.shipengine.com/v1/tracking"

SENDER = Sender(
    shipengine.PRESET.name,
    publickeys.signer(shipengine.DATED, publish=publish, key_id=KEY_ID),
    told(_event, WORDS),
    usual="in_transit",
)
