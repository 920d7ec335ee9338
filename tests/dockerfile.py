"""A Dockerfile in, its steps out; enough of the format to walk through ours without an engine."""

import json
import re
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Step:
    """One instruction with its words as one line."""

    name: str
    text: str

    @property
    def flags(self) -> dict[str, str]:
        words = [word for word in self.text.split() if word.startswith("--")]
        return dict(word.removeprefix("--").split("=", 1) for word in words if "=" in word)

    @property
    def arguments(self) -> list[str]:
        """The exec form's list, or the words that are no flags."""
        bare = re.sub(r"^(--\S+ )*", "", self.text)
        if self.name == "HEALTHCHECK":
            bare = bare.removeprefix("CMD ")
        if bare.startswith("["):
            words: list[str] = json.loads(bare)
            return words
        return shlex.split(bare)


@dataclass(frozen=True, slots=True)
class Stage:
    base: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def all(self, name: str) -> list[Step]:
        return [step for step in self.steps if step.name == name]

    def last(self, name: str) -> Step:
        return self.all(name)[-1]

    @property
    def environment(self) -> dict[str, str]:
        return pairs(self.all("ENV"))

    @property
    def labels(self) -> dict[str, str]:
        return pairs(self.all("LABEL"))


def read(file: Path) -> list[Stage]:
    """The stages in order; build arguments stand with their defaults."""
    text = "\n".join(
        line for line in file.read_text("utf-8").splitlines() if not line.startswith("#")
    )
    arguments: dict[str, str] = {}
    stages: list[Stage] = []
    for line in re.sub(r"\\\n\s*", "", text).splitlines():
        if not line.strip():
            continue
        name, _, rest = line.partition(" ")
        rest = _filled(rest.strip(), arguments)
        match name:
            case "ARG":
                key, _, value = rest.partition("=")
                arguments[key] = value
            case "FROM":
                base, _, alias = rest.partition(" AS ")
                stages.append(Stage(base, alias))
            case _:
                stages[-1].steps.append(Step(name, rest))
    return stages


def pairs(steps: Sequence[Step]) -> dict[str, str]:
    words = [word for step in steps for word in shlex.split(step.text)]
    return dict(word.split("=", 1) for word in words)


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)\}", lambda found: arguments[found[1]], text)


def sent(root: Path) -> set[str]:
    """The names at the top of the folder that .dockerignore lets an engine see."""
    lines = [line.strip() for line in (root / ".dockerignore").read_text("utf-8").splitlines()]
    rules = [line for line in lines if line and not line.startswith(("#", "**"))]
    names = {path.name for path in root.iterdir()}
    seen = set(names)
    for rule in rules:
        found = {name for name in names if fnmatch(name, rule.removeprefix("!"))}
        seen = seen | found if rule.startswith("!") else seen - found
    return seen
