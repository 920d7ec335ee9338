"""A role whose event loop stands still ends by itself; one that was only stopped goes on."""

import asyncio
import signal
from pathlib import Path

import pytest

from service.cli import guard
from tests.acceptance import checker
from tests.acceptance.senders import posts, stories
from tests.acceptance.stage import ROOT, Program, Stage

pytestmark = [pytest.mark.postgres, pytest.mark.rabbitmq, pytest.mark.timeout(180)]

HOOK = """
import signal, time

signal.signal(signal.SIGUSR2, lambda *_: time.sleep(3600))
"""


def start(stage: Stage, role: str, hooks: Path) -> Program:
    """A role that blocks its loop on SIGUSR2."""
    hooks.mkdir()
    (hooks / "sitecustomize.py").write_text(HOOK)
    env = {**stage.env, "PYTHONPATH": f"{ROOT}:{hooks}"}
    ready = stage.folder / f"{role}.ready"
    words = ("service", "--config", str(stage.config), "run", role)
    listen = ("--internal", "127.0.0.1:0", "--ready-file", str(ready))
    return Program(role, (*words, *listen), folder=stage.folder, env=env)


@pytest.mark.long
async def test_a_blocked_role_ends_within_half_a_minute_and_another_takes_over(
    stage: Stage, tmp_path: Path
) -> None:
    await stage.open_crm()
    await stage.open("gateway", "relay")
    blocked = start(stage, "worker", tmp_path / "hooks")
    try:
        await blocked.ready()
        blocked.send(signal.SIGUSR2)
        witness = stage.witness()
        await witness.send(posts(stories(10, seed=50), witness.sources, seed=50))
        assert guard.CODE == await blocked.wait(within=45)
        assert "loop_blocked" in blocked.output
        assert "time.sleep(3600)" in blocked.output
    finally:
        blocked.kill()
    await stage.open("worker-2")
    await checker.prove(witness, stage.places)


@pytest.mark.long
async def test_roles_that_were_stopped_for_a_minute_go_on(stage: Stage) -> None:
    """No watch may take that for a stall: the clock has moved, and nothing else."""
    await stage.open_crm()
    roles = [stage.start(role) for role in ("gateway", "relay", "worker")]
    for role in roles:
        await stage.adopt(role.name)
    for role in roles:
        role.send(signal.SIGSTOP)
    await asyncio.sleep(60)
    for role in roles:
        role.send(signal.SIGCONT)
    witness = stage.witness()
    await witness.send(posts(stories(10, seed=51), witness.sources, seed=51))
    await checker.prove(witness, stage.places)
    assert [False] * 3 == [role.ended for role in roles]
    assert not any(word in role.output for role in roles for word in ("task_stalled", "task_lost"))
