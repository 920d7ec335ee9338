"""Destinations as configured come in; what their adapters say against them goes out, without calls.

Only `orderhook check` asks: a worker builds the same adapters when it starts or reloads, and a
gateway has no use for them.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import timedelta

import aiohttp

from service.app.known import KNOWN
from service.app.process import clock
from service.domain.budget import Hint
from service.domain.errors import ConfigurationError
from service.settings import Destination, Known, Settings
from service.worker.crms import client
from service.worker.crms.base import Answer, Class
from service.worker.crms.kind import Tools
from service.worker.crms.registry import crms_by_name

IDLE = "Nothing is called to check a configuration."


class NoBudget:
    """There is nothing to spend."""

    async def spend(self, costs: Mapping[str, float]) -> timedelta | None:  # noqa: ARG002
        return timedelta.max

    def learn(self, hints: Sequence[Hint]) -> None:
        """Nobody answers."""


class NoTokens:
    """None is asked for."""

    async def access(self, *, refused: str | None = None) -> str | Answer:  # noqa: ARG002
        return Answer(Class.AUTH, "token", detail=IDLE)

    async def said(self, name: str) -> str | None:  # noqa: ARG002
        return None


async def no_publish(exchange: str, key: str, body: bytes, headers: Mapping[str, str]) -> None:  # noqa: ARG001
    raise OSError(IDLE)


@dataclass(frozen=True, slots=True)
class Trial:
    session: aiohttp.ClientSession

    def __call__(self, destination: Destination) -> str | None:
        """What its adapter cannot work with, in one sentence."""
        return self._said(destination, publishes=True)

    def exports(self, settings: Settings) -> None:
        """Raises ConfigurationError for an exchange that no broker leads to."""
        for name, rule in settings.destinations.items():
            publishes = bool(rule.secret or settings.broker.dsn)
            if (said := self._said(rule, publishes=publishes)) is not None:
                raise ConfigurationError(f"destinations.{name}: {said}")

    def _said(self, destination: Destination, *, publishes: bool) -> str | None:
        tools = Tools(
            self.session,
            clock,
            NoBudget(),
            tokens=NoTokens() if destination.oauth else None,
            publish=no_publish if publishes else None,
        )
        try:
            crms_by_name()[destination.crm].build(destination, tools)
        except ConfigurationError as error:
            return str(error)
        return None


@asynccontextmanager
async def trying() -> AsyncIterator[tuple[Known, Trial]]:
    """What settings are checked against, the adapters of destinations among it."""
    async with client.open_session(limit=1) as session:
        trial = Trial(session)
        yield replace(KNOWN, trial=trial), trial
