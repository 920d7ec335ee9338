"""A real Tryton: installed once, its database made once and copied, started and stopped at will.

Where the package index cannot be reached and nothing is installed yet, the tests are skipped.
"""

import base64
import fcntl
import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from service.store import embedded_child

HERE = Path(__file__).parent
HOME = HERE.parent.parent / ".oracles" / "tryton"
PYTHON = HOME / "venv" / "bin" / "python"
INSTALL_WITHIN = 300
START_WITHIN = 30.0
DATABASE = "shop"
UNREACHABLE = ("Could not find a version", "Temporary failure", "Connection", "timed out", "Proxy")
CONFIG = """\
[database]
uri = sqlite://
path = {folder}
[web]
listen = 127.0.0.1:{port}
"""


class Tryton:
    """One server with a database of its own; `start` again after `stop` keeps what was written."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.made: dict[str, Any] = json.loads((HOME / "made.json").read_text())
        shutil.copy(HOME / f"{DATABASE}.sqlite", folder)
        self._port = _free_port()
        self._config = configured(folder, self._port)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}/{DATABASE}/rest"

    @property
    def key(self) -> str:
        return str(self.made["key"])

    @property
    def context(self) -> str:
        """What the header X-Tryton-Context says: in which company we work."""
        said = json.dumps({"company": self.made["company"]}).encode()
        return base64.urlsafe_b64encode(said).decode()

    @property
    def output(self) -> str:
        return (self.folder / "tryton.log").read_text("utf-8", "replace")

    def start(self) -> None:
        program = [PYTHON.with_name("trytond"), "-c", self._config, "-d", DATABASE]
        words = [str(word) for word in program]
        with (self.folder / "tryton.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-I", "-S", embedded_child.__file__, str(os.getpid())),
                    *(str(int(signal.SIGKILL)), str(os.geteuid()), str(os.getegid())),
                    *(str(self.folder), *words),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=environment(self.folder),
                start_new_session=True,
            )
        deadline = time.monotonic() + START_WITHIN
        while not self._answers():
            assert self._process.poll() is None, self.output
            assert time.monotonic() < deadline, self.output
            time.sleep(0.05)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(timeout=5)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait(timeout=5)
            self._process = None

    def _answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=1) as probe:
                probe.sendall(b"GET / HTTP/1.0\r\n\r\n")
                return probe.recv(4) == b"HTTP"
        except OSError:
            return False


@contextmanager
def running(folder: Path) -> Iterator[Tryton]:
    prepare()
    tryton = Tryton(folder)
    tryton.start()
    try:
        yield tryton
    finally:
        tryton.stop()


def prepare() -> None:
    """Install and make the database, unless an earlier run has."""
    HOME.mkdir(parents=True, exist_ok=True)
    sources = [HERE / "requirements.txt", HERE / "prepare.py"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()
    with (HOME / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        mark = HOME / "done"
        if not mark.exists() or mark.read_text() != digest:
            _install()
            _make_database()
            mark.write_text(digest)


def _install() -> None:
    if not PYTHON.exists():
        venv.create(HOME / "venv", with_pip=True)
    wanted = HERE / "requirements.txt"
    done = subprocess.run(
        [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", wanted],
        capture_output=True,
        text=True,
        timeout=INSTALL_WITHIN,
        check=False,
    )
    said = done.stdout + done.stderr
    if done.returncode and any(word in said for word in UNREACHABLE):
        pytest.skip("Tryton is not installed, and the package index cannot be reached")
    assert done.returncode == 0, said


def _make_database() -> None:
    folder = HOME / "making"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    config = configured(folder, 0)
    (folder / f"{DATABASE}.sqlite").touch()
    modules = ["-u", "sale", "--activate-dependencies", "--email", "admin@example.com"]
    admin = [str(PYTHON.with_name("trytond-admin")), "-c", str(config), "-d", DATABASE]
    _run([*admin, *modules], folder)
    made = _run([str(PYTHON), str(HERE / "prepare.py"), str(config), DATABASE], folder)
    shutil.copy(folder / f"{DATABASE}.sqlite", HOME)
    (HOME / "made.json").write_text(made.splitlines()[-1])


def _run(command: list[str], folder: Path) -> str:
    done = subprocess.run(
        command,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=INSTALL_WITHIN,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def configured(folder: Path, port: int) -> Path:
    config = folder / "trytond.conf"
    config.write_text(CONFIG.format(folder=folder, port=port))
    return config


def environment(folder: Path) -> dict[str, str]:
    """Without a file for the password, trytond-admin asks for it."""
    password = folder / "password"
    password.write_text("a password of the tests")
    return {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "TRYTONPASSFILE": str(password),
    }


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
