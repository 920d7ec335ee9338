"""Planted bugs: patches in, the harness run on a copy of the tree with each, what it found out.

A patch in `bugs/` is a unified diff below a header:

    Bug: what is wrong, in a sentence.
    Why: why it is one, and where need be why the harness can see it.
    Run: SECONDS=40 SEED=1 FAULTS=F4 RATE=150 [BRISK=1] [ALONE=1]    or    Run: pytest NODE
    Found as: one of KINDS
"""

import os
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from xml.etree import ElementTree as ET

from tests.torture import proof, report

ROOT = Path(__file__).resolve().parents[2]
PATCHES = Path(__file__).parent / "bugs"
KINDS = (*proof.SETS, "unbalanced", "miscounted", "surprise", "stuck")
TEST = "a failing test"
"""What it is found as where the words run a test."""
HEADER = ("Bug", "Why", "Run", "Found as")
MAY_CHANGE = ("service/", "migrations/")
WORDS = {"SECONDS": "--seconds", "SEED": "--seed", "FAULTS": "--faults", "RATE": "--rate"}
SWITCHES = {"BRISK": "--brisk", "ALONE": "--alone"}
OVERTIME = 900.0
"""Seconds that a run may take longer than its load: starts, healing, quiet, the proof."""
ENDS_WITHIN = 60.0
SHOWN = 160
TOLD = 3
"""Findings of each kind that the journal keeps."""

Planting = Literal["planted", "control"]


@dataclass(frozen=True, slots=True)
class Planted:
    """One patch, and what is said above it."""

    path: Path
    bug: str
    why: str
    run: str
    found_as: str

    @property
    def name(self) -> str:
        return self.path.stem

    @property
    def files(self) -> list[str]:
        """What it changes, by the names in the diff."""
        lines = self.path.read_text().splitlines()
        named = [line.split("\t")[0] for line in lines if line.startswith(("--- ", "+++ "))]
        return sorted({name[4:].partition("/")[2] for name in named if "/dev/null" not in name})


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run on a copy came to."""

    kinds: tuple[str, ...]
    """Of everything that was found."""
    told: tuple[str, ...] = ()
    """The first findings in words."""
    trouble: str = ""
    """Why there is no result."""


class Unplantable(Exception):
    """The patch or its header cannot be used; the text says why."""


def every() -> list[Planted]:
    return [read(path) for path in sorted(PATCHES.glob("*.patch"))]


def chosen(names: Sequence[str]) -> list[Planted]:
    """By number, name or the beginning of one; all without names."""
    found = every()
    for name in names:
        if not any(one.name.startswith(name) for one in found):
            raise Unplantable(f"No planted bug is called {name!r}: see {PATCHES.name}/.")
    return [one for one in found if not names or any(one.name.startswith(n) for n in names)]


def read(path: Path) -> Planted:
    """The header: each word begins a line, and what it says may go on over several."""
    said: dict[str, str] = {}
    word = ""
    for line in path.read_text().splitlines():
        if line.startswith(("--- ", "diff ")):
            break
        begins, _, rest = line.partition(":")
        if begins in HEADER:
            word, said[begins] = begins, rest.strip()
        elif word:
            said[word] = f"{said[word]} {line.strip()}".strip()
    if missing := [word for word in HEADER if not said.get(word)]:
        raise Unplantable(f"{path.name} does not say {', '.join(missing)}.")
    if said["Found as"] not in KINDS:
        raise Unplantable(f"{path.name}: {said['Found as']!r} is no kind of finding.")
    return Planted(path, said["Bug"], said["Why"], said["Run"], said["Found as"])


def command(run: str, *, folder: Path) -> list[str]:
    """The words of a header as a program's; results go to `folder`."""
    words = shlex.split(run)
    if words[0] == "pytest":
        quiet = ("-q", "-p", "no:cacheprovider", f"--junitxml={folder / 'junit.xml'}")
        return [sys.executable, "-m", "pytest", *quiet, *words[1:]]
    made = [sys.executable, "-m", "tests.torture", "--journal", str(folder / "journal.jsonl")]
    for word in words:
        name, _, value = word.partition("=")
        if name in SWITCHES:
            made.append(SWITCHES[name])
        elif name in WORDS:
            made += [WORDS[name], value]
        else:
            raise Unplantable(f"{name} is no word of a run.")
    return made


def seconds(run: str) -> float:
    """How long the load lasts."""
    return float(dict(word.partition("=")[::2] for word in shlex.split(run)).get("SECONDS", 0))


@contextmanager
def copied(files: Iterable[str] = ()) -> Iterator[Path]:
    """A copy of the tree as it stands (or of these files of it), without what git ignores."""
    with tempfile.TemporaryDirectory(prefix="orderhook-planted-") as made:
        copy = Path(made) / "tree"
        for name in files or _tree():
            target = copy / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if (ROOT / name).is_file():
                shutil.copy2(ROOT / name, target)
        yield copy


def _tree() -> list[str]:
    words = ("git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return [name for name in done.stdout.split("\0") if name]


def plant(one: Planted, copy: Path) -> None:
    """Apply it; no guessing where it might belong."""
    words = ("patch", "-p1", "--fuzz=0", "--batch", "--no-backup-if-mismatch", "-i", str(one.path))
    done = subprocess.run(words, cwd=copy, check=False, capture_output=True, text=True)
    if done.returncode != 0:
        raise Unplantable(f"{one.path.name} does not apply: {done.stdout.strip()[-600:]}")


def attempt(run: str, copy: Path, *, keep: Path | None = None) -> Outcome:
    """Run the words in the copy; its own `service` must be the one that runs."""
    folder = copy.parent
    environ = {**os.environ, "PYTHONPATH": str(copy)}
    _expect_own(copy, environ)
    words = command(run, folder=folder)
    if keep is not None and words[2] == "tests.torture":
        words += ["--keep", str(keep.resolve())]
    log = folder / "output"
    ended = _spend(words, copy, environ, log=log, within=seconds(run) + OVERTIME)
    if keep is not None:
        keep.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, keep / "output")
    last = log.read_text("utf-8", "replace")[-1500:]
    if ended is None:
        return Outcome((), trouble=f"it did not end in time: {last}")
    return tested(folder, last) if words[2] == "pytest" else _sat(folder, last)


