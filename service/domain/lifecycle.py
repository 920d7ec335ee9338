"""The lifecycles as data: lane statuses come in, one overall status goes out."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import product
from typing import Literal, assert_never


@dataclass(frozen=True, slots=True)
class Status:
    """A status of one lane; no exits means final."""

    name: str
    rank: int
    exits: frozenset[str]


@dataclass(frozen=True, slots=True)
class Settlement:
    """How sums of money move a lane: what went back, against what was paid.

    Where the lane shows `partly` and all of it went back, it shows `fully`; where a refund failed
    after all (its sum is zero now), the lane goes back to `partly` or `restored`.
    """

    returned: str
    paid: str
    partly: str
    fully: str
    restored: str


@dataclass(frozen=True, slots=True)
class Lane:
    """A strand of statuses that moves independently of the others."""

    name: str
    statuses: Mapping[str, Status]
    partly: Mapping[str, str] = field(default_factory=dict)
    """Shown while some parcels, not all, have come as far as the status it is found under."""
    backward: Mapping[str, str] = field(default_factory=dict)
    """What the status of a return parcel means for the lane; one that is not here means nothing."""
    settlement: Settlement | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """Gives `status` when every group of `when` has a name that is so, and no name of `unless` is.

    Names are `lane.status`.
    """

    when: tuple[frozenset[str], ...]
    status: str
    unless: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Alarm:
    """Flags a subject whose lanes contradict each other, under the same conditions as a Rule."""

    flag: str
    """A word for lists and metrics: `shipped_unpaid`."""
    sentence: str
    when: tuple[frozenset[str], ...]
    unless: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Lifecycle:
    """Lanes, and the rules (first match wins) that make one overall status of them."""

    name: str
    lanes: Mapping[str, Lane]
    rules: tuple[Rule, ...]
    otherwise: str
    alarms: tuple[Alarm, ...] = ()

    @property
    def overall_statuses(self) -> tuple[str, ...]:
        """Every status `overall` can answer, in the order of the rules."""
        return tuple(dict.fromkeys([*(rule.status for rule in self.rules), self.otherwise]))

    def find(self, lane: str | None, status: str | None) -> Status | None:
        """Look up `lane.status`; None when this lifecycle does not know it."""
        if lane is None or status is None or lane not in self.lanes:
            return None
        return self.lanes[lane].statuses.get(status)


def overall(lifecycle: Lifecycle, lanes: Mapping[str, str]) -> str:
    """Derive the overall status; lanes without a status are left out of `lanes`."""
    shown = {f"{lane}.{status}" for lane, status in lanes.items()}
    for rule in lifecycle.rules:
        if _holds(rule, shown):
            return rule.status
    return lifecycle.otherwise


def _holds(rule: Rule, shown: set[str]) -> bool:
    return rule.unless.isdisjoint(shown) and all(not group.isdisjoint(shown) for group in rule.when)


def validate(lifecycle: Lifecycle) -> list[str]:
    """Name every flaw of the data as a sentence; an empty list means it can be used."""
    return [*_lane_flaws(lifecycle), *_name_flaws(lifecycle), *_reach_flaws(lifecycle)]


def _lane_flaws(lifecycle: Lifecycle) -> Iterator[str]:
    for lane in lifecycle.lanes.values():
        ranks = [status.rank for status in lane.statuses.values()]
        for rank in sorted({rank for rank in ranks if ranks.count(rank) > 1}):
            yield f"lane {lane.name}: rank {rank} is used more than once"
        for status in lane.statuses.values():
            for unknown in sorted(status.exits - lane.statuses.keys()):
                yield f"lane {lane.name}: {status.name} exits to {unknown}, which it does not have"


def _name_flaws(lifecycle: Lifecycle) -> Iterator[str]:
    known = {f"{lane.name}.{name}" for lane in lifecycle.lanes.values() for name in lane.statuses}
    for number, rule in enumerate(lifecycle.rules, start=1):
        if not rule.status:
            yield f"rule {number} gives no status"
        for unknown in sorted(rule.unless.union(*rule.when) - known):
            yield f"rule {number} ({rule.status}) names {unknown}, which no lane has"
    if not lifecycle.otherwise:
        yield "the status for when no rule holds is empty"


def _reach_flaws(lifecycle: Lifecycle) -> Iterator[str]:
    """Try every combination of lane statuses: a rule that never is the first to hold is dead."""
    choices = [
        ["", *(f"{lane.name}.{name}" for name in lane.statuses)]
        for lane in lifecycle.lanes.values()
    ]
    unreached = dict(enumerate(lifecycle.rules, start=1))
    for combination in product(*choices):
        shown = set(combination)
        first = next((n for n, rule in enumerate(lifecycle.rules, 1) if _holds(rule, shown)), 0)
        unreached.pop(first, None)
    for number, rule in unreached.items():
        yield f"rule {number} ({rule.status}) can never be the first to hold"


Exits = Literal["any", "higher"] | tuple[str, ...]


def _lane(name: str, *rows: tuple[str, int, Exits]) -> Lane:
    ranks = {status: rank for status, rank, _ in rows}
    return Lane(
        name,
        {
            status: Status(status, rank, _exits(exits, ranks=ranks, status=status))
            for status, rank, exits in rows
        },
    )


def _exits(exits: Exits, *, ranks: Mapping[str, int], status: str) -> frozenset[str]:
    match exits:
        case "any":
            return frozenset(ranks) - {status}
        case "higher":
            return frozenset(name for name, rank in ranks.items() if rank > ranks[status])
        case tuple():
            return frozenset(exits)
        case _:
            assert_never(exits)


def _any(*names: str) -> frozenset[str]:
    return frozenset(names)


PAYMENT = _lane(
    "payment",
    ("awaiting_payment", 10, "any"),
    ("authorized", 20, "any"),
    ("failed", 25, "any"),
    ("cancelled", 27, ("authorized", "paid")),
    ("paid", 30, ("partially_refunded", "chargeback", "refunded")),
    ("partially_refunded", 40, ("chargeback", "refunded")),
    ("chargeback", 45, ("paid", "refunded")),
    ("refunded", 50, ("chargeback",)),
)
FULFILLMENT = _lane(
    "fulfillment",
    ("new", 10, "higher"),
    ("picking", 20, "higher"),
    ("packed", 30, "higher"),
    ("partially_shipped", 35, "higher"),
    ("shipped", 40, "higher"),
    ("cancelled", 60, ("picking", "packed", "shipped")),
    ("returned_to_stock", 70, ()),
)
DELIVERY = _lane(
    "delivery",
    ("label_created", 10, "any"),
    ("picked_up", 20, "any"),
    ("in_transit", 30, "any"),
    ("ready_for_pickup", 40, "any"),
    ("out_for_delivery", 45, "any"),
    ("delivery_failed", 50, "any"),
    ("returning", 60, ("in_transit", "lost", "returned_to_sender")),
    ("lost", 80, "any"),
    ("delivered", 90, ("returning", "returned_to_sender")),
    ("returned_to_sender", 95, ()),
)
ORDER_LANE = _lane(
    "order",
    ("new", 10, "any"),
    ("confirmed", 20, "any"),
    ("completed", 80, ("cancelled",)),
    ("cancelled", 90, ()),
)

# A label is only paper; every later word of the courier, or of the warehouse, means goods left.
SHIPPED = _any(
    "fulfillment.partially_shipped",
    "fulfillment.shipped",
    *(f"delivery.{name}" for name in DELIVERY.statuses if name != "label_created"),
)

# Part of the money went back, the order itself goes on.
PAID = _any("payment.paid", "payment.partially_refunded")

ORDER = Lifecycle(
    name="order",
    lanes={lane.name: lane for lane in (PAYMENT, FULFILLMENT, DELIVERY, ORDER_LANE)},
    rules=(
        Rule((_any("payment.chargeback", "payment.refunded"),), "refunded"),
        Rule((_any("delivery.returned_to_sender", "fulfillment.returned_to_stock"),), "returned"),
        Rule((_any("delivery.returning"),), "returning"),
        Rule((_any("order.cancelled", "fulfillment.cancelled"),), "cancelled", unless=SHIPPED),
        Rule((_any("delivery.lost", "delivery.delivery_failed"),), "delivery_problem"),
        Rule((_any("order.completed"),), "completed"),
        Rule((_any("delivery.delivered"),), "delivered"),
        Rule((_any("delivery.out_for_delivery"),), "out_for_delivery"),
        Rule((_any("delivery.ready_for_pickup"),), "ready_for_pickup"),
        Rule((_any("delivery.picked_up", "delivery.in_transit"),), "in_transit"),
        Rule((_any("fulfillment.shipped", "fulfillment.partially_shipped"),), "shipped"),
        Rule((_any("payment.failed", "payment.cancelled"),), "payment_failed"),
        Rule((_any("fulfillment.packed"),), "ready_to_ship"),
        Rule((_any("fulfillment.picking"),), "picking"),
        Rule((_any("order.confirmed"), PAID), "processing"),
        Rule((PAID,), "paid"),
        Rule((_any("payment.awaiting_payment", "payment.authorized"),), "awaiting_payment"),
    ),
    otherwise="new",
)

LIFECYCLES: Mapping[str, Lifecycle] = {"order": ORDER}
