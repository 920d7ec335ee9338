"""Attacks on tokens, fetched keys and the API: the exact answer, and little memory or time."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import aiohttp
import jwt
import pytest
from aiohttp import web

from tests.acceptance.attacks.fortress import (
    LAG,
    MEMORY,
    NOTHING,
    Fortress,
    Rows,
    Watch,
    request,
)
from tests.keyserver import Behaviour, Server, breaks, drips, floods, says, serving
from tests.unit.verification.keypairs import jwk, jwks, rsa_key

pytestmark = [pytest.mark.postgres, pytest.mark.timeout(90)]

KEY = "a secret of the attacked, long enough for its hash"
BODY = b'{"id":"1"}'
FLOOD = 200


@pytest.fixture
async def attacker(fortress: Fortress) -> AsyncIterator[Server]:
    """The key servers of the sources, all in the attacker's hand."""
    behaviours: dict[str, Behaviour] = {
        "rotating": says(jwks(jwk(rsa_key(), kid="ours"))),
        "flooding": floods,
        "dripping": drips,
        "leading": says(b"", status=302, Location=fortress.stage.gateway["internal"]),
        "lying": breaks,
    }

    async def behave(asked: web.Request) -> web.StreamResponse:
        return await behaviours[asked.path.split("/")[1]](asked)

    async with serving(fortress.key_port) as server:
        server.behaviour = behave
        yield server


def part(said: Any) -> str:
    raw = said if isinstance(said, bytes) else json.dumps(said).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def posted(source: str, **head: Any) -> bytes:
    """A body with a detached signature that nobody made."""
    usual = {"alg": "RS256", "kid": "nobody", "b64": False, "crit": ["b64"], **head}
    token = f"{part(usual)}..{part(b'x' * 256)}"
    return request(BODY, f"Saleor-Signature: {token}", path=f"/webhooks/{source}")


def bounded(fortress: Fortress, watch: Watch, grown: Rows) -> None:
    assert NOTHING == grown
    assert [] == fortress.tracebacks()
    assert watch.grown <= MEMORY
    assert watch.late <= LAG


ODD: dict[str, dict[str, Any]] = {
    "signature": {},
    "none": {"alg": "none"},
    "HMAC": {"alg": "HS256"},
    "critical": {"crit": ["b64", "x"]},
    "unencoded, not critical": {"crit": []},
    "key of its own": {"jwk": {"kty": "oct", "k": "eA"}},
    "key elsewhere": {"jku": "https://evil.example/keys", "x5u": "https://evil.example/c.pem"},
    "no name": {"kid": None},
    "a name too long": {"kid": "k" * 1000},
}


@pytest.mark.parametrize("name", ODD)
async def test_35_a_forged_signature_of_a_sender_is_refused(
    fortress: Fortress, attacker: Server, name: str
) -> None:
    before = await fortress.rows()
    async with fortress.watched() as watch:
        answers = await fortress.say(posted("rotating", **{"kid": "ours", **ODD[name]}))
    assert [401] == [answer.status for answer in answers]
    bounded(fortress, watch, await fortress.rows() - before)


async def test_36_a_flood_of_unknown_key_names_asks_the_key_server_hardly_ever(
    fortress: Fortress, attacker: Server
) -> None:
    before = await fortress.rows()
    async with fortress.watched() as watch:
        for start in range(0, FLOOD, 20):
            numbers = range(start, start + 20)
            said = (fortress.say(posted("rotating", kid=f"invented-{n}")) for n in numbers)
            answers = [answer for each in await asyncio.gather(*said) for answer in each]
            # Forged, where the server was just asked; else put off until it may be asked again.
            assert {answer.status for answer in answers} <= {401, 503}
    asked = [each for each in attacker.asked if each.path.startswith("/rotating")]
    assert len(asked) <= 2
    bounded(fortress, watch, await fortress.rows() - before)


@pytest.mark.parametrize("source", ["flooding", "dripping", "leading", "lying"])
async def test_37_a_hostile_key_server_costs_one_short_question(
    fortress: Fortress, attacker: Server, source: str
) -> None:
    before = await fortress.rows()
    async with fortress.watched() as watch:
        for _ in range(3):
            [answer] = await fortress.say(posted(source))
            assert 503 == answer.status
            assert 1 <= int(answer.headers["retry-after"]) <= 60
    asked = [each.path for each in attacker.asked]
    assert [f"/{source}/.well-known/jwks.json"] == asked
    bounded(fortress, watch, await fortress.rows() - before)


def token(**said: Any) -> str:
    now = datetime.now(UTC)
    times = {"iat": now, "exp": now + timedelta(minutes=5)}
    claims = {"iss": "orderhook", "aud": "orderhook", "sub": "anna", "role": "viewer", **times}
    return jwt.encode({**claims, **said}, KEY, algorithm="HS256")


def forged() -> Sequence[str]:
    good = token(role="admin").split(".")
    none = part({"alg": "none", "typ": "JWT"})
    return (
        f"{none}.{good[1]}.",
        f"{good[0]}.{part({'role': 'admin'})}.{good[2]}",
        f"{good[0]}.{part(b'[' * 900 + b']' * 900)}.{good[2]}",
        "a" * 3000,
        "...",
    )


async def test_35_a_forged_token_opens_nothing_of_the_api(fortress: Fortress) -> None:
    url = f"{fortress.stage.gateway['internal']}/api/v1/ledger"
    before = await fortress.rows()
    async with fortress.watched() as watch, aiohttp.ClientSession() as session:
        for each in (*forged(), "b" * 100_000):
            async with session.get(url, headers={"Authorization": f"Bearer {each}"}) as answer:
                expected = 400 if len(each) > 4096 else 401
                assert (expected, "problem" in answer.content_type) == (answer.status, True)
    bounded(fortress, watch, await fortress.rows() - before)


EXPENSIVE = (
    "/subjects?limit=1000000000",
    "/events?cursor=" + "A" * 2000,
    "/events?offset=1000000000",
    "/subjects?ref=" + "%25" * 1000,
    "/subjects/order/" + "%F0%9F%92%A9" * 250,
)


@pytest.mark.parametrize("path", EXPENSIVE, ids=range(len(EXPENSIVE)))
async def test_61_an_expensive_question_is_answered_in_bounds(
    fortress: Fortress, path: str
) -> None:
    url = f"{fortress.stage.gateway['internal']}/api/v1{path}"
    sent = {"Authorization": f"Bearer {token()}"}
    before = await fortress.rows()
    async with fortress.watched() as watch, aiohttp.ClientSession() as session:
        for _ in range(10):
            async with asyncio.timeout(2), session.get(url, headers=sent) as answer:
                assert answer.status in {200, 400, 404}
                assert len(await answer.read()) < 64 * 1024
    bounded(fortress, watch, await fortress.rows() - before)


def test_a_process_that_is_killed_leaves_no_core_with_its_secrets(fortress: Fortress) -> None:
    limits = Path(f"/proc/{fortress.pid}/limits")
    if not limits.exists():
        pytest.skip("only Linux shows the limits of a process")
    [line] = [each for each in limits.read_text().splitlines() if each.startswith("Max core")]
    assert ["0", "0"] == line.split()[4:6]
