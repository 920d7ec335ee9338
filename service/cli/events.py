"""`orderhook events`: what was received, and reading it again after a mapping was mended."""

import asyncio
from datetime import datetime
from uuid import UUID

import click
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from service.app.rules import rules, sealing
from service.app.sources import senders
from service.cli.attempts import MOMENTS, utc
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
from service.domain.errors import NotFound
from service.domain.replay import WORDS
from service.ops import jobs, lookups, replay
from service.ops.lookups import Body
from service.ops.replay import Order
from service.settings import Settings
from service.store.jobs import Job
from service.store.pool import Pool

LOOK = 0.25
SHOWN = 10
"""Examples a terminal shows; --json gives all."""


@click.group(help="What was received, and reading it again.")
def events() -> None: ...


@events.command(help="One event: its request, what became of it, and the exchanges it led to.")
@click.argument("event_id", metavar="ID", type=click.UUID)
@as_json
@click.pass_obj
def show(context: Context, *, event_id: UUID, as_json: bool) -> None:
    body = wait_for(_event(context.load(), event_id))
    if as_json:
        print_json(body)
        return
    console = Console(highlight=False)
    says = f"{body['lane']}.{body['status']}" if body["lane"] else body["code"] or "attributes"
    about = body["subject"] or "no subject"
    console.print(f"[bold]{escape(about)}[/]  {escape(says)}  from {body['source']}")
    console.print(f"  {body['outcome']}: {body['reason']}", markup=False, soft_wrap=True)
    console.print(f"  key {body['dedupe_key']}", markup=False, soft_wrap=True)
    for name, value in body["attributes"].items():
        console.print(f"  {name} = {value}", markup=False, soft_wrap=True)
    _show_request(console, body["request"])
    for attempt in body["attempts"]:
        status = attempt["http_status"] or "no answer"
        console.print(
            f"  {attempt['at']:%F %T} {attempt['destination']} v{attempt['version']} "
            f"{attempt['operation']}: {attempt['class']} ({status}, {attempt['ms']} ms) "
            f"{attempt['detail']}",
            markup=False,
            soft_wrap=True,
        )


