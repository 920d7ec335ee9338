"""`orderhook sources`: who sends to us, and why a webhook of theirs was refused."""

import click
import orjson
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from service.app.rules import sealing
from service.app.sources import senders as configured_senders
from service.cli.context import Context, as_json, moment, print_json, reading, wait_for
from service.domain.refusals import clock
from service.domain.rhythm import spelled
from service.ops import sources as senders
from service.ops.lookups import Body
from service.ops.sources import Configured
from service.settings import Settings


@click.group(help="Who sends to us, and why webhooks were refused.")
def sources() -> None: ...


@sources.command("list", help="The configured senders, their addresses, and what came of them.")
@as_json
@click.pass_obj
def list_(context: Context, *, as_json: bool) -> None:
    body = wait_for(_list(context.load()))
    if as_json:
        print_json(body)
        return
    table = Table(
        "source", "provider", "address", "accepted", "last", "usually every", "silent since",
        "refused", "last refused",
    )  # fmt: skip
    for item in body["items"]:
        table.add_row(
            item["name"],
            item["provider"] or "",
            escape(item["url"] or item["path"] or "any other name"),
            f"{item['accepted']:,}",
            moment(item["accepted_at"]),
            spelled(item["usual_gap_seconds"]) if item["usual_gap_seconds"] else "",
            f"[bold red]{moment(item['silent_since'])}[/]" if item["silent_since"] else "",
            f"{item['refused']:,}",
            moment(item["refused_at"]),
        )
    Console().print(table)


@sources.command(help="How NAME is configured, and what to do on its sender's side.")
@click.argument("name")
@as_json
@click.pass_obj
def show(context: Context, *, name: str, as_json: bool) -> None:
    body = wait_for(_show(context.load(), name))
    if as_json:
        print_json(body)
        return
    click.echo(f"{body['title']} posts to {body['url'] or body['path']}")
    if body["token_at"]:
        click.echo(f"[token] is the secret at {body['token_at']}")
    click.echo(f"Proves itself by: {body['scheme']}\nThe same event:   {body['identity']}\n")
    print_settings(body)
    for number, step in enumerate(body["setup"], start=1):
        click.echo(f"{number}. {step}")


def print_settings(body: Body) -> None:
    """What the file says, and below it what is usual."""
    for title, chosen in (("Configured:", True), ("Usual values:", False)):
        click.echo(title)
        for key, value in body["configuration"].items():
            if (key in body["given"]) == chosen:
                click.echo(f"  {key} = {orjson.dumps(value).decode()}")
        click.echo()


@sources.command(help="Why the last webhooks of a source were refused, and what to do about it.")
@click.argument("name")
@as_json
@click.pass_obj
def refused(context: Context, *, name: str, as_json: bool) -> None:
    body = wait_for(_refused(context.load(), name))
    if as_json:
        print_json(body)
        return
    console = Console(highlight=False)
    if not body["items"]:
        console.print(f"No refused request of {name} is remembered.", markup=False)
    for reason, alike in _by_reason(body).items():
        newest = alike[0]
        console.print(
            f"[bold]{newest['cause']}, {len(alike)} times[/], last at {moment(newest['at'])}"
        )
        console.print(f"  {reason}", markup=False, soft_wrap=True)
        console.print(f"  {newest['remedy']}", markup=False, soft_wrap=True)
        for line in _evidence(newest):
            console.print(f"    {line}", markup=False, soft_wrap=True)


@sources.command(help="What a source in capture mode was sent; nothing of it was believed.")
@click.argument("name")
@click.option("--show", type=click.IntRange(min=1), help="Print one whole, by its number.")
@as_json
@click.pass_obj
def captured(context: Context, *, name: str, show: int | None, as_json: bool) -> None:
    body = wait_for(_captured(context.load(), name, show))
    if as_json:
        print_json(body)
    elif show is not None:
        _print_capture(body)
    else:
        _print_captures(body, name)


def _print_captures(body: Body, name: str) -> None:
    console = Console(highlight=False)
    if not body["items"]:
        console.print(f"No request of {name} is captured.", markup=False)
        return
    table = Table("number", "at", "from", "request", "bytes", "body begins")
    for item in body["items"]:
        table.add_row(
            str(item["id"]),
            moment(item["at"]),
            item["peer"],
            escape(printable(f"{item['method']} {target(item)}")),
            f"{item['body_bytes']:,}",
            escape(printable(item["body"] or item["body_base64"] or "")[:60]),
        )
    console.print(table)
    console.print(f"One whole: orderhook sources captured {name} --show NUMBER", markup=False)


def _print_capture(item: Body) -> None:
    click.echo(printable(f"{item['method']} {target(item)}"))
    for header, value in item["headers"]:
        click.echo(printable(f"{header}: {value}"))
    click.echo()
    text = item["body"]
    click.echo("\n".join(map(printable, text.split("\n"))) if text is not None else _base64(item))


def _base64(item: Body) -> str:
    return f"(no text; in base64) {item['body_base64']}"


def target(item: Body) -> str:
    return f"{item['path']}?{item['query']}" if item["query"] else str(item["path"])


def printable(text: str) -> str:
    """Take a stranger's text so that it cannot speak to a terminal."""
    return "".join(char if char.isprintable() or char == "\t" else "\ufffd" for char in text)


def _by_reason(body: Body) -> dict[str, list[Body]]:
    """Alike ones together, the newest first."""
    found: dict[str, list[Body]] = {}
    for item in body["items"]:
        found.setdefault(item["reason"], []).append(item)
    return found


def _evidence(item: Body) -> list[str]:
    peer, size = item["peer"] or "nowhere", f"{item['body_bytes']:,} bytes"
    lines = [
        f"{item['method']} from {peer}, {size}, sha256 {item['body_sha256']}",
        f"headers: {', '.join(item['headers']) or 'none'}",
    ]
    if item["skew_seconds"] is not None:
        lines.append(f"the sender's clock is {clock(item['skew_seconds'])} ours")
    return lines


async def _list(settings: Settings) -> Body:
    async with reading(settings) as pool:
        return await senders.sources(pool, settings.sources, public_url=settings.server.public_url)


async def _show(settings: Settings, name: str) -> Body:
    configured = Configured(
        senders=lambda: configured_senders(settings), public_url=settings.server.public_url
    )
    async with reading(settings) as pool:
        return await senders.source(pool, configured, name)


async def _refused(settings: Settings, name: str) -> Body:
    async with reading(settings) as pool:
        return await senders.refused(pool, configured_senders(settings), name)


async def _captured(settings: Settings, name: str, number: int | None) -> Body:
    async with reading(settings) as pool:
        if number is not None:
            return await senders.capture(
                pool, settings.sources, name, number, sealing=sealing(settings)
            )
        return await senders.captured(pool, settings.sources, name, sealing=sealing(settings))
