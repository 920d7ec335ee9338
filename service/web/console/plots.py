"""Figures go in; the numbers that an SVG draws them by come out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

WIDTH = 1000
LEAST = 4.0
"""What is there is to be seen, were it one in a million."""
STEPS = (1, 2, 5, 10)


@dataclass(frozen=True, slots=True)
class Piece:
    name: str
    count: int
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Bar:
    """The whole above, its parts below on the same scale: if nothing is missing they end alike."""

    whole: int
    pieces: Sequence[Piece]
    length: float
    """Of the whole."""
    gap: Piece | None
    """What no part accounts for."""

    @property
    def sum(self) -> int:
        return sum(piece.count for piece in self.pieces)


def bar(row: Mapping[str, int], whole: str, parts: Sequence[str]) -> Bar:
    total, counts = row[whole], {part: row[part] for part in parts}
    scale = max(total, sum(counts.values()), 1)
    shown = {name: count for name, count in counts.items() if count}
    missing = total - sum(counts.values())
    widths = _widths({**shown, **({"": missing} if missing > 0 else {})}, scale)
    pieces, x = [], 0.0
    for name, width in widths.items():
        pieces.append(Piece(name, counts.get(name, missing), round(x, 2), round(width, 2)))
        x += width
    gap = pieces.pop() if missing > 0 else None
    known = {piece.name: piece for piece in pieces}
    return Bar(
        whole=total,
        pieces=[known.get(name, Piece(name, 0, 0.0, 0.0)) for name in parts],
        length=round(WIDTH * total / scale, 2),
        gap=gap,
    )


def _widths(counts: Mapping[str, int], scale: int) -> Mapping[str, float]:
    """In proportion, but none too small to be seen: the large ones give that up."""
    wide = {name: max(LEAST, WIDTH * count / scale) for name, count in counts.items()}
    beyond = sum(wide.values()) - WIDTH * sum(counts.values()) / scale
    spare = sum(width - LEAST for width in wide.values())
    if beyond <= 0 or spare <= 0:
        return wide
    return {name: width - (width - LEAST) * beyond / spare for name, width in wide.items()}


@dataclass(frozen=True, slots=True)
class Plot:
    """Lines over the same time, on one scale."""

    top: float
    """What the upper edge stands for, in counts a second."""
    areas: Mapping[str, str]
    """Path data in a box of `width` to `height`."""
    lines: Mapping[str, str]
    columns: Sequence[Sequence[float]]
    """Counts a second by line, for each stride."""
    width: int
    height: int


def plot(rows: Mapping[str, Sequence[int]], *, stride: int, width: int, height: int) -> Plot:
    """Without the last stride, which is not over."""
    speeds = {name: [count / stride for count in row[:-1]] for name, row in rows.items()}
    top = _round_up(max((max(row, default=0.0) for row in speeds.values()), default=0.0))
    traced = {name: _trace(row, top, width, height) for name, row in speeds.items()}
    return Plot(
        top=top,
        areas={name: f"M0,{height} L{line} L{width},{height} Z" for name, line in traced.items()},
        lines={name: f"M{line}" for name, line in traced.items()},
        columns=[list(each) for each in zip(*speeds.values(), strict=True)],
        width=width,
        height=height,
    )


def _trace(row: Sequence[float], top: float, width: int, height: int) -> str:
    step = width / max(1, len(row) - 1)
    return " ".join(
        f"{place * step:.1f},{height - height * value / top:.1f}" for place, value in enumerate(row)
    )


def _round_up(value: float) -> float:
    """The next round number; never 0, so that nothing lies at the bottom."""
    power = 0.1
    while True:
        for step in STEPS:
            if value <= step * power:
                return round(step * power, 3)
        power *= 10
