"""Health and metrics: is this process alive, can it do its work now, and what has it done."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import orjson
import prometheus_client
import structlog
from aiohttp import web
from prometheus_client import multiprocess

from service.domain.errors import OrderhookError

log = structlog.get_logger()

Check = Callable[[], Awaitable[bool]]
"""True when all is well; an OrderhookError says in its sentence what is not."""

PATIENCE = 1.0
OK = "ok"


async def live(_request: web.Request) -> web.Response:
    return web.Response(body=b'{"live":true}', content_type="application/json")


async def metrics(_request: web.Request) -> web.Response:
    return web.Response(
        body=prometheus_client.generate_latest(_registry()),
        headers={"Content-Type": prometheus_client.CONTENT_TYPE_LATEST},
    )


@dataclass(frozen=True, slots=True)
class Readiness:
    """Answers 200 while every check is content, else 503 with what each of them says."""

    checks: Mapping[str, Check]

    async def ready(self, _request: web.Request) -> web.Response:
        said = await asyncio.gather(*(_ask(check) for check in self.checks.values()))
        results = dict(zip(self.checks, said, strict=True))
        is_ready = all(answer == OK for answer in said)
        body = {"ready": is_ready, "checks": results}
        return web.Response(
            status=200 if is_ready else 503,
            body=orjson.dumps(body),
            content_type="application/json",
        )


async def _ask(check: Check) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            return OK if await check() else "not ready"
    except TimeoutError:
        return f"There was no answer within {PATIENCE:g} s."
    except OrderhookError as error:
        return str(error)
    except Exception as error:
        log.exception("health_check_failed", error=type(error).__name__)
        return "The check itself failed; see the log."


def _registry() -> prometheus_client.CollectorRegistry:
    """Of this process alone, or of all processes of a fleet, which share a directory for it."""
    try:
        fleet = prometheus_client.CollectorRegistry()
        multiprocess.MultiProcessCollector(fleet)
    except ValueError:
        return prometheus_client.REGISTRY
    return fleet
