"""The stage that acceptance tests play on: a database, broker names and processes of their own."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from service.broker import rabbitmq
from service.broker.topology import Topology
from tests.acceptance.stage import Stage


@pytest.fixture
def bare_stage(
    tmp_path: Path, database: str, amqp_url: str, topology_prefix: str
) -> Iterator[Stage]:
    """A configuration and nothing else: no process, nothing declared in RabbitMQ."""
    stage = Stage(tmp_path, database, amqp_url, topology_prefix)
    stage.configure()
    yield stage
    stage.close()
    assert [] == stage.surprises()


@pytest.fixture
def stage(bare_stage: Stage) -> Stage:
    """A stage whose queues are declared; too young to outlive a kill of RabbitMQ."""
    asyncio.run(rabbitmq.declare(bare_stage.broker, Topology(bare_stage.prefix), settle=0.0))
    return bare_stage
