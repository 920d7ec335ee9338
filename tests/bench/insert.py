"""How many requests a gateway makes durable, beside pgbench that commits one row at a time.

A: pgbench with 64 clients, prepared statements, a row of 2 KiB with a unique key and a commit of
its own. B: the gateway of tests/bench/accept.py over the same server, asked by 64 connections. What
a group commit gains, or costs, is the ratio.
"""

import argparse
import asyncio
import re
import shutil
import statistics
from asyncio.subprocess import PIPE
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from service.store.embedded_programs import BIN, WHEEL
from tests.bench import accept, alone, cpu, installation, wrk
from tests.bench.accept import Bench, Turn
from tests.bench.installation import Installation
from tests.bench.record import Record

PAIRS, SECONDS = 5, 5
SCRIPT = Path(__file__).with_name("insert.sql")
TABLE = """
CREATE TABLE bench_inserts (
    source text, key bigint, body text, at timestamptz DEFAULT now(), PRIMARY KEY (source, key)
)
"""
RATE = re.compile(r"^tps = ([\d.]+)", re.MULTILINE)
HOW = (
    "pgbench with {clients} clients, a row of 2 KiB and a commit each, beside the gateway on the"
    " same server; {seconds} s a turn"
)


def find() -> Path | str:
    """The one that came with the server, else one on the PATH."""
    spec = find_spec(WHEEL)
    site = Path(spec.origin).parents[1] if spec and spec.origin else Path()
    beside = site / BIN / "pgbench"
    found = beside if beside.exists() else shutil.which("pgbench")
    assert found, "There is no pgbench: install PostgreSQL's client programs."
    return found


async def rows(made: Installation, seconds: int) -> float:
    """Rows a second."""
    await cpu.calm(made.servers)
    words = ["--no-vacuum", "--protocol", "prepared", "--client", str(wrk.CONNECTIONS)]
    words += ["--jobs", "1", "--time", str(seconds), "--file", str(SCRIPT), made.dsn]
    process = await asyncio.create_subprocess_exec(find(), *words, stdout=PIPE, stderr=PIPE)
    said, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    return tps(said.decode())


def tps(said: str) -> float:
    found = RATE.search(said)
    assert found is not None, said
    return float(found[1])


async def pair(bench: Bench) -> tuple[float, Turn]:
    base = await rows(bench.made, bench.seconds)
    bench.prepare()
    return base, await bench.turn_of_ours()


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with accept.opened(seconds=words.seconds) as bench:
        machine = await installation.machine(bench.made)
        async with bench.made.session() as connection:
            await connection.execute(TABLE)
        pairs = []
        for number in range(1, words.pairs + 1):
            pairs.append(await pair(bench))
            base, turn = pairs[-1]
            print(f"{number:4}  pgbench {base:,.0f}/s, gateway {turn.shot.rate:,.0f}/s", flush=True)
    batch = statistics.median(turn.batch for _, turn in pairs)
    found = Record(
        "insert.rate",
        "durable accept / pgbench, a row a commit",
        "rows/s",
        [turn.shot.rate for _, turn in pairs],
        [base for base, _ in pairs],
        how=HOW.format(clients=wrk.CONNECTIONS, seconds=words.seconds),
        details={"requests_in_a_commit": batch},
    )
    return [found], machine


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure acceptance beside pgbench.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=int, default=SECONDS, help="of each turn")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
