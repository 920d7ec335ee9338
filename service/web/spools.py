"""Spools of gateways behind `/api/v1`: what they hold, and one that is gone for good forgotten."""

from dataclasses import dataclass

from aiohttp import web

from service.domain.errors import Declined, NotFound
from service.ops import spools
from service.store.pool import Pool
from service.web import bodies, query
from service.web.api import answer
from service.web.destinations import Because
from service.web.gate import CALLER
from service.web.problems import Refused


@dataclass(frozen=True, slots=True)
class Spools:
    pool: Pool

    async def listed(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        return answer(await spools.listed(self.pool))

    async def forget(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        spool_id = query.identifier(request.match_info["id"])
        said = await bodies.read(request, Because)
        actor = request[CALLER].subject
        try:
            told = await spools.forget(self.pool, spool_id, actor=actor, reason=said.reason)
        except NotFound as error:
            raise Refused(404, str(error)) from None
        except Declined as error:
            raise Refused(409, str(error)) from None
        return answer(told)
