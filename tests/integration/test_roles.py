"""Every address of the internal listener, with every role and none; no trace of a crash."""

import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import yaml

from service.settings import Address
from service.store import pool
from service.web.auth import Role
from service.web.internal import internal_app
from service.web.listeners import listening
from tests import internals

pytestmark = pytest.mark.postgres

OPEN = {("GET", "/health/live"), ("GET", "/health/ready")}
NEEDS = re.compile(r"Needs the role (\w+)")
DESCRIPTION: dict[str, Any] = yaml.safe_load(
    (Path(__file__).parents[2] / "openapi.yaml").read_text("utf-8")
)
SECRET = "the password is swordfish"


def described() -> Iterator[tuple[str, str, Role]]:
    """Method, path and the least role, as openapi.yaml tells them."""
    for path, item in DESCRIPTION["paths"].items():
        for method, said in item.items():
            if method in {"get", "post", "put", "delete"} and path.startswith(("/api", "/metrics")):
                text = f"{said.get('summary', '')} {said.get('description', '')}"
                found = NEEDS.search(text)
                assert found is not None, f"{method} {path} does not tell which role it needs"
                yield method.upper(), path, Role[found.group(1).upper()]


def address(path: str) -> str:
    return re.sub(r"\{[^}]+\}", "1", path)


@pytest.fixture
async def api(database: str) -> AsyncIterator[tuple[aiohttp.ClientSession, str]]:
    async with internals.opened(database) as url, aiohttp.ClientSession() as session:
        yield session, url


async def answer(
    api: tuple[aiohttp.ClientSession, str], method: str, path: str, headers: dict[str, str]
) -> int:
    session, url = api
    async with session.request(method, url + address(path), headers=headers) as got:
        return got.status


async def test_every_route_wants_its_role_and_nothing_less(
    api: tuple[aiohttp.ClientSession, str],
) -> None:
    wanted = list(described())
    assert len(wanted) > 30
    for method, path, least in wanted:
        assert 401 == await answer(api, method, path, {}), (method, path)
        for role in Role:
            headers = internals.bearer(role=role.name.lower())
            status = await answer(api, method, path, headers)
            assert (role < least) == (status == 403), (method, path, role.name, status)
            assert 401 != status, (method, path, role.name)


async def test_no_route_is_left_out_of_that_walk() -> None:
    app = internal_app(internals.AUTH, {}, pool=_nothing())
    routes = {
        (route.method, route.resource.canonical)
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }
    assert routes == {(method, path) for method, path, _ in described()} | OPEN


@pytest.mark.parametrize(
    "claims",
    [
        {"role": "root"},
        {"role": None},
        {"role": ["admin"]},
        {"sub": ""},
        {"aud": "another"},
        {"iss": "another"},
    ],
)
async def test_a_token_that_grants_no_role_of_ours_opens_nothing(
    api: tuple[aiohttp.ClientSession, str], claims: dict[str, Any]
) -> None:
    for method, path, _ in described():
        assert 401 == await answer(api, method, path, internals.bearer(**claims)), path


async def test_a_handler_that_fails_tells_nothing_of_why(database: str) -> None:
    class Failing:
        """A pool that no handler can use."""

        def acquire(self, **_: object) -> object:
            raise RuntimeError(SECRET)

    app = internal_app(internals.AUTH, {}, pool=_as_pool(Failing()))
    async with (
        listening(app, Address("127.0.0.1", 0), name="internal") as url,
        aiohttp.ClientSession() as session,
    ):
        for path in ("/ledger", "/audit", "/events", "/dead-letters", "/sources"):
            headers = internals.bearer(role="admin")
            async with session.get(f"{url}/api/v1{path}", headers=headers) as got:
                text = await got.text()
                assert (503, "application/problem+json") == (got.status, got.content_type)
            for told in (SECRET, "Traceback", "RuntimeError", "File ", ".py", "service"):
                assert told not in text, (path, text)


async def test_a_closed_pool_is_told_as_a_problem_and_no_more(database: str) -> None:
    async with pool.opened(database, size=1) as store:
        app = internal_app(internals.AUTH, {}, pool=store)
    async with (
        listening(app, Address("127.0.0.1", 0), name="internal") as url,
        aiohttp.ClientSession() as session,
    ):
        for method, path, _ in described():
            headers = internals.bearer(role="admin")
            async with session.request(method, url + address(path), headers=headers) as got:
                text = await got.text()
            assert got.status < 500 or got.status == 503, (path, got.status)
            for told in ("Traceback", "asyncpg", "Interface", ".py"):
                assert told not in text, (path, text)


def _nothing() -> Any:
    return object()


def _as_pool(failing: object) -> Any:
    return failing
