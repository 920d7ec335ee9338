"""Writes the lists of docs/providers.md, crms.md and reliability.md from what they are lists of.

.venv/bin/python -m tests.write_docs
"""

import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from service.cli.crm_words import abilities, quotas
from service.intake.preset import Preset
from service.intake.providers.registry import PRESETS
from service.worker.crms.kind import Kind
from service.worker.crms.registry import CRMS
from tests.torture.faults import registry

DOCS = Path(__file__).parent.parent / "docs"
PAGE = DOCS / "providers.md"
CRM_PAGE = DOCS / "crms.md"
RELIABILITY = DOCS / "reliability.md"
PAGES = DOCS / "torture"
TOLD = ("Events", "Kills", "Load", "Seeds", "Away", "Restarts", "Lost with", "Found")
"""How the lines of a page begin that docs/reliability.md repeats."""
HEAD = ("provider", "system", "category", "how it proves itself", "identity of an event", "proof")
CRM_HEAD = ("crm", "system", "orders are", "let in by", "promise", "quotas it keeps")

FAULT_HEAD = ("", "injected", "on", "how")
INJECTORS: Mapping[str, str] = {
    "F1": "SIGKILL and SIGSTOP; the fault point between commit and answer",
    "F2": "the same; fault points at claim and confirm",
    "F3": "the same; fault points around fold, intent, call and record; messages let go of",
    "F4": "SIGKILL to the postmaster and all its children",
    "F5": "SIGSTOP to the same",
    "F6": "`pg_terminate_backend`, again and again",
    "F7": "an immediate shutdown, again and again",
    "F8": "a proxy swallows what the server says",
    "F9": "`strace` makes `fdatasync` fail with EIO",
    "F10": "`strace` delays `fdatasync` by 500 ms",
    "F11": "its disk is a file system in a file, filled up",
    "F12": "strangers hold every connection",
    "F13": "`LOCK TABLE`; an idle REPEATABLE READ transaction",
    "F14": "rows locked in an order that nobody else uses",
    "F15": "`ALTER SYSTEM SET default_transaction_read_only`",
    "F16": "SIGKILL to the server",
    "F17": "SIGSTOP to the server",
    "F18": "`set_vm_memory_high_watermark 0.00001`",
    "F19": "`set_disk_free_limit 900GB`",
    "F20": "`close_all_connections`, again and again",
    "F21": "purged, deleted, unbound, or fed by a client of its own",
    "F22": "deleted, declared, filled, and the server killed at once",
    "F23": "stopped, its data directory removed, started",
    "F24": "a proxy holds the server's frames back",
    "F25": "`consumer_timeout` of 5 s, and a worker that stands still",
    "F26": "a policy with `max-length` 1",
    "F27": "a proxy on any of our lines; `nft` for the loss",
    "F28": "a proxy holds both ways, or closes one",
    "F29": "the CRM of the harness does so; a proxy; SIGKILL and SIGSTOP; an address that is none",
    "F30": "libfaketime, moved while the process runs; time-outs go by the monotonic clock",
    "F31": "control groups, `prlimit`; a blocked event loop comes with F33",
    "F32": "a fault point; the file cut; the file zeroed but for what `strace` saw synced",
    "F33": "fault points: the task is cancelled there, or its event loop stands still for 2 s",
    "F34": "SIGSTOP for longer than a lease; one relay more",
    "F35": "SIGTERM to one after the other; `orderhook migrate`",
    "F36": "the file removed, then SIGHUP; `orderhook events replay`",
}


def faults() -> str:
    """A row for each number of the fault list, by what stands for it."""
    rows = []
    for code, how in INJECTORS.items():
        found = [each for each in registry.FAULTS if each.code == code]
        targets = sorted({each.target for each in found})
        rows.append((code, "; ".join(each.name for each in found), ", ".join(targets), how))
    return table(FAULT_HEAD, rows)


def absent() -> str:
    return "\n".join(f"* {fault}: {why}." for fault, why in registry.ABSENT.items())


def measured() -> str:
    """Every committed page by its title, with what it says of how much was done."""
    lines = []
    for page in sorted(file for file in PAGES.glob("*.md") if file.name != "README.md"):
        text = page.read_text("utf-8").splitlines()
        told = [line for line in text if line.startswith(tuple(f"- {word}" for word in TOLD))]
        told += [f"- {line}" for line in text if re.match(r"[\d,]+ of [\d,]+ ", line)]
        demanded = [line for line in text if line.startswith("| ") and "| yes |" in line]
        lines.append(f"* [{text[0].removeprefix('# ')}](torture/{page.name})")
        lines += [f"  {line}" for line in told]
        lines += [f"  - {_held(line)}" for line in demanded]
    return "\n".join(lines)


def _held(row: str) -> str:
    """One line of a table: what was demanded, and what was seen."""
    what, *_, seen = (cell.strip() for cell in row.strip("|").split("|"))
    return f"{what}: {seen}"


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


def reliability_written(page: str) -> str:
    """Put the faults and the committed pages between their marks."""
    return filled(page, {"faults": faults(), "absent": absent(), "measured": measured()})


def filled(page: str, texts: Mapping[str, str]) -> str:
    for name, text in texts.items():
        head, first, rest = page.partition(f"<!-- {name} -->\n")
        _, last, tail = rest.partition(f"<!-- /{name} -->")
        page = f"{head}{first}{text}\n{last}{tail}"
    return page


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    CRM_PAGE.write_text(crms_written(CRM_PAGE.read_text("utf-8")), "utf-8")
    RELIABILITY.write_text(reliability_written(RELIABILITY.read_text("utf-8")), "utf-8")
