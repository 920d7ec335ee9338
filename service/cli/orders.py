"""`orderhook orders`: where an order stands and how it came there."""

from contextlib import AsyncExitStack

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.app.adapters import adapted
from service.app.resources import find_store
from service.app.rules import rules
from service.cli.context import Context, actor, as_json, print_json, reading, wait_for
from service.cli.decisions import DECISIONS
from service.cli.subjects import (
    USUAL,
    named,
    read_name,
    show_history,
    show_page,
    show_readings,
    show_waiting,
)
from service.cli.syncs import held, push
from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Subject
from service.ops import board, dossiers, lookups, search
from service.ops.decisions import unknown
from service.ops.lookups import BadCursor, Body, Page
from service.ops.refresh import Look, read
from service.settings import Settings
from service.store import pool
from service.store.lookups import SubjectFilter


@click.group(help="Where an order stands, and why.")
def orders() -> None: ...


@orders.command("list", help="The orders that changed last.")
@click.option("--lifecycle", help="Only those of this lifecycle.")
@click.option("--status", help="Only those with this overall status.")
@click.option("--ref", help="Only those whose number begins so.")
@click.option("--flag", help="Only those that look wrong so, as in shipped_unpaid; any for all.")
@click.option("--alias", metavar="TYPE=VALUE", help="Those with this other name.")
@click.option("--search", "search_", help="By any number or name: whole, else its beginning.")
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
    search_: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    name, _, value = (alias or "").partition("=")
    if alias is not None and not (name and value):
        raise click.UsageError("--alias reads like tracking:cdek=1234.")
    wanted = SubjectFilter(lifecycle, status, ref, flag, Alias(name, value) if alias else None)
    if search_ is not None and (wanted != SubjectFilter() or cursor):
        raise click.UsageError("--search goes alone: it looks everywhere.")
    settings = context.load()
    looking = _find(settings, search_) if search_ else _list(settings, wanted, Page(limit, cursor))
    body = wait_for(looking)
    if as_json:
        print_json(body)
        return
    Console().print(_table(body["items"]))
    show_waiting(Console(), body)


def _table(items: list[Body]) -> Table:
    table = Table("order", "status", "version", "changed", "looks wrong")
    for item in items:
        table.add_row(
            escape(item["subject"]),
            f"merged into {item['merged_into']}" if item["merged_into"] else item["status"],
            str(item["version"]),
            f"{item['updated_at']:%F %T}",
            ", ".join(each["flag"] for each in item["flags"]),
        )
    return table


@orders.command("board", help="How many orders stand at each status, and which look wrong.")
@click.option("--lifecycle", default=USUAL, show_default=True)
@as_json
@click.pass_obj
def board_(context: Context, *, lifecycle: str, as_json: bool) -> None:
    body = wait_for(_board(context.load(), lifecycle))
    if as_json:
        print_json(body)
        return
    table = Table("status", "orders", "the newest")
    for each in body["statuses"]:
        newest = ", ".join(item["subject"] for item in each["newest"])
        table.add_row(each["status"], _counted(each), escape(newest))
    for each in body["flags"]:
        table.add_row(f"flagged {each['flag']}", _counted(each), escape(each["sentence"]))
    Console().print(table)


def _counted(each: Body) -> str:
    return f"{each['count']:,}{' or more' if each['more'] else ''}"


@orders.command(help="Where one order stands, in every lane and at every destination.")
@click.argument("subject")
@click.option("--refresh", is_flag=True, help="Read every destination back; mend what drifted.")
@click.option("--no-repair", is_flag=True, help="With --refresh: only look.")
@named
@as_json
@click.pass_obj
def show(
    context: Context,
    *,
    subject: str,
    refresh: bool,
    no_repair: bool,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    if no_repair and not refresh:
        raise click.UsageError("--no-repair goes with --refresh only.")
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)
    looking = _refreshed(settings, name, repair=not no_repair) if refresh else _page(settings, name)
    body = wait_for(looking)
    if as_json:
        print_json(body)
        return 0
    show_page(Console(), body)
    if refresh:
        show_readings(Console(), body)
    return 0


@orders.command(help="Every event of one order and every decision, what became of it, and why.")
@click.argument("subject")
@named
@as_json
@click.pass_obj
def history(
    context: Context, *, subject: str, lifecycle: str | None, scope: str | None, as_json: bool
) -> int:
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)
    body = wait_for(_page(settings, name))
    if as_json:
        print_json(body["history"])
    else:
        show_history(Console(), body)
    return 0


for decision in (*DECISIONS, held, push):
    orders.add_command(decision)


async def _list(settings: Settings, wanted: SubjectFilter, page: Page) -> Body:
    known = rules(settings).lifecycles
    async with reading(settings) as store:
        try:
            return await lookups.subjects(store, wanted, page, lifecycles=known)
        except BadCursor:
            raise ConfigurationError("--cursor is not the `next` of a page of this list.") from None


async def _find(settings: Settings, text: str) -> Body:
    async with reading(settings) as store:
        return await search.find(store, text, lifecycles=rules(settings).lifecycles)


async def _board(settings: Settings, lifecycle: str) -> Body:
    async with reading(settings) as store:
        return await board.read(store, lifecycle, lifecycles=rules(settings).lifecycles)


async def _refreshed(settings: Settings, name: Subject, *, repair: bool) -> Body:
    async with AsyncExitStack() as stack:
        dsn = await find_store(settings, stack)
        store = await stack.enter_async_context(pool.opened(dsn, size=2, name="cli"))
        adapters = await stack.enter_async_context(adapted(settings, dsn))
        known = rules(settings).lifecycles
        look = Look(
            store,
            adapters.present(),
            known,
            actor=actor(),
            repair=repair,
            mask=rules(settings).mask,
        )
        body = await read(look, name)
    if body is None:
        raise unknown(name)
    return body


async def _page(settings: Settings, name: Subject) -> Body:
    async with reading(settings) as store:
        going_by = rules(settings)
        body = await dossiers.read(store, name, lifecycles=going_by.lifecycles, mask=going_by.mask)
    if body is None:
        raise unknown(name)
    return body
