"""Exchanges behind `/api/v1/attempts`: found by subject, event, destination, end and time."""

from dataclasses import dataclass

from aiohttp import web

from service.ops import attempts
from service.ops.lookups import BadCursor
from service.store.attempts import AttemptFilter
from service.store.pool import Pool
from service.web import query
from service.web.api import PAGE, answer
from service.worker.crms.base import Class

FILTERS = ("subject", "event", "destination", "class", "since", "until")
ERROR = "error"
"""Stands for every class but `ok`."""


@dataclass(frozen=True, slots=True)
class Attempts:
    pool: Pool

    async def listed(self, request: web.Request) -> web.Response:
        said = query.parameters(request, (*FILTERS, *PAGE))
        wanted = AttemptFilter(
            subject=query.subject(said),
            event_id=query.uuid(said, "event"),
            destination=said.get("destination"),
            classes=_classes(said),
            since=query.moment(said, "since"),
            until=query.moment(said, "until"),
        )
        try:
            return answer(await attempts.listed(self.pool, wanted, query.page(said)))
        except BadCursor:
            raise query.bad_cursor() from None


def _classes(said: dict[str, str]) -> tuple[str, ...] | None:
    if said.get("class") == ERROR:
        return attempts.ERRORS
    chosen = query.choice(said, "class", Class, beside=ERROR)
    return (chosen,) if chosen is not None else None
