"""`orderhook providers` and `orderhook crms`: what this release understands."""

import click
from rich.console import Console
from rich.table import Table

from service.cli.context import as_json, print_json
from service.intake.providers import registry as senders
from service.worker.crms import registry as destinations


@click.command(help="The kinds of senders; with a NAME, how to set that sender up.")
@click.argument("name", required=False)
@as_json
def providers(*, name: str | None, as_json: bool) -> None:
    if name is not None:
        preset = senders.preset(name)
        click.echo(f"{preset.title} ({preset.category})\n\n{preset.setup}")
        return
    rows = [
        {"name": preset.name, "title": preset.title, "category": preset.category}
        for preset in senders.PRESETS
    ]
    if as_json:
        print_json({"items": rows, "next": None})
        return
    table = Table("provider", "system", "category")
    for row in rows:
        table.add_row(row["name"], row["title"], row["category"])
    Console().print(table)


@click.command(help="The kinds of destinations.")
@as_json
def crms(*, as_json: bool) -> None:
    rows = [{"name": kind.name, "title": kind.title} for kind in destinations.CRMS]
    if as_json:
        print_json({"items": rows, "next": None})
        return
    table = Table("crm", "system")
    for row in rows:
        table.add_row(row["name"], row["title"])
    Console().print(table)
