"""What an event costs in CPU at each stage of the road, on every process that has a part in it.

Verify, parse and seal are measured alone (tests/bench/hot.py). The others come from processes: a
gateway that only accepts, a relay and a worker each on their own, and the whole road for what a
worker does beyond the fold.
"""

import argparse
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from tests.bench import accept, alone, fold, hot, relay, road
from tests.bench.record import Record

PURE = ("verify", "parse", "seal")


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    role: str
    micros: float
    """Of the role itself, for an event."""
    postgresql: float
    rabbitmq: float


def pure(found: Sequence[hot.Found]) -> dict[str, float]:
    """The mean over the senders of a stage."""
    return {
        stage: statistics.mean(one.micros for one in found if one.path.stage == stage)
        for stage in PURE
    }


def stages(
    alone: Mapping[str, float],
    accepted: Mapping[str, float],
    relayed: Mapping[str, float],
    folded: Mapping[str, float],
    carried: Mapping[str, float],
) -> list[Stage]:
    """Microseconds by process in, by stage out; the last is what the road costs beyond the rest."""
    gateway, before = accepted["server"], sum(alone.values())
    databases = accepted["postgresql"] + relayed["postgresql"] + folded["postgresql"]
    brokers = relayed["rabbitmq"] + folded["rabbitmq"]
    return [
        *(Stage(name, "gateway", micros, 0, 0) for name, micros in alone.items()),
        Stage("HTTP and commit", "gateway", gateway - before, accepted["postgresql"], 0),
        Stage("publish", "relay", relayed["publisher"], relayed["postgresql"], relayed["rabbitmq"]),
        Stage(
            "consume and fold",
            "worker",
            folded["consumer"],
            folded["postgresql"],
            folded["rabbitmq"],
        ),
        Stage(
            "sync",
            "worker",
            max(0.0, carried["worker"] - folded["consumer"]),
            max(0.0, carried["postgresql"] - databases),
            max(0.0, carried["rabbitmq"] - brokers),
        ),
    ]


def records(found: Sequence[Stage], how: str) -> list[Record]:
    return [
        Record(
            f"stage.{one.name.replace(' ', '-')}",
            f"{one.name} ({one.role})",
            "µs/event",
            [one.micros],
            wanted="most",
            how=how,
            details={"role": one.role, "postgresql": one.postgresql, "rabbitmq": one.rabbitmq},
        )
        for one in found
    ]


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    """Short runs of the other measures, whose own figures are in their own files."""
    accepting = accept.options().parse_args(["--pairs", words.pairs])
    accepted, machine = await accept.measured(accepting)
    of_them = ["--pairs", words.pairs, "--events", words.events]
    relayed, _ = await relay.measured(relay.options().parse_args(of_them))
    folded, _ = await fold.measured(fold.options().parse_args(of_them))
    driven = ["--pairs", words.pairs, "--seconds", words.seconds]
    carried, _ = await road.measured(road.options().parse_args(driven))
    found = stages(
        pure(hot.found()),
        *(of[0].details["cpu_us"] for of in (accepted, relayed, folded, carried)),
    )
    return records(found, f"median of {words.pairs} turns of each measure"), machine


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the CPU an event costs by stage.")
    parser.add_argument("--pairs", default="3", help="of each measure")
    parser.add_argument("--events", default="20000", help="of each turn of the relay and the fold")
    parser.add_argument("--seconds", default="30", help="of each turn of the whole road")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
