"""What a broker is: it carries pointers to owed work, may forget them, and says when it is away."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Delivery:
    """One message taken from a queue; `ack` or `reject` exactly once."""

    body: bytes
    redelivered: bool
    ack: Callable[[], Awaitable[None]]
    reject: Callable[[], Awaitable[None]]
    """Give it back because this consumer failed on it; counts towards the delivery limit."""


@dataclass(frozen=True, slots=True)
class Depth:
    """What a passive look at a queue shows."""

    messages: int
    """Ready to be delivered; unacknowledged ones are not counted."""
    consumers: int


class Broker(Protocol):
    """Both implementations pass `tests/contract/test_brokers.py`."""

    @property
    def open(self) -> bool:
        """Whether publishing is likely to succeed now."""
        ...

    @property
    def trouble(self) -> str | None:
        """What is wrong now, one sentence for people; None when all is well."""
        ...

    async def wait_open(self) -> None:
        """Return once the connection is usable; raise BrokerUnavailable after `close`."""
        ...

    async def publish(self, queue: str, body: bytes) -> None:
        """Return only when the broker took responsibility; else raise BrokerUnavailable.

        A raise means "unknown", never "no": the message may be in the queue.
        """
        ...

    async def consume(
        self, queue: str, *, prefetch: int, on_delivery: Callable[[Delivery], None]
    ) -> "Subscription":
        """Call `on_delivery` for each message until cancelled; survives lost connections.

        `on_delivery` returns at once and raises nothing.
        """
        ...

    async def depth(self, queue: str) -> Depth:
        """Look at a queue without touching it; raise BrokerUnavailable when it cannot."""
        ...

    async def close(self) -> None:
        """Let go of everything; what was not acked comes again to the next consumer."""
        ...


class Subscription(Protocol):
    async def cancel(self) -> None:
        """Stop new deliveries; those handed out may still be acked."""

    async def close(self) -> None:
        """Cancel, and let go of what was not acked: it counts as rejected and comes again."""
        ...
