"""One source: how it is set up, what it sent last, why that was refused, and a test event of it."""

from base64 import b64decode
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from aiohttp import web

from service.domain.errors import DependencyUnavailable, StoreUnavailable
from service.domain.keys import clean_text
from service.intake.refusals import UNKNOWN
from service.ops import lookups, rehearsals, sources
from service.ops.lookups import AMONG, Body
from service.ops.rehearsals import LONGEST_ORDER, USUAL_ORDER, Wish
from service.store.seals import Sealed
from service.web import query
from service.web.auth import Role
from service.web.console import payloads, settings, showing
from service.web.console.forms import FORM
from service.web.console.now import duration
from service.web.console.routes import Console, Route
from service.web.console.viewers import VIEWER
from service.web.problems import Refused

PATH = r"/sources/{name:[^/]+}"
LAST = 25
"""Accepted events that are shown."""
FRESH = 600
"""Seconds in which a source may have spoken again without the watch over silence knowing."""


@dataclass(frozen=True, slots=True)
class SourcePage:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        if _name(request) == UNKNOWN and UNKNOWN not in self.console.configured.senders():
            return _see(f"{showing.at('sources')}#strangers")
        return await self._page(request)

    async def tested(self, request: web.Request) -> web.StreamResponse:
        form, configured = request[FORM], self.console.configured
        actor, order = request[VIEWER].caller.subject, form.text("order") or USUAL_ORDER
        wish = Wish(_name(request), form.text("sample"), actor, order)
        try:
            answered = await rehearsals.rehearse(
                self.console.pool, configured.senders(), configured.rehearsal, wish
            )
        except StoreUnavailable:
            raise
        except DependencyUnavailable as error:
            raise Refused(503, str(error)) from None
        return await self._page(request, answered)

    async def capture(self, request: web.Request) -> web.StreamResponse:
        """One whole, nothing masked."""
        configured, name = self.console.configured, _name(request)
        number = query.number(request.match_info["id"])
        body = await sources.capture(
            self.console.pool, configured.senders(), name, number, sealing=configured.sealing
        )
        context = {"name": name, "capture": body, "payload": payloads.show(_bytes(body))}
        return showing.show(request, "capture.html", context)

    async def back(self, request: web.Request) -> web.StreamResponse:
        """Whoever changes the language on the page of an answer has no form to send again."""
        return _see(showing.at("sources", _name(request)))

    async def _page(self, request: web.Request, answered: Body | None = None) -> web.Response:
        name = _name(request)
        body = await sources.source(self.console.pool, self.console.configured, name)
        testing = {
            "source": body,
            "answered": answered,
            "usual_order": USUAL_ORDER,
            "longest_order": LONGEST_ORDER,
            "capturing": body["configuration"]["mode"] == "capture",
        }
        if answered is not None and showing.live(request):
            return showing.show(request, "_source_test.html", testing)
        context = {
            **testing,
            **await self._last(request, name, body),
            "rows": settings.shown(body, besides=("statuses", "attributes")),
            "statuses": settings.table(body["configuration"]["statuses"]),
            "attributes": settings.table(body["configuration"]["attributes"]),
            "duration": duration,
            "among": AMONG,
        }
        return showing.show(request, "source.html", context)

    async def _last(self, request: web.Request, name: str, body: Body) -> Mapping[str, Any]:
        configured, pool = self.console.configured, self.console.pool
        source = configured.senders()[name].source
        refused = await sources.refused(pool, configured.senders(), name)
        events = await lookups.recent(
            pool,
            name,
            heard=_before(body["last_heard"], self.console.clock()),
            limit=LAST,
            hidden={name: source.mask},
        )
        captured: Body | None = None
        sealed = ""
        if source.mode == "capture" and request[VIEWER].caller.role >= Role.OPERATOR:
            try:
                captured = await sources.captured(
                    pool, configured.senders(), name, sealing=configured.sealing
                )
            except Sealed as error:
                sealed = str(error)
        return {
            "refusals": refused["items"],
            "events": events["items"],
            "captures": captured["items"] if captured else None,
            "sealed": sealed,
        }


def _before(heard: datetime | None, now: datetime) -> datetime | None:
    """Where the search for its events begins; None is the newest of all."""
    if heard is None or (now - heard).total_seconds() < FRESH:
        return None
    return heard


def _see(address: str) -> web.Response:
    return web.Response(status=303, headers={"Location": address})


def _name(request: web.Request) -> str:
    return clean_text(request.match_info["name"], limit=40) or ""


def _bytes(body: Body) -> bytes:
    text: str | None = body["body"]
    return text.encode() if text is not None else b64decode(body["body_base64"])


def routes(console: Console) -> tuple[Route, ...]:
    page = SourcePage(console)
    return (
        Route("GET", PATH, Role.VIEWER, page.shown),
        Route("GET", f"{PATH}/test", Role.VIEWER, page.back),
        Route("POST", f"{PATH}/test", Role.OPERATOR, page.tested),
        Route("GET", PATH + r"/captures/{id:\d+}", Role.OPERATOR, page.capture),
    )
