"""Drift as operators meet it: through the API and the command line of a whole installation."""

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from service.sandbox.dialects.base import running
from service.sandbox.dialects.hubspot import HubSpot
from service.store import pool
from service.store.pool import transaction
from tests import internals, rows, servers
from tests.household import EMBEDDED, ROOT, Household, conform, household

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(120)]

CONFIG = (
    EMBEDDED
    + """\
[sources.shop]
provider = "generic"
verify = {{ scheme = "bearer" }}
secrets = ["plain:open"]
key = "id"
subject = {{ ref = "order" }}
status = "status"
statuses = {{ PAID = "payment.paid", PICKING = "fulfillment.picking" }}
[destinations.crm]
crm = "hubspot"
url = "{url}"
token = "plain:{token}"
conflict = "respect"
statuses = {{ paid = "paid", processing = "shipped", picking = "shipped" }}
[destinations.old]
crm = "callback"
url = "http://127.0.0.1:9/"
secret = "plain:whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[[routes]]
destinations = ["crm"]
"""
)
REF = "/subjects/order/1001"
WHY = {"reason": "I called them."}


@dataclass
class House:
    crm: HubSpot
    house: Household

    def entry(self) -> Any:
        (entry,) = self.crm.book.of("orders")
        return entry

    async def until_shows(self, stage: str) -> None:
        async with asyncio.timeout(20):
            while self.crm.status(self.entry()) != stage:
                await asyncio.sleep(0.05)

    async def ask(self, method: str, path: str, body: Any = None, **how: Any) -> tuple[int, Any]:
        return await self.house.ask(method, path, body, **how)

    async def run(self, *words: str) -> tuple[int, str]:
        code, out, err = await self.house.run(*words)
        return code, out + err


@pytest.fixture
async def home(tmp_path: Path, postgres: servers.Postgres, template: str) -> AsyncIterator[House]:
    crm = HubSpot()
    crm.seed("1001", status="open")
    async with running(crm) as url:
        config = CONFIG.format(url=url, token=crm.token)
        with household(config, folder=tmp_path, postgres=postgres, template=template) as house:
            opened = House(crm, house)
            await house.post("shop", id=secrets.token_hex(4), order="1001", status="PAID")
            await opened.until_shows("paid")
            await house.until("1001", lambda page: page["syncs"][0]["state"] == "synced")
            yield opened


async def test_an_edit_is_seen_held_and_decided_through_the_api(home: House) -> None:
    home.crm.touch(home.entry(), "cancelled")
    status, problem = await home.ask("GET", f"{REF}?refresh=true", role="viewer")
    assert (403, True) == (status, "repair=false" in problem["detail"])
    status, page = await home.ask("GET", f"{REF}?refresh=true&repair=false", role="viewer")
    assert (200, ["drifted"]) == (status, [each["outcome"] for each in page["readings"]])
    status, page = await home.ask("GET", f"{REF}?refresh=true")
    assert (200, "held", "person") == (
        status,
        page["syncs"][0]["state"],
        page["syncs"][0]["held_for"],
    )
    status, held = await home.ask("GET", "/held?for=person&destination=crm", role="viewer")
    conform(held["items"][0], "HeldItem")
    assert [("paid", "cancelled")] == [
        (each["ours"], each["theirs"]) for each in held["items"][0]["difference"]
    ]
    status, _ = await home.ask(
        "POST", f"{REF}/syncs/crm", {"action": "accept"} | WHY, role="viewer"
    )
    assert 403 == status
    status, page = await home.ask("POST", f"{REF}/syncs/crm", {"action": "accept"} | WHY)
    assert (200, "operator") == (status, page["syncs"][0]["held_for"])
    status, _ = await home.ask("POST", f"{REF}/syncs/crm", {"action": "accept"} | WHY)
    assert 409 == status
    status, _ = await home.ask("POST", f"{REF}/syncs/nobody", {"action": "retry"} | WHY)
    assert 404 == status
    status, page = await home.ask("POST", f"{REF}/syncs/crm", {"action": "overwrite"} | WHY)
    assert 200 == status
    await home.until_shows("paid")
    acts = await home.house.sql("SELECT action, actor FROM operator_actions ORDER BY id")
    assert [("subject.refresh", "anna"), ("subject.keep", "anna"), ("subject.push", "anna")] == acts
    status, _ = await home.ask("GET", f"{REF}?repair=false")
    assert 400 == status


