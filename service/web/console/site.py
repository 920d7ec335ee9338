"""The console as an application of its own: what it shows to whom, under which headers."""

from aiohttp import web

from service.web import bodies
from service.web.console import (
    assets,
    audit,
    dead_letters,
    destination_page,
    destinations,
    forms,
    jobs,
    live,
    now,
    oidc,
    orders,
    preferences,
    problems,
    redriving,
    replays,
    showing,
    sign_in,
    source_page,
    sources,
    viewers,
)
from service.web.console.forms import FORM
from service.web.console.routes import PREFIX, Console, Handler, Route
from service.web.console.viewers import VIEWER
from service.web.limits import Limits
from service.web.listeners import LIMITS

__all__ = ["PREFIX", "Console", "console_app", "routes"]

POLICY = "; ".join(
    (
        *("default-src 'none'", "script-src 'self'", "style-src 'self'", "img-src 'self'"),
        *("connect-src 'self'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"),
        *("require-trusted-types-for 'script'", "trusted-types default inspect"),
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Vary": "Cookie, Accept-Language",
}


def console_app(console: Console, bounds: Limits) -> web.Application:
    """To be mounted at `PREFIX`."""
    app = web.Application(middlewares=[_headed, problems.answered])
    app[LIMITS] = bounds
    showing.set_up(app)
    app.cleanup_ctx.append(showing.compiling)

    async def end(_app: web.Application) -> None:
        console.signals.end()

    app.on_shutdown.append(end)
    for route in routes(console):
        app.router.add_route(
            route.method, route.path, _admitting(route, console), expect_handler=bodies.uninvited
        )
    return app


def routes(console: Console) -> tuple[Route, ...]:
    return (
        *now.routes(console),
        *live.routes(console),
        *orders.routes(console),
        *dead_letters.routes(console),
        *redriving.routes(console),
        *jobs.routes(console),
        *replays.routes(console),
        *sources.routes(console),
        *source_page.routes(console),
        *destinations.routes(console),
        *destination_page.routes(console),
        *audit.routes(console),
        *sign_in.routes(console),
        *oidc.routes(console),
        *preferences.routes(),
        *assets.routes(),
    )


def _admitting(route: Route, console: Console) -> Handler:
    """The handler for whoever may; a form is read and known to be ours before it sees anything."""
    changes = route.method not in {"GET", "HEAD"}

    async def admitted(request: web.Request) -> web.StreamResponse:
        if changes:
            viewers.refuse_foreign(request)
        if (viewer := await viewers.find(request, console.pool)) is not None:
            request[VIEWER] = viewer
        if route.least is not None:
            viewer = viewers.require(viewer, route.least)
        if changes:
            request[FORM] = form = await forms.read(request)
            if viewer is not None and route.least is not None:
                viewers.refuse_forged(request, viewer, form)
        return await route.handler(request)

    return admitted


@web.middleware
async def _headed(request: web.Request, handler: Handler) -> web.StreamResponse:
    answer = await handler(request)
    for name, value in HEADERS.items():
        answer.headers.setdefault(name, value)
    return answer
