"""Sources behind `/api/v1`, as they are configured at this moment."""

from dataclasses import dataclass

from aiohttp import web

from service.domain.errors import NotFound
from service.domain.keys import clean_text
from service.ops import sources
from service.ops.sources import Configured
from service.store.pool import Pool
from service.store.seals import Sealed
from service.web import problems, query
from service.web.api import answer
from service.web.problems import Refused


@dataclass(frozen=True, slots=True)
class Sources:
    pool: Pool
    configured: Configured

    async def sources(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        known = {name: sender.source for name, sender in self.configured.senders().items()}
        public_url = self.configured.public_url
        return answer(await sources.sources(self.pool, known, public_url=public_url))

    async def refusals(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        name = clean_text(request.match_info["name"], limit=40) or ""
        try:
            return answer(await sources.refused(self.pool, self.configured.senders(), name))
        except NotFound as error:
            raise Refused(404, str(error)) from None

    async def captures(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        name = clean_text(request.match_info["name"], limit=40) or ""
        try:
            return answer(
                await sources.captured(
                    self.pool,
                    self.configured.senders(),
                    name,
                    sealing=self.configured.sealing,
                )
            )
        except NotFound as error:
            raise Refused(404, str(error)) from None
        except Sealed as error:
            raise problems.unavailable(str(error)) from None

    async def capture(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        name = clean_text(request.match_info["name"], limit=40) or ""
        number = query.number(request.match_info["id"])
        try:
            return answer(
                await sources.capture(
                    self.pool,
                    self.configured.senders(),
                    name,
                    number,
                    sealing=self.configured.sealing,
                )
            )
        except NotFound as error:
            raise Refused(404, str(error)) from None
        except Sealed as error:
            raise problems.unavailable(str(error)) from None
