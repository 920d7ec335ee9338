"""Feishu as a sender: sealed events of approvals."""

from service.intake.providers.backoffice import lark
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

TOLD = {
    "in_review": ("approval_instance", "PENDING"),
    "approved": ("approval_instance", "APPROVED"),
    "rejected": ("approval_instance", "REJECTED"),
    "withdrawn": ("approval_instance", "CANCELED"),
    "one_step": ("approval_task", "APPROVED"),
}


def _event(said: tuple[str, str], occasion: Occasion) -> Object:
    kind, status = said
    seconds = str(int(occasion.at.timestamp()))
    return {
        "uuid": token("", f"{occasion.key} {kind} {status}"),
        "token": "verification-token",
        "ts": f"{seconds}.250000",
        "type": "event_callback",
        "event": {
            "app_id": "cli_9e28cb7ba56a100e",
            "approval_code": "7C468A54-8745-2245-9675-08B7C63E7A85",
            "operate_time": seconds,
            "status": status,
            "tenant_key": "tenant",
            "type": kind,
        },
    }


SENDER = Sender(
    lark.PRESET.name,
    schemes.signer(lark.SCHEME),
    told(_event, TOLD, ref="event.instance_code"),
    usual="approved",
)
