"""`orderhook init --destination`: for every kind a table that holds, and what to do over there."""

import base64
import tomllib
from pathlib import Path
from typing import Any

import pytest

from service.worker.crms.registry import CRMS
from tests.integration.test_first_sources import orderhook

NAMES = {kind.name: f"our-{kind.name}" for kind in CRMS}
GIVEN = {
    "our-bitrix24-destination-token": "14/abcdefgh12345678",
    "our-erpnext-destination-token": "key:secret",
    "our-rabbitmq-destination-secret": "amqps://user:password@esb.example.com/orders",
}


def document(folder: Path) -> dict[str, Any]:
    return tomllib.loads((folder / "orderhook.toml").read_text())


def fill(folder: Path) -> list[str]:
    """Put the secrets where the configuration looks for them, as a person would."""
    text = str(document(folder)["destinations"])
    names = {part.split("'")[0] for part in text.split("file:secrets/")[1:]}
    missing = sorted(name for name in names if not (folder / "secrets" / name).exists())
    for name in missing:
        (folder / "secrets" / name).write_text(GIVEN.get(name, "what-they-gave-us"))
    return missing


def test_every_kind_can_be_begun_with(tmp_path: Path) -> None:
    words = [f"--destination={name}={kind}" for kind, name in NAMES.items()]
    made = orderhook("init", *words, cwd=tmp_path)
    assert (0, "") == (made.returncode, made.stderr)
    for kind in CRMS:
        assert f"{NAMES[kind.name]}: {kind.title}" in made.stdout
        for step in kind.setup.strip().splitlines():
            assert f"  {step}\n" in made.stdout
    empty = orderhook("check", cwd=tmp_path)
    assert 2 == empty.returncode
    assert "Create it" in empty.stderr
    for name in fill(tmp_path):
        assert f"secrets/{name}" in made.stdout
    checked = orderhook("check", cwd=tmp_path)
    assert (0, "") == (checked.returncode, checked.stderr)
    assert f"{len(CRMS)} destinations" in checked.stdout
    kept = [file for file in (tmp_path / "secrets").iterdir() if file.name not in GIVEN]
    fresh = [file for file in kept if file.read_text() != "what-they-gave-us"]
    assert {0o600} == {file.stat().st_mode & 0o777 for file in fresh}


def test_a_crm_that_keeps_records_begins_in_shadow(tmp_path: Path) -> None:
    assert 0 == orderhook("init", "--destination=crm=hubspot", cwd=tmp_path).returncode
    said = document(tmp_path)
    assert said["destinations"]["crm"]["shadow"]
    assert ["crm"] == said["routes"][0]["destinations"]
    assert "shop" in said["sources"]


@pytest.mark.parametrize("words", [(), ("--destination=crm=zoho",)])
def test_there_is_a_key_to_seal_what_is_kept(tmp_path: Path, words: tuple[str, ...]) -> None:
    assert 0 == orderhook("init", *words, cwd=tmp_path).returncode
    assert ["file:secrets/server-key"] == document(tmp_path)["server"]["keys"]
    assert 32 == len(base64.b64decode((tmp_path / "secrets" / "server-key").read_text()))


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--destination=hubspot"], "NAME=KIND"),
        (["--destination=crm=hubspott"], 'Did you mean "hubspot"?'),
        (["--destination=crm=hubspot", "--destination=crm=zoho"], "crm twice"),
        (["--destination=crm=hubspot", "--from-capture=shop"], "--from-capture adds to one"),
    ],
)
def test_what_names_no_destination_is_said(tmp_path: Path, words: list[str], said: str) -> None:
    done = orderhook("init", *words, cwd=tmp_path)
    assert 2 == done.returncode
    assert said in done.stderr
    assert not (tmp_path / "orderhook.toml").exists()


def test_check_asks_the_adapters_themselves(tmp_path: Path) -> None:
    assert 0 == orderhook("init", "--destination=crm=monday", cwd=tmp_path).returncode
    fill(tmp_path)
    file = tmp_path / "orderhook.toml"
    file.write_text(file.read_text().replace('"4150868001"', '"the board"'))
    done = orderhook("check", cwd=tmp_path)
    assert 2 == done.returncode
    line = file.read_text().splitlines().index('crm = "monday"') + 1
    assert f"line {line}, destinations.crm.crm: monday needs objects.order" in done.stderr


def test_check_sees_that_an_exchange_has_no_broker(tmp_path: Path) -> None:
    assert 0 == orderhook("init", "--destination=esb=rabbitmq", cwd=tmp_path).returncode
    file = tmp_path / "orderhook.toml"
    text = file.read_text().replace('secret = "file:secrets/esb-destination-secret"\n', "")
    file.write_text(text)
    fill(tmp_path)
    done = orderhook("check", cwd=tmp_path)
    assert 2 == done.returncode
    assert "destinations.esb: esb has no broker to publish to" in done.stderr
