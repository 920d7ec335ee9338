"""`orderhook check`: every problem of the configuration at once, each with its line and remedy."""

import click

from service import app
from service.cli.context import Context


@click.command(help="Read the configuration and report every problem, with its line and remedy.")
@click.pass_obj
def check(context: Context) -> None:
    settings = context.load()
    app.senders(settings)
    click.echo(
        f"The configuration is good: {len(settings.sources)} sources, "
        f"{len(settings.destinations)} destinations, {len(settings.routes)} routes."
    )
