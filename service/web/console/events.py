"""One event: what it says, the raw request it came in as text or as a file, what it led to."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass

from aiohttp import web

from service.domain.errors import NotFound
from service.domain.events import Subject
from service.ops import lookups
from service.ops.corrections import FOLDED
from service.ops.lookups import Body, Fields
from service.web import query
from service.web.auth import Role
from service.web.console import languages, payloads, showing
from service.web.console.routes import Console, Route

UNKNOWN = languages.mark("No event has this id; it may be past its retention.")
PURGED = languages.mark("The request of this event is not kept any more.")


@dataclass(frozen=True, slots=True)
class Events:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        event = await self._read(request)
        sent = event["request"]
        shown = payloads.show(b64decode(sent["body_base64"])) if sent else None
        context = {
            "event": event,
            "sent": sent,
            "shown": shown,
            "headers": _headers(sent["headers"]) if sent else (),
            "order": _order(event["subject"]),
            "folded": event["outcome"] in FOLDED,
        }
        return showing.show(request, "event.html", context)

    async def request(self, request: web.Request) -> web.StreamResponse:
        """The body as it is shown: a file that no browser opens."""
        event = await self._read(request)
        if event["request"] is None:
            raise NotFound(PURGED)
        return web.Response(
            body=b64decode(event["request"]["body_base64"]),
            headers={
                "Content-Type": "application/octet-stream",
                "Content-Disposition": f'attachment; filename="request-{event["id"]}.bin"',
                "X-Content-Type-Options": "nosniff",
                "Cache-Control": "no-store",
            },
        )

    async def _read(self, request: web.Request) -> Body:
        configured = self.console.configured
        hidden: Fields = {name: sender.source.mask for name, sender in configured.senders().items()}
        event_id = query.identifier(request.match_info["id"])
        found = await lookups.event(
            self.console.pool, event_id, sealing=configured.sealing, hidden=hidden
        )
        if found is None:
            raise NotFound(UNKNOWN)
        return found


def _headers(sent: Mapping[str, str]) -> list[tuple[str, str]]:
    return [(payloads.visible(name), payloads.visible(value)) for name, value in sent.items()]


def _order(text: str | None) -> Subject | None:
    """The order as it is written: a colon that is there stands behind a scope."""
    if text is None:
        return None
    lifecycle, _, rest = text.partition("/")
    scope, colon, ref = rest.partition(":")
    return Subject(lifecycle, scope, ref) if colon else Subject(lifecycle, "", rest)


def routes(console: Console) -> tuple[Route, ...]:
    pages = Events(console)
    return (
        Route("GET", r"/events/{id:[^/]+}", Role.VIEWER, pages.shown),
        Route("GET", r"/events/{id:[^/]+}/request", Role.VIEWER, pages.request),
    )
