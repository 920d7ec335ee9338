"""amoCRM as a sender: lists of leads by what was done to them, at a secret address."""

from dataclasses import dataclass

from service.intake.providers.crms import amocrm
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import schemes

FIELD, OPEN, WON, LOST = "1119321", "10216994", "142", "143"
USER, OURS = "938348", "102525"


@dataclass(frozen=True, slots=True)
class Told:
    """What was done to a lead, where it stands, and who did it."""

    action: str
    status: str
    user: str = USER


WORDS = {
    "won": Told("status", WON),
    "lost": Told("status", LOST),
    "edited": Told("update", WON),
    "own_write": Told("status", WON, OURS),
    "deleted": Told("delete", LOST),
}


def _hook(said: Told, occasion: Occasion) -> Object:
    at = str(int(occasion.at.timestamp()))
    lead: Object = {
        "id": str(int(token("", occasion.order)[:7], 16)),
        "name": f"Order {occasion.order}",
        "status_id": said.status,
        "old_status_id": OPEN,
        "price": str(int(occasion.amount)),
        "responsible_user_id": USER,
        "last_modified": at,
        "updated_at": at,
        "modified_user_id": said.user,
        "pipeline_id": "2116",
        "custom_fields": [
            {"id": "1119319", "name": "Delivery", "values": [{"value": "courier"}]},
            {"id": FIELD, "name": "Order number", "values": [{"value": occasion.order}]},
        ],
    }
    return {"leads": {said.action: [lead]}, "account": {"subdomain": "sandbox"}}


SENDER = Sender(
    amocrm.PRESET.name,
    schemes.signer(amocrm.SCHEME),
    told(_hook, WORDS, form="form"),
    usual="won",
    dress=as_form,
    rules={"options": {"order_field": FIELD, "own_user": OURS}},
)
