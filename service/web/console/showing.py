"""Templates: a request and what to tell in, a page, or the part of it that was asked for, out."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import quote, urlencode

import aiohttp_jinja2
import jinja2
from aiohttp import web
from markupsafe import Markup

from service.web.auth import Role
from service.web.console import assets, languages
from service.web.console.routes import PREFIX
from service.web.console.viewers import VIEWER

THEME_COOKIE = "orderhook-theme"
THEMES = ("auto", "light", "dark")


def set_up(app: web.Application) -> None:
    environment = aiohttp_jinja2.setup(
        app,
        loader=jinja2.PackageLoader("service.web.console", "templates"),
        extensions=["jinja2.ext.i18n"],
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        default_helpers=False,
    )
    translating: Any = environment  # the extension gives it this method
    translating.install_gettext_callables(languages.text, languages.texts, newstyle=True)
    environment.globals |= {"_": said, "at": at, "asset": assets.url, "languages": languages.NAMES}
    environment.filters |= {"moment": moment, "number": number, "part": part}


async def compiling(app: web.Application) -> AsyncIterator[None]:
    """Compile every template on a thread: nobody waits while the first reader has it made."""
    environment = aiohttp_jinja2.get_env(app)

    async def compile_all() -> None:
        for name in environment.list_templates():
            await asyncio.to_thread(environment.get_template, name)
        for language in languages.NAMES:
            await asyncio.to_thread(languages.load, language)

    task = asyncio.create_task(compile_all())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def show(
    request: web.Request,
    template: str,
    context: Mapping[str, Any] | None = None,
    *,
    status: int = 200,
) -> web.Response:
    """The page; a template whose name begins with an underscore is a part of one."""
    viewer = request.get(VIEWER)
    role = viewer.caller.role if viewer else None
    given: dict[str, Any] = {
        **(context or {}),
        "viewer": viewer,
        "csrf": viewer.csrf if viewer else "",
        "operator": role is not None and role >= Role.OPERATOR,
        "admin": role is not None and role >= Role.ADMIN,
        "here": request.path,
        "whole_path": request.path_qs,
        "language": languages.present(),
        "theme": theme(request),
    }
    return aiohttp_jinja2.render_template(template, request, given, status=status)


def live(request: web.Request) -> bool:
    """Whether htmx asks, which wants the part that changes and not the page around it."""
    return request.headers.get("HX-Request") == "true"


def theme(request: web.Request) -> str:
    chosen = request.cookies.get(THEME_COOKIE, "")
    return chosen if chosen in THEMES else THEMES[0]


def at(*parts: str, **parameters: object) -> str:
    """The address of a page; parts and parameters may be any text, empty ones are left out."""
    path = "/".join([PREFIX, *(quote(each, safe="") for each in parts)])
    said = {name: str(value) for name, value in parameters.items() if value not in {None, ""}}
    return f"{path}?{urlencode(said)}" if said else path


def said(message: str, **named: object) -> Markup:
    """The text in the language of whoever looks, as the extension would say it, but sooner.

    Pages say hundreds of texts, and nothing is accepted while one is made.
    """
    text = _text(languages.present(), message)
    return text % named if named else text


@lru_cache(maxsize=8192)
def _text(_language: str, message: str) -> Markup:
    return Markup(languages.text(message))  # noqa: S704 - an interface text, not data


def moment(value: datetime | None) -> str | Markup:
    """A time in UTC, which the browser writes anew in the zone of whoever looks."""
    if value is None:
        return "—"
    utc = value.astimezone(UTC)
    exact, said = utc.isoformat(timespec="milliseconds"), utc.strftime("%Y-%m-%d %H:%M:%S")
    return Markup(f'<time datetime="{exact}">{said} UTC</time>')  # noqa: S704 - digits only


def number(value: float) -> str:
    """Digits in groups of three, with thin spaces that no line is broken at."""
    return f"{value:,}".replace(",", "\u202f")


def part(text: str, length: int = 60) -> str:
    """The beginning of a long text."""
    return text if len(text) <= length else f"{text[: length - 1]}…"
