"""Yonyou as a sender: sealed events; the documents' types are those a source was told."""

from service.intake.providers.backoffice import yonyou
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

TOLD = {
    "approved": "PURCHASE_ORDER_APPROVED",
    "received": "PURCHASE_ORDER_RECEIVED",
    "staff_updated": "STAFF_UPDATE",
    "check_url": "CHECK_URL",
}


def _event(kind: str, occasion: Occasion) -> Object:
    return {
        "type": kind,
        "eventId": token("", f"{occasion.key} {kind}"),
        "timestamp": int(occasion.at.timestamp() * 1000),
        "tenantId": "xr9gqbpt",
    }


SENDER = Sender(
    yonyou.PRESET.name,
    schemes.signer(yonyou.SCHEME),
    told(_event, TOLD, ref="content.code"),
    usual="approved",
    rules={
        "options": {"receiver": "app-key"},
        "subject": {"lifecycle": "purchase_order", "ref": "content.code"},
        "statuses": {
            "PURCHASE_ORDER_APPROVED": "approval.approved",
            "PURCHASE_ORDER_RECEIVED": "receipt.received",
        },
    },
)
