"""`orderhook migrate`: brings the database and the broker to what this release expects."""

from contextlib import AsyncExitStack

import click

from service.app.resources import prepare
from service.cli.context import Context, wait_for
from service.settings import Settings


@click.command(help="Apply the database migrations and declare the RabbitMQ topology.")
@click.pass_obj
def migrate(context: Context) -> None:
    wait_for(_migrate(context.load()))


async def _migrate(settings: Settings) -> None:
    async with AsyncExitStack() as stack:
        await prepare(settings, stack, say=click.echo)
