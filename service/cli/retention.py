"""`orderhook retention status|run`: what is past its time, and letting it leave now."""

import click
from rich.console import Console

from service.app.rules import rules, sealing
from service.cli.context import Context, as_json, print_json, reading, wait_for
from service.ops import retention as keeping
from service.ops.lookups import Body
from service.ops.retention import Done, Runner
from service.settings import Settings


@click.group(help="How long what is settled is kept.")
def retention() -> None:
    """Hold the verbs."""


@retention.command("status", help="Tell what is past its time, and what has left.")
@as_json
@click.pass_obj
def status(context: Context, *, as_json: bool) -> int:
    settings = context.load()
    body = wait_for(_status(settings))
    if as_json:
        print_json(body)
    else:
        _show(Console(highlight=False), settings, body)
    return 0


@retention.command("run", help="Let what is past its time leave now; the relay does it every hour.")
@click.option("--dry-run", is_flag=True, help="Only count.")
@click.pass_obj
def run(context: Context, *, dry_run: bool) -> int:
    settings = context.load()
    console = Console(highlight=False)
    if dry_run:
        _show(console, settings, wait_for(_status(settings)))
        return 0
    done = wait_for(_run(settings))
    console.print(
        f"{done.events:,} events, {len(done.days)} partitions, {done.keys:,} dedupe keys,"
        f" {done.letters:,} closed dead letters and {done.data_keys} data keys left; the ledger"
        " counts them as before.",
        soft_wrap=True,
    )
    for name in done.held_back:
        console.print(
            f"  {name} stays for now: too much in it is needed still (open dead letters, waiting"
            " events), or somebody reads it.",
            soft_wrap=True,
        )
    return 0


def _show(console: Console, settings: Settings, body: Body) -> None:
    due, purged = body["due"], body["purged"]
    console.print(
        f"Requests and settled events are kept for {settings.retention.requests.days} days: whole"
        f" days since {body['first_kept_day']:%F}. Dedupe keys for"
        f" {settings.retention.keys.days} days.",
        soft_wrap=True,
    )
    console.print(
        f"Past that: {due['events']:,} events, {due['settled']:,} of them settled;"
        f" {due['requests']:,} requests; {len(due['partitions'])} partitions. What is dead, waits"
        " or is on its way stays.",
        soft_wrap=True,
    )
    console.print(
        f"Left until now: {purged['events']:,} events, {purged['requests']:,} requests;"
        f" {purged['subjects_with_a_base']:,} orders stand on what theirs folded to.",
        soft_wrap=True,
    )


async def _status(settings: Settings) -> Body:
    async with reading(settings) as pool:
        return await keeping.status(pool, settings.retention)


async def _run(settings: Settings) -> Done:
    async with reading(settings) as pool:
        runner = Runner(pool, settings.retention, rules(settings), sealing=sealing(settings))
        return await runner.run()
