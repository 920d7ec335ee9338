"""`orderhook ledger`: the proof that nothing is unaccounted, as a table or as the API's body."""

import click
from rich.console import Console
from rich.table import Table

from service.cli.context import EXIT_NEGATIVE, Context, as_json, print_json, reading, wait_for
from service.ops import ledger as book
from service.ops.lookups import Body
from service.settings import Settings


@click.command(help="Count every accepted event and every owed sync; exit 1 if not balanced.")
@as_json
@click.pass_obj
def ledger(context: Context, *, as_json: bool) -> int:
    body = wait_for(_read(context.load()))
    if as_json:
        print_json(body)
    else:
        show(body, Console())
    return 0 if body["balanced"] else EXIT_NEGATIVE


async def _read(settings: Settings) -> Body:
    async with reading(settings) as pool:
        return await book.read(pool)


def show(body: Body, console: Console) -> None:
    """The two equations, a row per source and per destination."""
    console.print(_counts("Events", "source", {**body["sources"], "all": body["totals"]}))
    console.print(_counts("Syncs", "destination", body["destinations"]))
    for spool in body["spools"]:
        if spool["state"] != "empty":
            console.print(
                f"The spool of {spool['gateway']} is {spool['state']} and holds "
                f"{spool['requests']} requests: the ledger is incomplete."
            )
            if spool["state"] == "silent":
                console.print(
                    f"  Start a gateway with its data_dir; when that is gone for good: "
                    f"`orderhook spools forget {spool['id']} --reason …`.",
                    soft_wrap=True,
                )
    console.print(
        "[green]balanced[/]" if body["balanced"] else "[red]not balanced[/]",
        f"at {body['at']}",
    )


def _counts(title: str, first: str, rows: dict[str, dict[str, int]]) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column(first)
    names = [name for name in next(iter(rows.values()), {}) if _shown(name, rows)]
    for name in names:
        table.add_column(name, justify="right")
    for row, counts in rows.items():
        table.add_row(row, *(str(counts[name]) for name in names))
    return table


def _shown(name: str, rows: dict[str, dict[str, int]]) -> bool:
    """The wholes always, a part only where it holds something: a terminal is narrow."""
    return name in ("accepted", "owed") or any(counts[name] for counts in rows.values())
