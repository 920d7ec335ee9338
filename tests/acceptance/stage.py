"""The whole service as an operator runs it: real processes that can be killed, frozen and asked."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import aiohttp
import jwt

import service
from service.settings import Source
from service.settings.load import load
from service.store import embedded_child
from tests.acceptance.checker import Places
from tests.acceptance.senders import Witness

ROOT = Path(service.__file__).resolve().parents[1]
READY_WITHIN = 40.0
END_WITHIN = 30.0
JWT_SECRET = "a secret of the acceptance tests, long enough"
CRM_SECRET = "whsec_b3JkZXJob29rLWFjY2VwdGFuY2UtdGVzdHM="

CONFIG = """\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "{folder}/data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
prefix = "{prefix}"
[auth]
jwt_secret = "plain:{jwt}"

[sources.stripe-eu]
provider = "stripe"
secrets = ["plain:whsec_of_the_acceptance_tests", "plain:whsec_of_last_year"]
durability = "strict"

[sources.wms]
provider = "generic"
secrets = ["plain:the secret of the warehouse"]
durability = "{durability}"
items = "events[]"
key = "id"
subject = {{ ref = "order.number" }}
occurred_at = "at"
status = "state"
[sources.wms.verify]
scheme = "hmac"
header = "X-Signature"
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Timestamp"
[sources.wms.statuses]
NEW = "fulfillment.new"
PICKING = "fulfillment.picking"
PACKED = "fulfillment.packed"
SHIPPED = "fulfillment.shipped"
CANCELLED = "fulfillment.cancelled"

[sources.courier]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:the-token-of-the-courier"]
durability = "{durability}"
key = "uid"
subject = {{ ref = "order" }}
occurred_at = "at"
status = "code"
[sources.courier.statuses]
label_created = "delivery.label_created"
picked_up = "delivery.picked_up"
in_transit = "delivery.in_transit"
out_for_delivery = "delivery.out_for_delivery"
delivery_failed = "delivery.delivery_failed"
delivered = "delivery.delivered"
returning = "delivery.returning"
returned_to_sender = "delivery.returned_to_sender"

[destinations.crm]
crm = "callback"
url = "{crm}/callback"
secret = "plain:{secret}"
timeout = "{timeout}"
retry = {{ first = "300ms", max = "2s" }}

[[routes]]
destinations = ["crm"]
"""


class Program:
    """One process of ours, in a group of its own, that the kernel ends if the tests die."""

    def __init__(
        self, name: str, words: tuple[str, ...], *, folder: Path, env: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.ready_file = folder / f"{name}.ready"
        with self.log.open("ab") as log:
            self._process = _spawn(words, output=log, folder=folder, env=env)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def ended(self) -> bool:
        return self._process.poll() is not None

    def send(self, number: signal.Signals) -> None:
        if not self.ended:
            os.killpg(self.pid, number)

    def kill(self) -> None:
        """End it as a power cut would."""
        self.send(signal.SIGKILL)
        self._process.wait(timeout=END_WITHIN)

    async def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop, as an operator would; its exit code."""
        self.send(number)
        return await self.wait()

    async def wait(self, within: float = END_WITHIN) -> int:
        await until(lambda: self.ended, f"{self.name} ends", within=within)
        return self._process.returncode

    async def ready(self) -> dict[str, Any]:
        """What it wrote when it listened."""
        await until(
            lambda: self.ready_file.exists() or self.ended, f"{self.name} is ready", READY_WITHIN
        )
        assert not self.ended, f"{self.name} ended with {self._process.returncode}:\n{self.output}"
        said: dict[str, Any] = json.loads(self.ready_file.read_text())
        return said

    @property
    def output(self) -> str:
        return self.log.read_text("utf-8", "replace")


def _spawn(
    words: tuple[str, ...], *, output: IO[bytes], folder: Path, env: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(sys.executable, "-I", "-S", embedded_child.__file__, str(os.getpid())),
            *(str(int(signal.SIGKILL)), str(os.geteuid()), str(os.getegid()), str(folder)),
            *(sys.executable, "-m", *words),
        ],
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
        env=env,
        start_new_session=True,
    )


@dataclass(frozen=True, slots=True)
class Said:
    """How one verb ended."""

    code: int
    out: str
    err: str


