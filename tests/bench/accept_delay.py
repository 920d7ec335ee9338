"""How long a webhook waits for its durable answer at half of the most that a gateway takes.

The most is found by wrk. Then requests go out at the moments they are due, whether or not earlier
ones were answered, to the bare handler and to the gateway in turns, and are timed from then on.
"""

import argparse
import statistics
from typing import Any

from tests.bench import accept, alone, cpu, installation, sending
from tests.bench.accept import Bench
from tests.bench.installation import Running
from tests.bench.record import Record
from tests.bench.sending import Sent

PAIRS, SECONDS, SEARCHES = 5, 15, 3
HOW = (
    "{rate:.0f} requests/s, half of the most of this run, over 64 connections, {seconds} s a turn;"
    " timed from the moment a request was due"
)


async def most(bench: Bench) -> float:
    """Requests a second while every connection asks for the next one at once."""
    pairs = [await bench.pair() for _ in range(SEARCHES)]
    return statistics.median(ours.shot.rate for _, ours in pairs)


async def turn(bench: Bench, server: Running, rate: float, seconds: float) -> Sent:
    """Unique requests at that rate; all must be accepted."""
    await cpu.calm(bench.made.servers)
    return await sending.send(server.public, bench.write(int(rate * seconds)), rate=rate)


def records(pairs: list[tuple[Sent, Sent]], how: str) -> list[Record]:
    bare, ours = ([pair[side] for pair in pairs] for side in (0, 1))
    asking = max(sent.cpu / sent.seconds for sent in ours)
    details: dict[str, Any] = {
        "bare_p99_ms": statistics.median(sent.p99 for sent in bare),
        "worst_ms": max(sent.worst for sent in ours),
        "sender_cores": asking,
    }
    p50 = Record(
        "accept.p50", "accept at half load, p50", "ms", [s.p50 for s in ours], wanted="most"
    )
    return [
        p50,
        Record(
            "accept.p99",
            "accept at half load, p99",
            "ms",
            [sent.p99 for sent in ours],
            wanted="most",
            target=20.0,
            how=how,
            details=details,
        ),
    ]


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with accept.opened() as bench:
        machine = await installation.machine(bench.made)
        rate = words.rate or await most(bench) / 2
        pairs = []
        for number in range(1, words.pairs + 1):
            bare = await turn(bench, bench.bare, rate, words.seconds)
            ours = await turn(bench, bench.ours, rate, words.seconds)
            pairs.append((bare, ours))
            print(
                f"{number:4}  {rate:6.0f}/s  bare p50 {bare.p50:.1f} p99 {bare.p99:.1f} ms,"
                f" ours p50 {ours.p50:.1f} p99 {ours.p99:.1f} worst {ours.worst:.0f} ms",
                flush=True,
            )
    return records(pairs, HOW.format(rate=rate, seconds=words.seconds)), machine


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure how long a durable answer takes.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    parser.add_argument("--rate", type=float, help="requests a second; usually half of the most")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
