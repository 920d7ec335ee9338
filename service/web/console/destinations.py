"""Destinations: the systems we write to, what is owed to each, and what stands in the way."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from service.ops import destinations
from service.web.auth import Role
from service.web.console import showing
from service.web.console.now import duration
from service.web.console.routes import Console, Route


@dataclass(frozen=True, slots=True)
class Destinations:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        part = showing.live(request)
        template = "_destinations.html" if part else "destinations.html"
        return showing.show(request, template, await self._context())

    async def _context(self) -> Mapping[str, Any]:
        configured, kept = self.console.configured, self.console.present.account
        counts = self.console.present.owed()
        body = await destinations.told(self.console.pool, configured.destinations(), counts or {})
        return {
            "items": body["items"],
            "now": self.console.clock(),
            "counted": counts is not None,
            "counting": kept.stale,
            "problem": kept.problem,
            "duration": duration,
            "period": duration,
        }


def routes(console: Console) -> tuple[Route, ...]:
    pages = Destinations(console)
    return (Route("GET", "/destinations", Role.VIEWER, pages.shown),)
