"""What operators did, behind `/api/v1`."""

from dataclasses import dataclass

from aiohttp import web

from service.ops import audit
from service.ops.lookups import BadCursor
from service.store.audit import Filter
from service.store.pool import Pool
from service.web import query
from service.web.api import PAGE, answer


@dataclass(frozen=True, slots=True)
class Audit:
    pool: Pool

    async def listed(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("actor", "action", "target", *PAGE))
        wanted = Filter(said.get("actor"), said.get("action"), said.get("target"))
        try:
            return answer(await audit.actions(self.pool, wanted, query.page(said)))
        except BadCursor:
            raise query.bad_cursor() from None

    async def verification(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("head",))
        return answer(await audit.checked(self.pool, head=said.get("head")))
