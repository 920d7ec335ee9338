"""The story of one shop order, told by four senders: sources in, webhooks to post out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import orjson

from service.sandbox.senders import Occasion, sample
from service.settings import Source

HERO = "A-1001"
FRIEND = "A-1002"
"""Shares the warehouse's requests with the hero and gets no further than the packing table."""
FRIEND_ENDS = "ready_to_ship"


@dataclass(frozen=True, slots=True)
class Webhook:
    """One request of a sender, and what must come of it."""

    source: str
    says: str
    body: bytes
    status: str
    """What the CRM must show for the hero afterwards."""
    twist: str = ""
    """Empty, or `duplicate`, `forged`, `late`, `waiting`."""


def tell(sources: Mapping[str, Source], *, begin: datetime) -> list[Webhook]:
    """All webhooks of the story in the order of their posting; a day or so passes in it."""

    def at(hours: float) -> datetime:
        return begin + timedelta(hours=hours)

    paid = sample(sources["stripe"], "paid", Occasion(HERO, at(0.1), key="evt_demo_paid"))
    stolen = parcel("courier-0", HERO, word="DELIVERED", at=at(1))
    moving = parcel("courier-1", HERO, word="TRANSIT", at=at(6))
    delivered = parcel("courier-2", HERO, word="DELIVERED", at=at(25))
    return [
        Webhook("shop", "order placed", shop("shop-1", HERO, at=at(0)), "awaiting_payment"),
        Webhook("stripe", "payment succeeded", paid, "paid"),
        Webhook("stripe", "payment succeeded (sent again)", paid, "paid", "duplicate"),
        Webhook("wms", "picking, with another order", _wms("PICKING", at(1), FRIEND), "picking"),
        Webhook("courier", "delivered (by a stranger)", stolen, "picking", "forged"),
        Webhook(
            "wms", "packed, with another order", _wms("PACKED", at(2), FRIEND), "ready_to_ship"
        ),
        Webhook("wms", "shipped", _wms("SHIPPED", at(3)), "shipped"),
        Webhook("wms", "picking (a scanner was offline)", _late(at(2.5)), "shipped", "late"),
        Webhook("courier", "on its way (whose is it?)", moving, "shipped", "waiting"),
        Webhook("shop", "tells the tracking number", _tracked(at(4)), "in_transit"),
        Webhook("courier", "delivered", delivered, "delivered"),
    ]


def shop(key: str, ref: str, *, at: datetime, total: str = "149.90") -> bytes:
    """The shop tells that an order was placed."""
    order = {"number": ref, "total": total, "customer": "Ada Moreau"}
    return orjson.dumps({"id": key, "at": at, "state": "PLACED", "order": order})


def warehouse(events: Sequence[Mapping[str, object]]) -> bytes:
    """The warehouse tells several things in one request."""
    return orjson.dumps({"events": events})


def courier(key: str, ref: str, *, word: str, at: datetime) -> bytes:
    """The courier tells where the parcel is, and whose the shop said it is."""
    return _scan(key, {"order_no": ref, "tracking": tracking(ref)}, word=word, at=at)


def parcel(key: str, ref: str, *, word: str, at: datetime) -> bytes:
    """The courier tells where a parcel is of which it knows nothing but its own number."""
    return _scan(key, {"tracking": tracking(ref)}, word=word, at=at)


def _scan(key: str, parcel: Mapping[str, str], *, word: str, at: datetime) -> bytes:
    return orjson.dumps({"event": key, "time": at, "code": word, "parcel": parcel})


def tracking(ref: str) -> str:
    """The courier's number of the only parcel of an order."""
    return f"TRK-{ref}"


def _tracked(at: datetime) -> bytes:
    order = {"number": HERO, "tracking": tracking(HERO)}
    return orjson.dumps({"id": "shop-2", "at": at, "state": "TRACKED", "order": order})


def _wms(word: str, at: datetime, *others: str) -> bytes:
    return warehouse(
        [
            {"id": f"wms-{word}-{ref}", "at": at, "state": word, "order": ref}
            for ref in (HERO, *others)
        ]
    )


def _late(at: datetime) -> bytes:
    return warehouse([{"id": "wms-late", "at": at, "state": "PICKING", "order": HERO}])
