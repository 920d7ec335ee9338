"""DingTalk as a sender: sealed callbacks of approvals."""

from service.intake.providers.backoffice import dingtalk
from service.sandbox.senders.occasion import Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes

INSTANCE = "bpms_instance_change"
TOLD: dict[str, Object] = {
    "submitted": {"EventType": INSTANCE, "type": "start"},
    "approved": {"EventType": INSTANCE, "type": "finish", "result": "agree"},
    "rejected": {"EventType": INSTANCE, "type": "finish", "result": "refuse"},
    "withdrawn": {"EventType": INSTANCE, "type": "terminate"},
    "one_step": {"EventType": "bpms_task_change", "type": "finish", "result": "agree"},
    "check_url": {"EventType": "check_url"},
}


def _event(said: Object, occasion: Occasion) -> Object:
    if said["EventType"] == "check_url":
        return dict(said)
    at = int(occasion.at.timestamp() * 1000)
    finished = {"finishTime": at} if said["type"] != "start" else {}
    return {
        "EventTime": at,
        "CorpId": "ding9f50b15bccd16741",
        "eventId": token("", f"{occasion.key} {said}"),
        "createTime": at,
        **finished,
        "processCode": "PROC-EF6YRO35P2-7MPMNW3BNO0R8DKYN8GX1",
        "businessId": token("2026", occasion.order)[:20],
        "title": "Discount for a large order",
        "url": "https://aflow.dingtalk.com/dingtalk/mobile/homepage.htm",
        "staffId": "manager75",
        **said,
    }


SENDER = Sender(
    dingtalk.PRESET.name,
    schemes.signer(dingtalk.SCHEME),
    told(_event, TOLD, ref="processInstanceId"),
    usual="approved",
    rules={"options": {"receiver": "ding9f50b15bccd16741"}},
)
