"""How long it takes from a webhook to the CRM at a third of the load, the CRM's own time apart.

Every event is about an order of its own. It is timed from the moment its request was due to the
moment the CRM had the call in hand, by the clock that all processes of the machine share.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tests.bench import alone, driving, installation
from tests.bench.driving import Road
from tests.bench.installation import Running
from tests.bench.record import Record

TURNS, WARM, SECONDS, SHARE = 5, 20.0, 20.0, 0.3
EACH_ITS_OWN = 10**9
"""Orders at a time: so many that none tells a second step."""
HOW = (
    "{rate:.0f} events/s, {share:.0%} of what the road sustains, {seconds:.0f} s a turn; every"
    " event about an order of its own; the CRM answers at once"
)


async def most(road: Road, words: argparse.Namespace) -> float:
    async with driving.driving(road, "most", active=EACH_ITS_OWN) as drive:
        found = await drive.flat_out(warm=words.warm, seconds=words.warm)
        await drive.through()
    return found.rate


async def turn(road: Road, crm: Running, name: str, rate: float, seconds: float) -> list[float]:
    """Milliseconds of every event of a turn, sorted."""
    async with driving.driving(road, name, active=EACH_ITS_OWN) as drive:
        await drive.steadily(rate, seconds)
        await drive.through()
        first, sent = drive.first_due, drive.answered
    return delays(await driving.arrivals(crm), name, first, rate, sent)


def delays(
    seen: Mapping[str, float], name: str, first: float, rate: float, sent: int
) -> list[float]:
    """The n-th request was due n intervals after the first; one that is missing fails."""
    return sorted(
        (seen[f"order/{name}-0-{number}"] - first - number / rate) * 1000 for number in range(sent)
    )


def records(turns: Sequence[Sequence[float]], how: str) -> list[Record]:
    def figure(name: str, share: float, target: float | None = None) -> Record:
        found = [took[min(len(took) - 1, int(len(took) * share))] for took in turns]
        return Record(
            f"delay.{name}",
            f"POST to CRM at 30 % load, {name}",
            "ms",
            found,
            wanted="most",
            target=target,
            how=how,
            details={"events": sum(map(len, turns))},
        )

    return [figure("p50", 0.5, 25.0), figure("p99", 0.99, 100.0), figure("worst", 1.0)]


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with installation.opened() as made:
        assert made.rabbit, "There is no RabbitMQ."
        machine = await installation.machine(made)
        road = await driving.ours(made)
        rate = words.rate or SHARE * await most(road, words)
        turns = []
        for number in range(1, words.turns + 1):
            turns.append(await turn(road, made.roles["crm"], f"d{number}", rate, words.seconds))
            show(number, rate, turns[-1])
    how = HOW.format(rate=rate, share=SHARE, seconds=words.seconds)
    return records(turns, how), machine


def show(number: int, rate: float, took: Sequence[float]) -> None:
    print(
        f"{number:4}  {rate:6.0f}/s  p50 {statistics.median(took):.1f}"
        f" p99 {took[int(len(took) * 0.99)]:.1f} worst {took[-1]:.0f} ms of {len(took)}",
        flush=True,
    )


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how long an event takes to the CRM.")
    parser.add_argument("--turns", type=int, default=TURNS)
    parser.add_argument("--warm", type=float, default=WARM, help="seconds to find the most, twice")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    parser.add_argument("--rate", type=float, help="events a second; usually 30 %% of the most")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
