"""What memory each role takes over a long run at a third of the load, and whether it grows."""

import argparse
import asyncio
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import psutil

from tests.bench import alone, driving, installation
from tests.bench.driving import ROLES, Drive, Road
from tests.bench.record import Record

MINUTES, WARM, SHARE = 30.0, 20.0, 0.3
LIMIT = 120.0
"""MiB of any role."""
FLAT = 1.05
"""The last third of a soak beside the middle one: more is growth."""
MEBI = 1024 * 1024
HOW = (
    "{rate:.0f} events/s for {minutes:.0f} min; resident memory of one process of each role, looked"
    " at {looks} times"
)


async def soaked(drive: Drive, road: Road, rate: float, seconds: float) -> dict[str, list[float]]:
    """MiB by role, at even intervals."""
    roles = {name: psutil.Process(road.roots()[name]) for name in ROLES}
    seen: dict[str, list[float]] = {name: [] for name in ROLES}
    drive.go(rate)
    ends, pause = time.monotonic() + seconds, max(1.0, seconds / 180)
    while time.monotonic() < ends:
        await asyncio.sleep(pause)
        for name, process in roles.items():
            seen[name].append(process.memory_info().rss / MEBI)
    assert await drive.left() < 2 * driving.MANY, "The road did not carry that rate."
    return seen


def own(road: Road) -> dict[str, float]:
    """MiB of each role with what it shares divided among those that share it."""
    pids = road.roots()
    return {name: psutil.Process(pids[name]).memory_full_info().pss / MEBI for name in ROLES}


def growth(seen: Sequence[float]) -> float:
    """The last third over the middle one: what a start takes is in neither."""
    third = max(1, len(seen) // 3)
    return statistics.median(seen[-third:]) / statistics.median(seen[-2 * third : -third])


def records(
    seen: Mapping[str, Sequence[float]], shares: Mapping[str, float], how: str
) -> list[Record]:
    most = [
        Record(
            f"soak.{name}",
            f"memory of a {name}",
            "MiB",
            [max(each)],
            wanted="most",
            target=LIMIT,
            how=how,
            details={"every": thinned(each), "pss": shares[name]},
        )
        for name, each in seen.items()
    ]
    flat = [
        Record(
            f"soak.{name}.growth",
            f"growth of a {name}'s memory",
            "last / middle third",
            [growth(each)],
            wanted="most",
            target=FLAT,
            how=how,
        )
        for name, each in seen.items()
    ]
    return most + flat


def thinned(seen: Sequence[float], points: int = 30) -> list[float]:
    return [round(each, 1) for each in seen[:: max(1, len(seen) // points)]]


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with installation.opened() as made:
        assert made.rabbit, "There is no RabbitMQ."
        machine = await installation.machine(made)
        road = await driving.ours(made)
        async with driving.driving(road, "soak") as drive:
            rate = words.rate
            if not rate:
                found = await drive.flat_out(warm=words.warm, seconds=words.warm)
                rate = SHARE * found.rate
            seen = await soaked(drive, road, rate, words.minutes * 60)
            await drive.through()
            shares = own(road)
    looks = len(seen["gateway"])
    how = HOW.format(rate=rate, minutes=words.minutes, looks=looks)
    return records(seen, shares, how), machine


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the memory of each role over time.")
    parser.add_argument("--minutes", type=float, default=MINUTES)
    parser.add_argument("--warm", type=float, default=WARM)
    parser.add_argument("--rate", type=float, help="events a second; usually 30 %% of the most")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
