"""`orderhook check`: every problem of the configuration at once, each with its line and remedy."""

import asyncio

import click

from service import app
from service.cli.context import Context
from service.settings import Settings


@click.command(help="Read the configuration and report every problem, with its line and remedy.")
@click.pass_obj
def check(context: Context) -> None:
    settings = asyncio.run(_checked(context))
    app.senders(settings)
    click.echo(
        f"The configuration is good: {len(settings.sources)} sources, "
        f"{len(settings.destinations)} destinations, {len(settings.routes)} routes."
    )


async def _checked(context: Context) -> Settings:
    """Read it with every adapter built, as a worker would, and nothing called."""
    async with app.trying() as (known, trial):
        settings = context.load(known=known)
        trial.exports(settings)
        return settings
