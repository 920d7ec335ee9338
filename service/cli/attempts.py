"""`orderhook attempts`: every exchange with an outside system, and how it ended."""

from datetime import UTC, datetime
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.context import Context, as_json, print_json, reading, wait_for
from service.domain.errors import ConfigurationError
from service.domain.events import Subject
from service.ops import attempts as log
from service.ops import lookups
from service.ops.lookups import BadCursor, Body, Page
from service.settings import Settings
from service.store.attempts import AttemptFilter
from service.worker.crms.base import Class

MOMENTS = ["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S"]


@click.group(help="What was said to other systems, and how it ended.")
def attempts() -> None: ...


@attempts.command("list", help="The exchanges that came last.")
@click.option("--order", "ref", help="Only those about this order, as in 1001.")
@click.option("--subject", help="Only those about this subject, as in order/shop-eu:1001.")
@click.option("--scope", default="", help="Which shop, where numbers may repeat.")
@click.option("--event", "event_id", type=click.UUID, help="Only those that carried this event.")
@click.option("--destination", help="Only those with this destination.")
@click.option(
    "--class", "kind", type=click.Choice([*Class, "error"]), help="Only those that ended so."
)
@click.option("--since", type=click.DateTime(MOMENTS), help="Not before this time (UTC).")
@click.option("--until", type=click.DateTime(MOMENTS), help="Before this time (UTC).")
@click.option("--limit", type=click.IntRange(1, lookups.MOST_ITEMS), default=50, show_default=True)
@click.option("--cursor", help="Go on after a page: the `next` of its JSON.")
@as_json
@click.pass_obj
def list_(
    context: Context,
    *,
    ref: str | None,
    subject: str | None,
    scope: str,
    event_id: UUID | None,
    destination: str | None,
    kind: str | None,
    since: datetime | None,
    until: datetime | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    wanted = AttemptFilter(
        subject=_subject(ref, scope, subject),
        event_id=event_id,
        destination=destination,
        classes=log.ERRORS if kind == "error" else (kind,) if kind else None,
        since=utc(since),
        until=utc(until),
    )
    body = wait_for(_list(context.load(), wanted, Page(limit, cursor)))
    if as_json:
        print_json(body)
        return
    table = Table(
        "at", "about", "destination", "version", "operation", "end", "HTTP", "ms", "detail"
    )
    for item in body["items"]:
        table.add_row(
            f"{item['at']:%F %T}",
            escape(item["subject"] or ""),
            escape(item["destination"]),
            str(item["version"]),
            item["operation"],
            item["class"],
            str(item["http_status"] or ""),
            str(item["ms"]),
            escape(item["detail"]),
        )
    Console().print(table)


def utc(moment: datetime | None) -> datetime | None:
    """A time of the command line, which has no zone."""
    return moment.replace(tzinfo=UTC) if moment else None


def _subject(ref: str | None, scope: str, subject: str | None) -> str | None:
    if ref is not None and subject is not None:
        raise click.UsageError("Give either --order or --subject.")
    return str(Subject("order", scope, ref)) if ref is not None else subject


async def _list(settings: Settings, wanted: AttemptFilter, page: Page) -> Body:
    async with reading(settings) as pool:
        try:
            return await log.listed(pool, wanted, page)
        except BadCursor:
            raise ConfigurationError("--cursor is not the `next` of a page of this list.") from None
