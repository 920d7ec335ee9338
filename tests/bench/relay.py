"""How many events a relay hands to RabbitMQ, beside a bare publisher of one message an event.

A: aiormq, 64 messages under way, each persistent, mandatory and confirmed. B: `orderhook run relay`
over an outbox that is full, its window and its looks into PostgreSQL included; whatever it claimed
is removed at once, as workers of any speed would. Once with many ids a message, as it is, and once
with entries that travel alone.
"""

import argparse
import asyncio
import statistics
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import asyncpg

from tests.bench import alone, cpu, figures, installation, pace, rabbit
from tests.bench.installation import Installation, Running
from tests.bench.record import Record

PAIRS, EVENTS, ALONE = 5, 100_000, 15_000
PATIENCE = 120.0
LOOK = 0.005
OWE = """
INSERT INTO outbox (event_id, due_at, solo)
SELECT (lpad(to_hex((extract(epoch FROM now()) * 1000)::bigint), 12, '0') || '7000'
        || '8' || lpad(to_hex(n), 15, '0'))::uuid, now() + interval '2 seconds', $2
FROM generate_series(1, $1::bigint) AS n
"""
TAKE = """
WITH gone AS (DELETE FROM outbox WHERE published_at IS NOT NULL RETURNING published_at)
SELECT published_at, count(*) AS entries FROM gone GROUP BY published_at
"""
HOW = (
    "{events:,} due entries a turn; the relay's own window of 2,000 and its polling hold; confirms,"
    " persistent, mandatory, a quorum queue of one node"
)


@dataclass(frozen=True, slots=True)
class Turn:
    rate: float
    """Events a second."""
    cpu: dict[str, float]
    """Microseconds an event: of who publishes, and of the servers."""
    messages: int


async def bare(made: Installation, events: int) -> Turn:
    await _ready(made)
    meter = cpu.Meter(made.servers)
    spent = await rabbit.publish(made.amqp, events)
    used = meter.used() | {"publisher": spent.cpu}
    messages = await rabbit.waiting(made.amqp)
    assert messages == events, (messages, events)
    return Turn(events / spent.seconds, cpu.each(used, events), messages)


async def ours(made: Installation, relay: Running, events: int, *, alone: bool) -> Turn:
    await _ready(made)
    before = await figures.look(relay.internal)
    async with made.session() as connection:
        await connection.execute(OWE, events, alone, timeout=120)
        await connection.execute("ANALYZE outbox", timeout=120)
        meter = cpu.Meter({"publisher": relay.pid, **made.servers})
        taken = await _taken(connection, events)
    said = figures.grown(before, await _told(relay, before, events))
    used = meter.used()
    failed = said.sum("orderhook_publish_failures_total")
    assert not failed, f"RabbitMQ did not confirm {failed:.0f} messages"
    messages = await rabbit.waiting(made.amqp)
    assert messages >= events / 100, (messages, events)
    assert messages == events or not alone, (messages, events)
    return Turn(pace.rate(taken), cpu.each(used, events), messages)


async def _ready(made: Installation) -> None:
    await rabbit.empty(made.amqp)
    async with made.session() as connection:
        await connection.execute("TRUNCATE outbox")
    await cpu.calm(made.servers)


async def _taken(connection: asyncpg.Connection, events: int) -> dict[datetime, int]:
    """How many entries each claim took, by its moment; what is seen is removed."""
    taken: dict[datetime, int] = {}
    async with asyncio.timeout(PATIENCE):
        while sum(taken.values()) < events:
            for row in await connection.fetch(TAKE):
                at = row["published_at"]
                taken[at] = taken.get(at, 0) + row["entries"]
            await asyncio.sleep(LOOK)
    return taken


async def _told(relay: Running, before: figures.Figures, events: int) -> figures.Figures:
    """The relay's metrics once the last message is confirmed."""
    async with asyncio.timeout(PATIENCE):
        while True:
            after = await figures.look(relay.internal)
            done = figures.grown(before, after).sum("orderhook_published_entries_total")
            if done >= events:
                return after
            await asyncio.sleep(0.1)


def records(found: list[tuple[Turn, Turn, Turn]]) -> list[Record]:
    base, many, alone = ([turns[place] for turns in found] for place in range(3))
    return [
        _record("relay.batches", "relay, many ids a message", many, base, target=5.0),
        _record("relay.singles", "relay, one id a message", alone, base, target=0.95),
    ]


def _record(name: str, title: str, ours: list[Turn], base: list[Turn], *, target: float) -> Record:
    middle = statistics.median
    details: dict[str, Any] = {
        "cpu_us": {part: middle(turn.cpu[part] for turn in ours) for part in ours[0].cpu},
        "bare_cpu_us": {part: middle(turn.cpu[part] for turn in base) for part in base[0].cpu},
        "cpu_ratio": middle(
            b.cpu["publisher"] / a.cpu["publisher"] for a, b in zip(base, ours, strict=True)
        ),
        "messages": ours[-1].messages,
    }
    return Record(
        name,
        f"{title} / bare publisher",
        "events/s",
        [turn.rate for turn in ours],
        [turn.rate for turn in base],
        target=target,
        how=HOW.format(events=EVENTS),
        details=details,
    )


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with installation.opened() as made:
        assert made.rabbit, "There is no RabbitMQ to publish to."
        made.configure()
        machine = await installation.machine(made)
        relay = await made.run("relay")
        found = []
        for number in range(words.pairs + 1):
            base = await bare(made, words.alone)
            many = await ours(made, relay, words.events, alone=False)
            single = await ours(made, relay, words.alone, alone=True)
            if number:  # the first turns warm up
                found.append((base, many, single))
                show(number, *found[-1])
    return records(found), machine


def show(number: int, base: Turn, many: Turn, single: Turn) -> None:
    print(
        f"{number:4}  bare {base.rate:6,.0f}/s ({base.cpu['publisher']:.0f} µs),"
        f" batches {many.rate:6,.0f}/s ({many.cpu['publisher']:.0f} µs),"
        f" singles {single.rate:6,.0f}/s ({single.cpu['publisher']:.0f} µs)",
        flush=True,
    )


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure the relay beside a bare publisher.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--events", type=int, default=EVENTS, help="a turn with many a message")
    parser.add_argument("--alone", type=int, default=ALONE, help="a turn with one a message")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