async def test_a_reconciliation_is_a_job_of_a_worker(home: House) -> None:
    home.crm.touch(home.entry(), "cancelled")
    status, placed = await home.ask("POST", "/destinations/crm/reconcile", {"dry_run": True})
    assert (202, 1) == (status, placed["matched"])
    async with asyncio.timeout(20):
        while True:
            _, job = await home.ask("GET", f"/jobs/{placed['job']}", role="viewer")
            if job["state"] != "running" and job["state"] != "queued":
                break
            await asyncio.sleep(0.05)
    conform(job, "Job")
    assert {"right": 0, "drifted": 1, "unknown": 0, "repaired": 0} == job["counts"]
    status, problem = await home.ask("POST", "/destinations/old/reconcile", {})
    assert (409, True) == (status, "told every change" in problem["detail"])
    status, _ = await home.ask("POST", "/destinations/nobody/reconcile", {})
    assert 404 == status


async def test_the_command_line_says_it_all_in_words(home: House) -> None:
    home.crm.touch(home.entry(), "cancelled")
    code, said = await home.run("orders", "show", "1001", "--refresh", "--no-repair")
    assert (0, True) == (code, "ours paid, theirs cancelled" in said)
    code, said = await home.run("reconcile", "crm", "--dry-run", "--since", "24h")
    assert (1, True) == (code, "1 drifted (nothing was changed)" in said), said
    code, said = await home.run("reconcile", "crm", "--json")
    assert (0, True) == (code, '"repaired": 1' in said), said
    code, said = await home.run("orders", "held")
    assert (0, True) == (code, "ours paid, theirs cancelled" in said and "--accept" in said)
    code, said = await home.run("orders", "show", "1001")
    assert (0, True) == (code, "crm (held for person)" in said)
    push = ("orders", "push", "1001", "--destination", "crm", "--reason", "I called them.")
    code, said = await home.run(*push, "--accept", "--retry")
    assert 2 == code
    code, said = await home.run(*push, "--json")
    assert (0, "pending") == (code, json.loads(said)["syncs"][0]["state"])
    await home.until_shows("paid")
    code, said = await home.run("orders", "history", "1001")
    assert (0, True) == (code, "ours is written at crm" in said)
    code, said = await home.run("attempts", "list", "--order", "1001")
    assert (0, True) == (code, "paid to record" in said.replace("\n", " ")), said


async def test_a_gateway_alone_reads_back_for_people(database: str, tmp_path: Path) -> None:
    """It carries nothing to destinations, and its broker is away."""
    crm, ready = HubSpot(), tmp_path / "ready"
    crm.seed("1001", status="cancelled")
    async with pool.opened(database, size=1) as store, transaction(store) as tx:
        await rows.sync(tx, await rows.subject(tx), written={"hs_pipeline_stage": "paid"})
    async with running(crm) as url:
        config = CONFIG.format(url=url, token=crm.token)
        away = config.replace('url = "embedded"', 'url = "plain:amqp://127.0.0.1:1/"')
        (tmp_path / "orderhook.toml").write_text(away)
        with (tmp_path / "log").open("wb") as log:
            gateway = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "service", "run", "gateway", "--ready-file", str(ready)),
                cwd=tmp_path,
                env={
                    "PATH": os.environ["PATH"],
                    "HOME": str(tmp_path),
                    "PYTHONPATH": str(ROOT),
                    "DATABASE_URL": database,
                    "JWT_SECRET": internals.KEY,
                },
                stdout=log,
                stderr=log,
            )
        async with asyncio.timeout(40):
            while not ready.exists():
                assert gateway.returncode is None, (tmp_path / "log").read_text()
                await asyncio.sleep(0.05)
        internal = json.loads(ready.read_text())["internal"]
        house = Household(tmp_path, {}, "", internal, database)
        status, page = await house.ask("GET", f"{REF}?refresh=true")
        gateway.send_signal(signal.SIGTERM)
        assert 0 == await gateway.wait()
    assert (200, "drifted", "held") == (
        status,
        page["readings"][0]["outcome"],
        page["syncs"][0]["state"],
    )
