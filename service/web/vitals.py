"""What every role tells of itself: health for everyone who reaches it, figures for who may."""

from collections.abc import Awaitable, Callable, Mapping

from aiohttp import web

from service.settings import Auth
from service.web import gate, health
from service.web.auth import Bouncer, Role
from service.web.health import Check, Readiness
from service.web.limits import Limits
from service.web.listeners import LIMITS, TRUSTED

Handler = Callable[[web.Request], Awaitable[web.Response]]


def vitals_app(
    auth: Auth, checks: Mapping[str, Check], *, bounds: Limits | None = None
) -> web.Application:
    """The application of an internal listener that shows nothing else, as a relay's."""
    app = web.Application(middlewares=[gate.name_route])
    app[LIMITS] = bounds or Limits()
    app[TRUSTED] = ()
    app.router.add_route("GET", "/health/live", health.live)
    app.router.add_route("GET", "/health/ready", Readiness(checks).ready)
    metrics = admitted(Role.VIEWER, Bouncer(auth), health.metrics)
    app.router.add_route("GET", "/metrics", metrics)
    return app


def admitted(least: Role, bouncer: Bouncer, handler: Handler) -> Handler:
    """The handler for callers of at least this role."""

    async def admit(request: web.Request) -> web.Response:
        request[gate.CALLER] = bouncer.admit(request.headers.getall("Authorization", []), least)
        return await handler(request)

    return admit
