"""Writes the lists of docs/providers.md and docs/crms.md from the presets and kinds.

.venv/bin/python -m tests.write_docs
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from service.cli.crm_words import abilities, quotas
from service.intake.preset import Preset
from service.intake.providers.registry import PRESETS
from service.worker.crms.kind import Kind
from service.worker.crms.registry import CRMS

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "providers.md"
CRM_PAGE = DOCS / "crms.md"
HEAD = ("provider", "system", "category", "how it proves itself", "identity of an event", "proof")
CRM_HEAD = ("crm", "system", "orders are", "let in by", "promise", "quotas it keeps")


def presets() -> str:
    return table(HEAD, [row(preset) for preset in PRESETS])


def row(preset: Preset) -> tuple[str, ...]:
    by = f": {preset.proof.by}" if preset.proof.by else ""
    cells = (
        preset.title,
        preset.category,
        preset.scheme,
        preset.identity,
        f"{preset.proof.kind}{by}",
    )
    return (f"`{preset.name}`", *cells)


def doubts() -> str:
    lines = [f"* `{each.name}`: {' '.join(each.doubts)}" for each in PRESETS if each.doubts]
    return "\n".join(lines)


def kinds() -> str:
    return table(CRM_HEAD, [kind_row(kind) for kind in CRMS])


def kind_row(kind: Kind) -> tuple[str, ...]:
    order = (kind.targets or {}).get("order")
    oauth = [f"oauth ({grant})" for grant in kind.oauth.grants] if kind.oauth else []
    return (
        f"`{kind.name}`",
        kind.title,
        f"`{order.object}`"
        if order and order.object
        else "told"
        if order is None
        else "as configured",
        ", ".join([*(["token"] if kind.token else []), *oauth]) or "secret",
        kind.promise,
        "; ".join(f"{_code(names)} {said}" for names, said in quotas(kind)),
    )


def _code(names: Sequence[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def capabilities() -> str:
    lines = [f"* `{kind.name}`: {'; '.join(can)}." for kind in CRMS if (can := abilities(kind))]
    return "\n".join(lines)


def options() -> str:
    head = ("crm", "option", "what it is", "example")
    rows = [
        (f"`{kind.name}`", f"`{option.name}`", option.what, f"`{option.example}`")
        for kind in CRMS
        for option in kind.options
    ]
    return table(head, rows)


def kind_doubts() -> str:
    lines = [f"* `{kind.name}`: {' '.join(kind.doubts)}" for kind in CRMS if kind.doubts]
    return "\n".join(lines)


def table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    body = [tuple(cell.replace("|", "\\|") for cell in cells) for cells in rows]
    lines = [head, ("---",) * len(head), *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def written(page: str) -> str:
    """Put the lists of the senders between their marks."""
    return filled(page, {"presets": presets(), "doubts": doubts()})


def crms_written(page: str) -> str:
    """Put the lists of the destinations between their marks."""
    texts = {"kinds": kinds(), "capabilities": capabilities(), "options": options()}
    return filled(page, {**texts, "doubts": kind_doubts()})


def filled(page: str, texts: Mapping[str, str]) -> str:
    for name, text in texts.items():
        head, first, rest = page.partition(f"<!-- {name} -->\n")
        _, last, tail = rest.partition(f"<!-- /{name} -->")
        page = f"{head}{first}{text}\n{last}{tail}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    CRM_PAGE.write_text(crms_written(CRM_PAGE.read_text("utf-8")), "utf-8")
