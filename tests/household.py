"""A whole installation in one process, and its API and command line, for tests from outside."""

import asyncio
import json
import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import asyncpg
from jsonschema import Draft202012Validator
from yaml import safe_load

from tests import internals, servers

ROOT = Path(__file__).parents[1]
EMBEDDED = """\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "embedded"
[auth]
jwt_secret = "env:JWT_SECRET"
"""
"""The beginning of a configuration that needs only a database."""
COMPONENTS = safe_load((ROOT / "openapi.yaml").read_text("utf-8"))["components"]


@dataclass(frozen=True)
class Household:
    """A folder with a configuration, a process that runs by it, and its database."""

    folder: Path
    env: dict[str, str]
    public: str
    internal: str
    dsn: str

    async def post(self, source: str, **body: Any) -> None:
        """Send a webhook, which is accepted."""
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.public}/webhooks/{source}",
                json=body,
                headers={"Authorization": "Bearer open"},
            ) as answer,
        ):
            assert 202 == answer.status, await answer.text()

    async def ask(
        self, method: str, path: str, body: Any = None, *, role: str = "operator"
    ) -> tuple[int, Any]:
        """Ask the API; a page of a subject and a problem are held against openapi.yaml."""
        async with (
            aiohttp.ClientSession() as session,
            session.request(
                method,
                f"{self.internal}/api/v1{path}",
                json=body,
                headers=internals.bearer(role=role),
            ) as answer,
        ):
            said = await answer.json(content_type=None)
        if answer.status >= 400:
            conform(said, "Problem")
        elif path.startswith("/subjects/"):
            conform(said, "Subject")
        return answer.status, said

    async def page(self, ref: str) -> Any:
        status, body = await self.ask("GET", f"/subjects/order/{ref}", role="viewer")
        assert 200 == status, body
        return body

    async def until(self, ref: str, holds: Callable[[Any], bool]) -> Any:
        """The page of a subject, as soon as it is so."""
        deadline = time.monotonic() + 20
        while True:
            status, body = await self.ask("GET", f"/subjects/order/{ref}")
            if status == 200 and holds(body):
                return body
            assert time.monotonic() < deadline, body
            await asyncio.sleep(0.05)

    async def run(self, *words: str) -> tuple[int, str, str]:
        """One command line."""
        made = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", *words),
            cwd=self.folder,
            env=self.env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        async with asyncio.timeout(30):
            out, err = await made.communicate()
        return made.returncode or 0, out.decode(), err.decode()

    async def sql(self, query: str, *values: Any) -> list[tuple[Any, ...]]:
        """Look into the database, or put something there."""
        connection = await asyncpg.connect(self.dsn, timeout=10)
        try:
            return [tuple(row) for row in await connection.fetch(query, *values, timeout=10)]
        finally:
            await connection.close(timeout=5)


def conform(body: Any, shape: str) -> None:
    schema = {"$ref": f"#/components/schemas/{shape}", "components": COMPONENTS}
    Draft202012Validator(schema).validate(body)


@contextmanager
def household(
    config: str, *, folder: Path, postgres: servers.Postgres, template: str
) -> Iterator[Household]:
    name = f"household_{secrets.token_hex(6)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    (folder / "orderhook.toml").write_text(config)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "USER": "bob",
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": postgres.database(name),
        "JWT_SECRET": internals.KEY,
        "COLUMNS": "240",
    }
    ready = folder / "ready"
    command = (sys.executable, "-m", "service", "run", "all", "--ready-file", str(ready))
    with (folder / "log").open("wb") as log:
        program = subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 40
        while not ready.exists():
            assert program.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < deadline, (folder / "log").read_text()
            time.sleep(0.05)
        urls = json.loads(ready.read_text())
        yield Household(folder, env, urls["public"], urls["internal"], postgres.database(name))
    finally:
        if program.poll() is None:
            program.send_signal(signal.SIGTERM)
            program.wait(30)
        postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")
