"""`make torture`, `torture-report` and `torture-bugs`: words in, sittings or pages out."""

import asyncio
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TypedDict, Unpack

import click

from tests.torture import page, planted, report, sitting
from tests.torture.drills import outcome
from tests.torture.drills.run import drill
from tests.torture.faults import registry
from tests.torture.sitting import Wish

JOURNAL = Path(".torture/journal.jsonl")
PLANTED = Path(".torture/planted.jsonl")
LONGEST = 600.0
"""Seconds of one sitting; more is cut into several, each with the next seed."""
LEAST = 5.0


class Options(TypedDict):
    seconds: float
    seed: int
    faults: str
    rate: float
    brisk: bool
    alone: bool
    longest: float
    journal: Path
    keep: Path | None


@click.group(invoke_without_command=True)
@click.option("--seconds", type=float, default=120.0, show_default=True)
@click.option("--seed", type=int, default=1, show_default=True)
@click.option("--faults", default="all", show_default=True, help="codes, names, targets; -x leaves")
@click.option("--rate", type=float, default=300.0, show_default=True, help="events in a second")
@click.option("--brisk/--long", help="every fault as short as it may be")
@click.option("--alone/--swarm", help="one fault at a time")
@click.option("--longest", type=float, default=LONGEST, show_default=True, help="of one sitting")
@click.option("--journal", type=click.Path(path_type=Path), default=JOURNAL, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Leave logs here.")
@click.pass_context
def main(ctx: click.Context, **options: Unpack[Options]) -> None:
    """Torture the whole service; what was sat through before with the same words counts."""
    if ctx.invoked_subcommand is None:
        done = list(_sittings(options))
        if len(done) > 1:
            click.echo(page.page(done))
        sys.exit(0 if all(map(report.passed, done)) else 1)


def _sittings(options: Options) -> Iterator[report.Record]:
    """Those of the journal, then as many new ones as are missing, each with the next seed."""
    faults, brisk, alone = options["faults"], options["brisk"], options["alone"]
    kinds = () if faults == "none" else registry.chosen(faults)
    if not kinds and faults != "none":
        raise click.UsageError(f"No fault is called {faults!r}: see `list`.")
    run = f"SEED={options['seed']} FAULTS={faults} RATE={options['rate']:g}"
    run += " BRISK=1" * brisk + " ALONE=1" * alone
    done = [one for one in report.read([options["journal"]]) if one["run"] == run]
    yield from done
    left = options["seconds"] - sum(one["seconds"] for one in done)
    seed = options["seed"] + len(done)
    while left > LEAST:
        seconds = min(left, options["longest"])
        wish = Wish(seconds, seed, options["rate"], kinds, faults, brisk, alone)
        one = asyncio.run(_sit(wish, options["keep"])) | {"run": run}
        report.append(one, options["journal"])
        click.echo(page.page([one]))
        yield one
        left -= one["seconds"]
        seed += 1


async def _sit(wish: Wish, keep: Path | None) -> report.Record:
    began = time.monotonic()

    def say(words: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f}  {words}", err=True)

    async with sitting.folder() as folder:
        try:
            result = await sitting.sit(wish, folder, say)
            return report.record(result, command=command(wish))
        finally:
            if keep is not None:
                sitting.keep(folder, keep / f"seed-{wish.seed}")


def command(wish: Wish) -> str:
    more = " BRISK=1" * wish.brisk + " ALONE=1" * wish.alone
    return (
        f"make torture SECONDS={wish.seconds:g} SEED={wish.seed} FAULTS='{wish.words}' "
        f"RATE={wish.rate:g}{more}"
    )


@main.command("list")
def show() -> None:
    """Every fault there is."""
    for kind in registry.FAULTS:
        click.echo(f"{kind.code:4} {kind.target:9} {kind.name}")


@main.command("report")
@click.argument("journals", nargs=-1, type=click.Path(path_type=Path))
@click.option("--write", type=click.Path(path_type=Path))
def merged(journals: tuple[Path, ...], write: Path | None) -> None:
    """Add several journals up to one page."""
    records = report.read(journals or (JOURNAL,))
    drills = [one for one in records if "drill" in one]
    text = page.page([one for one in records if "drill" not in one])
    text = "\n\n".join([text, *map(outcome.page, drills)])
    if write is not None:
        write.parent.mkdir(parents=True, exist_ok=True)
        write.write_text(text + "\n")
    click.echo(text)


@main.command("bugs")
@click.argument("names", nargs=-1)
@click.option("--control", is_flag=True, help="The same words, and nothing planted.")
@click.option("--journal", type=click.Path(path_type=Path), default=PLANTED, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Leave logs here.")
def bugs(names: tuple[str, ...], *, control: bool, journal: Path, keep: Path | None) -> None:
    """Plant each bug in a copy of the tree, and demand that it is found."""
    try:
        ones = planted.chosen(names)
    except planted.Unplantable as error:
        raise click.UsageError(str(error)) from error
    if control:
        ones = list({one.run: one for one in reversed(ones)}.values())[::-1]
    done: list[report.Record] = []
    for one in ones:
        click.echo(f"{one.name} {one.run}", err=True)
        made = planted.sit(one, planting="control" if control else "planted", keep=keep)
        report.append(made, journal)
        click.echo(f"  {made['good']} {made['kinds']} {made['seconds']} s", err=True)
        done.append(made)
    click.echo(planted.page(done))
    sys.exit(0 if all(one["good"] for one in done) else 1)


main.add_command(drill)


if __name__ == "__main__":
    main()
