"""The JSON of all measures in, one picture out: what was reached beside what was wanted."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib import pyplot as plt

from tests.bench.record import FOLDER

FILE = "ratios.svg"
WIDEST = 2.0
"""Times the target; what reaches further is cut."""
COLORS = {"stretch": "#1a7f37", "target": "#4c956c", "missed": "#b42318", "told": "#667085"}


def ratios(folder: Path = FOLDER) -> list[dict[str, Any]]:
    """Every record that was compared with a baseline and had a target."""
    found: list[dict[str, Any]] = []
    for file in sorted(folder.glob("*.json")):
        said = json.loads(file.read_text()).get("records", [])
        found += [one for one in said if one.get("ratio") and one.get("target") is not None]
    return found


def share(ratio: float, one: dict[str, Any]) -> float:
    """Of the target; where less is better it is the target's share of what was found."""
    target = float(one["target"])
    return ratio / target if one["wanted"] == "least" else target / ratio


def draw(records: Sequence[dict[str, Any]], file: Path) -> None:
    """A bar a record as a share of its target, with the spread of its turns."""
    mpl.rcParams["svg.hashsalt"] = "orderhook"
    mpl.rcParams["svg.fonttype"] = "none"
    figure, axes = plt.subplots(figsize=(9, 0.55 * len(records) + 1.4))
    names = [one["title"] for one in records]
    for place, one in enumerate(records):
        ratio, target = one["ratio"], one["target"]
        shares = sorted(share(ratio[name], one) for name in ("min", "max"))
        shares.insert(0, share(ratio["median"], one))
        spread = [[shares[0] - shares[1]], [shares[2] - shares[0]]]
        color = COLORS[one["verdict"]]
        axes.barh(place, shares[0], xerr=spread, color=color, height=0.6, capsize=3)
        said = f"{ratio['median']:.2f} of {target:g}"
        axes.text(WIDEST * 1.02, place, said, va="center")
    axes.set_xlim(0, WIDEST)
    axes.axvline(1.0, color="#101828", linewidth=1)
    axes.set_yticks(range(len(records)), names)
    axes.invert_yaxis()
    axes.set_xlabel(f"share of the target (the line), cut at {WIDEST:g}; at the right the ratio")
    figure.tight_layout()
    figure.savefig(file, metadata={"Date": None})
    plt.close(figure)


def main() -> None:
    found = ratios()
    if found:
        draw(found, FOLDER / FILE)
        print(f"written to {FOLDER / FILE}")


if __name__ == "__main__":
    main()
