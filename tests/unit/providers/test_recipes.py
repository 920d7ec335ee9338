"""Every recipe of the documentation does what its page says."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from service.app.known import KNOWN
from service.domain.events import Fate, Statement, Subject
from service.domain.lifecycles import LIFECYCLES
from service.intake.provider import Genuine, RawRequest
from service.intake.providers.registry import preset
from service.sandbox import senders
from service.settings import Source, load

# Pages with a hyphen in their name describe destinations; tests/contract/test_rest.py runs them.
RECIPES = sorted(path for path in Path("docs/recipes").glob("[a-z]*.md") if "-" not in path.stem)
AT = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
BLOCK = re.compile(r"```(\w+)\n(.*?)```", re.DOTALL)
FRAME = """
[store]
url = "env:DATABASE_URL"
[broker]
url = "env:AMQP_URL"
[auth]
jwt_secret = "env:JWT"
[server]
data_dir = "{data}"
"""


def page(path: Path) -> dict[str, str]:
    return dict(BLOCK.findall(path.read_text("utf-8")))


def configured(path: Path, data: Path) -> Source:
    toml = page(path)["toml"]
    file = data / "orderhook.toml"
    file.write_text(FRAME.format(data=data) + toml, "utf-8")
    environ = dict.fromkeys(
        re.findall(r"env:(\w+)", toml + FRAME), "user:a-secret-that-is-long-enough-for-all"
    )
    environ |= {"DATABASE_URL": "postgresql://127.0.0.1/x", "AMQP_URL": "amqp://127.0.0.1"}
    settings = load(file, environ, known=KNOWN)
    (source,) = settings.sources.values()
    return source


def posted(source: Source, path: Path) -> RawRequest:
    blocks = page(path)
    body = next(text for form, text in blocks.items() if form in {"json", "xml", "form"}).strip()
    signed = senders.sign(source, body.encode(), at=AT, key="evt-1")
    headers = tuple((name.lower(), value) for name, value in signed.headers.items())
    return RawRequest("POST", f"/webhooks/{source.name}", signed.query, headers, signed.body, AT)


def shown(said: Statement) -> dict[str, Any]:
    named = said.ref is not None
    assert named or said.aliases
    told = {
        "subject": str(Subject(said.lifecycle, said.scope, said.ref or "")) if named else "",
        "parcel": said.parcel,
        "lane": said.lane,
        "status": said.status,
        "occurred_at": said.occurred_at.strftime("%Y-%m-%dT%H:%M:%SZ") if said.occurred_at else "",
        "aliases": [str(alias) for alias in said.aliases],
        "attributes": said.attributes,
    }
    return {name: value for name, value in told.items() if value}


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_a_recipe_does_what_its_page_says(path: Path, tmp_path: Path) -> None:
    source = configured(path, tmp_path)
    provider = preset("generic").build(source)
    request = posted(source, path)
    assert provider.verify(request, now=AT) == Genuine()
    said = provider.parse(request)
    assert [each.fate for each in said] == [Fate.FOLD] * len(said)
    assert [shown(each) for each in said] == json.loads(page(path)["events"])
    for each in said:
        lifecycle = LIFECYCLES[each.lifecycle]
        assert each.status is None or lifecycle.find(each.lane, each.status) is not None


def test_the_list_of_recipes_is_complete() -> None:
    listed = set(re.findall(r"\]\((\w+)\.md\)", Path("docs/recipes/README.md").read_text("utf-8")))
    assert listed == {path.stem for path in RECIPES}
    assert len(RECIPES) >= 11
