"""The documents say what the program does, and nothing else."""

import re
from pathlib import Path

import pytest

from service import __version__
from service.cli.main import VERBS
from service.intake.providers.registry import PRESETS
from service.worker.crms.registry import CRMS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
DOCUMENTS = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])


def test_the_readme_names_exactly_the_verbs_there_are() -> None:
    listed = README.partition("\nCommands: ")[2].partition("; each has")[0]
    assert sorted(re.findall(r"`(\w+)`", listed)) == sorted(VERBS)


def test_every_command_in_the_readme_is_one_of_ours() -> None:
    used = re.findall(r"^\$ orderhook (\w+)", README, re.MULTILINE)
    assert used
    assert set(VERBS) >= set(used)


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda file: str(file.relative_to(ROOT)))
def test_every_link_to_a_file_leads_somewhere(document: Path) -> None:
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", document.read_text("utf-8"))
    missing = [link for link in links if not (document.parent / link).exists()]
    assert missing == []


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_every_provider_is_documented_and_has_golden_requests(preset: object) -> None:
    name = getattr(preset, "name", "")
    assert f"`{name}`" in (ROOT / "docs" / "providers.md").read_text("utf-8")
    assert list((ROOT / "tests" / "golden" / name).glob("*.json"))


@pytest.mark.parametrize("kind", CRMS, ids=lambda kind: kind.name)
def test_every_kind_of_destination_is_in_the_configuration_page(kind: object) -> None:
    page = (ROOT / "docs" / "configuration.md").read_text("utf-8")
    assert f'"{getattr(kind, "name", "")}"' in page


def test_adrs_are_numbered_without_a_gap() -> None:
    numbers = sorted(int(file.name[:4]) for file in (ROOT / "docs" / "adr").glob("*.md"))
    assert numbers == list(range(1, len(numbers) + 1))


def test_the_version_is_one() -> None:
    assert f'version = "{__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")
    assert f"version: {__version__}" in (ROOT / "openapi.yaml").read_text("utf-8")
