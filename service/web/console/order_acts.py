"""What operators decide about one order: a form in, and back to the order with what was done."""

from collections.abc import Awaitable
from dataclasses import dataclass
from uuid import UUID

from aiohttp import web

from service.domain.errors import Declined, Misnamed
from service.domain.events import Alias, Subject
from service.ops import corrections, dossiers, names, syncs
from service.ops.decisions import Hand, unknown
from service.ops.lookups import Body
from service.ops.syncs import Action
from service.web import query
from service.web.auth import Role
from service.web.console import languages, order_page, showing
from service.web.console.forms import FORM, Form
from service.web.console.order_page import PATH
from service.web.console.routes import Console, Route
from service.web.console.viewers import VIEWER
from service.web.subjects import subject_name

LONGEST = 1000
"""Characters of a reason, as the API takes them."""


@dataclass(frozen=True, slots=True)
class OrderActs:
    console: Console

    async def correct(self, request: web.Request) -> web.StreamResponse:
        form, name = _said(request)
        lane, dot, status = form.text("to").partition(".")
        if not dot:
            raise Misnamed(languages.text("Choose the status that the lane should show."))
        hand, reason = self._hand(request), _reason(form)
        done = corrections.correct(hand, name, lane=lane, status=status, reason=reason)
        return await _back(done, "correct")

    async def release(self, request: web.Request) -> web.StreamResponse:
        form, name = _said(request)
        number = query.number(form.text("correction"))
        return await _back(corrections.release(self._hand(request), name, number), "release")

    async def roll_back(self, request: web.Request) -> web.StreamResponse:
        form, name = _said(request)
        try:
            event_id = UUID(form.text("event"))
        except ValueError:
            raise Misnamed(languages.text("Open the event that should be taken back.")) from None
        hand, reason = self._hand(request), _reason(form)
        return await _back(corrections.roll_back(hand, name, event_id, reason=reason), "roll_back")

    async def link(self, request: web.Request) -> web.StreamResponse:
        form, name = _said(request)
        return await _back(names.link(self._hand(request), name, _alias(form)), "link")

    async def unlink(self, request: web.Request) -> web.StreamResponse:
        form, name = _said(request)
        return await _back(names.unlink(self._hand(request), name, _alias(form)), "unlink")

    async def decide(self, request: web.Request) -> web.StreamResponse:
        form, name = _said(request)
        word, destination = form.text("action"), form.text("destination")
        if word not in set(Action):
            raise Misnamed(languages.text("Choose what should become of it."))
        done = syncs.decide(
            self._hand(request),
            name,
            destination,
            Action(word),
            reason=_reason(form),
            configured=self.console.configured.destinations(),
        )
        return await _back(done, word)

    async def plan_merge(self, request: web.Request) -> web.StreamResponse:
        """Both orders beside each other, before anything is done."""
        name, said = subject_name(request, also=("into",))
        into, loser = said.get("into", "").strip(), await self._one(name)
        if into and "/" not in into:
            into = f"{name.lifecycle}/{into}"
        readings = names.read_subject(into)
        found = [other for each in readings if (other := await self._read(each)) is not None]
        if not found:
            raise unknown(readings[-1])
        if found[0]["subject"] == loser["subject"]:
            sentence = languages.text("%(order)s cannot be merged into itself.")
            raise Declined(sentence % {"order": loser["subject"]})
        context = {"loser": loser, "survivor": found[0]}
        return showing.show(request, "order_merge.html", context)

    async def merge(self, request: web.Request) -> web.StreamResponse:
        form, name = _said(request)
        readings = names.read_subject(form.text("into"))
        hand, reason = self._hand(request), _reason(form)
        return await _back(names.merge(hand, name, readings, reason=reason), "merge")

    def _hand(self, request: web.Request) -> Hand:
        actor = request[VIEWER].caller.subject
        return Hand(self.console.pool, self.console.configured.rules(), actor)

    async def _one(self, name: Subject) -> Body:
        if (found := await self._read(name)) is None:
            raise unknown(name)
        return found

    async def _read(self, name: Subject) -> Body | None:
        rules, pool = self.console.configured.rules(), self.console.pool
        return await dossiers.read(pool, name, lifecycles=rules.lifecycles, mask=rules.mask)


def _said(request: web.Request) -> tuple[Form, Subject]:
    return request[FORM], subject_name(request)[0]


def _reason(form: Form) -> str:
    reason = form.text("reason")
    if not reason:
        raise Misnamed(languages.text("Say why: whoever reads this later will want to know."))
    if len(reason) > LONGEST:
        raise Misnamed(languages.text("The reason is too long; a sentence is enough."))
    return reason


def _alias(form: Form) -> Alias:
    return Alias(form.text("type"), form.text("value"))


async def _back(done: Awaitable[Body], word: str) -> web.Response:
    body = await done
    return web.Response(status=303, headers={"Location": order_page.address(body, done=word)})


def routes(console: Console) -> tuple[Route, ...]:
    acts = OrderActs(console)
    return (
        Route("POST", f"{PATH}/corrections", Role.OPERATOR, acts.correct),
        Route("POST", f"{PATH}/release", Role.OPERATOR, acts.release),
        Route("POST", f"{PATH}/rollbacks", Role.OPERATOR, acts.roll_back),
        Route("POST", f"{PATH}/link", Role.OPERATOR, acts.link),
        Route("POST", f"{PATH}/unlink", Role.OPERATOR, acts.unlink),
        Route("POST", f"{PATH}/syncs", Role.OPERATOR, acts.decide),
        Route("GET", f"{PATH}/merge", Role.OPERATOR, acts.plan_merge),
        Route("POST", f"{PATH}/merge", Role.OPERATOR, acts.merge),
    )
