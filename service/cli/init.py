"""`orderhook init`: writes a configuration with fresh secrets, and says what each sender needs."""

import base64
import secrets
from pathlib import Path

import click

from service.domain.errors import Conflict
from service.intake.providers import registry

TEMPLATE = """\
# Orderhook. Every key: docs/configuration.md; mistakes: `orderhook check`.
[server]
public = "127.0.0.1:8080"       # senders reach this one, through your TLS proxy
internal = "127.0.0.1:8081"     # health, metrics, API: keep it off the internet

[store]
url = "embedded"                # or "env:DATABASE_URL" for a PostgreSQL of your own

[broker]
url = "embedded"                # or "env:AMQP_URL" for RabbitMQ; embedded needs `run all`

[auth]
jwt_secret = "file:{folder}/jwt"

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

[destinations.crm]              # takes signed callbacks (Standard Webhooks)
crm = "callback"
url = "http://127.0.0.1:9000/callback"
secret = "file:{folder}/crm"

[[routes]]
sources = ["*"]
events = ["order.*"]
destinations = ["crm"]
"""


@click.command(help="Write orderhook.toml and fresh secrets beside it, and print what to do next.")
@click.option(
    "--directory",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="Where to write; the present directory by default.",
)
def init(*, directory: Path) -> None:
    target, folder = directory / "orderhook.toml", directory / "secrets"
    if target.exists():
        raise Conflict(f"{target} exists already: move it away, or use --directory.")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name, value in fresh_secrets().items():
        _write(folder / name, value)
    target.write_text(TEMPLATE.format(folder="secrets"))
    click.echo(f"Wrote {target} and secrets in {folder}.\n")
    for source, provider in (("shop", "generic"), ("stripe", "stripe")):
        preset = registry.preset(provider)
        click.echo(f"{source}: POST to http://127.0.0.1:8080/webhooks/{source}")
        click.echo("\n".join(f"  {line}" for line in preset.setup.strip().splitlines()) + "\n")
    click.echo(f"Then: orderhook --config {target} check && orderhook --config {target} run all")


def fresh_secrets() -> dict[str, str]:
    """A secret for everything the template names."""
    return {
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
