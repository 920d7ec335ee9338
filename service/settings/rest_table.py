"""`[destinations.NAME.rest]`: how any REST CRM is asked, one frozen model for each kind of call."""

import re
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, JsonValue, Strict

from service.settings.model import Model
from service.settings.problems import refusal
from service.settings.values import Expression, Header, Key, OptionalExpression

Encoding = Literal["json", "form", "form-json"]
Method = Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
MAX_PATTERN = 200


def check_pattern(value: str) -> str:
    try:
        re.compile(value)
        sound = len(value) <= MAX_PATTERN
    except (re.error, RecursionError, OverflowError):
        sound = False
    if not sound:
        raise refusal(
            f"The pattern {value[:80]!r} is no regular expression of at most 200 characters.",
            "Mend it; a backslash before a sign takes the sign for itself.",
        )
    return value


def one_or_more(value: object) -> object:
    """A single table stands for a list of one."""
    return [value] if isinstance(value, dict) else value


Pattern = Annotated[str, AfterValidator(check_pattern)]
OptionalKey = Key | Literal[""]


class RestAuth(Model):
    """`auth = {…}`: what a call shows to be let in."""

    scheme: Literal["bearer", "header", "basic", "hmac", "none"] = Field(
        default="bearer",
        description="`token` as bearer, in a header, as user:password, or `secret` as HMAC key.",
        examples=["header"],
    )
    header: Header | None = Field(
        default=None, description="The header of `header` and `hmac`.", examples=["X-Api-Key"]
    )
    prefix: str = Field(
        default="", description="Text before the value in that header.", examples=["sha256="]
    )
    algorithm: Literal["sha256", "sha512", "sha1"] = Field(
        default="sha256", description="The hash of `hmac`.", examples=["sha256"]
    )
    encoding: Literal["hex", "base64"] = Field(
        default="hex", description="How the signature of `hmac` is written.", examples=["base64"]
    )
    signed: str = Field(
        default="{body}",
        description="What `hmac` signs, of {body}, {timestamp}, {method} and {path}.",
        examples=["{timestamp}.{body}"],
    )
    timestamp_header: Header | None = Field(
        default=None,
        description="The header that carries {timestamp}, in Unix seconds.",
        examples=["X-Timestamp"],
    )


class RestRecord(Model):
    """`record = {…}`: JMESPath into one record of theirs."""

    id: Expression = Field(default="id", description="Its id.", examples=["id"])
    key: OptionalExpression = Field(
        default="",
        description="The merchant's number it carries; `key_field` when left out.",
        examples=["number"],
    )
    status: OptionalExpression = Field(
        default="", description="Its status; `status_field` when left out.", examples=["stage.code"]
    )
    fields: dict[str, Expression] = Field(
        default={},
        description="Their fields that are not at the top of a record.",
        examples=[{"track": "custom.track"}],
    )
    token: OptionalKey = Field(
        default="",
        description="What a conditional write shows, or `header:ETag` of a read.",
        examples=["version"],
    )
    modified: OptionalExpression = Field(
        default="", description="When it changed last.", examples=["updated_at"]
    )
    author: OptionalExpression = Field(
        default="", description="Who changed it last.", examples=["updated_by.id"]
    )
    us: str = Field(default="", description="What `author` is when we did.", examples=["42"])


class RestCall(Model):
    """What every call has."""

    path: str = Field(
        min_length=1, description="Behind `url`; a template.", examples=["/orders/{id}"]
    )
    query: dict[str, JsonValue] = Field(
        default={},
        description="Templates of parameters; a list repeats one.",
        examples=[{"number": "{key}"}],
    )
    headers: dict[Header, str] = Field(
        default={},
        description="Templates of headers; one without a value is left out.",
        examples=[{"If-Match": "{token}"}],
    )
    body: JsonValue = Field(
        default=None,
        description="A structure whose texts are templates.",
        examples=[{"stage": "{status}"}],
    )
    encoding: Encoding = Field(
        default="json", description="How the body is written.", examples=["form"]
    )
    expects: OptionalExpression = Field(
        default="",
        description="JMESPath that must hold in a good answer; else nobody knows what was done.",
        examples=["id"],
    )


