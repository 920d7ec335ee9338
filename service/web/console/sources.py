"""Sources: who sends to us, what came of it, and what was sent to names that no source has."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from service.intake.refusals import UNKNOWN
from service.ops import sources
from service.web.auth import Role
from service.web.console import showing
from service.web.console.now import duration
from service.web.console.routes import Console, Route


@dataclass(frozen=True, slots=True)
class Sources:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        part = showing.live(request)
        context = await self._context()
        return showing.show(request, "_sources.html" if part else "sources.html", context)

    async def _context(self) -> Mapping[str, Any]:
        configured, pool = self.console.configured, self.console.pool
        kept, senders = self.console.present.account, configured.senders()
        counts = self.console.present.received()
        known = {name: sender.source for name, sender in senders.items()}
        body = await sources.told(pool, known, counts or {}, public_url=configured.public_url)
        strangers = await sources.refused(pool, senders, UNKNOWN)
        return {
            "items": [each for each in body["items"] if each["provider"] is not None],
            "stranger": next((each for each in body["items"] if each["provider"] is None), None),
            "refusals": strangers["items"],
            "modes": {name: source.mode for name, source in known.items()},
            "counted": counts is not None,
            "counting": kept.stale,
            "problem": kept.problem,
            "public_url": configured.public_url,
            "duration": duration,
        }


def routes(console: Console) -> tuple[Route, ...]:
    pages = Sources(console)
    return (Route("GET", "/sources", Role.VIEWER, pages.shown),)
