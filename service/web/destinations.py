"""Destinations behind `/api/v1`: how they stand, and operators who pause and resume them."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, field_validator

from service.domain.errors import Declined, NotFound
from service.domain.keys import clean_text
from service.ops import destinations, reconcile
from service.ops.jobs import MOST_RATE
from service.ops.lookups import Body
from service.ops.reconcile import USUAL_RATE, Wish
from service.settings import Destination
from service.store.pool import Pool
from service.web import bodies, query
from service.web.api import answer
from service.web.gate import CALLER
from service.web.problems import Refused
from service.web.subjects import Reason

Verb = Callable[..., Awaitable[Body]]


class Because(BaseModel):
    """Why somebody does it."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    reason: Reason


class Reconciliation(BaseModel):
    """A destination is read back."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    since: AwareDatetime | None = None
    dry_run: bool = False
    rate: Annotated[int, Field(ge=1, le=MOST_RATE)] = USUAL_RATE

    @field_validator("since")
    @classmethod
    def _near(cls, since: datetime | None) -> datetime | None:
        if since is not None and not 2000 <= since.year <= 2100:
            raise ValueError("The years go from 2000 to 2100.")
        return since


@dataclass(frozen=True, slots=True)
class Destinations:
    pool: Pool
    configured: Callable[[], Mapping[str, Destination]]

    async def listed(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        return answer(await destinations.listed(self.pool, self.configured()))

    async def shown(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        name = clean_text(request.match_info["name"], limit=40) or ""
        try:
            return answer(await destinations.destination(self.pool, self.configured(), name))
        except NotFound as error:
            raise Refused(404, str(error)) from None

    async def pause(self, request: web.Request) -> web.Response:
        return await self._done(request, destinations.pause)

    async def resume(self, request: web.Request) -> web.Response:
        return await self._done(request, destinations.resume)

    async def reconcile(self, request: web.Request) -> web.Response:
        """202: a job is in line now, which a worker takes."""
        query.parameters(request, ())
        said = await bodies.read(request, Reconciliation)
        name = clean_text(request.match_info["name"], limit=40) or ""
        wish = Wish(name, request[CALLER].subject, said.since, said.dry_run, said.rate)
        try:
            _, body = await reconcile.place(self.pool, self.configured(), wish)
        except NotFound as error:
            raise Refused(404, str(error)) from None
        except Declined as error:
            raise Refused(409, str(error)) from None
        return answer(body, status=202)

    async def _done(self, request: web.Request, verb: Verb) -> web.Response:
        query.parameters(request, ())
        said = await bodies.read(request, Because)
        name = clean_text(request.match_info["name"], limit=40) or ""
        actor = request[CALLER].subject
        try:
            told = await verb(self.pool, self.configured(), name, actor=actor, reason=said.reason)
        except NotFound as error:
            raise Refused(404, str(error)) from None
        return answer(told)
