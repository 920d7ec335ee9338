"""The internal listener: health for everyone who reaches it, all else for holders of a token."""

from collections.abc import Mapping

from aiohttp import web

from service.ops.lookups import Fields
from service.ops.sources import Configured
from service.settings import Auth
from service.store.pool import Pool
from service.web import bodies
from service.web.anomalies import Anomalies
from service.web.api import Api
from service.web.attempts import Attempts
from service.web.audit import Audit
from service.web.auth import Bouncer, Role
from service.web.console.routes import PREFIX, Console
from service.web.console.site import console_app
from service.web.dead_letters import DeadLetters
from service.web.destinations import Destinations
from service.web.health import Check
from service.web.jobs import Jobs
from service.web.limits import Limits
from service.web.listeners import LIMITS
from service.web.now import Now
from service.web.replays import Replays
from service.web.sources import Sources
from service.web.spools import Spools
from service.web.subjects import Subjects
from service.web.syncs import Syncs
from service.web.vitals import Handler, admitted, vitals_app


def internal_app(
    auth: Auth,
    checks: Mapping[str, Check],
    *,
    pool: Pool | None = None,
    configured: Configured | None = None,
    bounds: Limits | None = None,
    console: Console | None = None,
) -> web.Application:
    """The application of the internal listener; without a pool it serves no API."""
    app, bouncer = vitals_app(auth, checks, bounds=bounds), Bouncer(auth)
    if pool is not None:
        for path, role, handler in _api(_reading(pool, configured or Configured())):
            app.router.add_route("GET", f"/api/v1{path}", admitted(role, bouncer, handler))
        for method, path, role, handler in (
            *_subjects(pool, configured or Configured()),
            *_dead_letters(DeadLetters(pool, (configured or Configured()).two_people)),
            *_jobs(Jobs(pool)),
            *_traffic(pool, configured or Configured()),
            *_spools(Spools(pool)),
            *_destinations(Destinations(pool, (configured or Configured()).destinations)),
        ):
            app.router.add_route(
                method,
                f"/api/v1{path}",
                admitted(role, bouncer, handler),
                expect_handler=bodies.uninvited,
            )
    if console is not None:
        for path in ("/", PREFIX):
            app.router.add_route("GET", path, _to_console)
        app.add_subapp(PREFIX, console_app(console, app[LIMITS]))
    return app


async def _to_console(_request: web.Request) -> web.Response:
    return web.Response(status=303, headers={"Location": f"{PREFIX}/"})


def _reading(pool: Pool, configured: Configured) -> Api:
    def hidden() -> Fields:
        return {name: sender.source.mask for name, sender in configured.senders().items()}

    return Api(pool, configured.sealing, hidden)


def _api(api: Api) -> tuple[tuple[str, Role, Handler], ...]:
    return (
        ("/ledger", Role.VIEWER, api.ledger),
        ("/events", Role.VIEWER, api.events),
        (r"/events/{id:[^/]+}", Role.VIEWER, api.event),
    )


SUBJECT = r"/subjects/{lifecycle:[^/]+}/{ref:[^/]+}"


def _subjects(pool: Pool, configured: Configured) -> tuple[tuple[str, str, Role, Handler], ...]:
    subjects = Subjects(pool, configured.rules, configured.adapters, configured.two_people)
    syncs = Syncs(pool, configured.rules, configured.destinations)
    return (
        ("GET", "/subjects", Role.VIEWER, subjects.listed),
        ("GET", "/board", Role.VIEWER, subjects.board),
        ("GET", "/lifecycles", Role.VIEWER, subjects.lifecycles),
        ("GET", SUBJECT, Role.VIEWER, subjects.shown),
        ("POST", f"{SUBJECT}/corrections", Role.OPERATOR, subjects.correct),
        ("DELETE", SUBJECT + r"/corrections/{id:[^/]+}", Role.OPERATOR, subjects.release),
        ("POST", f"{SUBJECT}/rollbacks", Role.OPERATOR, subjects.roll_back),
        ("PUT", f"{SUBJECT}/aliases", Role.OPERATOR, subjects.link),
        ("DELETE", f"{SUBJECT}/aliases", Role.OPERATOR, subjects.unlink),
        ("POST", f"{SUBJECT}/merge", Role.OPERATOR, subjects.merge),
        ("POST", SUBJECT + r"/syncs/{destination:[^/]+}", Role.OPERATOR, syncs.decide),
        ("GET", "/held", Role.VIEWER, syncs.held),
        ("POST", "/refolds", Role.OPERATOR, subjects.refold),
    )


