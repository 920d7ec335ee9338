"""Business Central as a sender: notifications that only name documents, with the client state."""

from dataclasses import replace

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.backoffice import businesscentral
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sender,
    Signer,
    token,
    told,
)
from service.sandbox.senders.signing import sharing
from service.settings import Source

COMPANY = "b18aed47-c385-49d2-b954-dbdf8ad71780"

TOLD = {
    "order_created": ("salesOrders", "created"),
    "order_updated": ("salesOrders", "updated"),
    "order_deleted": ("salesOrders", "deleted"),
    "shipment_created": ("salesShipments", "created"),
    "invoice_updated": ("salesInvoices", "updated"),
    "customer_updated": ("customers", "updated"),
}


def prove(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
    """Show the client state in each item."""
    document = orjson.loads(draft.body)
    for item in document["value"]:
        item["clientState"] = sharing.newest(source)
    return replace(draft, body=orjson.dumps(document))


def _notification(said: tuple[str, str], occasion: Occasion) -> Object:
    entity, change = said
    name = token("", f"{entity} {occasion.order}")
    number = "-".join((name[:8], name[8:12], name[12:16], name[16:20], name[12:24]))
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "value": [
            {
                "subscriptionId": f"webhook{entity}",
                "clientState": "",
                "expirationDateTime": "2026-01-18T07:52:31Z",
                "resource": f"api/v2.0/companies({COMPANY})/{entity}({number})",
                "changeType": change,
                "lastModifiedDateTime": at,
            }
        ]
    }


SENDER = Sender(
    businesscentral.PRESET.name,
    Signer(prove, "body:value[0].clientState", signs_body=False),
    told(_notification, TOLD),
    usual="order_updated",
)
