"""How a destination is retried, signed in to, spoken to and spared: a frozen model for each."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Discriminator, Field, Tag

from service.settings.model import Model
from service.settings.secrets import Secret
from service.settings.values import Duration, OptionalUrl, between


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


Algorithm = Literal[
    "ES256",
    "ES384",
    "ES512",
    "RS256",
    "RS384",
    "RS512",
    "PS256",
    "PS384",
    "PS512",
    "EdDSA",
    "HS256",
    "HS384",
    "HS512",
]


class JwtRule(Model):
    """`jwt = {…}`: a short-lived bearer token that is signed into each callback."""

    key: Secret = Field(
        description="What signs: a private key in PEM, or for HS… a secret of that many bits.",
        examples=["env:CALLBACK_JWT_KEY"],
    )
    algorithm: Algorithm = Field(
        default="ES256", description="How it is signed.", examples=["ES256"]
    )
    audience: str = Field(
        min_length=1, description="The `aud` the receiver looks for.", examples=["wms"]
    )
    issuer: str = Field(
        default="orderhook",
        min_length=1,
        description="The `iss` the receiver looks for.",
        examples=["orderhook"],
    )
    ttl: Annotated[Duration, between("10s", "15m")] = Field(
        default=timedelta(minutes=1),
        description="So long after the call began it is good.",
        examples=["1m"],
    )


class FieldRule(Model):
    """A field of theirs, and how its value is written."""

    field: str = Field(
        min_length=1, description="Their name of the field.", examples=["UF_CRM_TRACK"]
    )
    type: Literal["text", "number", "bool"] = Field(
        default="text",
        description="What it takes: text, a number, or a yes or no.",
        examples=["number"],
    )


def _form(value: object) -> str:
    return "text" if isinstance(value, str) else "table"


FieldName = Annotated[str, Field(min_length=1), Tag("text")] | Annotated[FieldRule, Tag("table")]
Fields = dict[str, Annotated[FieldName, Discriminator(_form)]]
"""Our attribute → their field."""


class ObjectRule(Model):
    """`[destinations.NAME.objects.LIFECYCLE]`: which object of the CRM a lifecycle is."""

    object: str | None = Field(
        default=None,
        description="Their kind of record; of orders, the usual one when left out.",
        examples=["tickets"],
    )
    key_field: str | None = Field(
        default=None,
        description="Their field that holds the merchant's number.",
        examples=["order_no"],
    )
    status_field: str | None = Field(
        default=None, description="Their field that holds the stage.", examples=["stage"]
    )
    key: str = Field(
        default="{ref}",
        description="How the number is written there, of {ref}, {scope} and {lifecycle}.",
        examples=["{scope}-{ref}"],
    )
    statuses: dict[str, str] | None = Field(
        default=None,
        description="Our overall status, their stage; those of the destination when left out.",
        examples=[{"open": "1"}],
    )
    attributes: Fields | None = Field(
        default=None,
        description="Our attribute, their field; those of the destination when left out.",
        examples=[{"subject": "TITLE"}],
    )


class OAuthRule(Model):
    """`oauth = {…}` of a destination: how an access token is come by."""

    grant: Literal["refresh_token", "client_credentials", "jwt_bearer"] = Field(
        description="What is shown for a token.", examples=["refresh_token"]
    )
    url: OptionalUrl = Field(
        default="",
        description="Where tokens are asked for; the vendor's own address when left out.",
        examples=["https://shop.amocrm.ru/oauth2/access_token"],
    )
    client_id: str = Field(default="", description="The id of our app there.", examples=["3f2a"])
    client_secret: Secret | None = Field(
        default=None, description="The secret of our app there.", examples=["env:CRM_APP_SECRET"]
    )
    refresh_token: Secret | None = Field(
        default=None,
        description="The first refresh token; those that follow are kept sealed in the database.",
        examples=["env:CRM_REFRESH_TOKEN"],
    )
    key: Secret | None = Field(
        default=None,
        description="The RSA private key (PEM) that signs a JWT.",
        examples=["env:CRM_APP_KEY"],
    )
    subject: str = Field(
        default="",
        description="The user on whose behalf a JWT asks.",
        examples=["gateway@example.com"],
    )
    audience: str = Field(
        default="",
        description="Whom a JWT is for; the token address when left out.",
        examples=["https://login.salesforce.com"],
    )
    scope: str = Field(
        default="",
        description="The rights asked for, with spaces between.",
        examples=["crm.objects.deals.write"],
    )
    extra: dict[str, str] = Field(
        default={},
        description="Further fields that the vendor wants when a token is asked for.",
        examples=[{"redirect_uri": "https://shop.example.com/oauth"}],
    )


class LimitRule(Model):
    """`[destinations.NAME.limits.LIMIT]`: a quota of this account, instead of the usual one."""

    count: float = Field(gt=0, description="So much in each period.", examples=[5])
    period: Annotated[Duration, between("1s", "1d")] = Field(
        default=timedelta(seconds=1), description="The period.", examples=["1s"]
    )
    burst: float = Field(default=1, ge=1, description="So much at once.", examples=[250])
