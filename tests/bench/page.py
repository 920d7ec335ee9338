"""Fills the tables of docs/performance.md from docs/bench/*.json; what is not there is said.

.venv/bin/python -m tests.bench.page
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from tests.bench.console_intake import WANTED
from tests.bench.record import FOLDER, shown, summary
from tests.write_docs import filled, table

PAGE = FOLDER.parent / "performance.md"
NOT_YET = "not measured yet"
HEAD = ("measure", "baseline", "ours", "ratio (min-max)", "target", "stretch", "reached")
STAGE_HEAD = ("stage", "process", "its own µs", "PostgreSQL µs", "RabbitMQ µs")
SIZE_HEAD = ("process", "µs of CPU an event", "cores for 100/s", "cores for 1,000/s")
SHOWN_HEAD = (
    "server time of",
    "how many",
    "p50 of the slowest, ms",
    "p95 of the slowest, ms",
    "limit, ms",
)
CLICK_HEAD = (
    "seconds on a page",
    "webhooks/s",
    "p99 alone, ms",
    "p99 while ten click, ms",
    "ratio (min-max)",
    "wanted",
    "cores of the gateway and of PostgreSQL",
)
BUSY = ("gateway", "postgres")
USED_HEAD = ("measure", "cores of ours", "in sum", "cores of the baseline", "in sum")
USED = ("accept.rate", "relay.batches", "relay.singles", "fold.rate", "road.rate", "road.batch")
"""Measures at full speed, whose CPU is told by process."""
THEIR_CPU = {"relay": "bare_cpu_us", "fold": "bare_cpu_us", "road": "naive_cpu_us"}
SPARE = 0.7
"""The share of a core that may be used: what is above it goes into waiting."""
RATES = (100, 1000)


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table of targets; `name` is that of its record."""

    measure: str
    name: str
    what: str
    target: str
    stretch: str = ""


ROWS: Sequence[Row] = (
    Row("accept", "accept.rate", "durable accept / bare handler", "≥ 0.55", "≥ 0.70"),
    Row("accept-delay", "accept.p99", "accept at half load, p99 in ms", "≤ 20"),
    Row("insert", "insert.rate", "durable accept / pgbench, a row a commit", ""),
    Row("relay", "relay.batches", "relay, many ids a message / bare publisher", "≥ 5"),
    Row("relay", "relay.singles", "relay, one id a message / bare publisher", "≥ 0.95"),
    Row("fold", "fold.rate", "consume and fold / bare consumer", "≥ 1.0"),
    Row("road", "road.rate", "whole road / naive pipeline", "≥ 1.0", "≥ 1.5"),
    Row("road-batch", "road.batch", "whole road with a batch CRM / naive pipeline", "≥ 2.0"),
    Row("road-delay", "delay.p50", "POST to CRM at 30 % load, p50 in ms", "≤ 25"),
    Row("road-delay", "delay.p99", "POST to CRM at 30 % load, p99 in ms", "≤ 100"),
    Row("scale", "scale.accept", "accept with 10 million events / with 10 thousand", "≥ 0.95"),
    Row("scale", "scale.claim", "claim with 10 million events / with 10 thousand", "≥ 0.95"),
    Row("claim", "claim.p99", "claim beside an hour-old transaction, p99 in ms", "≤ 10"),
    Row("retention", "retention.p99", "accept p99 while retention runs / without", "≤ 1.2"),
    Row("backlog", "backlog.rate", "backlog of 100,000 drained / steady speed", "≥ 0.95"),
    Row("soak", "soak.gateway", "memory of a gateway in MiB", "≤ 120"),
    Row("soak", "soak.relay", "memory of a relay in MiB", "≤ 120"),
    Row("soak", "soak.worker", "memory of a worker in MiB", "≤ 120"),
    Row("soak", "soak.gateway.growth", "growth of a gateway, last third / middle", "≤ 1.05"),
    Row("soak", "soak.relay.growth", "growth of a relay, last third / middle", "≤ 1.05"),
    Row("soak", "soak.worker.growth", "growth of a worker, last third / middle", "≤ 1.05"),
)
REACHED = {"stretch": "stretch", "target": "yes", "missed": "**no**", "told": ""}


