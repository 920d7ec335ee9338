"""One order: where it stands and why, its time line, and what each CRM was told and answered."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import web

from service.domain.events import Subject
from service.ops import attempts, board, dossiers, refresh
from service.ops.decisions import unknown
from service.ops.lookups import Body, Page
from service.ops.refresh import Look
from service.store.attempts import AttemptFilter
from service.web.auth import Role
from service.web.console import languages, showing, timeline
from service.web.console.routes import Console, Route
from service.web.console.viewers import VIEWER
from service.web.subjects import subject_name

PATH = r"/orders/{lifecycle:[^/]+}/{ref:[^/]+}"
MOST_ATTEMPTS = 60
MOST_STEPS = 100
SAID = ("done", "seen", "all")
UNDECIDED = ("pending", "no_record", "dead", "held")


@dataclass(frozen=True, slots=True)
class OrderPage:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        """The page; its live part only where something changed since it was `seen`."""
        name, said = subject_name(request, also=SAID)
        context = await self._context(name, everything="all" in said)
        if showing.live(request):
            if said.get("seen") == context["seen"]:
                return web.Response(status=204)
            return showing.show(request, "_order.html", context)
        context["notice"] = notices().get(said.get("done", ""))
        return showing.show(request, "order.html", context)

    async def compared(self, request: web.Request) -> web.StreamResponse:
        """What each CRM shows now; it is asked, and nothing is owed or written."""
        name, _ = subject_name(request)
        rules = self.console.configured.rules()
        look = Look(
            self.console.pool,
            self.console.configured.adapters(),
            rules.lifecycles,
            actor=request[VIEWER].caller.subject,
            repair=False,
            mask=rules.mask,
        )
        body = await refresh.read(look, name)
        if body is None:
            raise unknown(name)
        compared = {"readings": body["readings"], "drift": body["drift"]}
        if showing.live(request):
            return showing.show(request, "_comparison.html", {"body": body, **compared})
        context = await self._context(name)
        return showing.show(request, "order.html", {**context, "notice": None, **compared})

    async def _context(self, name: Subject, *, everything: bool = False) -> dict[str, Any]:
        body, told = await self._read(name)
        rules = self.console.configured.rules()
        items = board.choices(rules.lifecycles)["items"]
        choices = next((each for each in items if each["lifecycle"] == body["lifecycle"]), None)
        lanes = [each["lane"] for each in choices["lanes"]] if choices else []
        steps = [*enumerate(body["history"])][::-1]
        return {
            "body": body,
            "told": told,
            "seen": _digest(body, told),
            "drawing": timeline.draw(body, lanes),
            "steps": steps if everything else steps[:MOST_STEPS],
            "more_steps": 0 if everything else max(len(steps) - MOST_STEPS, 0),
            "choices": choices,
            "readings": None,
            "drift": (),
        }

    async def _read(self, name: Subject) -> tuple[Body, Mapping[str, list[Body]]]:
        """The order, and by destination the last exchanges about it."""
        rules = self.console.configured.rules()
        pool = self.console.pool
        body = await dossiers.read(pool, name, lifecycles=rules.lifecycles, mask=rules.mask)
        if body is None:
            raise unknown(name)
        wanted = AttemptFilter(subject=body["subject"])
        told: dict[str, list[Body]] = {}
        for each in (await attempts.listed(pool, wanted, Page(MOST_ATTEMPTS)))["items"]:
            told.setdefault(each["destination"], []).append(each)
        return body, told


def address(body: Mapping[str, Any], *more: str, **said: object) -> str:
    """Where an order is, or what is done to it."""
    scope = body["scope"]
    return showing.at("orders", body["lifecycle"], body["ref"], *more, scope=scope, **said)


def notices() -> Mapping[str, str]:
    """What was done, by the word that the address carries afterwards."""
    return {
        "correct": languages.text("The status is set. It stays so until somebody releases it."),
        "release": languages.text("Released: the lane shows again what events say."),
        "roll_back": languages.text("The event was taken back, and the order folded without it."),
        "link": languages.text("Linked. Events that waited for this name go on."),
        "unlink": languages.text("The name does not lead here any more."),
        "merge": languages.text("Merged: this order stands for both now."),
        "overwrite": languages.text("Ours is written there, whatever stands there."),
        "accept": languages.text("Theirs stays until the next version."),
        "retry": languages.text("It is tried now."),
    }


def _digest(body: Body, told: Mapping[str, list[Body]]) -> str:
    """Of all that the live part shows: while it is the same, nothing is sent again."""
    kept = {key: value for key, value in body.items() if key not in ("readings", "drift")}
    return hashlib.sha256(orjson.dumps([kept, told])).hexdigest()[:16]


def routes(console: Console) -> tuple[Route, ...]:
    page = OrderPage(console)
    return (
        Route("GET", PATH, Role.VIEWER, page.shown),
        Route("POST", f"{PATH}/comparison", Role.VIEWER, page.compared),
    )
