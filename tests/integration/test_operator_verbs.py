"""From a refused webhook to its reason, and from a mended mapping to the right status, by hand."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(150)]

ROOT = Path(__file__).parents[2]
CONFIG = """\
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "data"
sandbox = true
[store]
url = "env:DATABASE_URL"
[broker]
url = "embedded"
[sources.shop]
provider = "generic"
verify = { scheme = "bearer" }
secrets = ["plain:open"]
key = "id"
subject = { ref = "order" }
status = "status"
statuses = { PAID = "payment.paid" }
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9/callback"
secret = "plain:whsec_b3JkZXJob29rLWFjY2VwdGFuY2UtdGVzdHM="
retry = { first = "100ms", max = "1s" }
[[routes]]
destinations = ["crm"]
"""
PACKED = {"id": "e1", "order": "1001", "status": "PACKED"}


@dataclass
class House:
    """A folder with a configuration, a process that runs by it, and its command line."""

    folder: Path
    env: dict[str, str]
    url: str = ""

    async def orderhook(self, *words: str) -> tuple[int, str, str]:
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

    async def read(self, *words: str) -> Any:
        code, out, err = await self.orderhook(*words, "--json")
        assert code == 0, err
        return json.loads(out)

    async def post(self, body: dict[str, str], *, token: str = "open", to: str = "shop") -> int:
        async with (
            aiohttp.ClientSession() as session,
            session.post(
                f"{self.url}/webhooks/{to}",
                json=body,
                headers={"Authorization": f"Bearer {token}"},
            ) as answer,
        ):
            return answer.status

    async def eventually(self, *words: str, holds: str) -> str:
        async with asyncio.timeout(20):
            while True:
                _, out, _ = await self.orderhook(*words)
                if holds in out:
                    return out
                await asyncio.sleep(0.1)


@pytest.fixture
async def house(database: str, tmp_path: Path) -> AsyncIterator[House]:
    (tmp_path / "orderhook.toml").write_text(CONFIG)
    env = {
        "PATH": os.environ["PATH"],
        "HOME": str(tmp_path),
        "USER": "anna",
        "PYTHONPATH": str(ROOT),
        "DATABASE_URL": database,
        "COLUMNS": "200",
    }
    ready = tmp_path / "ready"
    with (tmp_path / "log").open("wb") as log:
        program = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service", "run", "all", "--ready-file", str(ready)),
            cwd=tmp_path,
            env=env,
            stdout=log,
            stderr=log,
        )
    try:
        async with asyncio.timeout(30):
            while not ready.exists():
                assert program.returncode is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.05)
        yield House(tmp_path, env, json.loads(ready.read_text())["public"])
    finally:
        if program.returncode is None:
            program.send_signal(signal.SIGTERM)
        async with asyncio.timeout(30):
            await program.wait()


async def test_from_a_refused_webhook_to_the_reason_it_is_one_command(house: House) -> None:
    assert 401 == await house.post(PACKED, token="guess")
    assert 401 == await house.post(PACKED, to="shopp")
    said = await house.eventually("sources", "refused", "shop", holds="wrong_secret")
    assert "The bearer secret is none of the 1 configured." in said
    assert "Copy the secret from the sender into secrets of [sources.shop] anew" in said
    assert "authorization" in said
    assert "guess" not in said
    assert (
        "There is no source shopp." in (await house.orderhook("sources", "refused", "unknown"))[1]
    )
    code, _, err = await house.orderhook("sources", "refused", "shopp")
    assert (1, True) == (code, "orderhook: There is no source shopp" in err)
    listed = await house.read("sources", "list")
    assert ["shop", "unknown"] == [item["name"] for item in listed["items"]]


async def test_from_a_mended_mapping_to_the_right_status(house: House) -> None:
    assert 202 == await house.post(PACKED)
    await house.eventually("dead", "queues", holds="unmapped")
    (event,) = (await house.read("dead", "list"))["items"]
    shown = (await house.orderhook("events", "show", event["event_id"]))[1]
    assert "PACKED" in shown
    mended = CONFIG.replace('PAID = "payment.paid"', 'PACKED = "fulfillment.packed"')
    (house.folder / "orderhook.toml").write_text(mended)

    code, out, _ = await house.orderhook("events", "replay", "--source", "shop", "--dry-run")
    assert (0, True) == (code, "unmapped → fold  order/1001 fulfillment.packed" in out)
    code, out, err = await house.orderhook("events", "replay", "--source", "shop", "--yes")
    assert (0, True) == (code, "1 requests changed, 0 read as before" in out), err
    await house.eventually("orders", "show", "1001", holds="ready_to_ship")
    again = await house.orderhook("events", "replay", "--source", "shop", "--yes")
    assert (0, True) == (again[0], "Nothing would change." in again[1])
    assert 0 == (await house.orderhook("ledger"))[0]

    await house.eventually("attempts", "list", "--order", "1001", holds="transient")
    found = await house.read("attempts", "list", "--event", event["event_id"], "--class", "error")
    assert {("order/1001", "crm", "callback", "transient", None)} == {
        tuple(
            item[name] for name in ("subject", "destination", "operation", "class", "http_status")
        )
        for item in found["items"]
    }


async def test_what_is_meant_must_be_said(house: House) -> None:
    misused = (
        "events replay",
        "events replay --source shop --json",
        "attempts list --order 1 --subject order/1",
    )
    for words in misused:
        assert 2 == (await house.orderhook(*words.split()))[0]
    vain = (
        "events replay --source shopp --dry-run",
        "events show 0198c0de-0000-7000-8000-000000000000",
    )
    for words in vain:
        code, _, err = await house.orderhook(*words.split())
        assert (1, True) == (code, err.startswith("orderhook: There is no "))
