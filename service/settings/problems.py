"""What is wrong with a configuration: each problem as a place, a sentence and a way to mend it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pydantic_core import PydanticCustomError

from service.domain.errors import ConfigurationError

Place = tuple[str | int, ...]
"""Keys and array positions from the top of the file down."""


@dataclass(frozen=True, slots=True)
class Issue:
    """A problem at a place, before the place has a line."""

    place: Place
    what: str
    remedy: str


@dataclass(frozen=True, slots=True)
class Problem:
    line: int | None
    """In the file; None when it stems from the environment, an option, or a missing section."""
    where: str
    what: str
    remedy: str

    def __str__(self) -> str:
        line = f"line {self.line}, " if self.line is not None else ""
        return f"{line}{self.where}: {self.what} {self.remedy}"


class ConfigurationProblems(ConfigurationError):
    """Everything wrong with the configuration, found in one go."""

    def __init__(self, path: Path, problems: Sequence[Problem]) -> None:
        self.path = path
        self.problems = tuple(problems)
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        lines = "\n".join(f"  {problem}" for problem in problems)
        super().__init__(f"{path} has {count}:\n{lines}")


def refusal(what: str, remedy: str) -> PydanticCustomError:
    """What a field's validator raises; neither sentence may hold a secret's value."""
    return PydanticCustomError("refused", "{what}", {"what": what, "remedy": remedy})


def dotted(place: Place) -> str:
    """`("routes", 0, "events")` as `routes[0].events`."""
    text = "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in place)
    return text.removeprefix(".")
