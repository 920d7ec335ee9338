"""Dead letters: how many wait where and why, those of one cause, one with all that was tried."""

from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from uuid import UUID

from aiohttp import web

from service.domain import remedies
from service.domain.keys import clean_text
from service.domain.verdict import Reason
from service.ops import dead_letters, jobs, lookups
from service.ops.lookups import BadCursor, Body, Fields, Page
from service.store.dead_letters import KINDS, RESOLUTIONS, Selection
from service.store.jobs import Filter
from service.store.seals import Sealed
from service.web import query
from service.web.auth import Role
from service.web.console import languages, payloads, showing
from service.web.console.forms import LONGEST, unclean
from service.web.console.routes import Console, Route
from service.web.dead_letters import FILTERS, resolution
from service.web.problems import Refused

A_PAGE = 50
GOING_ON = 5
REPLAYED = frozenset({Reason.UNMAPPED, Reason.UNREADABLE, Reason.UNRESOLVED_SUBJECT})
"""What dies of these is mended by reading its request again; a plain redrive dies again."""


@dataclass(frozen=True, slots=True)
class DeadLetters:
    console: Console

    async def queues(self, request: web.Request) -> web.StreamResponse:
        if chosen := given(request, FILTERS):
            address = showing.at("dead-letters", "list", **chosen)
            return web.Response(status=303, headers={"Location": address})
        pool = self.console.pool
        going_on = [
            job
            for state in ("awaiting_approval", "running", "queued")
            for job in (await jobs.listed(pool, Filter(state=state), Page(GOING_ON)))["items"]
        ]
        body = await dead_letters.queues(pool)
        context = {"queues": body["items"], "going_on": going_on}
        part = showing.live(request)
        return showing.show(request, "_dead_queues.html" if part else "dead_letters.html", context)

    async def listed(self, request: web.Request) -> web.StreamResponse:
        said = given(request, (*FILTERS, "resolution", "cursor"))
        wanted, word = selection(said), said.get("resolution")
        closed, page = resolution(word), Page(A_PAGE, said.get("cursor"))
        try:
            body = await dead_letters.letters(self.console.pool, wanted, page, closed=closed)
        except BadCursor:
            raise query.bad_cursor() from None
        chosen = filters(wanted)
        following = body["next"] and showing.at(
            *("dead-letters", "list"), **chosen, resolution=word, cursor=body["next"]
        )
        context = {
            "letters": body["items"],
            "following": following,
            "chosen": chosen,
            "filters": dict.fromkeys(FILTERS, "") | chosen,
            "resolution": word or "",
            "resolutions": RESOLUTIONS,
            "reasons": [reason.value for reason in Reason],
            "told": remedies.explain(wanted.reason) if wanted.reason else None,
            "replayed": wanted.reason in REPLAYED,
            **self._names(),
        }
        return showing.show(request, "dead_letter_list.html", context)

    async def letter(self, request: web.Request) -> web.StreamResponse:
        letter_id = query.identifier(request.match_info["id"])
        found = await dead_letters.letter(self.console.pool, letter_id)
        context = {"letter": found, "replayed": found["reason"] in REPLAYED}
        return showing.show(request, "dead_letter.html", {**context, **await self._event(found)})

    async def _event(self, letter: Body) -> Mapping[str, object]:
        """The event behind a letter and what was received, as far as it is kept and opened."""
        if letter["event_id"] is None:
            return {"event": None, "payload": None, "sealed": ""}
        configured = self.console.configured
        sealing, event_id = configured.sealing, UUID(letter["event_id"])
        pool, hidden = self.console.pool, self._hidden()
        try:
            event = await lookups.event(pool, event_id, sealing=sealing, hidden=hidden)
        except Sealed as error:
            return {"event": None, "payload": None, "sealed": str(error)}
        received = event["request"] if event else None
        shown = payloads.show(b64decode(received["body_base64"])) if received else None
        return {"event": event, "payload": shown, "sealed": ""}

    def _hidden(self) -> Fields:
        senders = self.console.configured.senders()
        return {name: sender.source.mask for name, sender in senders.items()}

    def _names(self) -> Mapping[str, object]:
        configured = self.console.configured
        return {
            "kinds": KINDS,
            "destinations": sorted(configured.destinations()),
            "sources": sorted(configured.senders()),
        }


def routes(console: Console) -> tuple[Route, ...]:
    pages = DeadLetters(console)
    return (
        Route("GET", "/dead-letters", Role.VIEWER, pages.queues),
        Route("GET", "/dead-letters/list", Role.VIEWER, pages.listed),
        Route("GET", "/dead-letters/{id:[0-9a-fA-F-]{36}}", Role.VIEWER, pages.letter),
    )


def given(request: web.Request, names: Sequence[str]) -> dict[str, str]:
    """What was asked for, of what can be asked; a field that was left empty asks for nothing."""
    said = {name: request.query.get(name, "").strip() for name in names}
    for name, value in said.items():
        if value and (len(value) > query.LONGEST or clean_text(value, limit=LONGEST) is None):
            raise unclean(name)
    return {name: value for name, value in said.items() if value}


def one_of(words: Iterable[str]) -> Refused:
    said = languages.text("Choose one of %(words)s.")
    return Refused(400, said % {"words": ", ".join(words)})


def selection(said: Mapping[str, str]) -> Selection:
    """Which letters a filter means; a number alone is one of an order."""
    chosen = {name: said[name] for name in FILTERS if said.get(name)}
    if chosen.get("kind", KINDS[0]) not in KINDS:
        raise one_of(KINDS)
    subject = chosen.get("subject")
    if subject is not None and not all(subject.partition("/")):
        chosen["subject"] = f"order/{subject}"
    kind, destination, reason, source, subject = map(chosen.get, FILTERS)
    return Selection(kind, destination, reason, source, subject)


def filters(wanted: Selection) -> dict[str, str]:
    """The parts of a selection that are given, as fields of a form."""
    return {name: value for name, value in asdict(wanted).items() if value and name in FILTERS}
