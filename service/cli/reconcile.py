"""`orderhook reconcile`: a destination is read back and counted, what drifted is owed again."""

import asyncio
from contextlib import AsyncExitStack
from datetime import timedelta

import click
from pydantic_core import PydanticCustomError
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from service.app.adapters import adapted
from service.app.process import clock
from service.app.resources import find_store
from service.cli.context import EXIT_NEGATIVE, Context, actor, as_json, print_json, wait_for
from service.domain.errors import NotFound
from service.ops import jobs
from service.ops import reconcile as work
from service.ops.lookups import Body
from service.ops.reconcile import Reconciler, Wish
from service.settings import Settings
from service.settings.values import parse_duration
from service.store import pool
from service.store.jobs import Job
from service.store.pool import Pool

LOOK = 0.25


class Duration(click.ParamType[timedelta]):
    """As in the configuration: `24h`."""

    name = "duration"

    def convert(
        self, value: object, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        try:
            return parse_duration(value)
        except PydanticCustomError as error:
            self.fail(str(error), param, ctx)


@click.command(help="Read DESTINATION back, count what is right there, and owe again what is not.")
@click.argument("destination")
@click.option("--since", type=Duration(), help="Only what changed so lately, as in 24h.")
@click.option("--dry-run", is_flag=True, help="Only read and count.")
@click.option(
    "--rate",
    type=click.IntRange(1, jobs.MOST_RATE),
    default=work.USUAL_RATE,
    show_default=True,
    help="Orders per second, at most; its quota goes to live work first.",
)
@as_json
@click.pass_obj
def reconcile(
    context: Context,
    *,
    destination: str,
    since: timedelta | None,
    dry_run: bool,
    rate: int,
    as_json: bool,
) -> int:
    begun = clock() - since if since else None
    wish = Wish(destination, actor(), begun, dry_run, rate)
    job = wait_for(_reconcile(context.load(), wish, Console(stderr=as_json)))
    if as_json:
        print_json(jobs.body(job))
    else:
        _tell(Console(), jobs.body(job), dry_run=dry_run)
    drifted = bool(job.counts and job.counts["drifted"])
    return EXIT_NEGATIVE if job.state in {"failed", "cancelled"} or (dry_run and drifted) else 0


async def _reconcile(settings: Settings, wish: Wish, console: Console) -> Job:
    """Put the job in line and carry it here and now."""
    async with AsyncExitStack() as stack:
        dsn = await find_store(settings, stack)
        store = await stack.enter_async_context(pool.opened(dsn, size=2, name="cli"))
        adapters = await stack.enter_async_context(adapted(settings, dsn))
        job, _ = await work.place(store, settings.destinations, wish, mine=True)
        looks = {"reconcile": Reconciler(store, adapters.present).look}
        return await _carry(store, jobs.Runner(store, {}, looks=looks), job, console)


async def _carry(store: Pool, runner: jobs.Runner, job: Job, console: Console) -> Job:
    """Carry the job to its end; should another process take it over, see it through."""
    bars = (TextColumn("  read back"), BarColumn(40), MofNCompleteColumn())
    with Progress(*bars, console=console) as progress:
        bar = progress.add_task("", total=max(job.matched, 1))

        def told(now: Job) -> None:
            progress.update(bar, completed=now.done + now.skipped)

        job = await runner.carry(job, asyncio.Event(), told=told)
        while job.state == "running":
            await asyncio.sleep(LOOK)
            found = await jobs.find(store, job.id)
            if found is None:
                raise NotFound(f"The job {job.id} is gone.")
            job = found
            told(job)
    return job


def _tell(console: Console, body: Body, *, dry_run: bool) -> None:
    counts = body["counts"] or dict.fromkeys(("right", "drifted", "unknown", "repaired"), 0)
    done = "nothing was changed" if dry_run else f"{counts['repaired']:,} taken up"
    console.print(
        f"{counts['right']:,} right, {counts['drifted']:,} drifted ({done}), "
        f"{counts['unknown']:,} unknown: not readable, or records that no order of ours leads to.",
        highlight=False,
    )
    if body["error"]:
        console.print(f"It stopped: {body['error']}", markup=False, highlight=False)
