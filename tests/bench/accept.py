"""What durable acceptance costs beside a bare handler, measured in turns in the same run.

A: aiohttp on uvloop that reads the body and answers 202. B: `orderhook run gateway` as a real
installation has it: verify, parse, seal, commit to a PostgreSQL with fsync, hand to RabbitMQ,
answer. wrk asks both over 64 connections with signed requests from a file. Nobody folds meanwhile:
what the gateway gave to RabbitMQ is taken out of the outbox, as if workers kept up, so that its own
publishing is measured along.

Figures to quote are the ratios. On a machine with other work to do the ratio of CPU still holds
where that of the rate does not.
"""

import argparse
import asyncio
import statistics
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bench import alone, cpu, figures, installation, load, profile, rabbit, wrk
from tests.bench.figures import Figures
from tests.bench.installation import Installation, Running
from tests.bench.record import Record
from tests.bench.shop import KEY, SOURCE, program
from tests.bench.wrk import Shot

__all__ = ["KEY", "SOURCE", "program"]  # where the bench of the console looks for them

PAIRS, SECONDS = 5, 5
READY = 10_000
"""Requests that lie ready for each second of a turn, or more where a turn before took more."""
MORE = 1.6
LOOK = 0.05
TAKE = "DELETE FROM outbox WHERE published_at IS NOT NULL"
HOW = (
    "wrk, 1 thread, {connections} connections, {seconds} s a turn; bodies of 1-4 KiB, signed, all"
    " different; gateway with sealing, PostgreSQL with fsync on the same machine; outbox entries"
    " taken out as soon as they are published"
)


@dataclass(frozen=True, slots=True)
class Turn:
    """One server asked for some seconds."""

    shot: Shot
    cpu: dict[str, float]
    """Microseconds for a request: of `server`, and of PostgreSQL, RabbitMQ and wrk."""
    batch: float = 0.0
    """Requests in one commit."""
    handed: float = 0.0
    """The share that the gateway itself gave to RabbitMQ."""
    spooled: float = 0.0

    @property
    def asking(self) -> float:
        """The share of a core that wrk took."""
        return self.shot.cpu / self.shot.seconds


@dataclass
class Bench:
    """Both servers, and the file that wrk reads."""

    made: Installation
    bare: Running
    ours: Running
    seconds: int
    connections: int
    name: str = "a"
    _first: int = 0
    _rate: float = 0.0
    accepted: int = 0

    @property
    def file(self) -> Path:
        return self.made.folder / "requests"

    async def pair(self) -> tuple[Turn, Turn]:
        self.prepare()
        return await self.turn_of_bare(), await self.turn_of_ours()

    def prepare(self) -> None:
        self.write(int(max(READY, self._rate * MORE) * self.seconds))

    def write(self, count: int) -> Path:
        """So many more requests that were never sent before, in the file."""
        requests = load.webhooks(self.name, count, first=self._first)
        self._first += load.write(self.file, requests)
        return self.file

    async def turn_of_bare(self) -> Turn:
        await cpu.calm(self.made.servers | {"ours": self.ours.pid})
        meter = cpu.Meter({"server": self.bare.pid})
        shot = await self._shoot(self.bare)
        return Turn(shot, _each(meter, shot))

    async def turn_of_ours(self) -> Turn:
        await cpu.calm(self.made.servers)
        before = await figures.look(self.ours.internal)
        async with self._kept_up():
            meter = cpu.Meter({"server": self.ours.pid, **self.made.servers})
            shot = await self._shoot(self.ours)
            used = _each(meter, shot)
        said = figures.grown(before, await figures.settled(self.ours.internal))
        self._check(shot, said)
        self._rate = max(self._rate, shot.rate)
        accepted = said.sum("orderhook_requests_total")
        self.accepted += int(accepted)
        return Turn(
            shot,
            used,
            batch=said.mean("orderhook_accept_batch_requests"),
            handed=said.sum("orderhook_published_entries_total") / accepted,
            spooled=said.sum("orderhook_spooled_requests_total") / accepted,
        )

    @asynccontextmanager
    async def _kept_up(self) -> AsyncIterator[None]:
        """Else its window is full after two thousand events, and the gateway publishes no more."""
        if self.made.rabbit is None:
            yield
            return
        await rabbit.empty(self.made.amqp)
        taking = asyncio.create_task(self._take())
        try:
            yield
        finally:
            taking.cancel()
            await asyncio.gather(taking, return_exceptions=True)

    async def _take(self) -> None:
        async with self.made.session() as connection:
            while True:
                await connection.execute(TAKE, timeout=30)
                await asyncio.sleep(LOOK)

    async def _shoot(self, server: Running) -> Shot:
        shot = await wrk.shoot(
            server.public, self.file, seconds=self.seconds, connections=self.connections
        )
        failed = {"refused": shot.refused, "unanswered": shot.unanswered}
        assert not any(failed.values()), (failed, server.program.output[-2000:])
        return shot

    def _check(self, shot: Shot, said: Figures) -> None:
        """Every answer was a 202 for something new; those on their way at the end may be more."""
        assert not shot.laps, "The file was too short: some requests were sent twice."
        answered = said.by("orderhook_http_answers_total", "status", listener="public")
        assert set(answered) == {"202"}, answered
        outcomes = said.by("orderhook_requests_total", "outcome")
        assert set(outcomes) == {"accepted"}, outcomes
        new = outcomes["accepted"]
        assert 0 <= new - shot.requests <= self.connections, (new, shot.requests)

    async def check_stored(self) -> None:
        """What was accepted is what PostgreSQL has, each with one event that is owed."""
        async with self.made.session() as connection:
            for table in ("requests", "events"):
                stored = await connection.fetchval(f"SELECT count(*) FROM {table}")
                assert stored == self.accepted, (table, stored, self.accepted)


