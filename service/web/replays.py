"""Replays behind `/api/v1`: an order of stored requests in, what it changes or its job out."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Annotated, Literal, Self
from uuid import UUID

from aiohttp import web
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from service.domain.errors import NotFound
from service.ops import replay
from service.ops.jobs import MOST_RATE, USUAL_RATE
from service.ops.replay import MOST_IDS, Order
from service.ops.rereading import Senders
from service.store.pool import Pool
from service.store.seals import PLAIN, Sealed, Seals
from service.web import bodies, problems, query
from service.web.api import answer
from service.web.gate import CALLER
from service.web.problems import Refused

Word = Literal[
    "applied",
    "superseded",
    "revoked",
    "ignored",
    "waiting",
    "dead",
    "discarded",
    "unreadable",
    "unmapped",
    "unresolved_subject",
    "poison",
]
"""As in `domain.replay.WORDS`."""


class Replay(BaseModel):
    """Read stored requests again."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    source: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[^\x00]*$")] = ""
    event_ids: Annotated[list[UUID], Field(min_length=1, max_length=MOST_IDS)] = []
    since: AwareDatetime | None = None
    until: AwareDatetime | None = None
    outcomes: Annotated[list[Word], Field(min_length=1, max_length=20)] = []
    dry_run: bool = False
    rate: Annotated[int, Field(ge=1, le=MOST_RATE)] = USUAL_RATE

    @model_validator(mode="after")
    def _is_bounded(self) -> Self:
        if bool(self.source) == bool(self.event_ids):
            raise ValueError("Say which requests: either those of a source, or of event_ids.")
        if self.event_ids and self.outcomes:
            raise ValueError("Events that are named are replayed whatever their outcome.")
        if any(map(_is_far, (self.since, self.until))):
            raise ValueError("The years go from 2000 to 2100.")
        return self

    @property
    def order(self) -> Order:
        return Order(
            source=self.source or None,
            since=self.since,
            until=self.until,
            outcomes=tuple(self.outcomes),
            event_ids=tuple(dict.fromkeys(self.event_ids)),
        )


@dataclass(frozen=True, slots=True)
class Replays:
    pool: Pool
    senders: Callable[[], Senders]
    sealing: Seals = PLAIN
    two_people: Callable[[], bool] = lambda: False

    async def start(self, request: web.Request) -> web.Response:
        """202 for a job that is in line now, 200 for a dry run."""
        query.parameters(request, ())
        said = await bodies.read(request, Replay)
        senders = self.senders()
        try:
            if said.dry_run:
                seen = await replay.preview(self.pool, senders, said.order, sealing=self.sealing)
                return answer(seen)
            actor = request[CALLER].subject
            _, body = await replay.start(
                self.pool,
                senders,
                said.order,
                actor=actor,
                rate=said.rate,
                two_people=self.two_people(),
            )
        except NotFound as error:
            raise Refused(404, str(error)) from None
        except Sealed as error:
            raise problems.unavailable(str(error)) from None
        return answer(body, status=202)


def _is_far(moment: datetime | None) -> bool:
    return moment is not None and not 2000 <= moment.year <= 2100
