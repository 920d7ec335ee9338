"""Zendesk as a sender: ticket events and the webhook of a trigger, signed with their time."""

from service.intake.providers.backoffice import zendesk
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

TRIGGER = "trigger"
TOLD = {
    "new": ("created", "NEW"),
    "waiting_for_customer": ("status_changed", "PENDING"),
    "resolved": ("status_changed", "SOLVED"),
    "deleted": ("soft_deleted", "DELETED"),
    "commented": ("comment_added", "OPEN"),
    "triggered": (TRIGGER, "solved"),
}


def _event(said: tuple[str, str], occasion: Occasion) -> Object:
    kind, status = said
    at = occasion.at.strftime("%Y-%m-%dT%H:%M:%SZ")
    external = f"order-{occasion.order}"
    if kind == TRIGGER:
        ticket = {"ticket_id": occasion.order, "status": status}
        return {**ticket, "updated_at": at, "external_id": external}
    moved: Object = {"current": status, "previous": "OPEN"}
    return {
        "account_id": 22129848,
        "detail": {
            "id": occasion.order,
            "external_id": external,
            "priority": "HIGH",
            "status": status,
            "updated_at": at,
        },
        "event": moved if kind == "status_changed" else {},
        "id": token("", f"{occasion.key} {kind} {status}"),
        "subject": f"zen:ticket:{occasion.order}",
        "time": at,
        "type": f"{zendesk.EVENT}{kind}",
        "zendesk_event_version": "2022-11-06",
    }


SENDER = Sender(
    zendesk.PRESET.name,
    schemes.signer(zendesk.SCHEME),
    told(_event, TOLD),
    usual="resolved",
)
