"""Everything the road raises, named by what happens next.

OrderhookError
├── ConfigurationError      the operator mends orderhook.toml; exit 2
├── DependencyUnavailable   PostgreSQL or RabbitMQ cannot be reached; wait, or exit 3
│   ├── StoreUnavailable    PostgreSQL: the sender gets 503, work is tried again
│   └── BrokerUnavailable   RabbitMQ: entries stay owed in the outbox
├── DataRejected            PostgreSQL refuses the value itself; bisect, then quarantine
├── Conflict                another process already does this; one clear sentence, exit 3
├── NotFound                there is no such thing; exit 1
├── Declined                what stands already forbids it; 409, exit 1
└── Misnamed                a word that does not exist here; 400, exit 2
"""


class OrderhookError(Exception):
    """Base of all errors that carry a sentence for people."""


class ConfigurationError(OrderhookError):
    """The configuration cannot be used as it stands."""


class DependencyUnavailable(OrderhookError):
    """An outside system cannot be reached now."""


class StoreUnavailable(DependencyUnavailable):
    """PostgreSQL cannot answer now; nothing is known about the last commit."""


class BrokerUnavailable(DependencyUnavailable):
    """RabbitMQ did not confirm; the message may or may not be in the queue."""


class DataRejected(OrderhookError):
    """PostgreSQL refuses a value (SQLSTATE 22, 23, 54), or it cannot be encoded."""


class Conflict(OrderhookError):
    """Another process holds what this one needs."""


class NotFound(OrderhookError):
    """What was asked for does not exist."""


class Declined(OrderhookError):
    """What was asked for contradicts what stands already; nothing was changed."""


class Misnamed(OrderhookError):
    """What was asked for uses a word that does not exist; the sentence names those that do."""