class RestFind(RestCall):
    """`find = {…}`: the records that carry a merchant's number."""

    method: Method = Field(default="GET", description="The method.", examples=["GET"])
    records: Expression = Field(
        default="@", description="JMESPath to the list of records.", examples=["items"]
    )


class RestRead(RestCall):
    """`read = {…}`: one record by its id."""

    method: Method = Field(default="GET", description="The method.", examples=["GET"])
    record: Expression = Field(
        default="@", description="JMESPath to the record.", examples=["data"]
    )


class RestWrite(RestCall):
    """`write = {…}` or `[[write]]`: a step of a write."""

    method: Method = Field(default="PATCH", description="The method.", examples=["PUT"])
    body: JsonValue = Field(
        default="{record}",
        description="A structure whose texts are templates; {record} is status and fields.",
        examples=[{"stage": "{status}"}],
    )
    record: Expression = Field(
        default="@", description="JMESPath to the record in the answer.", examples=["data"]
    )
    when: Literal["always", "status", "fields"] = Field(
        default="always",
        description="Left out when there is no such thing to write.",
        examples=["status"],
    )
    actions: dict[str, str] = Field(
        default={},
        description="Their status, and what {action} is for it.",
        examples=[{"cancelled": "cancel"}],
    )
    unless_shown: bool = Field(
        default=False,
        description="Reads the record first, and leaves out a status it shows already.",
        examples=[True],
    )


class RestCreate(RestCall):
    """`create = {…}`: a new record, with `on_missing = "create"`."""

    method: Method = Field(default="POST", description="The method.", examples=["POST"])
    body: JsonValue = Field(
        default="{record}",
        description="As in `write`; {record} holds the merchant's number as well.",
        examples=[{"number": "{key}", "stage": "{status}"}],
    )
    record: Expression = Field(
        default="@", description="JMESPath to the record in the answer.", examples=["data"]
    )
    then_write: bool = Field(
        default=False, description="Whether the steps of `write` follow.", examples=[True]
    )


class RestNote(RestCall):
    """`note = {…}`: an entry in a record's time line, with `notes = true`."""

    method: Method = Field(default="POST", description="The method.", examples=["POST"])


class RestPaging(Model):
    """`paging = {…}`: how the next page of a feed is asked for."""

    by: Literal["page", "offset", "cursor", "last_id", "link"] = Field(
        default="page",
        description="What {cursor} is: a number of pages, of records, or what the answer says.",
        examples=["cursor"],
    )
    first: int = Field(default=1, ge=0, description="The first page or offset.", examples=[1])
    size: int = Field(
        default=100, ge=1, le=10_000, description="Records of a full page.", examples=[100]
    )
    next: OptionalExpression = Field(
        default="",
        description="JMESPath to the next cursor or link; the Link header when left out.",
        examples=["meta.next"],
    )


class RestFeed(RestCall):
    """`feed = {…}`: what changed since a moment, oldest first."""

    method: Method = Field(default="GET", description="The method.", examples=["GET"])
    records: Expression = Field(
        default="@", description="JMESPath to the list of records.", examples=["items"]
    )
    since: Literal["iso", "unix", "unix_ms"] = Field(
        default="iso", description="How {since} is written.", examples=["unix"]
    )
    paging: RestPaging = Field(default=RestPaging(), description="How pages follow each other.")


class RestSuccess(Model):
    """`success = {…}`: what counts as done."""

    statuses: Annotated[tuple[int, ...], Strict(strict=False)] = Field(
        default=(), description="HTTP statuses; any 2xx when left out.", examples=[[200, 204]]
    )
    when: OptionalExpression = Field(
        default="",
        description="JMESPath that must hold as well, for those that refuse with a 200.",
        examples=["success == `true`"],
    )


