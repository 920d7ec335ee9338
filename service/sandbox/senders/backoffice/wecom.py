"""WeCom as a sender: sealed callbacks of approvals."""

from service.intake.providers.backoffice import wecom
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_xml, told
from service.sandbox.senders.signing import schemes

CORP = "ww1a2b3c4d5e6f7a8b"
TOLD = {
    "in_review": ("1", "1"),
    "approved": ("2", "2"),
    "rejected": ("3", "3"),
    "withdrawn": ("4", "6"),
    "revoked": ("6", "8"),
    "paid": ("10", "10"),
}


def _event(said: tuple[str, str], occasion: Occasion) -> Object:
    status, change = said
    at = int(occasion.at.timestamp())
    return {
        "xml": {
            "ToUserName": CORP,
            "FromUserName": "sys",
            "CreateTime": at,
            "MsgType": "event",
            "Event": "sys_approval_change",
            "AgentID": 3010040,
            "ApprovalInfo": {
                "SpName": "Discount",
                "SpStatus": status,
                "TemplateId": "3TkZjxugodbqpEMk9j7X6h6zKqYkc7MxQrrFmT7H",
                "ApplyTime": at,
                "Applyer": {"UserId": "WangXiaoMing", "Party": 1},
                "StatuChangeEvent": change,
            },
        }
    }


SENDER = Sender(
    wecom.PRESET.name,
    schemes.signer(wecom.SCHEME),
    told(_event, TOLD, ref="xml.ApprovalInfo.SpNo", form="xml"),
    "approved",
    as_xml,
    {"options": {"receiver": CORP}},
)
