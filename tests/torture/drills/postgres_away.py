"""PostgreSQL is stopped for minutes under load: spooled, answered, drained, folded, accounted."""

import asyncio
import re
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

from service.settings import Server
from tests.acceptance.stage import token
from tests.torture import plant, processes
from tests.torture.drills import outcome
from tests.torture.drills.balancer import Balancer, balancing
from tests.torture.drills.outcome import Demand, Outcome
from tests.torture.plant import Plant, Role
from tests.torture.traffic import Answer, Traffic

NAME = "postgres-away"
ROLES = ("gateway-1", "gateway-2", "relay-1", "worker-1", "worker-2")
WARM_UP = 5.0
ANSWERED = 0.9999
QUICK = 400.0
"""Milliseconds, of 99.9 % of the requests."""
DRAINED_WITHIN = 300.0
GIVES_UP = 600.0
MIB = 1024 * 1024
GAUGE = re.compile(r"^orderhook_spool_(requests|bytes) ([0-9.e+]+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Wish:
    minutes: float = 10.0
    rate: float = 100.0
    """Events in a second, in all."""
    seed: int = 1

    @property
    def words(self) -> str:
        return f"{NAME} --minutes {self.minutes:g} --rate {self.rate:g} --seed {self.seed}"


@dataclass(frozen=True, slots=True)
class Held:
    """What one gateway says that its spool holds."""

    requests: int = 0
    size: int = 0


class Spools:
    """The spools as the gateways' own metrics show them; the most of each is kept."""

    def __init__(self, standing: Plant) -> None:
        self._plant = standing
        self.most: dict[str, Held] = {}
        self.files = 0
        """The most bytes that all files together took."""

    async def look(self) -> int | None:
        """How many requests lie in all of them; None while a gateway does not say."""
        found = [await self._held(role) for role in self._plant.gateways]
        folder = outcome.spool_folder(self._plant)
        self.files = max(self.files, sum(path.stat().st_size for path in _files(folder)))
        if any(one is None for one in found):
            return None
        return sum(one.requests for one in found if one)

    async def _held(self, role: Role) -> Held | None:
        bearer = {"Authorization": f"Bearer {token()}"}
        timeout = aiohttp.ClientTimeout(total=5)
        with suppress(aiohttp.ClientError, OSError, TimeoutError, KeyError):
            async with (
                aiohttp.ClientSession(timeout=timeout) as session,
                session.get(f"{role.place['internal']}/metrics", headers=bearer) as answer,
            ):
                said = {name: int(float(n)) for name, n in GAUGE.findall(await answer.text())}
            held = Held(said["requests"], said["bytes"])
            if held.requests >= self.most.get(role.name, Held()).requests:
                self.most[role.name] = held
            return held
        return None


def _files(folder: Path) -> list[Path]:
    return list(folder.glob("*.db*")) if folder.exists() else []


async def run(wish: Wish, folder: Path, say: Any = print) -> Outcome:
    began = time.time()
    changes = outcome.config_changes()
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
        try:
            measured = await _drill(wish, standing, balancer, traffic, say)
            await traffic.close(60.0)
            await sending
        finally:
            sending.cancel()
        proven = await outcome.proven(standing, traffic.witness)
    demands, told = measured
    return Outcome(NAME, wish.words, began, time.time() - began, demands, told, proven)


async def _drill(
    wish: Wish, standing: Plant, balancer: Balancer, traffic: Traffic, say: Any
) -> tuple[list[Demand], dict[str, str]]:
    spools = Spools(standing)
    await asyncio.sleep(WARM_UP)
    say("PostgreSQL is stopped")
    gone = time.time()
    standing.postgres.may_run.clear()
    processes.send([standing.postgres.pid], signal.SIGINT)
    until = time.monotonic() + wish.minutes * 60
    held = None
    while (left := until - time.monotonic()) > 0:
        await asyncio.sleep(min(1.0, left))
        held = await spools.look()
    say(f"the spools hold {held} requests; PostgreSQL is started")
    standing.postgres.may_run.set()
    await standing.postgres.answers()
    back = time.time()
    drained = await _drained(spools, say)
    answers = [one for one in traffic.witness.answers if gone <= one[0] - one[1] / 1000]
    away = [one for one in answers if one[0] <= back]
    return (
        [_stayed(balancer), *_demands(answers, away, spools, drained)],
        {
            "Load": f"{wish.rate:g} events per second, {len(away) / (back - gone):.0f} requests",
            "Away": f"{back - gone:.0f} s, {len(away):,} requests, {outcome.latencies(away)}",
            "Until drained": f"{drained:.1f} s, {outcome.latencies(answers)}",
            **_sizes(spools, len(away) / (back - gone)),
            "Not ready, as the balancer saw it": balancer.told,
        },
    )


async def _drained(spools: Spools, say: Any) -> float:
    """Seconds until nothing lies in any spool, while the load goes on."""
    began = time.monotonic()
    while time.monotonic() - began < GIVES_UP:
        if await spools.look() == 0:
            break
        await asyncio.sleep(0.25)
    seconds = time.monotonic() - began
    say(f"drained in {seconds:.1f} s")
    return seconds


def _stayed(balancer: Balancer) -> Demand:
    """A gateway that leaves the pool together with PostgreSQL spools nothing."""
    said = [line for line in balancer.red if "PostgreSQL" in line]
    return Demand("gateways stayed ready without PostgreSQL", not said, ", ".join(said) or "yes")


def _demands(
    answers: Sequence[Answer], away: Sequence[Answer], spools: Spools, drained: float
) -> list[Demand]:
    failed = outcome.failures(answers)
    good = 1 - failed.total() / max(len(answers), 1)
    slowest = outcome.percentile(away, 0.999)
    late = sum(failed[word] for word in outcome.LATE)
    said = f"{good:.4%} of {len(answers):,}: {dict(failed) or 'none failed'}"
    return [
        Demand("the spools were needed", any(one.requests for one in spools.most.values()), "yes"),
        Demand("no request was refused or cut", failed.total() == late, str(dict(failed))),
        Demand(f"{ANSWERED:.2%} of the requests answered 2xx", good >= ANSWERED, said, timing=True),
        Demand(f"p99.9 ≤ {QUICK:g} ms", slowest <= QUICK, f"{slowest:.0f} ms", timing=True),
        Demand(
            f"drained ≤ {DRAINED_WITHIN:g} s after PostgreSQL is back",
            drained <= DRAINED_WITHIN,
            f"{drained:.1f} s",
            timing=True,
        ),
    ]


def _sizes(spools: Spools, rate: float) -> dict[str, str]:
    requests = sum(one.requests for one in spools.most.values())
    size = sum(one.size for one in spools.most.values())
    if not requests:
        return {"Spooled": "nothing"}
    each = size / requests
    limit = Server.model_fields["spool"].default
    alone = rate / len(spools.most)
    return {
        "Spooled": f"{requests:,} requests, {size / MIB:.1f} MiB sealed, at most "
        f"{max(one.size for one in spools.most.values()) / MIB:.1f} MiB in a gateway, "
        f"{spools.files / MIB:.1f} MiB of files",
        "Sizing": f"{each:.0f} bytes a request, {each * 1000 / MIB:.2f} MiB per 1,000 requests; "
        f"the default of {limit / MIB:.0f} MiB holds {limit / each:,.0f} requests a gateway, "
        f"{limit / each / alone / 60:.0f} minutes of this load",
    }
