"""Now: what was counted last goes in, the page that an engineer looks at first comes out."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, assert_never

from aiohttp import web

from service.ops import attention
from service.ops.concern import CAUSES, SAYS, Concern, Said
from service.ops.ledger import EVENT_BUCKETS, SYNC_BUCKETS
from service.ops.lookups import Body
from service.ops.now import Look
from service.web.auth import Role
from service.web.console import languages, plots, showing
from service.web.console.plots import Bar
from service.web.console.routes import Console, Route

SPARK = {"width": 120, "height": 26}
HOUR = {"width": 960, "height": 150}
MOST_ROWS = 12
"""Sources and destinations whose part of the ledger is drawn; the largest ones."""


@dataclass(frozen=True, slots=True)
class Now:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        context = self._figures()
        if showing.live(request):
            return showing.show(request, "_now.html", context)
        return showing.show(request, "now.html", {**context, **self._attention()})

    async def attention(self, request: web.Request) -> web.StreamResponse:
        """Nothing at all while it is what the page shows: whoever reads it keeps their place."""
        context = self._attention()
        if request.query.get("seen") == context["digest"]:
            return web.Response(status=204)
        return showing.show(request, "_attention.html", context)

    def _figures(self) -> Mapping[str, Any]:
        present = self.console.present
        look, account = present.look.look(), present.account.look()
        return {
            "look": look,
            "account": account,
            "problem": present.look.problem or present.account.problem,
            "counting": self._counting,
            "drawn": drawn(look) if look else None,
            "books": books(account.ledger) if account else None,
            "causes": CAUSES,
            "duration": duration,
            "speed": speed,
        }

    def _attention(self) -> Mapping[str, Any]:
        present = self.console.present
        look, account = present.look.look(), present.account.look()
        ledger = account.ledger if account else None
        lines = [line(one) for one in attention.concerns(look, ledger)] if look else []
        known = (languages.present(), look is None, present.look.problem, repr(lines))
        return {
            "look": look,
            "lines": lines,
            "tone": "calm" if look and not lines else lines[0]["tone"] if lines else "",
            "problem": present.look.problem,
            "counting": self._counting,
            "digest": hashlib.sha256(repr(known).encode()).hexdigest()[:12],
        }

    @property
    def _counting(self) -> bool:
        """Whether something newer is about to be known."""
        kept = (self.console.present.look, self.console.present.account)
        return any(each.stale for each in kept)


def routes(console: Console) -> tuple[Route, ...]:
    pages = Now(console)
    return (
        Route("GET", "/", Role.VIEWER, pages.shown),
        Route("GET", "/now/attention", Role.VIEWER, pages.attention),
    )


def line(one: Concern) -> Mapping[str, Any]:
    """A sentence that the template puts into the viewer's language, and where it leads."""
    singular, plural = SAYS[one.kind]
    said = {"count": showing.number(one.count), **{n: shown(v) for n, v in one.said.items()}}
    if "cause" in said:
        said["cause"] = languages.text(str(one.said["cause"]))
    if one.place == "dead" and not one.about:
        said["name"] = languages.text("events")
    return {
        "singular": singular,
        "plural": plural,
        "count": one.count,
        "said": said,
        "tone": one.tone,
        "href": leads(one),
    }


def shown(value: Said) -> str:
    match value:
        case datetime():
            return showing.moment(value)
        case int():
            return showing.number(value)
        case _:
            return showing.part(value, 200)


def leads(one: Concern) -> str:
    match one.place:
        case "ledger":
            return "#ledger"
        case "spools":
            return "#spools"
        case "source":
            return showing.at("sources", one.about)
        case "destination":
            return showing.at("destinations", one.about)
        case "dead":
            kind, destination, reason = one.queue or ("", "", "")
            return showing.at(
                "dead-letters", "list", kind=kind, destination=destination, reason=reason
            )
        case _:
            assert_never(one.place)


def drawn(look: Look) -> Mapping[str, Any]:
    """Everything that is a line."""
    stride = look.stride_seconds
    rows = {"came": look.came, "went": look.went, "failed": look.failed}
    return {
        "hour": plots.plot(rows, stride=stride, **HOUR),
        "sources": {
            one.name: plots.plot({"came": _coarser(one.hour)}, stride=2 * stride, **SPARK)
            for one in look.sources
        },
        "destinations": {
            one.name: plots.plot(
                {"went": _coarser(one.hour), "failed": _coarser(one.failures)},
                stride=2 * stride,
                **SPARK,
            )
            for one in look.destinations
        },
    }


def _coarser(row: Sequence[int]) -> Sequence[int]:
    """Two strides in one; the last one, which is not over, stays the last one."""
    whole = row[:-1]
    return [*(sum(whole[at : at + 2]) for at in range(0, len(whole), 2)), row[-1]]


@dataclass(frozen=True, slots=True)
class Book:
    """One of the two equations, and its parts by name."""

    whole: str
    total: Bar
    rows: Sequence[tuple[str, Bar]]
    more: int
    """How many names are not drawn."""


def books(ledger: Body) -> Mapping[str, Book]:
    return {
        "events": _book(ledger["sources"], "accepted", EVENT_BUCKETS),
        "syncs": _book(ledger["destinations"], "owed", SYNC_BUCKETS),
    }


def _book(rows: Mapping[str, Mapping[str, int]], whole: str, parts: Sequence[str]) -> Book:
    total = {term: sum(row[term] for row in rows.values()) for term in (whole, *parts)}
    largest = sorted(rows.items(), key=lambda each: -each[1][whole])[:MOST_ROWS]
    return Book(
        whole=whole,
        total=plots.bar(total, whole, parts),
        rows=[(name, plots.bar(row, whole, parts)) for name, row in largest],
        more=max(0, len(rows) - MOST_ROWS),
    )


def duration(seconds: float | None) -> str:
    """As people say it."""
    if seconds is None:
        return "—"
    if seconds < 1:
        return languages.text("%(number)s ms") % {"number": round(seconds * 1000)}
    if seconds < 10:
        return languages.text("%(number)s s") % {"number": f"{seconds:.1f}"}
    for limit, unit, text in (
        (120, 1, languages.mark("%(number)s s")),
        (7200, 60, languages.mark("%(number)s min")),
        (172_800, 3600, languages.mark("%(number)s h")),
    ):
        if seconds < limit:
            return languages.text(text) % {"number": int(seconds // unit)}
    return languages.text("%(number)s days") % {"number": int(seconds // 86_400)}


def speed(per_second: float) -> str:
    """With as many digits as say something."""
    if 0 < per_second < 0.1:
        return f"{per_second:.2f}"
    digits = 0 if per_second >= 100 else 1
    return showing.number(round(per_second, digits) if digits else round(per_second))
