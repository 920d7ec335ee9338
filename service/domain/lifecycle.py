"""The lifecycles as data: lane statuses come in, one overall status goes out."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from hashlib import sha256


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


def fingerprint(lifecycle: Lifecycle) -> str:
    """Name all that a lifecycle says: with any change of it, another one comes out."""
    said = json.dumps(asdict(lifecycle), default=sorted, sort_keys=True)
    return sha256(said.encode()).hexdigest()[:16]


def overall(lifecycle: Lifecycle, lanes: Mapping[str, str]) -> str:
    """Derive the overall status; lanes without a status are left out of `lanes`."""
    shown = _shown(lanes)
    for rule in lifecycle.rules:
        if _holds(rule, shown):
            return rule.status
    return lifecycle.otherwise


def alarms(lifecycle: Lifecycle, lanes: Mapping[str, str]) -> list[Alarm]:
    """List every contradiction between the lanes, in the order of the lifecycle."""
    shown = _shown(lanes)
    return [alarm for alarm in lifecycle.alarms if _holds(alarm, shown)]


def _shown(lanes: Mapping[str, str]) -> set[str]:
    return {f"{lane}.{status}" for lane, status in lanes.items()}


def _holds(rule: Rule | Alarm, shown: set[str]) -> bool:
    return rule.unless.isdisjoint(shown) and all(not group.isdisjoint(shown) for group in rule.when)
