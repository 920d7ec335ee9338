"""Sets the scene of the demo: an empty directory in, a configuration with fresh secrets out."""

import base64
import secrets
from dataclasses import dataclass
from pathlib import Path

TEMPLATE = """\
# Written by `orderhook demo`: four senders, one CRM that takes signed callbacks.
[server]
public = "127.0.0.1:0"
internal = "127.0.0.1:0"
data_dir = "data"
sandbox = true

[store]
url = "embedded"

[broker]
url = "{broker}"
prefix = "{prefix}"

[auth]
jwt_secret = "file:secrets/jwt"

[sources.shop]                  # signs the body and the time with HMAC
provider = "generic"
durability = "strict"           # the story tells duplicates, which only PostgreSQL can
secrets = ["file:secrets/shop"]
key = "id"
subject = {{ ref = "order.number", aliases = {{ tracking = "order.tracking" }} }}
occurred_at = "at"
status = "state"
attributes = {{ amount = "order.total", customer = "order.customer" }}
[sources.shop.verify]
scheme = "hmac"
header = "X-Signature"
signed = "{{timestamp}}.{{body}}"
timestamp_header = "X-Timestamp"
[sources.shop.statuses]
PLACED = "payment.awaiting_payment"
TRACKED = "facts"               # only tells the tracking number

[sources.stripe]                # signs as Stripe does
provider = "stripe"
durability = "strict"
secrets = ["file:secrets/stripe"]

[sources.wms]                   # a warehouse: bearer token, several events in one request
provider = "generic"
durability = "strict"
verify = {{ scheme = "bearer" }}
secrets = ["file:secrets/wms"]
items = "events[]"
key = "id"
subject = {{ ref = "order" }}
occurred_at = "at"
status = "state"
[sources.wms.statuses]
PICKING = "fulfillment.picking"
PACKED = "fulfillment.packed"
SHIPPED = "fulfillment.shipped"

[sources.courier]               # user name and password; knows parcels, and some order numbers
provider = "generic"
durability = "strict"
verify = {{ scheme = "basic" }}
secrets = ["file:secrets/courier"]
key = "event"
subject = {{ ref = "parcel.order_no", aliases = {{ tracking = "parcel.tracking" }} }}
occurred_at = "time"
status = "code"
attributes = {{ tracking_number = "parcel.tracking" }}
[sources.courier.statuses]
TRANSIT = "delivery.in_transit"
DELIVERED = "delivery.delivered"

[destinations.crm]
crm = "callback"
url = "{crm}/callback"
secret = "file:secrets/crm"

[[routes]]
destinations = ["crm"]
"""


@dataclass(frozen=True, slots=True)
class Stage:
    """The files of one demo."""

    folder: Path
    crm_secret: str

    @property
    def configuration(self) -> Path:
        return self.folder / "orderhook.toml"

    @property
    def service_log(self) -> Path:
        return self.folder / "service.log"


def prepare(folder: Path) -> Stage:
    """Make the secrets; nothing else needs to be known yet."""
    crm_secret = f"whsec_{base64.b64encode(secrets.token_bytes(32)).decode()}"
    values = {
        "jwt": secrets.token_urlsafe(48),
        "shop": secrets.token_urlsafe(32),
        "stripe": f"whsec_{secrets.token_hex(24)}",
        "wms": secrets.token_urlsafe(32),
        "courier": f"courier:{secrets.token_urlsafe(24)}",
        "crm": crm_secret,
    }
    (folder / "secrets").mkdir(mode=0o700)
    for name, value in values.items():
        path = folder / "secrets" / name
        path.touch(mode=0o600)
        path.write_text(value)
    return Stage(folder, crm_secret)


def configure(stage: Stage, *, crm: str, rabbitmq: bool) -> None:
    """Write orderhook.toml for a CRM that listens at a URL."""
    text = TEMPLATE.format(
        broker="env:AMQP_URL" if rabbitmq else "embedded",
        prefix="orderhook-demo",
        crm=crm,
    )
    stage.configuration.write_text(text)
