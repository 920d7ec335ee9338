"""Lets the vendors' own code sign what we verify, and judge what our simulated senders sign.

    .venv/bin/python -m tests.oracles.run [PROVIDER …] [--write]

Each program of `py/` and `js/` is named after its provider. Without an argument it prints a list
of vectors (see vectors.py); with `check` it reads a list of requests and prints true or false for
each. --write keeps the vectors in tests/golden/oracles/.
"""

import argparse
import fcntl
import hashlib
import json
import os
import subprocess
import sys
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from service.intake.provider import Genuine
from tests import simulated, vectors

HERE = Path(__file__).parent
CACHE = HERE.parent.parent / ".oracles"
SECONDS = 120

Vector = dict[str, Any]


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Let one of several runs install at a time."""
    CACHE.mkdir(exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def installed(wanted: Path, mark: Path) -> bool:
    """Whether what a list of packages wants has been installed; the mark remembers."""
    digest = hashlib.sha256(wanted.read_bytes()).hexdigest()
    if mark.exists() and mark.read_text() == digest:
        return True
    mark.write_text(digest)
    return False


def python(folder: str = "py") -> Path:
    """Make the environment of the Python programs of a folder, and return its interpreter."""
    home, wanted = CACHE / folder, HERE / folder / "requirements.txt"
    with alone(folder):
        if not (home / "bin" / "python").exists():
            venv.create(home, with_pip=True)
        if not installed(wanted, CACHE / f"{folder}.done"):
            pip = [home / "bin" / "python", "-m", "pip", "install", "--quiet", "-r", wanted]
            run(pip, folder)
    return home / "bin" / "python"


def javascript() -> Path:
    """Install what the JavaScript programs need, and return where it is."""
    home, wanted = CACHE / "js", HERE / "js" / "package.json"
    with alone("js"):
        home.mkdir(exist_ok=True)
        if not installed(wanted, CACHE / "js.done"):
            (home / "package.json").write_bytes(wanted.read_bytes())
            quiet = ["--no-package-lock", "--ignore-scripts", "--no-audit", "--no-fund", "--silent"]
            run(["npm", "install", *quiet, "--prefix", home], "js")
        for program in [*(HERE / "js").glob("*.mjs"), *(HERE / "shared").glob("*.mjs")]:
            # Node looks for packages beside the program it runs.
            (home / program.name).write_bytes(program.read_bytes())
    return home


def run(command: list[Any], mark: str) -> None:
    done = subprocess.run([str(part) for part in command], capture_output=True, check=False)
    if done.returncode:
        (CACHE / f"{mark}.done").unlink(missing_ok=True)
        raise SystemExit(done.stdout.decode() + done.stderr.decode())


def programs(names: list[str]) -> list[Path]:
    found = [*(HERE / "py").glob("*.py"), *(HERE / "js").glob("*.mjs")]
    known = sorted(found)
    missing = set(names) - {provider(path) for path in known}
    if missing:
        raise SystemExit(f"There is no oracle for {', '.join(sorted(missing))}.")
    return [path for path in known if not names or provider(path) in names]


def provider(program: Path) -> str:
    """`easypost.py` and `easypost-node.mjs` are both of easypost."""
    return program.stem.partition("-")[0]


def ask(program: Path, *words: str, given: object = None) -> Any:
    """Run a program; None where it cannot do what it is asked to."""
    if program.suffix == ".py":
        # Safe path: a program may be named as the package it imports.
        command = [str(python()), "-P", str(program), *words]
    else:
        command = ["node", str(javascript() / program.name), *words]
    done = subprocess.run(
        command,
        input=json.dumps(given).encode(),
        env={**os.environ, "PYTHONPATH": str(HERE / "shared")},
        capture_output=True,
        timeout=SECONDS,
        check=False,
    )
    if done.returncode == 3:
        return None
    if done.returncode:
        raise SystemExit(f"{program.name} {' '.join(words)}:\n{done.stderr.decode()}")
    return json.loads(done.stdout)


def verify(name: str, vector: Vector) -> str:
    """Judge a vector; empty where we agree with it."""
    at = datetime.fromisoformat(vector["at"])
    source = simulated.described(vector["source"], name)
    request = vectors.read_request(vector["request"], at=at)
    answer = simulated.judged(source, request, now=at, served=vectors.read_keys(vector))
    agreed = (answer == Genuine()) == vector["genuine"]
    return "" if agreed else f"{vector['name']}: we say {answer}"


def check(program: Path) -> list[str]:
    """Let the vendor's code judge what our simulated sender posts, right and wrong."""
    name = provider(program)
    source = simulated.source(name)
    posted = [
        ("right", simulated.posted(source, at=simulated.AT), True),
        ("of another key", simulated.posted(source, word=simulated.OTHER), False),
    ]
    given = [
        {
            "source": {"secrets": [secret.reveal().decode() for secret in source.secrets]}
            | dict(simulated.sender(name).rules),
            "at": simulated.AT.isoformat(),
            "keys": {url: text.decode() for url, text in simulated.documents(name).items()},
            "request": vectors.write_request(request),
        }
        for _, request, _ in posted
    ]
    said = ask(program, "check", given=given)
    if said is None:
        return []
    return [
        f"the sender's request {what}: the vendor's code says {answer}"
        for (what, _, expected), answer in zip(posted, said, strict=True)
        if answer is not expected
    ]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("providers", nargs="*")
    parser.add_argument("--write", action="store_true")
    asked = parser.parse_args()
    failed, kept = False, dict[str, list[Vector]]()
    for program in programs(asked.providers):
        name = provider(program)
        made: list[Vector] = ask(program) or []
        wrong = [why for vector in made if (why := verify(name, vector))] + check(program)
        failed |= bool(wrong)
        kept.setdefault(name, []).extend(made)
        say(f"{program.name}: {len(made)} vectors, {'; '.join(wrong) or 'all agree'}")
    if asked.write:
        for name, made in kept.items():
            keep(name, made)
    return int(failed)


def keep(name: str, made: list[Vector]) -> None:
    """Write vectors down, and leave those that a vendor published."""
    path = vectors.ORACLES / f"{name}.json"
    old: list[Vector] = json.loads(path.read_bytes()) if path.exists() else []
    published = [vector for vector in old if vector["made_by"].startswith("published")]
    vectors.save(path, [*published, *made])


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