def _expect_own(copy: Path, environ: dict[str, str]) -> None:
    look = "import service, tests.torture.plant as p; print(service.__file__, p.__file__, p.ROOT)"
    words = (sys.executable, "-c", look)
    done = subprocess.run(words, cwd=copy, env=environ, check=True, capture_output=True, text=True)
    if done.stdout.count(str(copy)) != 3:
        raise Unplantable(f"The copy would run another tree: {done.stdout.strip()}")


def _spend(
    words: Sequence[str], copy: Path, environ: dict[str, str], *, log: Path, within: float
) -> int | None:
    """Its exit code; None when it had to be ended."""
    with log.open("wb") as output:
        process = subprocess.Popen(words, cwd=copy, env=environ, stdout=output, stderr=output)
        try:
            return process.wait(within)
        except subprocess.TimeoutExpired:
            return None
        finally:
            _end(process)


def _end(process: "subprocess.Popen[bytes]") -> None:
    """Interrupted it ends its servers; killed it would leave them."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(ENDS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _sat(folder: Path, last: str) -> Outcome:
    records = report.read([folder / "journal.jsonl"])
    if not records:
        return Outcome((), trouble=f"there was no sitting: {last}")
    kinds = {name for one in records for name, count in one["sets"].items() if count}
    kinds |= {"surprise" for one in records if one["surprising"]}
    told = _some(line for one in records for line in one["findings"])
    told += _some(f"surprise: {line}" for one in records for line in one["surprises"])
    broken = [fault["error"] for one in records for fault in report.broken(one)]
    return Outcome(tuple(sorted(kinds)), tuple(told), trouble=broken[0] if broken else "")


def _some(lines: Iterable[str]) -> list[str]:
    """A few of each kind."""
    seen: Counter[str] = Counter()
    kept = []
    for line in lines:
        kind = line.partition(":")[0]
        seen[kind] += 1
        if seen[kind] <= TOLD:
            kept.append(line)
    return kept


def tested(folder: Path, last: str) -> Outcome:
    """A test that fails found it; one that could not begin did not."""
    made = folder / "junit.xml"
    if not made.exists():
        return Outcome((), trouble=f"no test was run: {last}")
    cases = list(ET.parse(made).iter("testcase"))
    failed = [each.get("message", "") for case in cases for each in case.iter("failure")]
    if not cases or any(list(case.iter("error")) + list(case.iter("skipped")) for case in cases):
        return Outcome((), trouble=f"a test was not run: {last}")
    return Outcome((TEST,) if failed else (), tuple(failed))


def sit(one: Planted, *, planting: Planting, keep: Path | None = None) -> dict[str, Any]:
    """One line of the journal: what was planted, and whether it was found as it must be."""
    began, outcome = time.time(), Outcome(())
    try:
        with copied() as copy:
            if planting == "planted":
                plant(one, copy)
            outcome = attempt(one.run, copy, keep=keep / one.name if keep else None)
    except Unplantable as error:
        outcome = Outcome((), trouble=str(error))
    if planting == "planted":
        good = bool({one.found_as, TEST} & {*outcome.kinds})
    else:
        good = not outcome.kinds and not outcome.trouble
    return {
        "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(began)),
        "name": one.name,
        "bug": one.bug,
        "planting": planting,
        "run": one.run,
        "found_as": one.found_as,
        "good": good,
        "kinds": list(outcome.kinds),
        "told": list(outcome.told),
        "trouble": outcome.trouble,
        "seconds": round(time.time() - began, 1),
    }


def page(records: Sequence[dict[str, Any]]) -> str:
    """The table of one go."""
    planted = [one for one in records if one["planting"] == "planted"]
    control = [one for one in records if one["planting"] == "control"]
    lines = ["# Planted bugs", ""]
    if planted:
        found = sum(one["good"] for one in planted)
        lines += [f"{found} of {len(planted)} planted bugs were found."]
    if control:
        green = sum(one["good"] for one in control)
        lines += [f"{green} of {len(control)} runs of the same words without a bug were green."]
    lines += ["", "| bug | run | must be found as | result | seconds |", "|---|---|---|---|---|"]
    return "\n".join([*lines, *map(_row, records)])


def _row(one: dict[str, Any]) -> str:
    control = one["planting"] == "control"
    good = "green" if control else f"found as {', '.join(one['kinds'])}"
    said = good if one["good"] else f"**NOT {'GREEN' if control else 'FOUND'}**"
    first = next((line for line in one["told"] if line.startswith(one["found_as"])), "")
    trouble = "" if one["good"] else one["trouble"][-SHOWN:]
    detail = trouble or first or next(iter(one["told"]), "")
    told = " ".join(f"{said}: {detail}".split())[: SHOWN + 20].replace("|", "/").rstrip(": ")
    name = f"{one['name']} (nothing planted)" if control else f"{one['name']}: {one['bug']}"
    wanted = "nothing" if control else one["found_as"]
    return f"| {name} | `{one['run']}` | {wanted} | {told} | {one['seconds']:.0f} |"
