"""Gateways and workers are restarted one after the other under load; no sender may notice."""

import asyncio
import itertools
import signal
import statistics
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.torture import plant
from tests.torture.drills import outcome
from tests.torture.drills.balancer import Balancer, balancing
from tests.torture.drills.outcome import Demand, Outcome
from tests.torture.plant import Plant, Role
from tests.torture.traffic import Traffic

NAME = "rolling-restarts"
ROLES = ("gateway-1", "gateway-2", "relay-1", "worker-1", "worker-2")
TURN = ("gateway-1", "worker-1", "gateway-2", "worker-2")
WARM_UP = 3.0
STOPS_WITHIN = 90.0
"""What docs/operations.md promises."""
STARTS_WITHIN = 120.0
NOTICE = "2s"


@dataclass(frozen=True, slots=True)
class Wish:
    times: int = 200
    rate: float = 100.0
    """Events in a second, in all."""
    seed: int = 1
    notice: str = NOTICE
    """How long a gateway goes on after SIGTERM, so that balancers notice."""

    @property
    def words(self) -> str:
        more = f" --notice {self.notice}" if self.notice != NOTICE else ""
        return f"{NAME} --times {self.times} --rate {self.rate:g} --seed {self.seed}{more}"


@dataclass(slots=True)
class Restarts:
    """What was done to whom, and how each took it."""

    ended: list[float] = field(default_factory=list)
    """Seconds from SIGTERM to the end."""
    back: list[float] = field(default_factory=list)
    """Seconds from the end until it is in the pool again."""
    crooked: list[str] = field(default_factory=list)
    """Roles that did not end with 0."""


async def run(wish: Wish, folder: Path, say: Any = print) -> Outcome:
    began = time.time()
    changes = outcome.config_changes(notice=f'"{wish.notice}"')
    async with (
        plant.running(folder, roles=ROLES, changes=changes) as standing,
        balancing(standing, ready=lambda _: True) as balancer,
    ):
        traffic = Traffic(
            standing.sources,
            balancer.gateways,
            seed=wish.seed,
            rate=wish.rate,
            log=folder / "answers.jsonl",
        )
        sending = asyncio.create_task(traffic.run())
        restarts = Restarts()
        try:
            await asyncio.sleep(WARM_UP)
            await _roll(wish, standing, balancer, restarts, say)
            loaded = time.time()
            await traffic.close(60.0)
            await sending
        finally:
            sending.cancel()
        answers = traffic.witness.answers
        load = f"{wish.rate:g} events per second, {len(answers) / (loaded - began):.0f} requests"
        measured = {
            "Load": load,
            "Restarts": f"{len(restarts.ended)} ({', '.join(TURN)} in turn), notice {wish.notice}",
            "From SIGTERM to the end": _seconds(restarts.ended),
            "From the end to ready": _seconds(restarts.back),
            "Answers": outcome.latencies(answers),
            "Not ready, as the balancer saw it": balancer.told,
        }
        demands = _demands(wish, restarts, traffic)
        proven = await outcome.proven(standing, traffic.witness)
    return Outcome(NAME, wish.words, began, time.time() - began, demands, measured, proven)


async def _roll(
    wish: Wish, standing: Plant, balancer: Balancer, restarts: Restarts, say: Any
) -> None:
    """One after the other; the next one only when the last is ready again."""
    for number, name in enumerate(itertools.islice(itertools.cycle(TURN), wish.times), 1):
        await _restart(standing.roles[name], balancer, restarts)
        if number % 10 == 0 or number == wish.times:
            say(f"{number} restarts")


async def _restart(role: Role, balancer: Balancer, restarts: Restarts) -> None:
    ending, starts, told = role.program, role.starts, time.monotonic()
    role.send(signal.SIGTERM)
    code = await ending.wait(STOPS_WITHIN)
    ended = time.monotonic()
    restarts.ended.append(ended - told)
    if code != 0:
        restarts.crooked.append(f"{role.name} ended with {code}")
    async with asyncio.timeout(STARTS_WITHIN):
        while role.starts == starts:
            await asyncio.sleep(0.02)
    await balancer.ready(role, STARTS_WITHIN)
    restarts.back.append(time.monotonic() - ended)


def _demands(wish: Wish, restarts: Restarts, traffic: Traffic) -> list[Demand]:
    answers = traffic.witness.answers
    failed = outcome.failures(answers)
    broken = failed.total() - sum(failed[word] for word in outcome.LATE)
    crooked = ", ".join(restarts.crooked) or "all with 0"
    said = f"{failed.total()} of {len(answers):,} {dict(failed) or ''}"
    return [
        Demand("every restart was done", len(restarts.back) == wish.times, str(len(restarts.back))),
        Demand("every role ended in order", not restarts.crooked, crooked),
        Demand("no connection was refused or cut", not broken, str(broken)),
        Demand("0 failed requests", not failed, said, timing=True),
    ]


def _seconds(took: list[float]) -> str:
    return f"{statistics.median(took):.1f} s in the median, {max(took):.1f} s at most"
