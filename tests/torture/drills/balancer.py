"""What a load balancer sees: each role's /health/ready asked again and again; who is ready out."""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from tests.torture.plant import Plant, Role
from tests.torture.traffic import Address

EVERY = 0.2
MOST_TOLD = 6
PATIENCE = 3.0
FALL = 3
"""So often may one not answer; one that says itself that it is not ready goes at once."""
BROKEN = (aiohttp.ClientError, OSError, TimeoutError, json.JSONDecodeError)


@dataclass(slots=True)
class Seen:
    """One process as it was seen last."""

    pid: int
    public: Address | None
    is_ready: bool = False
    silent: int = 0
    """How often it did not answer, one after the other."""


class Balancer:
    """All that senders learn about gateways: not that one is told to stop, not that it ended."""

    def __init__(self, plant: Plant, session: aiohttp.ClientSession) -> None:
        self._plant = plant
        self._session = session
        self._seen: dict[str, Seen] = {}
        self.red: Counter[str] = Counter()
        """How often a gateway was not content, by what it said."""

    def gateways(self) -> list[Address]:
        """Where senders go; it may have ended meanwhile."""
        return [seen.public for seen in self._seen.values() if seen.is_ready and seen.public]

    async def ready(self, role: Role, within: float) -> None:
        """Return when the process that runs now is in the pool."""
        async with asyncio.timeout(within):
            while not self._is_ready(role):
                await asyncio.sleep(0.05)

    def _is_ready(self, role: Role) -> bool:
        seen = self._seen.get(role.name)
        return seen is not None and seen.is_ready and seen.pid == role.place.get("pid")

    async def watch(self) -> None:
        """Ask every role, each at its own pace, until cancelled."""
        async with asyncio.TaskGroup() as group:
            for role in self._plant.roles.values():
                group.create_task(self._watch(role))

    async def _watch(self, role: Role) -> None:
        place: Mapping[str, Any] = {}
        while True:
            # The last place it had: that a process ended is seen as everybody else sees it.
            place = role.place or place
            if place:
                seen = self._seen.get(role.name)
                if seen is None or seen.pid != place["pid"]:
                    seen = self._seen[role.name] = Seen(int(place["pid"]), _address(place))
                await self._ask(role, place, seen)
            await asyncio.sleep(EVERY)

    async def _ask(self, role: Role, place: Mapping[str, Any], seen: Seen) -> None:
        try:
            async with self._session.get(f"{place['internal']}/health/ready") as answer:
                said = json.loads(await answer.read())
        except BROKEN as error:
            seen.silent += 1
            seen.is_ready = seen.is_ready and seen.silent < FALL
            self._note(role, {"no answer": type(error).__name__})
        else:
            seen.silent, seen.is_ready = 0, answer.status == 200
            self._note(role, said["checks"])

    def _note(self, role: Role, checks: Mapping[str, str]) -> None:
        if role.kind == "gateway":
            self.red.update(f"{name}: {said}" for name, said in checks.items() if said != "ok")

    @property
    def told(self) -> str:
        said = (f"{what} ({times} times)" for what, times in self.red.most_common(MOST_TOLD))
        return ", ".join(said) or "never"


def _address(place: Mapping[str, Any]) -> Address | None:
    if not place["public"]:
        return None
    parts = urlsplit(str(place["public"]))
    assert parts.hostname is not None
    assert parts.port is not None
    return parts.hostname, parts.port


@asynccontextmanager
async def balancing(plant: Plant, *, ready: Callable[[Role], bool]) -> AsyncIterator[Balancer]:
    """It is there as soon as all roles that must be (`ready`) are in the pool."""
    timeout = aiohttp.ClientTimeout(total=PATIENCE)
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
        made = Balancer(plant, session)
        watching = asyncio.create_task(made.watch())
        try:
            for role in filter(ready, plant.roles.values()):
                await made.ready(role, 60.0)
            yield made
        finally:
            watching.cancel()
            await asyncio.gather(watching, return_exceptions=True)
