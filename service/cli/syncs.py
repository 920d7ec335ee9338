"""`orderhook orders held|push`: what is written nowhere until somebody decides, and deciding it."""

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.app.rules import rules
from service.cli.context import Context, as_json, print_json, reading, wait_for
from service.cli.decisions import acting, because
from service.cli.subjects import differences, named, read_name, show_page
from service.domain.errors import ConfigurationError
from service.domain.events import Subject
from service.ops import lookups, syncs
from service.ops.lookups import BadCursor, Body, Page
from service.ops.syncs import Action, HeldFor
from service.settings import Settings


@click.command(help="What is not written to a destination, why, and what would be.")
@click.option("--destination", help="Only what is held at this one.")
@click.option("--for", "held_for", type=click.Choice([*HeldFor]), help="Only what is held so.")
@click.option("--limit", type=click.IntRange(1, lookups.MOST_ITEMS), default=50, show_default=True)
@click.option("--cursor", help="Go on after a page: the `next` of its JSON.")
@as_json
@click.pass_obj
def held(
    context: Context,
    *,
    destination: str | None,
    held_for: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    page = Page(limit, cursor)
    body = wait_for(_held(context.load(), page, destination=destination, held_for=held_for))
    if as_json:
        print_json(body)
        return
    table = Table("order", "destination", "held for", "since", "difference", "why")
    for item in body["items"]:
        table.add_row(
            escape(item["subject"]),
            escape(item["destination"]),
            item["held_for"],
            f"{item['since']:%F %T}",
            escape(differences(item["difference"])),
            escape(item["reason"] or ""),
        )
    console = Console()
    console.print(table)
    for remedy in dict.fromkeys(item["remedy"] for item in body["items"]):
        console.print(f"  {remedy}", markup=False, highlight=False, soft_wrap=True)


@click.command(help="Write ours to a destination, whatever stands there; or decide otherwise.")
@click.argument("subject")
@click.option("--destination", required=True, help="Where.")
@click.option("--accept", is_flag=True, help="Keep theirs until the next version instead.")
@click.option("--retry", is_flag=True, help="Only try now, or look again, instead.")
@because
@named
@as_json
@click.pass_obj
def push(
    context: Context,
    *,
    subject: str,
    destination: str,
    accept: bool,
    retry: bool,
    reason: str,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    if accept and retry:
        raise click.UsageError("Give either --accept or --retry.")
    action = Action.ACCEPT if accept else Action.RETRY if retry else Action.OVERWRITE
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)
    body = wait_for(_decided(settings, name, destination, action, reason))
    if as_json:
        print_json(body)
    else:
        show_page(Console(), body)
    return 0


async def _held(
    settings: Settings, page: Page, *, destination: str | None, held_for: str | None
) -> Body:
    async with reading(settings) as pool:
        try:
            return await syncs.held(
                pool,
                page,
                destination=destination,
                held_for=held_for,
                mask=rules(settings).mask,
            )
        except BadCursor:
            raise ConfigurationError("--cursor is not the `next` of a page of this list.") from None


async def _decided(
    settings: Settings, name: Subject, destination: str, action: Action, reason: str
) -> Body:
    async with reading(settings) as pool:
        return await syncs.decide(
            acting(pool, settings),
            name,
            destination,
            action,
            reason=reason,
            configured=settings.destinations,
        )
