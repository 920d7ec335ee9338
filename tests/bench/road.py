"""What a whole road carries for a minute without a growing queue, beside the naive pipeline.

A: a gateway that verifies and publishes with a confirm, and a worker that calls the CRM once for
each event (tests/bench/naive.py). B: every role of Orderhook, from the signed request to the CRM's
answer. Both post to a CRM of the same program, over the same RabbitMQ, in turns.
"""

import argparse
import statistics
from typing import Any

from tests.bench import alone, driving, installation
from tests.bench.driving import Road, Stretch
from tests.bench.record import Record

PAIRS, WARM, SECONDS = 5, 20.0, 60.0
HOW = (
    "{seconds:.0f} s a turn after {warm:.0f} s to find the rate; bodies of 1-4 KiB of 5,000 orders"
    " at a time; one call an order; the CRM answers at once; all on one machine"
)


async def turn(road: Road, name: str, words: argparse.Namespace, rate: float) -> Stretch:
    async with driving.driving(road, name) as drive:
        found = await drive.flat_out(warm=words.warm, seconds=words.seconds, rate=rate)
        await drive.through()
    return found


def records(pairs: list[tuple[Stretch, Stretch]], how: str) -> list[Record]:
    base, ours = ([pair[side] for pair in pairs] for side in (0, 1))
    details: dict[str, Any] = {
        "cpu_us": each(ours),
        "naive_cpu_us": each(base),
        "events_a_call": statistics.median(one.events / max(1, one.calls) for one in ours),
        "queue": [[one.begun, one.ended] for one in ours],
        "sustained": not any(one.grew for one in ours),
    }
    return [
        Record(
            "road.rate",
            "whole road / naive pipeline",
            "events/s",
            [one.rate for one in ours],
            [one.rate for one in base],
            target=1.0,
            stretch=1.5,
            how=how,
            details=details,
        ),
        Record(
            "road.cpu",
            "CPU of the whole road / naive",
            "µs/event",
            [total(one) for one in ours],
            [total(one) for one in base],
            wanted="most",
            how="all processes but the CRM and the sender; " + how,
        ),
    ]


def each(stretches: list[Stretch]) -> dict[str, float]:
    """Microseconds of CPU an event, by process."""
    return {
        name: statistics.median(one.cpu[name] / one.events * 1e6 for one in stretches)
        for name in stretches[0].cpu
    }


def total(one: Stretch) -> float:
    return sum(used for name, used in one.cpu.items() if name != "crm") / one.events * 1e6


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with installation.opened() as made:
        assert made.rabbit, "There is no RabbitMQ."
        machine = await installation.machine(made)
        roads = await driving.naive(made), await driving.ours(made)
        pairs: list[tuple[Stretch, Stretch]] = []
        rates = [driving.FIRST, driving.FIRST]
        for number in range(words.pairs):
            found = []
            for side, road in enumerate(roads):
                stretch = await turn(road, f"r{number}", words, rates[side])
                assert not stretch.grew, (road.name, stretch)
                rates[side] = stretch.rate * 0.8
                found.append(stretch)
            pairs.append((found[0], found[1]))
            show(number + 1, *pairs[-1])
    return records(pairs, HOW.format(seconds=words.seconds, warm=words.warm)), machine


def show(number: int, base: Stretch, ours: Stretch) -> None:
    told = ", ".join(f"{name} {used:.0f}" for name, used in each([ours]).items())
    print(
        f"{number:4}  naive {base.rate:6,.0f}/s ({total(base):.0f} µs an event),"
        f" ours {ours.rate:6,.0f}/s ({total(ours):.0f} µs: {told}),"
        f" {ours.events / max(1, ours.calls):.2f} events a call,"
        f" on their way {ours.begun} and {ours.ended}",
        flush=True,
    )


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the whole road beside a naive pipeline.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--warm", type=float, default=WARM, help="seconds to find the rate")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