def kept(folder: Path = FOLDER) -> dict[str, dict[str, Any]]:
    """The newest run of each measure."""
    found = (json.loads(file.read_text("utf-8")) for file in sorted(folder.glob("*.json")))
    return {said["measure"]: said for said in found if "measure" in said}


def record(runs: Mapping[str, dict[str, Any]], measure: str, name: str) -> dict[str, Any] | None:
    said = runs.get(measure, {}).get("records", [])
    return next((one for one in said if one["name"] == name), None)


def results(runs: Mapping[str, dict[str, Any]]) -> str:
    return table(HEAD, [_row(row, record(runs, row.measure, row.name)) for row in ROWS])


def _row(row: Row, found: dict[str, Any] | None) -> tuple[str, ...]:
    if found is None:
        return (row.what, NOT_YET, "", "", row.target, row.stretch, "")
    ratio = found["ratio"]
    return (
        row.what,
        f"{shown(found['baseline']['median'])} {found['unit']}" if ratio else "",
        f"{_spread(found['ours'], alone=not ratio)} {found['unit']}",
        _spread(ratio) if ratio else "",
        row.target,
        row.stretch,
        REACHED[found["verdict"]],
    )


def _spread(figures: Mapping[str, float], *, alone: bool = True) -> str:
    """The median, and where several turns are told how far they lie apart."""
    middle = shown(figures["median"])
    if not alone or figures["min"] == figures["max"]:
        return middle
    return f"{middle} ({shown(figures['min'])}-{shown(figures['max'])})"


def machines(runs: Mapping[str, dict[str, Any]]) -> str:
    """Where and when each measure ran."""
    lines = [f"* `{name}`: {_machine(said)}" for name, said in runs.items()]
    return "\n".join(lines) or f"{NOT_YET.capitalize()}."


def _machine(said: Mapping[str, Any]) -> str:
    machine = said["machine"]
    database = machine.get("postgresql", {})
    words = [
        f"{said['at'][:10]}, {machine['cores']} cores, {machine['processor']}",
        f"{machine['system']}, Python {machine['python']}",
        f"load {machine['load'][0]:g} before",
    ]
    if database:
        words.append(
            f"PostgreSQL {database['server_version']} (fsync {database['fsync']},"
            f" synchronous_commit {database['synchronous_commit']}, a sync takes"
            f" {machine['fsync_ms']:g} ms), RabbitMQ {machine['rabbitmq']}"
        )
    return "; ".join(words) + "."


def hows(runs: Mapping[str, dict[str, Any]]) -> str:
    """What each figure is, in the words of the program that found it."""
    told: dict[str, str] = {}
    for row in ROWS:
        found = record(runs, row.measure, row.name)
        if found and found["how"]:
            told.setdefault(found["how"], row.measure)
    return "\n".join(f"* `{name}`: {how}." for how, name in told.items()) or _later()


def stages(runs: Mapping[str, dict[str, Any]]) -> str:
    said = runs.get("stages")
    if said is None:
        return _later()
    rows = [
        (
            one["title"].partition(" (")[0],
            one["details"]["role"],
            shown(one["ours"]["median"]),
            shown(one["details"]["postgresql"]),
            shown(one["details"]["rabbitmq"]),
        )
        for one in said["records"]
    ]
    return table(STAGE_HEAD, rows)


def sizes(runs: Mapping[str, dict[str, Any]]) -> str:
    """Cores by process: what an event takes on the whole road, over what of a core may be used."""
    road = record(runs, "road", "road.rate")
    if road is None:
        return _later()
    rows = [
        (name, shown(micros), *(shown(cores(rate, micros)) for rate in RATES))
        for name, micros in road["details"]["cpu_us"].items()
        if name != "crm"
    ]
    return table(SIZE_HEAD, rows)


