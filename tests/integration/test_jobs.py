"""Jobs in the hands of people: listed, cancelled, and approved by somebody else than who asked."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from service.cli.main import cli
from service.ops import approvals, dead_letters, jobs
from service.ops.jobs import Runner
from service.ops.sources import Configured
from service.store import jobs as rows_of_jobs
from service.store import pool
from service.store.ids import new_id
from service.store.pool import Pool, transaction
from tests import internals
from tests.integration.test_dead_letters import asked, dead_event, dead_sync
from tests.owed import running

pytestmark = pytest.mark.postgres

DESCRIPTION = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
CRM = {"filter": {"destination": "crm"}}
CONFIG = """\
[server]
sandbox = true
two_people = true
data_dir = "{folder}"
[store]
url = "plain:{dsn}"
[broker]
url = "embedded"
"""


@dataclass
class Api:
    url: str
    session: aiohttp.ClientSession

    async def ask(
        self, method: str, path: str, *, as_: str = "anna", role: str = "operator", **how: Any
    ) -> tuple[int, Any]:
        headers = internals.bearer(sub=as_, role=role)
        async with self.session.request(
            method, f"{self.url}{path}", headers=headers, **how
        ) as answer:
            return answer.status, await answer.json(content_type=None)

    async def get(self, path: str, **parameters: Any) -> Any:
        status, body = await self.ask("GET", path, role="viewer", params=parameters)
        assert 200 == status, body
        return body

    async def decide(self, job: str, verb: str, *, as_: str, status: int = 200) -> Any:
        found, body = await self.ask("POST", f"/jobs/{job}/{verb}", as_=as_)
        assert status == found, body
        _judge(body, "Job" if status == 200 else "Problem")
        return body

    async def redrive(self, said: Any = CRM, *, as_: str = "anna") -> str:
        status, body = await self.ask("POST", "/dead-letters/redrive", as_=as_, json=said)
        assert 202 == status, body
        return str(body["job"])


def _judge(body: Any, shape: str) -> None:
    schema = {"$ref": f"#/components/schemas/{shape}", "components": DESCRIPTION["components"]}
    Draft202012Validator(schema).validate(body)


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=4) as opened:
        yield opened


@pytest.fixture
def two_people() -> bool:
    return True


@pytest.fixture
async def api(database: str, two_people: bool) -> AsyncIterator[Api]:  # noqa: FBT001
    configured = Configured(two_people=lambda: two_people)
    async with (
        internals.opened(database, configured=configured) as url,
        aiohttp.ClientSession() as session,
    ):
        yield Api(f"{url}/api/v1", session)


@pytest.fixture
async def letters(store: Pool) -> list[str]:
    async with transaction(store) as tx:
        for number in range(12):
            await dead_sync(tx, str(number))
    return [str(row[0]) for row in await asked(store, "SELECT id FROM dead_letters ORDER BY id")]


@pytest.mark.usefixtures("letters")
async def test_bulk_work_waits_for_somebody_else(api: Api, store: Pool) -> None:
    job = await api.redrive()
    async with running(Runner(store, dead_letters.STEPS).run):
        for actor in ("anna", "cli:anna"):
            refused = await api.decide(job, "approve", as_=actor, status=409)
            assert "somebody else must approve it" in refused["detail"]
        assert "awaiting_approval" == (await api.get(f"/jobs/{job}"))["state"]
        approved = await api.decide(job, "approve", as_="boris")
        assert ("queued", "anna", "boris") == tuple(
            approved[name] for name in ("state", "actor", "approved_by")
        )
        ended = await _ended(api, job)
    assert ("finished", 12) == (ended["state"], ended["done"])
    again = await api.decide(job, "approve", as_="boris", status=409)
    assert "This job is finished" in again["detail"]
    assert [("anna", "dead_letters.redrive"), ("boris", "job.approve")] == await asked(
        store, "SELECT actor, action FROM operator_actions ORDER BY id"
    )


async def test_few_named_letters_wait_for_nobody(api: Api, letters: list[str]) -> None:
    few = await api.redrive({"ids": letters[:10]})
    many = await api.redrive({"ids": letters[:11]})
    states = [(await api.get(f"/jobs/{job}"))["state"] for job in (few, many)]
    assert ["queued", "awaiting_approval"] == states


@pytest.mark.parametrize("two_people", [False])
@pytest.mark.usefixtures("letters")
async def test_usually_nothing_waits(api: Api) -> None:
    assert "queued" == (await api.get(f"/jobs/{await api.redrive()}"))["state"]


async def test_a_refold_waits_as_well(api: Api) -> None:
    status, body = await api.ask("POST", "/refolds", json={})
    assert 202 == status, body
    assert "awaiting_approval" == (await api.get(f"/jobs/{body['job']}"))["state"]


@pytest.mark.usefixtures("letters")
async def test_what_nobody_approves_ends(api: Api, store: Pool) -> None:
    old, young = await api.redrive(), await api.redrive()
    async with transaction(store) as tx:
        await tx.execute(
            "UPDATE jobs SET created_at = now() - $2::interval WHERE id = $1",
            old,
            approvals.PATIENCE + timedelta(seconds=1),
        )
    await approvals.end_overdue(store)
    ended = await api.get(f"/jobs/{old}")
    assert ("cancelled", "Nobody approved it within 24 hours.") == (ended["state"], ended["error"])
    assert "awaiting_approval" == (await api.get(f"/jobs/{young}"))["state"]
    assert [("orderhook", f"job/{old}")] == await asked(
        store, "SELECT actor, target FROM operator_actions WHERE action = 'job.cancel'"
    )
    await api.decide(old, "approve", as_="boris", status=409)


@pytest.mark.parametrize("two_people", [False])
@pytest.mark.usefixtures("letters")
async def test_a_running_job_is_cancelled_and_keeps_what_it_did(api: Api, store: Pool) -> None:
    job = await api.redrive({**CRM, "rate": 5})
    async with running(Runner(store, dead_letters.STEPS).run):
        await _until(api, job, lambda found: found["done"] > 0)
        ended = await api.decide(job, "cancel", as_="boris")
        assert ("cancelled", "Cancelled by boris.") == (ended["state"], ended["error"])
        other = await api.redrive()  # the runner goes on with the next job
        assert "finished" == (await _ended(api, other))["state"]
    after = await api.get(f"/jobs/{job}")
    assert ended == after
    assert 0 < after["done"] < 12
    refused = await api.decide(job, "cancel", as_="anna", status=409)
    assert "This job is cancelled already" in refused["detail"]


@pytest.mark.parametrize("two_people", [False])
@pytest.mark.usefixtures("letters")
async def test_whoever_carries_a_cancelled_job_learns_of_it(store: Pool, api: Api) -> None:
    job = await api.redrive()
    async with transaction(store) as tx:
        claimed = await rows_of_jobs.claim(tx, ["redrive"])
    assert claimed is not None
    await api.decide(job, "cancel", as_="anna")
    left = await Runner(store, dead_letters.STEPS).carry(claimed, asyncio.Event())
    assert 0 == left.done
    assert [(12,)] == await asked(store, "SELECT count(*) FROM syncs WHERE state = 'dead'")


@pytest.mark.usefixtures("letters")
async def test_the_list_of_jobs_is_paged_and_narrowed(api: Api) -> None:
    made = [await api.redrive() for _ in range(3)]
    await api.decide(made[0], "cancel", as_="anna")
    page = await api.get("/jobs", limit=2)
    assert made[:0:-1] == [item["id"] for item in page["items"]]
    rest = await api.get("/jobs", limit=2, cursor=page["next"])
    assert ([made[0]], None) == ([item["id"] for item in rest["items"]], rest["next"])
    for item in (*page["items"], *rest["items"]):
        _judge(item, "Job")
        assert {"selection": {"destination": "crm"}} == item["asked"]
    waiting = await api.get("/jobs", state="awaiting_approval")
    assert made[:0:-1] == [item["id"] for item in waiting["items"]]
    assert [] == (await api.get("/jobs", kind="replay"))["items"]
    assert 400 == (await api.ask("GET", "/jobs", params={"state": "lost"}))[0]
    assert 400 == (await api.ask("GET", "/jobs", params={"cursor": "lost"}))[0]


@pytest.mark.usefixtures("letters")
async def test_who_may_only_look_decides_nothing(api: Api) -> None:
    job = await api.redrive()
    for verb in ("approve", "cancel"):
        status, _ = await api.ask("POST", f"/jobs/{job}/{verb}", as_="vera", role="viewer")
        assert 403 == status
    assert "awaiting_approval" == (await api.get(f"/jobs/{job}"))["state"]
    await api.decide(str(new_id()), "cancel", as_="anna", status=404)


def run(config: Path, *words: str, user: str = "anna") -> Result:
    return CliRunner().invoke(
        cli, [*words, "--config", str(config)], standalone_mode=False, env={"USER": user}
    )


@pytest.fixture
def config(tmp_path: Path, database: str) -> Path:
    async def fill() -> None:
        async with pool.opened(database, size=1) as store, transaction(store) as tx:
            await dead_event(tx, ref="1")
            await dead_sync(tx, "2")

    asyncio.run(fill())
    file = tmp_path / "orderhook.toml"
    file.write_text(CONFIG.format(folder=tmp_path, dsn=database))
    return file


def test_two_people_at_the_command_line(config: Path) -> None:
    said = run(config, "dead", "redrive", "--all", "--yes")
    assert "waits until another person approves it" in said.stdout
    [job] = orjson.loads(run(config, "jobs", "list", "--json").stdout)["items"]
    assert ("awaiting_approval", "cli:anna") == (job["state"], job["actor"])
    assert "somebody else" in str(run(config, "jobs", "approve", job["id"]).exception)
    shown = run(config, "jobs", "approve", job["id"], user="boris").stdout
    assert "queued" in shown
    assert "approved by cli:boris" in shown
    assert "cancelled" in run(config, "jobs", "cancel", job["id"]).stdout
    assert "Cancelled by cli:anna." in run(config, "jobs", "show", job["id"]).stdout
    assert "redrive" in run(config, "jobs", "list").stdout


def test_a_refold_from_the_command_line_waits(config: Path) -> None:
    assert "waits until another person" in run(config, "orders", "refold").stdout


async def _until(api: Api, job: str, condition: Any) -> Any:
    async with asyncio.timeout(30):
        while not condition(found := await api.get(f"/jobs/{job}")):
            await asyncio.sleep(0.05)
    return found


async def _ended(api: Api, job: str) -> Any:
    return await _until(api, job, lambda found: found["state"] in jobs.ENDED)
