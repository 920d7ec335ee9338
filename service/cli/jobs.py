"""`orderhook jobs`: long work that somebody asked for; how far it is, let begin, or ended."""

from collections.abc import Awaitable, Callable
from typing import get_args
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.cli.context import Context, actor, as_json, print_json, reading, wait_for
from service.domain.errors import ConfigurationError, NotFound
from service.ops import approvals, lookups
from service.ops import jobs as work
from service.ops.lookups import BadCursor, Body, Page
from service.settings import Settings
from service.store.jobs import Filter, Job, Kind, State
from service.store.pool import Pool

Decide = Callable[[Pool, UUID], Awaitable[Body]]


@click.group(help="Long work that somebody asked for: how far it is, who asked, and its end.")
def jobs() -> None: ...


@jobs.command("list", help="The jobs that were asked for last.")
@click.option("--kind", type=click.Choice(get_args(Kind)))
@click.option("--state", type=click.Choice(get_args(State)))
@click.option("--limit", type=click.IntRange(1, lookups.MOST_ITEMS), default=50, show_default=True)
@click.option("--cursor", help="Go on after a page: the `next` of its JSON.")
@as_json
@click.pass_obj
def list_(
    context: Context,
    *,
    kind: str | None,
    state: str | None,
    limit: int,
    cursor: str | None,
    as_json: bool,
) -> None:
    body = wait_for(_list(context.load(), Filter(kind, state), Page(limit, cursor)))
    if as_json:
        print_json(body)
        return
    table = Table("id", "asked", "kind", "state", "by", "done", "of")
    for job in body["items"]:
        done, matched = f"{job['done'] + job['skipped']:,}", f"{job['matched']:,}"
        table.add_row(
            *(job["id"], f"{job['created_at']:%F %T}", job["kind"], job["state"]),
            *(escape(job["actor"]), done, matched),
        )
    Console().print(table)


@jobs.command(help="One job: what was asked, by whom, and how far it is.")
@click.argument("job_id", metavar="ID", type=click.UUID)
@as_json
@click.pass_obj
def show(context: Context, *, job_id: UUID, as_json: bool) -> None:
    async def look(pool: Pool, job_id: UUID) -> Body:
        found = await work.read(pool, job_id)
        if found is None:
            raise NotFound(work.UNKNOWN)
        return found

    _carry_out(context.load(), job_id, look, as_json=as_json)


@jobs.command(help="Let a job begin that somebody else asked for.")
@click.argument("job_id", metavar="ID", type=click.UUID)
@as_json
@click.pass_obj
def approve(context: Context, *, job_id: UUID, as_json: bool) -> None:
    async def decide(pool: Pool, job_id: UUID) -> Body:
        return await approvals.approve(pool, job_id, actor=actor())

    _carry_out(context.load(), job_id, decide, as_json=as_json)


@jobs.command(help="End a job; what it did so far stays done.")
@click.argument("job_id", metavar="ID", type=click.UUID)
@as_json
@click.pass_obj
def cancel(context: Context, *, job_id: UUID, as_json: bool) -> None:
    async def decide(pool: Pool, job_id: UUID) -> Body:
        return await approvals.cancel(pool, job_id, actor=actor())

    _carry_out(context.load(), job_id, decide, as_json=as_json)


def tell_of_wait(console: Console, job: Job) -> None:
    """What is said instead of carrying a job that two people must want."""
    console.print(
        f"The job waits until another person approves it, for at most {approvals.HOURS} hours: "
        f"`orderhook jobs approve {job.id}`.",
        highlight=False,
        soft_wrap=True,
    )


def _carry_out(settings: Settings, job_id: UUID, decide: Decide, *, as_json: bool) -> None:
    body = wait_for(_decide(settings, job_id, decide))
    if as_json:
        print_json(body)
        return
    console = Console(highlight=False)
    by = f", approved by {body['approved_by']}" if body["approved_by"] else ""
    for line in (
        f"{body['kind']} {body['id']}: {body['state']}",
        f"  asked by {body['actor']} at {body['created_at']:%F %T} UTC{by}",
        *(f"  {name}: {value}" for name, value in body["asked"].items() if value is not None),
        (
            f"  {body['matched']:,} matched, {body['done']:,} done, {body['skipped']:,} skipped, "
            f"at most {body['rate']:,} a second"
        ),
        *([f"  {body['error']}"] if body["error"] else []),
    ):
        console.print(line, markup=False, soft_wrap=True)


async def _list(settings: Settings, wanted: Filter, page: Page) -> Body:
    async with reading(settings) as pool:
        try:
            return await work.listed(pool, wanted, page)
        except BadCursor:
            raise ConfigurationError("--cursor is not the `next` of a page of this list.") from None


async def _decide(settings: Settings, job_id: UUID, decide: Decide) -> Body:
    async with reading(settings) as pool:
        return await decide(pool, job_id)
