"""`orderhook destinations` as people and scripts use it."""

import asyncio
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli.main import cli
from service.domain.budget import DAY, Limit
from service.domain.errors import NotFound
from service.store import budgets, destinations, pool
from service.store.pool import transaction
from tests import rows

pytestmark = pytest.mark.postgres

CONFIG = """\
[server]
sandbox = true
data_dir = "{folder}"
[store]
url = "plain:{dsn}"
[broker]
url = "embedded"
[destinations.crm]
crm = "callback"
url = "https://crm.example.com/orderhook"
secret = "plain:whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
[[routes]]
destinations = ["crm"]
"""


@pytest.fixture
def config(tmp_path: Path, database: str) -> Path:
    asyncio.run(_fill(database))
    file = tmp_path / "orderhook.toml"
    file.write_text(CONFIG.format(folder=tmp_path, dsn=database))
    return file


async def _fill(dsn: str) -> None:
    async with pool.opened(dsn, size=1) as store:
        async with transaction(store) as tx:
            await rows.sync(tx, await rows.subject(tx))
            await destinations.pause(
                tx, "crm", by="orderhook", cause="auth", reason="The token is refused."
            )
        await budgets.make_known(store, "crm", [Limit("daily", 1000, DAY)])


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(
        cli,
        ["destinations", *words, "--config", str(config)],
        standalone_mode=False,
        env={"USER": "anna", "COLUMNS": "200"},
    )


def test_a_list_says_what_stands_in_the_way_and_how_to_go_on(config: Path) -> None:
    said = run(config, "list").stdout
    for words in (
        "paused",
        "daily: 1000 in 1 d, 0 gone",
        "The token is refused.",
        "orderhook destinations resume crm",
    ):
        assert words in said


def test_a_list_is_the_body_of_the_api(config: Path) -> None:
    (item,) = orjson.loads(run(config, "list", "--json").stdout)["items"]
    assert ("crm", "callback", "paused", "auth") == (
        item["name"],
        item["crm"],
        item["state"],
        item["paused"]["cause"],
    )
    assert ["daily"] == [each["limit"] for each in item["budgets"]]


def test_a_pause_and_a_resume_are_told_with_who_and_why(config: Path) -> None:
    paused = orjson.loads(run(config, "pause", "crm", "--reason", "They migrate.", "--json").stdout)
    assert ("paused", "cli:anna", "They migrate.") == (
        paused["state"],
        paused["paused"]["by"],
        paused["paused"]["reason"],
    )
    assert "crm is called again" in run(config, "resume", "crm", "--reason", "Done.").stdout
    (item,) = orjson.loads(run(config, "list", "--json").stdout)["items"]
    assert ("running", None) == (item["state"], item["paused"])


def test_a_name_nobody_configured_is_refused(config: Path) -> None:
    said = run(config, "pause", "crmm", "--reason", "x")
    assert isinstance(said.exception, NotFound)
    assert "configured are: crm" in str(said.exception)
