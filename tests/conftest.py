"""Fixtures that bring real servers, and the accounting of tests that are left out without one."""

import asyncio
import os
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aio_pika
import pytest
import structlog
from hypothesis import HealthCheck, settings

from service.broker.topology import Topology
from service.store import migrate
from tests import servers
from tests.rabbitmq import Rabbit

# Hypothesis judges what is right here, not how fast a busy machine is; a change is judged by the
# same examples on every run, and at a developer's desk by new ones.
settings.register_profile(
    "orderhook",
    deadline=None,
    derandomize=bool(os.environ.get("CI")),
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("orderhook")

TEMPLATE = "template_orderhook"
LEFT_OUT = pytest.StashKey[dict[str, int]]()
NO_BROKER = pytest.StashKey[bool]()
ORIGIN = pytest.StashKey[Path | str]()


def pytest_runtest_teardown() -> None:
    """Undo what a command run in this process did to the logging of all tests after it."""
    structlog.reset_defaults()


@pytest.fixture(scope="session")
def postgres() -> Iterator[servers.Postgres]:
    with servers.postgres() as server:
        yield server


@pytest.fixture(scope="session")
def postgres_dsn(postgres: servers.Postgres) -> str:
    """The DSN of an empty database on a real server; shared, so make your own tables."""
    return postgres.dsn


@pytest.fixture(scope="session")
def template(postgres: servers.Postgres) -> str:
    postgres.execute(f"CREATE DATABASE {TEMPLATE}")
    postgres.call(migrate.upgrade(postgres.database(TEMPLATE)))
    return TEMPLATE


@pytest.fixture
def database(postgres: servers.Postgres, template: str) -> Iterator[str]:
    """The DSN of a database of the test's own, with the schema of this release."""
    name = f"test_{secrets.token_hex(6)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    yield postgres.database(name)
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def _rabbit(pytestconfig: pytest.Config) -> Iterator[Rabbit]:
    with servers.rabbit(pytestconfig.stash[ORIGIN]) as server:
        yield server


@pytest.fixture(scope="session")
def amqp_url(request: pytest.FixtureRequest) -> str:
    """The URL of a real RabbitMQ: $AMQP_URL, else a private one; shared, so use your prefix."""
    if url := os.environ.get("AMQP_URL"):
        return url
    server: Rabbit = request.getfixturevalue("_rabbit")
    return server.url


@pytest.fixture
def rabbit(_rabbit: Rabbit) -> Iterator[Rabbit]:
    """The private RabbitMQ itself, to be stopped and killed; it runs again for the next test."""
    _rabbit.start()
    yield _rabbit
    _rabbit.start()


@pytest.fixture
def topology_prefix(request: pytest.FixtureRequest) -> Iterator[str]:
    """A prefix of the test's own for exchanges and queues; those are deleted afterwards."""
    prefix = f"test-{secrets.token_hex(6)}"
    yield prefix
    if "amqp_url" in request.fixturenames:
        asyncio.run(_delete(request.getfixturevalue("amqp_url"), Topology(prefix)))


async def _delete(url: str, topology: Topology) -> None:
    async with asyncio.timeout(20), await aio_pika.connect(url) as connection:
        channel = await connection.channel()
        for queue in topology.queues:
            await channel.queue_delete(queue.name)
        for exchange in topology.exchanges:
            await channel.exchange_delete(exchange)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what was asked to be left out, and find RabbitMQ before the first test runs."""
    left_out: dict[str, int] = config.stash.setdefault(LEFT_OUT, {})
    if os.environ.get("BROKER") == "none":
        _leave_out(config, items, of=_needs_broker, because="BROKER=none", into=left_out)
    elif os.environ.get("AMQP_URL"):
        because = "AMQP_URL is a server that tests must not kill"
        _leave_out(config, items, of=_kills_broker, because=because, into=left_out)
    elif any(map(_needs_broker, items)) and not config.option.collectonly:
        origin = servers.find_broker()
        if origin is not None:
            config.stash[ORIGIN] = origin
        elif hasattr(
            config, "workeroutput"
        ):  # a worker of xdist cannot end the run, its parent can
            config.stash[NO_BROKER] = True
            items.clear()
        else:
            pytest.exit(servers.NO_BROKER, returncode=3)


def _needs_broker(item: pytest.Item) -> bool:
    return (
        item.get_closest_marker("rabbitmq") is not None
        or "amqp_url" in getattr(item, "fixturenames", ())
        or _kills_broker(item)
    )


def _kills_broker(item: pytest.Item) -> bool:
    return "rabbit" in getattr(item, "fixturenames", ())


def _leave_out(config: pytest.Config, items: list[pytest.Item], **how: Any) -> None:
    gone = [item for item in items if how["of"](item)]
    if gone:
        how["into"][how["because"]] = len(gone)
        config.hook.pytest_deselected(items=gone)
        items[:] = [item for item in items if item not in gone]


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if hasattr(config, "workeroutput"):
        config.workeroutput["left_out"] = config.stash.get(LEFT_OUT, {})
        config.workeroutput["no_broker"] = config.stash.get(NO_BROKER, False)
    elif config.stash.get(NO_BROKER, False):
        session.exitstatus = 3


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """Hear from a worker of xdist what it left out; every worker collects the same tests."""
    output = getattr(node, "workeroutput", {})
    node.config.stash.setdefault(LEFT_OUT, {}).update(output.get("left_out", {}))
    node.config.stash[NO_BROKER] = output.get("no_broker", False)


def pytest_terminal_summary(
    terminalreporter: pytest.TerminalReporter, config: pytest.Config
) -> None:
    for because, count in config.stash.get(LEFT_OUT, {}).items():
        terminalreporter.write_line(f"{count} tests were left out: {because}.", yellow=True)
    if config.stash.get(NO_BROKER, False):
        terminalreporter.write_line(servers.NO_BROKER, red=True)
