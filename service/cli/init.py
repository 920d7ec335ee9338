"""`orderhook init`: a configuration with fresh secrets, or a source proposed from real traffic."""

import base64
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import click
from pydantic_core import PydanticCustomError

from service.app.rules import sealing
from service.cli.context import Context, reading, wait_for
from service.cli.first_destinations import Reached
from service.cli.first_sources import FOLDER, First
from service.domain.errors import ConfigurationError, Conflict
from service.intake.providers import registry
from service.ops import sources
from service.ops.proposing import Offered
from service.settings import Settings, environment, locate
from service.settings.schema import as_toml
from service.settings.secrets import References

BASE = "http://127.0.0.1:8080"
KEY = "server-key"
"""The file of the key that seals what is kept."""

TEMPLATE = """\
# Orderhook. Every key: docs/configuration.md; mistakes: `orderhook check`.
[server]
public = "127.0.0.1:8080"       # senders reach this one, through your TLS proxy
internal = "127.0.0.1:8081"     # health, metrics, API: keep it off the internet
keys = ["file:{folder}/{key}"]  # seals requests and access tokens at rest; keep a copy elsewhere

[store]
url = "embedded"                # or "env:DATABASE_URL" for a PostgreSQL of your own

[broker]
url = "embedded"                # or "env:AMQP_URL" for RabbitMQ; embedded needs `run all`

[auth]
jwt_secret = "file:{folder}/jwt"

"""

USUAL = """\
[sources.shop]                  # any system, by configuration alone
provider = "generic"
secrets = ["file:{folder}/shop"]
key = "id"
subject = {{ ref = "order" }}
occurred_at = "at"
status = "status"
attributes = {{ amount = "amount" }}
[sources.shop.verify]
scheme = "hmac"
header = "X-Signature"
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Timestamp"
[sources.shop.statuses]         # their word -> our lane.status, or "ignore"
AWAITING_PAYMENT = "payment.awaiting_payment"
PAID = "payment.paid"
PICKING = "fulfillment.picking"
PACKED = "fulfillment.packed"
SHIPPED = "fulfillment.shipped"
DELIVERED = "delivery.delivered"

[sources.stripe]
provider = "stripe"
secrets = ["file:{folder}/stripe"]   # put the endpoint's own whsec_… here

"""

DESTINATION = """\
[destinations.crm]              # takes signed callbacks (Standard Webhooks)
crm = "callback"
url = "http://127.0.0.1:9000/callback"
secret = "file:{folder}/crm"

"""

ROUTE = """\
[[routes]]
sources = ["*"]
events = ["order.*"]
destinations = {names}
"""


@click.command(
    help="Write orderhook.toml and fresh secrets beside it, and print what to do next; or print a "
    "source proposed from what was captured of it."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to write; the present directory by default.",
)
@click.option(
    "--source",
    "sources_",
    metavar="NAME=PROVIDER",
    multiple=True,
    help="Begin with this source; may be repeated. `orderhook providers` lists the providers.",
)
@click.option(
    "--destination",
    "destinations_",
    metavar="NAME=KIND",
    multiple=True,
    help="Begin with this destination; may be repeated. `orderhook crms` lists the kinds.",
)
@click.option("--from-capture", metavar="SOURCE", help="Propose the table of this source.")
@click.option("--secret", help="With --from-capture: a reference to the secret, to be tried.")
@click.pass_obj
def init(
    context: Context,
    *,
    directory: Path,
    sources_: tuple[str, ...],
    destinations_: tuple[str, ...],
    from_capture: str | None,
    secret: str | None,
) -> None:
    if from_capture is not None and (sources_ or destinations_):
        raise click.UsageError(
            "--source and --destination begin a configuration, --from-capture adds to one."
        )
    if from_capture is not None:
        settings = context.load()
        offered = offer(context, settings, secret) if secret else None
        click.echo(wait_for(_propose(settings, from_capture, offered)), nl=False)
    elif secret is not None:
        raise click.UsageError("--secret goes together with --from-capture.")
    else:
        firsts = [First.of(each) for each in sources_]
        begin(directory, firsts, [Reached.of(each) for each in destinations_])


