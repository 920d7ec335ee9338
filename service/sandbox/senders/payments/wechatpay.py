"""WeChat Pay as a sender: transactions and refunds, sealed and signed."""

from service.intake.provider import SignedRequest
from service.intake.providers.payments import wechatpay
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sender, token, told
from service.sandbox.senders.signing import schemes
from service.settings import Source

WORDS = {
    "paid": ("TRANSACTION.SUCCESS", "SUCCESS"),
    "awaiting_payment": ("TRANSACTION.SUCCESS", "USERPAYING"),
    "cancelled": ("TRANSACTION.SUCCESS", "CLOSED"),
    "partially_refunded": ("REFUND.SUCCESS", "SUCCESS"),
    "refund_abnormal": ("REFUND.ABNORMAL", "ABNORMAL"),
    "refund_closed": ("REFUND.CLOSED", "CLOSED"),
}


def _event(word: tuple[str, str], occasion: Occasion) -> Object:
    kind, state = word
    total = int(occasion.amount * 100)
    resource: Object = {
        "mchid": "1230000109",
        "out_trade_no": occasion.order,
        "transaction_id": token("42000", occasion.order),
    }
    if kind.startswith("REFUND."):
        resource |= {
            "out_refund_no": f"R-{occasion.order}",
            "refund_id": token("50000", occasion.order),
            "refund_status": state,
            "amount": {"total": total, "refund": total // 4, "payer_total": total},
        }
    else:
        resource |= {
            "appid": "wxd678efh567hg6787",
            "trade_type": "JSAPI",
            "trade_state": state,
            "amount": {"total": total, "payer_total": total, "currency": "CNY"},
        }
    if state == "SUCCESS":
        resource["success_time"] = occasion.at.strftime("%Y-%m-%dT%H:%M:%S+00:00")
    return {
        "id": occasion.key,
        "create_time": occasion.at.strftime("%Y-%m-%dT%H:%M:%S+00:00"),
        "event_type": kind,
        "resource_type": "encrypt-resource",
        "summary": state,
        "resource": resource,
    }


def _dress(_: Source, body: bytes, __: Delivery) -> SignedRequest:
    kind = {"Wechatpay-Signature-Type": "WECHATPAY2-SHA256-RSA2048"}
    return SignedRequest({"Content-Type": "application/json", **kind}, body)


SENDER = Sender(
    wechatpay.PRESET.name,
    schemes.signer(wechatpay.SCHEME),
    told(_event, WORDS, ref="resource.out_trade_no"),
    usual="paid",
    dress=_dress,
)
