"""Runs the programs of a scene: a command in, a process that does not outlive us out."""

import asyncio
import sys
from asyncio.subprocess import PIPE, STDOUT, Process
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import orjson

from service.domain.errors import DependencyUnavailable
from service.sandbox.leash import PATIENCE

LAST_LINES = 12


@asynccontextmanager
async def running(
    command: Sequence[str], *, environ: Mapping[str, str], log: Path
) -> AsyncIterator[Process]:
    """Start a Python module with arguments; SIGTERM, then a deadline, when the context ends."""
    with log.open("ab") as output:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "service.sandbox.leash", sys.executable, "-m", *command),
            stdin=PIPE,
            stdout=output,
            stderr=STDOUT,
            env=dict(environ),
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop the others in order
        )
    try:
        yield process
    finally:
        await _stop(process)


async def ready(process: Process, path: Path, *, log: Path, within: float) -> dict[str, str]:
    """Wait for the file a program writes when it listens."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within
    while (urls := _read(path)) is None:
        if process.returncode is not None:
            raise DependencyUnavailable(f"A program of the demo ended at once:\n{last_lines(log)}")
        if loop.time() > until:
            raise DependencyUnavailable(
                f"A program of the demo was not ready within {within:.0f} s:\n{last_lines(log)}"
            )
        await asyncio.sleep(0.05)
    return urls


def _read(path: Path) -> dict[str, str] | None:
    try:
        urls: dict[str, str] = orjson.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    return urls


async def finished(process: Process, *, log: Path, within: float) -> None:
    """Wait for a program that does one thing."""
    try:
        async with asyncio.timeout(within):
            code = await process.wait()
    except TimeoutError:
        raise DependencyUnavailable(
            f"A program of the demo took more than {within:.0f} s:\n{last_lines(log)}"
        ) from None
    if code != 0:
        raise DependencyUnavailable(f"A program of the demo failed:\n{last_lines(log)}")


def last_lines(log: Path) -> str:
    """What a program said last: its sentence for people, else its worries, else anything."""
    text = log.read_text("utf-8", "replace")
    if (sentence := text.rfind("orderhook: ")) >= 0:
        return text[sentence:].strip()
    lines = text.splitlines()
    worrying = [line for line in lines if '"level": "info"' not in line]
    return "\n".join((worrying or lines)[-LAST_LINES:])


async def _stop(process: Process) -> None:
    if process.stdin is not None:
        process.stdin.close()
    try:
        async with asyncio.timeout(PATIENCE + 5):
            await process.wait()
    except TimeoutError:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
