"""One owner for a data directory: a lock while it lives, and an end for what a killed one left."""

import asyncio
import fcntl
import os
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import structlog

from service.domain.errors import ConfigurationError, Conflict, StoreUnavailable

log = structlog.get_logger()

POLL = 0.05
PATIENCE = ((signal.SIGINT, 30.0), (signal.SIGQUIT, 10.0), (signal.SIGKILL, 5.0))
"""Fast shutdown, immediate shutdown, the end; each with its seconds to work."""
PREFIX = "orderhook-"


@contextmanager
def sentences(data_dir: Path) -> Iterator[None]:
    """Say what the system refused; a traceback helps nobody who mistyped a path."""
    try:
        yield
    except TimeoutError as error:
        raise StoreUnavailable(
            f"The embedded PostgreSQL in {data_dir} takes too long: "
            "look at the load of this machine."
        ) from error
    except OSError as error:
        raise ConfigurationError(
            f"The data directory {data_dir} cannot be used "
            f"({error.strerror}: {error.filename or data_dir}): "
            "mend that, or change server.data_dir."
        ) from error


@contextmanager
def claimed(data_dir: Path) -> Iterator[Path]:
    """Hold the directory; the kernel lets go when this process ends in whatever way."""
    data_dir = data_dir.absolute()
    with sentences(data_dir):
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(data_dir / "lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            holder = os.read(descriptor, 20).decode("ascii", "replace").strip() or "unknown"
            raise Conflict(
                f"{data_dir} is in use by process {holder}: "
                "stop that one first, or give this one another server.data_dir."
            ) from error
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        yield data_dir
    finally:
        os.close(descriptor)


def make_runtime(data_dir: Path, *, base: str) -> Path:
    """Make a short directory for sockets, recorded so that the next owner can find what is left.

    Not in data_dir, which may be too deep for a socket, or on a disk that takes none.
    """
    runtime = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
    _record(data_dir).write_text(str(runtime), "utf-8")
    runtime.chmod(0o711)
    return runtime


def runtime_of(data_dir: Path) -> Path:
    """Where the sockets of the present owner are."""
    return Path(_record(data_dir).read_text("utf-8"))


def drop_runtime(data_dir: Path) -> None:
    with suppress(OSError):
        runtime = runtime_of(data_dir)
        # A wrong record must not cost anything but a directory that we could have made.
        if runtime.name.startswith(PREFIX) and runtime.lstat().st_uid == os.geteuid():
            shutil.rmtree(runtime)
    _record(data_dir).unlink(missing_ok=True)


async def stop_orphan(data_dir: Path) -> None:
    """End the server of an owner that was killed; to be called only while holding the claim."""
    pid_file = data_dir / "postgresql" / "postmaster.pid"
    if not pid_file.exists():
        return
    pid = _first_number(pid_file)
    mark = _record(data_dir).read_text("utf-8") if _record(data_dir).exists() else "unknown"
    for number, seconds in PATIENCE:
        if not await _serves(pid, mark):
            break
        log.warning("embedded_postgresql_orphan_stopped", pid=pid, signal=number.name)
        with suppress(ProcessLookupError):
            os.kill(pid, number)
        await _gone(pid, mark, seconds)
    else:
        raise Conflict(
            f"Process {pid}, a PostgreSQL server left over in {data_dir}, cannot be stopped: "
            f"end it (kill -9 {pid}) and start again."
        )
    if "postgres" not in await asyncio.to_thread(_command, pid):
        # PostgreSQL itself would refuse to start if another program has that number by now.
        pid_file.unlink(missing_ok=True)


def _record(data_dir: Path) -> Path:
    return data_dir / "postgresql.runtime"


def _first_number(path: Path) -> int:
    first = path.read_text("ascii", "replace").partition("\n")[0].strip()
    return int(first) if first.isdecimal() else 0


async def _gone(pid: int, mark: str, seconds: float) -> None:
    for _ in range(int(seconds / POLL)):
        if not await _serves(pid, mark):
            return
        await asyncio.sleep(POLL)


async def _serves(pid: int, mark: str) -> bool:
    """Whether the process is a server on our recorded sockets; process numbers are used again."""
    command = await asyncio.to_thread(_command, pid)
    return "postgres" in command and f"{mark}/" in command


def _command(pid: int) -> str:
    """The words of a process; /proc because small images lack `ps`, `ps` where /proc is not."""
    if pid <= 1:
        return ""
    if Path("/proc/self").exists():
        try:
            raw = Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return ""
        return raw.replace(b"\0", b" ").decode("utf-8", "surrogateescape")
    words = ["ps", "-ww", "-o", "command=", "-p", str(pid)]
    answer = subprocess.run(words, capture_output=True, text=True, check=False, timeout=10)  # noqa: S603
    return answer.stdout
