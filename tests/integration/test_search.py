"""Searching by any number, and the board by status: bodies, refusals, and the plans behind them."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import UUID

import aiohttp
import pytest
from click.testing import CliRunner

from service.cli.main import cli
from service.domain.errors import NotFound
from service.domain.lifecycles import LIFECYCLES
from service.ops import board, search
from service.ops.lookups import Body
from service.store import board as boards
from service.store import pool
from service.store import search as searches
from service.store.ids import new_id
from service.store.pool import Pool, transaction
from tests import internals, rows

pytestmark = pytest.mark.postgres


@pytest.fixture
async def store(database: str) -> AsyncIterator[Pool]:
    async with pool.opened(database, size=2) as opened:
        yield opened


async def _find(store: Pool, text: str) -> Body:
    return await search.find(store, text, lifecycles=LIFECYCLES)


async def _subjects(store: Pool, text: str) -> list[str]:
    return [item["subject"] for item in (await _find(store, text))["items"]]


async def test_any_number_of_an_order_leads_to_it(store: Pool) -> None:
    async with transaction(store) as tx:
        order = await rows.subject(tx, ref="1001", scope="shop-eu")
        await rows.subject(tx, ref="1002")
        await rows.alias(tx, order, type="tracking:cdek", value="CD77")
        await rows.alias(tx, order, type="payment", value="pi_9")
        await rows.sync(tx, order, remote_id="deal-5")
        event = await rows.event(tx, "applied", ref="1001", scope="shop-eu")
    for text in (
        *("1001", "#1001", "shop-eu:1001", "order/shop-eu:1001", " 1001 "),
        *("CD77", "cd77", "tracking:cdek=CD77", "pi_9", "deal-5", "crm=deal-5", str(event)),
    ):
        assert ["order/shop-eu:1001"] == await _subjects(store, text), text
    found = (await _find(store, "cd77"))["items"][0]["found"]
    assert {"by": "alias", "type": "tracking:cdek", "value": "CD77"} == found


async def test_only_where_nothing_is_exactly_so_the_beginning_counts(store: Pool) -> None:
    async with transaction(store) as tx:
        for ref in ("10", "100", "101", "11"):
            await rows.subject(tx, ref=ref)
        await rows.alias(tx, await rows.subject(tx, ref="7"), value="10-parcel")
    assert ["order/10"] == await _subjects(store, "10")
    assert ["order/7"] == await _subjects(store, "10-")
    assert ["order/10", "order/100", "order/7", "order/101", "order/11"] == sorted(
        await _subjects(store, "1"),
        key=["order/10", "order/100", "order/7", "order/101", "order/11"].index,
    )
    assert not (await _find(store, "1"))["exact"]
    for hostile in ("%", "_", "\\", "'; --", "\U0010ffff", "1\U0010ffff", "=", "/", ":"):
        assert [] == await _subjects(store, hostile), hostile


async def test_a_name_that_was_denied_or_taken_back_leads_nowhere(store: Pool) -> None:
    async with transaction(store) as tx:
        order = await rows.subject(tx)
        await rows.alias(tx, order, value="gone", revoked_at=rows.AT)
        await rows.alias(tx, order, value="denied", kind="denial")
    assert [] == await _subjects(store, "gone")
    assert [] == await _subjects(store, "denied")


async def test_a_merged_order_is_found_as_the_one_that_stands_for_it(store: Pool) -> None:
    async with transaction(store) as tx:
        order = await rows.subject(tx)
        await rows.subject(tx, ref="1002", merged_into=order)
    assert ["order/1001"] == await _subjects(store, "1002")


async def test_events_that_wait_for_the_name_are_told(store: Pool) -> None:
    async with transaction(store) as tx:
        event = await rows.event(tx, "waiting", ref=None)
        await rows.waiting(tx, event)
    found = await _find(store, "123")
    assert [str(event)] == [each["event_id"] for each in found["waiting"]]
    assert [] == found["items"]


async def test_an_event_without_an_order_is_found_by_its_id(store: Pool) -> None:
    async with transaction(store) as tx:
        event = await rows.event(tx, "dead", ref=None)
    found = await _find(store, str(event))
    assert (str(event), [], True) == (found["event_id"], found["items"], found["exact"])
    assert (await _find(store, str(new_id())))["event_id"] is None


async def test_the_board_counts_by_status_and_shows_the_newest(store: Pool) -> None:
    async with transaction(store) as tx:
        for number in range(3):
            await rows.subject(tx, ref=f"p{number}", status="paid", flags=["shipped_unpaid"])
        survivor = await rows.subject(tx, ref="s", status="shipped")
        await rows.subject(tx, ref="m", status="paid", merged_into=survivor)
        await rows.subject(tx, ref="old", status="a_former_word")
        await rows.subject(tx, ref="t", status="open", lifecycle="ticket")
    body = await board.read(store, "order", lifecycles=LIFECYCLES, newest=2)
    counted = {each["status"]: each["count"] for each in body["statuses"] if each["count"]}
    assert {"paid": 3, "shipped": 1, "a_former_word": 1} == counted
    [paid] = [each for each in body["statuses"] if each["status"] == "paid"]
    assert (2, False) == (len(paid["newest"]), paid["more"])
    assert "new" == body["statuses"][0]["status"]
    [flag] = [each for each in body["flags"] if each["count"]]
    assert ("shipped_unpaid", 3) == (flag["flag"], flag["count"])
    assert set(LIFECYCLES) == set(body["lifecycles"])


async def test_a_board_of_no_lifecycle_is_refused(store: Pool) -> None:
    with pytest.raises(NotFound, match="There is no lifecycle nothing"):
        await board.read(store, "nothing", lifecycles=LIFECYCLES)


async def test_the_search_and_the_board_go_by_their_indexes(store: Pool) -> None:
    """Without statistics the planner would rather read a small table whole."""
    values: list[object] = [["1"], [], [], [], None, UUID(int=0), 200]
    async with transaction(store) as tx:
        await tx.execute("SET LOCAL enable_seqscan = off")
        exact = await _plan(tx, searches.SQL["exact"], *values)
        beginning = await _plan(tx, searches.SQL["beginning"], "1", "2", None, 200)
        counts = await _plan(tx, boards.SQL["counts"], "order", 10)
        newest = await _plan(tx, boards.SQL["newest"], "order", ["paid"], 5)
    for index in ("subjects_ref", "aliases_value", "syncs_remote"):
        assert index in exact
    for index in ("subjects_ref", "aliases_value"):
        assert index in beginning
    assert "Sort Key: s.ref" not in beginning
    assert "subjects_board" in counts
    assert "subjects_board" in newest


async def _plan(tx: pool.Connection, statement: str, *values: object) -> str:
    return "\n".join(row[0] for row in await tx.fetch(f"EXPLAIN {statement}", *values))


CONFIG = """
[server]
data_dir = "{folder}"
sandbox = true
[store]
url = "plain:{dsn}"
[broker]
url = "embedded"
"""


async def test_the_command_line_finds_and_says_why_an_order_is_stuck(
    database: str, tmp_path: Path, store: Pool
) -> None:
    async with transaction(store) as tx:
        order = await rows.subject(tx)
        await rows.alias(tx, order)
        waiting = await rows.event(tx, "waiting", ref=None)
        await rows.waiting(tx, waiting)
        await rows.sync(tx, order, state="dead", synced_version=0, error="HTTP 404 Not Found")
    file = tmp_path / "orderhook.toml"
    file.write_text(CONFIG.format(folder=tmp_path, dsn=database))

    async def run(*words: str) -> str:
        line = ["orders", *words, "--config", str(file)]
        said = await asyncio.to_thread(CliRunner().invoke, cli, line, standalone_mode=False)
        assert said.exception is None, said.output
        return said.stdout

    found = await run("list", "--search", "123")
    assert "order/1001" in found
    assert f"the event {waiting} of shop waits for tracking:cdek=123" in found
    listed = json.loads(await run("list", "--search", "1001", "--json"))
    assert ["order/1001"] == [each["subject"] for each in listed["items"]]
    assert "stuck: crm was not told, and will not be: HTTP 404 Not Found." in await run(
        "show", "1001"
    )
    assert "paid" in await run("board")
    alone = CliRunner().invoke(
        cli, ["orders", "list", "--search", "1", "--ref", "2"], standalone_mode=True
    )
    assert "--search goes alone" in alone.output


async def test_the_api_searches_and_shows_the_board(database: str, store: Pool) -> None:
    async with transaction(store) as tx:
        await rows.subject(tx, flags=["shipped_unpaid"])
    async with internals.opened(database) as url, aiohttp.ClientSession() as session:

        async def ask(path: str) -> tuple[int, Body]:
            async with session.get(f"{url}/api/v1{path}", headers=internals.bearer()) as answer:
                return answer.status, await answer.json(content_type=None)

        status, found = await ask("/subjects?q=1001")
        assert (200, ["order/1001"]) == (status, [each["subject"] for each in found["items"]])
        status, shown = await ask("/board?newest=1")
        assert (200, "order") == (status, shown["lifecycle"])
        status, choices = await ask("/lifecycles")
        assert (200, "order") == (status, choices["items"][0]["lifecycle"])
        for path, expected in (
            ("/subjects?q=1&ref=2", 400),
            ("/subjects?q=", 400),
            ("/board?newest=21", 400),
            ("/board?newest=x", 400),
            ("/board?lifecycle=nothing", 404),
            ("/lifecycles?x=1", 400),
        ):
            assert expected == (await ask(path))[0], path
