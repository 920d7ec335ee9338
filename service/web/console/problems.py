"""What goes wrong while a page is made: an exception in, a page that says it in a sentence out."""

from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web

from service.domain.errors import (
    Declined,
    DependencyUnavailable,
    Misnamed,
    NotFound,
)
from service.store.seals import Sealed
from service.web.console import languages, showing
from service.web.console.viewers import SignInNeeded
from service.web.problems import UNEXPECTED, Refused

log = structlog.get_logger()

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

AWAY = languages.mark("PostgreSQL does not answer now. Nothing was changed; try again in a moment.")
TOO_LONG = languages.mark("This took too long and was given up. Nothing was changed; ask for less.")
NOWHERE = languages.mark("There is nothing at this address.")
UNREADABLE = languages.mark(
    "The browser asked in a way that cannot be answered; open the page anew."
)
KNOWN: Sequence[tuple[type[Exception], int, str]] = (
    (NotFound, 404, ""),
    (Declined, 409, ""),
    (Misnamed, 400, ""),
    (Sealed, 503, ""),
    (DependencyUnavailable, 503, AWAY),
    (TimeoutError, 503, TOO_LONG),
)
"""Who is told what; where no sentence stands, the error has one."""


@web.middleware
async def answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    languages.speak(languages.choose(request))
    try:
        return await handler(request)
    except SignInNeeded:
        return _sign_in(request)
    except Exception as error:
        refused = _refused(error)
        if refused is None:
            log.exception("page_crashed", error=type(error).__name__)
            refused = Refused(503, UNEXPECTED)
        return _page(request, refused)


def _refused(error: Exception) -> Refused | None:
    """What is told instead; None for what nobody foresaw."""
    for kind, status, sentence in KNOWN:
        if isinstance(error, kind):
            return Refused(status, sentence or str(error))
    match error:
        case Refused():
            return error
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(error.allowed_methods))
            sentence = languages.text("Use %(methods)s here.") % {"methods": allowed}
            return Refused(405, sentence, headers={"Allow": allowed})
        case web.HTTPException():
            return Refused(error.status, NOWHERE if error.status == 404 else UNREADABLE)
        case _:
            return None


def _page(request: web.Request, refused: Refused) -> web.Response:
    template = "_problem.html" if showing.live(request) else "problem.html"
    context = {"sentence": languages.text(refused.detail), "status": refused.status}
    answer = showing.show(request, template, context, status=refused.status)
    answer.headers.update(refused.headers)
    if refused.close:
        answer.force_close()
    return answer


def _sign_in(request: web.Request) -> web.Response:
    """Back to where somebody wanted to go, once signed in; only what a GET shows is a place."""
    wanted = request.path_qs if request.method == "GET" and not showing.live(request) else None
    address = showing.at("sign-in", next=wanted)
    if showing.live(request):
        return web.Response(status=204, headers={"HX-Redirect": address})
    return web.Response(status=303, headers={"Location": address})
