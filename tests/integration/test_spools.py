"""Spools that gateways told of, as people see them; one that is gone for good is forgotten."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import aiohttp
import orjson
import pytest
import yaml
from click.testing import CliRunner, Result
from jsonschema import Draft202012Validator

from service.cli.main import cli
from service.domain.errors import Declined, NotFound
from service.ops import ledger
from service.ops import spools as held
from service.ops.lookups import Body
from service.store import pool, spools
from service.store.ids import new_id
from service.store.pool import Pool, transaction
from tests import internals

pytestmark = pytest.mark.postgres

DESCRIPTION = yaml.safe_load((Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8"))
REASON = "Its machine burnt down."
CONFIG = """\
[server]
sandbox = true
data_dir = "{folder}"
[store]
url = "plain:{dsn}"
[broker]
url = "embedded"
"""


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


async def told(store: Pool, *, ago: timedelta, entries: int = 7) -> UUID:
    """A gateway told of its spool once, so long ago."""
    oldest = datetime(2026, 11, 22, tzinfo=UTC)
    report = spools.Report(new_id(), "gateway-1", entries, entries * 100, 1, oldest)
    await spools.report(store, report)
    async with transaction(store) as tx:
        await tx.execute("UPDATE spools SET reported_at = now() - $1::interval", ago)
    return report.id


def conform(body: Body) -> None:
    schema = {"$ref": "#/components/schemas/Spool", "components": DESCRIPTION["components"]}
    Draft202012Validator(schema).validate(body)


async def test_a_spool_that_is_gone_is_forgotten_and_the_ledger_is_whole_again(
    store: Pool,
) -> None:
    spool = await told(store, ago=spools.GONE + timedelta(seconds=1))
    assert (await ledger.read(store))["incomplete"]
    forgotten = await held.forget(store, spool, actor="anna", reason=REASON)
    assert (str(spool), "silent", 7) == (
        forgotten["id"],
        forgotten["state"],
        forgotten["requests"],
    )
    after = await ledger.read(store)
    assert (False, True, []) == (after["incomplete"], after["balanced"], after["spools"])


async def test_what_it_held_is_recorded_with_the_reason(store: Pool) -> None:
    spool = await told(store, ago=spools.GONE + timedelta(seconds=1))
    await held.forget(store, spool, actor="anna", reason=REASON)
    async with transaction(store) as tx:
        (row,) = await tx.fetch("SELECT actor, action, target, detail FROM operator_actions")
    assert ("anna", "spool.forget", str(spool)) == (row["actor"], row["action"], row["target"])
    assert (REASON, "gateway-1", 7, 700) == tuple(
        row["detail"][name] for name in ("reason", "gateway", "requests", "bytes")
    )


async def test_a_spool_that_was_told_of_lately_is_not_forgotten(store: Pool) -> None:
    spool = await told(store, ago=spools.GONE - timedelta(seconds=30))
    with pytest.raises(Declined, match="gateway-1 told of this spool less than 10 minutes ago"):
        await held.forget(store, spool, actor="anna", reason=REASON)
    assert [str(spool)] == [item["id"] for item in (await held.listed(store))["items"]]
    with pytest.raises(NotFound):
        await held.forget(store, new_id(), actor="anna", reason=REASON)


async def test_one_that_comes_back_is_told_of_anew(store: Pool) -> None:
    spool = await told(store, ago=spools.GONE + timedelta(seconds=1))
    await held.forget(store, spool, actor="anna", reason=REASON)
    await spools.report(store, spools.Report(spool, "gateway-1", 7, 700, 0, None))
    assert ["draining"] == [item["state"] for item in (await held.listed(store))["items"]]


async def test_only_administrators_forget_over_the_api(database: str, store: Pool) -> None:
    gone = await told(store, ago=spools.GONE + timedelta(seconds=1))
    async with internals.opened(database) as url, aiohttp.ClientSession() as session:

        async def forget(spool: UUID, role: str) -> tuple[int, Body]:
            async with session.post(
                f"{url}/api/v1/spools/{spool}/forget",
                json={"reason": REASON},
                headers=internals.bearer(role=role),
            ) as answer:
                body: Body = await answer.json(content_type=None)
                return answer.status, body

        async with session.get(f"{url}/api/v1/spools", headers=internals.bearer()) as answer:
            (item,) = (await answer.json())["items"]
            conform(item)
        assert 403 == (await forget(gone, "operator"))[0]
        assert 404 == (await forget(new_id(), "admin"))[0]
        status, body = await forget(gone, "admin")
        assert 200 == status
        conform(body)
        alive = await told(store, ago=timedelta(0))
        status, body = await forget(alive, "admin")
        assert (409, True) == (status, "less than 10 minutes ago" in str(body["detail"]))


@pytest.fixture
def config(tmp_path: Path, database: str) -> Path:
    file = tmp_path / "orderhook.toml"
    file.write_text(CONFIG.format(folder=tmp_path, dsn=database))
    return file


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(
        cli,
        [*words, "--config", str(config)],
        standalone_mode=False,
        env={"USER": "anna", "COLUMNS": "200"},
    )


def test_the_command_lists_and_forgets(config: Path, database: str) -> None:
    async def fill() -> UUID:
        async with pool.opened(database, size=1) as store:
            return await told(store, ago=spools.GONE + timedelta(seconds=1))

    spool = asyncio.run(fill())
    said = run(config, "spools", "list").stdout
    assert all(words in said for words in (str(spool), "gateway-1", "silent", "700"))
    assert f"orderhook spools forget {spool}" in run(config, "ledger").stdout
    done = run(config, "spools", "forget", str(spool), "--reason", REASON).stdout
    assert "7 requests that were answered with success are lost with it" in done
    assert [] == orjson.loads(run(config, "spools", "list", "--json").stdout)["items"]
