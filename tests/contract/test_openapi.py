"""openapi.yaml is true: valid, complete, and what the running API keeps to."""

import asyncio
import secrets
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import schemathesis
import yaml
from aiohttp import web
from hypothesis import HealthCheck, Phase, settings
from openapi_spec_validator import validate
from schemathesis import Case
from schemathesis.specs.openapi.checks import (
    allow_header_conformance,
    negative_data_rejection,
    positive_data_acceptance,
)

from service.settings import Server
from service.store import pool
from service.store.pool import transaction
from service.web.internal import internal_app
from service.web.public import public_app
from tests import internals, reception, rows, servers
from tests.acceptance.attacks.fortress import SECRET, Fortress, standing

PATH = Path(__file__).parents[2] / "openapi.yaml"
DESCRIPTION: dict[str, Any] = yaml.safe_load(PATH.read_text("utf-8"))
PUBLIC, INTERNAL = ":8080", ":8081"

TRACKING = {"type": "tracking:cdek", "value": "123"}

CATCH_ALL = "/webhooks{rest}"
"""Not an address of ours: it turns what would be a 404 under /webhooks into a 401."""


def test_the_description_is_valid_openapi() -> None:
    validate(DESCRIPTION)


def test_the_routes_of_both_listeners_are_exactly_the_described_ones() -> None:
    server = Server(data_dir=Path("unused"))
    public = public_app(reception.Desk(), server, lambda: datetime.now(UTC))
    internal = internal_app(internals.AUTH, {}, pool=_no_pool())
    assert _described(PUBLIC) == {route for route in _routes(public) if route[1] != CATCH_ALL}
    assert _described(INTERNAL) == _routes(internal)


def test_a_relay_serves_health_and_metrics_only() -> None:
    paths = {path for _, path in _routes(internal_app(internals.AUTH, {}))}
    assert {"/health/live", "/health/ready", "/metrics"} == paths


def test_every_operation_under_the_api_needs_a_token() -> None:
    open_paths = {
        path
        for path, methods in DESCRIPTION["paths"].items()
        for operation in methods.values()
        if isinstance(operation, dict) and operation.get("security") == []
    }
    assert {
        "/health/live",
        "/health/ready",
        "/webhooks/{source}",
        "/webhooks/{source}/{tail}",
    } == open_paths


def _described(port: str) -> set[tuple[str, str]]:
    return {
        (method.upper(), path)
        for path, item in DESCRIPTION["paths"].items()
        for method in item
        if method in {"get", "post", "put", "delete", "patch", "head"}
        if any(port in server["url"] for server in item.get("servers", DESCRIPTION["servers"]))
    }


def _routes(app: web.Application) -> set[tuple[str, str]]:
    """A webhook address takes every method and refuses what is neither post nor handshake."""
    return {
        (method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None
        for method in (("GET", "POST") if route.method == "*" else (route.method,))
    }


def _no_pool() -> Any:
    """Routes are made without asking the database anything."""
    return object()


SCHEMA = schemathesis.openapi.from_path(PATH).include(path_regex=r"^/(health|metrics|api)")


@pytest.fixture(scope="module")
def api(postgres: servers.Postgres, template: str) -> Iterator[str]:
    """The URL of an internal listener whose database holds a bit of everything."""
    name = f"openapi_{secrets.token_hex(6)}"
    postgres.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    asyncio.run(_fill(postgres.database(name)))
    with internals.in_background(postgres.database(name)) as url:
        yield url
    postgres.execute(f"DROP DATABASE {name} WITH (FORCE)")


async def _fill(dsn: str) -> None:
    async with pool.opened(dsn, size=1) as store, transaction(store) as tx:
        request_id = await rows.request(tx)
        first = await rows.event(tx, "applied", request_id=request_id)
        await rows.event(tx, "pending", ref=None, lane=None, status=None, occurred_at=None)
        await rows.event(tx)
        subject = await rows.subject(tx)
        await rows.sync(tx, subject)
        await rows.transition(tx, subject, first, version=3)
        await rows.attempt(tx, subject, version=3)
        await rows.tally(tx, refused=1)
        await rows.refusal(tx, source="unknown")
        await rows.capture(tx)
        waits = await rows.event(tx, "waiting", ref=None, details={"aliases": [TRACKING]})
        await rows.waiting(tx, waits, **TRACKING)
        await rows.alias(tx, subject, **TRACKING)
        await rows.correction(tx, subject)
        await rows.anomaly(tx, event_id=waits, subject_id=subject)
        await rows.subject(tx, ref="1002", merged_into=subject, flags=["shipped_unpaid"])


@pytest.mark.postgres
@SCHEMA.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_running_api_keeps_to_its_description(case: Case[Any], api: str) -> None:
    # A cursor and a subject are opaque to a schema: sound ones may still name nothing.
    case.call_and_validate(
        base_url=api,
        headers=internals.bearer(role="operator"),
        excluded_checks=[positive_data_acceptance],
    )


PUBLIC_SCHEMA = schemathesis.openapi.from_path(PATH).include(path_regex=r"^/(webhooks|health/live)")
GENUINE = {"Authorization": f"Bearer {SECRET.decode()}"}


@pytest.fixture(scope="module")
def gateway(
    tmp_path_factory: pytest.TempPathFactory, postgres: servers.Postgres, template: str
) -> Iterator[Fortress]:
    with standing(tmp_path_factory.mktemp("described"), postgres, template) as gateway:
        yield gateway
        assert [] == gateway.tracebacks()


@pytest.mark.postgres
@pytest.mark.parametrize("source", ["token", "shop", ""])
@PUBLIC_SCHEMA.parametrize()
@settings(
    max_examples=25,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
def test_the_public_listener_keeps_to_its_description(
    case: Case[Any], gateway: Fortress, source: str
) -> None:
    """To a sender with the right token, one with the wrong signature, and to no source at all."""
    if "source" in case.path_parameters and source:
        case.path_parameters["source"] = source
    case.call_and_validate(
        base_url=gateway.url,
        headers=GENUINE,
        excluded_checks=[
            positive_data_acceptance,  # a signature is no matter of a schema
            negative_data_rejection,  # and neither are the bytes it signs: none at all will do
            allow_header_conformance,  # GET is taken only from senders that shake hands
        ],
    )
