"""`orderhook restored`: after a restore from a backup, before any role is started again."""

from contextlib import AsyncExitStack
from dataclasses import asdict

import click
from rich.console import Console
from rich.status import Status

from service.app.resources import find_store
from service.cli.context import Context, as_json, print_json, wait_for
from service.ops import restore
from service.ops.restore import Restored
from service.settings import Settings
from service.settings.load import environment
from service.store import pool

PATIENCE = 600.0
"""Seconds one statement may take: the largest reads every subject once."""

WARNING = (
    "Every order will be sent to its destinations again. "
    "Was this database restored from a backup, and are all roles stopped?"
)


@click.command(
    help="Begin a new epoch after a restore from a backup: raise every version above all that "
    "destinations have seen, and owe every sync again. Run it before any role is started."
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_obj
def restored(context: Context, *, yes: bool, as_json: bool) -> None:
    settings = context.load()
    if not yes:
        click.confirm(WARNING, abort=True, err=True)
    done = wait_for(_restored(settings))
    if as_json:
        print_json(asdict(done))
    else:
        _show(done)


async def _restored(settings: Settings) -> Restored:
    async with AsyncExitStack() as stack:
        dsn = await find_store(settings, stack)
        opened = pool.opened(dsn, size=1, command_timeout=PATIENCE, name="cli")
        status = stack.enter_context(Console(stderr=True).status("Raising versions …"))
        return await restore.begin_epoch(
            await stack.enter_async_context(opened),
            list(settings.destinations),
            actor=f"cli:{environment().get('USER', 'unknown')}",
            tell=lambda subjects: _tell(status, subjects),
        )


def _tell(status: Status, subjects: int) -> None:
    status.update(f"Raising versions … {subjects} subjects")


def _show(done: Restored) -> None:
    click.echo(f"Versions start at {done.epoch} now: {done.subjects} subjects were raised.")
    click.echo(f"{done.syncs} syncs are owed again, {done.events} events go to RabbitMQ anew.")
    click.echo(
        "Start the roles, let senders repeat what they sent since the backup, "
        "then look at `orderhook ledger`."
    )
