"""`orderhook send`: post one event to the running gateway, signed as its provider would."""

import secrets as randomness
from pathlib import Path
from urllib.parse import quote

import aiohttp
import click

from service import app
from service.cli.context import EXIT_NEGATIVE, Context, wait_for
from service.domain.errors import ConfigurationError, DependencyUnavailable
from service.intake.provider import SignedRequest
from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import Secret, Settings, Source

SECONDS = 10


@click.command(help="Post a sample or a file to SOURCE, signed as its provider would.")
@click.argument("source")
@click.option("--sample", help="A sample of the provider; see --list.")
@click.option("--body", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--order", default="1001", show_default=True, help="Order number in the sample.")
@click.option("--key", help="The sender's own event id; repeat it to send a duplicate.")
@click.option(
    "--key-file",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A private key (PEM) to sign with, where the source knows the public one.",
)
@click.option("--url", help="Base URL of the public listener; else from the configuration.")
@click.option("--list", "listing", is_flag=True, help="List the samples of the source's provider.")
@click.pass_obj
def send(
    context: Context,
    *,
    source: str,
    sample: str | None,
    body: Path | None,
    order: str,
    key: str | None,
    key_file: Path | None,
    url: str | None,
    listing: bool,
) -> int:
    settings = context.load()
    if source not in settings.sources:
        known = ", ".join(settings.sources) or "none"
        raise ConfigurationError(f"There is no source {source}; configured: {known}.")
    chosen = settings.sources[source]
    if listing:
        click.echo("\n".join(senders.SAMPLES.get(chosen.provider, {})))
        return 0
    if (sample is None) == (body is None):
        raise click.UsageError("Give either --sample NAME or --body FILE.")
    now = app.clock()
    occasion = Occasion(order=order, at=now, key=key or f"evt_{randomness.token_hex(8)}")
    content = body.read_bytes() if body else senders.sample(chosen, str(sample), occasion)
    signed = senders.sign(
        signing(chosen, key_file),
        content,
        at=now,
        key=occasion.key,
        sample=sample or "",
        base=settings.server.public_url or url or base_url(settings),
    )
    status, text = wait_for(_post(target(url or base_url(settings), source, signed), signed))
    click.echo(f"HTTP {status} {text}")
    return 0 if status < 300 else EXIT_NEGATIVE


def signing(source: Source, key_file: Path | None) -> Source:
    """The source with what its sender signs with in the first place."""
    if key_file is None:
        return source
    secrets = (Secret.plain(key_file.read_bytes()), *source.secrets)
    return source.model_copy(update={"secrets": secrets})


def base_url(settings: Settings) -> str:
    """Where the public listener of this configuration is reached from this machine."""
    host, port = settings.server.public
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, host)  # noqa: S104  # only read
    return f"http://{host}:{port}"


def target(base: str, source: str, signed: SignedRequest) -> str:
    """The whole URL to post to, with what the sender puts into it."""
    tail = f"/{quote(signed.tail)}" if signed.tail else ""
    return f"{base}/webhooks/{source}{tail}{f'?{signed.query}' if signed.query else ''}"


async def _post(url: str, signed: SignedRequest) -> tuple[int, str]:
    timeout = aiohttp.ClientTimeout(total=SECONDS)
    try:
        async with (
            aiohttp.ClientSession(timeout=timeout, trust_env=False) as session,
            session.post(
                url, data=signed.body, headers=signed.headers, allow_redirects=False
            ) as answer,
        ):
            return answer.status, await answer.text()
    except (TimeoutError, aiohttp.ClientError) as error:
        base = url.partition("/webhooks/")[0]  # the rest may carry a token
        raise DependencyUnavailable(
            f"No gateway answers at {base} ({type(error).__name__}): start it with "
            "`orderhook run all`, or give its address with --url."
        ) from error
