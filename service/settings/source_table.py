"""The table of a source: one frozen model for each part of it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, JsonValue, Strict

from service.domain.masking import USUAL
from service.settings.model import Model
from service.settings.secrets import Secret
from service.settings.source_rules import (
    AnswerRule,
    HandshakeRule,
    VerifyRule,
)
from service.settings.values import (
    Duration,
    Expression,
    Key,
    Name,
    Network,
    Normalizer,
    OptionalExpression,
    OptionalUrl,
    Silence,
    Size,
    TimeFormat,
    Zone,
    between,
    sized,
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
    concurrency: int = Field(
        default=1000,
        ge=1,
        le=10_000,
        description="Requests judged and stored at the same time; more are 503.",
        examples=[200],
    )
    chunked: bool = Field(
        default=False,
        description="Takes bodies without a length as well, for senders that know no other way.",
        examples=[True],
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
    mask: Annotated[tuple[str, ...], Strict(strict=False)] = Field(
        default=USUAL,
        max_length=200,
        description=(
            "Fields of bodies, and attributes, that are hidden wherever they are shown: a name"
            " alone, or its path from the top, * for any step; what is stored stays whole."
        ),
        examples=[["email", "customer.name", "attributes.phone"]],
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
