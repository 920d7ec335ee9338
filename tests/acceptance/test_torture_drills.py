"""The short form of each drill: what it is about holds; how fast, only the full form can tell."""

import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from tests import servers
from tests.torture import sitting
from tests.torture.drills import outcome, postgres_away, rolling_restarts, wiped_broker
from tests.torture.drills.outcome import Outcome
from tests.torture.report import Record

pytestmark = [
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.timeout(400),
]


async def held(drill: Callable[[Path], Awaitable[Outcome]]) -> Record:
    if sys.platform != "linux" or not isinstance(servers.find_broker(), Path):
        pytest.skip("It needs Linux, and a RabbitMQ of its own that is no container.")
    async with sitting.folder() as folder:
        one = outcome.record(await drill(folder))
    print(outcome.page(one))  # noqa: T201
    return one


async def test_while_postgresql_is_stopped_every_request_is_spooled_and_comes_home() -> None:
    wish = postgres_away.Wish(minutes=8 / 60, rate=60.0)
    one = await held(lambda folder: postgres_away.run(wish, folder))
    assert [] == outcome.broken(one)


async def test_gateways_and_workers_are_restarted_and_no_sender_is_cut_off() -> None:
    wish = rolling_restarts.Wish(times=4, rate=60.0)
    one = await held(lambda folder: rolling_restarts.run(wish, folder))
    assert [] == outcome.broken(one)


async def test_a_broker_that_forgets_everything_costs_no_event() -> None:
    wish = wiped_broker.Wish(events=1_500, rate=300.0)
    one = await held(lambda folder: wiped_broker.run(wish, folder))
    assert [] == outcome.broken(one)
