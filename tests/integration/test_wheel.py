"""The Dockerfile walked step by step without an engine: the wheel it builds is all there is."""

import asyncio
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from zipfile import ZipFile

import pytest

from service import __version__
from service.store import revision
from tests import dockerfile, servers
from tests.acceptance.bridge import Bridge
from tests.acceptance.stage import until

pytestmark = [
    pytest.mark.long,
    pytest.mark.postgres,
    pytest.mark.rabbitmq,
    pytest.mark.timeout(300),
]

ROOT = Path(__file__).parents[2]
BUILD, RUNTIME = dockerfile.read(ROOT / "Dockerfile")
UID = 10001
SPOOL = {"0.db", "0.lock"}
"""Kept for the next start; in a folder that is its user's alone, so not everybody sees them."""
PLACES = re.compile(r"(?<![\w.])/(wheels|opt|etc/orderhook|var/lib/orderhook|run/secrets|tmp)\b")


@dataclass(frozen=True, slots=True)
class Image:
    """A folder that stands for the root of the image."""

    root: Path

    def path(self, inside: str) -> Path:
        return self.root / inside.removeprefix("/")

    @property
    def environment(self) -> dict[str, str]:
        said = {key: self.moved(value) for key, value in RUNTIME.environment.items()}
        said["PATH"] = said["PATH"].replace("$PATH", os.environ["PATH"])
        return said

    def moved(self, text: str) -> str:
        """The text with the places of the image turned into ours."""
        return PLACES.sub(lambda place: f"{self.root}{place[0]}", text)

    def start(self, *command: str, env: Mapping[str, str], log: Path) -> subprocess.Popen[bytes]:
        """The entry point with a command, as the image's user where we may become it."""
        with log.open("ab") as output:
            return subprocess.Popen(
                [
                    self.path("/opt/orderhook/bin") / RUNTIME.last("ENTRYPOINT").arguments[0],
                    *command,
                ],
                cwd=self.path("/var/lib/orderhook"),
                env={**self.environment, **env},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                user=_stranger(),
                group=_stranger(),
                extra_groups=[] if _stranger() else None,
            )

    def run(self, *command: str, env: Mapping[str, str] | None = None) -> tuple[int, str]:
        log = self.root.parent / "verb.log"
        log.unlink(missing_ok=True)
        program = self.start(*command, env=env or {}, log=log)
        return program.wait(timeout=60), log.read_text("utf-8")


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    with servers.open_folder() as folder:
        built = Image(folder / "image")
        source = folder / "src"
        for name in dockerfile.sent(ROOT):
            _copy(ROOT / name, source / name)
        for place in ("etc/orderhook", "var/lib/orderhook", "run/secrets", "tmp", "opt"):
            built.path(place).mkdir(parents=True)
        python = folder / "python"
        subprocess.run([_python(), "-m", "venv", python], check=True, timeout=60)
        for step in BUILD.all("RUN"):
            _sh(built.moved(step.text), cwd=source, path=python / "bin")
        shutil.rmtree(source)
        _furnish(built)
        yield built


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
    else:
        shutil.copy(source, target)


def _sh(line: str, *, cwd: Path, path: Path) -> None:
    done = subprocess.run(
        ["sh", "-euc", line],
        cwd=cwd,
        env={**os.environ, "PATH": f"{path}:{os.environ['PATH']}"},
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert 0 == done.returncode, f"{line}\n{done.stdout}{done.stderr}"


def _stranger() -> int | None:
    """Root may become the image's user; anybody else stays who they are."""
    return UID if os.geteuid() == 0 else None


def _python() -> str:
    """An interpreter that the image's user can reach, if there is one: ours may be in a home."""
    ours = os.path.realpath(sys.executable)
    good = "import ensurepip, sys; sys.exit(sys.version_info < (3, 11))"
    for program in (ours, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            done = subprocess.run([program, "-c", good], user=_stranger(), check=False, timeout=20)
        except OSError:
            continue
        if done.returncode == 0:
            return program
    pytest.skip(f"uid {UID} can reach no Python of 3.11 or newer on this machine")


def _furnish(image: Image) -> None:
    """What compose.yaml mounts, and whose the folders are."""
    script = ROOT / "deploy" / "make-secrets.sh"
    subprocess.run(["sh", script, image.root.parent], capture_output=True, timeout=20, check=True)
    shutil.copytree(
        image.root.parent / "secrets" / "orderhook", image.path("/run/secrets/orderhook")
    )
    text = (ROOT / "deploy" / "etc" / "orderhook.toml").read_text("utf-8")
    text = image.moved(text).replace('"0.0.0.0:', '"127.0.0.1:').replace(":8080", ":0")
    image.path("/etc/orderhook/orderhook.toml").write_text(text.replace(":8081", ":0"))
    for place in ("var/lib/orderhook", "tmp"):
        if (uid := _stranger()) is not None:
            os.chown(image.path(place), uid, uid)


def test_the_wheel_carries_everything_that_is_no_python(image: Image) -> None:
    (wheel,) = image.path("/wheels").glob("*.whl")
    with ZipFile(wheel) as archive:
        carried = set(archive.namelist())
    package = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "service").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    revisions = {
        str(Path("service/_migrations") / path.relative_to(ROOT / "migrations"))
        for path in (ROOT / "migrations").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert package | revisions <= carried


def test_the_entry_point_runs_without_the_checkout(image: Image) -> None:
    assert (0, f"orderhook, version {__version__}\n") == image.run("--version")


def test_the_configuration_of_the_compose_file_is_good(image: Image) -> None:
    code, said = image.run("check")
    assert (0, "The configuration is good") == (code, said.partition(":")[0])


async def test_it_migrates_and_runs_as_a_stranger_who_owns_nothing(
    image: Image, database: str, amqp_url: str, topology_prefix: str
) -> None:
    bridge = Bridge(database)
    await bridge.open()
    try:
        for name, url in (("database-url", bridge.url), ("amqp-url", amqp_url)):
            file = image.path(f"/run/secrets/orderhook/{name}")
            file.unlink()
            file.write_text(url)
        env = {"ORDERHOOK__BROKER__PREFIX": topology_prefix}
        code, said = await asyncio.to_thread(image.run, "migrate", env=env)
        assert (0, True) == (code, revision.head() in said), said

        log = image.root.parent / "gateway.log"
        gateway = image.start("run", "gateway", env=env, log=log)
        ready = Path(image.environment["ORDERHOOK_READY_FILE"])
        await until(lambda: ready.exists() or gateway.poll() is not None, "the gateway listens")
        assert gateway.poll() is None, log.read_text()
        healthy = await asyncio.to_thread(_healthy, image)
        assert (0, True) == (healthy.returncode, json.loads(healthy.stdout)["ready"]), healthy
        gateway.send_signal(signal.SIGTERM)
        assert 0 == await asyncio.to_thread(gateway.wait, 30)
        places = ("var", "etc", "run")
        left = {path.name for place in places for path in image.path(place).rglob("*.*")}
        assert {"orderhook.toml"} == left - SPOOL
    finally:
        await bridge.cut()


def _healthy(image: Image) -> subprocess.CompletedProcess[str]:
    """What HEALTHCHECK does."""
    python, *words = RUNTIME.last("HEALTHCHECK").arguments
    return subprocess.run(
        [str(image.path("/opt/orderhook/bin") / python), *words],
        cwd="/",
        env=image.environment,
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
