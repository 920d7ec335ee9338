"""Sources behind `/api/v1`, as they are configured at this moment."""

from dataclasses import dataclass
from typing import Annotated

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service.domain.errors import Declined, DependencyUnavailable, Misnamed, NotFound
from service.domain.keys import clean_text
from service.ops import rehearsals, sources
from service.ops.rehearsals import USUAL_ORDER, Wish
from service.ops.sources import Configured
from service.store.pool import Pool
from service.store.seals import Sealed
from service.web import bodies, problems, query
from service.web.api import answer
from service.web.gate import CALLER
from service.web.problems import Refused
from service.web.subjects import Text


class Test(BaseModel):
    """A test event is sent."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    sample: Text
    order: Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[^\x00]*$")] = USUAL_ORDER


@dataclass(frozen=True, slots=True)
class Sources:
    pool: Pool
    configured: Configured

    async def sources(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        known = {name: sender.source for name, sender in self.configured.senders().items()}
        public_url = self.configured.public_url
        return answer(await sources.sources(self.pool, known, public_url=public_url))

    async def source(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        try:
            return answer(await sources.source(self.pool, self.configured, _name(request)))
        except NotFound as error:
            raise Refused(404, str(error)) from None

    async def test(self, request: web.Request) -> web.Response:
        """200 whatever the listener said to the event: that is what the body tells."""
        query.parameters(request, ())
        said = await bodies.read(request, Test)
        wish = Wish(_name(request), said.sample, request[CALLER].subject, said.order)
        configured = self.configured
        try:
            return answer(
                await rehearsals.rehearse(
                    self.pool, configured.senders(), configured.rehearsal, wish
                )
            )
        except NotFound as error:
            raise Refused(404, str(error)) from None
        except Declined as error:
            raise Refused(409, str(error)) from None
        except Misnamed as error:
            raise Refused(400, str(error)) from None
        except DependencyUnavailable as error:
            raise problems.unavailable(str(error)) from None

    async def refusals(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        name = _name(request)
        try:
            return answer(await sources.refused(self.pool, self.configured.senders(), name))
        except NotFound as error:
            raise Refused(404, str(error)) from None

    async def captures(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        name = _name(request)
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
        name = _name(request)
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


def _name(request: web.Request) -> str:
    return clean_text(request.match_info["name"], limit=40) or ""
