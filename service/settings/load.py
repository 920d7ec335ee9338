"""`orderhook.toml` and the environment in; typed settings, or every problem at once, out."""

import os
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from service.domain.errors import ConfigurationError
from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles import LIFECYCLES
from service.settings import overrides
from service.settings.assemble import assemble, assemble_lifecycles
from service.settings.checks import Known
from service.settings.lines import find_lines
from service.settings.models import Settings
from service.settings.problems import ConfigurationProblems, Issue, Place, Problem, dotted
from service.settings.secrets import References

DEFAULT_NAME = "orderhook.toml"
VARIABLE = "ORDERHOOK_CONFIG"
MAX_FILE = 1024 * 1024
NOTHING: Mapping[str, str] = MappingProxyType({})
ANYTHING = Known()


def environment() -> Mapping[str, str]:
    """What the process was started with; nothing else reads it."""
    return dict(os.environ)  # noqa: TID251  # this is the one place


def locate(path: Path | None, environ: Mapping[str, str]) -> Path:
    """Find the file: the one named by --config, else by the environment, else the usual one."""
    named = path or (Path(environ[VARIABLE]) if environ.get(VARIABLE) else None)
    if named is None:
        return _usual()
    if not named.exists():
        by = "--config" if path else VARIABLE
        raise ConfigurationError(
            f"There is no configuration file {named}, which {by} names. "
            "Mend the name, or write a new file with `orderhook init`."
        )
    return named


def _usual() -> Path:
    usual = Path(DEFAULT_NAME)
    if not usual.exists():
        raise ConfigurationError(
            f"There is no configuration: --config is not given, {VARIABLE} is not set, and there "
            f"is no ./{DEFAULT_NAME} in {Path.cwd()}. Write one with `orderhook init`."
        )
    return usual


def load(
    path: Path | None,
    environ: Mapping[str, str],
    *,
    sets: Mapping[str, str] = NOTHING,
    known: Known = ANYTHING,
) -> Settings:
    """Read, override (`sets` are options: dotted key and value), resolve and check everything.

    Raises ConfigurationProblems with all there is to mend, or ConfigurationError when there is
    no file that can be read.
    """
    file = locate(path, environ)
    text = _read(file)
    document = _parse(file, text)
    origins, misplaced = _override(document, environ, sets)
    references = References(environ, file.parent, sandbox=_is_sandbox(document))
    _complete(document, references)
    settings, issues = assemble(document, references, known)
    if settings is None or misplaced:
        report = _Report(find_lines(text), origins)
        raise ConfigurationProblems(file, [*misplaced, *report.problems(issues)])
    return settings


def load_lifecycles(path: Path | None, environ: Mapping[str, str]) -> Mapping[str, Lifecycle]:
    """The shipped lifecycles and those of the file, whatever else the file holds or lacks.

    Without any file these are the shipped ones.
    """
    if path is None and not environ.get(VARIABLE) and not Path(DEFAULT_NAME).exists():
        return LIFECYCLES
    file = locate(path, environ)
    text = _read(file)
    document = _parse(file, text)
    origins, _ = _override(document, environ, NOTHING)
    references = References(environ, file.parent, sandbox=_is_sandbox(document))
    lifecycles, issues = assemble_lifecycles(document, references)
    if issues:
        raise ConfigurationProblems(file, _Report(find_lines(text), origins).problems(issues))
    return lifecycles


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            content = stream.read(MAX_FILE + 1)
    except OSError as error:
        raise ConfigurationError(
            f"The configuration file {file} cannot be read: {error.strerror}. "
            "Mend its permissions, or name another file with --config."
        ) from None
    if len(content) > MAX_FILE:
        raise ConfigurationError(f"The configuration file {file} is larger than 1 MiB. Split it.")
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise _broken(file, line, "This is not UTF-8.", "Save the file as UTF-8.") from None


def _parse(file: Path, text: str) -> dict[str, object]:
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        what, line = _syntax(str(error), text)
    except RecursionError:
        what, line = "Values are nested too deeply.", None
    remedy = "Mend this first; the rest could not be read."
    raise _broken(file, line, what, remedy)


def _broken(file: Path, line: int | None, what: str, remedy: str) -> ConfigurationProblems:
    return ConfigurationProblems(file, [Problem(line, file.name, what, remedy)])


def _syntax(message: str, text: str) -> tuple[str, int]:
    found = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if found is None:
        what = message.removesuffix(" (at end of document)")
        return f"The file ends too early: {what}.", text.rstrip("\n").count("\n") + 1
    # A message may quote characters of the line, but never a whole value.
    return f"This is not TOML: {found[1]}, at column {found[3]}.", int(found[2])


def _override(
    document: dict[str, object], environ: Mapping[str, str], sets: Mapping[str, str]
) -> tuple[Mapping[Place, str], list[Problem]]:
    origins: dict[Place, str] = {}
    problems: list[Problem] = []
    for override in overrides.collect(environ, sets):
        match overrides.put(document, override):
            case overrides.Misplaced(what, remedy):
                problems.append(Problem(None, override.origin, what, remedy))
            case place:
                origins[place] = override.origin
    return origins, problems


def _is_sandbox(document: Mapping[str, object]) -> bool:
    server = document.get("server")
    return isinstance(server, dict) and server.get("sandbox") is True


def _complete(document: dict[str, object], references: References) -> None:
    """Fill in the data directory, whose default depends on who runs us."""
    server = document.setdefault("server", {})
    if isinstance(server, dict):
        given = server.get("data_dir")
        if given is None:
            server["data_dir"] = default_data_dir(references.environ)
        elif isinstance(given, str) and given:
            server["data_dir"] = references.path(given)


def default_data_dir(environ: Mapping[str, str]) -> Path:
    if os.geteuid() == 0:
        return Path("/var/lib/orderhook")
    home = Path(environ.get("HOME", "."))
    data = Path(environ.get("XDG_DATA_HOME") or home / ".local" / "share")
    return data.absolute() / "orderhook"


@dataclass(frozen=True, slots=True)
class _Report:
    """Gives each issue its line, or the name of what set the value from outside."""

    lines: Mapping[Place, int]
    origins: Mapping[Place, str]

    def problems(self, issues: Iterable[Issue]) -> list[Problem]:
        problems = [self.problem(issue) for issue in issues]
        return sorted(problems, key=lambda problem: problem.line or 0)

    def problem(self, issue: Issue) -> Problem:
        for place in _prefixes(issue.place):
            if place in self.origins:
                return Problem(None, self.origins[place], issue.what, issue.remedy)
            if place in self.lines:
                where = dotted(issue.place)
                return Problem(self.lines[place], where, issue.what, issue.remedy)
        return Problem(None, dotted(issue.place), issue.what, issue.remedy)


def _prefixes(place: Place) -> Iterator[Place]:
    for length in range(len(place), 0, -1):
        yield place[:length]
