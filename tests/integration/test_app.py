"""A whole process of the role `all`, on a real PostgreSQL: what an operator does to it."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.app.known import KNOWN
from service.app.process import Options
from service.app.run import run
from service.domain.errors import ConfigurationError, Conflict
from service.settings import Address, Settings
from service.settings.load import load
from service.store import migrate, pool
from service.store.pool import Pool

pytestmark = pytest.mark.postgres

CONFIG = """
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
sandbox = true
[store]
url = "{store}"
[broker]
url = "embedded"
[auth]
jwt_secret = "plain:a key of thirty-two bytes or more"
"""
SOURCE = """
[sources.{name}]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:{secret}"]
key = "id"
subject = {{ ref = "order" }}
status = "status"
statuses = {{ PAID = "payment.paid" }}
"""
ROUTED = """
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:1/"
secret = "plain:whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
[[routes]]
destinations = ["crm"]
"""


class Installation:
    """A configuration file and the process that runs on it."""

    def __init__(self, folder: Path, store: str) -> None:
        self.file = folder / "orderhook.toml"
        self.ready = folder / "ready"
        self.base = CONFIG.format(store=store)
        self.stop = asyncio.Event()
        self.reload = asyncio.Event()
        self.configure(SOURCE.format(name="shop", secret="open"))

    def configure(self, *tables: str) -> None:
        self.file.write_text("\n".join([self.base, *tables]))

    def load(self) -> Settings:
        return load(self.file, {}, known=KNOWN)

    @asynccontextmanager
    async def running(self, **options: Any) -> AsyncIterator[dict[str, Any]]:
        chosen = Options("all", ready_file=self.ready, **options)
        process = asyncio.create_task(run(self.load, chosen, stop=self.stop, reload=self.reload))
        try:
            async with asyncio.timeout(20):
                while not self.ready.exists() and not process.done():
                    await asyncio.sleep(0.01)
            if process.done():
                process.result()
            yield json.loads(self.ready.read_bytes())
        finally:
            self.stop.set()
            async with asyncio.timeout(30):
                await asyncio.gather(process, return_exceptions=True)


@pytest.fixture
async def installation(tmp_path: Path, database: str) -> Installation:
    await migrate.upgrade(database)
    return Installation(tmp_path, database)


@pytest.fixture
async def db(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=1) as opened:
        yield opened


async def post(url: str, source: str, *, token: str = "open", number: int = 1) -> int:
    body = json.dumps({"id": f"e{number}", "order": str(number), "status": "PAID"})
    headers = {"Authorization": f"Bearer {token}"}
    async with (
        aiohttp.ClientSession() as session,
        session.post(f"{url}/webhooks/{source}", data=body, headers=headers) as answer,
    ):
        return answer.status


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(15):
        while not await condition():
            await asyncio.sleep(0.02)


async def test_an_event_walks_the_whole_road_inside_one_process(
    installation: Installation, db: Pool
) -> None:
    async def folded() -> bool:
        async with pool.session(db) as connection:
            return bool(await connection.fetchval("SELECT status = 'paid' FROM subjects"))

    async with installation.running() as urls:
        assert await post(urls["public"], "shop") == 202
        await until(folded)


async def test_a_reload_brings_new_sources_secrets_and_destinations(
    installation: Installation, db: Pool
) -> None:
    async def tried() -> bool:
        async with pool.session(db) as connection:
            return bool(await connection.fetchval("SELECT count(*) > 0 FROM attempts"))

    async with installation.running() as urls:
        installation.configure(
            SOURCE.format(name="shop", secret="changed"),
            SOURCE.format(name="wms", secret="open"),
            ROUTED,
        )
        installation.reload.set()
        await until(lambda: _answers(urls["public"], "wms", 202))
        assert await post(urls["public"], "shop") == 401
        assert await post(urls["public"], "shop", token="changed", number=2) == 202
        await until(tried)


async def _answers(url: str, source: str, status: int) -> bool:
    return await post(url, source) == status


async def test_an_invalid_file_keeps_the_old_one(
    installation: Installation, capsys: pytest.CaptureFixture[str]
) -> None:
    async def told() -> bool:
        said.extend(capsys.readouterr())
        return "reload_refused" in "".join(said)

    said: list[str] = []
    async with installation.running() as urls:
        installation.configure("[sources.shop]\nprovider = 'nobody'\n")
        installation.reload.set()
        await until(told)
        assert await post(urls["public"], "shop") == 202


async def test_a_port_in_use_is_said_in_one_sentence(installation: Installation) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(Conflict, match=f"{port}.*--public"):
            async with installation.running(public=Address("127.0.0.1", port)):
                pass


async def test_a_schema_that_is_behind_names_the_remedy(tmp_path: Path, postgres_dsn: str) -> None:
    with pytest.raises(ConfigurationError, match="orderhook migrate"):
        async with Installation(tmp_path, postgres_dsn).running():
            pass


async def test_everything_is_there_when_the_ready_file_is(installation: Installation) -> None:
    async with (
        installation.running() as urls,
        aiohttp.ClientSession() as session,
        session.get(f"{urls['internal']}/health/ready") as answer,
    ):
        assert answer.status == 200
        assert (await answer.json())["checks"] == {
            "store": "ok",
            "broker": "ok",
            "tasks": "ok",
            "stop": "ok",
        }
