"""Audit: who did what, when, to what; and whether the record of it is whole."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from service.ops import audit
from service.ops.lookups import BadCursor, Body, Page
from service.store.audit import Filter
from service.web import query
from service.web.auth import Role
from service.web.console import languages, showing
from service.web.console.dead_letters import given
from service.web.console.forms import FORM
from service.web.console.routes import Console, Route

A_PAGE = 50
FILTERS = ("actor", "action", "target")
LONGEST_TEXT = 300


@dataclass(frozen=True, slots=True)
class Audit:
    console: Console

    async def shown(self, request: web.Request) -> web.StreamResponse:
        said = given(request, (*FILTERS, "cursor"))
        chosen = {name: said[name] for name in FILTERS if name in said}
        wanted = Filter(*(chosen.get(name) for name in FILTERS))
        pool = self.console.pool
        try:
            body = await audit.actions(pool, wanted, Page(A_PAGE, said.get("cursor")))
        except BadCursor:
            raise query.bad_cursor() from None
        context = {
            "items": [shown(item) for item in body["items"]],
            "following": body["next"] and showing.at("audit", **chosen, cursor=body["next"]),
            "chosen": dict.fromkeys(FILTERS, "") | chosen,
            "head": await audit.head(pool),
        }
        return showing.show(request, "audit.html", context)

    async def verified(self, request: web.Request) -> web.StreamResponse:
        """Nothing is changed by it; it is no GET because it takes some seconds."""
        said = request[FORM].text("head")
        found = await audit.checked(self.console.pool, head=said or None)
        template = "_audit_verdict.html" if showing.live(request) else "audit_verdict.html"
        return showing.show(request, template, {"found": found, "said": said})

    async def back(self, _request: web.Request) -> web.StreamResponse:
        return web.Response(status=303, headers={"Location": showing.at("audit")})


def shown(item: Body) -> Mapping[str, Any]:
    return {**item, "words": words(item["detail"]), "href": leads(item)}


def words(detail: Mapping[str, Any], before: str = "") -> Sequence[tuple[str, str]]:
    """What an action was about, as names and texts."""
    found: list[tuple[str, str]] = []
    for name, value in detail.items():
        if isinstance(value, dict):
            found += words(value, f"{before}{name}.")
        elif value not in (None, "", []):
            found.append((before + name, showing.part(_text(value), LONGEST_TEXT)))
    return found


def _text(value: object) -> str:
    match value:
        case bool():
            return languages.text("yes") if value else languages.text("no")
        case [*each]:
            return ", ".join(map(_text, each))
        case dict():
            return ", ".join(f"{name}: {_text(each)}" for name, each in value.items())
        case _:
            return str(value)


def leads(item: Body) -> str:
    """The page about what it was done to, if there is one."""
    kind, _, _ = item["action"].partition(".")
    match kind:
        case "source":
            return showing.at("sources", item["target"])
        case "destination":
            return showing.at("destinations", item["target"])
        case "subject":
            _, _, name = item["target"].partition("/")
            return showing.at("orders", q=name)
        case _:
            return ""


def routes(console: Console) -> tuple[Route, ...]:
    pages = Audit(console)
    return (
        Route("GET", "/audit", Role.ADMIN, pages.shown),
        Route("GET", "/audit/verification", Role.ADMIN, pages.back),
        Route("POST", "/audit/verification", Role.ADMIN, pages.verified),
    )
