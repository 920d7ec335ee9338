"""`orderhook destinations`: how the systems we write to stand; pausing and resuming them."""

from collections.abc import Callable
from datetime import timedelta
from typing import TypeVar

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.context import Context, actor, as_json, moment, print_json, reading, wait_for
from service.cli.sources import print_settings
from service.ops import destinations as systems
from service.ops.lookups import Body
from service.settings import Settings

C = TypeVar("C", bound=Callable[..., object])

COLOURS = {"running": "green", "paused": "bold yellow", "failing": "bold red"}


def naming(verb: C) -> C:
    """The argument and options of a verb about one destination."""
    for option in (
        as_json,
        click.option("--reason", required=True, help="Why, in your words; it is kept."),
        click.argument("name"),
    ):
        verb = option(verb)
    return verb


@click.group(help="The systems we write to: how they stand, and pausing them.")
def destinations() -> None: ...


@destinations.command("list", help="Each with what is owed to it, and what stands in the way.")
@as_json
@click.pass_obj
def list_(context: Context, *, as_json: bool) -> None:
    body = wait_for(_list(context.load()))
    if as_json:
        print_json(body)
        return
    table = Table("destination", "kind", "state", "owed", "oldest since", "held", "dead", "budget")
    for item in body["items"]:
        table.add_row(
            item["name"],
            item["crm"] or "",
            f"[{COLOURS[item['state']]}]{item['state']}[/]",
            f"{item['pending'] + item['no_record']:,}",
            moment(item["oldest_owed_at"]),
            f"{item['held']:,}",
            f"{item['dead']:,}",
            escape("\n".join(map(_budget, item["budgets"]))),
        )
    console = Console()
    console.print(table)
    for item in body["items"]:
        _explain(console, item)


@destinations.command(help="How NAME is configured, and how it stands.")
@click.argument("name")
@as_json
@click.pass_obj
def show(context: Context, *, name: str, as_json: bool) -> None:
    body = wait_for(_show(context.load(), name))
    if as_json:
        print_json(body)
        return
    console = Console()
    console.print(f"[{COLOURS[body['state']]}]{body['state']}[/] {escape(body['title'])}")
    _explain(console, body)
    print_settings(body)


@destinations.command(help="Stop all calls to NAME; what is owed waits, and no attempt counts.")
@naming
@click.pass_obj
def pause(context: Context, *, name: str, reason: str, as_json: bool) -> None:
    body = wait_for(_pause(context.load(), name, reason))
    if as_json:
        print_json(body)
    else:
        click.echo(f"{name} is paused; workers notice within a second.")


@destinations.command(help="Call NAME again, whatever stopped that; what is owed is due at once.")
@naming
@click.pass_obj
def resume(context: Context, *, name: str, reason: str, as_json: bool) -> None:
    body = wait_for(_resume(context.load(), name, reason))
    if as_json:
        print_json(body)
    else:
        click.echo(
            f"{name} is called again; {body['hastened']:,} of what is owed came due by that."
        )


def _explain(console: Console, item: Body) -> None:
    if (paused := item["paused"]) is not None:
        since = f"since {moment(paused['at'])} by {paused['by']}"
        console.print(f"[bold]{item['name']}[/] is paused {escape(since)}", highlight=False)
        console.print(f"  {paused['reason']}", markup=False, highlight=False, soft_wrap=True)
        console.print(f"  {paused['remedy']}", markup=False, highlight=False, soft_wrap=True)
    elif item["state"] == "failing":
        breaker = item["breaker"]
        console.print(
            f"[bold]{item['name']}[/] fails since {moment(breaker['opened_at'])}; it is probed "
            "every few seconds and called again by itself.",
            highlight=False,
        )
        last = breaker["last_error"] or "It gave no reason."
        console.print(f"  {last}", markup=False, highlight=False, soft_wrap=True)


def _budget(known: Body) -> str:
    period = _period(timedelta(seconds=known["period_seconds"]))
    speed = f"{known['limit']}: {known['count']:g} in {period}"
    used = f", {known['used']:,.0f} gone" if known["used"] is not None else ""
    rests = f", rests until {moment(known['rests_until'])}" if known["rests_until"] else ""
    return f"{speed}{used}{rests}"


def _period(length: timedelta) -> str:
    seconds = length.total_seconds()
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if seconds >= size and seconds % size == 0:
            return f"{seconds / size:g} {unit}"
    return f"{seconds:g} s"


async def _list(settings: Settings) -> Body:
    async with reading(settings) as pool:
        return await systems.listed(pool, settings.destinations)


async def _show(settings: Settings, name: str) -> Body:
    async with reading(settings) as pool:
        return await systems.destination(pool, settings.destinations, name)


async def _pause(settings: Settings, name: str, reason: str) -> Body:
    async with reading(settings) as pool:
        return await systems.pause(pool, settings.destinations, name, actor=actor(), reason=reason)


async def _resume(settings: Settings, name: str, reason: str) -> Body:
    async with reading(settings) as pool:
        return await systems.resume(pool, settings.destinations, name, actor=actor(), reason=reason)