@events.command("replay", help="Read stored requests again with the present configuration.")
@click.argument("event_ids", metavar="[ID]...", nargs=-1, type=click.UUID)
@click.option("--source", help="The requests of this source.")
@click.option("--since", type=click.DateTime(MOMENTS), help="Received at this time (UTC) or later.")
@click.option("--until", type=click.DateTime(MOMENTS), help="Received before this time (UTC).")
@click.option(
    "--outcome",
    "outcomes",
    multiple=True,
    type=click.Choice(WORDS),
    help="Change events that stand there; may be repeated. "
    "Usually unreadable, unmapped, unresolved_subject and ignored.",
)
@click.option(
    "--rate",
    type=click.IntRange(1, jobs.MOST_RATE),
    default=jobs.USUAL_RATE,
    show_default=True,
    help="Requests per second, at most.",
)
@click.option("--dry-run", is_flag=True, help="Only tell what would change.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@as_json
@click.pass_obj
def replay_(
    context: Context,
    *,
    event_ids: tuple[UUID, ...],
    source: str | None,
    since: datetime | None,
    until: datetime | None,
    outcomes: tuple[str, ...],
    rate: int,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> int:
    if bool(event_ids) == (source is not None):
        raise click.UsageError("Say which requests: either --source NAME or IDs of events.")
    if event_ids and outcomes:
        raise click.UsageError("Events that are named are replayed whatever their outcome.")
    if len(event_ids) > replay.MOST_IDS:
        raise click.UsageError(f"Name at most {replay.MOST_IDS} events, or use --source.")
    if as_json and not (dry_run or yes):
        raise click.UsageError("--json does not ask: add --yes or --dry-run.")
    order = Order(source, utc(since), utc(until), outcomes, tuple(dict.fromkeys(event_ids)))
    verb = _Replay(context.load(), order, rate=rate, as_json=as_json)
    return wait_for(verb.run(dry_run=dry_run, ask=not yes))


class _Replay:
    """One replay from the command line: a dry run, a question, and the work done here and now."""

    def __init__(self, settings: Settings, order: Order, *, rate: int, as_json: bool) -> None:
        self._settings = settings
        self._senders = senders(settings)
        self._rules = rules(settings)
        self._sealing = sealing(settings)
        self._order = order
        self._rate = rate
        self._as_json = as_json
        self._console = Console(stderr=as_json, highlight=False)

    async def run(self, *, dry_run: bool, ask: bool) -> int:
        async with reading(self._settings) as pool:
            seen = await replay.preview(pool, self._senders, self._order, sealing=self._sealing)
            if dry_run and self._as_json:
                print_json(seen)
            elif not self._as_json:
                _show_changes(self._console, seen)
            if dry_run or not seen["matched"]:
                return 0
            if ask:
                click.confirm(f"Read {seen['matched']:,} requests again?", abort=True)
            job, body = await replay.start(
                pool,
                self._senders,
                self._order,
                actor=actor(),
                rate=self._rate,
                mine=True,
                two_people=self._settings.server.two_people,
            )
            if self._as_json:
                print_json(body)
            if job.state == "awaiting_approval":
                tell_of_wait(self._console, job)
                return 0
            return self._conclude(await self._carry(pool, job))

    async def _carry(self, pool: Pool, job: Job) -> Job:
        """Take the job to its end; should another process take it over, see it through."""
        step = replay.step(lambda: self._senders, lambda: self._rules, sealing=self._sealing)
        runner = jobs.Runner(pool, {"replay": step})
        columns = (TextColumn("  {task.description}"), BarColumn(40), MofNCompleteColumn())
        with Progress(*columns, console=self._console) as progress:
            bar = progress.add_task("read again", total=max(job.matched, 1))

            def told(now: Job) -> None:
                progress.update(bar, completed=now.done + now.skipped)

            job = await runner.carry(job, asyncio.Event(), told=told)
            while job.state in {"queued", "running"}:
                await asyncio.sleep(LOOK)
                found = await jobs.find(pool, job.id)
                if found is None:
                    raise NotFound(f"The job {job.id} is gone.")
                job = found
                told(job)
            progress.update(bar, completed=max(job.matched, 1))
        return job

    def _conclude(self, job: Job) -> int:
        if job.state in {"failed", "cancelled"}:
            self._console.print(f"The replay stopped: {job.error}", markup=False)
            return EXIT_NEGATIVE
        self._console.print(
            f"{job.done:,} requests changed, {job.skipped:,} read as before. What changed is owed "
            "to the fold now; `orderhook ledger` shows it on its way.",
            soft_wrap=True,
        )
        return 0


def _show_changes(console: Console, body: Body) -> None:
    read = f", {body['read']:,} of them read now" if body["read"] < body["matched"] else ""
    console.print(
        f"{body['matched']:,} requests with {body['events']:,} chosen events{read}.", soft_wrap=True
    )
    if not body["changes"]:
        console.print("Nothing would change.")
        return
    table = Table("stands as", "would be", "events")
    for change in body["changes"]:
        table.add_row(change["from"] or "(new)", change["to"], f"{change['events']:,}")
    console.print(table)
    for example in body["examples"][:SHOWN]:
        says = f"{example['lane']}.{example['status']}" if example["lane"] else example["note"]
        console.print(
            f"  {example['event_id'] or '(new)'}  {example['from'] or '-'} → {example['to']}  "
            f"{example['subject'] or ''} {says}",
            markup=False,
            soft_wrap=True,
        )
    if body["left"]:
        console.print(
            f"{body['left']:,} requests stay as they are: their events have other keys now, and "
            "some stand under the old ones. Choose those outcomes, too, to replace them.",
            soft_wrap=True,
        )


def _show_request(console: Console, request: Body | None) -> None:
    if request is None:
        console.print("  Its request is past its retention.")
        return
    console.print(
        f"  received {request['received_at']:%F %T} from {request['peer'] or 'nowhere'}: "
        f"{request['method']} {request['path']}, {request['size']:,} bytes (--json shows them)",
        markup=False,
        soft_wrap=True,
    )


async def _event(settings: Settings, event_id: UUID) -> Body:
    async with reading(settings) as pool:
        body = await lookups.event(
            pool,
            event_id,
            sealing=sealing(settings),
            hidden={name: source.mask for name, source in settings.sources.items()},
        )
    if body is None:
        raise NotFound(f"There is no event {event_id}; it may be past its retention.")
    return body
