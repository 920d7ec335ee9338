"""An internal listener on a real database, and the tokens it takes."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import jwt

from service.ops.sources import Configured
from service.settings import Address, Auth, Secret
from service.store import lookups, pool
from service.store.pool import Pool
from service.web.health import Check
from service.web.internal import internal_app
from service.web.listeners import listening

KEY = "a key of at least sixty-four bytes, so that no algorithm finds it short."
AUTH = Auth(jwt_secret=Secret.plain(KEY))


def claims(**said: Any) -> dict[str, Any]:
    """Claims of a viewer that are valid now; a claim given as None is left out."""
    now = datetime.now(UTC)
    usual = {
        "iss": "orderhook",
        "aud": "orderhook",
        "sub": "anna",
        "role": "viewer",
        "iat": now,
        "exp": now + timedelta(minutes=5),
    }
    return {name: value for name, value in {**usual, **said}.items() if value is not None}


def token(**said: Any) -> str:
    return jwt.encode(claims(**said), KEY, algorithm="HS256")


def bearer(**said: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {token(**said)}"}


@asynccontextmanager
async def opened(
    dsn: str | None,
    *,
    checks: Mapping[str, Check] | None = None,
    auth: Auth = AUTH,
    configured: Configured | None = None,
) -> AsyncIterator[str]:
    """Serve on a free port; without a DSN as a relay does, without the API."""
    if dsn is None:
        async with _served(None, checks or {}, auth) as url:
            yield url
    else:
        async with (
            pool.opened(dsn, size=3) as store,
            _served(store, checks, auth, configured=configured) as url,
        ):
            yield url


@asynccontextmanager
async def _served(
    store: Pool | None,
    checks: Mapping[str, Check] | None,
    auth: Auth,
    *,
    configured: Configured | None = None,
) -> AsyncIterator[str]:
    async def database() -> bool:
        assert store is not None
        await lookups.ping(store)
        return True

    app = internal_app(
        auth,
        checks if checks is not None else {"database": database},
        pool=store,
        configured=configured,
    )
    async with listening(app, Address("127.0.0.1", 0), name="internal") as url:
        yield url


@contextmanager
def in_background(dsn: str) -> Iterator[str]:
    """Serve from a thread of its own, for clients that block."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    server = opened(dsn)
    try:
        yield asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(20)
        asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(20)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(20)
        loop.close()
