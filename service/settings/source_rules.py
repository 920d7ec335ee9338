"""How a source proves itself, tests the address and is answered: one frozen model for each way."""

from typing import Annotated, Literal

from pydantic import Field

from service.settings.model import Model
from service.settings.values import (
    Expression,
    Header,
    MediaType,
    Parameter,
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