def _dead_letters(dead: DeadLetters) -> tuple[tuple[str, str, Role, Handler], ...]:
    return (
        ("GET", "/dead-letters/queues", Role.VIEWER, dead.queues),
        ("GET", "/dead-letters", Role.VIEWER, dead.letters),
        ("POST", "/dead-letters/redrive", Role.OPERATOR, dead.redrive),
        ("POST", "/dead-letters/discard", Role.OPERATOR, dead.discard),
        # The verbs above are no ids: a GET of them is a 405.
        ("GET", r"/dead-letters/{id:(?!redrive$|discard$)[^/]+}", Role.VIEWER, dead.letter),
    )


def _jobs(jobs: Jobs) -> tuple[tuple[str, str, Role, Handler], ...]:
    return (
        ("GET", "/jobs", Role.VIEWER, jobs.listed),
        ("GET", r"/jobs/{id:[^/]+}", Role.VIEWER, jobs.shown),
        ("POST", r"/jobs/{id:[^/]+}/approve", Role.OPERATOR, jobs.approve),
        ("POST", r"/jobs/{id:[^/]+}/cancel", Role.OPERATOR, jobs.cancel),
    )


def _traffic(pool: Pool, configured: Configured) -> tuple[tuple[str, str, Role, Handler], ...]:
    sources = Sources(pool, configured)
    replays = Replays(pool, configured.senders, configured.sealing, configured.two_people)
    return (
        ("GET", "/now", Role.VIEWER, Now(pool, configured).shown),
        ("GET", "/anomalies", Role.VIEWER, Anomalies(pool).listed),
        ("GET", "/audit", Role.ADMIN, Audit(pool).listed),
        ("GET", "/audit/verification", Role.ADMIN, Audit(pool).verification),
        ("GET", "/attempts", Role.VIEWER, Attempts(pool).listed),
        ("GET", "/sources", Role.VIEWER, sources.sources),
        ("GET", r"/sources/{name:[^/]+}", Role.VIEWER, sources.source),
        ("POST", r"/sources/{name:[^/]+}/test", Role.OPERATOR, sources.test),
        ("GET", r"/sources/{name:[^/]+}/refusals", Role.VIEWER, sources.refusals),
        ("GET", r"/sources/{name:[^/]+}/captures", Role.OPERATOR, sources.captures),
        ("GET", r"/sources/{name:[^/]+}/captures/{id:[^/]+}", Role.OPERATOR, sources.capture),
        ("POST", "/replays", Role.OPERATOR, replays.start),
    )


def _spools(spools: Spools) -> tuple[tuple[str, str, Role, Handler], ...]:
    return (
        ("GET", "/spools", Role.VIEWER, spools.listed),
        ("POST", r"/spools/{id:[^/]+}/forget", Role.ADMIN, spools.forget),
    )


def _destinations(
    destinations: Destinations,
) -> tuple[tuple[str, str, Role, Handler], ...]:
    name = r"/destinations/{name:[^/]+}"
    return (
        ("GET", "/destinations", Role.VIEWER, destinations.listed),
        ("GET", name, Role.VIEWER, destinations.shown),
        ("POST", f"{name}/pause", Role.OPERATOR, destinations.pause),
        ("POST", f"{name}/resume", Role.OPERATOR, destinations.resume),
        ("POST", f"{name}/reconcile", Role.OPERATOR, destinations.reconcile),
    )
