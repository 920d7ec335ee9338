"""`[auth.oidc]`: the identity provider that people sign in to the console with."""

from typing import Annotated

from pydantic import Field, Strict

from service.settings.model import Model
from service.settings.secrets import Secret
from service.settings.values import Url

Names = Annotated[tuple[str, ...], Strict(strict=False)]


class Roles(Model):
    """`[auth.oidc.roles]`: who may do what; `*` is everybody whom the provider lets in."""

    viewer: Names = Field(
        default=(), description="Values of the claim that make a viewer.", examples=[["*"]]
    )
    operator: Names = Field(
        default=(), description="Values of the claim that make an operator.", examples=[["support"]]
    )
    admin: Names = Field(
        default=(), description="Values of the claim that make an admin.", examples=[["platform"]]
    )


class Oidc(Model):
    """`[auth.oidc]`: OpenID Connect, authorization code with PKCE."""

    issuer: Url = Field(
        description="The provider's issuer, exactly as its discovery document says it.",
        examples=["https://id.example.com/realms/company"],
    )
    client_id: str = Field(
        min_length=1, description="What the provider calls this console.", examples=["orderhook"]
    )
    client_secret: Secret | None = Field(
        default=None,
        description="The client's secret; none for a public client.",
        examples=["env:OIDC_CLIENT_SECRET"],
    )
    scopes: Names = Field(
        default=("openid", "email", "profile"),
        description="What is asked for; openid must be among it.",
        examples=[["openid", "email", "groups"]],
    )
    person: str = Field(
        default="email",
        min_length=1,
        description="The claim that names a person in the audit trail.",
        examples=["preferred_username"],
    )
    claim: str = Field(
        default="groups",
        min_length=1,
        description="The claim whose value, or list of values, decides the role.",
        examples=["roles"],
    )
    roles: Roles = Field(
        default=Roles(),
        description="Which of its values make which role; the highest counts.",
    )
