"""The shipped lifecycles in; docs/lifecycles.md and its pictures out."""

from collections.abc import Iterable, Iterator
from importlib import import_module
from pathlib import Path

from service.cli.picture import svg, words
from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles import LIFECYCLES

DOCS = Path(__file__).parents[1] / "docs"
PAGE = DOCS / "lifecycles.md"
MARK = "<!-- From here on written by `python -m tests.lifecycle_pages`. -->\n"
ROOMS = {"return": "returns"}
"""Modules whose lifecycle's name is a word of the language."""


def page(written: str) -> str:
    """The page with its generated part made anew; what people wrote stands before the mark."""
    head = written.partition(MARK)[0]
    return head + MARK + "".join("\n" + section(each) for each in LIFECYCLES.values())


def section(lifecycle: Lifecycle) -> str:
    name = lifecycle.name
    about = (
        import_module(f"service.domain.lifecycles.{ROOMS.get(name, name)}").__doc__ or ""
    ).strip()
    what = about.partition(": ")[2]
    lines = [
        f"## `{name}`",
        "",
        f"{what[0].upper()}{what[1:]}",
        "",
        f"![The lanes, exits and rules of {name}](lifecycles/{name}.svg)",
        "",
        *table(("Lane", "Rank", "Status", "Leads to"), statuses(lifecycle)),
        *notes(lifecycle),
        *table(("", "Overall status", "When"), rules(lifecycle)),
        *table(("Alarm", "What is wrong", "When"), alarms(lifecycle)),
    ]
    return "\n".join(lines).rstrip() + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> list[str]:
    body = [f"| {' | '.join(row)} |" for row in rows]
    return [f"| {' | '.join(head)} |", f"|{' --- |' * len(head)}", *body, ""] if body else []


def statuses(lifecycle: Lifecycle) -> Iterator[tuple[str, ...]]:
    for lane in lifecycle.lanes.values():
        for status in sorted(lane.statuses.values(), key=lambda each: each.rank):
            yield lane.name, str(status.rank), f"`{status.name}`", words.exits(lane, status)


def notes(lifecycle: Lifecycle) -> Iterator[str]:
    said = [
        f"* {lane.name}: {note}" for lane in lifecycle.lanes.values() for note in words.notes(lane)
    ]
    if said:
        yield from (*said, "")


def rules(lifecycle: Lifecycle) -> Iterator[tuple[str, ...]]:
    for number, rule in enumerate(lifecycle.rules, start=1):
        yield str(number), f"`{rule.status}`", words.sentence(lifecycle, rule)
    yield "", f"`{lifecycle.otherwise}`", "otherwise"


def alarms(lifecycle: Lifecycle) -> Iterator[tuple[str, ...]]:
    for alarm in lifecycle.alarms:
        yield f"`{alarm.flag}`", alarm.sentence, words.sentence(lifecycle, alarm)


def pictures() -> dict[Path, str]:
    return {
        DOCS / "lifecycles" / f"{name}.svg": svg.draw(each) for name, each in LIFECYCLES.items()
    }


if __name__ == "__main__":
    PAGE.write_text(page(PAGE.read_text("utf-8")), "utf-8")
    for file, drawing in pictures().items():
        file.parent.mkdir(exist_ok=True)
        file.write_text(drawing, "utf-8")
