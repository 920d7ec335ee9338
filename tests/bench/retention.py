"""What senders feel of retention: accept p99 while a month's events leave, beside without.

The database is that of tests/bench/console_store.py, a month of a million events, copied for each
run, since what leaves does not come back. `orderhook retention run` is started and stopped in
turns; it goes on where it was. It must be at work to the end of each turn that counts.
"""

import argparse
import asyncio
import shutil
import signal
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from tests.bench import alone, console_store, cpu, installation, load, sending
from tests.bench.installation import Installation, Running
from tests.bench.record import Record
from tests.bench.sending import Sent
from tests.servers import open_folder

PAIRS, SECONDS, RATE = 5, 10.0, 300.0
LEAVES = """
[retention]
requests = "1d"
"""
KEPT = "SELECT count(*) FROM events WHERE received_at < now() - interval '3 days'"
HOW = (
    "{rate:.0f} requests/s, {seconds:.0f} s a turn, a million stored events of which all but a day"
    " leave; `orderhook retention run` without a pause between its strides"
)


async def copied(keep: Path, folder: Path) -> Path:
    """A server's data that this run may spoil."""
    async with console_store.kept(keep):
        pass  # seeded, and shut down in order
    data = folder / "copied"
    await asyncio.to_thread(shutil.copytree, keep / "data", data, symlinks=True)
    owner = (keep / "data" / "postgresql").stat()
    for path in (data / "postgresql", *(data / "postgresql").rglob("*")):
        shutil.chown(path, owner.st_uid, owner.st_gid)
    return data


async def turn(made: Installation, gateway: Running, name: str, words: argparse.Namespace) -> Sent:
    file = made.folder / "requests"
    load.write(file, load.webhooks(name, int(words.rate * words.seconds)))
    return await sending.send(gateway.public, file, rate=words.rate)


async def beside(
    made: Installation, gateway: Running, name: str, words: argparse.Namespace
) -> Sent | None:
    """The same while retention runs; None when it was done before the turn was."""
    program = made.launch("retention", "retention", "run")
    try:
        await asyncio.sleep(2)
        sent = await turn(made, gateway, name, words)
        return None if program.ended else sent
    finally:
        program.send(signal.SIGTERM)
        await program.wait()


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_folder())
        data = await copied(words.keep or folder / "kept", folder)
        made = await stack.enter_async_context(installation.opened(rabbit=False, data=data))
        made.configure(more=LEAVES)
        machine = await installation.machine(made)
        gateway = await made.run("gateway")
        before = await _stored(made)
        alone, together = await pairs(made, gateway, words)
        left = before - await _stored(made)
    assert together, "Retention was done before a turn was: make turns shorter."
    assert left, "Nothing left while retention ran."
    how = HOW.format(rate=words.rate, seconds=words.seconds)
    return [
        Record(
            "retention.p99",
            "accept p99 while retention runs / without",
            "ms",
            [sent.p99 for sent in together],
            [sent.p99 for sent in alone],
            wanted="most",
            target=1.2,
            how=how,
            details={"events_that_left": left},
        )
    ], machine


async def pairs(
    made: Installation, gateway: Running, words: argparse.Namespace
) -> tuple[list[Sent], list[Sent]]:
    """As many as there is work for."""
    alone, together = [], []
    await turn(made, gateway, "warm", words)
    for number in range(words.pairs):
        await cpu.calm(made.servers)
        base = await turn(made, gateway, f"a{number}", words)
        with_it = await beside(made, gateway, f"b{number}", words)
        if with_it is None:
            break
        alone.append(base)
        together.append(with_it)
        print(f"{number + 1:4}  p99 {base.p99:.1f} and {with_it.p99:.1f} ms", flush=True)
    return alone, together


async def _stored(made: Installation) -> int:
    async with made.session() as connection:
        return int(await connection.fetchval(KEPT, timeout=60))


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure what senders feel of retention.")
    parser.add_argument("--keep", type=Path, help="keep the database here for the next run")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="of each turn")
    parser.add_argument("--rate", type=float, default=RATE, help="requests a second")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
