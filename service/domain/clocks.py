"""Two clocks: what one showed while the other was read goes in, their distance comes out."""

from dataclasses import dataclass

DRIFT = 5e-4
"""Seconds by which two clocks may part in a second, while one of them is being set right."""


@dataclass(frozen=True, slots=True)
class Offset:
    """The other clock is ahead of ours by something between two bounds."""

    least: float
    most: float
    at: float
    """By our clock: when that was known."""

    @property
    def error(self) -> float:
        return self.most - self.least

    def ours(self, theirs: float) -> float:
        """The latest moment by our clock at which theirs shows that."""
        return theirs - self.least


def read(known: Offset | None, *, before: float, theirs: float, after: float) -> Offset:
    """What is known once theirs was read at some moment between two of ours."""
    new = Offset(theirs - after, theirs - before, after)
    if known is None:
        return new
    spread = (after - known.at) * DRIFT
    least, most = max(new.least, known.least - spread), min(new.most, known.most + spread)
    # They do not meet when a clock was set: only the new reading counts.
    return Offset(least, most, after) if least <= most else new
