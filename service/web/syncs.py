"""Single syncs behind `/api/v1`: what is held is listed, and operators decide about each."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from aiohttp import web
from pydantic import BaseModel, ConfigDict

from service.domain.keys import clean_text
from service.ops import syncs
from service.ops.decisions import Hand
from service.ops.lookups import BadCursor
from service.ops.syncs import Action, HeldFor
from service.settings import Destination
from service.store.pool import Pool
from service.web import bodies, query
from service.web.api import PAGE, answer
from service.web.gate import CALLER
from service.web.problems import Refused
from service.web.subjects import Reason, decided, subject_name
from service.worker.rules import Rules


class Decision(BaseModel):
    """What becomes of a sync, and why."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    action: Action
    reason: Reason


@dataclass(frozen=True, slots=True)
class Syncs:
    pool: Pool
    rules: Callable[[], Rules]
    configured: Callable[[], Mapping[str, Destination]]

    async def held(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("destination", "for", *PAGE))
        destination, held_for = said.get("destination"), query.choice(said, "for", HeldFor)
        page = query.page(said)
        try:
            found = await syncs.held(
                self.pool,
                page,
                destination=destination,
                held_for=held_for,
                mask=self.rules().mask,
            )
        except BadCursor:
            raise query.bad_cursor() from None
        return answer(found)

    async def decide(self, request: web.Request) -> web.Response:
        name, _ = subject_name(request)
        said = await bodies.read(request, Decision)
        destination = clean_text(request.match_info["destination"], limit=40)
        if destination is None:
            raise Refused(404, "No destination has such a name.")
        return await decided(
            syncs.decide(
                Hand(self.pool, self.rules(), request[CALLER].subject),
                name,
                destination,
                said.action,
                reason=said.reason,
                configured=self.configured(),
            )
        )
