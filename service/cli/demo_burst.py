"""The second half of the demo: a burst of orders goes in, the CRM's view and the proof come out."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
from rich.table import Table

from service.domain.errors import OrderhookError
from service.sandbox import burst, story
from service.sandbox.board import TITLES
from service.sandbox.burst import Shot
from service.sandbox.driver import JSON, Driver, until
from service.settings import Settings

ORDERS = 1000
SECONDS = 90.0
IN_FLIGHT = 24
SPIN = 0.1
STORY = {story.HERO: "delivered", story.FRIEND: story.FRIEND_ENDS}


async def run(console: Console, plays: Driver, settings: Settings, *, begin: datetime) -> bool:
    """Fire the burst and prove what came of it; whether ledger and CRM are as they must be."""
    console.print("", f"[bold]A burst of {ORDERS:,} orders[/]", sep="\n")
    shots = burst.load(settings.sources, orders=ORDERS, begin=begin)
    began = await _fire(console, plays, shots)
    body = await _settled(plays)
    orders = {item["subject"]: item for item in (await plays.crm("/orders"))["items"]}
    expected = {f"order/{ref}": status for ref, status in (burst.expected(shots) | STORY).items()}
    counts = await plays.crm("/counts")
    _show_crm(console, orders, expected)
    _show_ledger(console, body)
    _show_speed(console, orders, began)
    return _judge(console, body, counts, wrong=_wrong(orders, expected))


async def _fire(console: Console, plays: Driver, shots: Sequence[Shot]) -> dict[str, datetime]:
    """Post as fast as the gateway answers; tells when the post of each order began."""
    began: dict[str, datetime] = {}
    waiting = iter(shots)
    columns = (TextColumn("  {task.description:<18}"), BarColumn(40), MofNCompleteColumn())
    with Progress(*columns, console=console) as progress:
        told = progress.add_task("told by senders", total=ORDERS)
        shown = progress.add_task("shown in the CRM", total=ORDERS)

        async def send() -> None:
            for shot in waiting:
                began.update(await _shoot(plays, shot))
                progress.advance(told, len(shot.orders))

        async def arrived() -> bool:
            orders = (await plays.crm("/counts"))["orders"] - len(STORY)
            progress.update(shown, completed=orders)
            await asyncio.sleep(SPIN)
            return bool(orders >= ORDERS)

        try:
            async with asyncio.TaskGroup() as group:
                for _ in range(IN_FLIGHT):
                    group.create_task(send())
                watch = group.create_task(until(arrived, within=SECONDS))
        except* OrderhookError as errors:
            raise errors.exceptions[0] from None
    if not watch.result():
        raise OrderhookError(f"The CRM did not see the whole burst within {SECONDS:.0f} s.")
    return began


async def _shoot(plays: Driver, shot: Shot) -> dict[str, datetime]:
    first = await plays.post(shot.source, shot.body)
    again = await plays.post(shot.source, shot.body) if shot.twice else None
    if first.status != 202 or (again is not None and not again.duplicate):
        raise OrderhookError(
            f"The gateway answered {first.status} to {shot.source} and not 202."
            if first.status != 202
            else f"The gateway did not know a repeated webhook of {shot.source} again."
        )
    return dict.fromkeys((f"order/{ref}" for ref in shot.orders), first.began)


async def _settled(plays: Driver) -> JSON:
    """The ledger once nothing is pending any more, or as it stands when that takes too long."""
    body: dict[str, JSON] = {}

    async def quiet() -> bool:
        body.update(await plays.api("/ledger"))
        pending = [row["pending"] for row in body["destinations"].values()]
        return not any([body["totals"]["pending"], *pending])

    await until(quiet, within=SECONDS)
    return body


def _wrong(orders: Mapping[str, JSON], expected: Mapping[str, str]) -> list[str]:
    """Subjects on which the CRM and the story differ, either way."""
    shown = {subject: order["status"] for subject, order in orders.items()}
    return sorted(name for name in {**shown, **expected} if shown.get(name) != expected.get(name))


def _show_crm(console: Console, orders: Mapping[str, JSON], expected: Mapping[str, str]) -> None:
    shown = Counter(order["status"] for order in orders.values())
    wanted = Counter(expected.values())
    table = Table(title="The CRM's view", title_justify="left")
    table.add_column("status")
    table.add_column("expected", justify="right")
    table.add_column("shown", justify="right")
    for status in sorted(shown | wanted, key=[*TITLES].index):
        style = "" if shown[status] == wanted[status] else "red"
        table.add_row(TITLES[status], str(wanted[status]), str(shown[status]), style=style)
    console.print("", table, sep="\n")


def _show_ledger(console: Console, body: JSON) -> None:
    """Both equations, with the buckets that hold something."""
    console.print("", "[bold]The ledger, read through the API[/]", sep="\n")
    console.print(f"  events    {_equation(body['totals'], 'accepted')}")
    for name, row in body["destinations"].items():
        console.print(f"  {name:<10}{_equation(row, 'owed')}")
    requests = Counter[str]()
    for row in body["requests"].values():
        requests.update(row)
    parts = (f"{count:,} {name}" for name, count in requests.items() if count)
    console.print(f"  requests  {', '.join(parts)}")


def _equation(row: Mapping[str, int], whole: str) -> str:
    parts = [f"{row[name]:,} {name}" for name in row if name != whole and row[name]]
    return f"{row[whole]:,} {whole} = {' + '.join(parts) or 0}"


def _show_speed(
    console: Console, orders: Mapping[str, JSON], began: Mapping[str, datetime]
) -> None:
    shown = {
        name: datetime.fromisoformat(orders[name]["history"][0]["at"])
        for name in began
        if name in orders
    }
    took = [(at - began[name]) / timedelta(milliseconds=1) for name, at in shown.items()]
    whole = (max(shown.values()) - min(began.values())) / timedelta(seconds=1)
    console.print(
        f"  POST to CRM, {len(took):,} orders at once in {whole:.1f} s:"
        f" p50 {burst.percentile(took, 0.50):,.0f} ms, p99 {burst.percentile(took, 0.99):,.0f} ms"
    )


def _judge(console: Console, body: JSON, counts: JSON, *, wrong: Sequence[str]) -> bool:
    findings = [
        *([] if body["balanced"] else ["The ledger does not balance."]),
        *([f"{len(wrong)} orders differ in the CRM, {wrong[0]} first."] if wrong else []),
        *([f"Effects repeated: {n}." for n in [counts["repeated_effects"]] if n]),
        *([f"Callbacks refused by the CRM: {n}." for n in [counts["refused"]] if n]),
    ]
    for finding in findings:
        console.print(f"[red]{finding}[/]")
    if not findings:
        console.print(
            "", "[green]The ledger balances, the CRM agrees, no effect happened twice.[/]", sep="\n"
        )
    return not findings
