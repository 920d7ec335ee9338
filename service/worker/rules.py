"""Settings come in; what every fold and refold goes by comes out, swapped whole on a reload."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles import LIFECYCLES
from service.domain.routing import Route


@dataclass(frozen=True, slots=True)
class Rules:
    lifecycles: Mapping[str, Lifecycle] = field(default_factory=lambda: LIFECYCLES)
    routes: Sequence[Route] = ()
    leases: Mapping[str, timedelta] = field(default_factory=dict)
    """Every configured destination, and how long a worker may hold what is owed to it."""
    deadline: timedelta = timedelta(days=7)
    """How long an event waits for its subject."""