class RestError(Model):
    """`[[errors]]`: what an answer that is no success means; the first that fits counts."""

    status: Annotated[tuple[int, ...], Strict(strict=False)] = Field(
        default=(), description="HTTP statuses; any when left out.", examples=[[400, 422]]
    )
    match: OptionalExpression = Field(
        default="", description="JMESPath that must hold.", examples=["error.code == 'LOCKED'"]
    )
    pattern: Pattern = Field(
        default="",
        description="Regular expression that must be found in the first 4 KiB of the body.",
        examples=["too many"],
    )
    kind: Literal[
        "transient",
        "rate",
        "auth",
        "conflict",
        "not_found",
        "permanent",
        "human",
        "unknown_outcome",
        "ok",
    ] = Field(description="What it means.", examples=["rate"])
    scope: str = Field(
        default="", description="For rate: the limit that must rest.", examples=["daily"]
    )


class RestRate(Model):
    """`rate = {…}`: what answers say about a limit."""

    limit: str = Field(
        default="requests", description="Which of our `limits` it is.", examples=["requests"]
    )
    remaining: Header | None = Field(
        default=None, description="Header: so many are left.", examples=["X-RateLimit-Remaining"]
    )
    ceiling: Header | None = Field(
        default=None, description="Header: so many in a period.", examples=["X-RateLimit-Limit"]
    )
    reset: Header | None = Field(
        default=None, description="Header: when it is full again.", examples=["X-RateLimit-Reset"]
    )
    reset_is: Literal["seconds", "unix", "unix_ms"] = Field(
        default="seconds", description="What that header counts.", examples=["unix"]
    )
    wait: OptionalExpression = Field(
        default="",
        description="JMESPath to the seconds to wait, in the body of a refusal.",
        examples=["error.retry_in"],
    )


class RestRule(Model):
    """`[destinations.NAME.rest]`: any REST CRM by configuration."""

    object: str = Field(
        default="orders", description="What {object} is for orders.", examples=["deals"]
    )
    key_field: str = Field(
        default="", description="Their field of the merchant's number.", examples=["number"]
    )
    status_field: str = Field(
        default="status", description="Their field of the status.", examples=["stage"]
    )
    auth: RestAuth = Field(default=RestAuth(), description="What a call shows to be let in.")
    headers: dict[Header, str] = Field(
        default={}, description="Headers of every call, as they are.", examples=[{"X-Team": "7"}]
    )
    record: RestRecord = Field(default=RestRecord(), description="Where things are in a record.")
    parts: dict[str, JsonValue] = Field(
        default={},
        description="Named structures of templates, to be placed by their names, filtered or not.",
        examples=[{"filter": [["number", "=", "{key}"]]}],
    )
    find: RestFind | None = Field(
        default=None, description="Finds records; without it {id} is the merchant's number."
    )
    read: RestRead = Field(description="Reads a record.", examples=[{"path": "/orders/{id}"}])
    write: Annotated[
        tuple[RestWrite, ...],
        Strict(strict=False),
        BeforeValidator(one_or_more),
        Field(min_length=1),
    ] = Field(description="Writes a record, in one step or several.")
    create: RestCreate | None = Field(default=None, description="Makes a record.")
    note: RestNote | None = Field(default=None, description="Leaves an entry in a time line.")
    feed: RestFeed | None = Field(default=None, description="Lists what changed.")
    success: RestSuccess = Field(default=RestSuccess(), description="What counts as done.")
    errors: Annotated[tuple[RestError, ...], Strict(strict=False)] = Field(
        default=(), description="What refusals mean, where the usual meaning of HTTP is not meant."
    )
    message: OptionalExpression = Field(
        default="",
        description="JMESPath to their words for a refusal, shown in dead letters.",
        examples=["error.message"],
    )
    rate: RestRate = Field(default=RestRate(), description="What answers say about a limit.")
    idempotent: bool = Field(
        default=False,
        description="Whether {idempotency_key} keeps a repeated write from a second effect there.",
        examples=[True],
    )