async def _propose(settings: Settings, name: str, secret: Offered | None) -> str:
    async with reading(settings) as pool:
        return await sources.proposed(
            pool, settings.sources, name, secret=secret, sealing=sealing(settings)
        )


def offer(context: Context, settings: Settings, reference: str) -> Offered:
    """Take the secret behind a reference, as the configuration would."""
    environ = environment()
    base = locate(context.config, environ).parent
    references = References(environ, base, sandbox=settings.server.sandbox)
    try:
        secret = references.resolve(reference)
    except PydanticCustomError as error:
        remedy = (error.context or {}).get("remedy", "")
        raise ConfigurationError(f"--secret: {error.message()} {remedy}") from None
    # A plain secret is never repeated, not even to whoever typed it.
    plain = reference.startswith("plain:")
    return Offered(secret.reveal(), "" if plain else reference)


def begin(directory: Path, firsts: Sequence[First], reached: Sequence[Reached]) -> None:
    """Write a configuration of these, or of the usual ones; say what each of them needs."""
    _distinct("--source", [each.name for each in firsts])
    _distinct("--destination", [each.name for each in reached])
    head = TEMPLATE.format(folder=FOLDER, key=KEY)
    parts = [head, _sources(firsts), _destinations(reached)]
    _lay(directory, "".join(parts), _secrets(firsts, reached))
    for line in (*_steps(firsts), *(each.steps() for each in reached), _then(directory)):
        click.echo(line)


def _distinct(option: str, names: Sequence[str]) -> None:
    if twice := [name for name in names if names.count(name) > 1]:
        raise ConfigurationError(f"{option} names {twice[0]} twice: give each a name of its own.")


def _sources(firsts: Sequence[First]) -> str:
    if not firsts:
        return USUAL.format(folder=FOLDER)
    return "\n".join(each.table() for each in firsts) + "\n"


def _destinations(reached: Sequence[Reached]) -> str:
    if not reached:
        return DESTINATION.format(folder=FOLDER) + ROUTE.format(names=as_toml(["crm"]))
    names = as_toml([each.name for each in reached])
    return "\n".join(each.table() for each in reached) + "\n" + ROUTE.format(names=names)


def _secrets(firsts: Sequence[First], reached: Sequence[Reached]) -> Mapping[str, str]:
    """Those that can be made up here, by the name of their file."""
    tables = [*(each.made() for each in firsts), *(each.made() for each in reached)]
    made = {name: value for table in tables for name, value in table.items()}
    unused = {"shop", "stripe"} if firsts else set[str]()
    unused |= {"crm"} if reached else set()
    return {name: value for name, value in fresh_secrets().items() if name not in unused} | made


def _steps(firsts: Sequence[First]) -> Iterator[str]:
    yield from (each.steps(BASE) for each in firsts)
    for source, provider in (("shop", "generic"), ("stripe", "stripe")) if not firsts else ():
        lines = registry.preset(provider).setup.strip().splitlines()
        yield f"{source}: POST to {BASE}/webhooks/{source}"
        yield "\n".join(f"  {line}" for line in lines) + "\n"


def _lay(directory: Path, text: str, values: Mapping[str, str]) -> None:
    """Write the file, and secrets beside it; neither over what is there."""
    target, folder = directory / "orderhook.toml", directory / FOLDER
    if target.exists():
        raise Conflict(f"{target} exists already: move it away, or use --directory.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in values.items():
        _write(folder / name, value)
    target.write_text(text)
    click.echo(f"Wrote {target} and secrets in {folder}.\n")


def _then(directory: Path) -> str:
    target = directory / "orderhook.toml"
    return f"Then: orderhook --config {target} check && orderhook --config {target} run all"


def fresh_secrets() -> dict[str, str]:
    """A secret for everything the template names."""
    return {
        KEY: base64.b64encode(secrets.token_bytes(32)).decode(),
        "jwt": secrets.token_urlsafe(48),
        "shop": secrets.token_urlsafe(32),
        "stripe": f"whsec_{secrets.token_hex(24)}",
        "crm": f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}",
    }


def _write(path: Path, value: str) -> None:
    """Never over an existing secret."""
    if not path.exists():
        path.touch(mode=0o600)
        path.write_text(value)
