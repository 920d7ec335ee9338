"""The board and the search: how many orders stand where, and the one that somebody looks for."""

from dataclasses import dataclass

from aiohttp import web

from service.ops import board, lookups, search
from service.ops.lookups import BadCursor, Body, Page
from service.store.lookups import SubjectFilter
from service.web import query
from service.web.auth import Role
from service.web.console import events, order_acts, order_page, showing
from service.web.console.routes import Console, Route

USUAL = "order"
LISTED = 50
KNOWN = ("q", "lifecycle", "status", "flag", "alias", "cursor")


@dataclass(frozen=True, slots=True)
class Orders:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        if request.query.get("q", "-").strip() == "":  # a form sends what nobody filled in
            return web.Response(status=303, headers={"Location": showing.at("orders")})
        said = query.parameters(request, KNOWN)
        if "q" in said:
            return await self._found(request, said["q"].strip())
        if said.keys() & {"status", "flag", "alias", "cursor"}:
            return await self._list(request, said)
        return await self._board(request, said.get("lifecycle", USUAL))

    async def _board(self, request: web.Request, lifecycle: str) -> web.Response:
        known = self.console.configured.rules().lifecycles
        body = await board.read(self.console.pool, lifecycle, lifecycles=known)
        template = "_board.html" if showing.live(request) else "orders.html"
        return showing.show(request, template, {"board": body})

    async def _list(self, request: web.Request, said: dict[str, str]) -> web.Response:
        lifecycle = said.get("lifecycle", USUAL)
        wanted = SubjectFilter(
            lifecycle, said.get("status"), None, said.get("flag"), query.alias(said.get("alias"))
        )
        known = self.console.configured.rules().lifecycles
        try:
            body = await lookups.subjects(
                self.console.pool, wanted, Page(LISTED, said.get("cursor")), lifecycles=known
            )
        except BadCursor:
            raise query.bad_cursor() from None
        context = {"said": {**said, "lifecycle": lifecycle}, **_listed(body)}
        return showing.show(request, "order_list.html", context)

    async def _found(self, request: web.Request, text: str) -> web.StreamResponse:
        known = self.console.configured.rules().lifecycles
        body = await search.find(self.console.pool, text, lifecycles=known)
        if (address := _only(body)) is not None:
            return web.Response(status=303, headers={"Location": address})
        context = {"text": text, "waiting": body["waiting"], "exact": body["exact"]}
        return showing.show(request, "order_search.html", {**context, **_listed(body)})


def _listed(body: Body) -> Body:
    return {"items": body["items"], "next": body["next"]}


def _only(body: Body) -> str | None:
    """Where one hit leads at once; None while there is anything to choose."""
    items, event_id = body["items"], body["event_id"]
    if body["waiting"] or len(items) > 1 or not body["exact"]:
        return None
    if items:
        item = items[0]
        return showing.at("orders", item["lifecycle"], item["ref"], scope=item["scope"])
    return showing.at("events", event_id) if event_id else None


def routes(console: Console) -> tuple[Route, ...]:
    pages = Orders(console)
    return (
        Route("GET", "/orders", Role.VIEWER, pages.shown),
        *order_page.routes(console),
        *order_acts.routes(console),
        *events.routes(console),
    )
