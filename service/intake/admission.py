"""Who may post and how fast: a peer or a moment in, yes, no or how long to wait out."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address


def is_allowed(peer: str, networks: Iterable[IPv4Network | IPv6Network]) -> bool:
    """Whether the peer's address lies in one of the networks; without networks, whether at all."""
    listed = tuple(networks)
    if not listed:
        return True
    try:
        address = ip_address(peer)
    except ValueError:
        return False
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return any((mapped or address) in network for network in listed)


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one source may send: how much, how much at a time, and whether without a length."""

    max_body: int = 256 * 1024
    concurrency: int = 1000
    chunked: bool = False


@dataclass(slots=True)
class Bucket:
    """A token bucket that holds what one second grants."""

    rate: int
    tokens: float
    filled_at: datetime

    def take(self, now: datetime) -> float:
        """Take one token; else the seconds until there is one."""
        # A clock set back grants nothing, and must not take away either.
        passed = max(0.0, (now - self.filled_at).total_seconds())
        self.tokens = min(float(self.rate), self.tokens + passed * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            return (1 - self.tokens) / self.rate
        self.tokens -= 1
        return 0.0


class Rates:
    """The buckets of all sources that have a rate; in this process alone."""

    def __init__(self) -> None:
        self._buckets: dict[str, Bucket] = {}

    def wait(self, source: str, rate: int, now: datetime) -> float:
        """How many seconds this request should come later; 0 takes it."""
        if not rate:
            return 0.0
        bucket = self._buckets.get(source)
        if bucket is None or bucket.rate != rate:
            bucket = self._buckets[source] = Bucket(rate, float(rate), now)
        return bucket.take(now)
