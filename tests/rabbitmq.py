"""A RabbitMQ server of the tests' own: started, stopped, killed and asked like any other."""

import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Protocol

from service.store import embedded_child

PATH_EXTRA = "/opt/homebrew/bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
IMAGE = "rabbitmq:4"
START_SECONDS = 90.0


class Rabbit(Protocol):
    """A RabbitMQ server that a test may stop, kill and ask; `start` waits until it answers."""

    url: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def kill(self) -> None: ...
    def ctl(self, *words: str) -> str: ...


class Node:
    """A private node: its own name, folder and ports, and no life beyond this process."""

    def __init__(self, scripts: Path, folder: Path) -> None:
        self._scripts = scripts
        self._folder = folder
        self._port, self._dist, self._epmd_port = _free_ports(3)
        self._epmd: subprocess.Popen[bytes] | None = None
        self._beam: subprocess.Popen[bytes] | None = None
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        (folder / "enabled_plugins").write_text("[].\n")
        for name in ("env.conf", "rabbitmq.conf", "advanced.config"):
            (folder / name).touch()
        (folder / "advanced.config").write_text("[].\n")

    @property
    def pid(self) -> int:
        assert self._beam is not None
        return self._beam.pid

    def start(self) -> None:
        if self._beam is not None and self._beam.poll() is None:
            return
        self._start_epmd()
        with (self._folder / "console.log").open("ab") as console:
            self._beam = self._spawn(self._scripts / "rabbitmq-server", output=console)
        _wait_amqp(self._port, alive=lambda: self._beam is not None and self._beam.poll() is None)

    def stop(self) -> None:
        _end(self._beam, signal.SIGTERM)

    def kill(self) -> None:
        _end(self._beam, signal.SIGKILL)

    def close(self) -> None:
        """End everything, without ceremony: nobody will read this node's data again."""
        _end(self._beam, signal.SIGKILL)
        _end(self._epmd, signal.SIGKILL)

    def ctl(self, *words: str) -> str:
        return subprocess.run(
            [self._scripts / "rabbitmqctl", "--quiet", *words],
            env=self._environment(),
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            timeout=60,
        ).stdout

    def last_words(self) -> str:
        logs = [self._folder / "console.log", *(self._folder / "log").glob("*.log")]
        text = "\n".join(log.read_text("utf-8", "replace") for log in logs if log.exists())
        return "\n".join(text.splitlines()[-20:])

    def _start_epmd(self) -> None:
        """Ours, in the foreground: the one a node starts by itself stays behind for ever."""
        program = shutil.which("epmd", path=self._environment()["PATH"])
        if program is None or (self._epmd is not None and self._epmd.poll() is None):
            return
        words = (program, "-port", str(self._epmd_port), "-address", "127.0.0.1")
        self._epmd = self._spawn(*words, output=subprocess.DEVNULL)

    def _spawn(self, *words: str | Path, output: int | IO[bytes]) -> subprocess.Popen[bytes]:
        """Tied to this process by the kernel; a huge file limit makes Erlang and epmd crawl."""
        limited = ("/bin/sh", "-c", 'ulimit -Sn 16384 2>/dev/null; exec "$@"', "sh", *words)
        return subprocess.Popen(
            [
                *(sys.executable, "-I", "-S", embedded_child.__file__, str(os.getpid())),
                *(str(int(signal.SIGKILL)), str(os.geteuid()), str(os.getegid()), self._folder),
                *limited,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            env=self._environment(),
            start_new_session=True,
        )

    def _environment(self) -> dict[str, str]:
        folder = self._folder
        return {
            "PATH": f"{os.environ.get('PATH', '')}:{PATH_EXTRA}",
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "RUNNING_UNDER_SYSTEMD": "true",  # makes the script exec the node, not watch it
            "ERL_EPMD_PORT": str(self._epmd_port),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODENAME": f"orderhook-{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._dist),
            "RABBITMQ_CTL_DIST_PORT_MIN": str(self._dist + 1),
            "RABBITMQ_CTL_DIST_PORT_MAX": str(self._dist + 20),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_SCHEMA_DIR": str(folder / "schema"),
            "RABBITMQ_GENERATED_CONFIG_DIR": str(folder / "generated"),
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            "RABBITMQ_CONF_ENV_FILE": str(folder / "env.conf"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_ADVANCED_CONFIG_FILE": str(folder / "advanced.config"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
        }


class Container:
    """A RabbitMQ container of our own on a loopback port."""

    def __init__(self) -> None:
        (self._port,) = _free_ports(1)
        self._name = f"orderhook-test-{secrets.token_hex(4)}"
        self.url = f"amqp://guest:guest@127.0.0.1:{self._port}/"
        publish = f"127.0.0.1:{self._port}:5672"
        docker("create", "--name", self._name, "--publish", publish, IMAGE)

    def start(self) -> None:
        docker("start", self._name)
        _wait_amqp(self._port, alive=lambda: True)

    def stop(self) -> None:
        docker("stop", self._name)

    def kill(self) -> None:
        docker("kill", self._name)

    def close(self) -> None:
        docker("rm", "--force", "--volumes", self._name)

    def ctl(self, *words: str) -> str:
        return docker("exec", self._name, "rabbitmqctl", "--quiet", *words)


def docker(*words: str) -> str:
    return subprocess.run(
        ["docker", *words], check=True, capture_output=True, text=True, timeout=300
    ).stdout


def _free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def _wait_amqp(port: int, *, alive: Callable[[], bool]) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and alive():
        if _speaks_amqp(port):
            return
        time.sleep(0.1)
    raise TimeoutError(f"nothing speaks AMQP on port {port}")


def _speaks_amqp(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=2) as probe:
        probe.sendall(b"AMQP\x00\x00\x09\x01")
        return probe.recv(1) == b"\x01"
    return False


def _end(process: subprocess.Popen[bytes] | None, number: signal.Signals) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(number)
    try:
        process.wait(timeout=60)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)
