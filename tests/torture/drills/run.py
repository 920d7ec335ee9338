"""`python -m tests.torture drill`: the name of a drill and its words in, its page out."""

import asyncio
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import click

from tests.torture import report, sitting
from tests.torture.drills import outcome, postgres_away, rolling_restarts, wiped_broker
from tests.torture.drills.outcome import Outcome
from tests.torture.report import Record

JOURNAL = Path(".torture/journal.jsonl")
Held = Callable[[Path, Callable[[str], None]], Awaitable[Outcome]]

RATE = click.option("--rate", type=float, help="Events in a second.")
SEED = click.option("--seed", type=int, default=1, show_default=True)


@click.group()
@click.option("--journal", type=click.Path(path_type=Path), default=JOURNAL, show_default=True)
@click.option("--keep", type=click.Path(path_type=Path), help="Leave logs here.")
@click.pass_context
def drill(ctx: click.Context, /, **options: Path | None) -> None:
    """Let one thing happen on purpose, at full size, and see what was promised hold."""
    ctx.obj = options


@drill.command(postgres_away.NAME)
@click.option("--minutes", type=float, default=10.0, show_default=True)
@RATE
@SEED
@click.pass_obj
def _postgres_away(obj: dict[str, Path | None], /, **words: Any) -> None:
    """PostgreSQL is stopped for minutes."""
    _hold(obj, lambda folder, say: postgres_away.run(_wish(postgres_away.Wish, words), folder, say))


@drill.command(rolling_restarts.NAME)
@click.option("--times", type=int, default=200, show_default=True)
@click.option("--notice", default=rolling_restarts.NOTICE, show_default=True)
@RATE
@SEED
@click.pass_obj
def _rolling_restarts(obj: dict[str, Path | None], /, **words: Any) -> None:
    """Gateways and workers are restarted one after the other."""
    wish = _wish(rolling_restarts.Wish, words)
    _hold(obj, lambda folder, say: rolling_restarts.run(wish, folder, say))


@drill.command(wiped_broker.NAME)
@click.option("--events", type=int, default=100_000, show_default=True)
@RATE
@SEED
@click.pass_obj
def _wiped_broker(obj: dict[str, Path | None], /, **words: Any) -> None:
    """RabbitMQ loses everything while events are in flight."""
    _hold(obj, lambda folder, say: wiped_broker.run(_wish(wiped_broker.Wish, words), folder, say))


def _wish(kind: Callable[..., Any], words: dict[str, Any]) -> Any:
    """What was not said is the drill's own choice."""
    return kind(**{name: value for name, value in words.items() if value is not None})


def _hold(options: dict[str, Path | None], held: Held) -> None:
    journal = options["journal"]
    assert journal is not None
    one = asyncio.run(_sit(held, options["keep"]))
    report.append(one, journal)
    click.echo(outcome.page(one))
    sys.exit(0 if outcome.passed(one) else 1)


async def _sit(held: Held, keep: Path | None) -> Record:
    began = time.monotonic()

    def say(words: str) -> None:
        click.echo(f"{time.monotonic() - began:6.1f}  {words}", err=True)

    async with sitting.folder() as folder:
        try:
            return outcome.record(await held(folder, say))
        finally:
            if keep is not None:
                sitting.keep(folder, keep)
