"""Writes the lists of docs/providers.md from the presets.

.venv/bin/python -m tests.write_docs
"""

from pathlib import Path

from service.intake.preset import Preset
from service.intake.providers.registry import PRESETS

PAGE = Path(__file__).parent.parent / "docs" / "providers.md"
HEAD = ("provider", "system", "category", "how it proves itself", "identity of an event", "proof")


def presets() -> str:
    lines = [HEAD, ("---",) * len(HEAD), *map(row, PRESETS)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def row(preset: Preset) -> tuple[str, ...]:
    by = f": {preset.proof.by}" if preset.proof.by else ""
    cells = (
        preset.title,
        preset.category,
        preset.scheme,
        preset.identity,
        f"{preset.proof.kind}{by}",
    )
    return (f"`{preset.name}`", *(cell.replace("|", "\\|") for cell in cells))


def doubts() -> str:
    lines = [f"* `{each.name}`: {' '.join(each.doubts)}" for each in PRESETS if each.doubts]
    return "\n".join(lines)


def written(page: str) -> str:
    """Put the lists between their marks."""
    for name, text in (("presets", presets()), ("doubts", doubts())):
        head, first, rest = page.partition(f"<!-- {name} -->\n")
        _, last, tail = rest.partition(f"<!-- /{name} -->")
        page = f"{head}{first}{text}\n{last}{tail}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
