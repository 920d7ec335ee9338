"""`orderhook init --source`: for every preset a table that holds, and what to do for its sender."""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from service.intake.providers.registry import PRESETS
from tests import simulated

ROOT = Path(__file__).parents[2]
NAMES = {each.name: f"our-{each.name}" for each in PRESETS}


def orderhook(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *words],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def fill(folder: Path) -> None:
    """Put the secrets where the configuration looks for them, as a person would."""
    sources = tomllib.loads((folder / "orderhook.toml").read_text())["sources"]
    for rules in sources.values():
        pair = simulated.pair(rules["provider"], simulated.OLD)
        known = [each for each in (pair.verify_with, *pair.besides) if each is not None]
        given = {
            **dict(zip(rules.get("secrets", ()), known, strict="secrets" in rules)),
            **({rules["token"]: None} if "token" in rules else {}),
        }
        for reference, secret in given.items():
            path = folder / reference.removeprefix("file:")
            path.write_bytes(secret.reveal() if secret else b"what its API is shown")


def test_every_preset_can_be_begun_with(tmp_path: Path) -> None:
    words = [f"--source={name}={provider}" for provider, name in NAMES.items()]
    made = orderhook("init", *words, cwd=tmp_path)
    assert (0, "") == (made.returncode, made.stderr)
    for each in PRESETS:
        assert f"{NAMES[each.name]}: POST to http://127.0.0.1:8080/webhooks/" in made.stdout
        for step in each.setup.strip().splitlines():
            assert f"  {step}\n" in made.stdout
    empty = orderhook("check", cwd=tmp_path)
    assert 2 == empty.returncode
    assert "Create it" in empty.stderr
    fill(tmp_path)
    checked = orderhook("check", cwd=tmp_path)
    assert (0, "") == (checked.returncode, checked.stderr)
    assert f"{len(PRESETS)} sources" in checked.stdout
    kept = (tmp_path / "secrets").iterdir()
    assert {0o600} == {file.stat().st_mode & 0o777 for file in kept if file.name == "jwt"}


def test_a_source_may_have_the_name_of_another_secret(tmp_path: Path) -> None:
    made = orderhook("init", "--source=crm=retailcrm", cwd=tmp_path)
    assert 0 == made.returncode, made.stderr
    document = tomllib.loads((tmp_path / "orderhook.toml").read_text())
    references = document["sources"]["crm"]["url_token"], document["destinations"]["crm"]["secret"]
    assert ("file:secrets/crm-source", "file:secrets/crm") == references
    assert 0 == orderhook("check", cwd=tmp_path).returncode


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--source=stripe"], "NAME=PROVIDER"),
        (["--source=Shop=shopify"], "NAME=PROVIDER"),
        (["--source=shop=shopfy"], "shopify"),
        (["--source=shop=shopify", "--source=shop=stripe"], "twice"),
        (["--source=shop=shopify", "--from-capture=shop"], "--from-capture"),
    ],
)
def test_what_cannot_be_begun_with_is_said(words: list[str], said: str, tmp_path: Path) -> None:
    done = orderhook("init", *words, cwd=tmp_path)
    assert 2 == done.returncode
    assert said in done.stderr
    assert "Traceback" not in done.stderr
    assert [] == list(tmp_path.iterdir())
