"""Ten people who click: a program of its own, told by lines on stdin when to look and when to rest.

Each keeps the live line of the page open, asks again for the parts of the page that listen for what
it tells, and goes on after some time: as in TPC-W's browsers such times are exponential, and ten
times their mean at most. Nobody folds what comes in meanwhile, so whatever is told is taken for
news of orders, too.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import unescape

import uvloop

from tests.bench.console_site import Visitor

PEOPLE = 10
MOST_THOUGHT = 10
"""Times the mean that somebody stays on a page, at most."""
PART = re.compile(r'hx-get="([^"]*)" hx-trigger="([^"]*\bsse:[^"]*)"')
"""Of a page: its address, and what it listens for."""


@dataclass
class Person:
    """Walks until told to rest."""

    base: str
    visitor: Visitor
    chance: random.Random
    clicks: int = 0
    parts: int = 0
    took: list[float] = field(default_factory=list)

    async def walk(self, thinks: float) -> None:
        """From somewhere on the way, a moment after the others; so long on a page, in the mean."""
        way = self._way()
        begun = self.chance.randrange(len(way))
        await asyncio.sleep(self.chance.uniform(0, thinks))
        while True:
            for address in way[begun:]:
                seen = await self.visitor.get(address)
                assert seen.status == 200, (address, seen.status, seen.body[:300])
                self.clicks += 1
                self.took.append(seen.ms)
                parts = PART.findall(seen.body.decode())
                await self._stay([(unescape(at), on) for at, on in parts], self._thought(thinks))
            way, begun = self._way(), 0

    def _way(self) -> Sequence[str]:
        """From the first page to an order, to the dead letters, and around."""
        order = 1_000_001 + self.chance.randrange(200_000)
        tracking = 1_400_000_001 + self.chance.randrange(200_000)
        return (
            "/console/",
            "/console/orders",
            f"/console/orders?q=A-{order}",
            f"/console/orders?q={tracking}",
            "/console/orders?status=in_transit",
            f"/console/orders/order/A-{order + 1 if order < 1_200_000 else order}",
            f"/console/orders?q=A-{order // 100}",
            "/console/dead-letters",
            "/console/dead-letters/list?kind=sync&destination=crm&reason=refused",
            "/console/dead-letters/list?kind=event&reason=unmapped",
            "/console/jobs",
            "/console/sources",
            "/console/destinations",
            "/console/audit",
        )

    async def _stay(self, parts: Sequence[tuple[str, str]], seconds: float) -> None:
        """On a page whose parts are asked for whenever what they listen for is told."""
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(seconds),
                self.visitor.listening() as line,
            ):
                async for said in line:
                    what, _, name = said.decode().strip().partition(": ")
                    for address, on in parts if what == "event" else ():
                        if f"sse:{name}" in on or "sse:orders" in on:
                            await self._look_again(address)

    def _thought(self, thinks: float) -> float:
        return min(self.chance.expovariate(1 / thinks), MOST_THOUGHT * thinks)

    async def _look_again(self, address: str) -> None:
        """On a connection of its own: whoever goes on to the next page does not wait for it."""
        other = Visitor(self.base, self.visitor.cookie)
        try:
            seen = await other.get(address, part=True)
            assert seen.status in (200, 204), (address, seen.status)
            self.parts += 1
        finally:
            await other.leave()


async def main() -> None:
    """`{"base": …, "links": […]}` first; then seconds on a page begin a walk, any line ends it."""
    # Their browsers run elsewhere: what they cost is what is asked for.
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    loop = asyncio.get_running_loop()
    told = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    people = []
    for number, link in enumerate(told["links"]):
        visitor = Visitor(told["base"])
        await visitor.sign_in(link)
        people.append(Person(told["base"], visitor, random.Random(number)))
    print("ready", flush=True)
    while thinks := await loop.run_in_executor(None, sys.stdin.readline):
        walking = [asyncio.create_task(each.walk(float(thinks))) for each in people]
        ended = loop.run_in_executor(None, sys.stdin.readline)
        await asyncio.wait([*walking, asyncio.ensure_future(ended)], return_when="FIRST_COMPLETED")
        for walk in walking:
            walk.cancel()
        results = await asyncio.gather(*walking, return_exceptions=True)
        broken = [str(one) for one in results if not isinstance(one, asyncio.CancelledError)]
        took = sorted(ms for each in people for ms in each.took)
        said = {
            "clicks": sum(each.clicks for each in people),
            "parts": sum(each.parts for each in people),
            "page_p50": took[len(took) // 2] if took else 0.0,
            "page_p95": took[int(len(took) * 0.95)] if took else 0.0,
            "broken": broken,
        }
        for each in people:
            each.clicks, each.parts, each.took = 0, 0, []
            await each.visitor.leave()
        print(json.dumps(said), flush=True)
        if broken:
            return


if __name__ == "__main__":
    uvloop.run(main())
