"""A real installation on this machine: PostgreSQL that forgets nothing, RabbitMQ, roles, sealing.

Nothing is set that an operator would not set: fsync is on, requests are sealed, secrets come from
the environment, every role is a process of its own.
"""

import base64
import os
import platform
import statistics
import sys
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import asyncpg

from service.store import migrate
from tests import servers
from tests.acceptance.stage import JWT_SECRET, ROOT, Program
from tests.bench import load
from tests.rabbitmq import Node
from tests.torture import postgres

NOWHERE = "amqp://guest:guest@127.0.0.1:9/"
CRM_SECRET = "whsec_b3JkZXJob29rLWJlbmNobWFyay1vZi1zcGVlZC4="
CONFIG = """
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "{folder}/data"
keys = ["env:SERVER_KEY"]
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
[auth]
jwt_secret = "env:JWT_SECRET"
"""
CRM = """
[destinations.crm]
crm = "callback"
url = "{url}"
secret = "env:CRM_SECRET"
[[routes]]
destinations = ["crm"]
"""
NO_ENVIRON: Mapping[str, str] = MappingProxyType({})
SYNCS, BLOCK = 100, b"x" * 8192


@dataclass(frozen=True, slots=True)
class Running:
    """One role and where it listens."""

    program: Program
    place: Mapping[str, Any]

    @property
    def pid(self) -> int:
        return int(self.place["pid"])

    @property
    def public(self) -> str:
        return str(self.place["public"])

    @property
    def internal(self) -> str:
        return str(self.place["internal"])


@dataclass
class Installation:
    folder: Path
    postgres: postgres.Postgres
    rabbit: Node | None
    _stack: AsyncExitStack
    roles: dict[str, Running] = field(default_factory=dict)
    more_environ: dict[str, str] = field(default_factory=dict)

    @property
    def dsn(self) -> str:
        return self.postgres.dsn

    @property
    def amqp(self) -> str:
        return self.rabbit.url if self.rabbit else NOWHERE

    @property
    def environ(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "DATABASE_URL": self.dsn,
            "AMQP_URL": self.amqp,
            "JWT_SECRET": JWT_SECRET,
            "SERVER_KEY": base64.b64encode(b"a server key of thirty-two bytes").decode(),
            "CRM_SECRET": CRM_SECRET,
            **load.ENVIRON,
            **self.more_environ,
        }

    @property
    def config(self) -> Path:
        return self.folder / "orderhook.toml"

    def configure(self, *, crm: str = "", durability: str = "strict", more: str = "") -> None:
        """`crm`: where a destination is called back; without one nothing is owed to anybody."""
        text = CONFIG.format(folder=self.folder) + load.TABLES.format(durability=durability)
        self.config.write_text(text + (CRM.format(url=crm) if crm else "") + more)

    async def run(self, role: str, *words: str, name: str = "") -> Running:
        """Start a role and wait until it listens."""
        inside = ("--internal", "127.0.0.1:0") if role in {"relay", "worker"} else ()
        ours = ("service", "--config", str(self.config), "run", role, *inside, *words)
        return await self.program(name or role, *ours)

    async def program(self, name: str, *words: str) -> Running:
        """Start any of our programs that takes `--ready-file`."""
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        words = (*words, "--ready-file", str(ready))
        program = Program(name, words, folder=self.folder, env=self.environ)
        self._stack.callback(program.kill)
        running = Running(program, await program.ready())
        self.roles[name] = running
        return running

    def launch(self, name: str, *words: str) -> Program:
        """Start what an operator types, and do not wait for it."""
        ours = ("service", "--config", str(self.config), *words)
        program = Program(name, ours, folder=self.folder, env=self.environ)
        self._stack.callback(program.kill)
        return program

    @property
    def servers(self) -> dict[str, int]:
        """The pids of what is not ours."""
        rabbit = {"rabbitmq": self.rabbit.pid} if self.rabbit else {}
        return {"postgresql": self.postgres.pid, **rabbit}

    @asynccontextmanager
    async def session(self) -> AsyncIterator[asyncpg.Connection]:
        connection = await self.postgres.connect()
        try:
            yield connection
        finally:
            await connection.close(timeout=5)


@asynccontextmanager
async def opened(*, rabbit: bool = True, data: Path | None = None) -> AsyncIterator[Installation]:
    """Servers that are migrated, and empty but for what `data` kept; all ends with the context."""
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(servers.open_folder())
        node = stack.enter_context(_broker()) if rabbit else None
        server = await stack.enter_async_context(postgres.running(data or folder / "postgres"))
        await migrate.upgrade(server.dsn)
        roles = await stack.enter_async_context(AsyncExitStack())
        yield Installation(folder, server, node, roles)


@contextmanager
def _broker() -> Iterator[Node | None]:
    """A private node, where this machine has the programs."""
    origin = servers.find_broker()
    if not isinstance(origin, Path):
        sys.stderr.write(f"Measured without a broker. {servers.NO_BROKER}\n")
        yield None
        return
    with servers.rabbit(origin) as node:
        assert isinstance(node, Node)
        yield node


async def machine(made: Installation) -> dict[str, Any]:
    """What the figures of this run belong to."""
    async with made.session() as connection:
        names = ("server_version", "fsync", "synchronous_commit", "full_page_writes")
        said = {name: await connection.fetchval(f"SHOW {name}") for name in names}
    version = made.rabbit.ctl("version").strip() if made.rabbit else "none"
    return {
        **computer(),
        "postgresql": said,
        "rabbitmq": version,
        "fsync_ms": round(fsync_ms(made.postgres.data.parent), 2),
    }


def computer() -> dict[str, Any]:
    return {
        "cores": os.cpu_count(),
        "processor": processor(),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": [round(each, 1) for each in os.getloadavg()],
    }


def processor() -> str:
    """The name that Linux knows."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())


def fsync_ms(folder: Path) -> float:
    """The median of writing a page and having it on stable storage, as a commit does."""
    took = []
    with (folder / "synced").open("wb") as file:
        for _ in range(SYNCS):
            began = time.perf_counter()
            file.write(BLOCK)
            file.flush()
            os.fdatasync(file.fileno())
            took.append(time.perf_counter() - began)
    (folder / "synced").unlink()
    return statistics.median(took) * 1000
