"""Pipedrive as a sender: a deal as it is and as it was, with user and password."""

from dataclasses import dataclass

from service.intake.providers.crms import pipedrive
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

FIELD = "dcf558aac1ae4e8c4f849ba5e668430d8df9be12"
USER, OURS = "18487521", "18487599"


@dataclass(frozen=True, slots=True)
class Told:
    """What was done to a deal, how it stands, and by whom."""

    action: str
    status: str
    source: str = "app"
    user: str = USER


WORDS = {
    "new": Told("create", "open"),
    "won": Told("change", "won"),
    "lost": Told("change", "lost"),
    "own_write": Told("change", "won", "api", OURS),
    "deleted": Told("delete", "deleted"),
}


def _event(said: Told, occasion: Occasion) -> Object:
    deal = int(token("", occasion.order)[:5], 16)
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000Z")
    data: dict[str, JSON] = {
        "id": deal,
        "title": f"Order {occasion.order}",
        "value": float(occasion.amount),
        "currency": occasion.currency,
        "status": said.status,
        "lost_reason": "too late" if said.status == "lost" else None,
        "stage_id": 3,
        "pipeline_id": 1,
        "update_time": at,
        "custom_fields": {FIELD: {"type": "varchar", "value": occasion.order}},
    }
    gone = said.action == "delete"
    return {
        "meta": {
            "action": said.action,
            "entity": "deal",
            "company_id": "12882925",
            "correlation_id": token("", occasion.key),
            "entity_id": str(deal),
            "id": occasion.key,
            "is_bulk_edit": False,
            "timestamp": at,
            "type": "general",
            "user_id": said.user,
            "version": "2.0",
            "webhook_id": "99",
            "change_source": said.source,
            "attempt": 1,
            "host": "sandbox.pipedrive.example",
        },
        "data": None if gone else data,
        "previous": data if gone else None,
    }


SENDER = Sender(
    pipedrive.PRESET.name,
    schemes.signer(pipedrive.SCHEME),
    told(_event, WORDS),
    usual="won",
    rules={"options": {"order_field": FIELD, "own_user": OURS}},
)
