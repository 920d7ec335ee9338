"""`orderhook orders set|release|rollback|alias|merge|refold`: what people know better."""

import asyncio
from collections.abc import Awaitable, Callable
from uuid import UUID

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

from service.app.rules import rules
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
from service.cli.subjects import named, read_name, show_page
from service.domain.errors import Misnamed, NotFound
from service.domain.events import Alias
from service.ops import corrections, jobs, names, refolds
from service.ops.decisions import Hand
from service.ops.lookups import Body
from service.settings import Settings
from service.store.jobs import Job
from service.store.pool import Pool

LOOK = 0.25

Decide = Callable[[Hand], Awaitable[Body]]

because = click.option("--reason", required=True, help="Why, in your words; kept for ever.")


@click.command("set", help="Put a lane of an order on a status, whatever events say.")
@click.argument("subject")
@click.argument("status", metavar="LANE.STATUS")
@because
@named
@as_json
@click.pass_obj
def set_(
    context: Context,
    *,
    subject: str,
    status: str,
    reason: str,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    lane, dot, word = status.partition(".")
    if not dot:
        raise Misnamed(f"{status!r} is no status; write it like payment.paid.")
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)

    async def decide(hand: Hand) -> Body:
        return await corrections.correct(hand, name, lane=lane, status=word, reason=reason)

    return _carry_out(settings, decide, as_json=as_json)


@click.command(help="End a correction: what events say is seen again.")
@click.argument("subject")
@click.argument("correction_id", metavar="ID", type=click.IntRange(1, 2**63 - 1))
@named
@as_json
@click.pass_obj
def release(
    context: Context,
    *,
    subject: str,
    correction_id: int,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)

    async def decide(hand: Hand) -> Body:
        return await corrections.release(hand, name, correction_id)

    return _carry_out(settings, decide, as_json=as_json)


@click.command(help="Take an event back, as if it had never been accepted.")
@click.argument("subject")
@click.argument("event_id", metavar="EVENT", type=click.UUID)
@because
@named
@as_json
@click.pass_obj
def rollback(
    context: Context,
    *,
    subject: str,
    event_id: UUID,
    reason: str,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)

    async def decide(hand: Hand) -> Body:
        return await corrections.roll_back(hand, name, event_id, reason=reason)

    return _carry_out(settings, decide, as_json=as_json)


@click.command(help="Say that an order has another name, as in tracking:cdek=1234.")
@click.argument("subject")
@click.argument("alias", metavar="TYPE=VALUE")
@click.option("--remove", is_flag=True, help="Take back who said so.")
@named
@as_json
@click.pass_obj
def alias(
    context: Context,
    *,
    subject: str,
    alias: str,
    remove: bool,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    type_, _, value = alias.partition("=")
    if not type_ or not value:
        raise Misnamed(f"{alias!r} is no name; write it like tracking:cdek=1234.")
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)
    said = Alias(type_, value)

    async def decide(hand: Hand) -> Body:
        return await (names.unlink if remove else names.link)(hand, name, said)

    return _carry_out(settings, decide, as_json=as_json)


@click.command(help="Make one order of two; LOSER's events go to the other one.")
@click.argument("loser")
@click.option("--into", required=True, metavar="SUBJECT", help="The order that stays.")
@because
@named
@as_json
@click.pass_obj
def merge(
    context: Context,
    *,
    loser: str,
    into: str,
    reason: str,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    settings = context.load()
    gone = read_name(settings, loser, lifecycle=lifecycle, scope=scope)
    whole = into.partition("/")[0] in rules(settings).lifecycles
    readings = names.read_subject(into) if whole else [gone._replace(ref=into)]

    async def decide(hand: Hand) -> Body:
        return await names.merge(hand, gone, readings, reason=reason)

    return _carry_out(settings, decide, as_json=as_json)


@click.command(help="Fold orders anew, after lifecycles or routes were changed.")
@click.option("--lifecycle", help="Only those of this lifecycle.")
@click.option(
    "--rate",
    type=click.IntRange(1, jobs.MOST_RATE),
    default=refolds.USUAL_RATE,
    show_default=True,
    help="Orders per second, at most.",
)
@click.option("--dry-run", is_flag=True, help="Only count.")
@as_json
@click.pass_obj
def refold(
    context: Context, *, lifecycle: str | None, rate: int, dry_run: bool, as_json: bool
) -> int:
    work = _refold(context.load(), lifecycle, rate=rate, dry_run=dry_run, as_json=as_json)
    return wait_for(work)


DECISIONS = (set_, release, rollback, alias, merge, refold)


def _carry_out(settings: Settings, decide: Decide, *, as_json: bool) -> int:
    body = wait_for(_decide(settings, decide))
    if as_json:
        print_json(body)
    else:
        show_page(Console(), body)
    return 0


async def _decide(settings: Settings, decide: Decide) -> Body:
    async with reading(settings) as pool:
        return await decide(acting(pool, settings))


def acting(pool: Pool, settings: Settings) -> Hand:
    """Whoever sits at this command line."""
    return Hand(pool, rules(settings), actor())


async def _refold(
    settings: Settings, lifecycle: str | None, *, rate: int, dry_run: bool, as_json: bool
) -> int:
    """Put the job in line and carry it here and now."""
    console = Console(stderr=as_json)
    async with reading(settings) as pool:
        hand = acting(pool, settings)
        job, body = await refolds.place(
            hand,
            lifecycle,
            rate=rate,
            dry_run=dry_run,
            mine=True,
            two_people=settings.server.two_people,
        )
        if as_json:
            print_json(body)
        if job is None:
            console.print(
                f"{body['matched']:,} orders would be folded anew; {body['behind']:,} of them were "
                "folded by other rules, and the next event of each would do it as well."
            )
            return 0
        if job.state == "awaiting_approval":
            tell_of_wait(console, job)
            return 0
        job = await _carry(hand, job, console)
    if job.state in {"failed", "cancelled"}:
        console.print(f"The refold stopped: {job.error}", markup=False)
        return EXIT_NEGATIVE
    console.print(
        f"{job.done:,} orders folded anew, {body['behind']:,} of them were behind; "
        "what changed is owed to its destinations."
    )
    return 0


async def _carry(hand: Hand, job: Job, console: Console) -> Job:
    """Carry the job to its end; should another process take it over, see it through."""
    bars = (TextColumn("  refolded"), BarColumn(40), MofNCompleteColumn())
    with Progress(*bars, console=console) as progress:
        bar = progress.add_task("", total=max(job.matched, 1))

        def told(now: Job) -> None:
            progress.update(bar, completed=now.done + now.skipped)

        steps = {"refold": refolds.step(lambda: hand.rules)}
        job = await jobs.Runner(hand.pool, steps).carry(job, asyncio.Event(), told=told)
        while job.state == "running":
            await asyncio.sleep(LOOK)
            found = await jobs.find(hand.pool, job.id)
            if found is None:
                raise NotFound(f"The job {job.id} is gone.")
            job = found
            told(job)
    return job
