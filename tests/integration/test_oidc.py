"""Signing in with an identity provider: what it proves lets in, and nothing else does."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import aiohttp
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from yarl import URL

from service import outbound
from service.settings import Address, Oidc, Secret
from service.settings.oidc_table import Roles
from service.store import pool
from service.web.console.identity import Identity
from service.web.console.routes import Console
from service.web.internal import internal_app
from service.web.listeners import listening
from tests.identity_provider import CLIENT, SECRET, Provider, running
from tests.internals import AUTH

pytestmark = pytest.mark.postgres

ROLES = Roles(viewer=("everyone",), operator=("support",), admin=("platform",))


@dataclass
class Visit:
    """A browser without scripts, on a console whose people are known elsewhere."""

    url: str
    session: aiohttp.ClientSession
    provider: Provider
    seen: list[str] = field(default_factory=list)

    async def get(self, address: str) -> tuple[int, str, str]:
        """Status, where it leads, and what it says."""
        async with self.session.get(address, allow_redirects=False) as answer:
            return answer.status, answer.headers.get("Location", ""), await answer.text()

    async def leave(self, wanted: str = "/console/orders") -> str:
        """To the provider and as far as its answer: where the browser is sent with it."""
        status, there, said = await self.get(f"{self.url}/console/oidc?next={wanted}")
        assert 303 == status, said
        assert there.startswith(f"{self.provider.issuer}/authorize?")
        status, back, _ = await self.get(there)
        assert 302 == status
        assert back.startswith(f"{self.url}/console/oidc/back?")
        return back

    async def sign_in(self) -> tuple[int, str, str]:
        return await self.get(await self.leave())

    async def is_in(self) -> bool:
        status, _, _ = await self.get(f"{self.url}/console/orders")
        return status == 200


def browser(url: str) -> aiohttp.ClientSession:
    """Keeps cookies as browsers do, for which 127.0.0.1 is as good as https."""
    jar = aiohttp.CookieJar(unsafe=True, treat_as_secure_origin=[URL(url).origin()])
    return aiohttp.ClientSession(cookie_jar=jar)


@asynccontextmanager
async def visiting(database: str, provider: Provider, **rule: Any) -> AsyncIterator[Visit]:
    async with (
        running(provider),
        pool.opened(database, size=2) as store,
        outbound.opened(guarded=False) as calls,
    ):
        usual = {"client_secret": Secret.plain(SECRET), "roles": ROLES, "client_id": CLIENT}
        identity = Identity(Oidc(issuer=provider.issuer, **{**usual, **rule}), calls)
        console = Console(store, AUTH, lambda: datetime.now(UTC), identity=identity)
        app = internal_app(AUTH, {}, pool=store, console=console)
        async with (
            listening(app, Address("127.0.0.1", 0), name="internal") as url,
            browser(url) as session,
        ):
            yield Visit(url, session, provider)


@pytest.fixture
async def visit(database: str) -> AsyncIterator[Visit]:
    async with visiting(database, Provider()) as opened:
        yield opened


async def test_whom_the_provider_knows_is_let_in_and_led_to_where_they_wanted(visit: Visit) -> None:
    status, there, _ = await visit.sign_in()
    assert (303, "/console/welcome?next=%2Fconsole%2Forders") == (status, there)
    status, there, _ = await visit.get(f"{visit.url}{there}")
    assert (303, "/console/orders") == (status, there)
    assert await visit.is_in()


@pytest.mark.parametrize(
    ("claims", "role"),
    [
        ({"groups": ["platform", "support"]}, "admin"),
        ({"groups": ["support", "everyone"]}, "operator"),
        ({"groups": "everyone"}, "viewer"),
    ],
)
async def test_the_highest_role_of_the_claim_counts(
    visit: Visit, claims: dict[str, Any], role: str
) -> None:
    visit.provider.lies = claims
    await visit.sign_in()
    _, _, page = await visit.get(f"{visit.url}/console/orders")
    assert f'<span class="soft">{role}</span>' in page


@pytest.mark.parametrize("groups", [None, [], ["strangers"], [["platform"]], {"platform": True}])
async def test_whoever_has_no_role_is_shown_nothing(visit: Visit, groups: object) -> None:
    visit.provider.lies = {"groups": groups}
    status, _, page = await visit.sign_in()
    assert 403 == status
    assert "anna@example.com, who may not see this console" in page
    assert not await visit.is_in()


HOUR = 3600


def _at(value: Any) -> Any:
    """Numbers of seconds from now as times, anything else as it is."""
    return datetime.now(UTC) + timedelta(seconds=value) if isinstance(value, int) else value


@pytest.mark.parametrize(
    "lies",
    [
        {"nonce": "another"},
        {"nonce": None},
        {"nonce": ["list"]},
        {"iss": "https://id.example.com"},
        {"iss": None},
        {"aud": "another-client"},
        {"aud": ["another-client", "third"]},
        {"aud": [CLIENT, "another-client"]},
        {"aud": [CLIENT, "another-client"], "azp": "another-client"},
        {"azp": "another-client"},
        {"exp": -HOUR},
        {"exp": None},
        {"iat": HOUR},
        {"iat": None},
        {"sub": None},
        {"nbf": HOUR},
    ],
    ids=str,
)
async def test_a_token_with_a_wrong_claim_lets_nobody_in(
    visit: Visit, lies: dict[str, Any]
) -> None:
    visit.provider.lies = {name: _at(value) for name, value in lies.items()}
    status, _, page = await visit.sign_in()
    assert 401 == status
    assert "cannot be believed" in page
    assert 1 == visit.provider.redeemed
    assert not await visit.is_in()


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("none", ""),
        ("HS256", "a secret / of the client that is long enough"),
        ("RS256", rsa.generate_private_key(public_exponent=65537, key_size=2048)),
    ],
    ids=["unsigned", "with a shared secret", "with a foreign key"],
)
async def test_a_token_of_nobodys_signature_lets_nobody_in(
    visit: Visit, algorithm: str, key: object
) -> None:
    visit.provider.algorithm, visit.provider.key = algorithm, key
    status, _, _ = await visit.sign_in()
    assert 401 == status
    assert not await visit.is_in()


async def test_a_token_never_brings_its_own_key(visit: Visit) -> None:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    visit.provider.key = key
    visit.provider.header = {"jku": f"{visit.provider.issuer}/keys", "kid": "second"}
    status, _, _ = await visit.sign_in()
    assert 401 == status


async def test_an_answer_counts_once_and_only_in_the_browser_that_asked(visit: Visit) -> None:
    back = await visit.leave()
    async with browser(visit.url) as other, other.get(back, allow_redirects=False) as answer:
        assert 401 == answer.status
        assert "was not begun in this browser" in await answer.text()
    # The stranger's try did not use it up, and it is worth nothing a second time.
    assert 303 == (await visit.get(back))[0]
    status, _, page = await visit.get(back)
    assert 401 == status
    assert "was used" in page
    assert 1 == visit.provider.redeemed


@pytest.mark.parametrize("state", ["", "another", "x" * 3000, "\u0661"])
async def test_an_answer_that_nobody_asked_for_is_refused(visit: Visit, state: str) -> None:
    visit.provider.answer = {"state": state}
    status, _, _ = await visit.sign_in()
    assert 401 == status
    assert 0 == visit.provider.redeemed


async def test_an_answer_of_another_provider_is_refused_before_its_code_is_used(
    visit: Visit,
) -> None:
    visit.provider.answer = {"iss": "https://another.example.com"}
    assert 401 == (await visit.sign_in())[0]
    assert 0 == visit.provider.redeemed


async def test_a_provider_that_names_itself_in_answers_must_do_so(database: str) -> None:
    document = {"authorization_response_iss_parameter_supported": True}
    async with visiting(database, Provider(document=document)) as visit:
        assert 401 == (await visit.sign_in())[0]
        visit.provider.answer = {"iss": visit.provider.issuer}
        assert 303 == (await visit.sign_in())[0]


async def test_a_document_of_another_issuer_is_not_believed(database: str) -> None:
    document = {"issuer": "https://id.example.com"}
    async with visiting(database, Provider(document=document)) as visit:
        status, _, page = await visit.get(f"{visit.url}/console/oidc")
        assert 503 == status
        assert "it names another issuer" in page


async def test_whom_the_provider_turns_away_reads_so(visit: Visit) -> None:
    visit.provider.answer = {"error": "access_denied", "code": ""}
    status, _, page = await visit.sign_in()
    assert 401 == status
    assert "did not let you in" in page


async def test_nobody_is_led_to_another_host(visit: Visit) -> None:
    for wanted in ("https://evil.example/", "//evil.example/", "/console/\\evil", "/api/v1/ledger"):
        back = await visit.leave(wanted)
        _, there, _ = await visit.get(back)
        assert "/console/welcome?next=%2Fconsole%2F" == there


async def test_a_stolen_answer_is_worth_nothing_without_the_verifier(visit: Visit) -> None:
    back = URL(await visit.leave())
    visit.provider.codes = {
        code: {**asked, "code_challenge": "another"} for code, asked in visit.provider.codes.items()
    }
    assert 401 == (await visit.get(str(back)))[0]
    assert not await visit.is_in()


async def test_an_unverified_address_names_nobody(visit: Visit) -> None:
    visit.provider.lies = {"email_verified": False, "email": "boss@example.com"}
    await visit.sign_in()
    _, _, page = await visit.get(f"{visit.url}/console/orders")
    assert "boss@example.com" not in page
    assert "anna" in page


async def test_a_provider_that_is_away_is_a_sentence(database: str) -> None:
    provider = Provider()
    async with visiting(database, provider) as visit:
        provider.document = {"token_endpoint": "http://127.0.0.1:1/token"}
        status, _, page = await visit.sign_in()
        assert 503 == status
        assert "try again in a moment" in page
