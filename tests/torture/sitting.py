"""One sitting: traffic against a plant while faults come and go by the seed, then the proof."""

import asyncio
import shutil
import subprocess
import time
import traceback
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import asyncpg

from service.broker.topology import Topology
from tests import servers
from tests.acceptance.stage import token
from tests.torture import disk, machine, plant, proof, schedule
from tests.torture.excuses import Span, unexcused
from tests.torture.faults.base import Fault, Target
from tests.torture.faults.postgres import RowsCrossed
from tests.torture.handed import watched
from tests.torture.machine import Machine
from tests.torture.plant import Plant
from tests.torture.schedule import Round, Turn
from tests.torture.traffic import Address, Traffic, Witness

ROLES = ("gateway-1", "gateway-2", "relay-1", "worker-1", "worker-2")
WARM_UP = 2.0
ACCEPTED_WITHIN = 60.0
"""Seconds that senders go on trying after the last fault."""
QUIET_WITHIN = 60.0
DISK_MEGABYTES = 6144
LOOK_EVERY = 15.0
HEALS_WITHIN = 240.0


@dataclass(frozen=True, slots=True)
class Wish:
    seconds: float
    seed: int
    rate: float
    faults: Sequence[type[Fault]]
    words: str = "all"
    """How the faults were asked for."""
    brisk: bool = False
    alone: bool = False
    """One fault at a time."""
    quiet_within: float = QUIET_WITHIN


@dataclass(slots=True)
class Injected:
    """One fault as it happened."""

    fault: Fault
    at: float
    """Seconds of the wall clock when it began."""
    healed: float = 0.0
    words: str = ""
    error: str = ""


@dataclass(slots=True)
class Result:
    """Everything a report needs, before anything is concluded from it."""

    wish: Wish
    machine: Machine
    began: float
    witness: Witness
    injected: list[Injected]
    evidence: proof.Evidence
    findings: list[proof.Finding]
    kills: dict[str, int]
    surprises: list[str]
    remarks: list[str]
    versions: dict[str, str]
    load_seconds: float
    looks: int
    """How often the ledger was read under way."""
    quiet_after: float
    """Seconds from the last fault's end until nothing was owed any more."""
    absent: dict[str, str] = field(default_factory=dict)


async def sit(wish: Wish, folder: Path, say: Any = print) -> Result:
    found = machine.look()
    kinds = [kind for kind in wish.faults if not kind.lacking(found)]
    absent = {
        f"{kind.code} {kind.name}": why for kind in wish.faults if (why := kind.lacking(found))
    }
    async with _plant(folder, found, kinds) as standing, watched(standing) as handed:
        traffic = Traffic(
            standing.sources,
            lambda: targets(standing),
            seed=wish.seed,
            rate=wish.rate,
            log=folder / "answers.jsonl",
        )
        began = time.time()
        sending = asyncio.create_task(traffic.run())
        conductor = _Conductor(standing, say)
        try:
            await asyncio.sleep(WARM_UP)
            rounds = schedule.rounds(kinds, seed=wish.seed, brisk=wish.brisk, alone=wish.alone)
            until = time.monotonic() + wish.seconds - WARM_UP
            while time.monotonic() < until and kinds:
                await conductor.play(next(rounds))
            await conductor.finish()
            await asyncio.sleep(max(0.0, until - time.monotonic()))
            if sending.done():
                sending.result()
            loaded = time.time() - began
            healed = time.monotonic()
            await traffic.close(ACCEPTED_WITHIN)
            await sending
        finally:
            sending.cancel()
        await quiet(standing, wish.quiet_within)
        quiet_after = time.monotonic() - healed
        evidence = await gather(standing)
        return Result(
            wish=wish,
            machine=found,
            began=began,
            witness=traffic.witness,
            injected=conductor.injected,
            evidence=evidence,
            findings=[
                *(proof.Finding("stuck", "role", why) for why in standing.stuck),
                *conductor.crooked,
                *handed.findings(),
                *proof.findings(traffic.witness, evidence),
            ],
            looks=conductor.looks,
            kills=dict(standing.kills),
            surprises=unexcused(standing.surprises(), _crossed(conductor.injected)),
            remarks=standing.remarks,
            versions=await versions(standing),
            load_seconds=loaded,
            quiet_after=quiet_after,
            absent=absent,
        )


@asynccontextmanager
async def _plant(
    folder: Path, found: Machine, kinds: Sequence[type[Fault]]
) -> AsyncIterator[Plant]:
    """PostgreSQL gets a disk of its own where one is to be filled."""
    async with AsyncExitStack() as stack:
        own: disk.Disk | None = None
        if any("disk full" in kind.name for kind in kinds):
            made = disk.mounted(folder / "disk.image", folder / "disk", megabytes=DISK_MEGABYTES)
            own = await stack.enter_async_context(made)
        yield await stack.enter_async_context(
            plant.running(folder, roles=ROLES, disk=own, faketime=found.faketime)
        )


def targets(standing: Plant) -> list[Address]:
    """Where senders can go: what is up as far as a load balancer knows."""
    found: list[Address] = []
    for role in standing.gateways:
        if role.is_up and not role.draining:
            parts = urlsplit(str(role.place["public"]))
            assert parts.hostname is not None
            assert parts.port is not None
            found.append((parts.hostname, parts.port))
    return found


