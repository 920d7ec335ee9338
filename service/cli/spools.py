"""`orderhook spools`: what gateways hold that PostgreSQL does not have; forgetting one for good."""

from uuid import UUID

import click
from rich.console import Console
from rich.table import Table

from service.cli.context import Context, actor, as_json, print_json, reading, wait_for
from service.ops import spools as held
from service.ops.lookups import Body
from service.settings import Settings

COLOURS = {"empty": "green", "draining": "yellow", "silent": "bold red"}


@click.group(help="The local spools of the gateways: what they hold, and forgetting one.")
def spools() -> None: ...


@spools.command("list", help="Each with what its gateway last said of it.")
@as_json
@click.pass_obj
def list_(context: Context, *, as_json: bool) -> None:
    body = wait_for(_list(context.load()))
    if as_json:
        print_json(body)
        return
    table = Table("spool", "gateway", "state", "requests", "bytes", "damaged", "told at")
    for item in body["items"]:
        table.add_row(
            item["id"],
            item["gateway"],
            f"[{COLOURS[item['state']]}]{item['state']}[/]",
            f"{item['requests']:,}",
            f"{item['bytes']:,}",
            f"{item['damaged']:,}",
            f"{item['reported_at']:%F %T}",
        )
    Console().print(table)


@spools.command(help="Take a spool whose disk is gone for good out of the ledger.")
@click.argument("spool", type=click.UUID)
@click.option("--reason", required=True, help="Why, in your words; it is kept.")
@as_json
@click.pass_obj
def forget(context: Context, *, spool: UUID, reason: str, as_json: bool) -> None:
    body = wait_for(_forget(context.load(), spool, reason))
    if as_json:
        print_json(body)
        return
    lost = f"{body['requests']:,} requests that were answered with success are lost with it"
    click.echo(
        f"The spool {spool} of {body['gateway']} is forgotten; "
        f"{lost if body['requests'] else 'it held nothing when it was last told of'}."
    )


async def _list(settings: Settings) -> Body:
    async with reading(settings) as pool:
        return await held.listed(pool)


async def _forget(settings: Settings, spool: UUID, reason: str) -> Body:
    async with reading(settings) as pool:
        return await held.forget(pool, spool, actor=actor(), reason=reason)
