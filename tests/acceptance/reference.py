"""The law once more, written from its words: statements of one order in, lanes and status out.

Nothing of the service is used here, so that the checker does not repeat a mistake of the service.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

ANY = "any"
HIGHER = "higher"

STATUSES: Mapping[str, Mapping[str, tuple[int, str]]] = {
    "payment": {
        "awaiting_payment": (10, ANY),
        "authorized": (20, ANY),
        "failed": (25, ANY),
        "cancelled": (27, "authorized paid"),
        "paid": (30, "partially_refunded chargeback refunded"),
        "partially_refunded": (40, "chargeback refunded"),
        "chargeback": (45, "paid refunded"),
        "refunded": (50, "chargeback"),
    },
    "fulfillment": {
        "new": (10, HIGHER),
        "picking": (20, HIGHER),
        "packed": (30, HIGHER),
        "partially_shipped": (35, HIGHER),
        "shipped": (40, HIGHER),
        "cancelled": (60, "picking packed shipped"),
        "returned_to_stock": (70, ""),
    },
    "delivery": {
        "label_created": (10, ANY),
        "picked_up": (20, ANY),
        "in_transit": (30, ANY),
        "ready_for_pickup": (40, ANY),
        "out_for_delivery": (45, ANY),
        "delivery_failed": (50, ANY),
        "returning": (60, "in_transit lost returned_to_sender"),
        "lost": (80, ANY),
        "delivered": (90, "returning returned_to_sender"),
        "returned_to_sender": (95, ""),
    },
}


@dataclass(frozen=True, slots=True)
class Said:
    """One statement about an order, with the key its sender gave it."""

    source: str
    key: str
    ref: str
    lane: str
    status: str
    at: datetime | None

    @property
    def rank(self) -> int:
        return STATUSES[self.lane][self.status][0]


def lanes(events: Iterable[Said]) -> dict[str, str]:
    """Where the walk ends, lane by lane."""
    once = {(said.source, said.key): said for said in events}.values()
    timed = [(said.at, said.rank, said.source, said.key, said) for said in once if said.at]
    untimed = [(said.rank, said.source, said.key, said) for said in once if not said.at]
    now: dict[str, str] = {}
    for *_, said in sorted(timed, key=lambda row: row[:4]):
        if said.lane not in now or _may_follow(said.lane, now[said.lane], said.status):
            now[said.lane] = said.status
    for *_, said in sorted(untimed, key=lambda row: row[:3]):
        if said.lane not in now or _may_rise(said.lane, now[said.lane], said.status):
            now[said.lane] = said.status
    return now


def _may_follow(lane: str, current: str, wanted: str) -> bool:
    rank, exits = STATUSES[lane][current]
    match exits:
        case "any":
            return True
        case "higher":
            return STATUSES[lane][wanted][0] > rank
        case _:
            return wanted in exits.split()


def _may_rise(lane: str, current: str, wanted: str) -> bool:
    rises = STATUSES[lane][wanted][0] > STATUSES[lane][current][0]
    return rises and _may_follow(lane, current, wanted)


def overall(now: Mapping[str, str]) -> str:
    """The first line that fits."""
    payment, fulfillment = now.get("payment", ""), now.get("fulfillment", "")
    delivery = now.get("delivery", "")
    left = fulfillment in {"partially_shipped", "shipped"} or delivery not in {"", "label_created"}
    table = (
        (payment in {"chargeback", "refunded"}, "refunded"),
        (delivery == "returned_to_sender" or fulfillment == "returned_to_stock", "returned"),
        (delivery == "returning", "returning"),
        (fulfillment == "cancelled" and not left, "cancelled"),
        (delivery in {"lost", "delivery_failed"}, "delivery_problem"),
        (delivery == "delivered", "delivered"),
        (delivery in {"out_for_delivery", "ready_for_pickup"}, delivery),
        (delivery in {"picked_up", "in_transit"}, "in_transit"),
        (fulfillment in {"shipped", "partially_shipped"}, "shipped"),
        (payment in {"failed", "cancelled"}, "payment_failed"),
        (fulfillment == "packed", "ready_to_ship"),
        (fulfillment == "picking", "picking"),
        (payment in {"paid", "partially_refunded"}, "paid"),
        (payment in {"awaiting_payment", "authorized"}, "awaiting_payment"),
    )
    return next((status for fits, status in table if fits), "new")
