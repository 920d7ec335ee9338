"""Fault points do nothing unless a sandbox plans something there."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import get_args

import pytest

from service import faultpoint
from service.domain.errors import ConfigurationError


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    faultpoint.arm("", sandbox=False)


def test_a_place_nobody_planned_for_is_passed() -> None:
    faultpoint.arm("relay.claimed=fail", sandbox=True)
    faultpoint.faultpoint("fold.taken")


def test_a_place_can_fail() -> None:
    faultpoint.arm("relay.claimed=fail fold.taken=fail@0", sandbox=True)
    faultpoint.faultpoint("fold.taken")
    with pytest.raises(RuntimeError, match=r"relay\.claimed"):
        faultpoint.faultpoint("relay.claimed")


async def test_a_place_can_cancel_the_task_that_passes_it() -> None:
    async def work() -> None:
        faultpoint.faultpoint("sync.called")
        await asyncio.sleep(0)

    faultpoint.arm("sync.called=cancel", sandbox=True)
    with pytest.raises(asyncio.CancelledError):
        await asyncio.create_task(work())


def test_a_place_can_kill_the_process() -> None:
    lines = (
        "from service import faultpoint",
        "faultpoint.arm('accept.committed=kill', sandbox=True)",
        "faultpoint.faultpoint('accept.committed')",
    )
    words = [sys.executable, "-c", "\n".join(lines)]
    done = subprocess.run(words, env={**os.environ}, capture_output=True, timeout=30, check=False)
    assert -signal.SIGKILL == done.returncode


def test_a_place_costs_next_to_nothing_where_nothing_is_armed() -> None:
    began = time.perf_counter()
    for _ in range(100_000):
        faultpoint.faultpoint("accept.committed")
    assert time.perf_counter() - began < 0.5


def test_only_a_sandbox_may_be_broken() -> None:
    with pytest.raises(ConfigurationError, match="sandbox = true"):
        faultpoint.arm("fold.taken=kill", sandbox=False)


@pytest.mark.parametrize("text", ["fold.token=kill", "fold.taken=explode", "fold.taken"])
def test_what_cannot_be_read_is_told(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"there (is|are)"):
        faultpoint.arm(text, sandbox=True)


def test_every_place_is_passed_by_the_service_exactly_once() -> None:

    root = Path(faultpoint.__file__).parent
    code = "".join(path.read_text("utf-8") for path in sorted(root.rglob("*.py")))
    passed = {name: code.count(f'faultpoint("{name}")') for name in get_args(faultpoint.Point)}
    assert dict.fromkeys(get_args(faultpoint.Point), 1) == passed
