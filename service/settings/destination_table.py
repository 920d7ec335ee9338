"""The table of a destination: one frozen model for each part of it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from service.settings.destination_rules import (
    Fields,
    JwtRule,
    LimitRule,
    OAuthRule,
    ObjectRule,
    RetryRule,
)
from service.settings.model import Model
from service.settings.rest_table import RestRule
from service.settings.secrets import Secret
from service.settings.values import (
    Duration,
    Name,
    OptionalUrl,
    between,
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
    jwt: JwtRule | None = Field(
        default=None, description="Signs a short-lived bearer token into each callback."
    )
    shadow: bool = Field(
        default=False,
        description="Reads, works out every write, and makes none.",
        examples=[True],
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
        examples=["respect"],
    )
    reconcile: Annotated[Duration, between("1h", "30d")] | None = Field(
        default=None,
        description="How often it is read back and what drifted is repaired; never if unset.",
        examples=["1d"],
    )
    retry: RetryRule = Field(default=RetryRule(), description="How long it is tried.")
    statuses: dict[str, str] = Field(
        default={}, description="Our overall status, their stage.", examples=[{"paid": "closedwon"}]
    )
    attributes: Fields = Field(
        default={},
        description="Our attribute, their field; a table also says how it is written.",
        examples=[{"tracking_url": "UF_CRM_TRACK"}],
    )
    objects: dict[str, ObjectRule] = Field(
        default={},
        description="Lifecycles, and which objects of the CRM they are.",
        examples=[{"ticket": {"object": "tickets", "key_field": "no", "status_field": "stage"}}],
    )
    oauth: OAuthRule | None = Field(
        default=None, description="How an access token is come by, instead of token."
    )
    options: dict[str, JsonValue] = Field(
        default={},
        description="Options of this kind of system; `orderhook crms NAME` lists them.",
        examples=[{"category": 3}],
    )
    limits: dict[str, LimitRule] = Field(
        default={},
        description="Quotas of this account; the vendor's usual ones when left out.",
        examples=[{"requests": {"count": 50, "period": "1s", "burst": 250}}],
    )
    notes: bool = Field(
        default=False,
        description="Whether each change of status leaves an entry in the record's time line.",
        examples=[True],
    )
    rest: RestRule | None = Field(
        default=None, description='How a REST CRM is asked, for `crm = "rest"`.'
    )
