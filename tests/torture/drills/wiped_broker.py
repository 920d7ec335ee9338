"""RabbitMQ loses everything while events are in flight; PostgreSQL knows, so nothing is lost."""

import asyncio
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.torture import plant
from tests.torture.drills import outcome
from tests.torture.drills.balancer import balancing
from tests.torture.drills.outcome import Demand, Outcome
from tests.torture.plant import Plant
from tests.torture.traffic import Traffic

NAME = "wiped-broker"
ROLES = ("gateway-1", "gateway-2", "relay-1", "worker-1", "worker-2")
WARM_UP = 3.0
REDRIVEN_WITHIN = 600.0
GIVES_UP = 1200.0
STOPS_WITHIN = 90.0
LOOK_EVERY = 1.0
FLIGHT = "SELECT count(*) AS owed, count(published_at) AS published FROM outbox"


@dataclass(frozen=True, slots=True)
class Wish:
    events: int = 100_000
    rate: float = 400.0
    """Events in a second until they are in flight."""
    seed: int = 1

    @property
    def words(self) -> str:
        return f"{NAME} --events {self.events} --rate {self.rate:g} --seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Flight:
    """What is owed at one moment; `published` of it were handed to the broker."""

    owed: int
    published: int


async def run(wish: Wish, folder: Path, say: Any = print) -> Outcome:
    began = time.time()
    async with (
        plant.running(folder, roles=ROLES) as standing,
        balancing(standing, ready=lambda _: True) as balancer,
    ):
        traffic = Traffic(
            standing.sources,
            balancer.gateways,
            seed=wish.seed,
            rate=wish.rate,
            log=folder / "answers.jsonl",
        )
        await _load(wish, standing, traffic)
        flight = await _flight(standing)
        say(f"{flight.owed} in flight, {flight.published} of them published; RabbitMQ is wiped")
        away = await _wipe(standing)
        say(f"RabbitMQ is back after {away:.1f} s, and empty")
        redriven = await _redriven(standing)
        say(f"re-driven and folded in {redriven:.1f} s")
        folded = time.monotonic()
        proven = await outcome.proven(standing, traffic.witness)
        measured = {
            "In flight": f"{flight.owed:,} events, {flight.published:,} of them published",
            "Away": f"{away:.1f} s from the stop until it answered, empty",
            "Re-driven and folded": f"{redriven:.1f} s after it was back, "
            f"{flight.owed / redriven:,.0f} events per second",
            "Everything at the CRM": f"{time.monotonic() - folded:.1f} s later",
        }
    demands = _demands(wish, flight, redriven, standing)
    return Outcome(NAME, wish.words, began, time.time() - began, demands, measured, proven)


async def _load(wish: Wish, standing: Plant, traffic: Traffic) -> None:
    """Send until so many are in flight, which nobody folds: the workers are down."""
    sending = asyncio.create_task(traffic.run())
    try:
        await asyncio.sleep(WARM_UP)
        await _hold_workers(standing)
        while (await _flight(standing)).owed < wish.events and not sending.done():
            await asyncio.sleep(LOOK_EVERY)
        await traffic.close(60.0)
        await sending
    finally:
        sending.cancel()


async def _hold_workers(standing: Plant) -> None:
    """They end in order and stay down; they took some messages before."""
    for role in standing.of("worker"):
        role.may_run.clear()
        role.send(signal.SIGTERM)
    for role in standing.of("worker"):
        await role.program.wait(STOPS_WITHIN)


async def _wipe(standing: Plant) -> float:
    """Seconds without a broker; workers come back before it does, and wait for it."""
    began = time.monotonic()
    await standing.broker.stop()
    await standing.broker.wipe()
    for role in standing.of("worker"):
        role.may_run.set()
    await standing.broker.start()
    return time.monotonic() - began


async def _redriven(standing: Plant) -> float:
    """Seconds until no event is owed to the fold any more."""
    began = time.monotonic()
    while time.monotonic() - began < GIVES_UP:
        if not (await _flight(standing)).owed:
            break
        await asyncio.sleep(LOOK_EVERY / 2)
    return time.monotonic() - began


async def _flight(standing: Plant) -> Flight:
    connection = await standing.postgres.connect()
    try:
        row = await connection.fetchrow(FLIGHT)
        assert row is not None
        return Flight(**row)
    finally:
        await connection.close(timeout=5)


def _demands(wish: Wish, flight: Flight, redriven: float, standing: Plant) -> list[Demand]:
    by_hand = ", ".join(standing.remarks) or "nobody"
    return [
        Demand(f"{wish.events:,} events in flight", flight.owed >= wish.events, f"{flight.owed:,}"),
        # The window of the relay bounds how many that are; the others wait in PostgreSQL.
        Demand("the broker held some", flight.published > 0, f"{flight.published:,}"),
        Demand(
            f"all re-driven and folded ≤ {REDRIVEN_WITHIN:g} s after it is back",
            redriven <= REDRIVEN_WITHIN,
            f"{redriven:.1f} s",
            timing=redriven < GIVES_UP,
        ),
        Demand("nobody had to help", not standing.remarks, by_hand),
    ]
