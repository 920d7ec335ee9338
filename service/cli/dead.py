"""`orderhook dead`: what could not be applied, why, and how it is driven again or given up."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TypedDict, TypeVar, Unpack
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn
from rich.table import Table

from service.cli.context import (
    EXIT_NEGATIVE,
    Context,
    actor,
    as_json,
    print_json,
    reading,
    wait_for,
)
from service.cli.jobs import tell_of_wait
from service.domain.errors import ConfigurationError, NotFound
from service.ops import dead_letters, jobs, lookups
from service.ops.dead_letters import Order, Placed, Verb
from service.ops.lookups import BadCursor, Body, Page
from service.settings import Settings
from service.store.dead_letters import Selection
from service.store.jobs import Job
from service.store.pool import Pool

C = TypeVar("C", bound=Callable[..., object])

LOOK = 0.25
PATIENCE = timedelta(seconds=15)
"""How long nothing may move until we stop watching what the workers make of it."""


class Chosen(TypedDict):
    """The options that choose letters."""

    kind: str | None
    destination: str | None
    reason: str | None
    source: str | None
    subject: str | None


class Done(TypedDict):
    """The options of a verb that changes something."""

    everything: bool
    dry_run: bool
    rate: int
    yes: bool
    as_json: bool


def choosing(verb: C) -> C:
    """The options that choose letters."""
    for option in (
        click.option("--subject", help="Only those about this subject, as in order/1001."),
        click.option("--source", help="Only events of this source."),
        click.option("--reason", help="Only those with this reason, as in `dead queues`."),
        click.option("--destination", help="Only those of this destination."),
        click.option("--kind", type=click.Choice(["event", "sync"])),
    ):
        verb = option(verb)
    return verb


def doing(verb: C) -> C:
    """The options and arguments of a verb that changes something."""
    for option in (
        as_json,
        click.option("--yes", is_flag=True, help="Do not ask."),
        click.option(
            "--rate",
            type=click.IntRange(1, jobs.MOST_RATE),
            default=jobs.USUAL_RATE,
            show_default=True,
            help="Letters per second.",
        ),
        click.option("--dry-run", is_flag=True, help="Only count."),
        click.option("--all", "everything", is_flag=True, help="All there are."),
        choosing,
        click.argument("ids", nargs=-1, type=click.UUID),
    ):
        verb = option(verb)
    return verb


@click.group(help="What could not be applied: why, and what to do about it.")
def dead() -> None: ...


@dead.command(help="How much waits where, by cause, with the remedy.")
@as_json
@click.pass_obj
def queues(context: Context, *, as_json: bool) -> None:
    body = wait_for(_queues(context.load()))
    if as_json:
        print_json(body)
        return
    console = Console()
    for queue in body["items"]:
        name = queue["destination"] or "events"
        console.print(f"[bold]{escape(name)}[/]  {queue['count']:,}")
        for cause in queue["causes"]:
            since = f"{cause['oldest']:%F %T} to {cause['newest']:%F %T}"
            console.print(f"  {cause['reason']}  {cause['count']:,}  {since}", highlight=False)
            console.print(f"    {cause['summary']}", markup=False, highlight=False)
            console.print(f"    {cause['remedy']}", markup=False, highlight=False)
    if not body["items"]:
        console.print("Nothing is dead.")


@dead.command("list", help="The letters that came last.")
@choosing
@click.option("--limit", type=click.IntRange(1, lookups.MOST_ITEMS), default=50, show_default=True)
@click.option("--cursor", help="Go on after a page: the `next` of its JSON.")
@as_json
@click.pass_obj
def list_(
    context: Context, *, limit: int, cursor: str | None, as_json: bool, **chosen: Unpack[Chosen]
) -> None:
    body = wait_for(_list(context.load(), Selection(**chosen), Page(limit, cursor)))
    if as_json:
        print_json(body)
        return
    table = Table("id", "since", "about", "at", "reason", "summary")
    for item in body["items"]:
        table.add_row(
            item["id"],
            f"{item['first_at']:%F %T}",
            escape(item["subject"] or item["event_id"] or ""),
            escape(item["destination"] or "events"),
            item["reason"],
            escape(item["summary"]),
        )
    Console().print(table)


@dead.command(help="One letter with everything that was tried.")
@click.argument("letter_id", metavar="ID", type=click.UUID)
@as_json
@click.pass_obj
def show(context: Context, *, letter_id: UUID, as_json: bool) -> None:
    body = wait_for(_letter(context.load(), letter_id))
    if as_json:
        print_json(body)
        return
    console = Console(highlight=False)
    about = body["subject"] or body["event_id"]
    where = body["destination"] or "events"
    console.print(f"[bold]{escape(about)}[/] at {escape(where)}: {body['reason']}")
    console.print(body["summary"], markup=False)
    console.print(body["remedy"], markup=False)
    if body["resolved_at"]:
        console.print(f"It was {body['resolution']} at {body['resolved_at']:%F %T} UTC.")
    elif body["redriven"]:
        console.print(f"It was driven again {body['redriven']} times before, and died again.")
    if body["event_id"]:
        console.print(f"`orderhook events show {body['event_id']}` shows what was received.")
    table = Table("at", "operation", "class", "status", "ms", "detail")
    for attempt in body["attempts"]:
        table.add_row(
            f"{attempt['at']:%F %T}",
            attempt["operation"],
            attempt["class"],
            str(attempt["http_status"] or ""),
            str(attempt["ms"]),
            escape(attempt["detail"]),
        )
    if body["attempts"]:
        console.print(table)


@dead.command(help="Owe letters again: by IDS, or by what they have in common.")
@doing
@click.option("--no-wait", is_flag=True, help="Do not watch what the workers make of it.")
@click.pass_obj
def redrive(
    context: Context,
    *,
    ids: tuple[UUID, ...],
    no_wait: bool,
    kind: str | None,
    destination: str | None,
    reason: str | None,
    source: str | None,
    subject: str | None,
    **how: Unpack[Done],
) -> int:
    wanted = _selection(
        Selection(kind, destination, reason, source, subject, ids or None), all_=how["everything"]
    )
    order = Order("redrive", wanted, actor(), how["rate"])
    return wait_for(_carry_out(context.load(), order, how, watch=not no_wait))


@dead.command(help="Give letters up: by IDS, or by what they have in common.")
@doing
@click.option("--because", help="Why, in your words; kept with each of them.")
@click.pass_obj
def discard(
    context: Context,
    *,
    ids: tuple[UUID, ...],
    because: str | None,
    kind: str | None,
    destination: str | None,
    reason: str | None,
    source: str | None,
    subject: str | None,
    **how: Unpack[Done],
) -> int:
    wanted = _selection(
        Selection(kind, destination, reason, source, subject, ids or None), all_=how["everything"]
    )
    order = Order("discard", wanted, actor(), how["rate"], because)
    return wait_for(_carry_out(context.load(), order, how, watch=False))


def _selection(wanted: Selection, *, all_: bool) -> Selection:
    """Exactly one way to choose, so that nothing is changed by an option left out."""
    filtered = wanted != Selection(ids=wanted.ids)
    if (wanted.ids is not None) + filtered + all_ != 1:
        raise click.UsageError("Say which letters: IDs, or filters as in `dead list`, or --all.")
    return wanted


async def _queues(settings: Settings) -> Body:
    async with reading(settings) as pool:
        return await dead_letters.queues(pool)


async def _list(settings: Settings, wanted: Selection, page: Page) -> Body:
    async with reading(settings) as pool:
        try:
            return await dead_letters.letters(pool, wanted, page)
        except BadCursor:
            raise ConfigurationError("--cursor is not the `next` of a page of this list.") from None


async def _letter(settings: Settings, letter_id: UUID) -> Body:
    async with reading(settings) as pool:
        return await dead_letters.letter(pool, letter_id)


async def _carry_out(settings: Settings, order: Order, how: Done, *, watch: bool) -> int:
    """Count, ask, do it here and now; what the workers make of it is watched, not done."""
    console = Console(stderr=how["as_json"])
    two_people = settings.server.two_people
    async with reading(settings) as pool:
        counted = await dead_letters.place(pool, order, dry_run=True)
        if how["dry_run"] or not _agreed(console, order.verb, counted.body, how):
            _tell(counted, how, console)
            return 0
        placed = await dead_letters.place(
            pool, order, dry_run=False, mine=True, two_people=two_people
        )
        assert placed.job is not None
        _tell(placed, how, console)
        if placed.job.state == "awaiting_approval":
            tell_of_wait(console, placed.job)
            return 0
        bars = (TextColumn("  {task.description:<10}"), BarColumn(40), MofNCompleteColumn())
        with Progress(*bars, console=console) as progress:
            job = await _run(pool, placed.job, progress)
            fates = await _watch(pool, job, progress) if watch else (0, 0)
    return _conclude(console, job, fates)


def _agreed(console: Console, verb: Verb, counts: Body, how: Done) -> bool:
    """Whether there is anything to do and the user wants it done."""
    if not counts["would_write"] and not how["yes"]:
        console.print("No open letter fits.")
        return False
    if how["yes"]:
        return True
    if how["as_json"]:
        raise click.UsageError("--json does not ask: add --yes or --dry-run.")
    return click.confirm(f"{verb.capitalize()} {counts['would_write']:,} letters?", abort=True)


def _tell(placed: Placed, how: Done, console: Console) -> None:
    if how["as_json"]:
        print_json(placed.body)
        return
    said = placed.body
    job = f"job {said['job']}: " if said["job"] else ""
    console.print(
        f"{job}{said['matched']:,} match, {said['would_write']:,} to write, "
        f"{said['already_right']:,} right already",
        highlight=False,
    )


async def _run(pool: Pool, job: Job, progress: Progress) -> Job:
    """Carry the job to its end; should another process take it over, see it through."""
    bar = progress.add_task(f"{job.kind}n" if job.kind == "redrive" else "discarded", total=None)
    progress.update(bar, total=max(job.matched, 1))

    def told(now: Job) -> None:
        progress.update(bar, completed=now.done + now.skipped)

    job = await jobs.Runner(pool, dead_letters.STEPS).carry(job, asyncio.Event(), told=told)
    while job.state == "running":
        await asyncio.sleep(LOOK)
        found = await jobs.find(pool, job.id)
        if found is None:
            raise NotFound(f"The job {job.id} is gone.")
        job = found
        told(job)
    progress.update(bar, completed=max(job.matched, 1))
    return job


async def _watch(pool: Pool, job: Job, progress: Progress) -> tuple[int, int]:
    """Follow what was redriven until none of it is owed, or nothing moves any more."""
    bar: TaskID = progress.add_task("applied", total=job.done)
    clock = asyncio.get_running_loop().time
    seen, moved = (-1, -1), clock()
    while job.done:
        owed, again = await dead_letters.fates(pool, since=job.created_at)
        progress.update(bar, completed=max(job.done - owed - again, 0))
        if (owed, again) != seen:
            seen, moved = (owed, again), clock()
        if not owed or clock() - moved > PATIENCE.total_seconds():
            return owed, again
        await asyncio.sleep(LOOK)
    return 0, 0


def _conclude(console: Console, job: Job, fates: tuple[int, int]) -> int:
    owed, again = fates
    if job.state in {"failed", "cancelled"}:
        console.print(f"[red]{escape(job.error or '')}[/]")
        return EXIT_NEGATIVE
    if job.skipped:
        console.print(f"{job.skipped:,} were not open any more, or right already.")
    if owed:
        console.print(f"{owed:,} are still owed: is a worker running, is the destination well?")
    if again:
        console.print(f"[red]{again:,} died again[/]: see `orderhook dead queues`.")
    return EXIT_NEGATIVE if again else 0
