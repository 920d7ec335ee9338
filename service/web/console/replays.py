"""Which requests to read again comes in; what that would change, or the job for it, goes out."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from aiohttp import web

from service.domain.replay import USUAL, WORDS
from service.ops import replay
from service.ops.jobs import MOST_RATE, USUAL_RATE
from service.ops.lookups import Body
from service.ops.replay import Order
from service.web.auth import Role
from service.web.console import languages, showing
from service.web.console.dead_letters import one_of
from service.web.console.forms import FORM, Form
from service.web.console.redriving import read_rate, see_job
from service.web.console.routes import Console, Route
from service.web.console.viewers import VIEWER
from service.web.problems import Refused

NO_SOURCE = languages.mark("Choose the source whose requests are read again.")
NO_TIME = languages.mark("Write times like 2026-05-04T12:00, in UTC, years 2000 to 2100.")
PATIENCE = 30.0
"""Seconds a dry run may take: it reads thousands of requests."""


@dataclass(frozen=True, slots=True)
class Replays:
    console: Console

    async def form(self, request: web.Request) -> web.StreamResponse:
        wanted = {
            "source": request.query.get("source", ""),
            "since": "",
            "until": "",
            "outcomes": [word for word in request.query.getall("outcomes", ()) if word in WORDS],
        }
        return self._page(request, wanted, seen=None)

    async def act(self, request: web.Request) -> web.StreamResponse:
        """A dry run, unless the button says `start`."""
        form, configured = request[FORM], self.console.configured
        order, senders = read_order(form), configured.senders()
        if form.text("act") == "start":
            job, _ = await replay.start(
                self.console.pool,
                senders,
                order,
                actor=request[VIEWER].caller.subject,
                rate=read_rate(form),
                two_people=configured.two_people(),
            )
            return see_job(str(job.id))
        async with asyncio.timeout(PATIENCE):
            seen = await replay.preview(
                self.console.pool, senders, order, sealing=configured.sealing
            )
        wanted = {
            **{name: form.text(name) for name in ("source", "since", "until")},
            "outcomes": list(order.outcomes),
        }
        return self._page(request, wanted, seen=seen)

    def _page(
        self, request: web.Request, wanted: Mapping[str, object], *, seen: Body | None
    ) -> web.Response:
        context = {
            "sources": sorted(self.console.configured.senders()),
            "words": WORDS,
            "usual": sorted(USUAL),
            "wanted": wanted,
            "seen": seen,
            "usual_rate": USUAL_RATE,
            "most_rate": MOST_RATE,
            "approval": self.console.configured.two_people(),
        }
        return showing.show(request, "replay.html", context)


def routes(console: Console) -> tuple[Route, ...]:
    pages = Replays(console)
    return (
        Route("GET", "/replay", Role.OPERATOR, pages.form),
        Route("POST", "/replay", Role.OPERATOR, pages.act),
    )


def read_order(form: Form) -> Order:
    source = form.text("source")
    if not source:
        raise Refused(400, NO_SOURCE)
    return Order(
        source=source,
        since=read_moment(form, "since"),
        until=read_moment(form, "until"),
        outcomes=_outcomes(form.all("outcomes")),
    )


def _outcomes(said: Sequence[str]) -> Sequence[str]:
    if any(word not in WORDS for word in said):
        raise one_of(WORDS)
    return tuple(dict.fromkeys(said))


def read_moment(form: Form, name: str) -> datetime | None:
    """A time in UTC as a browser's field writes it."""
    said = form.text(name)
    if not said:
        return None
    try:
        found = datetime.fromisoformat(said)
    except ValueError:
        found = None
    if found is None or not 2000 <= found.year <= 2100:
        raise Refused(400, NO_TIME)
    return found if found.tzinfo else found.replace(tzinfo=UTC)
