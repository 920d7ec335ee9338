"""The typed settings tree: one frozen model per table of `orderhook.toml`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, SkipValidation, Strict

from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles import LIFECYCLES
from service.domain.routing import PriorityName
from service.settings.destination_table import Destination
from service.settings.keys import encryption_key
from service.settings.lifecycle_tables import LifecycleTable
from service.settings.model import Model
from service.settings.oidc_table import Oidc
from service.settings.secrets import SHOWN, Connection, Secret, connection
from service.settings.source_table import Source
from service.settings.values import (
    Address,
    Directory,
    Duration,
    Expression,
    Listen,
    Name,
    Network,
    Size,
    Url,
    Word,
    between,
    sized,
)


class Server(Model):
    """`[server]`: where this installation listens and keeps its files."""

    public: Listen = Field(
        default=Address("127.0.0.1", 8080),
        description="Address of the listener that senders reach; port 0 picks a free one.",
        examples=["0.0.0.0:8080"],
    )
    internal: Listen = Field(
        default=Address("127.0.0.1", 8081),
        description="Address of health, metrics and the API; keep it off the internet.",
        examples=["127.0.0.1:8081"],
    )
    internal_url: Url | None = Field(
        default=None,
        description="How people reach the internal listener, for links to the console; no path.",
        examples=["https://orderhook.example.com"],
    )
    public_url: Url | None = Field(
        default=None,
        description="How senders reach the public listener from outside, without a path.",
        examples=["https://hooks.example.com"],
    )
    trusted_proxies: Annotated[tuple[Network, ...], Strict(strict=False)] = Field(
        default=(),
        description="Proxies whose X-Forwarded-For is believed.",
        examples=[["10.0.0.0/8"]],
    )
    data_dir: Directory = Field(
        description="Directory of the embedded server's data and of what must survive a restart.",
        examples=["/var/lib/orderhook"],
    )
    sandbox: bool = Field(
        default=False,
        description="Allows plain: secrets and test switches; never in production.",
        examples=[True],
    )
    keys: Annotated[tuple[Secret, ...], Strict(strict=False)] = Field(
        default=(),
        description="Keys that seal requests and access tokens at rest: the first seals, all open.",
        examples=[["env:ORDERHOOK_KEY"]],
    )

    spool: Annotated[Size, sized("0B", "64GiB")] = Field(
        default=256 * 1024 * 1024,
        description=(
            "The most that is kept in data_dir of requests that PostgreSQL cannot take now; 0B: no"
            " spool, such requests are answered with 503."
        ),
        examples=["256MiB"],
    )

    notice: Annotated[Duration, between("0s", "30s")] = Field(
        default=timedelta(0),
        description=(
            "How long a gateway goes on after SIGTERM, not ready any more, so that balancers turn"
            " to others before it closes its port."
        ),
        examples=["10s"],
    )

    two_people: bool = Field(
        default=False,
        description=(
            "Whether bulk work (redrive, discard, replay, refold) waits until another person"
            " approves it."
        ),
        examples=[True],
    )

    @property
    def ring(self) -> tuple[bytes, ...]:
        """The keys themselves, of 32 bytes each."""
        return tuple(filter(None, (encryption_key(key.reveal()) for key in self.keys)))


class Store(Model):
    """`[store]`: the PostgreSQL that holds the truth."""

    url: Annotated[Connection, connection("postgresql", "postgres"), SHOWN] = Field(
        description='The URL of PostgreSQL 15 or newer, or "embedded".',
        examples=["env:DATABASE_URL"],
    )

    @property
    def embedded(self) -> bool:
        return self.url == "embedded"

    @property
    def dsn(self) -> Secret | None:
        return self.url if isinstance(self.url, Secret) else None


class BrokerSettings(Model):
    """`[broker]`: the RabbitMQ that carries pointers to owed work."""

    url: Annotated[Connection, connection("amqp", "amqps"), SHOWN] = Field(
        description='The URL of RabbitMQ, or "embedded" (in-process; only with `run all`).',
        examples=["env:AMQP_URL"],
    )
    prefix: Name = Field(
        default="orderhook",
        description="Names the exchange and the queues, so that installations may share a host.",
        examples=["orderhook-test"],
    )

    @property
    def embedded(self) -> bool:
        return self.url == "embedded"

    @property
    def dsn(self) -> Secret | None:
        return self.url if isinstance(self.url, Secret) else None


class Auth(Model):
    """`[auth]`: whose tokens the internal API takes."""

    jwt_secret: Secret | None = Field(
        default=None,
        description="Key that signs and checks API tokens; without it the API refuses every call.",
        examples=["env:ORDERHOOK_JWT_SECRET"],
    )
    jwks_url: Url | None = Field(
        default=None,
        description="Address of the key set of an identity provider.",
        examples=["https://id.example.com/.well-known/jwks.json"],
    )
    issuer: str = Field(
        default="orderhook",
        min_length=1,
        description="The exact `iss` a token must carry.",
        examples=["orderhook"],
    )
    audience: str = Field(
        default="orderhook",
        min_length=1,
        description="The exact `aud` a token must carry.",
        examples=["orderhook"],
    )
    algorithm: Literal["HS256", "HS384", "HS512"] = Field(
        default="HS256",
        description="The one algorithm a token may be signed with.",
        examples=["HS256"],
    )
    oidc: Oidc | None = Field(
        default=None, description="The identity provider of the people who use the console."
    )


class Route(Model):
    """`[[routes]]`: which changes go where."""

    sources: Annotated[tuple[str, ...], Strict(strict=False)] = Field(
        default=("*",),
        min_length=1,
        description="Names of sources; * stands for any characters, ? for any one.",
        examples=[["*"]],
    )
    events: Annotated[tuple[str, ...], Strict(strict=False)] = Field(
        default=("order.*",),
        min_length=1,
        description='Patterns over "lifecycle.lane.status" and "lifecycle.attributes".',
        examples=[["order.payment.*", "order.delivery.delivered"]],
    )
    destinations: Annotated[tuple[str, ...], Strict(strict=False)] = Field(
        min_length=1, description="Names of destinations.", examples=[["crm"]]
    )
    when: Expression | None = Field(
        default=None,
        description="JMESPath over the folded subject; the route applies while it is true.",
        examples=["attributes.vip"],
    )
    priority: PriorityName = Field(
        default="normal",
        description="What waits for a destination goes out high first, low last.",
        examples=["high"],
    )


class Waiting(Model):
    """`[waiting]`: events whose order is not known yet."""

    deadline: Annotated[Duration, between("1s", "90d")] = Field(
        default=timedelta(days=7),
        description="Waiting this long ends in a dead letter.",
        examples=["7d"],
    )


class Retention(Model):
    """`[retention]`: how long what is settled is kept."""

    requests: Annotated[Duration, between("1d", "3650d")] = Field(
        default=timedelta(days=30), description="Raw requests and settled events.", examples=["30d"]
    )
    keys: Annotated[Duration, between("45d", "3650d")] = Field(
        default=timedelta(days=45),
        description="Dedupe keys: the longest a sender may repeat itself unnoticed.",
        examples=["45d"],
    )


class Sections(Model):
    """The sections that are read as they are written."""

    server: Server = Field(description="Where this installation listens and keeps its files.")
    store: Store = Field(description="The PostgreSQL that holds the truth.")
    broker: BrokerSettings = Field(description="The RabbitMQ that carries pointers to owed work.")
    auth: Auth = Field(default=Auth(), description="Whose tokens the internal API takes.")
    sources: dict[Name, Source] = Field(default={}, description="The configured senders.")
    destinations: dict[Name, Destination] = Field(default={}, description="The configured systems.")
    routes: Annotated[tuple[Route, ...], Strict(strict=False)] = Field(
        default=(), description="Which changes go where."
    )
    waiting: Waiting = Field(default=Waiting(), description="Events whose order is not known yet.")
    retention: Retention = Field(
        default=Retention(), description="How long what is settled is kept."
    )


class Document(Sections):
    """What `orderhook.toml` may hold."""

    lifecycles: dict[Word, LifecycleTable] = Field(
        default={}, description="Lifecycles of your own, and other rules for shipped ones."
    )


class Settings(Sections):
    """The whole of `orderhook.toml`, defaults filled in, secrets resolved."""

    lifecycles: SkipValidation[Mapping[str, Lifecycle]] = Field(
        default=LIFECYCLES,
        repr=False,
        exclude=True,
        description="The shipped lifecycles, and those of the file.",
    )
