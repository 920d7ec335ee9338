"""Several gateways under one parent, as a person starts them."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
import psutil
import pytest

from service.store import migrate

pytestmark = pytest.mark.postgres

CONFIG = """
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
sandbox = true
[store]
url = "{store}"
[broker]
url = "amqp://guest:guest@127.0.0.1:1/"
[auth]
jwt_secret = "plain:a key of thirty-two bytes or more"
[sources.shop]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:open"]
key = "id"
subject = {{ ref = "order" }}
status = "status"
statuses = {{ PAID = "payment.paid" }}
"""


@contextmanager
def fleet(folder: Path, store: str, *, size: int) -> Iterator[dict[str, Any]]:
    """Run `size` gateways until the block ends; nothing of them stays."""
    config, ready = folder / "orderhook.toml", folder / "ready"
    config.write_text(CONFIG.format(store=store))
    words = ["--config", str(config), "run", "gateway", "--processes", str(size)]
    with (folder / "log").open("wb") as log:
        parent = subprocess.Popen(
            [sys.executable, "-m", "service", *words, "--ready-file", str(ready)],
            stderr=log,
            start_new_session=True,
        )
        try:
            yield asyncio.run(_ready(ready, parent))
        finally:
            parent.terminate()
            assert parent.wait(30) == 0
            assert _alive(parent.pid) == []


async def _ready(file: Path, parent: subprocess.Popen[bytes]) -> dict[str, Any]:
    async with asyncio.timeout(30):
        while not file.exists():
            assert parent.poll() is None
            await asyncio.sleep(0.05)
    found: dict[str, Any] = json.loads(file.read_bytes())
    return found


def _alive(session: int) -> list[int]:
    return [one.pid for one in psutil.process_iter() if _session(one.pid) == session]


def _session(pid: int) -> int:
    try:
        return os.getsid(pid)
    except ProcessLookupError:
        return 0


async def post(url: str, number: int) -> int:
    body = json.dumps({"id": f"e{number}", "order": str(number), "status": "PAID"})
    async with (
        aiohttp.ClientSession() as session,
        session.post(
            f"{url}/webhooks/shop", data=body, headers={"Authorization": "Bearer open"}
        ) as answer,
    ):
        return answer.status


async def post_patiently(url: str, number: int) -> int:
    """Come back as a sender would while a process that just died still holds a connection."""
    async with asyncio.timeout(10):
        while True:
            try:
                return await post(url, number)
            except aiohttp.ClientError:
                await asyncio.sleep(0.05)


def test_all_processes_answer_on_one_port_and_one_that_dies_is_started_again(
    tmp_path: Path, database: str
) -> None:
    asyncio.run(migrate.upgrade(database))
    with fleet(tmp_path, database, size=2) as ready:
        children = psutil.Process(ready["pid"]).children()
        answers = [asyncio.run(post(ready["public"], number)) for number in range(8)]
        os.kill(children[0].pid, signal.SIGKILL)
        answers += [asyncio.run(post_patiently(ready["public"], n)) for n in range(8, 16)]
        asyncio.run(_until_children(ready["pid"], 2))
    assert answers == [202] * 16


async def _until_children(pid: int, count: int) -> None:
    async with asyncio.timeout(20):
        while len(psutil.Process(pid).children()) < count:
            await asyncio.sleep(0.05)


def test_a_process_that_cannot_start_ends_the_fleet_with_its_own_code(
    tmp_path: Path, postgres_dsn: str
) -> None:
    """The database behind this DSN was never migrated."""
    config = tmp_path / "orderhook.toml"
    config.write_text(CONFIG.format(store=postgres_dsn))
    words = ["--config", str(config), "run", "gateway", "--processes", "2"]
    done = subprocess.run(
        [sys.executable, "-m", "service", *words],
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert done.returncode == 2
    assert "orderhook migrate" in done.stderr
    assert "Traceback" not in done.stderr
