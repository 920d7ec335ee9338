"""`orderhook orders`: where an order stands and how it came there."""

from collections.abc import Callable
from typing import TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.context import Context, as_json, print_json, reading, wait_for
from service.domain.errors import ConfigurationError, NotFound
from service.domain.events import Subject
from service.ops import lookups
from service.ops.lookups import BadCursor, Body, Page
from service.settings import Settings
from service.store.lookups import SubjectFilter

C = TypeVar("C", bound=Callable[..., object])


def named(verb: C) -> C:
    """The rest of a subject's name."""
    lifecycle = click.option("--lifecycle", default="order", show_default=True)
    scope = click.option("--scope", default="", help="Which shop, where numbers may repeat.")
    return lifecycle(scope(verb))


@click.group(help="Where an order stands, and why.")
def orders() -> None: ...


@orders.command("list", help="The orders that changed last.")
@click.option("--lifecycle", help="Only those of this lifecycle.")
@click.option("--status", help="Only those with this overall status.")
@click.option("--ref", help="Only those whose number begins so.")
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
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    wanted = SubjectFilter(lifecycle, status, ref)
    body = wait_for(_list(context.load(), wanted, Page(limit, cursor)))
    if as_json:
        print_json(body)
        return
    table = Table("order", "status", "version", "changed")
    for item in body["items"]:
        table.add_row(
            item["subject"], item["status"], str(item["version"]), f"{item['updated_at']:%F %T}"
        )
    Console().print(table)


@orders.command(help="Where one order stands, in every lane and at every destination.")
@click.argument("ref")
@named
@as_json
@click.pass_obj
def show(context: Context, *, ref: str, lifecycle: str, scope: str, as_json: bool) -> int:
    body = wait_for(_subject(context.load(), Subject(lifecycle, scope, ref)))
    if as_json:
        print_json(body)
        return 0
    console = Console()
    console.print(f"[bold]{body['subject']}[/]  {body['status']}  version {body['version']}")
    for lane, status in body["lanes"].items():
        console.print(f"  {lane}: {status}")
    for name, value in body["attributes"].items():
        console.print(f"  {name} = {value}", markup=False)
    table = Table("destination", "state", "desired", "synced", "error")
    for sync in body["syncs"]:
        table.add_row(
            sync["destination"],
            sync["state"],
            str(sync["desired"]),
            str(sync["synced"]),
            escape(sync["error"] or ""),
        )
    console.print(table)
    return 0


@orders.command(help="Every event of one order, what became of it, and why.")
@click.argument("ref")
@named
@as_json
@click.pass_obj
def history(context: Context, *, ref: str, lifecycle: str, scope: str, as_json: bool) -> int:
    body = wait_for(_subject(context.load(), Subject(lifecycle, scope, ref)))
    if as_json:
        print_json(body["history"])
        return 0
    table = Table("happened", "source", "says", "outcome", "why")
    for step in body["history"]:
        happened = f"{step['occurred_at']:%F %T}" if step["occurred_at"] else "untimed"
        says = f"{step['lane']}.{step['status']}" if step["lane"] else "attributes"
        table.add_row(happened, step["source"], says, step["outcome"], escape(step["reason"] or ""))
    Console().print(table)
    return 0


async def _list(settings: Settings, wanted: SubjectFilter, page: Page) -> Body:
    async with reading(settings) as pool:
        try:
            return await lookups.subjects(pool, wanted, page)
        except BadCursor:
            raise ConfigurationError("--cursor is not the `next` of a page of this list.") from None


async def _subject(settings: Settings, name: Subject) -> Body:
    async with reading(settings) as pool:
        body = await lookups.subject(pool, name)
    if body is None:
        raise NotFound(
            f"No accepted event names {name}: check the number, --scope and --lifecycle."
        )
    return body
