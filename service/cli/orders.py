"""`orderhook orders`: where an order stands and how it came there."""

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service import app
from service.cli.context import Context, as_json, print_json, reading, wait_for
from service.cli.decisions import DECISIONS
from service.cli.subjects import named, read_name, show_history, show_page
from service.domain.errors import ConfigurationError
from service.domain.events import Alias
from service.ops import dossiers, lookups
from service.ops.decisions import unknown
from service.ops.lookups import BadCursor, Body, Page
from service.settings import Settings
from service.store.lookups import SubjectFilter


@click.group(help="Where an order stands, and why.")
def orders() -> None: ...


@orders.command("list", help="The orders that changed last.")
@click.option("--lifecycle", help="Only those of this lifecycle.")
@click.option("--status", help="Only those with this overall status.")
@click.option("--ref", help="Only those whose number begins so.")
@click.option("--flag", help="Only those that look wrong so, as in shipped_unpaid; any for all.")
@click.option("--alias", metavar="TYPE=VALUE", help="Those with this other name.")
@click.option("--limit", type=click.IntRange(1, lookups.MOST_ITEMS), default=50, show_default=True)
@click.option("--cursor", help="Go on after a page: the `next` of its JSON.")
@as_json
@click.pass_obj
def list_(
    context: Context,
    *,
    lifecycle: str | None,
    status: str | None,
    ref: str | None,
    flag: str | None,
    alias: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    name, _, value = (alias or "").partition("=")
    if alias is not None and not (name and value):
        raise click.UsageError("--alias reads like tracking:cdek=1234.")
    wanted = SubjectFilter(lifecycle, status, ref, flag, Alias(name, value) if alias else None)
    body = wait_for(_list(context.load(), wanted, Page(limit, cursor)))
    if as_json:
        print_json(body)
        return
    table = Table("order", "status", "version", "changed", "looks wrong")
    for item in body["items"]:
        table.add_row(
            escape(item["subject"]),
            f"merged into {item['merged_into']}" if item["merged_into"] else item["status"],
            str(item["version"]),
            f"{item['updated_at']:%F %T}",
            ", ".join(each["flag"] for each in item["flags"]),
        )
    Console().print(table)


@orders.command(help="Where one order stands, in every lane and at every destination.")
@click.argument("subject")
@named
@as_json
@click.pass_obj
def show(
    context: Context, *, subject: str, lifecycle: str | None, scope: str | None, as_json: bool
) -> int:
    body = wait_for(_page(context.load(), subject, lifecycle=lifecycle, scope=scope))
    if as_json:
        print_json(body)
    else:
        show_page(Console(), body)
    return 0


@orders.command(help="Every event of one order and every decision, what became of it, and why.")
@click.argument("subject")
@named
@as_json
@click.pass_obj
def history(
    context: Context, *, subject: str, lifecycle: str | None, scope: str | None, as_json: bool
) -> int:
    body = wait_for(_page(context.load(), subject, lifecycle=lifecycle, scope=scope))
    if as_json:
        print_json(body["history"])
    else:
        show_history(Console(), body)
    return 0


for decision in DECISIONS:
    orders.add_command(decision)


async def _list(settings: Settings, wanted: SubjectFilter, page: Page) -> Body:
    known = app.rules(settings).lifecycles
    async with reading(settings) as pool:
        try:
            return await lookups.subjects(pool, wanted, page, lifecycles=known)
        except BadCursor:
            raise ConfigurationError("--cursor is not the `next` of a page of this list.") from None


async def _page(settings: Settings, text: str, *, lifecycle: str | None, scope: str | None) -> Body:
    name = read_name(settings, text, lifecycle=lifecycle, scope=scope)
    async with reading(settings) as pool:
        body = await dossiers.read(pool, name, lifecycles=app.rules(settings).lifecycles)
    if body is None:
        raise unknown(name)
    return body
