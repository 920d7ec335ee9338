"""The dead letters behind `/api/v1`: listed, explained, and handed to jobs by operators."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Literal, Self
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from service.domain.errors import NotFound
from service.ops import dead_letters
from service.ops.dead_letters import MOST_IDS, Order, Verb
from service.ops.jobs import MOST_RATE, USUAL_RATE
from service.ops.lookups import BadCursor
from service.store.dead_letters import RESOLUTIONS, Resolution, Selection
from service.store.pool import Pool
from service.web import bodies, query
from service.web.api import PAGE, answer
from service.web.gate import CALLER
from service.web.problems import Refused

FILTERS = ("kind", "destination", "reason", "source", "subject")
"""In the order of a selection's fields."""
KINDS = ("event", "sync")

Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]


class Filter(BaseModel):
    """Which letters: all that fit every part that is given."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    kind: Literal["event", "sync"] | None = None
    destination: Text | None = None
    reason: Text | None = None
    source: Text | None = None
    subject: Annotated[str, Field(max_length=256, pattern=r"^[^/\x00-\x1f]+/[^\x00-\x1f]+$")] | (
        None
    ) = None


class Redrive(BaseModel):
    """Drive letters again."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_IDS)] | None = None
    filter: Filter | None = None
    dry_run: bool = False
    rate: Annotated[int, Field(ge=1, le=MOST_RATE)] = USUAL_RATE

    @field_validator("ids", "filter", mode="before")
    @classmethod
    def _not_null(cls, said: object) -> object:
        if said is None:
            raise ValueError("null chooses nothing; leave it out.")
        return said

    @model_validator(mode="after")
    def _one_way_to_choose(self) -> Self:
        if (self.ids is None) == (self.filter is None):
            raise ValueError("Say which letters: either ids, or a filter ({} means all of them).")
        return self


class Discard(Redrive):
    """Give letters up."""

    because: Text | None = None


@dataclass(frozen=True, slots=True)
class DeadLetters:
    pool: Pool
    two_people: Callable[[], bool] = lambda: False

    async def queues(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        return answer(await dead_letters.queues(self.pool))

    async def letters(self, request: web.Request) -> web.Response:
        said = query.parameters(request, (*FILTERS, "resolution", *PAGE))
        if said.get("kind", "event") not in KINDS:
            raise Refused(400, f"The parameter kind must be one of {', '.join(KINDS)}.")
        query.subject(said)
        kind, destination, reason, source, subject = map(said.get, FILTERS)
        wanted = Selection(kind, destination, reason, source, subject)
        closed, page = resolution(said.get("resolution")), query.page(said)
        try:
            return answer(await dead_letters.letters(self.pool, wanted, page, closed=closed))
        except BadCursor:
            raise query.bad_cursor() from None

    async def letter(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        letter_id = query.identifier(request.match_info["id"])
        try:
            return answer(await dead_letters.letter(self.pool, letter_id))
        except NotFound as error:
            raise Refused(404, str(error)) from None

    async def redrive(self, request: web.Request) -> web.Response:
        return await self._place(request, await bodies.read(request, Redrive), "redrive")

    async def discard(self, request: web.Request) -> web.Response:
        said = await bodies.read(request, Discard)
        return await self._place(request, said, "discard", because=said.because)

    async def _place(
        self, request: web.Request, said: Redrive, verb: Verb, *, because: str | None = None
    ) -> web.Response:
        """202 for a job that is in line now, 200 for a dry run."""
        query.parameters(request, ())
        order = Order(verb, _selection(said), request[CALLER].subject, said.rate, because)
        try:
            placed = await dead_letters.place(
                self.pool, order, dry_run=said.dry_run, two_people=self.two_people()
            )
        except NotFound as error:
            raise Refused(404, str(error)) from None
        return answer(placed.body, status=202 if placed.job else 200)


def resolution(word: str | None) -> Resolution | None:
    """How letters were closed, for a list of those; None for one of open letters."""
    for known in RESOLUTIONS:
        if word == known:
            return known
    if word is not None:
        raise Refused(400, f"The parameter resolution must be one of {', '.join(RESOLUTIONS)}.")
    return None


def _selection(said: Redrive) -> Selection:
    if said.ids is not None:
        return Selection(ids=tuple(dict.fromkeys(said.ids)))
    assert said.filter is not None
    return Selection(**said.filter.model_dump())
