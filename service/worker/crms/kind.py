"""One kind of destination as it is listed: its name, its set-up for people, how it is built."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import aiohttp
from pydantic import JsonValue

from service.domain.budget import Limit
from service.settings import Destination
from service.worker.crms.base import Capabilities, Crm, Publish, Spending, Target, Tokens
from service.worker.crms.client import Clock


@dataclass(frozen=True, slots=True)
class Option:
    """A key of `options` that a kind of destination understands."""

    name: str
    what: str
    """A sentence for people; it also names the default."""
    example: str
    required: bool = False


@dataclass(frozen=True, slots=True)
class OAuth:
    """How a vendor gives access tokens, as far as it is the same for all its customers."""

    url: str | None
    """Where tokens are asked for; None: it differs by account, so `oauth.url` must say."""
    grants: Sequence[Literal["refresh_token", "client_credentials", "jwt_bearer"]]
    method: Literal["GET", "POST"] = "POST"
    client: Literal["body", "basic"] = "body"
    """Whether client_id and client_secret travel in the form or as HTTP Basic."""
    rotating: bool = False
    """A refresh token serves once; the answer carries the next one."""
    form: str = "Bearer {token}"
    """The Authorization header."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """Further fields of the form that this vendor wants."""
    needs: Sequence[str] = ()
    """Fields of the form that differ by account, so that `oauth.extra` must hold them."""


@dataclass(frozen=True, slots=True)
class Tools:
    """What the process lends to an adapter."""

    session: aiohttp.ClientSession = field(repr=False)
    clock: Clock = field(repr=False)
    spending: Spending
    tokens: Tokens | None = None
    """There when the destination has an `oauth` table."""
    publish: Publish | None = None


class Build(Protocol):
    def __call__(self, destination: Destination, tools: Tools) -> Crm:
        """Raises ConfigurationError, with a remedy, for what only the adapter can see."""
        ...


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of destination, by the word used in the configuration."""

    name: str
    title: str
    build: Build
    setup: str = ""
    """Numbered steps for people, as `orderhook crms NAME` prints them."""
    doubts: Sequence[str] = ()
    """What to confirm on a live account, because no outside source could be found for it."""
    options: Sequence[Option] = ()
    oauth: OAuth | None = None
    """None: it takes `token` only (or what `setup` says)."""
    token: bool = True
    """Whether `token` lets us in."""
    example: Mapping[str, JsonValue] = field(default_factory=dict)
    """Keys of its table that must be there and only its owner can know, filled in as examples."""
    default_url: str | None = None
    """Where its API is when every customer has the same; None: `url` is required."""
    promise: Literal["once", "at least once"] = "once"
    """Whether an effect can be kept from repeating there; see docs/crms.md."""
    capabilities: Capabilities | None = None
    """Those of what `build` gives; None leaves them unchecked and untold."""
    limits: Sequence[Limit] = ()
    """The quotas the vendor states, as `Crm.limits` says them when nothing is configured."""
    targets: Mapping[str, Target] | None = None
    """By lifecycle, what it is there when the configuration does not say; None: it is told every
    change and keeps no records that could be asked for."""
