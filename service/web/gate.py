"""Stands before both applications: refuses what is not plain HTTP, answers every failure.

aiohttp parses; what its parser lets through and we do not want ends here (other HTTP versions,
absolute targets, chunked bodies, too many connections), and so does every exception.
"""

import time
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from uuid import UUID

import structlog
from aiohttp import HttpVersion10, HttpVersion11, web

from service import telemetry
from service.domain.errors import OrderhookError
from service.store.ids import new_id
from service.web import limits, problems
from service.web.auth import Caller
from service.web.problems import Refused

log = structlog.get_logger()

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Chunked = Callable[[str], bool]
"""Whether a body without a length is taken at this target."""

CALLER = web.RequestKey("caller", Caller)
"""Who sent the token, where one is needed."""


@dataclass(slots=True)
class Visit:
    """What is known of a request besides itself; handlers add what they find out."""

    id: UUID
    route: str = ""
    """The pattern of the path, for the log: the path itself may carry a token."""
    source: str | None = None
    peer: str = ""
    """The client's address behind trusted proxies."""


VISIT = web.RequestKey("visit", Visit)

VERSIONS = (HttpVersion10, HttpVersion11)
COMMON_HEADERS = {
    "Server": "orderhook",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}
LOOK_ALIKE = "Two headers differ only in - and _; send the one with -."
NOT_HTTP = "This is not a valid HTTP/1.1 request."
QUIET_ROUTES = frozenset({"/health/live", "/health/ready", "/metrics"})


def check_framing(request: web.BaseRequest, *, chunked: Chunked) -> None:
    """Refuse what the parser takes and a careful server does not."""
    if request.version not in VERSIONS:
        raise Refused(400, "Speak HTTP/1.1.", close=True)
    target = request.raw_path
    if not target.startswith("/") or "#" in target:
        raise Refused(
            400, "The request target must be a path that begins with a slash.", close=True
        )
    if codings := request.headers.getall("Transfer-Encoding", ()):
        plain = request.version == HttpVersion11 and is_chunked(codings)
        if not (plain and chunked(target)):
            raise Refused(411, limits.NO_LENGTH, close=True)
    if "_" in "".join(request.headers) and _looks_alike(request.headers):
        raise Refused(400, LOOK_ALIKE, close=True)


def _looks_alike(headers: Iterable[str]) -> bool:
    """Whether two names differ only in `-` and `_`."""
    names = {name.lower() for name in headers}
    return any("_" in name and name.replace("_", "-") in names for name in names)


def is_chunked(codings: Sequence[str]) -> bool:
    """Whether a body is chunked and nothing else; nobody unpacks it twice here."""
    return [coding.lower() for coding in codings] == ["chunked"]


def never(_target: str) -> bool:
    return False


@dataclass(frozen=True, slots=True)
class Direct:
    """A handler of all paths below a prefix, which needs no search among the routes."""

    prefix: str
    handle: Handler


def first(direct: Direct, otherwise: Handler) -> Handler:
    """Ask the direct handler for its paths, and the routes for all others."""

    def handle(request: web.BaseRequest) -> Awaitable[web.StreamResponse]:
        chosen = direct.handle if request.raw_path.startswith(direct.prefix) else otherwise
        return chosen(request)

    return handle


def staying() -> bool:
    return False


def guarded(
    handle: Handler,
    *,
    listener: str,
    chunked: Chunked = never,
    is_leaving: Callable[[], bool] = staying,
) -> Handler:
    """The handler with framing checks in front and an answer for everything behind.

    A listener that `is_leaving` lets no client keep its connection: one that is closed while it
    lies idle may be closed at the very moment a client begins to use it.
    """
    seconds_taken = telemetry.HTTP_SECONDS.labels(listener)
    answers = cache(lambda status: telemetry.HTTP_ANSWERS.labels(listener, str(status)))

    async def guard(request: web.BaseRequest) -> web.StreamResponse:
        began = time.monotonic()
        visit = request[VISIT] = Visit(new_id())
        # aiohttp runs every request in a task of its own, so this ends with it.
        telemetry.serve(visit.id)
        answer = await _answer(request, handle, request_id=visit.id, chunked=chunked)
        for name, value in COMMON_HEADERS.items():
            answer.headers.setdefault(name, value)
        if is_leaving():
            answer.force_close()
        seconds = time.monotonic() - began
        seconds_taken.observe(seconds)
        answers(answer.status).inc()
        _tell(request, visit, answer, listener=listener, seconds=seconds)
        return answer

    return guard


async def _answer(
    request: web.BaseRequest, handle: Handler, *, request_id: UUID, chunked: Chunked
) -> web.StreamResponse:
    try:
        check_framing(request, chunked=chunked)
        return await handle(request)
    except Refused as refused:
        why = refused
    except web.HTTPException as known:
        why = _translated(known)
    except (OrderhookError, TimeoutError) as error:
        log.warning("request_failed", error=type(error).__name__, detail=str(error))
        why = problems.unavailable(problems.UNEXPECTED)
    except Exception as error:
        log.exception("request_crashed", error=type(error).__name__)
        why = problems.unavailable(problems.UNEXPECTED)
    return problems.response(why, instance=f"urn:uuid:{request_id}")


def _translated(known: web.HTTPException) -> Refused:
    """What aiohttp itself says no to: an unknown path or the wrong method."""
    match known:
        case web.HTTPMethodNotAllowed():
            allowed = ", ".join(sorted(known.allowed_methods))
            return Refused(405, f"Use {allowed} here.", headers={"Allow": allowed})
        case web.HTTPNotFound():
            return Refused(404, "There is nothing at this path; openapi.yaml lists what there is.")
        case web.HTTPClientError():
            return Refused(400, NOT_HTTP, close=True)
        case _:
            return problems.unavailable(problems.UNEXPECTED)


def _tell(
    request: web.BaseRequest,
    visit: Visit,
    answer: web.StreamResponse,
    *,
    listener: str,
    seconds: float,
) -> None:
    say = log.debug if visit.route in QUIET_ROUTES and answer.status < 400 else log.info
    said = {} if visit.source is None else {"source": visit.source}
    say(
        "request",
        listener=listener,
        method=request.method,
        route=visit.route,
        status=answer.status,
        ms=round(seconds * 1000, 1),
        peer=visit.peer or request.remote or "",
        **said,
        request_id=str(visit.id),
    )


@web.middleware
async def name_route(
    request: web.Request, handler: Callable[[web.Request], Awaitable[web.StreamResponse]]
) -> web.StreamResponse:
    """Note the pattern that matched, for the log."""
    resource = request.match_info.route.resource
    request[VISIT].route = resource.canonical if resource is not None else ""
    return await handler(request)
