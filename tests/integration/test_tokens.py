"""Access tokens are renewed once for all processes, and none that serves once is lost."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import aiohttp
import pytest
from aiohttp import web
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from pydantic import JsonValue

from service.domain.errors import ConfigurationError
from service.sandbox.dialects.oauth import OAuthDesk
from service.settings import Destination, OAuthRule, Secret
from service.store import pool as pools
from service.store.pool import Pool
from service.vault import Vault
from service.worker.crms import callback
from service.worker.crms.base import Answer, Class
from service.worker.crms.client import open_session
from service.worker.crms.kind import Kind, OAuth
from service.worker.tokens import Shared, tokens_for

pytestmark = pytest.mark.postgres
KEY, OTHER_KEY = bytes(range(32)), bytes(range(1, 33))
GrantName = Literal["refresh_token", "client_credentials", "jwt_bearer"]
GRANTS: tuple[GrantName, ...] = ("refresh_token", "client_credentials", "jwt_bearer")
Turn = Callable[[], Awaitable[None]]


def now() -> datetime:
    return datetime.now(UTC)


class Watched(OAuthDesk):
    """Does something once, after a grant is given and before its answer leaves."""

    between: Turn | None = None

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        response = await super()._handle(request)
        if self.between is not None:
            between, self.between = self.between, None
            await between()
        return response


@dataclass
class Hall:
    """A token server, a database, and as many processes as wanted."""

    desk: Watched
    url: str
    pool: Pool
    http: aiohttp.ClientSession
    oauth: OAuth
    rule: OAuthRule

    def process(self, *, keys: tuple[bytes, ...] = (KEY,), **overrides: Any) -> Shared:
        """The tokens as another process sees them."""
        rule = self.rule.model_copy(update=overrides)
        kind = Kind("simulated", "Simulated", callback.build, oauth=self.oauth)
        destination = Destination(
            name="crm", crm="simulated", oauth=rule, timeout=timedelta(seconds=2)
        )
        made = tokens_for(
            destination, kind, pool=self.pool, session=self.http, vault=Vault(keys), clock=now
        )
        assert made is not None
        return made

    async def row(self) -> Mapping[str, Any]:
        async with pools.session(self.pool) as connection:
            found = await connection.fetchrow("SELECT * FROM tokens WHERE destination = 'crm'")
        return dict(found) if found else {}


@asynccontextmanager
async def hall_of(database: str, **desk: Any) -> AsyncIterator[Hall]:
    made = Watched(now, **desk)
    app = web.Application()
    app.add_routes(made.routes())
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.2)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}{made.path}"
    oauth = OAuth(url, GRANTS, method=made.method, client=made.client, rotating=made.rotating)
    rule = OAuthRule(
        grant="refresh_token",
        client_id=made.client_id,
        client_secret=Secret.plain(made.client_secret),
        refresh_token=Secret.plain(made.install()),
    )
    async with pools.opened(database, size=22) as pool, open_session(30) as http:
        yield Hall(made, url, pool, http, oauth, rule)
    await runner.cleanup()


@pytest.fixture
async def hall(database: str) -> AsyncIterator[Hall]:
    async with hall_of(database, rotating=True) as made:
        yield made


async def token_of(process: Shared, **how: Any) -> str:
    token = await process.access(**how)
    assert isinstance(token, str), token
    return token


async def refusal_of(process: Shared, **how: Any) -> Answer:
    answer = await process.access(**how)
    assert isinstance(answer, Answer), "a token came"
    return answer


async def test_twenty_processes_ask_for_a_token_once(hall: Hall) -> None:
    processes = [hall.process() for _ in range(20)]
    got = await asyncio.gather(*(each.access() for each in processes for _ in range(5)))
    assert 1 == len(set(got))
    assert 1 == hall.desk.given
    assert hall.desk.knows(str(got[0]))


async def test_twenty_processes_whose_token_is_refused_renew_it_once(hall: Hall) -> None:
    processes = [hall.process() for _ in range(20)]
    old = {await token_of(each) for each in processes}.pop()
    hall.desk.expire()
    new = set(await asyncio.gather(*(each.access(refused=old) for each in processes)))
    assert 1 == len(new)
    assert old not in new
    assert (2, 0) == (hall.desk.given, hall.desk.refused)


async def test_a_refresh_token_that_serves_once_is_followed_for_ever(hall: Hall) -> None:
    token = None
    for number in range(8):
        process = hall.process()
        token = await token_of(process, refused=token)
        assert number + 1 == hall.desk.given
    assert 0 == hall.desk.refused


async def test_a_token_is_renewed_shortly_before_it_runs_out(database: str) -> None:
    async with hall_of(database, lifetime=timedelta(seconds=1)) as hall:
        process = hall.process()
        first = await token_of(process)
        assert first == await token_of(hall.process())
        until = asyncio.get_running_loop().time() + 5
        while first == await token_of(process):
            assert asyncio.get_running_loop().time() < until
            await asyncio.sleep(0.02)
        assert 2 == hall.desk.given


async def test_a_token_without_a_stated_end_serves_until_it_is_refused(database: str) -> None:
    async with hall_of(database, extra={"expires_in": None}) as hall:
        first = await token_of(hall.process())
        assert (await hall.row())["expires_at"] is None
        assert first == await token_of(hall.process())
        assert first != await token_of(hall.process(), refused=first)


async def test_nobody_uses_a_token_before_the_next_refresh_token_is_committed(hall: Hall) -> None:
    async def cut() -> None:
        async with pools.session(hall.pool) as connection:
            await connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE state = 'idle in transaction' AND datname = current_database()"
            )

    process = hall.process()
    old = await token_of(process)
    hall.desk.between = cut
    new = await token_of(process, refused=old)
    # PostgreSQL ended the transaction; what was given was kept in memory and saved at last.
    assert (2, 0) == (hall.desk.given, hall.desk.refused)
    assert new == await token_of(hall.process())
    assert new != await token_of(hall.process(), refused=new)
    assert 0 == hall.desk.refused


async def test_a_crash_between_exchange_and_commit_ends_with_steps_for_a_person(hall: Hall) -> None:
    old = await token_of(hall.process())
    crashed = hall.process()
    gone = asyncio.Event()

    async def crash() -> None:
        gone.set()
        await asyncio.sleep(0)
        assert crashed.running is not None
        crashed.running.cancel()

    hall.desk.between = crash
    asking = asyncio.ensure_future(crashed.access(refused=old))
    await gone.wait()
    await asyncio.gather(asking, return_exceptions=True)
    answer = await refusal_of(hall.process(), refused=old)
    assert Class.HUMAN is answer.kind
    assert "Sign the app in again" in answer.detail
    assert "resume the destination crm" in answer.detail
    # The token that is still good goes on serving whoever was not refused.
    assert old == await token_of(hall.process())


async def test_a_lost_answer_is_tried_again_and_then_explained(hall: Hall) -> None:
    process = hall.process()
    old = await token_of(process)
    hall.desk.lose = 1
    first = await refusal_of(process, refused=old)
    assert Class.TRANSIENT is first.kind
    process.rests_until = 0.0
    second = await refusal_of(process, refused=old)
    assert Class.HUMAN is second.kind
    assert second.detail.startswith("The answer to an earlier renewal was lost")


async def test_a_refresh_token_that_serves_often_survives_a_lost_answer(database: str) -> None:
    async with hall_of(database, lose=1) as hall:
        process = hall.process()
        assert Class.TRANSIENT is (await refusal_of(process)).kind
        process.rests_until = 0.0
        assert hall.desk.knows(await token_of(process))


async def test_a_token_server_that_is_down_is_left_alone_for_a_while(hall: Hall) -> None:
    hall.desk.down = 1
    process = hall.process()
    answers = {(await refusal_of(process)).http_status for _ in range(10)}
    assert {503} == answers
    process.rests_until = 0.0
    assert hall.desk.knows(await token_of(process))


async def test_new_configured_credentials_replace_the_kept_tokens(hall: Hall) -> None:
    first = await token_of(hall.process())
    hall.desk.revoke()
    again = Secret.plain(hall.desk.install())
    second = await token_of(hall.process(refresh_token=again))
    assert first != second
    assert hall.desk.knows(second)


async def test_a_changed_secret_of_the_app_keeps_the_line_of_refresh_tokens(hall: Hall) -> None:
    first = await token_of(hall.process())
    hall.desk.client_secret = "another"
    process = hall.process(client_secret=Secret.plain("another"))
    assert hall.desk.knows(await token_of(process, refused=first))


async def test_a_process_with_older_credentials_does_not_undo_newer_ones(hall: Hall) -> None:
    outdated = hall.process()
    first = await token_of(outdated)
    newer = hall.process(refresh_token=Secret.plain(hall.desk.install()))
    second = await token_of(newer)
    answer = await refusal_of(outdated, refused=first)
    assert Class.TRANSIENT is answer.kind
    assert "reload" in answer.detail
    assert second == await token_of(newer)


async def test_fresh_tokens_that_are_refused_too_are_no_question_of_age(hall: Hall) -> None:
    process = hall.process()
    token = await token_of(process)
    for _ in range(5):
        token = await token_of(process, refused=token)
    answer = await refusal_of(process, refused=token)
    assert Class.AUTH is answer.kind
    assert 6 == hall.desk.given


async def test_a_row_shows_no_token_and_opens_with_an_older_key(hall: Hall) -> None:
    token = await token_of(hall.process(keys=(OTHER_KEY,)))
    row = await hall.row()
    assert token.encode() not in row["sealed"]
    assert token == await token_of(hall.process(keys=(KEY, OTHER_KEY)))
    second = await token_of(hall.process(keys=(KEY, OTHER_KEY)), refused=token)
    assert second == await token_of(hall.process(keys=(KEY,)))


async def test_a_row_whose_key_is_gone_says_which_key_to_put_back(hall: Hall) -> None:
    await token_of(hall.process(keys=(OTHER_KEY,)))
    answer = await refusal_of(hall.process())
    assert Class.HUMAN is answer.kind
    assert "server.keys" in answer.detail
    assert 1 == hall.desk.given


async def test_a_caller_that_is_called_off_loses_no_token(hall: Hall) -> None:
    process = hall.process()
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go.wait()

    hall.desk.between = wait
    asking = asyncio.ensure_future(process.access())
    await begun.wait()
    asking.cancel()
    go.set()
    await process.settle()
    assert hall.desk.knows(await token_of(hall.process()))
    assert 1 == hall.desk.given


async def test_other_processes_wait_for_the_exchange_of_one(hall: Hall) -> None:
    begun, go = asyncio.Event(), asyncio.Event()

    async def wait() -> None:
        begun.set()
        await go.wait()

    hall.desk.between = wait
    first = asyncio.ensure_future(hall.process().access())
    await begun.wait()
    second = asyncio.ensure_future(hall.process().access())
    async with pools.session(hall.pool) as connection:
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
        async with asyncio.timeout(5):
            while not await connection.fetchval(waiting):
                await asyncio.sleep(0.02)
    go.set()
    assert await first == await second
    assert 1 == hall.desk.given


async def test_an_exchange_that_never_ends_ends_for_the_others(hall: Hall) -> None:
    never = asyncio.Event()

    async def hang() -> None:
        await never.wait()

    hall.desk.between = hang
    answers = await asyncio.gather(hall.process().access(), hall.process().access())
    never.set()
    kinds = [each.kind for each in answers if isinstance(each, Answer)]
    assert Class.TRANSIENT in kinds


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("client", ["body", "basic"])
@pytest.mark.parametrize("grant", ["refresh_token", "client_credentials"])
async def test_the_app_shows_itself_as_the_vendor_wants(
    database: str, method: str, client: str, grant: str
) -> None:
    secret = "s:e/c+r&e=t"
    async with hall_of(database, method=method, client=client, client_secret=secret) as hall:
        assert hall.desk.knows(await token_of(hall.process(grant=grant)))


async def test_a_refused_app_is_told_where_to_look(database: str) -> None:
    async with hall_of(database) as hall:
        answer = await refusal_of(hall.process(client_secret=Secret.plain("wrong")))
        assert Class.AUTH is answer.kind
        assert "oauth.client_secret" in answer.detail


def pem() -> tuple[str, str]:
    key = rsa.generate_private_key(65537, 2048)
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private.decode(), public.decode()


async def test_a_signed_statement_brings_a_token_and_what_comes_along(database: str) -> None:
    private, public = pem()
    said: dict[str, JsonValue] = {"instance_url": "http://127.0.0.1:1", "issued": 7}
    async with hall_of(database, public_key=public, audience="https://login", extra=said) as hall:
        how: dict[str, Any] = {
            "grant": "jwt_bearer",
            "key": Secret.plain(private),
            "subject": "gateway@example.com",
            "audience": "https://login",
        }
        assert "http://127.0.0.1:1" == await hall.process(**how).said("instance_url")
        assert None is await hall.process(**how).said("issued")
        assert 1 == hall.desk.given
        other = await refusal_of(hall.process(**how | {"audience": "https://other"}))
        assert Class.HUMAN is other.kind
        assert "oauth.subject" in other.detail


async def test_a_key_that_is_none_is_a_mistake_of_the_configuration(hall: Hall) -> None:
    with pytest.raises(ConfigurationError, match=r"oauth\.key of crm"):
        hall.process(grant="jwt_bearer", key=Secret.plain("no key"), subject="somebody")


async def test_without_keys_there_are_no_kept_tokens(hall: Hall) -> None:
    destination = Destination(name="crm", crm="simulated", oauth=hall.rule)
    kind = Kind("simulated", "Simulated", callback.build, oauth=hall.oauth)
    with pytest.raises(ConfigurationError, match=r"server\.keys"):
        tokens_for(destination, kind, pool=hall.pool, session=hall.http, vault=None, clock=now)


async def test_a_destination_without_oauth_has_no_tokens(hall: Hall) -> None:
    plain = Destination(name="crm", crm="callback")
    how: dict[str, Any] = {"pool": hall.pool, "session": hall.http, "clock": now}
    assert None is tokens_for(plain, callback.KIND, vault=None, **how)
