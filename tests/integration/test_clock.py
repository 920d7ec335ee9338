"""The clock on a real PostgreSQL: whatever the machine's own says, what is signed is signed now."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from structlog.testing import capture_logs

from service.store import pool
from service.store.clock import AGREE, Clock
from service.store.pool import Pool

pytestmark = pytest.mark.postgres

SOON = timedelta(seconds=5)
START = datetime(2020, 2, 29, tzinfo=UTC)
"""What a machine believes whose battery is empty."""


class Machine:
    def __init__(self) -> None:
        self.wall = START
        self.count = 100.0

    def sleeps(self, seconds: float, *, counting: bool = True) -> None:
        self.wall += timedelta(seconds=seconds)
        self.count += seconds if counting else 0.0


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=1) as opened:
        yield opened


@pytest.fixture
def machine() -> Machine:
    return Machine()


@pytest.fixture
def clock(db: Pool, machine: Machine) -> Clock:
    return Clock(db, wall=lambda: machine.wall, elapsed=lambda: machine.count)


def _is_now(moment: datetime) -> bool:
    return abs(moment - datetime.now(UTC)) < SOON


async def test_before_anybody_was_asked_it_is_the_machines_own(clock: Clock) -> None:
    assert clock() == START


async def test_a_machine_that_is_years_behind_is_put_right_and_told_of_once(clock: Clock) -> None:
    with capture_logs() as said:
        await clock.ask()
        await clock.ask()
    assert _is_now(clock())
    assert ["clock_wrong"] == [line["event"] for line in said]


async def test_time_goes_on_between_two_questions(clock: Clock, machine: Machine) -> None:
    await clock.ask()
    before = clock()
    machine.sleeps(10)
    assert timedelta(seconds=10) == clock() - before


@pytest.mark.parametrize("jump", [timedelta(hours=1), timedelta(hours=-1), -2 * AGREE])
async def test_a_clock_that_is_set_meanwhile_changes_nothing(
    clock: Clock, machine: Machine, jump: timedelta
) -> None:
    await clock.ask()
    machine.wall += jump
    assert _is_now(clock())


async def test_after_a_sleep_that_was_not_counted_it_asks_at_once(
    clock: Clock, machine: Machine
) -> None:
    await clock.ask()
    assert not clock.in_doubt
    machine.sleeps(3600, counting=False)
    clock()
    assert clock.in_doubt
    await clock.ask()
    assert not clock.in_doubt
