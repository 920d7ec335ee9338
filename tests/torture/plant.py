"""The whole installation under torture: processes kept alive, private servers, fault proxies."""

import asyncio
import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import aiohttp

from service.settings import Source
from service.settings.load import load
from tests.acceptance.stage import CONFIG, CRM_SECRET, JWT_SECRET, ROOT, Program, Said
from tests.torture import broker, postgres
from tests.torture.crm import Mood
from tests.torture.disk import Disk
from tests.torture.proxy import Control
from tests.torture.weather import CLEAR, Weather

READY_WITHIN = 150.0
AGAIN = 0.1
"""Seconds until an operator's supervisor starts a role again; the pause grows to `AGAIN_MAX`."""
AGAIN_MAX = 2.0
POSTGRES = ("gateway-postgres", "relay-postgres", "worker-postgres")
BROKER = ("gateway-broker", "relay-broker", "worker-broker")
CRM = "worker-crm"
LINKS = (*POSTGRES, *BROKER, CRM)
STUCK_AFTER = 75.0
"""Seconds in which a role must be ready whatever happens; no fault lasts so long."""
HOOKS = Path(__file__).parent / "hooks"
USUAL_RETRY = 'retry = { first = "300ms", max = "2s" }'
RETRY = 'retry = { first = "300ms", max = "2s", max_attempts = 10000 }'


class Role:
    """One process of the service, started again whenever it ends, unless it is held down."""

    def __init__(self, name: str, plant: "Plant") -> None:
        self.name = name
        self.kind = name.partition("-")[0]
        self.may_run = asyncio.Event()
        self.may_run.set()
        self.place: Mapping[str, Any] = {}
        self.extra: dict[str, str] = {}
        """More environment, from the next start on."""
        self.starts = 0
        self.draining = False
        """A load balancer sends nothing here any more."""
        self._plant = plant
        self._program: Program | None = None
        self._keeper: asyncio.Task[None] | None = None

    @property
    def program(self) -> Program:
        assert self._program is not None
        return self._program

    @property
    def is_up(self) -> bool:
        return bool(self.place) and self._program is not None and not self._program.ended

    def keep(self) -> None:
        self._keeper = asyncio.create_task(self._keep(), name=f"keep-{self.name}")

    async def _keep(self) -> None:
        pause = AGAIN
        while True:
            await self.may_run.wait()
            began = time.monotonic()
            self._program = self._plant.launch(self)
            self.starts += 1
            await self._watch(self._program)
            self.place = {}
            pause = AGAIN if time.monotonic() - began > 10 else min(pause * 2, AGAIN_MAX)
            await asyncio.sleep(pause)

    async def _watch(self, program: Program) -> None:
        """Until it ends; its addresses are known as soon as it tells them."""
        began = time.monotonic()
        while not program.ended:
            if not self.place and program.ready_file.exists():
                # Not `program.ready`, which takes a kill at this moment for a failure.
                self.place = json.loads(program.ready_file.read_text())
            if not self.place and time.monotonic() - began > STUCK_AFTER:
                await self._unstick(program)
            await asyncio.sleep(0.02)

    async def _unstick(self, program: Program) -> None:
        """It lives and is never ready: have it say where it stands, and start it anew."""
        self._plant.stuck.append(f"{self.name} was not ready {STUCK_AFTER:g} s after its start")
        program.send(signal.SIGUSR2)
        await asyncio.sleep(1)
        program.send(signal.SIGKILL)

    async def up(self, within: float = READY_WITHIN) -> None:
        async with asyncio.timeout(within):
            while not self.is_up:
                if self._keeper is not None and self._keeper.done():
                    self._keeper.result()
                await asyncio.sleep(0.02)

    def kill(self) -> None:
        if self._program is not None and not self._program.ended:
            self._plant.kills[self.kind] += 1
            self._program.send(signal.SIGKILL)
            self.place = {}

    def send(self, number: signal.Signals) -> None:
        if self._program is not None:
            self._program.send(number)

    async def close(self) -> None:
        if self._keeper is not None:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        if self._program is not None:
            self._program.send(signal.SIGCONT)
            self._program.kill()


