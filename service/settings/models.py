"""The typed settings tree: one frozen model per table of `orderhook.toml`."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, JsonValue, SkipValidation, Strict

from service.domain.lifecycle import Lifecycle
from service.domain.lifecycles import LIFECYCLES
from service.domain.routing import PriorityName
from service.settings.lifecycle_tables import LifecycleTable
from service.settings.model import Model
from service.settings.secrets import Connection, Secret, connection
from service.settings.values import (
    Address,
    Directory,
    Duration,
    Expression,
    Header,
    Key,
    Listen,
    MediaType,
    Name,
    Network,
    Normalizer,
    OptionalExpression,
    OptionalUrl,
    Parameter,
    Silence,
    Size,
    TimeFormat,
    Url,
    Word,
    Zone,
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
        description="Keys of encryption at rest: the first encrypts, all decrypt.",
        examples=[["env:ORDERHOOK_KEY"]],
    )


class Store(Model):
    """`[store]`: the PostgreSQL that holds the truth."""

    url: Annotated[Connection, connection("postgresql", "postgres")] = Field(
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

    url: Annotated[Connection, connection("amqp", "amqps")] = Field(
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


class SubjectRule(Model):
    """How a source tells which order an event is about."""

    lifecycle: str = Field(
        default="order", description="The set of lanes the events move.", examples=["order"]
    )
    ref: Expression | None = Field(
        default=None,
        description="JMESPath to the order number; without it, where the provider usually has it.",
        examples=["data.object.metadata.order_no"],
    )
    scope: OptionalExpression = Field(
        default="",
        description="JMESPath to what tells equal order numbers apart; 'quoted' text is fixed.",
        examples=["'shop-eu'"],
    )
    aliases: dict[str, Expression] = Field(
        default={},
        description="Other names of the order, by type: JMESPath to each.",
        examples=[{"tracking:cdek": "tracking"}],
    )
    parcel: Expression | None = Field(
        default=None,
        description="JMESPath to the parcel's own number, where an order may go in several.",
        examples=["shipment.id"],
    )
    returns: Expression | None = Field(
        default=None,
        description="JMESPath to what says that the parcel goes back to the merchant.",
        examples=["direction == 'return'"],
    )
    normalize: Annotated[tuple[Normalizer, ...], Strict(strict=False)] = Field(
        default=(),
        description="Steps applied to the order number in this sequence.",
        examples=[["trim", "strip_prefix:#", "upper"]],
    )


class MoneyRule(Model):
    """`[[sources.NAME.money]]`: where a mapped source tells of money that moved."""

    kind: Literal["paid", "refunded", "charged_back"] = Field(
        description="What became of the money."
    )
    amount: Expression = Field(
        description="JMESPath to the amount; nothing there is no money.", examples=["refund.amount"]
    )
    currency: Expression | None = Field(
        default=None,
        description="JMESPath to its currency; 'quoted' text is fixed.",
        examples=["'EUR'"],
    )
    id: Expression | None = Field(
        default=None,
        description="JMESPath to the id of the payment or refund; without it, a running total.",
        examples=["refund.id"],
    )
    spelling: Literal["major", "minor", "hundredths"] = Field(
        default="major",
        description="How 12.50 is written: major 12.50, minor 1250 by its currency, or by 100.",
        examples=["minor"],
    )


class HmacRule(Model):
    """`verify = { scheme = "hmac", … }`: a keyed hash over the body."""

    scheme: Literal["hmac"] = Field(default="hmac", description="A keyed hash in a header.")
    algorithm: Literal["sha256", "sha512", "sha1"] = Field(
        default="sha256", description="The hash the sender uses.", examples=["sha256"]
    )
    header: Header = Field(
        description="The header that carries the signature.", examples=["X-Signature"]
    )
    encoding: Literal["hex", "base64"] = Field(
        default="hex", description="How the signature is written.", examples=["base64"]
    )
    signed: str = Field(
        default="{body}",
        description="What is signed; {body}, {timestamp} and {id} stand for what was sent.",
        examples=["{timestamp}.{body}"],
    )
    timestamp_header: Header | None = Field(
        default=None,
        description="The header with the time of signing, in unix seconds or milliseconds.",
        examples=["X-Timestamp"],
    )
    id_header: Header | None = Field(
        default=None,
        description="The header with the id that is signed along.",
        examples=["X-Event-Id"],
    )
    prefix: str = Field(
        default="", description="Text before the signature in its header.", examples=["sha256="]
    )


class BearerRule(Model):
    """`verify = { scheme = "bearer" }`: `Authorization: Bearer SECRET`."""

    scheme: Literal["bearer"] = Field(default="bearer", description="The secret as a bearer token.")


class BasicRule(Model):
    """`verify = { scheme = "basic" }`: HTTP basic authentication; secrets are `user:password`."""

    scheme: Literal["basic"] = Field(default="basic", description="The secret as user:password.")


class HeaderRule(Model):
    """`verify = { scheme = "header", … }`: the secret in a header of the sender's choice."""

    scheme: Literal["header"] = Field(default="header", description="The secret in a header.")
    header: Header = Field(description="The header that carries it.", examples=["X-Api-Key"])
    prefix: str = Field(
        default="", description="Text before the secret in its header.", examples=["Token "]
    )


