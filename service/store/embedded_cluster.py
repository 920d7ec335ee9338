"""A claimed directory in, a PostgreSQL cluster ready to be started out: made once, then checked."""

import os
import secrets
import shutil
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from service.domain.errors import ConfigurationError, StoreUnavailable
from service.store.embedded_claim import drop_runtime, make_runtime, sentences, stop_orphan
from service.store.embedded_programs import (
    MAJOR,
    User,
    choose_user,
    closed_to,
    find_programs,
    run,
)

NAME = "orderhook"
"""Of the database and of its one role."""
LOGIN_FILE = "postgresql.password"
SOCKETS = "s"
LONGEST_BASE = 103 - len("/orderhook-12345678/s/.s.PGSQL.5432")
"""Bytes of a temporary directory: macOS takes 103 for the path of a socket, Linux 107."""
INIT_SECONDS = 180.0
INITDB = (
    f"--username={NAME}",
    "--auth=scram-sha-256",
    "--locale=C",
    "--encoding=UTF8",
    "--data-checksums",
    "--no-instructions",
)


@dataclass(frozen=True, slots=True)
class Cluster:
    """Everything a start needs, so that it can be repeated."""

    data_dir: Path
    user: User
    programs: Path
    runtime: Path
    closed: bool
    """The way to data_dir is closed to the user; see `name`."""
    durable: bool

    @property
    def data(self) -> Path:
        return self.data_dir / "postgresql"

    @property
    def sockets(self) -> Path:
        return self.runtime / SOCKETS

    @property
    def log(self) -> Path:
        return self.data_dir / "postgresql.log"

    @property
    def password(self) -> Path:
        return self.data_dir / LOGIN_FILE

    def name(self, folder: Path) -> tuple[Path, Path]:
        """How the user calls a folder, and where its programs must stand for that name to hold.

        A process that we put into a folder before it gives up root can stay there and can call it
        /proc/self/cwd, whatever the modes of the folders above; so those need not be touched.
        """
        return (Path("/proc/self/cwd"), folder) if self.closed else (folder, Path("/"))

    def dsn(self, database: str = NAME) -> str:
        return dsn_at(self.data_dir, self.runtime, database)


def dsn_at(data_dir: Path, runtime: Path, database: str = NAME) -> str:
    """How to log in to the server of `data_dir`, whose sockets are in `runtime`."""
    login = f"{NAME}:{(data_dir / LOGIN_FILE).read_text('ascii')}"
    host = quote(str(runtime / SOCKETS), safe="")
    return f"postgresql://{login}@/{database}?host={host}&port=5432"


@asynccontextmanager
async def prepared(data_dir: Path, *, durable: bool) -> AsyncIterator[Cluster]:
    """Make or check the cluster, and hold a directory for its sockets."""
    with sentences(data_dir):
        await stop_orphan(data_dir)
        drop_runtime(data_dir)
        user = choose_user(data_dir)
        runtime = make_runtime(data_dir, base=await _temporary(user))
    try:
        with sentences(data_dir):
            cluster = await _cluster(data_dir, user=user, runtime=runtime, durable=durable)
        yield cluster
    finally:
        drop_runtime(data_dir)


async def _temporary(user: User) -> str:
    for base in (tempfile.gettempdir(), "/tmp", "/var/tmp"):  # noqa: S108 - mkdtemp makes it private
        if len(os.fsencode(base)) <= LONGEST_BASE and not await closed_to(user, Path(base)):
            return base
    raise ConfigurationError(
        f"No temporary directory is both short and open to the user {user.name}: "
        "set TMPDIR to a short path that every user may enter."
    )


async def _cluster(data_dir: Path, *, user: User, runtime: Path, durable: bool) -> Cluster:
    closed = await closed_to(user, data_dir)
    if closed and sys.platform != "linux":
        raise ConfigurationError(
            f"PostgreSQL runs as the user {user.name}, which cannot enter {closed}: "
            "choose a server.data_dir elsewhere, or start orderhook as a normal user."
        )
    programs = await find_programs(user, runtime if closed else data_dir)
    cluster = Cluster(data_dir, user, programs, runtime, bool(closed), durable)
    _make_folder(cluster.sockets, user)
    if cluster.data.exists():
        _check(cluster)
    else:
        await _make(cluster)
    return cluster


async def _make(cluster: Cluster) -> None:
    """Run initdb into a draft, renamed when complete: a killed one leaves nothing half-made."""
    draft = cluster.data_dir / "postgresql.draft"
    if draft.exists():
        shutil.rmtree(draft)
    _make_folder(draft, cluster.user)
    name, folder = cluster.name(draft)
    password = _password(cluster)
    options = [*INITDB, f"--pwfile={password}", *([] if cluster.durable else ["--no-sync"])]
    initdb: list[str | Path] = [cluster.programs / "initdb", "-D", name, *options]
    code, output = await run(cluster.user, *initdb, seconds=INIT_SECONDS, folder=folder)
    password.unlink()
    if code != 0:
        raise StoreUnavailable(f"PostgreSQL could not be set up in {cluster.data_dir}: {output}")
    draft.rename(cluster.data)


def _check(cluster: Cluster) -> None:
    major = (cluster.data / "PG_VERSION").read_text("ascii").strip()
    if major != MAJOR:
        raise ConfigurationError(
            f"{cluster.data} was made by PostgreSQL {major}, and this release brings {MAJOR}: "
            "use the release that made it, or move the data with pg_dump and pg_restore."
        )
    if not cluster.password.exists():
        raise ConfigurationError(
            f"{cluster.password} is missing, and without it the data next to it stays shut: "
            "put it back, or choose another server.data_dir."
        )


def _password(cluster: Cluster) -> Path:
    """Write a new password twice: for us to keep, and for initdb to read as the user."""
    password = secrets.token_urlsafe(32)
    _write_private(cluster.password, password)
    handed = cluster.runtime / "password"
    _write_private(handed, password)
    cluster.user.give(handed)
    return handed


def _write_private(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(text)


def _make_folder(path: Path, user: User) -> None:
    path.mkdir(mode=0o700)
    user.give(path)
