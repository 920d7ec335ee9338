"""Accepting and claiming with ten million stored events, beside the same with ten thousand.

Two servers and two gateways, the same in everything but what lies in their tables, asked in turns.
`--keep FOLDER` keeps both for the next run: the large one takes long to make, and some 20 GB.
"""

import argparse
import statistics
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from service.store import pool
from tests.bench import alone, history, installation, wrk
from tests.bench.accept import Bench, Turn
from tests.bench.claim import Relay
from tests.bench.installation import Installation
from tests.bench.record import Record
from tests.servers import open_folder

SMALL, LARGE = 10_000, 10_000_000
PAIRS, SECONDS = 5, 5
HOW = "{large:,} stored events of a month beside {small:,}; two servers in turns, {seconds} s each"


async def _standing(stack: AsyncExitStack, folder: Path, events: int, seconds: int) -> Bench:
    """A gateway over so many events; without a broker, so that nothing else is done meanwhile."""
    data = await history.make(folder, events)
    made = await stack.enter_async_context(installation.opened(rabbit=False, data=data))
    made.configure()
    gateway = await made.run("gateway")
    return Bench(made, gateway, gateway, seconds, wrk.CONNECTIONS, name=f"s{events}")


async def accepted(bench: Bench) -> Turn:
    bench.prepare()
    return await bench.turn_of_ours()


async def claimed(made: Installation, seconds: float) -> float:
    """Claims a second by the median of their times."""
    async with pool.opened(made.dsn, size=2) as db:
        async with made.session() as connection:
            await connection.execute("TRUNCATE outbox")
        return 1000 / statistics.median(await Relay(db).turn(seconds))


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with AsyncExitStack() as stack:
        folder = words.keep or stack.enter_context(open_folder())
        small = await _standing(stack, folder / "small", words.small, words.seconds)
        large = await _standing(stack, folder / "large", words.large, words.seconds)
        machine = await installation.machine(large.made)
        turns: list[tuple[Turn, Turn]] = []
        claims: list[tuple[float, float]] = []
        for number in range(words.pairs + 1):
            turn = await accepted(small), await accepted(large)
            claim = (
                await claimed(small.made, words.seconds),
                await claimed(large.made, words.seconds),
            )
            if number:  # the first turns warm up
                turns.append(turn)
                claims.append(claim)
                show(number, turn, claim)
    how = HOW.format(large=words.large, small=words.small, seconds=words.seconds)
    return records(turns, claims, how), machine


def records(
    turns: list[tuple[Turn, Turn]], claims: list[tuple[float, float]], how: str
) -> list[Record]:
    databases = [large.cpu["postgresql"] / small.cpu["postgresql"] for small, large in turns]
    return [
        Record(
            "scale.accept",
            "accept with many stored events / few",
            "requests/s",
            [large.shot.rate for _, large in turns],
            [small.shot.rate for small, _ in turns],
            target=0.95,
            how=how,
            details={"cpu_of_postgresql_ratio": statistics.median(databases)},
        ),
        Record(
            "scale.claim",
            "claim with many stored events / few",
            "claims/s",
            [large for _, large in claims],
            [small for small, _ in claims],
            target=0.95,
            how=how,
        ),
    ]


def show(number: int, turn: tuple[Turn, Turn], claim: tuple[float, float]) -> None:
    small, large = turn
    print(
        f"{number:4}  accept {small.shot.rate:,.0f} and {large.shot.rate:,.0f}/s,"
        f" PostgreSQL {small.cpu['postgresql']:.0f} and {large.cpu['postgresql']:.0f} µs,"
        f" claims {claim[0]:,.0f} and {claim[1]:,.0f}/s",
        flush=True,
    )


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure what stored events cost the new ones.")
    parser.add_argument("--keep", type=Path, help="keep both databases here for the next run")
    parser.add_argument("--small", type=int, default=SMALL)
    parser.add_argument("--large", type=int, default=LARGE)
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each turn")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
