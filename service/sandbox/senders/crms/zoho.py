"""Zoho CRM as a sender: notifications that name records, with the channel's token."""

from service.intake.providers.crms import zoho
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

WORDS = {
    "new": ("Deals", "insert"),
    "changed": ("Deals", "update"),
    "sales_order_changed": ("Sales_Orders", "update"),
    "deleted": ("Deals", "delete"),
}


def _notification(word: tuple[str, str], occasion: Occasion) -> Object:
    module, operation = word
    return {
        "server_time": int(occasion.at.timestamp() * 1000),
        "query_params": {},
        "module": module,
        "resource_uri": f"https://www.zohoapis.com/crm/v8/{module}",
        "ids": [str(int(token("", occasion.order)[:12], 16))],
        "operation": operation,
        "channel_id": "1000000068001",
    }


SENDER = Sender(
    zoho.PRESET.name,
    schemes.signer(zoho.SCHEME),
    told(_notification, WORDS),
    usual="changed",
    rules={"token": "1000.test"},
)
