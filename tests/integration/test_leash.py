"""The leash: a program's exit code comes through, and it ends with whoever holds the pipe."""

import subprocess
import sys
import time

import psutil
import pytest

LEASH = [sys.executable, "-m", "service.sandbox.leash", sys.executable, "-c"]
STAYS = "import time, sys; print('up', flush=True); time.sleep(60)"


@pytest.mark.parametrize(("program", "code"), [("", 0), ("raise SystemExit(3)", 3)])
def test_the_exit_code_comes_through(program: str, code: int) -> None:
    with subprocess.Popen([*LEASH, program], stdin=subprocess.PIPE) as process:
        assert process.wait(20) == code


def test_a_closed_pipe_ends_the_program() -> None:
    with subprocess.Popen(
        [*LEASH, STAYS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdout.readline()
        (child,) = psutil.Process(process.pid).children()
        process.stdin.close()
        assert process.wait(20) == 128 + 15
        assert not child.is_running()


def test_a_signal_is_handed_on() -> None:
    with subprocess.Popen(
        [*LEASH, STAYS], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        began = time.monotonic()
        process.terminate()
        assert process.wait(20) == 128 + 15
        assert time.monotonic() - began < 10