class _Conductor:
    """Plays rounds, and writes down when each fault began and ended."""

    def __init__(self, standing: Plant, say: Any) -> None:
        self._plant = standing
        self._say = say
        self._busy: set[Target] = set()
        self._turns: set[asyncio.Task[None]] = set()
        self._look_at = 0.0
        self.injected: list[Injected] = []
        self.looks = 0
        self.crooked: list[proof.Finding] = []

    async def play(self, one: Round) -> None:
        """Rounds follow their plan; what is slow to heal goes on, and is hurt no more meanwhile."""
        for turn in one.turns:
            task = asyncio.create_task(self._turn(turn))
            self._turns.add(task)
            task.add_done_callback(self._turns.discard)
        await asyncio.sleep(max(turn.after + turn.seconds for turn in one.turns) + one.calm)
        await self._look()

    async def _look(self) -> None:
        """The ledger must be exact under way, too, whenever it can be read at all."""
        if time.monotonic() < self._look_at:
            return
        self._look_at = time.monotonic() + LOOK_EVERY
        with suppress(AssertionError, aiohttp.ClientError, IndexError, KeyError, TimeoutError):
            ledger = await _ledger(self._plant)
            self.looks += 1
            self.crooked += [
                proof.Finding("unbalanced", f"under way: {one['id']}", one["why"])
                for one in ledger["misplaced"]
            ]

    async def finish(self) -> None:
        """Wait until everything is healed."""
        while self._turns:
            await asyncio.wait(self._turns)

    async def _turn(self, turn: Turn) -> None:
        await asyncio.sleep(turn.after)
        target = turn.fault.target
        if target in self._busy:
            return
        self._busy.add(target)
        try:
            await self._hurt(turn)
        finally:
            self._busy.discard(target)

    async def _hurt(self, turn: Turn) -> None:
        fault = turn.fault
        noted = Injected(fault, at=time.time())
        self.injected.append(noted)
        try:
            async with asyncio.timeout(HEALS_WITHIN):
                noted.words = await fault.inject(self._plant)
                await asyncio.sleep(turn.seconds)
        except Exception:  # noqa: BLE001 - the report names it, and the sitting does not count
            noted.error = f"inject: {traceback.format_exc(limit=-3)}"
        try:
            async with asyncio.timeout(HEALS_WITHIN):
                await fault.heal(self._plant)
        except Exception:  # noqa: BLE001
            noted.error += f"heal: {traceback.format_exc(limit=-3)}"
        noted.healed = time.time()
        lasted = noted.healed - noted.at
        self._say(
            f"{fault.code:4} {fault.name} {noted.words} {lasted:.1f} s"
            + (f"  FAILED {noted.error.strip().splitlines()[-1]}" if noted.error else "")
        )


def _crossed(injected: Sequence[Injected]) -> list[Span]:
    return [(one.at, one.healed) for one in injected if isinstance(one.fault, RowsCrossed)]


async def quiet(standing: Plant, within: float) -> None:
    """Return when nothing is owed and nothing is queued, or after a while."""
    deadline = time.monotonic() + within
    while time.monotonic() < deadline:
        with suppress(OSError, asyncpg.PostgresError, TimeoutError):
            if not any((await owed(standing)).values()):
                return
        await asyncio.sleep(0.3)


async def owed(standing: Plant) -> dict[str, int]:
    connection = await standing.postgres.connect()
    try:
        row = await connection.fetchrow(proof.OWED)
        return dict(row or {})
    finally:
        await connection.close(timeout=5)


async def gather(standing: Plant) -> proof.Evidence:
    for role in standing.roles.values():
        await role.up()
    await asyncio.sleep(1.5)  # acks and the reports of spools follow what they are about
    return proof.Evidence(
        books=await proof.read_books(standing.postgres.dsn),
        ledger=await _ledger(standing),
        calls=proof.read_calls(standing.crm.effects),
        queues=await _queues(standing),
    )


async def _ledger(standing: Plant) -> dict[str, Any]:
    url = f"{standing.gateways[0].place['internal']}/api/v1/ledger"
    bearer = {"Authorization": f"Bearer {token()}"}
    async with (
        aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=20)) as session,
        session.get(url, headers=bearer) as answer,
    ):
        assert answer.status == 200, await answer.text()
        said: dict[str, Any] = await answer.json()
        return said


async def _queues(standing: Plant) -> dict[str, int]:
    """Messages that nobody took, once RabbitMQ counted anew."""
    topology = Topology(standing.prefix)
    left: dict[str, int] = {}
    for _ in range(20):
        try:
            said = await standing.broker.ctl("list_queues", "name", "messages")
        except subprocess.TimeoutExpired:  # a node of Erlang more takes long on a busy machine
            left = {"queues": 1}
            continue
        rows = (line.split("\t") for line in said.splitlines())
        left = {row[0]: int(row[1]) for row in rows if row[0] in {topology.work, topology.dead}}
        if not any(left.values()):
            break
        await asyncio.sleep(1)
    return left


async def versions(standing: Plant) -> dict[str, str]:
    connection = await standing.postgres.connect()
    try:
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        said = {name: await connection.fetchval(f"SHOW {name}") for name in names}
    finally:
        await connection.close(timeout=5)
    return {**said, "rabbitmq": (await standing.broker.ctl("version")).strip()}


@asynccontextmanager
async def folder() -> AsyncIterator[Path]:
    """A temporary one that the servers' users may pass."""
    with servers.open_folder() as made:
        yield made


def keep(folder: Path, target: Path) -> None:
    """Copy what explains a sitting: logs, answers, the configuration."""
    target.mkdir(parents=True, exist_ok=True)
    for pattern in ("*.log", "*.jsonl", "*.toml", "**/postgresql.log", "rabbitmq/log/*.log"):
        for path in folder.glob(pattern):
            shutil.copyfile(path, target / path.name)