@dataclass
class Plant:
    folder: Path
    postgres: postgres.Postgres
    broker: broker.Broker
    proxy: Control
    ports: Mapping[str, int]
    prefix: str
    crm: "Receiver"
    roles: dict[str, Role] = field(default_factory=dict)
    kills: Counter[str] = field(default_factory=Counter)
    faketime: Path | None = None
    """The library that shows a role another wall clock."""
    disk: Disk | None = None
    """What PostgreSQL's data lies on, where that is a disk of its own."""
    remarks: list[str] = field(default_factory=list)
    """What had to be done by hand, for the report."""
    stuck: list[str] = field(default_factory=list)
    """Roles that came back, but not to work."""
    changes: Mapping[str, str] = field(default_factory=dict)
    """Words of the configuration, and what stands there instead."""

    @property
    def config(self) -> Path:
        return self.folder / "orderhook.toml"

    @property
    def shift(self) -> Path:
        """How far the roles' wall clock is off, in the words of libfaketime."""
        return self.folder / "faketime"

    @property
    def sources(self) -> Mapping[str, Source]:
        return load(self.config, self.environ("worker")).sources

    @property
    def gateways(self) -> list[Role]:
        return self.of("gateway")

    def of(self, *kinds: str) -> list[Role]:
        return [role for role in self.roles.values() if role.kind in kinds]

    def configure(self, *, crm_url: str = "", more: str = "") -> None:
        text = CONFIG.format(
            folder=self.folder,
            prefix=self.prefix,
            jwt=JWT_SECRET,
            crm=crm_url or f"http://127.0.0.1:{self.ports[CRM]}",
            secret=CRM_SECRET,
            timeout="1s",
            durability="auto",
        )
        for usual, instead in {USUAL_RETRY: RETRY, **self.changes}.items():
            assert usual in text, usual
            text = text.replace(usual, instead)
        self.config.write_text(text + more)

    def environ(self, kind: str) -> dict[str, str]:
        """A role reaches everything through a proxy; the operator goes straight."""
        dsn, amqp = self.postgres.dsn, self.broker.url
        if kind in {"gateway", "relay", "worker"}:
            login = f"orderhook:{self.postgres.password}"
            dsn = f"postgresql://{login}@127.0.0.1:{self.ports[f'{kind}-postgres']}/orderhook"
            amqp = f"amqp://guest:guest@127.0.0.1:{self.ports[f'{kind}-broker']}/"
        return {**base_environ(self.folder), "DATABASE_URL": dsn, "AMQP_URL": amqp}

    def launch(self, role: Role) -> Program:
        ready = self.folder / f"{role.name}.ready"
        ready.unlink(missing_ok=True)
        inside = ("--internal", "127.0.0.1:0") if role.kind in {"relay", "worker"} else ()
        words = ("service", "--config", str(self.config), "run", role.kind, *inside)
        return Program(
            role.name,
            (*words, "--ready-file", str(ready)),
            folder=self.folder,
            env={**self.environ(role.kind), **role.extra},
        )

    async def open(self, names: Sequence[str]) -> None:
        for name in names:
            self.roles[name] = Role(name, self)
            self.roles[name].keep()
        for role in self.roles.values():
            await role.up()

    async def verb(self, *words: str) -> Said:
        """What an operator types."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", "--config", str(self.config), *words),
            cwd=self.folder,
            env=self.environ("operator"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            out, err = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
        return Said(process.returncode or 0, out.decode(), err.decode())

    async def migrate(self) -> None:
        said = await self.verb("migrate")
        assert said.code == 0, said

    async def weather(
        self, links: Sequence[str], sky: Weather = CLEAR, *, cut: bool = False
    ) -> None:
        for link in links:
            await self.proxy.say(link, weather=asdict(sky), cut=cut)

    async def cut(self, links: Sequence[str]) -> None:
        for link in links:
            await self.proxy.say(link, cut=True)

    def surprises(self) -> list[str]:
        """Lines of logs that no fault excuses."""
        return [
            f"{name}: {line}"
            for name in (*self.roles, "relay-extra")
            for line in _lines(self.folder / f"{name}.log")
            if "Traceback" in line or "DeadlockDetected" in line
        ]


class Receiver:
    """The CRM's process; it comes back at the same address when it was killed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.effects = folder / "effects.jsonl"
        self._port = 0
        self._program: Program | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        ready = self._folder / "crm.ready"
        ready.unlink(missing_ok=True)
        words = ("tests.torture.crm", "--secret", CRM_SECRET, "--effects", str(self.effects))
        self._program = Program(
            "crm",
            (*words, "--port", str(self._port), "--ready-file", str(ready)),
            folder=self._folder,
            env=base_environ(self._folder),
        )
        self._port = (await self._program.ready())["port"]

    def kill(self) -> None:
        assert self._program is not None
        self._program.kill()

    def send(self, number: signal.Signals) -> None:
        assert self._program is not None
        self._program.send(number)

    async def behave(self, mood: Mood) -> None:
        async with (
            aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=10)) as session,
            session.put(f"http://{self.address}/mood", json=asdict(mood)) as answer,
        ):
            assert answer.status == 200, await answer.text()

    def close(self) -> None:
        if self._program is not None:
            self._program.send(signal.SIGCONT)
            self._program.kill()


def _lines(log: Path) -> list[str]:
    return log.read_text("utf-8", "replace").splitlines() if log.exists() else []


def base_environ(folder: Path) -> dict[str, str]:
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": f"{ROOT}:{HOOKS}",
        "PYTHONUNBUFFERED": "1",
    }


@asynccontextmanager
async def running(
    folder: Path,
    *,
    roles: Sequence[str],
    disk: Disk | None = None,
    faketime: str = "",
    changes: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[Plant]:
    """Everything is up when it begins, and nothing is left when it ends; `disk` holds the data."""
    async with AsyncExitStack() as stack:
        data = (disk.mount if disk else folder) / "postgres"
        server = await stack.enter_async_context(postgres.running(data))
        rabbit = await stack.enter_async_context(broker.running(folder / "rabbitmq"))
        crm = Receiver(folder)
        stack.callback(crm.close)
        await crm.start()
        targets = dict.fromkeys(POSTGRES, str(server.socket))
        targets |= dict.fromkeys(BROKER, rabbit.address) | {CRM: crm.address}
        proxy = _proxy(folder, targets)
        stack.callback(proxy.kill)
        said = await proxy.ready()
        plant = Plant(
            folder,
            server,
            rabbit,
            Control(said["control"]),
            said["links"],
            "torture",
            crm,
            faketime=Path(faketime) if faketime else None,
            disk=disk,
            changes=changes,
        )
        plant.shift.write_text("+0\n")
        plant.configure()
        await plant.migrate()
        try:
            await plant.open(roles)
            yield plant
        finally:
            await asyncio.gather(*(role.close() for role in plant.roles.values()))


def _proxy(folder: Path, targets: Mapping[str, str]) -> Program:
    words = [word for name, target in targets.items() for word in ("--link", f"{name}={target}")]
    ready = folder / "proxy.ready"
    return Program(
        "proxy",
        ("tests.torture.proxy", "--ready-file", str(ready), *words),
        folder=folder,
        env=base_environ(folder),
    )
