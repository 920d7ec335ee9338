"""How fast a hundred thousand events that piled up are carried away, beside the steady speed.

The steady speed is what the whole road sustains while webhooks come. Then the relay and the worker
are ended, a backlog is accepted, both are started again, and nothing more comes.
"""

import argparse
import asyncio
import time
from typing import Any

from tests.bench import alone, driving, figures, installation, load, sending
from tests.bench.driving import OWED, Road
from tests.bench.installation import Installation
from tests.bench.record import Record

EVENTS, WARM, SECONDS, ROUNDS = 100_000, 20.0, 30.0, 1
SETTLED = 0.05
"""The share of the backlog at either end that is not timed: starting up, and running dry."""
PATIENCE = 1800.0
HOW = (
    "{events:,} events of 5,000 orders at a time, accepted with relay and worker down; from 5 % to"
    " 95 % carried away, CRM calls included; beside the steady speed of the same run"
)


async def steady(road: Road, name: str, words: argparse.Namespace) -> float:
    async with driving.driving(road, name) as drive:
        found = await drive.flat_out(warm=words.warm, seconds=words.seconds)
        await drive.through()
    assert not found.grew, found
    return found.rate


async def drained(made: Installation, name: str, events: int) -> float:
    """Events a second in the middle of the way down."""
    for role in ("relay", "worker"):
        await made.roles[role].program.end()
    file = made.folder / "requests"
    load.write(file, load.webhooks(name, events))
    gateway = made.roles["gateway"]
    await sending.send(gateway.public, file)
    await figures.settled(gateway.internal)
    await asyncio.gather(made.run("relay"), made.run("worker"))
    return await _middle(made, events)


async def _middle(made: Installation, events: int) -> float:
    seen: list[tuple[float, int]] = []
    async with asyncio.timeout(PATIENCE), made.session() as connection:
        while not seen or seen[-1][1]:
            left = await connection.fetchval(OWED, timeout=20)
            seen.append((time.monotonic(), left))
            await asyncio.sleep(0.25)
    return speed(seen, events)


def speed(seen: list[tuple[float, int]], events: int) -> float:
    """Of the looks between 95 % and 5 % left."""
    high, low = events * (1 - SETTLED), events * SETTLED
    inside = [(at, left) for at, left in seen if low <= left <= high]
    assert len(inside) > 1, "It was gone between two looks: pile up more."
    (began, most), (ended, least) = inside[0], inside[-1]
    return (most - least) / (ended - began)


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with installation.opened() as made:
        assert made.rabbit, "There is no RabbitMQ."
        machine = await installation.machine(made)
        road = await driving.ours(made)
        base, ours = [], []
        for number in range(words.rounds):
            base.append(await steady(road, f"s{number}", words))
            ours.append(await drained(made, f"b{number}", words.events))
            print(f"{number + 1:4}  steady {base[-1]:.0f}/s, drained {ours[-1]:.0f}/s", flush=True)
    how = HOW.format(events=words.events)
    title = "backlog drained / steady speed"
    return [Record("backlog.rate", title, "events/s", ours, base, target=0.95, how=how)], machine


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how fast a backlog is carried away.")
    parser.add_argument("--events", type=int, default=EVENTS)
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    parser.add_argument("--warm", type=float, default=WARM)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="at the steady speed")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
