"""Counts of the last hour: strides with counts go in, a row of figures to be drawn comes out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

STRIDE = 30
"""Seconds that one figure stands for."""
STRIDES = 120
RECENT = 2
"""The last whole strides, which the present speed is told from."""


@dataclass(slots=True)
class Hour:
    """By name, and within it by stride: the number of the stride since 1970."""

    counts: dict[str, dict[int, int]] = field(default_factory=dict)

    def replace(self, since: int, news: Iterable[tuple[str, int, int]]) -> None:
        """Forget everything from a stride on, for what is known of it now."""
        for strides in self.counts.values():
            for stride in [known for known in strides if known >= since]:
                del strides[stride]
        for name, stride, count in news:
            if stride >= since and count:
                self.counts.setdefault(name, {})[stride] = count

    def forget(self, now: int) -> None:
        """What is older than an hour."""
        for name, strides in list(self.counts.items()):
            for stride in [known for known in strides if known <= now - STRIDES]:
                del strides[stride]
            if not strides:
                del self.counts[name]

    def row(self, now: int, name: str | None = None) -> Sequence[int]:
        """Oldest first, the stride that has just begun last; of all names together without one."""
        chosen = self.counts.values() if name is None else [self.counts.get(name, {})]
        return [
            sum(strides.get(stride, 0) for strides in chosen)
            for stride in range(now - STRIDES + 1, now + 1)
        ]


def stride_of(moment: float) -> int:
    return int(moment // STRIDE)


def speed(row: Sequence[int], *, into: float) -> float:
    """How many a second lately; `into` seconds of the last stride are over."""
    return sum(row[-RECENT - 1 :]) / (RECENT * STRIDE + into)
