"""Whether the hot paths cost what they did: ratios of CPU beside those that are kept, in minutes.

`python -m tests.bench.quick` reports better, same or worse and never fails on it; `--keep` makes
what was found the figures to compare with. Ratios of CPU move little on a busy machine.
"""

import argparse
import json
import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import uvloop

from tests.bench import accept, hot, installation
from tests.bench.record import FOLDER, Record, shown

FILE = FOLDER / "quick.json"
PURE, SERVED = 0.10, 0.25
"""Changes of a ratio that are noise: of a pure function, and of a process under load."""
SHORT = ["--pairs", "3", "--seconds", "3"]
Word = Literal["better", "same", "worse", "new"]


@dataclass(frozen=True, slots=True)
class Line:
    name: str
    ratio: float
    kept: float | None
    noise: float

    @property
    def word(self) -> Word:
        """A ratio is a cost: less is better."""
        if self.kept is None:
            return "new"
        change = self.ratio / self.kept - 1
        if abs(change) <= self.noise:
            return "same"
        return "better" if change < 0 else "worse"


def compared(found: Mapping[str, float], kept: Mapping[str, float]) -> list[Line]:
    return [
        Line(name, ratio, kept.get(name), SERVED if name.startswith("accept") else PURE)
        for name, ratio in found.items()
    ]


def told(lines: Sequence[Line]) -> str:
    rows = [f"{'cost beside a yardstick':24} {'kept':>8} {'now':>8}"]
    for line in lines:
        kept = shown(line.kept) if line.kept is not None else ""
        rows.append(f"{line.name:24} {kept:>8} {shown(line.ratio):>8}  {line.word}")
    return "\n".join(rows)


def ratios(records: Sequence[Record]) -> dict[str, float]:
    return {one.name: statistics.median(one.ratios) for one in records}


async def measured(words: argparse.Namespace) -> dict[str, float]:
    found = ratios(hot.records(hot.found()))
    if not words.pure:
        records, _ = await accept.measured(accept.options().parse_args(SHORT))
        found |= ratios([one for one in records if one.name == "accept.cpu"])
    return found


def read() -> dict[str, float]:
    """What is kept; nothing before it was kept for the first time."""
    return dict(json.loads(FILE.read_text())["ratios"]) if FILE.exists() else {}


def keep(found: Mapping[str, float]) -> None:
    """Add to what is kept; what was not measured now stays."""
    at = datetime.now(UTC).isoformat(timespec="seconds")
    short = {name: float(f"{ratio:.4g}") for name, ratio in found.items()}
    body = {"at": at, "machine": installation.computer(), "ratios": {**read(), **short}}
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(json.dumps(body, indent=1) + "\n")
    print(f"kept in {FILE}")


def main() -> None:
    parser = argparse.ArgumentParser(description="Compare the hot paths with what is kept.")
    parser.add_argument("--pure", action="store_true", help="only functions, no servers")
    parser.add_argument("--keep", action="store_true", help="compare with these from now on")
    words = parser.parse_args()
    found = uvloop.run(measured(words))
    print(told(compared(found, read())))
    if words.keep:
        keep(found)


if __name__ == "__main__":
    main()
