"""What orderhook owns in the broker: a prefix in, names and arguments out."""

from collections.abc import Mapping
from dataclasses import dataclass

QUORUM = {"x-queue-type": "quorum", "x-overflow": "reject-publish"}
NEVER_DROP = 1_000_000
"""RabbitMQ 4 drops after 20 deliveries where no limit is set, 3.10 knows no word for "no limit"."""


@dataclass(frozen=True, slots=True)
class Queue:
    """One durable quorum queue, bound to `exchange` under its own name."""

    name: str
    exchange: str
    arguments: Mapping[str, str | int]


@dataclass(frozen=True, slots=True)
class Topology:
    """Several installations share a virtual host by different prefixes.

    The arguments cannot change while a queue exists: they are few and hold on RabbitMQ 3.10 to 4.x.
    """

    prefix: str = "orderhook"
    delivery_limit: int = 5
    """Returns a message survives; one more moves it to `dead`."""
    max_length: int = 100_000
    """Above it publishes are refused and the entries stay owed in the outbox."""

    @property
    def exchange(self) -> str:
        return self.prefix

    @property
    def dead_exchange(self) -> str:
        return f"{self.prefix}.dead"

    @property
    def work(self) -> str:
        return f"{self.prefix}.work"

    @property
    def dead(self) -> str:
        return f"{self.prefix}.dead"

    @property
    def exchanges(self) -> tuple[str, ...]:
        return (self.dead_exchange, self.exchange)

    @property
    def queues(self) -> tuple[Queue, ...]:
        """In the order of declaration: a dead-letter target exists before anything can need it."""
        return (self._dead_queue(), self._work_queue())

    def _dead_queue(self) -> Queue:
        limits = {"x-delivery-limit": NEVER_DROP, "x-max-length": self.max_length}
        return Queue(self.dead, exchange=self.dead_exchange, arguments={**QUORUM, **limits})

    def _work_queue(self) -> Queue:
        limits = {"x-delivery-limit": self.delivery_limit, "x-max-length": self.max_length}
        dead_letters = {
            "x-dead-letter-exchange": self.dead_exchange,
            "x-dead-letter-routing-key": self.dead,
            "x-dead-letter-strategy": "at-least-once",
        }
        arguments: dict[str, str | int] = {**QUORUM, **limits, **dead_letters}
        return Queue(self.work, exchange=self.exchange, arguments=arguments)
