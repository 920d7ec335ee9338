"""Names and arguments of the queues: they cannot be changed once a broker has them."""

import pytest

from service.broker.topology import Topology


def test_every_name_starts_with_the_prefix() -> None:
    topology = Topology(prefix="shop")
    names = (topology.exchange, topology.dead_exchange, topology.work, topology.dead)
    assert ("shop", "shop.dead", "shop.work", "shop.dead") == names


def test_the_dead_queue_is_declared_before_the_queue_that_needs_it() -> None:
    topology = Topology()
    assert [topology.dead, topology.work] == [queue.name for queue in topology.queues]


def test_work_is_never_dropped_by_the_broker() -> None:
    """All four dead-letter arguments together or none: with one missing messages are lost."""
    topology = Topology(delivery_limit=7, max_length=9)
    work = topology.queues[1]
    expected = {
        "x-queue-type": "quorum",
        "x-overflow": "reject-publish",
        "x-delivery-limit": 7,
        "x-max-length": 9,
        "x-dead-letter-exchange": topology.dead_exchange,
        "x-dead-letter-routing-key": topology.dead,
        "x-dead-letter-strategy": "at-least-once",
    }
    assert expected == work.arguments


@pytest.mark.parametrize("queue", Topology().queues, ids=lambda queue: queue.name)
def test_every_queue_is_bounded_and_has_a_delivery_limit_of_ours(queue: object) -> None:
    arguments = getattr(queue, "arguments", {})
    assert {"x-queue-type", "x-overflow", "x-max-length", "x-delivery-limit"} <= set(arguments)
