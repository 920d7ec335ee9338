"""`orderhook dead` as people and scripts use it."""

import asyncio
from pathlib import Path

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli.main import cli
from service.store import pool
from service.store.pool import transaction
from tests.integration.test_dead_letters import dead_event, dead_sync

pytestmark = pytest.mark.postgres

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
def config(tmp_path: Path, database: str) -> Path:
    asyncio.run(_fill(database))
    file = tmp_path / "orderhook.toml"
    file.write_text(CONFIG.format(folder=tmp_path, dsn=database))
    return file


async def _fill(dsn: str) -> None:
    async with pool.opened(dsn, size=1) as store, transaction(store) as tx:
        await dead_event(tx, ref="1")
        for ref in ("2", "3"):
            await dead_sync(tx, ref)


def run(config: Path, *words: str, answer: str | None = None) -> Result:
    return CliRunner().invoke(
        cli,
        ["dead", *words, "--config", str(config)],
        input=answer,
        standalone_mode=False,
        env={"USER": "anna"},
    )


def test_queues_name_the_remedy(config: Path) -> None:
    said = run(config, "queues").stdout
    assert "refused  2" in said
    assert "orderhook events replay" in said


def test_a_list_can_be_narrowed_and_a_letter_shown(config: Path) -> None:
    [item] = orjson.loads(run(config, "list", "--kind", "event", "--json").stdout)["items"]
    assert "order/1" == item["subject"]
    assert item == orjson.loads(run(config, "show", item["id"], "--json").stdout)
    assert "unmapped" in run(config, "show", item["id"]).stdout
    assert "unmapped" in run(config, "list", "--reason", "unmapped").stdout


def test_a_dry_run_prints_the_body_of_the_api(config: Path) -> None:
    said = run(config, "redrive", "--destination", "crm", "--dry-run", "--json")
    assert {"job": None, "matched": 2, "would_write": 2, "already_right": 0} == orjson.loads(
        said.stdout
    )


def test_a_no_changes_nothing(config: Path) -> None:
    said = run(config, "redrive", "--destination", "crm", answer="n\n")
    assert said.exception is not None
    again = run(config, "redrive", "--destination", "crm", "--dry-run", "--json")
    assert 2 == orjson.loads(again.stdout)["would_write"]


def test_a_discard_runs_here_and_now(config: Path) -> None:
    said = run(config, "discard", "--all", "--because", "Tests.", "--yes", "--json")
    assert 0 == said.return_value
    assert 3 == orjson.loads(said.stdout)["matched"]
    assert "Nothing is dead." in run(config, "queues").stdout


def test_a_redrive_need_not_wait_for_workers(config: Path) -> None:
    said = run(config, "redrive", "--reason", "refused", "--no-wait", answer="y\n")
    assert "Redrive 2 letters?" in said.stdout
    said = run(config, "redrive", "--all", "--yes", "--no-wait")
    assert 0 == said.return_value
    assert "1/1" in said.stdout


@pytest.mark.parametrize(
    "words", [(), ("--all", "--reason", "x"), ("00000000-0000-0000-0000-000000000000", "--all")]
)
def test_exactly_one_way_to_choose(config: Path, words: tuple[str, ...]) -> None:
    said = run(config, "redrive", *words)
    assert "Say which letters" in str(said.exception)