class QueryRule(Model):
    """`verify = { scheme = "query", … }`: the secret in the query string."""

    scheme: Literal["query"] = Field(default="query", description="The secret in the query string.")
    parameter: Parameter = Field(description="The parameter that carries it.", examples=["token"])


class UrlTokenRule(Model):
    """`verify = { scheme = "url_token" }`: the secret as the tail of the path."""

    scheme: Literal["url_token"] = Field(
        default="url_token", description="The secret as the tail of the path."
    )


SharedRule = BearerRule | BasicRule | HeaderRule | QueryRule | UrlTokenRule
VerifyRule = Annotated[HmacRule | SharedRule, Field(discriminator="scheme")]


class EchoRule(Model):
    """`handshake = { kind = "echo", … }`: gives back a parameter of the query string."""

    kind: Literal["echo"] = Field(
        default="echo", description="Gives back a parameter of the query string."
    )
    parameter: Parameter = Field(
        description="The parameter given back, as plain text.", examples=["challenge"]
    )


class TextRule(Model):
    """`handshake = { kind = "text", … }`: answers GET with a fixed text."""

    kind: Literal["text"] = Field(default="text", description="Answers GET with a fixed text.")
    body: str = Field(max_length=1024, description="The text.", examples=["token-of-the-portal"])


class JsonEchoRule(Model):
    """`handshake = { kind = "json", … }`: gives back a value of a posted JSON body."""

    kind: Literal["json"] = Field(
        default="json", description="Gives back a value of a posted JSON body."
    )
    challenge: Expression = Field(
        description="JMESPath to the text given back; a webhook must hold nothing there.",
        examples=["type == 'url_verification' && challenge"],
    )
    answer: str = Field(
        default="challenge",
        min_length=1,
        max_length=64,
        description="The key of the JSON object it is given back in.",
        examples=["validationResponse"],
    )


class OriginRule(Model):
    """`handshake = { kind = "cloudevents" }`: grants WebHook-Request-Origin of an OPTIONS."""

    kind: Literal["cloudevents"] = Field(
        default="cloudevents", description="Grants the WebHook-Request-Origin of an OPTIONS."
    )


HandshakeRule = Annotated[
    EchoRule | TextRule | JsonEchoRule | OriginRule, Field(discriminator="kind")
]


class AnswerRule(Model):
    """`answer = { … }`: what the sender must read when its request was accepted."""

    status: int = Field(
        default=200, ge=200, le=299, description="The status of the answer.", examples=[200]
    )
    body: str = Field(default="", max_length=1024, description="The whole body.", examples=["*ok*"])
    content_type: MediaType = Field(
        default="text/plain", description="The kind of the body.", examples=["application/json"]
    )


