"""The internal listener: health for everyone who reaches it, all else for holders of a token."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from service.settings import Auth
from service.store.pool import Pool
from service.web import gate, health
from service.web.api import Api
from service.web.auth import Bouncer, Role
from service.web.health import Check, Readiness
from service.web.limits import Limits
from service.web.listeners import LIMITS, TRUSTED

Handler = Callable[[web.Request], Awaitable[web.Response]]


def internal_app(
    auth: Auth,
    checks: Mapping[str, Check],
    *,
    pool: Pool | None = None,
    bounds: Limits | None = None,
) -> web.Application:
    """The application of the internal listener; without a pool it serves no API, as in a relay."""
    app = web.Application(middlewares=[gate.name_route])
    app[LIMITS] = bounds or Limits()
    app[TRUSTED] = ()
    bouncer = Bouncer(auth)
    app.router.add_route("GET", "/health/live", health.live)
    app.router.add_route("GET", "/health/ready", Readiness(checks).ready)
    app.router.add_route("GET", "/metrics", _for(Role.VIEWER, bouncer, health.metrics))
    if pool is not None:
        for path, role, handler in _api(Api(pool)):
            app.router.add_route("GET", f"/api/v1{path}", _for(role, bouncer, handler))
    return app


def _api(api: Api) -> tuple[tuple[str, Role, Handler], ...]:
    return (
        ("/ledger", Role.VIEWER, api.ledger),
        ("/subjects", Role.VIEWER, api.subjects),
        (r"/subjects/{lifecycle:[^/]+}/{ref:[^/]+}", Role.VIEWER, api.subject),
        ("/events", Role.VIEWER, api.events),
        (r"/events/{id:[^/]+}", Role.VIEWER, api.event),
    )


def _for(least: Role, bouncer: Bouncer, handler: Handler) -> Handler:
    """The handler for callers of at least this role."""

    async def admitted(request: web.Request) -> web.Response:
        bouncer.admit(request.headers.getall("Authorization", []), least)
        return await handler(request)

    return admitted
