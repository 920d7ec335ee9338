"""A burst of orders: a number and the configured sources in, webhooks and their result out."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from service.sandbox import story
from service.sandbox.senders import Occasion, sample
from service.settings import Source

GROUP = 20
"""Orders of a group: five of each sender; the warehouse tells of its five in one request."""
FIFTH = GROUP // 4


@dataclass(frozen=True, slots=True)
class Shot:
    """One request of the burst."""

    source: str
    body: bytes
    orders: Mapping[str, str]
    """Order and the status that must come of it."""
    twice: bool = False


def load(sources: Mapping[str, Source], *, orders: int, begin: datetime) -> list[Shot]:
    """Webhooks of all senders, mixed; the first of each group is sent twice."""
    shots: list[Shot] = []
    for group in range(math.ceil(orders / GROUP)):
        first = group * GROUP + 1
        refs = [f"B-{n:04}" for n in range(first, min(first + GROUP, orders + 1))]
        at = begin + timedelta(seconds=group)
        shots += _group(sources, refs, group=group, at=at)
    return shots


def expected(shots: Iterable[Shot]) -> dict[str, str]:
    """Order and status for the whole burst."""
    return {ref: status for shot in shots for ref, status in shot.orders.items()}


def percentile(values: Sequence[float], share: float) -> float:
    """The nearest-rank percentile; NaN of nothing."""
    if not values:
        return math.nan
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)]


def _group(
    sources: Mapping[str, Source], refs: Sequence[str], *, group: int, at: datetime
) -> list[Shot]:
    parts = [refs[start : start + FIFTH] for start in range(0, GROUP, FIFTH)]
    placed, paid, stocked, sent = parts
    odd = group % 2 == 1
    return [
        *(_shop(ref, at=at, twice=ref == refs[0]) for ref in placed),
        *(_stripe(sources["stripe"], ref, at=at) for ref in paid),
        *([_wms(stocked, packed=odd, at=at)] if stocked else []),
        *(_courier(ref, delivered=odd, at=at) for ref in sent),
    ]


def _shop(ref: str, *, at: datetime, twice: bool) -> Shot:
    body = story.shop(f"shop-{ref}", ref, at=at, total=f"{20 + int(ref[2:]) % 180}.50")
    return Shot("shop", body, {ref: "awaiting_payment"}, twice)


def _stripe(source: Source, ref: str, *, at: datetime) -> Shot:
    body = sample(source, "paid", Occasion(ref, at, key=f"evt_{ref}"))
    return Shot("stripe", body, {ref: "paid"})


def _wms(refs: Sequence[str], *, packed: bool, at: datetime) -> Shot:
    word, status = ("PACKED", "ready_to_ship") if packed else ("PICKING", "picking")
    events = [{"id": f"wms-{ref}", "at": at, "state": word, "order": ref} for ref in refs]
    return Shot("wms", story.warehouse(events), dict.fromkeys(refs, status))


def _courier(ref: str, *, delivered: bool, at: datetime) -> Shot:
    word, status = ("DELIVERED", "delivered") if delivered else ("TRANSIT", "in_transit")
    body = story.courier(f"courier-{ref}", ref, word=word, at=at)
    return Shot("courier", body, {ref: status})
