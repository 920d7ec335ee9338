"""The REST CRM of the recipe, run as its page says, and every addition the page shows."""

import json
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
from yarl import URL

from service.app.known import KNOWN
from service.sandbox.dialects.base import running
from service.sandbox.dialects.plainrest import PlainRest
from service.settings import Destination, load
from service.worker.crms.base import Class, Known, Record, Records, Wanted, Write
from service.worker.crms.kind import Tools
from service.worker.crms.rest import KIND
from tests.contract import peers

TEXT = Path("docs/recipes/rest-crm.md").read_text("utf-8")
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TEXT, re.DOTALL)
TOML = dict(BLOCKS)["toml"]
ADDED = [text for kind, text in BLOCKS if kind == "add"]
FRAME = '[store]\nurl = "embedded"\n[broker]\nurl = "embedded"\n[auth]\njwt_secret = "env:JWT"\n'
SECRET = "0123456789abcdef" * 2


def loaded(tables: Mapping[str, Any], folder: Path) -> Destination:
    """The destination as `orderhook check` reads it."""
    file = folder / "orderhook.toml"
    file.write_text(FRAME)
    environ = {"JWT": SECRET, "CRM_TOKEN": SECRET, "CRM_SIGNING_KEY": SECRET}
    # JSON is what TOML says as well; the file itself needs no second writer.
    text = FRAME + written(tables)
    file.write_text(text, "utf-8")
    return load(file, environ, known=KNOWN).destinations["shop"]


def written(tables: Mapping[str, Any]) -> str:
    (table,) = tables["destinations"].values()
    lines = [f"{json.dumps(key)} = {inline(value)}" for key, value in table.items()]
    return "\n".join(["[destinations.shop]", *lines, ""])


def inline(value: Any) -> str:
    match value:
        case dict():
            pairs = [f"{json.dumps(key)} = {inline(each)}" for key, each in value.items()]
            return "{ " + ", ".join(pairs) + " }"
        case list():
            return "[" + ", ".join(map(inline, value)) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def merged(base: Any, more: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(more, dict)):
        return more
    return {**base, **{key: merged(base.get(key), value) for key, value in more.items()}}


def with_head(added: str) -> str:
    """Keys before the first table belong to the destination itself."""
    return f"[destinations.shop]\n{added}" if not added.startswith("[") else added


class Heard:
    """Each call that left: method, path with query, and JSON body."""

    def __init__(self) -> None:
        self.calls: list[list[Any]] = []
        self.trace = aiohttp.TraceConfig()
        self.trace.on_request_start.append(self._start)
        self.trace.on_request_chunk_sent.append(self._chunk)

    async def _start(
        self, _: object, __: SimpleNamespace, said: aiohttp.TraceRequestStartParams
    ) -> None:
        self.calls.append([said.method, URL(said.url).raw_path_qs, None])

    async def _chunk(
        self, _: object, __: SimpleNamespace, said: aiohttp.TraceRequestChunkSentParams
    ) -> None:
        if said.chunk:
            self.calls[-1][2] = json.loads(said.chunk)


def test_the_recipe_has_fifteen_lines() -> None:
    assert 15 == len(TOML.splitlines())


async def test_the_recipe_calls_what_its_page_says(tmp_path: Path) -> None:
    rule = loaded(tomllib.loads(TOML), tmp_path)
    heard, dialect = Heard(), PlainRest()
    dialect.token = SECRET
    entry = dialect.seed("A/1 & B", status="paid")
    async with running(dialect) as url, aiohttp.ClientSession(trace_configs=[heard.trace]) as out:
        rule = rule.model_copy(update={"url": f"{url}/api"})
        crm = KIND.build(rule, Tools(out, peers.Time(), peers.Purse()))
        assert isinstance(crm, Records)
        target = crm.targets["order"]
        [[found]] = [list(each) for each in await crm.find([Wanted(target, "A/1 & B")])]  # type: ignore[arg-type]
        row = Write(
            peers.change("A/1 & B"),
            target,
            "A/1 & B",
            "shipped",
            {"tracking": "TRK-77"},
            remote_id=found.remote_id,
        )
        [answer] = await crm.write_batch([row])
        [read] = await crm.read_many([Known(target, entry.id, ["tracking"])])
    assert Class.OK == answer.kind, answer
    assert isinstance(read, Record)
    assert ("shipped", {"tracking": "TRK-77"}) == (read.status, read.fields)
    assert json.loads(dict(BLOCKS)["calls"]) == heard.calls


@pytest.mark.parametrize("added", ADDED, ids=lambda text: text.strip().splitlines()[-1][:40])
def test_every_addition_of_the_page_loads(added: str, tmp_path: Path) -> None:
    base = tomllib.loads(TOML)
    more = tomllib.loads(with_head(added))
    rule = loaded(merged(base, more), tmp_path)
    assert rule.rest is not None
