"""How many events a worker takes from RabbitMQ and folds, beside a bare consumer with acks.

A: aio-pika takes one message an event and acknowledges it. B: `orderhook run worker` takes the same
number of events, accepted by a real gateway before, a hundred ids a message as the relay sends
them: it loads the events, locks and folds their subjects, commits, acknowledges. Nothing is owed to
a destination.
"""

import argparse
import asyncio
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from uuid import UUID

import aio_pika

from service.broker import wire
from tests.bench import alone, cpu, figures, installation, load, pace, rabbit, sending
from tests.bench.installation import Installation, Running
from tests.bench.rabbit import TOPOLOGY
from tests.bench.record import Record

PAIRS, EVENTS = 5, 20_000
PATIENCE = 180.0
HAND_OVER = """
UPDATE outbox SET published_at = now(), due_at = now() + interval '1 hour'
RETURNING event_id
"""
FOLDED = """
SELECT decided_at, count(*) AS events FROM event_outcomes
WHERE event_id = ANY($1::uuid[]) GROUP BY decided_at
"""
HOW = (
    "{events:,} accepted events a turn, of {orders:,} orders and two senders, 100 ids a message;"
    " one worker, no destination"
)


@dataclass(frozen=True, slots=True)
class Turn:
    rate: float
    """Events a second, from the first commit to the last."""
    cpu: dict[str, float]
    """Microseconds an event."""
    batch: float = 1.0
    """Events in one transaction."""


async def bare(made: Installation, events: int) -> Turn:
    await rabbit.empty(made.amqp)
    await rabbit.publish(made.amqp, events)
    await cpu.calm(made.servers)
    meter = cpu.Meter(made.servers)
    spent = await rabbit.consume(made.amqp, events)
    used = meter.used() | {"consumer": spent.cpu}
    return Turn(events / spent.seconds, cpu.each(used, events))


async def ours(made: Installation, gateway: Running, events: int, turn: int) -> Turn:
    """Accept them while nobody works, then hand all of them to a worker at once."""
    file = made.folder / "requests"
    load.write(file, load.webhooks(f"f{turn}", events))
    await sending.send(gateway.public, file)
    await figures.settled(gateway.internal)
    await rabbit.empty(made.amqp)
    async with made.session() as connection:
        ids = [row["event_id"] for row in await connection.fetch(HAND_OVER, timeout=60)]
    assert len(ids) == events, (len(ids), events)
    worker = await made.run("worker")
    await cpu.calm({"worker": worker.pid, **made.servers})
    meter = cpu.Meter({"consumer": worker.pid, **made.servers})
    before = await figures.look(worker.internal)
    await hand_on(made.amqp, ids)
    await _until_folded(made)
    used = meter.used()
    said = figures.grown(before, await figures.look(worker.internal))
    assert said.sum("orderhook_events_folded_total") == events
    await worker.program.end()
    async with made.session() as connection:
        rows = await connection.fetch(FOLDED, ids, timeout=60)
    folded = {row["decided_at"]: row["events"] for row in rows}
    assert sum(folded.values()) == events, (sum(folded.values()), events)
    return Turn(pace.rate(folded), cpu.each(used, events), said.mean("orderhook_fold_batch_events"))


async def hand_on(url: str, ids: Sequence[UUID]) -> None:
    """As the relay would: full messages, in order."""
    left, now = iter(sorted(ids)), datetime.now(UTC)
    connection = await aio_pika.connect(url)
    async with connection:
        channel = await connection.channel()
        exchange = await channel.get_exchange(TOPOLOGY.exchange, ensure=False)
        while part := list(islice(left, wire.MAX_IDS)):
            message = aio_pika.Message(
                wire.encode(part, now), delivery_mode=aio_pika.DeliveryMode.PERSISTENT
            )
            await exchange.publish(message, TOPOLOGY.work)


async def _until_folded(made: Installation) -> None:
    async with asyncio.timeout(PATIENCE), made.session() as connection:
        while await connection.fetchval("SELECT EXISTS (SELECT FROM outbox)"):
            await asyncio.sleep(0.2)


def records(found: Sequence[tuple[Turn, Turn]], how: str) -> list[Record]:
    base, ours = ([pair[side] for pair in found] for side in (0, 1))
    middle = statistics.median
    details: dict[str, Any] = {
        "cpu_us": {part: middle(turn.cpu[part] for turn in ours) for part in ours[0].cpu},
        "bare_cpu_us": {part: middle(turn.cpu[part] for turn in base) for part in base[0].cpu},
        "events_in_a_transaction": middle(turn.batch for turn in ours),
    }
    return [
        Record(
            "fold.rate",
            "consume and fold / bare consumer",
            "events/s",
            [turn.rate for turn in ours],
            [turn.rate for turn in base],
            target=1.0,
            how=how,
            details=details,
        ),
        Record(
            "fold.cpu",
            "CPU of consume and fold / bare",
            "µs/event",
            [turn.cpu["consumer"] for turn in ours],
            [turn.cpu["consumer"] for turn in base],
            wanted="most",
            how=how,
        ),
    ]


async def measured(words: argparse.Namespace) -> tuple[list[Record], dict[str, Any]]:
    async with installation.opened() as made:
        assert made.rabbit, "There is no RabbitMQ to consume from."
        made.configure()
        machine = await installation.machine(made)
        gateway = await made.run("gateway")
        found = []
        for number in range(words.pairs + 1):
            base = await bare(made, words.events)
            pair = base, await ours(made, gateway, words.events, number)
            if number:  # the first pair warms up
                found.append(pair)
                show(number, *pair)
    how = HOW.format(events=words.events, orders=min(words.events, load.ACTIVE))
    return records(found, how), machine


def show(number: int, base: Turn, ours: Turn) -> None:
    told = ", ".join(f"{name} {used:.0f}" for name, used in ours.cpu.items())
    print(
        f"{number:4}  bare {base.rate:6,.0f}/s ({base.cpu['consumer']:.0f} µs),"
        f" ours {ours.rate:6,.0f}/s ({told} µs), {ours.batch:.0f} events a transaction",
        flush=True,
    )


def options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Measure consume and fold beside a bare consumer.")
    parser.add_argument("--pairs", type=int, default=PAIRS)
    parser.add_argument("--events", type=int, default=EVENTS, help="of each turn")
    return parser


def main() -> None:
    alone.run(options, measured)


if __name__ == "__main__":
    main()
