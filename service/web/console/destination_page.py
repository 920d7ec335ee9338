"""One destination: how it stands and is set up, its last exchanges, what is held; and verbs."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from service.domain.errors import Misnamed
from service.domain.keys import clean_text
from service.ops import attempts, destinations, reconcile, syncs
from service.ops.jobs import MOST_RATE
from service.ops.lookups import AMONG, BadCursor, Body, Page
from service.ops.reconcile import USUAL_RATE, Wish
from service.ops.syncs import HeldFor
from service.store.attempts import AttemptFilter
from service.web import query
from service.web.auth import Role
from service.web.console import languages, settings, showing
from service.web.console.dead_letters import given, one_of
from service.web.console.forms import FORM, Form
from service.web.console.now import duration
from service.web.console.order_acts import LONGEST
from service.web.console.redriving import read_rate, see_job
from service.web.console.replays import read_moment
from service.web.console.routes import Console, Route
from service.web.console.viewers import VIEWER

PATH = r"/destinations/{name:[^/]+}"
LAST, HELD = 25, 25
DONE = ("paused", "resumed")


@dataclass(frozen=True, slots=True)
class DestinationPage:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        pool, configured = self.console.pool, self.console.configured
        name = _name(request)
        said = given(request, ("class", "held", "cursor", "done"))
        body = await destinations.destination(pool, configured.destinations(), name)
        context = {
            "destination": body,
            "counts": (self.console.present.owed() or {}).get(name),
            "now": self.console.clock(),
            "duration": duration,
            "done": said.get("done") if said.get("done") in DONE else "",
            **await self._attempts(name, said.get("class")),
            **await self._held(name, said),
            **_configuration(body),
            "usual_rate": USUAL_RATE,
            "most_rate": MOST_RATE,
            "longest": LONGEST,
        }
        return showing.show(request, "destination.html", context)

    async def pause(self, request: web.Request) -> web.StreamResponse:
        actor, reason = request[VIEWER].caller.subject, _reason(request[FORM])
        known = self.console.configured.destinations()
        name = _name(request)
        await destinations.pause(self.console.pool, known, name, actor=actor, reason=reason)
        return _back(name, "paused")

    async def resume(self, request: web.Request) -> web.StreamResponse:
        actor, reason = request[VIEWER].caller.subject, _reason(request[FORM])
        known = self.console.configured.destinations()
        name = _name(request)
        await destinations.resume(self.console.pool, known, name, actor=actor, reason=reason)
        return _back(name, "resumed")

    async def reconcile(self, request: web.Request) -> web.StreamResponse:
        form, known = request[FORM], self.console.configured.destinations()
        wish = Wish(
            _name(request),
            request[VIEWER].caller.subject,
            since=read_moment(form, "since"),
            dry_run=form.text("act") != "repair",
            rate=read_rate(form),
        )
        job, _ = await reconcile.place(self.console.pool, known, wish)
        return see_job(str(job.id))

    async def _attempts(self, name: str, word: str | None) -> Mapping[str, Any]:
        errors = word == "error"
        wanted = AttemptFilter(
            destination=name, classes=attempts.ERRORS if errors else None, among=AMONG
        )
        found = await attempts.listed(self.console.pool, wanted, Page(LAST))
        return {"attempts": found["items"], "errors": errors, "among": AMONG}

    async def _held(self, name: str, said: Mapping[str, str]) -> Mapping[str, Any]:
        held_for = said.get("held")
        if held_for is not None and held_for not in set(HeldFor):
            raise one_of(HeldFor)
        try:
            found = await syncs.held(
                self.console.pool,
                Page(HELD, said.get("cursor")),
                destination=name,
                held_for=held_for,
                mask=self.console.configured.rules().mask,
            )
        except BadCursor:
            raise query.bad_cursor() from None
        following = found["next"] and showing.at(
            "destinations", name, held=held_for, cursor=found["next"]
        )
        return {
            "held": found["items"],
            "held_for": held_for or "",
            "causes": list(HeldFor),
            "following": f"{following}#held" if following else "",
        }


def _configuration(body: Body) -> Mapping[str, Any]:
    table = body["configuration"]
    return {
        "rows": settings.shown(body, besides=("statuses", "attributes")),
        "statuses": settings.table(table["statuses"]),
        "attributes": settings.table(table["attributes"]),
    }


def _name(request: web.Request) -> str:
    return clean_text(request.match_info["name"], limit=40) or ""


def _reason(form: Form) -> str:
    reason = form.text("reason")
    if not reason:
        raise Misnamed(languages.text("Say why: whoever reads this later will want to know."))
    if len(reason) > LONGEST:
        raise Misnamed(languages.text("The reason is too long; a sentence is enough."))
    return reason


def _back(name: str, done: str) -> web.Response:
    return web.Response(
        status=303, headers={"Location": showing.at("destinations", name, done=done)}
    )


def routes(console: Console) -> tuple[Route, ...]:
    page = DestinationPage(console)
    return (
        Route("GET", PATH, Role.VIEWER, page.shown),
        Route("POST", f"{PATH}/pause", Role.OPERATOR, page.pause),
        Route("POST", f"{PATH}/resume", Role.OPERATOR, page.resume),
        Route("POST", f"{PATH}/reconcile", Role.OPERATOR, page.reconcile),
    )