@dataclass
class Stage:
    """A folder with a configuration, and every process started from it."""

    folder: Path
    store: str
    broker: str
    prefix: str
    timeout: str = "1s"
    durability: str = "auto"
    """Of two of the three sources; what a spool takes is not in the books at once."""
    crm: str = "http://127.0.0.1:9"
    programs: dict[str, Program] = field(default_factory=dict)
    _places: dict[str, dict[str, Any]] = field(default_factory=dict)

    @property
    def config(self) -> Path:
        return self.folder / "orderhook.toml"

    @property
    def env(self) -> dict[str, str]:
        return {
            "PATH": os.environ.get("PATH", ""),
            "HOME": str(self.folder),
            "LANG": "C.UTF-8",
            "PYTHONPATH": str(ROOT),
            "PYTHONUNBUFFERED": "1",
            "DATABASE_URL": self.store,
            "AMQP_URL": self.broker,
        }

    def configure(self, more: str = "") -> None:
        text = CONFIG.format(
            folder=self.folder,
            prefix=self.prefix,
            jwt=JWT_SECRET,
            crm=self.crm,
            secret=CRM_SECRET,
            timeout=self.timeout,
            durability=self.durability,
        )
        self.config.write_text(text + more)

    def verb(self, *words: str, config: Path | None = None) -> Said:
        """Run one verb to its end."""
        done = subprocess.run(
            [sys.executable, "-m", "service", "--config", str(config or self.config), *words],
            cwd=self.folder,
            env=self.env,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        return Said(done.returncode, done.stdout, done.stderr)

    async def open_crm(self) -> None:
        """Start the sandbox CRM and write a configuration that leads to it."""
        words = ("service.sandbox.crm", "--secret", CRM_SECRET)
        crm = self._start("sandbox-crm", words)
        self.crm = (await crm.ready())["url"]
        self.configure()

    def start(self, role: str, *, name: str = "", listen: tuple[str, ...] = ()) -> Program:
        """Start one role and do not wait for it; its name is the role's unless given."""
        inside = ("--internal", "127.0.0.1:0") if role in {"relay", "worker"} else ()
        run = ("service", "--config", str(self.config), "run", role, *inside, *listen)
        return self._start(name or role, run)

    def _start(self, name: str, words: tuple[str, ...]) -> Program:
        ready = self.folder / f"{name}.ready"
        ready.unlink(missing_ok=True)
        words = (*words, "--ready-file", str(ready))
        program = Program(name, words, folder=self.folder, env=self.env)
        self.programs[name] = program
        return program

    async def open(self, *roles: str) -> None:
        """Start roles and wait for all of them; `worker-2` is a role `worker` with that name."""
        for role in roles:
            self.start(role.partition("-")[0], name=role)
        for role in roles:
            await self.adopt(role)

    async def adopt(self, name: str) -> None:
        """Wait for what was started, and learn where it listens."""
        self._places[name] = await self.programs[name].ready()

    async def again(self, role: str) -> None:
        """Start a role that ended."""
        assert self.programs[role].ended
        await self.open(role)

    def at(self, name: str) -> dict[str, Any]:
        """Where that process listens."""
        return self._places[name]

    @property
    def gateway(self) -> dict[str, Any]:
        return self._places["gateway" if "gateway" in self._places else "all"]

    @property
    def public(self) -> str:
        return str(self.gateway["public"])

    @property
    def places(self) -> Places:
        return Places(str(self.gateway["internal"]), token(), self.crm)

    @property
    def sources(self) -> Mapping[str, Source]:
        return load(self.config, self.env).sources

    def witness(self) -> Witness:
        return Witness(self.sources, lambda: self.public)

    async def behave(self, **wish: object) -> None:
        """Tell the CRM how to treat what comes."""
        async with (
            aiohttp.ClientSession() as session,
            session.put(f"{self.crm}/behaviour", json=wish) as response,
        ):
            assert response.status == 200, await response.text()

    def close(self) -> None:
        """End everything by its pid, print what it said, and leave nothing behind."""
        for program in self.programs.values():
            program.send(signal.SIGCONT)
            program.send(signal.SIGTERM)
        deadline = time.monotonic() + 5
        while not all(each.ended for each in self.programs.values()) and (
            time.monotonic() < deadline
        ):
            time.sleep(0.02)
        for program in self.programs.values():
            program.kill()
            print(f"--- {program.name}\n{_tail(program.output)}")  # noqa: T201

    def surprises(self) -> list[str]:
        """Lines of logs that no fault excuses: a traceback, or writers in each other's way."""
        return [
            f"{name}: {line}"
            for name, program in self.programs.items()
            for line in program.output.splitlines()
            if "Traceback" in line or "DeadlockDetected" in line
        ]


def token(role: str = "viewer") -> str:
    now = datetime.now(UTC)
    claims = {"iss": "orderhook", "aud": "orderhook", "sub": "checker", "role": role}
    times = {"iat": now, "exp": now + timedelta(hours=1)}
    return jwt.encode({**claims, **times}, JWT_SECRET, algorithm="HS256")


def _tail(text: str, lines: int = 40) -> str:
    """The end of a log without the lines of requests that went well."""
    told = [line for line in text.splitlines() if '"status": 20' not in line]
    return "\n".join(told[-lines:])


async def until(holds: Callable[[], bool], what: str, within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        await asyncio.sleep(0.02)
