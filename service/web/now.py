"""How things stand, behind `/api/v1`: what the first page of the console shows, as a body."""

from dataclasses import dataclass

from aiohttp import web

from service.ops import attention
from service.ops.sources import Configured
from service.store.pool import Pool
from service.web import query
from service.web.api import answer


@dataclass(frozen=True, slots=True)
class Now:
    pool: Pool
    configured: Configured

    async def shown(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        return answer(await attention.read(self.pool, self.configured))
