"""`python -m tests.bench [MEASURE …]`: runs measures, prints one table, keeps JSON and a plot."""

import argparse
import importlib.util
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import uvloop

from tests.bench import (
    accept,
    accept_delay,
    backlog,
    claim,
    fold,
    hot,
    insert,
    record,
    relay,
    retention,
    road,
    road_batch,
    road_delay,
    scale,
    soak,
    stages,
)
from tests.bench.record import Record

Result = tuple[list[Record], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Measure:
    run: Callable[[Namespace], Awaitable[Result]]
    options: Callable[[], ArgumentParser]
    short: Sequence[str]
    """Options with which it takes about a minute: to see that it works, not what it finds."""


MEASURES: Mapping[str, Measure] = {
    "hot": Measure(hot.measured, hot.options, ["--turns", "20"]),
    "accept": Measure(accept.measured, accept.options, ["--pairs", "2", "--seconds", "3"]),
    "accept-delay": Measure(
        accept_delay.measured, accept_delay.options, ["--pairs", "1", "--seconds", "4"]
    ),
    "insert": Measure(insert.measured, insert.options, ["--pairs", "1", "--seconds", "3"]),
    "relay": Measure(
        relay.measured,
        relay.options,
        ["--pairs", "1", "--events", "20000", "--alone", "6000"],
    ),
    "fold": Measure(fold.measured, fold.options, ["--pairs", "1", "--events", "4000"]),
    "road": Measure(road.measured, road.options, ["--pairs", "1", "--warm", "6", "--seconds", "6"]),
    "road-batch": Measure(
        road_batch.measured, road.options, ["--pairs", "1", "--warm", "6", "--seconds", "6"]
    ),
    "road-delay": Measure(
        road_delay.measured,
        road_delay.options,
        ["--turns", "1", "--warm", "6", "--seconds", "6"],
    ),
    "backlog": Measure(
        backlog.measured,
        backlog.options,
        ["--events", "4000", "--warm", "6", "--seconds", "6"],
    ),
    "claim": Measure(claim.measured, claim.options, ["--seconds", "5", "--rows", "200000"]),
    "scale": Measure(
        scale.measured,
        scale.options,
        ["--pairs", "1", "--seconds", "3", "--small", "1000", "--large", "50000"],
    ),
    "retention": Measure(
        retention.measured, retention.options, ["--pairs", "1", "--seconds", "4", "--rate", "50"]
    ),
    "soak": Measure(soak.measured, soak.options, ["--minutes", "0.5", "--rate", "50"]),
    "stages": Measure(
        stages.measured, stages.options, ["--pairs", "1", "--events", "5000", "--seconds", "8"]
    ),
}


def chosen() -> Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("measures", nargs="*", metavar="MEASURE", help=", ".join(MEASURES))
    parser.add_argument("--short", action="store_true", help="see that they work; keeps nothing")
    words = parser.parse_args()
    unknown = [name for name in words.measures if name not in MEASURES]
    if unknown:
        parser.error(f"there is no {', '.join(unknown)}; there is {', '.join(MEASURES)}")
    return words


def run(names: Sequence[str], *, short: bool) -> tuple[list[Record], list[str]]:
    """One after the other, each in a loop of its own; one that breaks does not stop the others."""
    found: list[Record] = []
    broken: list[str] = []
    for name in names:
        measure = MEASURES[name]
        print(f"\n== {name}", flush=True)
        words = measure.options().parse_args(measure.short if short else [])
        try:
            records, machine = uvloop.run(_result(measure, words))
        except (AssertionError, OSError, TimeoutError) as error:
            broken.append(name)
            print(f"{name} broke: {type(error).__name__} {error}", file=sys.stderr, flush=True)
            continue
        found += records
        print(record.table(records), flush=True)
        if not short:
            print(f"written to {record.write(name, records, machine)}")
    return found, broken


async def _result(measure: Measure, words: Namespace) -> Result:
    return await measure.run(words)


def draw() -> None:
    if importlib.util.find_spec("matplotlib") is None:
        print("No plot: matplotlib is not here (pip install --group bench).", file=sys.stderr)
        return
    from tests.bench import plot  # noqa: PLC0415 - only where it is installed

    plot.main()


def main() -> None:
    words = chosen()
    found, broken = run(words.measures or [*MEASURES], short=words.short)
    print(f"\n{record.table(found)}")
    if not words.short:
        draw()
    if broken:
        sys.exit(f"These broke and kept no figures: {', '.join(broken)}.")


if __name__ == "__main__":
    main()
