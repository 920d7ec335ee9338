"""The whole road into a CRM that takes fifty records a request, beside the naive pipeline.

The CRM is the simulated Bitrix24 in a process of its own, as a portal of one's own: without a limit
of requests. The naive pipeline is that of tests/bench/road.py: one call an event, to a
CRM that does nothing but count.
"""

import argparse
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from typing import Any

import uvloop

from service.sandbox.dialects.bitrix24 import WEBHOOK
from tests import ceilings
from tests.bench import driving, installation, load, record, road
from tests.bench.driving import Road, Stretch
from tests.bench.installation import Installation
from tests.bench.record import Record
from tests.ceilings import Simulator

PAIRS, WARM, SECONDS = 3, 20.0, 60.0
A_TURN = 50_000
"""Orders that lie ready in the CRM for each turn."""
MOST = 1000
"""Requests a second that the CRM would take."""
# The simulated portal has five stages, and each status needs one of its own to be written.
CRM = """
[destinations.crm]
crm = "bitrix24"
url = "{url}"
token = "env:BITRIX_TOKEN"
options = {{ edition = "box" }}
[destinations.crm.statuses]
new = "NEW"
awaiting_payment = "PREPARATION"
paid = "FINAL_INVOICE"
ready_to_ship = "LOSE"
shipped = "WON"
[[routes]]
destinations = ["crm"]
"""
HOW = (
    "{seconds:.0f} s a turn after {warm:.0f} s to find the rate; a simulated Bitrix24 of 50 records"
    " a request without a limit of requests, beside one call an event"
)


async def ours(made: Installation, simulated: Simulator) -> Road:
    made.more_environ["BITRIX_TOKEN"] = WEBHOOK
    made.configure(more=CRM.format(url=simulated.table["url"]))
    return await driving.standing(made, _calls(simulated), {})


def _calls(simulated: Simulator) -> Callable[[], Awaitable[int]]:
    async def calls() -> int:
        return (await simulated.count()).calls

    return calls


async def turn(place: Road, number: int, words: argparse.Namespace, rate: float) -> Stretch:
    first = number * A_TURN
    async with driving.driving(place, f"b{number}", numbered=first) as drive:
        found = await drive.flat_out(warm=words.warm, seconds=words.seconds, rate=rate)
        await drive.through()
        used = drive.answered // len(load.STORY) + load.ACTIVE
    assert used < A_TURN, "There were not enough orders in the CRM for so many events."
    return found


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with installation.opened() as made:
        assert made.rabbit, "There is no RabbitMQ."
        machine = await installation.machine(made)
        with ExitStack() as stack:
            orders = words.pairs * A_TURN
            simulated = stack.enter_context(ceilings.simulator("bitrix24", orders, rate=MOST))
            places = await driving.naive(made), await ours(made, simulated)
            pairs: list[tuple[Stretch, Stretch]] = []
            rates = [driving.FIRST, driving.FIRST]
            for number in range(words.pairs):
                found = []
                for side, place in enumerate(places):
                    stretch = await turn(place, number, words, rates[side])
                    assert not stretch.grew, (place.name, stretch)
                    rates[side] = stretch.rate * 0.8
                    found.append(stretch)
                pairs.append((found[0], found[1]))
                road.show(number + 1, *pairs[-1])
    how = HOW.format(seconds=words.seconds, warm=words.warm)
    return records(pairs, how), machine


def records(pairs: list[tuple[Stretch, Stretch]], how: str) -> list[Record]:
    base, ours = ([pair[side] for pair in pairs] for side in (0, 1))
    return [
        Record(
            "road.batch",
            "whole road with a batch CRM / naive",
            "events/s",
            [one.rate for one in ours],
            [one.rate for one in base],
            target=2.0,
            how=how,
            details={
                "cpu_us": road.each(ours),
                "events_a_call": [one.events / max(1, one.calls) for one in ours],
            },
        )
    ]


def main() -> None:
    found, machine = uvloop.run(measured(road.options().parse_args()))
    print(f"\n{record.table(found)}\n{machine}")


if __name__ == "__main__":
    main()
