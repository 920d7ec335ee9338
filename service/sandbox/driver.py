"""Plays the senders and the audience: webhooks go out signed, what CRM and API say comes in."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import aiohttp
import orjson

from service.domain.errors import DependencyUnavailable
from service.sandbox.senders import sign
from service.settings import Secret, Source

TIMEOUT = aiohttp.ClientTimeout(total=20)
CONNECTIONS = 32
POLL = 0.02

JSON = Any
"""Bodies of the CRM and the API, as they come."""


@dataclass(frozen=True, slots=True)
class Urls:
    public: str
    internal: str
    crm: str


@dataclass(frozen=True, slots=True)
class Posted:
    """What a sender saw."""

    status: int
    duplicate: bool
    began: datetime


class Driver:
    """One audience of a running installation."""

    def __init__(
        self,
        session: aiohttp.ClientSession,
        urls: Urls,
        *,
        sources: Mapping[str, Source],
        token: str,
        clock: Callable[[], datetime],
    ) -> None:
        self._session = session
        self._urls = urls
        self._sources = sources
        self._bearer = {"Authorization": f"Bearer {token}"}
        self._clock = clock

    async def post(self, source: str, body: bytes, *, forged: bool = False) -> Posted:
        """Sign as the provider would, with a stranger's secret when forged, and post."""
        sender = self._sources[source]
        if forged:
            sender = sender.model_copy(update={"secrets": (Secret.plain("courier:guess"),)})
        began = self._clock()
        signed = sign(sender, body, at=began)
        url = f"{self._urls.public}/webhooks/{source}"
        async with self._request("POST", url, data=signed.body, headers=signed.headers) as answer:
            duplicate = answer.headers.get("Orderhook-Duplicate") == "true"
            await answer.read()
            return Posted(answer.status, duplicate, began)

    async def crm(self, path: str) -> JSON:
        """What the CRM answers."""
        return await self._get(self._urls.crm + path)

    async def api(self, path: str) -> JSON:
        """What Orderhook's API answers."""
        return await self._get(f"{self._urls.internal}/api/v1{path}", headers=self._bearer)

    async def status(self, ref: str) -> str:
        """The status of an order in the CRM; empty when it does not know the order."""
        return str((await self.crm(f"/orders/{ref}")).get("status", ""))

    async def _get(self, url: str, headers: Mapping[str, str] | None = None) -> JSON:
        async with self._request("GET", url, headers=headers) as answer:
            return orjson.loads(await answer.read())

    @asynccontextmanager
    async def _request(
        self,
        method: str,
        url: str,
        *,
        data: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, allow_redirects=False
            ) as answer:
                yield answer
        except (aiohttp.ClientError, TimeoutError) as error:
            raise DependencyUnavailable(
                f"{url} does not answer ({type(error).__name__})."
            ) from error


def open_session() -> aiohttp.ClientSession:
    """Loopback only, so no proxies."""
    return aiohttp.ClientSession(
        timeout=TIMEOUT, trust_env=False, connector=aiohttp.TCPConnector(limit=CONNECTIONS)
    )


async def until(ask: Callable[[], Any], *, within: float) -> bool:
    """Ask until the answer is yes; whether it came in time."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within
    while not await ask():
        if loop.time() > end:
            return False
        await asyncio.sleep(POLL)
    return True
