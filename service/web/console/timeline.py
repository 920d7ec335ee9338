"""A subject's page in; out comes where everything of its time line is drawn.

Each lane is a row, each event a mark where it happened. Long silences are drawn shorter than they
were: distances grow with the logarithm of the time between, so that a minute and a month fit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from math import log2
from typing import Any

Body = Mapping[str, Any]

MOST_MARKS = 150
MOST_PARCELS = 8
WIDE = 1160.0
LEFT, RIGHT = 150.0, 130.0
TOP, ROW = 46.0, 44.0
APART, BESIDE = 16.0, 9.0
"""Between two moments at least, and between marks of one moment."""
STRETCH = 240.0
LETTER = 6.4
"""How wide a letter of a label is, about."""
TONES = 4
UNITS = (("d", 86_400), ("h", 3600), ("min", 60), ("s", 1))
MOVING = frozenset({"applied"})


@dataclass(frozen=True, slots=True)
class Row:
    name: str
    """A lane; empty for facts without one."""
    parcel: str
    y: float
    tone: str
    people: bool = False
    """What was decided, rather than heard."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a row, or the whole, stood at for a while."""

    x: float
    width: float
    y: float
    tone: str
    label: str
    whole: str


@dataclass(frozen=True, slots=True)
class Mark:
    x: float
    y: float
    step: Body
    number: int
    """Its place in the history."""
    tone: str


@dataclass(frozen=True, slots=True)
class Gap:
    x: float
    amount: int
    unit: str


@dataclass(frozen=True, slots=True)
class Drawing:
    width: float
    height: float
    begins: datetime | None
    ends: datetime | None
    rows: Sequence[Row]
    overall: Sequence[Span]
    spans: Sequence[Span]
    marks: Sequence[Mark]
    gaps: Sequence[Gap]
    left_out: int
    """The oldest, which the list has."""

    @property
    def fits(self) -> bool:
        return self.width <= WIDE

    @property
    def right(self) -> float:
        return self.width - 8


def draw(body: Body, lanes: Sequence[str]) -> Drawing:
    """Lay out `history` and `versions` of a subject; lanes in the order of the lifecycle."""
    steps = [(n, step) for n, step in enumerate(body["history"]) if step["kind"] != "base"]
    shown = sorted(steps[-MOST_MARKS:], key=lambda each: (_when(each[1]), each[0]))
    versions = _versions(body["versions"], first=_when(shown[0][1]) if shown else None)
    moments = sorted({*(_when(step) for _, step in shown), *(at for at, _ in versions)})
    places, width = _scale(moments)
    rows = _rows(body, shown, lanes)
    by_name = {(row.name, row.parcel, row.people): row for row in rows}
    marks = _marks(shown, places, by_name)
    width = max(width, *(mark.x + 20 for mark in marks), 0)
    return Drawing(
        width=width,
        height=TOP + ROW * len(rows) + 30,
        begins=moments[0] if moments else None,
        ends=moments[-1] if moments else None,
        rows=rows,
        overall=_overall(versions, places, width),
        spans=_spans(marks, rows, width),
        marks=marks,
        gaps=_gaps(moments, places),
        left_out=len(steps) - len(shown),
    )


def _when(step: Body) -> datetime:
    """When it happened; where nobody tells, when it came."""
    at: datetime = step["occurred_at"] or step["received_at"]
    return at


def _versions(versions: Iterable[Body], *, first: datetime | None) -> list[tuple[datetime, str]]:
    """In the order in which they came about, none before the one it followed."""
    found: list[tuple[datetime, str]] = []
    for each in versions:
        at: datetime = each["occurred_at"] or each["at"]
        least = found[-1][0] if found else first
        found.append((max(at, least) if least else at, each["status"]))
    return found


def _scale(moments: Sequence[datetime]) -> tuple[Mapping[datetime, float], float]:
    weights = [log2(1 + (b - a).total_seconds() / 30) for a, b in pairwise(moments)]
    least = APART * len(weights)
    extra = max(WIDE - LEFT - RIGHT - least, STRETCH if weights else 0.0)
    each, x = extra / (sum(weights) or 1), LEFT + 14
    places = {moments[0]: x} if moments else {}
    for moment, weight in zip(moments[1:], weights, strict=True):
        x += APART + weight * each
        places[moment] = round(x, 1)
    return places, round(max(WIDE, x + RIGHT), 1)


