"""Cainiao as a sender: a report about a parcel in a form, with its digest."""

from dataclasses import replace
from datetime import UTC
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from service.intake.provider import SignedRequest
from service.intake.providers.couriers import cainiao
from service.intake.reading.paths import JSON
from service.sandbox.senders.occasion import Delivery, Occasion, Sender, as_form, token, told
from service.sandbox.senders.signing import hashing
from service.settings import Source

WORDS = {
    "label_created": "ACCEPT",
    "picked_up": "GOT",
    "in_transit": "TRANSPORT",
    "out_for_delivery": "DELIVERING",
    "delivered": "SIGN",
}
CHINA = ZoneInfo("Asia/Shanghai")


def _report(word: str, occasion: Occasion) -> JSON:
    at = occasion.at.astimezone(UTC).astimezone(CHINA).strftime("%Y-%m-%d %H:%M:%S")
    return [
        {
            "outerOrderCode": occasion.order,
            "mailNo": token("CN", occasion.order)[:15].upper(),
            "logisticsStatus": word,
            "time": at,
        }
    ]


def _dress(source: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    draft = as_form(source, body, delivery)
    return replace(draft, body=urlencode({cainiao.CONTENT: body}).encode("ascii"))


SENDER = Sender(
    cainiao.PRESET.name,
    hashing.fields(cainiao.PROOF),
    told(_report, WORDS),
    usual="in_transit",
    dress=_dress,
)