def used(runs: Mapping[str, dict[str, Any]]) -> str:
    """How many cores each process took at the speed that was found: which of them is full."""
    rows = []
    for row in ROWS:
        found = record(runs, row.measure, row.name)
        if row.name in USED and found:
            details = found["details"]
            theirs: Mapping[str, float] = details.get(THEIR_CPU.get(row.measure), {})
            ours = _cores(found["ours"]["median"], details["cpu_us"])
            base = found.get("baseline", {}).get("median", 0.0)
            rows.append((row.what, *ours, *_cores(base, theirs)))
    return table(USED_HEAD, rows) if rows else _later()


def _cores(rate: float, micros: Mapping[str, float]) -> tuple[str, str]:
    taken = {name: rate * spent / 1e6 for name, spent in micros.items()}
    told = ", ".join(f"{name} {each:.2f}" for name, each in taken.items())
    return told, f"{sum(taken.values()):.2f}" if taken else ""


def console(folder: Path = FOLDER) -> str:
    """The console over a million events, and what it costs those who send."""
    file = folder / "console.json"
    if not file.exists():
        return _later()
    said = json.loads(file.read_text("utf-8"))
    kinds: dict[str, list[Mapping[str, Any]]] = {}
    for page in said["pages"]:
        kinds.setdefault(_kind(page["what"]), []).append(page)
    shown_in = [_slowest(kind, pages) for kind, pages in kinds.items()]
    clicks = [
        _clicks(thinks, [pair for pair in said["intake"] if pair["thinks"] == thinks])
        for thinks in sorted({pair["thinks"] for pair in said["intake"]}, reverse=True)
    ]
    return f"{table(SHOWN_HEAD, shown_in)}\n\n{table(CLICK_HEAD, clicks)}"


def _kind(what: str) -> str:
    if what.endswith("(its part)"):
        return "a part of an open page"
    return "a search" if "/orders?q=" in what else "a page"


def _slowest(kind: str, pages: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    slowest = max(pages, key=lambda page: page["p95"])
    figures = (shown(slowest["p50"]), shown(slowest["p95"]), shown(slowest["limit"]))
    return (f"{kind}; the slowest is `{slowest['what']}`", str(len(pages)), *figures)


def _clicks(thinks: float, pairs: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    ratios = summary([pair["ratio"] for pair in pairs])
    alone, clicked = (median(pair[turn]["p99"] for pair in pairs) for turn in ("alone", "clicked"))
    rate = median(pair["alone"]["rate"] for pair in pairs)
    busy = [
        " and ".join(shown(median(pair[turn][of] for pair in pairs)) for of in BUSY)
        for turn in ("alone", "clicked")
    ]
    return (
        shown(thinks),
        shown(rate),
        shown(alone),
        shown(clicked),
        _spread(ratios),
        f"≤ {WANTED}",
        "; then ".join(busy),
    )


def cores(rate: float, micros: float) -> float:
    return rate * micros / 1e6 / SPARE


def picture(folder: Path = FOLDER) -> str:
    there = (folder / "ratios.svg").exists()
    return "![Ratios beside their targets](bench/ratios.svg)" if there else _later()


def _later() -> str:
    return f"{NOT_YET.capitalize()}."


def written(page: str) -> str:
    """Put what is kept between its marks."""
    runs = kept()
    texts = {
        "results": results(runs),
        "picture": picture(),
        "how": hows(runs),
        "machines": machines(runs),
        "stages": stages(runs),
        "sizes": sizes(runs),
        "used": used(runs),
        "console": console(),
    }
    return filled(page, texts)


def main() -> None:
    PAGE.write_text(written(PAGE.read_text("utf-8")), "utf-8")
    print(f"written to {PAGE}")


if __name__ == "__main__":
    main()
