"""`orderhook demo` as a newcomer runs it, and as an impatient one ends it."""

import os
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

STARTS_WITHIN = 120
ENDS_WITHIN = 60

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(300)]


class Run:
    """A demo that was started, what it prints, and all it started in turn."""

    def __init__(self, process: subprocess.Popen[str], output: Path, folder: Path) -> None:
        self.process, self.output, self.folder = process, output, folder
        self.family: dict[int, psutil.Process] = {}

    def text(self) -> str:
        return self.output.read_text()

    def meet(self) -> None:
        """Remember every process that belongs to the demo now."""
        for child in psutil.Process(self.process.pid).children(recursive=True):
            self.family.setdefault(child.pid, child)

    def prints(self, words: str, *, within: float = STARTS_WITHIN) -> bool:
        end = time.monotonic() + within
        while words not in self.text():
            if self.process.poll() is not None or time.monotonic() > end:
                return False
            self.meet()
            time.sleep(0.02)
        self.meet()
        return True

    def left(self, *, within: float = ENDS_WITHIN) -> list[str]:
        """Processes still there when all should be gone."""
        _, alive = psutil.wait_procs(list(self.family.values()), timeout=within)
        return [" ".join(one.cmdline()) for one in alive if one.is_running()]


@contextmanager
def started(folder: Path, *options: str, **environ: str) -> Iterator[Run]:
    usual = {k: v for k, v in os.environ.items() if k != "AMQP_URL"}
    temporary = folder / "tmp"
    temporary.mkdir()
    output = folder / "output.txt"
    # Tests that run in the background ignore interrupts, and the demo would inherit that.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with output.open("w") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "service", "demo", *options],
            stdout=stream,
            stderr=subprocess.STDOUT,
            env={**usual, "TMPDIR": str(temporary), "COLUMNS": "120", **environ},
            text=True,
        )
    run = Run(process, output, temporary)
    try:
        yield run
    finally:
        process.kill()
        process.wait()
        for one in run.family.values():
            if one.is_running():
                one.kill()


def test_the_demo_tells_its_story_and_proves_it(tmp_path: Path) -> None:
    with started(tmp_path) as run:
        assert run.prints("The story of order A-1001"), run.text()
        assert run.process.wait(120) == 0, run.text()
        text = run.text()
        assert re.search(r"stripe +payment succeeded \(sent again\) +202 duplicate +Paid, as", text)
        assert re.search(r"courier +delivered \(by a stranger\) +401 forged +Picking, as", text)
        assert re.search(
            r"wms +picking \(a scanner was offline\) +202 late +Shipped \(superseded\)", text
        )
        assert re.search(
            r"courier +on its way \(whose is it\?\) +202 waiting +Shipped, the scan", text
        )
        assert re.search(r"shop +tells the tracking number +202 +In transit +\d+ ms", text)
        assert re.search(r"courier +delivered +202 +Delivered +\d+ ms", text)
        assert "The ledger balances, the CRM agrees, no effect happened twice." in text
        assert re.search(r"1,000 orders at once in [\d.]+ s: p50 [\d,]+ ms, p99 [\d,]+ ms", text)
        assert run.left() == []
        assert list(run.folder.iterdir()) == []


@pytest.mark.rabbitmq
def test_the_demo_uses_rabbitmq_when_it_is_there(tmp_path: Path, amqp_url: str) -> None:
    with started(tmp_path, AMQP_URL=amqp_url) as run:
        assert run.process.wait(240) == 0, run.text()
        assert "RabbitMQ at $AMQP_URL" in run.text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("moment", ["Starting", "The story of", "A burst of"])
def test_an_interrupted_demo_leaves_nothing(
    tmp_path: Path, number: signal.Signals, moment: str
) -> None:
    with started(tmp_path) as run:
        assert run.prints(moment), run.text()
        run.process.send_signal(number)
        assert run.process.wait(ENDS_WITHIN) == 130, run.text()
        assert "Traceback" not in run.text()
        assert run.left() == []
        assert list(run.folder.iterdir()) == []


def test_a_killed_demo_leaves_no_process(tmp_path: Path) -> None:
    with started(tmp_path) as run:
        assert run.prints("The story of"), run.text()
        run.process.kill()
        assert run.left() == []


def test_a_kept_demo_stays_until_it_is_ended(tmp_path: Path) -> None:
    with started(tmp_path, "--keep") as run:
        assert run.prints("Still running: the board is at", within=240), run.text()
        found = re.search(r"the board is at (http://127\.0\.0\.1:\d+)", run.text())
        assert found is not None
        with urllib.request.urlopen(found[1], timeout=10) as page:
            assert b"Sandbox CRM" in page.read()
        run.process.send_signal(signal.SIGINT)
        assert run.process.wait(ENDS_WITHIN) == 130
        assert run.left() == []
