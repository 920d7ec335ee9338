"""Styles and scripts of the console: a name in, an address that changes with the content out."""

import hashlib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import NamedTuple

from aiohttp import web

from service.web.console import languages
from service.web.console.routes import PREFIX, Route
from service.web.problems import Refused

TYPES: Mapping[str, str] = {
    "css": "text/css",
    "js": "text/javascript",
    "svg": "image/svg+xml",
}
NAMES = (
    *("console.css", "icon.svg"),
    *("guard.js", "console.js", "htmx.min.js", "sse.min.js"),
)
"""htmx 2.0.11 and its extension sse 2.2.4, as published; their licence stands beside them."""
A_YEAR = "private, max-age=31536000, immutable"


class Asset(NamedTuple):
    content: bytes
    type: str
    digest: str


@cache
def _assets() -> Mapping[str, Asset]:
    folder = files("service.web.console") / "static"
    return {name: _asset(name, (folder / name).read_bytes()) for name in NAMES}


def _asset(name: str, content: bytes) -> Asset:
    return Asset(content, TYPES[name.rsplit(".", 1)[1]], hashlib.sha256(content).hexdigest()[:12])


def url(name: str) -> str:
    return f"{PREFIX}/static/{_assets()[name].digest}/{name}"


def routes() -> tuple[Route, ...]:
    return (Route("GET", r"/static/{digest:[0-9a-f]{12}}/{name:[a-z.]+}", None, _serve),)


async def _serve(request: web.Request) -> web.StreamResponse:
    found = _assets().get(request.match_info["name"])
    if found is None:
        raise Refused(404, languages.text("There is no such file."))
    answer = web.Response(body=found.content, content_type=found.type, charset="utf-8")
    if found.digest == request.match_info["digest"]:
        answer.headers["Cache-Control"] = A_YEAR
    return answer
