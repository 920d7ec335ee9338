"""HubSpot's own client signs by each of the three versions, and judges our simulated sender."""

import json
from typing import Any

import oracle
from hubspot.utils.signature import Signature

BY = "hubspot-api-client 12.0.0 (PyPI), Signature.get_signature"
SECRET = "yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy"
URL = "https://hooks.example.com/webhooks/tested"
STAMP = f"{oracle.SECONDS}000"
EVENT = {
    "eventId": 100,
    "subscriptionId": 12345,
    "occurredAt": 1768473004000,
    "subscriptionType": "deal.propertyChange",
    "objectId": 123,
    "propertyName": "dealname",
    "propertyValue": "Käthe & Søn",
}
BODY = json.dumps([EVENT], ensure_ascii=False)


def signature(version: str, secret: str, body: str, url: str = URL, stamp: str = STAMP) -> str:
    return Signature.get_signature(secret, body, version, url, "POST", stamp)


def signed(version: str, secret: str = SECRET, *, genuine: bool = True) -> dict[str, Any]:
    newest = version == "v3"
    name = "X-HubSpot-Signature-v3" if newest else "X-HubSpot-Signature"
    more = {"X-HubSpot-Request-Timestamp": STAMP} if newest else {}
    return oracle.vector(
        version if genuine else f"{version}, another secret",
        by=BY,
        source={"secrets": [SECRET], "token": "t", "options": {"signature": version}},
        headers={name: signature(version, secret, BODY), **more},
        body=BODY,
        genuine=genuine,
    )


def sign() -> list[dict[str, Any]]:
    versions = ("v3", "v2", "v1")
    others = [signed(each, "other", genuine=False) for each in versions]
    return [*map(signed, versions), *others]


def check(each: dict[str, Any]) -> bool:
    request, headers = each["request"], each["request"]["headers"]
    stamp = headers["x-hubspot-request-timestamp"]
    expected = signature("v3", each["source"]["secrets"][0], request["body"], request["url"], stamp)
    return expected == headers["x-hubspot-signature-v3"]


oracle.main(sign, check)
