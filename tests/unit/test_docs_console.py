"""The page about the console names every act of it, the API and the command that do the same."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import pytest
import yaml

from service.cli.main import cli
from service.settings import Auth
from service.web.console import site
from service.web.console.routes import Console

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "console.md").read_text("utf-8")
TABLE = re.findall(r"^\| `POST (/\S+)` \| `([A-Z]+) (/\S+)` \| `([a-z ]+)` \|$", PAGE, re.MULTILINE)
API: dict[str, Any] = yaml.safe_load((ROOT / "openapi.yaml").read_text("utf-8"))["paths"]


def test_every_act_of_the_console_is_in_the_table() -> None:
    nobody: Any = None
    console = Console(nobody, Auth(), lambda: datetime.now(UTC))
    acts = [
        re.sub(r"\{(\w+):.*?\}(?=/|$)", r"{\1}", route.path)
        for route in site.routes(console)
        if route.method != "GET" and route.least is not None
    ]
    assert sorted(acts) == sorted(path for path, _, _, _ in TABLE)


@pytest.mark.parametrize(("method", "path"), [row[1:3] for row in TABLE])
def test_the_api_can_do_it_too(method: str, path: str) -> None:
    assert method.lower() in API[path]


@pytest.mark.parametrize("words", [row[3] for row in TABLE])
def test_the_command_line_can_do_it_too(words: str) -> None:
    found: click.Command | None = cli
    for word in words.split():
        assert isinstance(found, click.Group)
        found = found.get_command(click.Context(found), word)
    assert found is not None
    assert not isinstance(found, click.Group)


def test_every_picture_is_shown() -> None:
    shown = set(re.findall(r"\]\(console/([\w-]+)\.png\)", PAGE))
    taken = {file.stem for file in (ROOT / "docs" / "console").glob("*.png")}
    assert shown == taken - {"order-dark"}
