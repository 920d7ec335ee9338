"""`orderhook check`: every problem of the configuration at once, each with its line and remedy."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from ipaddress import ip_address
from urllib.parse import SplitResult, urlsplit

import click

from service.app.sources import senders
from service.app.trial import trying
from service.cli.context import Context
from service.settings import Settings

UNSEALED = (
    "[server] has no keys, so requests are stored as they came, with the people and secrets in"
    " them. Make a key with `openssl rand -base64 32` and name it there; `orderhook keys status`"
    " tells what it seals."
)
READABLE = (
    "[destinations.{name}] is called over plain http ({host}): whoever is on the way reads the"
    " credentials and what is said of customers. Use https, unless that network is yours alone."
)


@click.command(help="Read the configuration and report every problem, with its line and remedy.")
@click.pass_obj
def check(context: Context) -> None:
    settings = asyncio.run(_checked(context))
    senders(settings)
    click.echo(
        f"The configuration is good: {len(settings.sources)} sources, "
        f"{len(settings.destinations)} destinations, {len(settings.routes)} routes."
    )
    for warning in _warnings(settings):
        click.echo(f"Warning: {warning}", err=True)


def _warnings(settings: Settings) -> Iterator[str]:
    """What is allowed and seldom meant."""
    if not settings.server.ring and not settings.server.sandbox:
        yield UNSEALED
    for name, destination in settings.destinations.items():
        told = (destination.url, destination.oauth.url if destination.oauth else "")
        for host in sorted({place.netloc for url in told if _is_readable(place := urlsplit(url))}):
            yield READABLE.format(name=name, host=host)


def _is_readable(url: SplitResult) -> bool:
    """Whether others may read what is sent there."""
    host = url.hostname or ""
    with suppress(ValueError):
        return url.scheme == "http" and not ip_address(host).is_loopback
    return url.scheme == "http" and host != "localhost"


async def _checked(context: Context) -> Settings:
    """Read it with every adapter built, as a worker would, and nothing called."""
    async with trying() as (known, trial):
        settings = context.load(known=known)
        trial.exports(settings)
        return settings
