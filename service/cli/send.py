"""`orderhook send`: post one event to the running gateway, signed as its provider would."""

from pathlib import Path

import click

from service.app import sending
from service.app.process import clock
from service.cli.context import EXIT_NEGATIVE, Context, wait_for
from service.domain.errors import ConfigurationError
from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import Secret, Source


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
    now = clock()
    occasion = Occasion(order=order, at=now, key=key or sending.new_key())
    content = body.read_bytes() if body else senders.sample(chosen, str(sample), occasion)
    signed = senders.sign(
        signing(chosen, key_file),
        content,
        at=now,
        key=occasion.key,
        sample=sample or "",
        base=settings.server.public_url or url or sending.base_url(settings),
    )
    answered = wait_for(sending.post(url or sending.base_url(settings), source, signed))
    click.echo(f"HTTP {answered.status} {answered.text}")
    return 0 if answered.status < 300 else EXIT_NEGATIVE


def signing(source: Source, key_file: Path | None) -> Source:
    """The source with what its sender signs with in the first place."""
    if key_file is None:
        return source
    secrets = (Secret.plain(key_file.read_bytes()), *source.secrets)
    return source.model_copy(update={"secrets": secrets})
