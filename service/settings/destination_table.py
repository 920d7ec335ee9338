"""The table of a destination: one frozen model for each part of it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field, JsonValue

from service.settings.model import Model
from service.settings.secrets import Secret
from service.settings.values import (
    Duration,
    Name,
    OptionalUrl,
    between,
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