class Source(Model):
    """`[sources.NAME]`: one configured sender."""

    name: Name = Field(description="The table's own name.")
    provider: str = Field(
        description="The kind of sender; `orderhook providers` lists them.", examples=["stripe"]
    )
    mode: Literal["live", "capture"] = Field(
        default="live",
        description="capture: requests are kept unverified, to be looked at; sandbox only.",
        examples=["live"],
    )
    secrets: Annotated[tuple[Secret, ...], Strict(strict=False)] = Field(
        default=(),
        max_length=8,
        description="What the sender signs with; several while a secret is being changed.",
        examples=[["env:STRIPE_SECRET", "env:STRIPE_SECRET_OLD"]],
    )
    subject: SubjectRule = Field(
        default=SubjectRule(), description="How to tell which order an event is about."
    )
    options: dict[str, JsonValue] = Field(
        default={}, description="Options that the provider declares.", examples=[{}]
    )
    durability: Literal["auto", "strict"] = Field(
        default="auto",
        description="strict: only a PostgreSQL commit is an answer; auto: a spool may be one.",
        examples=["strict"],
    )
    max_body: Annotated[Size, sized("1KiB", "16MiB")] = Field(
        default=256 * 1024, description="The largest body taken; more is 413.", examples=["1MiB"]
    )
    tolerance: Annotated[Duration, between("1s", "1d")] = Field(
        default=timedelta(seconds=300),
        description="How far a signature's time may lie from ours.",
        examples=["300s"],
    )
    timezone: Zone = Field(
        default="UTC",
        description="Zone of event times that carry none.",
        examples=["Europe/Berlin"],
    )
    max_future: Annotated[Duration, between("0s", "1d")] = Field(
        default=timedelta(minutes=10),
        description="An event time further ahead than this counts as unknown.",
        examples=["10m"],
    )
    rate: int = Field(
        default=0,
        ge=0,
        le=100_000,
        description="Requests per second taken; 0 is no limit.",
        examples=[50],
    )
    allow_from: Annotated[tuple[Network, ...], Strict(strict=False)] = Field(
        default=(),
        description="Networks the sender may post from; empty is anywhere.",
        examples=[["192.0.2.0/24"]],
    )
    url_token: Secret | None = Field(
        default=None,
        description="Secret tail of the URL, for senders that cannot sign.",
        examples=["env:WMS_URL_TOKEN"],
    )
    token: Secret | None = Field(
        default=None,
        description="What we show the sender's own API and its key server.",
        examples=["env:WMS_API_TOKEN"],
    )
    api: OptionalUrl = Field(
        default="",
        description="Where the sender's own API is, if not where its provider says.",
        examples=["https://api.wms.example.com"],
    )
    silence: Silence = Field(
        default="auto",
        description="Hearing nothing for so long is an alarm; auto: what its rhythm says.",
        examples=["2h"],
    )
    verify: VerifyRule | None = Field(
        default=None,
        description="How a generic source proves that it sent the request.",
        examples=[{"scheme": "hmac", "header": "X-Signature"}],
    )
    handshake: HandshakeRule | None = Field(
        default=None,
        description="How a generic source tests the address, and what it must be told.",
        examples=[{"kind": "echo", "parameter": "challenge"}],
    )
    answer: AnswerRule | None = Field(
        default=None,
        description="What a generic source must read; without it 202 and the counts.",
        examples=[{"status": 200, "body": "OK"}],
    )
    format: Literal["json", "xml", "form", "csv", "cloudevents"] = Field(
        default="json", description="How the body is written.", examples=["json"]
    )
    items: Expression | None = Field(
        default=None,
        description="JMESPath to the list of events when one request carries several.",
        examples=["events[]"],
    )
    key: Key | None = Field(
        default=None,
        description='JMESPath to the event\'s own id, or "header:NAME"; without it, its content.',
        examples=["id"],
    )
    occurred_at: Expression | None = Field(
        default=None, description="JMESPath to the time it happened.", examples=["at"]
    )
    time_formats: Annotated[tuple[TimeFormat, ...], Strict(strict=False)] = Field(
        default=("auto",),
        min_length=1,
        max_length=8,
        description='"auto", "iso", "unix", "unix_ms" or strptime patterns; the first that fits.',
        examples=[["iso", "%d.%m.%Y %H:%M"]],
    )
    status: Expression | None = Field(
        default=None,
        description="JMESPath to the sender's word for the status.",
        examples=["state"],
    )
    attributes: dict[str, Expression] = Field(
        default={},
        description="Values to carry along: our name, JMESPath to theirs.",
        examples=[{"amount": "total"}],
    )
    statuses: dict[str, str] = Field(
        default={},
        description='The sender\'s word and our "lane.status", "facts" or "ignore".',
        examples=[{"PICKING": "fulfillment.picking"}],
    )
    revokes: Expression | None = Field(
        default=None,
        description="JMESPath to the key of an earlier event that is taken back.",
        examples=["replaces"],
    )
    money: Annotated[tuple[MoneyRule, ...], Strict(strict=False)] = Field(
        default=(),
        max_length=8,
        description="Where it tells of money that moved.",
        examples=[[{"kind": "refunded", "amount": "refund.amount", "id": "refund.id"}]],
    )


