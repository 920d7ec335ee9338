"""`orderhook demo`: everything embedded, a story told by four senders, and the proof at the end."""

import asyncio
import signal
from datetime import datetime, timedelta

import click
from rich.console import Console
from rich.table import Table

from service.app.known import KNOWN
from service.app.process import clock
from service.cli import demo_burst
from service.cli.context import EXIT_NEGATIVE, wait_for
from service.cli.token import issue, link
from service.domain.errors import OrderhookError
from service.sandbox import driver, installation, story
from service.sandbox.board import TITLES
from service.sandbox.driver import Driver, Posted, Urls, until
from service.sandbox.installation import Installation
from service.sandbox.story import Webhook
from service.settings import Settings
from service.settings.load import environment, load

STEP_SECONDS = 20.0
READING_SECONDS = 0.8
"""Between two lines of the story, when somebody may be watching the board."""
TOKEN_TTL = timedelta(hours=12)
LINK_TTL = timedelta(hours=1)
SHOWN = {"late": "{title} (superseded)", "waiting": "{title}, the scan waits"}
"""What a twist comes to, where it is more than nothing."""
BEGIN = timedelta(hours=26)
"""How long ago the story begins; the parcel takes its time."""


@click.command(help="Show the whole road on this machine: simulated senders, a CRM, the ledger.")
@click.option("--keep", is_flag=True, help="Leave it running until Ctrl-C, to look around.")
def demo(*, keep: bool) -> int:
    try:
        return wait_for(_demo(Console(highlight=False), keep=keep))
    except asyncio.CancelledError:
        raise click.Abort from None


async def _demo(console: Console, *, keep: bool) -> int:
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    console.print("[dim]Starting PostgreSQL, Orderhook and a sandbox CRM[/]")
    waiting = console.status("a few seconds")
    waiting.start()
    try:
        async with installation.running(environment()) as installed:
            waiting.stop()
            return await _show(console, installed, keep=keep)
    finally:
        waiting.stop()


async def _show(console: Console, installed: Installation, *, keep: bool) -> int:
    settings = load(installed.stage.configuration, installed.environ, known=KNOWN)
    urls = Urls(installed.public, installed.internal, installed.crm)
    token = issue(settings.auth, role="viewer", subject="demo", ttl=TOKEN_TTL)
    _introduce(console, urls, settings)
    async with driver.open_session() as session:
        plays = Driver(session, urls, sources=settings.sources, token=token, clock=clock)
        begin = clock() - BEGIN
        try:
            await _tell(console, plays, settings, begin=begin)
            agreed = await demo_burst.run(console, plays, settings, begin=begin)
        except OrderhookError:
            console.print("", "[dim]The service said last:[/]", sep="\n")
            console.print(installed.last_words(), markup=False, soft_wrap=True)
            raise
    if keep:
        _invite(console, installed, token, _link(settings, urls))
        await asyncio.Event().wait()
    return 0 if agreed else EXIT_NEGATIVE


def _introduce(console: Console, urls: Urls, settings: Settings) -> None:
    broker = "RabbitMQ at $AMQP_URL" if settings.broker.dsn else "in-process, embedded"
    grid = Table.grid(padding=(0, 2))
    for name, value in (
        ("store", "PostgreSQL, embedded"),
        ("broker", broker),
        ("gateway", f"{urls.public}/webhooks/{{{','.join(settings.sources)}}}"),
        ("API", f"{urls.internal}/api/v1"),
        ("board", f"[bold]{urls.crm}[/]"),
    ):
        grid.add_row(f"[dim]{name}[/]", value)
    console.print(grid)


async def _tell(console: Console, plays: Driver, settings: Settings, *, begin: datetime) -> None:
    console.print("", f"[bold]The story of order {story.HERO}[/]", sep="\n")
    _line(console, "sender", "says", "gateway", "CRM shows", style="dim")
    for webhook in story.tell(settings.sources, begin=begin):
        posted = await plays.post(webhook.source, webhook.body, forged=webhook.twist == "forged")
        answer = _check(webhook, posted)
        shown = await _follow(plays, webhook, posted)
        style = "yellow" if webhook.twist else ""
        _line(console, webhook.source, webhook.says, answer, shown, style=style)
        if console.is_terminal:
            await asyncio.sleep(READING_SECONDS)


def _line(console: Console, *cells: str, style: str) -> None:
    sender, says, answer, shown = cells
    console.print(f"  {sender:<8}{says:<32}{answer:<14}{shown}", style=style, soft_wrap=True)


def _check(webhook: Webhook, posted: Posted) -> str:
    """What the sender saw; an error when it is not what the contract says."""
    expected = (401, False) if webhook.twist == "forged" else (202, webhook.twist == "duplicate")
    if (posted.status, posted.duplicate) != expected:
        raise OrderhookError(
            f"{webhook.source}, {webhook.says}: the gateway answered {posted.status}"
            f" (duplicate: {posted.duplicate}) and not {expected[0]}."
        )
    return f"{posted.status} {webhook.twist}".strip()


async def _follow(plays: Driver, webhook: Webhook, posted: Posted) -> str:
    """Wait until the CRM shows what it must, and tell how long that took."""

    async def arrived() -> bool:
        return await plays.status(story.HERO) == webhook.status and await _seen(plays, webhook)

    if not await until(arrived, within=STEP_SECONDS):
        raise OrderhookError(
            f"{webhook.source}, {webhook.says}: the CRM shows"
            f" {await plays.status(story.HERO) or 'nothing'} and not {webhook.status}."
        )
    title = TITLES[webhook.status]
    if webhook.twist:
        return SHOWN.get(webhook.twist, "{title}, as before").format(title=title)
    order = await plays.crm(f"/orders/{story.HERO}")
    took = datetime.fromisoformat(order["history"][-1]["at"]) - posted.began
    return f"{title:<16}{took / timedelta(milliseconds=1):>5.0f} ms"


async def _seen(plays: Driver, webhook: Webhook) -> bool:
    """Whether the twist, if there is one, shows."""
    match webhook.twist:
        case "late":
            return await _superseded(plays)
        case "waiting":
            return bool((await plays.api("/ledger"))["sources"][webhook.source]["waiting"])
        case _:
            return True


async def _superseded(plays: Driver) -> bool:
    subject = await plays.api(f"/subjects/order/{story.HERO}")
    return any(event["outcome"] == "superseded" for event in subject["history"])


def _link(settings: Settings, urls: Urls) -> str:
    """Where a browser signs in to the console; its listener has any free port."""
    server = settings.server.model_copy(update={"internal_url": urls.internal})
    return link(server, settings.auth, role="admin", subject="demo", ttl=LINK_TTL)


def _invite(console: Console, installed: Installation, token: str, link: str) -> None:
    console.print(
        "",
        f"Still running: the board is at [bold]{installed.crm}[/]; Ctrl-C ends it.",
        f"The console, for one sign-in within an hour: {link}",
        f"  orderhook --config {installed.stage.configuration} ledger",
        f"  curl -H 'Authorization: Bearer {token}' {installed.internal}/api/v1/ledger",
        sep="\n",
        soft_wrap=True,
    )
