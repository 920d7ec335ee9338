"""SF Express as a sender: a node of the route as XML in a form, sent to the URL with the token."""

from dataclasses import replace
from datetime import UTC
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from service.intake.provider import SignedRequest
from service.intake.providers.couriers import sfexpress
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sender,
    as_form,
    token,
    told,
)
from service.sandbox.senders.signing import sharing
from service.settings import Source

WORDS = {
    "picked_up": ("50", "顺丰速运 已收取快件"),
    "in_transit": ("30", "快件在【深圳】装车"),
    "out_for_delivery": ("44", "正在派送途中"),
    "delivery_failed": ("70", "派件不成功"),
    "delivered": ("80", "已签收"),
    "returning": ("99", "快件正在转寄"),
}
CHINA = ZoneInfo("Asia/Shanghai")


def _push(word: tuple[str, str], occasion: Occasion) -> Object:
    code, remark = word
    at = occasion.at.astimezone(UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    route: Object = {
        "@id": str(int(token("", occasion.key)[:8], 16)),
        "@mailno": f"SF{int(token('', occasion.order)[:10], 16):013d}",
        "@orderid": occasion.order,
        "@acceptTime": at,
        "@acceptAddress": "深圳市",
        "@remark": remark,
        "@opCode": code,
    }
    body: Object = {"WaybillRoute": route}
    return {"Request": {"@service": "RoutePushService", "@lang": "zh-CN", "Body": body}}


def _dress(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = as_form(source, body, delivery)
    return replace(draft, body=urlencode({sfexpress.FIELD: body}).encode("ascii"))


SENDER = Sender(
    sfexpress.PRESET.name,
    sharing.url_token(),
    told(_push, WORDS, form="xml"),
    usual="in_transit",
    dress=_dress,
)
