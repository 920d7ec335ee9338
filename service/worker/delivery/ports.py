"""What a pump needs of its surroundings: whether it may call, and what that may cost."""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Protocol

from service.domain.events import Subject
from service.worker.crms.base import Answer


class Gate(Protocol):
    """Pauses and the breaker of one destination."""

    @property
    def shut(self) -> bool:
        """As far as is known: nothing new should be leased."""
        ...

    async def leases(self, most: int) -> int:
        """How many syncs may be leased now."""
        ...

    async def admits(self, most: int) -> int:
        """How many may be called about now: `most`, none, or one as a probe."""
        ...

    async def report(self, answers: Sequence[tuple[Subject, Answer]]) -> None:
        """How calls ended."""
        ...

    async def forgo(self) -> None:
        """Nothing had to be called after all."""
        ...


class Budget(Protocol):
    """The quotas of one destination."""

    async def ready(self, *, live: bool, calls: Sequence[Mapping[str, float]] = ...) -> float:
        """0.0: these calls may begin; else the seconds to wait before asking again."""
        ...

    def open_bill(self) -> list[Mapping[str, float]]:
        """What calls of this task spend from now on is noted there, call by call."""
        ...

    def rest(self, scope: str | None, after: timedelta | None) -> None:
        """An answer said that this limit, or all of them, must rest."""
        ...