class RetryRule(Model):
    """How long a destination is tried before a person must look."""

    first: Annotated[Duration, between("100ms", "1h")] = Field(
        default=timedelta(seconds=5),
        description="Longest pause after the first failure.",
        examples=["5s"],
    )
    max: Annotated[Duration, between("1s", "1d")] = Field(
        default=timedelta(hours=1), description="Longest pause of all.", examples=["1h"]
    )
    max_attempts: int = Field(
        default=50, ge=1, le=10_000, description="Attempts before a dead letter.", examples=[50]
    )
    max_age: Annotated[Duration, between("1s", "90d")] = Field(
        default=timedelta(days=7),
        description="Failing this long ends in a dead letter.",
        examples=["7d"],
    )


class Destination(Model):
    """`[destinations.NAME]`: one configured CRM, or another system that takes callbacks."""

    name: Name = Field(description="The table's own name.")
    crm: str = Field(
        description="The kind of system; `orderhook crms` lists them.", examples=["callback"]
    )
    url: OptionalUrl = Field(
        default="",
        description="Where it takes calls.",
        examples=["https://crm.example.com/orderhook"],
    )
    secret: Secret | None = Field(
        default=None,
        description="What callbacks are signed with: whsec_ and 24 to 64 bytes in base64.",
        examples=["env:CRM_CALLBACK_SECRET"],
    )
    token: Secret | None = Field(
        default=None,
        description="Access token of the CRM's own API.",
        examples=["env:HUBSPOT_TOKEN"],
    )
    jwt: dict[str, JsonValue] | None = Field(
        default=None,
        repr=False,
        description="Signs a bearer token into each callback.",
        examples=[{"key": "file:/run/secrets/jwt", "algorithm": "ES256", "audience": "crm"}],
    )
    shadow: bool = Field(
        default=False, description="Works out every call and makes none.", examples=[False]
    )
    window: int = Field(
        default=2000,
        ge=1,
        le=100_000,
        description="Syncs leased by one worker at a time, at most.",
        examples=[2000],
    )
    concurrency: int = Field(
        default=16,
        ge=1,
        le=256,
        description="Calls in flight from one worker, at most.",
        examples=[16],
    )
    timeout: Annotated[Duration, between("100ms", "2m")] = Field(
        default=timedelta(seconds=10),
        description="One call ends after this, answered or not.",
        examples=["10s"],
    )
    on_missing: Literal["wait", "create", "dead_letter"] = Field(
        default="wait", description="What to do when it does not know the order.", examples=["wait"]
    )
    conflict: Literal["overwrite", "respect"] = Field(
        default="overwrite",
        description="Whether a change made by a person there gives way to ours.",
        examples=["overwrite"],
    )
    retry: RetryRule = Field(default=RetryRule(), description="How long it is tried.")
    statuses: dict[str, str] = Field(
        default={}, description="Our overall status, their stage.", examples=[{"paid": "closedwon"}]
    )
    attributes: dict[str, str] = Field(
        default={},
        description="Our attribute, their field.",
        examples=[{"tracking_url": "UF_CRM_TRACK"}],
    )
    objects: dict[str, JsonValue] = Field(
        default={}, description="Other lifecycles, other objects of the CRM.", examples=[{}]
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
        description="The shipped lifecycles, and those of the file.",
    )
