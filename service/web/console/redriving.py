"""Which dead letters somebody chose comes in; a dry run in words, then the job, goes out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from uuid import UUID

from aiohttp import web

from service.domain.verdict import Reason
from service.ops import dead_letters
from service.ops.dead_letters import MOST_IDS, Order, Verb
from service.ops.jobs import MOST_RATE, USUAL_RATE
from service.store.dead_letters import Selection
from service.web.auth import Role
from service.web.console import languages, showing
from service.web.console.dead_letters import REPLAYED, filters, selection
from service.web.console.forms import FORM, UNREADABLE, Form
from service.web.console.routes import Console, Route
from service.web.console.viewers import VIEWER
from service.web.dead_letters import FILTERS
from service.web.problems import Refused

VERBS: Sequence[Verb] = ("redrive", "discard")
LONGEST_REASON = 256

Choice = Literal["all", "ticked"]
CHOICES: Sequence[Choice] = ("all", "ticked")

NONE_TICKED = languages.mark("No letter is ticked: tick at least one, or take all of the list.")
LONG_REASON = languages.mark("The reason is too long; a sentence is enough.")
NO_REASON = languages.mark("Say why they are given up; it is kept with each of them.")


@dataclass(frozen=True, slots=True)
class Redriving:
    console: Console

    async def plan(self, request: web.Request) -> web.StreamResponse:
        """A dry run: nothing is changed by looking at it."""
        form = request[FORM]
        verb, choice = _act(form)
        chosen = _chosen(form, choice)
        actor = request[VIEWER].caller.subject
        order = Order(verb, chosen, actor)
        placed = await dead_letters.place(self.console.pool, order, dry_run=True)
        given = filters(chosen)
        context = {
            "verb": verb,
            "choice": choice,
            "ids": [str(each) for each in chosen.ids or ()],
            "chosen": given,
            "filters": dict.fromkeys(FILTERS, "") | given,
            "counted": placed.body,
            "replayed": chosen.reason in REPLAYED,
            "poison": chosen.reason == Reason.POISON,
            "usual_rate": USUAL_RATE,
            "most_rate": MOST_RATE,
            "approval": self.console.configured.two_people() and order.bulk,
        }
        return showing.show(request, "dead_letter_plan.html", context)

    async def start(self, request: web.Request) -> web.StreamResponse:
        form = request[FORM]
        verb, choice = _act(form)
        because = form.text("because")
        if verb == "discard" and not because:
            raise Refused(400, NO_REASON)
        if len(because) > LONGEST_REASON:
            raise Refused(400, LONG_REASON)
        order = Order(
            verb,
            _chosen(form, choice),
            request[VIEWER].caller.subject,
            read_rate(form),
            because or None,
        )
        two_people = self.console.configured.two_people()
        placed = await dead_letters.place(
            self.console.pool, order, dry_run=False, two_people=two_people
        )
        assert placed.job is not None
        return see_job(str(placed.job.id))


def routes(console: Console) -> tuple[Route, ...]:
    pages = Redriving(console)
    return (
        Route("GET", "/dead-letters/plan", Role.VIEWER, _back),
        Route("POST", "/dead-letters/plan", Role.OPERATOR, pages.plan),
        Route("POST", "/dead-letters/start", Role.OPERATOR, pages.start),
    )


def read_rate(form: Form) -> int:
    """Rows a second; the usual rate where the field was left empty."""
    said = form.text("rate")
    if not said:
        return USUAL_RATE
    rate = int(said) if said.isascii() and said.isdigit() and len(said) <= len("10000") else 0
    if not 1 <= rate <= MOST_RATE:
        raise bad_rate()
    return rate


def bad_rate() -> Refused:
    said = languages.text("The rate must be a number from 1 to %(most)s.")
    return Refused(400, said % {"most": MOST_RATE})


def see_job(job: str) -> web.Response:
    """To the page of a job that somebody has asked for, or decided about."""
    return web.Response(status=303, headers={"Location": showing.at("jobs", job)})


async def _back(_request: web.Request) -> web.StreamResponse:
    """Whoever changes the language on the page of a dry run has no form to send again."""
    return web.Response(status=303, headers={"Location": showing.at("dead-letters")})


def _act(form: Form) -> tuple[Verb, Choice]:
    """What the button says: `redrive-all`, `discard-ticked`."""
    for verb in VERBS:
        for choice in CHOICES:
            if form.text("act") == f"{verb}-{choice}":
                return verb, choice
    raise Refused(400, UNREADABLE)


def _chosen(form: Form, choice: Choice) -> Selection:
    if choice == "all":
        return selection({name: form.text(name) for name in FILTERS})
    said = dict.fromkeys(form.all("id"))
    if not said:
        raise Refused(400, NONE_TICKED)
    if len(said) > MOST_IDS:
        most = languages.text("At most %(most)s letters can be ticked; take all of a list instead.")
        raise Refused(400, most % {"most": MOST_IDS})
    try:
        return Selection(ids=tuple(map(UUID, said)))
    except ValueError:
        raise Refused(400, UNREADABLE) from None
