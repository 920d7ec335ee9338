"""Jobs: the long work that somebody asked for, how far it is, and what a second person says."""

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from service.domain.errors import NotFound
from service.ops import approvals, jobs
from service.ops.jobs import ENDED
from service.ops.lookups import BadCursor, Body, Page
from service.store.jobs import Filter
from service.web import query
from service.web.auth import Role
from service.web.console import languages, showing
from service.web.console.dead_letters import given, one_of
from service.web.console.redriving import see_job
from service.web.console.routes import Console, Route
from service.web.console.viewers import VIEWER
from service.web.jobs import KINDS, STATES

A_PAGE = 50
ID = r"/jobs/{id:[0-9a-fA-F-]{36}}"


@dataclass(frozen=True, slots=True)
class Jobs:
    console: Console

    async def listed(self, request: web.Request) -> web.StreamResponse:
        said = given(request, ("kind", "state", "cursor"))
        kind, state = _known(said.get("kind"), KINDS), _known(said.get("state"), STATES)
        try:
            page = Page(A_PAGE, said.get("cursor"))
            body = await jobs.listed(self.console.pool, Filter(kind, state), page)
        except BadCursor:
            raise query.bad_cursor() from None
        context = {
            "jobs": body["items"],
            "following": body["next"]
            and showing.at("jobs", kind=kind, state=state, cursor=body["next"]),
            "address": showing.at("jobs", **said),
            "kind": kind or "",
            "state": state or "",
            "kinds": KINDS,
            "states": STATES,
        }
        part = showing.live(request)
        return showing.show(request, "_jobs.html" if part else "jobs.html", context)

    async def shown(self, request: web.Request) -> web.StreamResponse:
        job = await jobs.read(self.console.pool, _identifier(request))
        if job is None:
            raise NotFound(jobs.UNKNOWN)
        context = {
            "job": job,
            "about": about(job),
            "over": job["state"] in ENDED,
            "hours": approvals.HOURS,
            "own": approvals.is_own(job["actor"], request[VIEWER].caller.subject),
        }
        part = showing.live(request)
        return showing.show(request, "_job.html" if part else "job.html", context)

    async def approve(self, request: web.Request) -> web.StreamResponse:
        actor = request[VIEWER].caller.subject
        job = await approvals.approve(self.console.pool, _identifier(request), actor=actor)
        return see_job(job["id"])

    async def cancel(self, request: web.Request) -> web.StreamResponse:
        actor = request[VIEWER].caller.subject
        job = await approvals.cancel(self.console.pool, _identifier(request), actor=actor)
        return see_job(job["id"])


def routes(console: Console) -> tuple[Route, ...]:
    pages = Jobs(console)
    return (
        Route("GET", "/jobs", Role.VIEWER, pages.listed),
        Route("GET", ID, Role.VIEWER, pages.shown),
        Route("POST", f"{ID}/approve", Role.OPERATOR, pages.approve),
        Route("POST", f"{ID}/cancel", Role.OPERATOR, pages.cancel),
    )


def about(job: Body) -> Sequence[tuple[str, str]]:
    """What a job is about: the words of whoever asked, each with the name of its field."""
    asked = dict(job["asked"])
    chosen = asked.pop("selection", None) or {}
    found = {**chosen, **asked}
    return [(name, _told(value)) for name, value in found.items() if value not in (None, "", [])]


def _told(value: object) -> str:
    match value:
        case [first, *others] if others:
            return f"{first} … ({len(others) + 1})"
        case [only]:
            return str(only)
        case bool():
            return languages.text("yes") if value else languages.text("no")
        case _:
            return str(value)


def _known(word: str | None, words: Sequence[str]) -> str | None:
    if word is not None and word not in words:
        raise one_of(words)
    return word


def _identifier(request: web.Request) -> UUID:
    return query.identifier(request.match_info["id"])
