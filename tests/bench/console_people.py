"""Ten people who click: a program of its own, told by lines on stdin when to look and when to rest.

Each keeps the live line of the page open, asks again for the page's part whenever that says that
anything changed, as if it always were what the page shows, and goes on after a second or so.
"""

import asyncio
import contextlib
import json
import os
import random
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

import uvloop

from tests.bench.console_site import Visitor

PEOPLE = 10
THINKS = (0.6, 1.6)
"""Seconds on a page, at least and at most."""
LIVE = re.compile(r"/console/(orders(/order/.*)?|dead-letters|jobs|sources|destinations)?")
"""Pages with a part that changes."""


@dataclass
class Person:
    """Walks until told to rest."""

    base: str
    visitor: Visitor
    chance: random.Random
    clicks: int = 0
    parts: int = 0
    took: list[float] = field(default_factory=list)

    async def walk(self) -> None:
        for address in self._way():
            seen = await self.visitor.get(address)
            assert seen.status == 200, (address, seen.status, seen.body[:300])
            self.clicks += 1
            self.took.append(seen.ms)
            await self._stay(address)

    def _way(self) -> Iterator[str]:
        """From the first page to an order, to the dead letters, and around."""
        while True:
            order = 1_000_001 + self.chance.randrange(200_000)
            tracking = 1_400_000_001 + self.chance.randrange(200_000)
            yield "/console/"
            yield "/console/orders"
            yield f"/console/orders?q=A-{order}"
            yield f"/console/orders?q={tracking}"
            yield "/console/orders?status=in_transit"
            yield f"/console/orders/order/A-{order + 1 if order < 1_200_000 else order}"
            yield f"/console/orders?q=A-{order // 100}"
            yield "/console/dead-letters"
            yield "/console/dead-letters/list?kind=sync&destination=crm&reason=refused"
            yield "/console/dead-letters/list?kind=event&reason=unmapped"
            yield "/console/jobs"
            yield "/console/sources"
            yield "/console/destinations"
            yield "/console/audit"

    async def _stay(self, address: str) -> None:
        """On a page that is live its part is asked for whenever something changed."""
        live = LIVE.fullmatch(address) is not None
        with contextlib.suppress(TimeoutError):
            async with (
                asyncio.timeout(self.chance.uniform(*THINKS)),
                self.visitor.listening() as line,
            ):
                async for said in line:
                    if live and said.startswith(b"event: "):
                        await self._look_again(address)

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
    """`{"base": …, "links": […]}` first; then a line begins a walk, the next one ends it."""
    os.nice(10)  # their browsers run elsewhere: what they cost is what is asked for
    loop = asyncio.get_running_loop()
    told = json.loads(await loop.run_in_executor(None, sys.stdin.readline))
    people = []
    for number, link in enumerate(told["links"]):
        visitor = Visitor(told["base"])
        await visitor.sign_in(link)
        await visitor.leave()  # who rests for long is hung up on
        people.append(Person(told["base"], visitor, random.Random(number)))
    print("ready", flush=True)
    while await loop.run_in_executor(None, sys.stdin.readline):
        walking = [asyncio.create_task(each.walk()) for each in people]
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
