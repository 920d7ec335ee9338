"""`orderhook audit list|verify`: what operators did, and whether the record of it is whole."""

import click
from rich.console import Console
from rich.table import Table

from service.cli.context import EXIT_NEGATIVE, Context, as_json, print_json, reading, wait_for
from service.ops import audit as record
from service.ops.audit import Verdict
from service.ops.lookups import MOST_ITEMS, USUAL_ITEMS, Body, Page
from service.settings import Settings
from service.store.audit import Filter


@click.group(help="What operators did.")
def audit() -> None:
    """Hold the verbs."""


@audit.command("list", help="The last actions, first.")
@click.option("--actor", help="Only what this one did.")
@click.option("--action", help="Only this, as in subject.correct.")
@click.option("--target", help="Only what was done to this.")
@click.option("--limit", type=click.IntRange(1, MOST_ITEMS), default=USUAL_ITEMS)
@as_json
@click.pass_obj
def list_(
    context: Context,
    *,
    actor: str | None,
    action: str | None,
    target: str | None,
    limit: int,
    as_json: bool,
) -> int:
    settings = context.load()
    body = wait_for(_list(settings, Filter(actor, action, target), limit))
    if as_json:
        print_json(body)
        return 0
    table = Table("", "at (UTC)", "who", "what", "to what")
    for item in body["items"]:
        at = f"{item['at']:%F %T}"
        table.add_row(str(item["number"]), at, item["actor"], item["action"], item["target"])
    Console().print(table)
    return 0


@audit.command("verify", help="Make the chain again link by link; exit 1 if it is broken.")
@click.option("--head", metavar="NUMBER:HASH", help="A head that was told before.")
@click.pass_obj
def verify(context: Context, *, head: str | None) -> int:
    found = wait_for(_verify(context.load(), head))
    console = Console(highlight=False)
    if found.broken is not None:
        console.print(f"broken: {found.broken}", markup=False, soft_wrap=True)
        return EXIT_NEGATIVE
    console.print(
        f"whole: {found.number:,} actions. The head is {found.head or '-'}; write it down where"
        " nobody who can write to the database can change it, and give it to --head the next time.",
        markup=False,
        soft_wrap=True,
    )
    return 0


async def _list(settings: Settings, wanted: Filter, limit: int) -> Body:
    async with reading(settings) as pool:
        return await record.actions(pool, wanted, Page(limit))


async def _verify(settings: Settings, head: str | None) -> Verdict:
    async with reading(settings) as pool:
        return await record.verify(pool, head=head)
