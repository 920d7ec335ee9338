"""Feeds every parser and verifier with bytes that coverage finds; says what was tried and found.

    .venv/bin/python -m tests.fuzz.run --seconds 60 [ENTRY …]

atheris is installed into an environment of its own. Where it cannot be, hypothesis tries random
changes of the same seeds instead, which covers less. The corpus grows from run to run; a finding is
kept as a file that `--replay FILE ENTRY` shows again.
"""

import argparse
import os
import re
import subprocess
import sys
import time
import traceback
import venv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from tests.fuzz import seeds
from tests.fuzz.entries import ENTRIES

ROOT = Path(__file__).parents[2]
CACHE = ROOT / ".oracles" / "fuzz"
ATHERIS = "atheris==3.0.0"
ONE_INPUT_SECONDS = 5
LONGEST = 32 * 1024
MEMORY_MB = 2048
TRIED = re.compile(rb"stat::number_of_executed_units:\s*(\d+)")
COVERED = re.compile(rb"cov: (\d+)")


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one entry."""

    entry: str
    by: str
    tried: int
    covered: int
    findings: tuple[Path, ...] = ()
    why: str = ""

    def __str__(self) -> str:
        found = f"{len(self.findings)} findings" if self.findings or self.why else "no finding"
        sums = f"{self.tried:>10,} inputs, {self.covered:>6,} edges, {found}"
        line = f"{self.entry:<10} {self.by:<10} {sums}"
        return "\n".join((line, *map(str, self.findings), *self.why.splitlines()[-12:]))


def interpreter() -> Path | None:
    """The Python that has atheris and what the service needs; None where it cannot be had."""
    home, mark = CACHE / "venv", CACHE / "venv.done"
    python = home / "bin" / "python"
    if mark.exists() and mark.read_text() == ATHERIS:
        return python
    venv.create(home, with_pip=True)
    limits = ["--constraint", ROOT / "constraints.txt"]
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    command = [str(part) for part in (*install, *limits, ATHERIS, "--editable", ROOT)]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        return None
    mark.write_text(ATHERIS)
    return python


def guided(python: Path, entry: str, seconds: int) -> Outcome:
    """Let atheris look for inputs that reach further, and for one that breaks something."""
    corpus, found = CACHE / "corpus" / entry, CACHE / "findings" / entry
    seeds.plant(entry, corpus)
    found.mkdir(parents=True, exist_ok=True)
    words = CACHE / "words.dict"
    words.write_text(seeds.dictionary())
    before = {path for path in found.iterdir() if path.is_file()}
    options = {
        "max_total_time": seconds,
        "timeout": ONE_INPUT_SECONDS,
        "rss_limit_mb": MEMORY_MB,
        "max_len": LONGEST,
        "dict": words,
        "artifact_prefix": f"{found}/",
        "print_final_stats": 1,
        "reload": 0,
    }
    flags = [f"-{name}={value}" for name, value in options.items()]
    done = subprocess.run(
        [str(python), "-m", "tests.fuzz.drive", entry, str(found), *flags, str(corpus)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    heard = done.stdout + done.stderr
    (CACHE / f"{entry}.log").write_bytes(heard)
    fresh = tuple(sorted({path for path in found.iterdir() if path.is_file()} - before))
    told = (done.stdout or done.stderr).decode("utf-8", "replace")
    why = f"ended with {done.returncode}:\n{told}" if done.returncode else ""
    return Outcome(entry, "atheris", _last(TRIED, heard), _last(COVERED, heard), fresh, why)


def _last(pattern: re.Pattern[bytes], heard: bytes) -> int:
    found = pattern.findall(heard)
    return int(found[-1]) if found else 0


def unguided(entry: str, seconds: int) -> Outcome:
    """Change seeds at random for as long; hypothesis makes the smallest input that fails."""
    start, tried = sorted(set(seeds.seeds(entry))), 0
    ends = time.monotonic() + seconds

    @settings(
        max_examples=10_000_000,
        deadline=None,
        database=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(st.sampled_from(start), st.integers(0, LONGEST), st.binary(max_size=64))
    def change(seed: bytes, place: int, junk: bytes) -> None:
        nonlocal tried
        if time.monotonic() > ends:
            raise TimeoutError
        tried += 1
        place %= len(seed) + 1
        ENTRIES[entry](seed[:place] + junk + seed[place + len(junk) // 2 :])

    try:
        change()
    except TimeoutError:
        return Outcome(entry, "hypothesis", tried, 0)
    except Exception:  # noqa: BLE001  (whatever it is, it is what we look for)
        return Outcome(entry, "hypothesis", tried, 0, why=traceback.format_exc())
    return Outcome(entry, "hypothesis", tried, 0)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", nargs="*", choices=[*ENTRIES, []], metavar="ENTRY")
    parser.add_argument("--seconds", type=int, default=60, help="for all entries together")
    parser.add_argument("--replay", type=Path, help="a file of a finding, for one ENTRY")
    asked = parser.parse_args(arguments)
    chosen = asked.entries or list(ENTRIES)
    if asked.replay:
        ENTRIES[chosen[0]](asked.replay.read_bytes())
        return 0
    CACHE.mkdir(parents=True, exist_ok=True)
    python, share = interpreter(), max(1, asked.seconds // len(chosen))
    failed = False
    for entry in chosen:
        outcome = guided(python, entry, share) if python else unguided(entry, share)
        failed |= bool(outcome.findings or outcome.why)
        sys.stdout.write(f"{outcome}\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