def _each(meter: cpu.Meter, shot: Shot) -> dict[str, float]:
    used = meter.used() | {"wrk": shot.cpu}
    return cpu.each(used, shot.requests)


@asynccontextmanager
async def opened(
    *, seconds: int = SECONDS, connections: int = wrk.CONNECTIONS, durability: str = "strict"
) -> AsyncIterator[Bench]:
    """Both servers up and warm."""
    wrk.find()
    async with AsyncExitStack() as stack:
        made = await stack.enter_async_context(installation.opened())
        made.configure(durability=durability)
        bare = await made.program("bare", "tests.bench.bare")
        bench = Bench(made, bare, await made.run("gateway"), seconds, connections)
        await bench.pair()
        yield bench


def records(pairs: Sequence[tuple[Turn, Turn]], how: str) -> list[Record]:
    bare, ours = ([pair[side] for pair in pairs] for side in (0, 1))
    return [
        Record(
            "accept.rate",
            "durable accept / bare handler",
            "requests/s",
            [turn.shot.rate for turn in ours],
            [turn.shot.rate for turn in bare],
            target=0.55,
            stretch=0.70,
            how=how,
            details=_details(bare, ours),
        ),
        Record(
            "accept.cpu",
            "CPU of a durable accept / bare",
            "µs/request",
            [turn.cpu["server"] for turn in ours],
            [turn.cpu["server"] for turn in bare],
            wanted="most",
            how=how,
        ),
    ]


def _details(bare: Sequence[Turn], ours: Sequence[Turn]) -> dict[str, Any]:
    middle = statistics.median
    return {
        "cpu_us": {name: middle(turn.cpu[name] for turn in ours) for name in ours[0].cpu},
        "requests_in_a_commit": middle(turn.batch for turn in ours),
        "handed_to_rabbitmq_share": middle(turn.handed for turn in ours),
        "spooled_share": max(turn.spooled for turn in ours),
        "wrk_cores": {
            "bare": max(turn.asking for turn in bare),
            "ours": max(turn.asking for turn in ours),
        },
        "requests": sum(turn.shot.requests for turn in ours),
    }


def show(number: int, pair: tuple[Turn, Turn]) -> None:
    bare, ours = pair
    print(
        f"{number:4}  {bare.shot.rate:8,.0f} {ours.shot.rate:8,.0f} /s"
        f"  {ours.shot.rate / bare.shot.rate:5.2f} of the rate"
        f"  {ours.cpu['server'] / bare.cpu['server']:5.2f} times the CPU"
        f"  ({', '.join(f'{name} {used:.0f}' for name, used in ours.cpu.items())} µs;"
        f" bare {bare.cpu['server']:.0f} µs)"
        f"  batch {ours.batch:.0f}, handed {ours.handed:.0%}, spooled {ours.spooled:.0%}"
        f", wrk {bare.asking:.0%} and {ours.asking:.0%} of a core",
        flush=True,
    )


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with opened(
        seconds=words.seconds, connections=words.connections, durability=words.durability
    ) as bench:
        machine = await installation.machine(bench.made)
        pairs = []
        for number in range(1, words.pairs + 1):
            pairs.append(await bench.pair())
            show(number, pairs[-1])
        if words.profile:
            bench.prepare()
            with profile.watched(bench.ours.pid, words.profile, seconds=bench.seconds):
                await bench.turn_of_ours()
        await bench.check_stored()
    how = HOW.format(connections=words.connections, seconds=words.seconds)
    return records(pairs, how), machine


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure acceptance beside a bare handler.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each turn")
    parser.add_argument("--connections", type=int, default=wrk.CONNECTIONS)
    parser.add_argument("--profile", type=Path, help="one more turn under py-spy, written here")
    parser.add_argument(
        "--durability",
        choices=("strict", "auto"),
        default="strict",
        help="auto: what PostgreSQL does not take in time goes to the spool (its share is told)",
    )
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
