"""`orderhook run`: one role in the foreground until SIGTERM."""

import asyncio
import gc
import os
import signal
import sys
from pathlib import Path
from typing import Literal, TypedDict, Unpack

import click

from service.app.process import ROLES, Options, Role
from service.app.run import run as run_role
from service.cli import cores, fleet
from service.cli.context import Context, wait_for
from service.cli.guard import Guard
from service.settings import Address
from service.settings.values import parse_address

BEHIND = 10
"""How nice the process is that people look at: on a machine that all share, a page can wait for a
core, a sender should not."""


class Listening(TypedDict):
    """The options that app.process.Options takes as they are."""

    public: Address | None
    internal: Address | Literal["off"] | None
    ready_file: Path | None
    shared: bool


class Listen(click.ParamType[Address | Literal["off"]]):
    """H:P; `off` where the option allows it."""

    name = "H:P"

    def __init__(self, *, off: bool = False) -> None:
        self.off = off

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> Address | Literal["off"]:
        text = str(value)
        if self.off and text == "off":
            return "off"
        try:
            return parse_address(text)
        except ValueError:
            self.fail(f"{text!r} is not HOST:PORT, as in 127.0.0.1:8080 or [::1]:0", param, ctx)


@click.command(help="Run one role in the foreground; SIGTERM stops it, SIGHUP reloads the file.")
@click.argument("role", type=click.Choice(ROLES))
@click.option("--public", type=Listen(), help="Address of the public listener; port 0 is allowed.")
@click.option("--internal", type=Listen(off=True), help="Address of the internal listener, or off.")
@click.option(
    "--ready-file",
    type=click.Path(path_type=Path, dir_okay=False),
    envvar="ORDERHOOK_READY_FILE",
    help="When listening, write the URLs and the pid here as JSON; else $ORDERHOOK_READY_FILE.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=1,
    show_default=True,
    help="That many gateways or workers under one parent.",
)
@click.option("--shared", is_flag=True, hidden=True, help="One of several on the same port.")
@click.pass_obj
def run(context: Context, *, role: Role, processes: int, **options: Unpack[Listening]) -> int:
    chosen = Options(role, **options)
    if processes > 1 and role not in ("gateway", "worker"):
        raise click.UsageError("--processes is for gateways and workers: one relay is enough.")
    cores.off()
    if role == "console":
        os.nice(BEHIND)
    if processes == 1:
        with Guard() as guard:
            wait_for(_run(context, chosen, guard))
        return 0
    try:
        wait_for(_run_fleet(context, chosen, processes))
    except fleet.ChildFailed as error:
        return error.code
    return 0


async def _run(context: Context, options: Options, guard: Guard) -> None:
    stop, reload = _signals()

    def ready() -> None:
        guard.arm()
        _leave_alone()

    with guard.pulse():
        await run_role(context.load, options, stop=stop, reload=reload, ready=ready)


def _leave_alone() -> None:
    """What was built at start stays: to look for garbage in it would hold everybody up (100 ms)."""
    gc.collect()
    gc.freeze()


async def _run_fleet(context: Context, options: Options, size: int) -> None:
    stop, reload = _signals()
    config = ["--config", str(context.config)] if context.config else []
    base = [sys.executable, "-m", "service", *config]
    await fleet.run(base, context.load(), options, size=size, stop=stop, reload=reload)


def _signals() -> tuple[asyncio.Event, asyncio.Event]:
    """What is set by SIGTERM or SIGINT, and by SIGHUP."""
    stop, reload = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    loop.add_signal_handler(signal.SIGHUP, reload.set)
    return stop, reload
