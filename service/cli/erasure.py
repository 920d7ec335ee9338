"""`orderhook erase`: blanks what is kept of a person who asks for it, order by order."""

import click
from rich.console import Console

from service.app.rules import rules
from service.cli.context import Context, actor, as_json, print_json, reading, wait_for
from service.cli.subjects import named, read_name
from service.domain.events import Subject
from service.ops import erasure
from service.ops.decisions import Hand
from service.ops.lookups import Body
from service.settings import Settings


@click.command(help="Blank the raw requests and attributes of an order; its statuses stay.")
@click.argument("subject")
@click.option("--reason", required=True, help="Why, in your words; kept for ever.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@named
@as_json
@click.pass_obj
def erase(
    context: Context,
    *,
    subject: str,
    reason: str,
    yes: bool,
    lifecycle: str | None,
    scope: str | None,
    as_json: bool,
) -> int:
    settings = context.load()
    name = read_name(settings, subject, lifecycle=lifecycle, scope=scope)
    if as_json and not yes:
        raise click.UsageError("--json does not ask: add --yes.")
    if not yes:
        click.confirm(f"Blank what is kept of {name} for ever?", abort=True)
    body = wait_for(_erase(settings, name, reason))
    if as_json:
        print_json(body)
        return 0
    Console(highlight=False).print(
        f"{body['requests']:,} requests and the attributes of {body['events']:,} events of {name}"
        " are blank now; the ledger counts them as before, and they can be replayed no more."
        " Nothing was sent to any destination: erase the person there yourself. Backups hold the"
        " data until they are gone.",
        soft_wrap=True,
    )
    return 0


async def _erase(settings: Settings, name: Subject, reason: str) -> Body:
    async with reading(settings) as pool:
        return await erasure.erase(Hand(pool, rules(settings), actor()), name, reason=reason)
