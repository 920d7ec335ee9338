"""Somebody's exchange in memory, with one receiver behind it that knows a message again."""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import aiohttp

from service.settings import Destination
from service.settings.secrets import References
from service.worker.crms import rabbitmq
from service.worker.crms.base import Crm
from service.worker.crms.client import open_session
from service.worker.crms.kind import Tools
from tests.contract.peers import Purse


@dataclass
class ExchangeBench:
    """It drops an id it knows and a version lower than the last one, as the contract asks."""

    session: aiohttp.ClientSession
    ids: set[str] = field(default_factory=set)
    shown: dict[str, dict[str, Any]] = field(default_factory=dict)
    losing: bool = False

    async def publish(
        self, exchange: str, routing_key: str, body: bytes, headers: Mapping[str, str]
    ) -> None:
        assert exchange
        assert routing_key
        said = json.loads(body)["data"]
        known = self.shown.get(said["subject"], {"version": 0})
        if headers["message-id"] not in self.ids and known["version"] < said["version"]:
            self.ids.add(headers["message-id"])
            self.shown[said["subject"]] = said
        if self.losing:
            self.losing = False
            raise TimeoutError("Nobody knows whether the message arrived.")

    def crm(self, **overrides: Any) -> Crm:
        usual = {"name": "crm", "crm": "rabbitmq", "options": {"exchange": "orders"}}
        context = References({}, Path(), sandbox=True)
        destination = Destination.model_validate({**usual, **overrides}, context=context)
        tools = Tools(self.session, lambda: datetime.now(UTC), Purse(), publish=self.publish)
        return rabbitmq.build(destination, tools)

    def got(self) -> list[tuple[str, int, dict[str, str], dict[str, Any]]]:
        return [
            (one["status"], one["version"], one["lanes"], one["attributes"])
            for one in self.shown.values()
        ]

    def lose(self) -> None:
        self.losing = True


@asynccontextmanager
async def exchange_bench() -> AsyncIterator[ExchangeBench]:
    async with open_session(1) as session:
        yield ExchangeBench(session)
