"""The picture of a lifecycle: its data in, an SVG with lanes, exits and rules out."""

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from service.cli.picture import words
from service.cli.picture.canvas import LANES, SANS, Canvas, mono
from service.cli.picture.words import Phrase
from service.domain.lifecycle import Lane, Lifecycle, Rule, Status

EDGE = 32.0
ROW = 21.0
CHIP = 48.0
LEAST_WIDTH = 960.0
LEAST_COLUMN = 62.0
GAP = 8.0
PILL = 22.0
SMALL = 12.0
TINY = 10.5
TITLE = 15.0
ONE_LINE = 10
"""The longest word that is not broken."""


def draw(lifecycle: Lifecycle) -> str:
    """Lanes first, then the table of rules, then the alarms."""
    widths = [_gutter(lane) + _column(lane) * len(lane.statuses) for lane in _lanes(lifecycle)]
    canvas = Canvas(max(LEAST_WIDTH, 2 * EDGE + max(widths, default=0)))
    _title(canvas, lifecycle)
    for number, lane in enumerate(_lanes(lifecycle)):
        _lane(canvas, lane, number % len(LANES))
    _rules(canvas, lifecycle)
    _alarms(canvas, lifecycle)
    canvas.y += EDGE / 2
    overall = ", ".join(lifecycle.overall_statuses)
    return canvas.document(
        title=f"The lifecycle {lifecycle.name}",
        description=f"Lanes: {', '.join(lifecycle.lanes)}. Overall statuses: {overall}.",
    )


def _lanes(lifecycle: Lifecycle) -> list[Lane]:
    return list(lifecycle.lanes.values())


def _ranked(lane: Lane) -> list[Status]:
    return sorted(lane.statuses.values(), key=lambda status: status.rank)


def _gutter(lane: Lane) -> float:
    widest = max(mono(word, SMALL) for word in lane.statuses) + 2.5 * GAP
    return max(widest, 14 + mono(lane.name, TITLE) + GAP)


def _column(lane: Lane) -> float:
    parts = [part for word in lane.statuses for part in _broken(word)]
    return max(LEAST_COLUMN, max(mono(part, TINY) for part in parts) + 2.5 * GAP)


def _broken(word: str) -> list[str]:
    """A status in at most two lines, broken where its words meet, as evenly as possible."""
    cuts = [number for number, letter in enumerate(word, 1) if letter == "_"]
    if not cuts or len(word) <= ONE_LINE:
        return [word]
    cut = min(cuts, key=lambda at: max(at, len(word) - at))
    return [word[:cut], word[cut:]]


def _title(canvas: Canvas, lifecycle: Lifecycle) -> None:
    canvas.text(EDGE, 44, lifecycle.name, css="t m ink")
    x, y = EDGE, 68.0
    for sign, meaning in _LEGEND:
        _sign(canvas, x + 6, y - 4, sign=sign)
        canvas.text(x + 18, y, meaning, css="s soft")
        x += 18 + len(meaning) * SMALL * SANS + 3 * GAP
    canvas.y = 88


_LEGEND = (
    ("rises", "row leads to column, rank rises"),
    ("falls", "row leads to column, rank falls"),
    ("final", "final: leads nowhere"),
)


def _sign(canvas: Canvas, x: float, y: float, *, sign: str, hue: str = "") -> None:
    match sign:
        case "rises":
            canvas.dot(x, y, 4.6, css=f"f{hue}" if hue else "soft")
        case "falls":
            canvas.dot(x, y, 4, css=f"ring k{hue}" if hue else "ring softly")
        case _:
            canvas.box(x - 4, y - 4, (8, 8), css=f"f{hue}" if hue else "soft")


def _lane(canvas: Canvas, lane: Lane, hue: int) -> None:
    statuses, column, left = _ranked(lane), _column(lane), EDGE + _gutter(lane)
    top = canvas.y
    canvas.rule(EDGE, top, canvas.width - 2 * EDGE)
    canvas.box(EDGE, top + 18, (4, CHIP), css=f"f{hue}")
    canvas.text(EDGE + 14, top + 18 + CHIP / 2 + 5, lane.name, css=f"h f{hue}")
    for number, status in enumerate(statuses):
        _chip(canvas, status, (left + number * column, top + 18, column), hue=hue)
    canvas.y = top + 18 + CHIP + 10
    for number, status in enumerate(statuses):
        _row(canvas, lane, status, place=(number, left, column), hue=hue)
    for note in words.notes(lane):
        _paragraph(canvas, note, x=EDGE + 14, css="s soft")
    canvas.y += 18


def _chip(canvas: Canvas, status: Status, place: tuple[float, float, float], *, hue: int) -> None:
    x, y, column = place
    tone = f"tint f{hue} k{hue}" if status.exits else f"f{hue}"
    canvas.box(x + 3, y, (column - 6, CHIP), css=tone)
    lines = _broken(status.name)
    ink = "ink" if status.exits else "ground"
    for number, line in enumerate(lines):
        base = y + (17 if len(lines) > 1 else 22) + number * 12
        canvas.text(x + column / 2, base, line, css=f"m xs b mid {ink}")
    canvas.text(x + column / 2, y + CHIP - 6, str(status.rank), css=f"m xs mid pale {ink}")


