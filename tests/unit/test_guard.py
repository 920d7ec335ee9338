"""A loop that stands still ends its process; one that was stopped and goes on does not."""

import asyncio
import signal
import subprocess
import sys
import threading

from service.cli.guard import CODE, Guard
from tests.acceptance.stage import ROOT

LOOK = 0.05

PROGRAM = """
import asyncio, sys, time
import uvloop
from service import telemetry
from service.cli.guard import Guard

async def block():
    while True:
        time.sleep({nap})

async def stubborn():
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            pass

async def main(guard):
    with guard.pulse():
        guard.arm()
        kept = [asyncio.create_task(stubborn())]
        print("runs", flush=True)
        await {work}

telemetry.configure_logging(json=True)
with Guard(look={look}, looks=10) as guard:
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main(guard))
"""


def start(work: str, *, nap: float = 60) -> subprocess.Popen[str]:
    program = PROGRAM.format(work=work, nap=nap, look=LOOK)
    begun = subprocess.Popen(
        [sys.executable, "-c", program],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert begun.stdout is not None
    assert "runs\n" == begun.stdout.readline()
    return begun


def test_a_process_whose_loop_is_blocked_ends_and_says_where() -> None:
    with start("block()") as begun:
        _, said = begun.communicate(timeout=20)
    assert CODE == begun.returncode
    assert "in block" in said
    assert "loop_blocked" in said


def test_a_blocked_process_ends_though_nobody_reads_what_it_says() -> None:
    """The pipe is full: that may be what blocks it."""
    fill = "asyncio.get_running_loop().run_in_executor(None, sys.stderr.write, 'x' * 10**6)"
    with start(f"asyncio.gather({fill}, block())") as begun:
        assert CODE == begun.wait(timeout=20)


def test_a_process_that_cannot_come_to_an_end_is_ended() -> None:
    with start("asyncio.sleep(0)") as begun:
        begun.communicate(timeout=20)
    assert CODE == begun.returncode


def test_a_process_that_was_stopped_for_long_goes_on() -> None:
    with start("asyncio.sleep(60)") as begun:
        for _ in range(3):
            begun.send_signal(signal.SIGSTOP)
            threading.Event().wait(30 * LOOK)
            begun.send_signal(signal.SIGCONT)
            threading.Event().wait(4 * LOOK)
        assert begun.poll() is None
        begun.kill()
        begun.communicate(timeout=20)


async def test_nobody_is_watched_before_the_guard_is_armed_nor_after_it_is_over() -> None:
    ended = threading.Event()
    loop = asyncio.get_running_loop()
    with Guard(look=0.01, looks=3, end=ended.set) as guard:
        _block(0.1)
        with guard.pulse():
            guard.arm()
            assert not await loop.run_in_executor(None, ended.wait, 0.2)
    _block(0.1)
    assert not ended.is_set()
    with Guard(look=0.01, looks=3, end=ended.set) as guard, guard.pulse():
        guard.arm()
        _block(0.5)
    assert ended.is_set()


def _block(seconds: float) -> None:
    """Nothing else runs on the loop meanwhile."""
    threading.Event().wait(seconds)
