"""Settings come in; what every fold and refold goes by comes out, swapped whole on a reload."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import NamedTuple

from service.domain.lifecycle import Lifecycle, alarms, fingerprint, overall
from service.domain.lifecycles import LIFECYCLES
from service.domain.masking import USUALLY, Mask
from service.domain.routing import Route

MOST_LOOKS = 10_000
"""Combinations of lanes whose look is remembered; subjects share a few hundred."""


class Look(NamedTuple):
    """What follows from the lanes of a subject."""

    status: str
    flags: Sequence[str]


@dataclass(frozen=True, slots=True)
class Rules:
    lifecycles: Mapping[str, Lifecycle] = field(default_factory=lambda: LIFECYCLES)
    routes: Sequence[Route] = ()
    leases: Mapping[str, timedelta] = field(default_factory=dict)
    """Every configured destination, and how long a worker may hold what is owed to it."""
    deadline: timedelta = timedelta(days=7)
    """How long an event waits for its subject."""
    shut: Callable[[str], bool] = lambda _: False
    """Whether a destination is not called now: what is owed to it waits for whoever may."""
    mask: Mask = USUALLY
    """What of a subject is not shown to people."""
    _fingerprints: dict[str, str] = field(default_factory=dict, init=False, repr=False)
    _looks: dict[tuple[object, ...], Look] = field(default_factory=dict, init=False, repr=False)

    def holding(self) -> dict[str, timedelta | None]:
        """For how long whoever owes means to hold each sync; None: it holds none."""
        return {name: None if self.shut(name) else time for name, time in self.leases.items()}

    def fingerprint(self, lifecycle: str) -> str:
        """Name what the lifecycle says: a subject folded by anything else is behind."""
        if lifecycle not in self._fingerprints:
            self._fingerprints[lifecycle] = fingerprint(self.lifecycles[lifecycle])
        return self._fingerprints[lifecycle]

    def look(self, lifecycle: str, lanes: Mapping[str, str]) -> Look:
        """The overall status and the flags that these lanes, sorted by name, give a subject."""
        key = (lifecycle, *lanes.items())
        known = self._looks.get(key)
        if known is None:
            said = self.lifecycles[lifecycle]
            known = Look(overall(said, lanes), tuple(each.flag for each in alarms(said, lanes)))
            if len(self._looks) >= MOST_LOOKS:
                self._looks.clear()
            self._looks[key] = known
        return known
