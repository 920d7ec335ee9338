"""Alipay as a sender: a trade that moves, signed with RSA2."""

from datetime import timedelta, timezone

from service.intake.providers.payments import alipay
from service.sandbox.senders.occasion import Object, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import schemes

SHANGHAI = timezone(timedelta(hours=8))

WORDS = {
    "awaiting_payment": ("WAIT_BUYER_PAY", 0),
    "paid": ("TRADE_SUCCESS", 0),
    "finished": ("TRADE_FINISHED", 0),
    "partially_refunded": ("TRADE_SUCCESS", 25),
    "refunded": ("TRADE_CLOSED", 100),
    "cancelled": ("TRADE_CLOSED", 0),
}


def _event(word: tuple[str, int], occasion: Occasion) -> Object:
    """Make a trade of which so many per cent went back."""
    status, back = word
    at = occasion.at.astimezone(SHANGHAI).strftime("%Y-%m-%d %H:%M:%S")
    fields: Object = {
        "notify_type": "trade_status_sync",
        "notify_id": occasion.key,
        "notify_time": at,
        "charset": "utf-8",
        "version": "1.0",
        "sign_type": alipay.RSA2,
        "trade_status": status,
        "out_trade_no": occasion.order,
        "trade_no": token("20260115", occasion.order),
        "total_amount": f"{occasion.amount:.2f}",
        "gmt_create": at,
        "app_id": "2021000000",
        "seller_id": "2088000000",
        "subject": "Tea & cups, 20%",
    }
    if status in ("TRADE_SUCCESS", "TRADE_FINISHED") or back:
        fields["gmt_payment"] = at
    if back:
        fields |= {
            "refund_fee": f"{occasion.amount * back / 100:.2f}",
            "gmt_refund": f"{at}.123",
            "out_biz_no": f"R-{occasion.order}",
        }
    if status == "TRADE_CLOSED":
        fields["gmt_close"] = at
    return fields


SENDER = Sender(
    alipay.PRESET.name,
    schemes.signer(alipay.SCHEME),
    told(_event, WORDS, ref="out_trade_no", form="form"),
    usual="paid",
    dress=as_form,
)
