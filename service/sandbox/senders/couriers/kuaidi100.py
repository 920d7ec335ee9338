"""Kuaidi100 as a sender: the whole history of a parcel in a form, with its hash."""

from dataclasses import replace
from datetime import UTC
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from service.intake.provider import SignedRequest
from service.intake.providers.couriers import kuaidi100
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sender,
    as_form,
    token,
    told,
)
from service.sandbox.senders.signing import hashing
from service.settings import Source

WORDS = {
    "picked_up": ("1", "揽收"),
    "in_transit": ("0", "在途"),
    "out_for_delivery": ("5", "派件"),
    "delivery_failed": ("2", "疑难"),
    "delivered": ("3", "签收"),
    "returning": ("6", "退回"),
}
CHINA = ZoneInfo("Asia/Shanghai")


def _push(word: tuple[str, str], occasion: Occasion) -> Object:
    state, name = word
    at = occasion.at.astimezone(UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    newest: Object = {"context": f"【深圳市】{name}", "time": at, "ftime": at, "status": name}
    result: Object = {
        "message": "ok",
        "state": state,
        "ischeck": "1" if state == "3" else "0",
        "com": "yuantong",
        "nu": token("YT", occasion.order)[:15].upper(),
        "data": [newest],
    }
    status = "shutdown" if state == "3" else "polling"
    return {"status": status, "message": "", "comNew": "", "lastResult": result}


def _dress(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = as_form(source, body, delivery)
    return replace(draft, body=urlencode({"param": body}).encode("ascii"))


SENDER = Sender(
    kuaidi100.PRESET.name,
    hashing.fields(kuaidi100.PROOF, signs_body=True),
    told(_push, WORDS),
    usual="in_transit",
    dress=_dress,
)