def _row(
    canvas: Canvas, lane: Lane, status: Status, *, place: tuple[int, float, float], hue: int
) -> None:
    number, left, column = place
    statuses, y = _ranked(lane), canvas.y
    if number % 2 == 0:
        canvas.box(EDGE, y, (left - EDGE + column * len(statuses), ROW), css="band")
    canvas.text(left - 1.5 * GAP, y + 15, status.name, css="m s end ink")
    for column_number, other in enumerate(statuses):
        x = left + (column_number + 0.5) * column
        if other.name == status.name:
            _itself(canvas, x, y + ROW / 2, status=status, hue=hue)
        elif other.name in status.exits:
            sign = "rises" if other.rank > status.rank else "falls"
            _sign(canvas, x, y + ROW / 2, sign=sign, hue=str(hue))
    canvas.y = y + ROW


def _itself(canvas: Canvas, x: float, y: float, *, status: Status, hue: int) -> None:
    if status.exits:
        canvas.rule(x - 5, y, 10)
    else:
        _sign(canvas, x, y, sign="final", hue=str(hue))


def _paragraph(canvas: Canvas, text: str, *, x: float, css: str) -> None:
    room = int((canvas.width - EDGE - x) / (SMALL * SANS))
    canvas.y += 4
    for line in textwrap.wrap(text, room):
        canvas.text(x, canvas.y + 14, line, css=css)
        canvas.y += 17


@dataclass(frozen=True, slots=True)
class _Pill:
    """A piece of a condition: on its lane's colour, or a plain word between two."""

    text: str
    hue: int | None = None

    @property
    def width(self) -> float:
        return mono(self.text, SMALL) + (16 if self.hue is not None else 4)


def _rules(canvas: Canvas, lifecycle: Lifecycle) -> None:
    _heading(canvas, "Overall status", "the first rule that holds")
    status_at = EDGE + 34
    widest = max(mono(status, SMALL) for status in lifecycle.overall_statuses)
    left = status_at + widest + 3 * GAP
    for number, rule in enumerate(lifecycle.rules, start=1):
        canvas.text(EDGE + 20, canvas.y + 16, str(number), css="m xs end soft")
        canvas.text(status_at, canvas.y + 16, rule.status, css="m s b ink")
        _flow(canvas, list(_pills(lifecycle, rule)), left=left)
    canvas.text(status_at, canvas.y + 16, lifecycle.otherwise, css="m s b ink")
    canvas.text(left, canvas.y + 16, "otherwise", css="s soft")
    canvas.y += PILL + 18


def _heading(canvas: Canvas, title: str, rest: str) -> None:
    canvas.rule(EDGE, canvas.y, canvas.width - 2 * EDGE)
    canvas.text(EDGE, canvas.y + 30, title, css="h ink")
    canvas.text(EDGE + len(title) * 15 * SANS + 2 * GAP, canvas.y + 30, rest, css="s soft")
    canvas.y += 44


def _pills(lifecycle: Lifecycle, rule: Rule) -> Iterator[_Pill]:
    for number, group in enumerate(rule.when):
        if number:
            yield _Pill("and")
        yield from _either(lifecycle, words.phrases(lifecycle, group))
    if rule.unless:
        yield _Pill("unless")
        yield from _either(lifecycle, words.phrases(lifecycle, rule.unless))


def _either(lifecycle: Lifecycle, phrases: Sequence[Phrase]) -> Iterator[_Pill]:
    for number, phrase in enumerate(phrases):
        if number:
            yield _Pill("or")
        hue = list(lifecycle.lanes).index(phrase.lane) % len(LANES)
        but = "any but " if phrase.other else ""
        yield _Pill(f"{phrase.lane}: {but}{' | '.join(phrase.words)}", hue)


def _flow(canvas: Canvas, pills: Sequence[_Pill], *, left: float) -> None:
    """Set pills like words of a text, from the left, wrapped at the right edge."""
    x = left
    for pill in pills:
        if x > left and x + pill.width > canvas.width - EDGE:
            x, canvas.y = left, canvas.y + PILL + 3
        if pill.hue is None:
            canvas.text(x + 2, canvas.y + 16, pill.text, css="m s soft")
        else:
            canvas.box(x, canvas.y + 1, (pill.width, PILL - 1), css=f"tint f{pill.hue}")
            canvas.text(x + 8, canvas.y + 16, pill.text, css=f"m s f{pill.hue}")
        x += pill.width + 6
    canvas.y += PILL + 6


def _alarms(canvas: Canvas, lifecycle: Lifecycle) -> None:
    if not lifecycle.alarms:
        return
    _heading(canvas, "Alarms", "contradictions that flag the subject")
    left = EDGE + max(mono(alarm.flag, SMALL) for alarm in lifecycle.alarms) + 3 * GAP
    for alarm in lifecycle.alarms:
        canvas.text(EDGE, canvas.y + 18, alarm.flag, css="m s b ink")
        _paragraph(canvas, alarm.sentence, x=left, css="s ink")
        said = words.sentence(lifecycle, alarm)
        _paragraph(canvas, f"{said[0].upper()}{said[1:]}.", x=left, css="s soft")
        canvas.y += 6
