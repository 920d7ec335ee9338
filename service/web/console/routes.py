"""What a page is to the site: where it is, who may see it, what makes it."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from aiohttp import web

from service.ops.present import Present
from service.ops.sources import Configured
from service.settings import Auth
from service.store.pool import Pool
from service.web.auth import Role
from service.web.console.identity import Identity
from service.web.console.signals import Signals

PREFIX = "/console"

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Route(NamedTuple):
    method: str
    path: str
    """Below the console, with a slash at its start."""
    least: Role | None
    """The least role of those who may; None is for everybody, signed in or not."""
    handler: Handler


@dataclass(frozen=True, slots=True)
class Console:
    """What pages are made of."""

    pool: Pool
    """Of the console alone: whoever clicks must not keep webhooks waiting."""
    auth: Auth
    clock: Callable[[], datetime]
    configured: Configured = field(default_factory=Configured)
    identity: Identity | None = None
    """The provider that people sign in with, where there is one."""
    address: str | None = None
    """How browsers reach this listener, if somebody said so."""
    present: Present = field(default_factory=Present)
    """Figures that take long to count; read anew while somebody looks."""
    signals: Signals = field(default_factory=Signals)
    """Tells open pages what changed."""
