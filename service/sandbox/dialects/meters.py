"""How a simulated CRM counts calls against its limits: a cost at a time in, allowed or not out."""

from collections import deque


class Meter:
    """Common to both: what was used, and how often a call was refused."""

    def __init__(self) -> None:
        self.used = 0.0
        self.refused = 0

    def take(self, cost: float, *, at: float) -> float:
        """Spend; 0.0 when allowed, else the seconds after which it would be."""
        wait = self._wait(cost, at)
        if wait > 0:
            self.refused += 1
            return wait
        self._spend(cost, at)
        self.used += cost
        return 0.0

    def _wait(self, cost: float, at: float) -> float:
        raise NotImplementedError

    def _spend(self, cost: float, at: float) -> None:
        raise NotImplementedError


class Leaky(Meter):
    """A bucket that holds `size` and drains `rate` a second."""

    def __init__(self, *, rate: float, size: float) -> None:
        super().__init__()
        self.rate = rate
        self.size = size
        self._level = 0.0
        self._last = 0.0

    def _wait(self, cost: float, at: float) -> float:
        self._level = max(0.0, self._level - max(0.0, at - self._last) * self.rate)
        self._last = max(self._last, at)
        return max(0.0, (self._level + cost - self.size) / self.rate)

    def _spend(self, cost: float, at: float) -> None:  # noqa: ARG002
        self._level += cost


class Rolling(Meter):
    """At most `count` in any `seconds`."""

    def __init__(self, *, count: float, seconds: float) -> None:
        super().__init__()
        self.count = count
        self.seconds = seconds
        self._spent: deque[tuple[float, float]] = deque()
        self._sum = 0.0

    @property
    def level(self) -> float:
        """What was spent in the seconds before it was last asked."""
        return self._sum

    @property
    def oldest(self) -> float | None:
        """When the first of that was spent."""
        return self._spent[0][0] if self._spent else None

    def _wait(self, cost: float, at: float) -> float:
        while self._spent and self._spent[0][0] <= at - self.seconds:
            self._sum -= self._spent.popleft()[1]
        if self._sum + cost <= self.count or not self._spent:
            return 0.0
        return self._spent[0][0] + self.seconds - at

    def _spend(self, cost: float, at: float) -> None:
        self._spent.append((at, cost))
        self._sum += cost
