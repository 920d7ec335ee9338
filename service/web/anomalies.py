"""What looks wrong, behind `/api/v1`: contradicting names, keys used twice, silence."""

from dataclasses import dataclass
from enum import StrEnum

from aiohttp import web

from service.ops import lookups
from service.ops.lookups import BadCursor
from service.store.lookups import AnomalyFilter
from service.store.pool import Pool
from service.web import query
from service.web.api import PAGE, answer


class Kind(StrEnum):
    """As the table takes them."""

    KEY_CONFLICT = "key_conflict"
    ALIAS_CONFLICT = "alias_conflict"
    SILENCE = "silence"


@dataclass(frozen=True, slots=True)
class Anomalies:
    pool: Pool

    async def listed(self, request: web.Request) -> web.Response:
        said = query.parameters(request, ("kind", "source", "open", *PAGE))
        wanted = AnomalyFilter(
            query.choice(said, "kind", Kind), said.get("source"), query.truth(said, "open")
        )
        try:
            return answer(await lookups.anomalies(self.pool, wanted, query.page(said)))
        except BadCursor:
            raise query.bad_cursor() from None
