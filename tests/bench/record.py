"""What a measure found, in one form for all: figures in turns, their ratios, what was wanted."""

import json
import statistics
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "bench"
Wanted = Literal["least", "most"]


@dataclass(frozen=True, slots=True)
class Record:
    name: str
    """Of the measure and of the figure, as `accept.rate`."""
    title: str
    unit: str
    ours: Sequence[float]
    """One figure a turn."""
    baseline: Sequence[float] = ()
    """What it is compared with in the same turns; without one the figure stands for itself."""
    wanted: Wanted = "least"
    """Whether target and stretch are the least or the most that it should be."""
    target: float | None = None
    stretch: float | None = None
    how: str = ""
    details: Mapping[str, Any] = field(default_factory=dict)

    @property
    def ratios(self) -> list[float]:
        """Ours over the baseline, pair by pair."""
        if not self.baseline:
            return []
        return [ours / base for ours, base in zip(self.ours, self.baseline, strict=True)]

    @property
    def judged(self) -> Sequence[float]:
        """What target and stretch are about."""
        return self.ratios or self.ours

    @property
    def verdict(self) -> Literal["stretch", "target", "missed", "told"]:
        """How far it got; `told` where nothing was asked for."""
        if self.target is None:
            return "told"
        if self.stretch is not None and self._reaches(self.stretch):
            return "stretch"
        return "target" if self._reaches(self.target) else "missed"

    def _reaches(self, mark: float) -> bool:
        found = statistics.median(self.judged)
        return found >= mark if self.wanted == "least" else found <= mark

    def to_json(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "title": self.title,
            "unit": self.unit,
            "ours": summary(self.ours),
            "baseline": summary(self.baseline) if self.baseline else None,
            "ratio": summary(self.ratios) if self.baseline else None,
            "wanted": self.wanted,
            "target": self.target,
            "stretch": self.stretch,
            "verdict": self.verdict,
            "how": self.how,
            "details": dict(self.details),
        }


def summary(figures: Sequence[float]) -> dict[str, Any]:
    return {
        "median": statistics.median(figures),
        "min": min(figures),
        "max": max(figures),
        "turns": list(figures),
    }


def table(records: Iterable[Record]) -> str:
    """A line a record: what was measured, the ratio or the figure, and what was wanted."""
    head = ("measure", "unit", "baseline", "ours", "ratio", "min-max", "target", "stretch", "")
    rows = [head, *map(_cells, records)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column < 2 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    )


def _cells(record: Record) -> tuple[str, ...]:
    sign = "≥" if record.wanted == "least" else "≤"
    spread = f"{shown(min(record.judged))}-{shown(max(record.judged))}"
    return (
        record.title,
        record.unit,
        shown(statistics.median(record.baseline)) if record.baseline else "",
        shown(statistics.median(record.ours)),
        shown(statistics.median(record.ratios)) if record.baseline else "",
        spread if len(record.judged) > 1 else "",
        f"{sign} {shown(record.target)}" if record.target is not None else "",
        f"{sign} {shown(record.stretch)}" if record.stretch is not None else "",
        {"told": "", "missed": "MISSED"}.get(record.verdict, record.verdict),
    )


def shown(figure: float) -> str:
    """Three figures that count, without an exponent."""
    if abs(figure) >= 100:
        return f"{figure:,.0f}"
    return f"{figure:.1f}" if abs(figure) >= 10 else f"{figure:.2f}"


def write(measure: str, records: Sequence[Record], machine: Mapping[str, Any]) -> Path:
    """Keep the newest run of a measure."""
    body = {
        "measure": measure,
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": dict(machine),
        "records": [record.to_json() for record in records],
    }
    short = json.loads(json.dumps(body), parse_float=lambda digits: float(f"{float(digits):.4g}"))
    FOLDER.mkdir(parents=True, exist_ok=True)
    file = FOLDER / f"{measure}.json"
    file.write_text(json.dumps(short, indent=1) + "\n")
    return file
