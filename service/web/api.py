"""The API behind `/api/v1`: validated requests in, the bodies of `ops` out."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from service.domain.events import Outcome
from service.ops import ledger, lookups
from service.ops.lookups import BadCursor, Fields
from service.store.lookups import EventFilter
from service.store.pool import Pool
from service.store.seals import PLAIN, Sealed, Seals
from service.web import problems, query
from service.web.problems import Refused

PAGE = ("limit", "cursor")

Handler = Callable[[web.Request], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class Api:
    """Reads only, so far; every handler is bounded by the statement time-outs of its queries."""

    pool: Pool
    sealing: Seals = PLAIN
    hidden: Callable[[], Fields] = dict

    async def ledger(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        return answer(await ledger.read(self.pool))

    async def events(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("source", "outcome", "subject", *PAGE))
        wanted = EventFilter(
            said.get("source"), query.choice(said, "outcome", Outcome), query.subject(said)
        )
        try:
            found = await lookups.events(self.pool, wanted, query.page(said), hidden=self.hidden())
            return answer(found)
        except BadCursor:
            raise query.bad_cursor() from None

    async def event(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        event_id = query.identifier(request.match_info["id"])
        try:
            found = await lookups.event(
                self.pool, event_id, sealing=self.sealing, hidden=self.hidden()
            )
        except Sealed as error:
            raise problems.unavailable(str(error)) from None
        return answer(_found(found, "No event has this id; it may be past its retention."))


def answer(body: Mapping[str, Any], *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def _found(body: dict[str, Any] | None, otherwise: str) -> dict[str, Any]:
    if body is None:
        raise Refused(404, otherwise)
    return body
