"""Subjects behind `/api/v1`: listed and shown to viewers, decided about by operators."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from service.domain.errors import Declined, Misnamed, NotFound
from service.domain.events import Alias, Subject
from service.domain.keys import clean_text
from service.ops import board, corrections, dossiers, lookups, names, refolds, refresh, search
from service.ops.decisions import Hand, unknown
from service.ops.jobs import MOST_RATE
from service.ops.lookups import BadCursor, Body
from service.ops.refolds import USUAL_RATE
from service.ops.refresh import Adapters, Look
from service.store.lookups import SubjectFilter
from service.store.pool import Pool
from service.web import bodies, query
from service.web.api import PAGE, answer
from service.web.auth import Role
from service.web.gate import CALLER
from service.web.problems import Refused
from service.worker.rules import Rules

Text = Annotated[str, Field(min_length=1, max_length=256, pattern=r"^[^\x00]*$")]
Reason = Annotated[
    str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00]*[^\x00\s][^\x00]*$")
]

FILTERS = ("lifecycle", "status", "ref", "flag", "alias")


class _Said(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class Correction(_Said):
    """A lane is put on a status."""

    lane: Text
    status: Text
    reason: Reason


class Rollback(_Said):
    """An event is taken back."""

    event_id: UUID
    reason: Reason


class Name(_Said):
    """Another name of the subject."""

    type: Text
    value: Text


class Into(_Said):
    """A subject in its three parts."""

    lifecycle: Text
    scope: Annotated[str, Field(max_length=256, pattern=r"^[^\x00]*$")] = ""
    ref: Text


class Merge(_Said):
    """The subject and another one are the same."""

    into: Text | Into
    reason: Reason


class Refold(_Said):
    """Subjects are folded anew by the present configuration."""

    lifecycle: Text | None = None
    dry_run: bool = False
    rate: Annotated[int, Field(ge=1, le=MOST_RATE)] = USUAL_RATE


@dataclass(frozen=True, slots=True)
class Subjects:
    pool: Pool
    rules: Callable[[], Rules]
    adapters: Adapters = field(default=dict, repr=False)
    two_people: Callable[[], bool] = lambda: False

    async def listed(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("q", *FILTERS, *PAGE))
        if "q" in said:
            return await self._found(said)
        lifecycle, status, ref, flag, alias = map(said.get, FILTERS)
        wanted = SubjectFilter(lifecycle, status, ref, flag, query.alias(alias))
        try:
            return answer(
                await lookups.subjects(
                    self.pool, wanted, query.page(said), lifecycles=self.rules().lifecycles
                )
            )
        except BadCursor:
            raise query.bad_cursor() from None

    async def _found(self, said: Mapping[str, str]) -> web.Response:
        if len(said) > 1:
            raise Refused(400, "The parameter q goes alone: it looks everywhere.")
        known = self.rules().lifecycles
        return answer(await search.find(self.pool, said["q"], lifecycles=known))

    async def board(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("lifecycle", "newest"))
        newest = query.count(said, "newest", most=board.MOST_NEWEST)
        try:
            body = await board.read(
                self.pool,
                said.get("lifecycle", "order"),
                lifecycles=self.rules().lifecycles,
                newest=board.USUAL_NEWEST if newest is None else newest,
            )
        except NotFound as error:
            raise Refused(404, str(error)) from None
        return answer(body)

    async def lifecycles(self, request: web.Request) -> web.Response:
        query.parameters(request, ())
        return answer(board.choices(self.rules().lifecycles))

    async def shown(self, request: web.Request) -> web.Response:
        """`refresh` asks every destination; whoever may not repair asks with repair=false."""
        name, said = subject_name(request, also=("refresh", "repair"))
        fresh, repair = query.truth(said, "refresh"), query.truth(said, "repair")
        if repair is not None and not fresh:
            raise Refused(400, "The parameter repair goes with refresh=true only.")
        lifecycles = self.rules().lifecycles
        if fresh:
            look = self._look(request, repair=repair is not False)
            found = await refresh.read(look, name)
        else:
            mask = self.rules().mask
            found = await dossiers.read(self.pool, name, lifecycles=lifecycles, mask=mask)
        if found is None:
            raise Refused(404, str(unknown(name)))
        return answer(found)

    def _look(self, request: web.Request, *, repair: bool) -> Look:
        caller = request[CALLER]
        if repair and caller.role < Role.OPERATOR:
            raise Refused(
                403,
                "What drifted is owed again, which needs the role operator; "
                "with repair=false the role viewer is enough.",
            )
        lifecycles = self.rules().lifecycles
        return Look(
            self.pool,
            self.adapters(),
            lifecycles,
            actor=caller.subject,
            repair=repair,
            mask=self.rules().mask,
        )

    async def correct(self, request: web.Request) -> web.Response:
        name, said = _name(request), await bodies.read(request, Correction)
        return await decided(
            corrections.correct(
                self._hand(request), name, lane=said.lane, status=said.status, reason=said.reason
            )
        )

    async def release(self, request: web.Request) -> web.Response:
        name, number = _name(request), query.number(request.match_info["id"])
        return await decided(corrections.release(self._hand(request), name, number))

    async def roll_back(self, request: web.Request) -> web.Response:
        name, said = _name(request), await bodies.read(request, Rollback)
        return await decided(
            corrections.roll_back(self._hand(request), name, said.event_id, reason=said.reason)
        )

    async def link(self, request: web.Request) -> web.Response:
        name, said = _name(request), await bodies.read(request, Name)
        return await decided(names.link(self._hand(request), name, Alias(said.type, said.value)))

    async def unlink(self, request: web.Request) -> web.Response:
        name, said = _name(request), await bodies.read(request, Name)
        return await decided(names.unlink(self._hand(request), name, Alias(said.type, said.value)))

    async def merge(self, request: web.Request) -> web.Response:
        name, said = _name(request), await bodies.read(request, Merge)
        return await decided(self._merge(self._hand(request), name, said))

    async def _merge(self, hand: Hand, name: Subject, said: Merge) -> Body:
        into = said.into
        readings = (
            names.read_subject(into)
            if isinstance(into, str)
            else [Subject(into.lifecycle, into.scope, into.ref)]
        )
        return await names.merge(hand, name, readings, reason=said.reason)

    async def refold(self, request: web.Request) -> web.Response:
        """202 for a job that is in line now, 200 for a dry run."""
        query.parameters(request, ())
        said = await bodies.read(request, Refold)
        placing = refolds.place(
            self._hand(request),
            said.lifecycle,
            rate=said.rate,
            dry_run=said.dry_run,
            two_people=self.two_people(),
        )
        try:
            _, body = await placing
        except Misnamed as error:
            raise Refused(400, str(error)) from None
        except Declined as error:
            raise Refused(409, str(error)) from None
        return answer(body, status=200 if said.dry_run else 202)

    def _hand(self, request: web.Request) -> Hand:
        return Hand(self.pool, self.rules(), request[CALLER].subject)


def _name(request: web.Request) -> Subject:
    return subject_name(request)[0]


def subject_name(
    request: web.Request, *, also: Sequence[str] = ()
) -> tuple[Subject, dict[str, str]]:
    """The subject in the path and the query string; 404 for a name that no subject can have."""
    said = query.parameters(request, ("scope", *also))
    name = Subject(
        request.match_info["lifecycle"], said.get("scope", ""), request.match_info["ref"]
    )
    if None in map(clean_text, name):
        raise Refused(404, "No subject has such a name: it is at most 256 bytes of text.")
    return name, said


async def decided(work: Awaitable[Body]) -> web.Response:
    """The subject after the decision, or the problem that kept it from being taken."""
    try:
        return answer(await work)
    except NotFound as error:
        raise Refused(404, str(error)) from None
    except Declined as error:
        raise Refused(409, str(error)) from None
    except Misnamed as error:
        raise Refused(400, str(error)) from None
