"""How many were done at which moment in, a rate out."""

from collections.abc import Mapping
from datetime import datetime


def rate(done: Mapping[datetime, int]) -> float:
    """A second, from the first moment to the last: what the last one took was done after it."""
    first, last = min(done), max(done)
    assert first < last, "All was done at once: owe more."
    return (sum(done.values()) - done[last]) / (last - first).total_seconds()