def _rows(body: Body, shown: Sequence[tuple[int, Body]], lanes: Sequence[str]) -> list[Row]:
    """Lanes that say anything, each with its parcels below it; then facts, then people."""
    said = [step for _, step in shown]
    used = {*body["lanes"], *(step["lane"] for step in said if step["lane"])}
    ordered = [lane for lane in lanes if lane in used] + sorted(used - set(lanes))
    names: list[tuple[str, str, bool]] = []
    for lane in ordered:
        parcels = dict.fromkeys(
            step["parcel"] for step in said if step["lane"] == lane and step["parcel"]
        )
        names += [(lane, "", False), *((lane, each, False) for each in [*parcels][:MOST_PARCELS])]
    if any(not (step["lane"] or _by_people(step)) for step in said):
        names.append(("", "", False))
    if any(_by_people(step) for step in said):
        names.append(("", "", True))
    return [
        Row(lane, parcel, TOP + ROW * (number + 0.5) + 8, _tone(lane, ordered), people)
        for number, (lane, parcel, people) in enumerate(names)
    ]


def _tone(lane: str, ordered: Sequence[str]) -> str:
    return f"lane-{ordered.index(lane) % TONES}" if lane in ordered else "lane-none"


def _by_people(step: Body) -> bool:
    return step["kind"] not in ("event", "correction")


def _marks(
    shown: Iterable[tuple[int, Body]],
    places: Mapping[datetime, float],
    rows: Mapping[tuple[str, str, bool], Row],
) -> list[Mark]:
    marks: list[Mark] = []
    taken: dict[tuple[float, float], int] = {}
    for number, step in shown:
        name = ("", "", True) if _by_people(step) else (step["lane"] or "", "", False)
        row = rows.get((name[0], step["parcel"] or "", name[2])) or rows[name]
        x = places[_when(step)]
        beside = taken.get((x, row.y), 0)
        taken[x, row.y] = beside + 1
        marks.append(Mark(x + BESIDE * beside, row.y, step, number, row.tone))
    return marks


def _spans(marks: Sequence[Mark], rows: Iterable[Row], width: float) -> list[Span]:
    """From each mark that moved a row to the next one."""
    spans: list[Span] = []
    for row in rows:
        moving = [mark for mark in marks if mark.y == row.y and _moves(mark.step)]
        for mark, end in zip(moving, _ends([mark.x for mark in moving], width), strict=True):
            status = mark.step["status"]
            spans.append(_span(mark.x, end, mark.y, tone=row.tone, status=status))
    return spans


def _moves(step: Body) -> bool:
    return bool(
        step["kind"] in ("event", "correction") and step["lane"] and step["outcome"] in MOVING
    )


def _overall(
    versions: Sequence[tuple[datetime, str]], places: Mapping[datetime, float], width: float
) -> list[Span]:
    """Of several at one moment only the last one is seen."""
    last = dict(versions)
    ends = _ends([places[at] for at in last], width)
    return [
        _span(places[at], end, 8, tone="overall", status=status)
        for (at, status), end in zip(last.items(), ends, strict=True)
    ]


def _ends(starts: Sequence[float], width: float) -> list[float]:
    """Each ends where the next one begins, the last one at the edge."""
    return [*starts[1:], width - 8][: len(starts)]


def _span(start: float, end: float, y: float, *, tone: str, status: str) -> Span:
    return Span(
        start, round(max(end - start, 0), 1), y, tone, _fitting(status, end - start), status
    )


def _fitting(text: str, width: float) -> str:
    """What of a label there is room for."""
    letters = int((width - 14) / LETTER)
    if len(text) <= letters:
        return text
    return f"{text[: letters - 1]}…" if letters >= 4 else ""


def _gaps(moments: Sequence[datetime], places: Mapping[datetime, float]) -> list[Gap]:
    """How long it was between two marks, where there is room to say so."""
    return [
        Gap(round((places[a] + places[b]) / 2, 1), *_spoken((b - a).total_seconds()))
        for a, b in pairwise(moments)
        if places[b] - places[a] >= 44
    ]


def _spoken(seconds: float) -> tuple[int, str]:
    for unit, length in UNITS:
        if seconds >= length:
            return round(seconds / length), unit
    return 0, "s"
