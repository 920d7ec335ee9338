"""Jobs behind `/api/v1`: listed, told how far they are, approved by a second person, cancelled."""

from collections.abc import Awaitable
from dataclasses import dataclass
from typing import get_args

from aiohttp import web

from service.domain.errors import Declined, NotFound
from service.ops import approvals, jobs
from service.ops.lookups import BadCursor, Body
from service.store.jobs import Filter, Kind, State
from service.store.pool import Pool
from service.web import query
from service.web.api import PAGE, answer
from service.web.gate import CALLER
from service.web.problems import Refused

KINDS: tuple[str, ...] = get_args(Kind)
STATES: tuple[str, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class Jobs:
    pool: Pool

    async def listed(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("kind", "state", *PAGE))
        for name, words in (("kind", KINDS), ("state", STATES)):
            if said.get(name, words[0]) not in words:
                raise Refused(400, f"The parameter {name} must be one of {', '.join(words)}.")
        wanted = Filter(said.get("kind"), said.get("state"))
        try:
            return answer(await jobs.listed(self.pool, wanted, query.page(said)))
        except BadCursor:
            raise query.bad_cursor() from None

    async def shown(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        found = await jobs.read(self.pool, query.identifier(request.match_info["id"]))
        if found is None:
            raise Refused(404, jobs.UNKNOWN)
        return answer(found)

    async def approve(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        job_id = query.identifier(request.match_info["id"])
        actor = request[CALLER].subject
        return await _decided(approvals.approve(self.pool, job_id, actor=actor))

    async def cancel(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        job_id = query.identifier(request.match_info["id"])
        actor = request[CALLER].subject
        return await _decided(approvals.cancel(self.pool, job_id, actor=actor))


async def _decided(work: Awaitable[Body]) -> web.Response:
    try:
        return answer(await work)
    except NotFound as error:
        raise Refused(404, str(error)) from None
    except Declined as error:
        raise Refused(409, str(error)) from None
