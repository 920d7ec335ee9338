"""Keys from the network: fetched once, kept within bounds, and a hostile server changes nothing."""

import asyncio
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from prometheus_client import REGISTRY

from service import outbound
from service.intake import keys
from service.intake.group_commit import GroupCommit, Receipt
from service.intake.keys import KeyServers
from service.intake.preset import Declared
from service.intake.provider import Forged, Genuine, Judgement, RawRequest, Undecided, Wanted
from service.intake.receive import Intake, Sender, Tallies
from service.intake.verification.publickeys import PublicKey
from service.intake.verification.tokens import Token
from service.outbound import Answer, Missed, Outbound
from service.settings import Source
from service.store.acceptance import Arrival
from tests.keyserver import Server, breaks, drips, floods, says, serving, waits_for
from tests.unit.verification.keypairs import BODY, NOW, jwk, jwks, pem, request, rsa_key, source

SOURCE = source()


class Clock:
    """Time as the test tells it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class NoCommits(GroupCommit):
    """Takes what is genuine and stores nothing."""

    def __init__(self) -> None:
        """Nothing is held."""

    async def submit(self, arrival: Arrival, *, within: float = 0.0) -> Receipt:
        return Receipt(0, 0)


class NoReader:
    def read(self, request: RawRequest) -> tuple[()]:
        return ()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as made:
        yield made


@pytest.fixture
async def calls() -> AsyncIterator[Outbound]:
    async with outbound.opened(guarded=False) as made:
        yield made


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def servers(calls: Outbound, clock: Clock) -> KeyServers:
    return KeyServers(calls, clock)


def provider(server: Server) -> Declared:
    scheme = Token(where="detached:X-Sign", fetched=f"{server.url}/jwks")
    return Declared(scheme.guard(SOURCE), NoReader())


def signed(kid: str, number: int = 0) -> RawRequest:
    text = jwt.api_jws.encode(
        BODY, rsa_key(number), "RS256", headers={"kid": kid}, is_payload_detached=True
    )
    return request([("X-Sign", text)])


def document(*names: str) -> bytes:
    return jwks(*(jwk(rsa_key(), kid=name) for name in names))


async def judged(servers: KeyServers, server: Server, sent: RawRequest) -> Judgement:
    return await keys.judge(provider(server), sent, source=SOURCE, now=NOW, servers=servers)


async def test_a_key_is_fetched_once_for_many_requests(server: Server, servers: KeyServers) -> None:
    release = asyncio.Event()
    server.behaviour = waits_for(release, says(document("a")))
    tasks = [asyncio.create_task(judged(servers, server, signed("a"))) for _ in range(20)]
    while not server.asked:
        await asyncio.sleep(0.005)
    tasks[0].cancel()
    release.set()
    assert [Genuine()] * 19 == await asyncio.gather(*tasks[1:])
    assert Genuine() == await judged(servers, server, signed("a"))
    assert 1 == len(server.asked)


async def test_after_an_hour_the_document_is_fetched_anew(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    server.behaviour = says(document("a"))
    assert Genuine() == await judged(servers, server, signed("a"))
    clock.now += keys.FRESH
    assert Genuine() == await judged(servers, server, signed("a"))
    assert 2 == len(server.asked)


async def test_a_new_key_id_refreshes_once_a_minute_and_no_oftener(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    server.behaviour = says(document("a"))
    assert Genuine() == await judged(servers, server, signed("a"))
    clock.now += 1
    early = await judged(servers, server, signed("b"))
    assert isinstance(early, Undecided)
    assert timedelta(seconds=59) == early.retry_after
    assert 1 == len(server.asked)
    clock.now += 59
    server.behaviour = says(document("a", "b"))
    assert Genuine() == await judged(servers, server, signed("b"))
    assert Genuine() == await judged(servers, server, signed("a"))
    assert 2 == len(server.asked)


async def test_a_key_id_nobody_knows_is_refused_once_the_server_was_asked(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    server.behaviour = says(document("a"))
    assert isinstance(await judged(servers, server, signed("x")), Forged)
    clock.now += keys.REFRESH
    assert isinstance(await judged(servers, server, signed("x")), Forged)
    assert 2 == len(server.asked)


async def test_a_wrong_signature_by_a_known_key_asks_nobody(
    server: Server, servers: KeyServers
) -> None:
    server.behaviour = says(document("a"))
    for _ in range(3):
        assert isinstance(await judged(servers, server, signed("a", 1)), Forged)
    assert 1 == len(server.asked)


async def test_old_keys_serve_for_a_day_while_the_server_is_away(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    server.behaviour = says(document("a"))
    assert Genuine() == await judged(servers, server, signed("a"))
    server.behaviour = says(b"", status=503)
    clock.now += keys.STALE - 1
    assert Genuine() == await judged(servers, server, signed("a"))
    assert Genuine() == await judged(servers, server, signed("a"))
    assert 2 == len(server.asked)
    clock.now += keys.NEGATIVE + 1
    assert isinstance(await judged(servers, server, signed("a")), Undecided)


@pytest.mark.parametrize(
    "behaviour",
    [
        says(b"", status=500),
        says(document("a"), status=404),
        says(document("a"), status=201),
        says(b""),
        says(b"", status=302, Location="https://169.254.169.254/latest/meta-data"),
        says(b"{}" * 40_000),
        says(b"<html>down for maintenance</html>"),
        says(b"{" * 50_000),
        says(jwks({"kty": "oct", "kid": "a", "k": "c2VjcmV0"})),
        says(document("a"), Content_Encoding="gzip"),
        floods,
        breaks,
    ],
    ids=[
        "500", "404", "201", "empty", "redirect", "too long", "html", "deep", "secret",
        "compressed", "endless", "broken off",
    ],
)  # fmt: skip
async def test_a_server_that_answers_badly_leaves_the_request_undecided(
    server: Server, servers: KeyServers, behaviour: Any
) -> None:
    server.behaviour = behaviour
    answer = await judged(servers, server, signed("a"))
    assert isinstance(answer, Undecided)
    assert answer.retry_after >= timedelta(seconds=1)
    assert 1 == len(server.asked)


@pytest.mark.parametrize(
    ("behaviour", "outcome"),
    [(says(document("a")), "fetched"), (says(b"", status=500), "refused"), (breaks, "away")],
    ids=["fetched", "refused", "away"],
)
async def test_every_question_is_counted_by_how_it_ended(
    server: Server, servers: KeyServers, behaviour: Any, outcome: str
) -> None:
    before = fetches(outcome)
    server.behaviour = behaviour
    await judged(servers, server, signed("a"))
    assert before + 1 == fetches(outcome)


async def test_a_question_that_may_not_be_asked_is_counted_too(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    before = fetches("forbidden"), fetches("too_often")
    async with outbound.opened(guarded=True) as strict:
        guarded = KeyServers(strict, clock)
        for number in range(keys.PER_MINUTE + 1):
            wanted = Wanted(f"{server.url}/{number}")
            await guarded.known(wanted, SOURCE)
    assert (before[0] + keys.PER_MINUTE, before[1] + 1) == (
        fetches("forbidden"),
        fetches("too_often"),
    )


def fetches(outcome: str) -> float:
    labels = {"source": SOURCE.name, "outcome": outcome}
    return REGISTRY.get_sample_value("orderhook_key_fetches_total", labels) or 0.0


async def test_a_slow_server_is_given_up(server: Server, servers: KeyServers) -> None:
    server.behaviour = drips
    async with asyncio.timeout(keys.WITHIN.total_seconds() + 2):
        assert isinstance(await judged(servers, server, signed("a")), Undecided)


async def test_after_a_failure_the_server_is_left_alone_for_a_while(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    server.behaviour = says(b"", status=500)
    for _ in range(5):
        assert isinstance(await judged(servers, server, signed("a")), Undecided)
    assert 1 == len(server.asked)
    clock.now += keys.NEGATIVE
    server.behaviour = says(document("a"))
    assert Genuine() == await judged(servers, server, signed("a"))


async def test_a_page_in_place_of_the_keys_is_asked_for_again_after_a_minute(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    server.behaviour = says(b"<html>")
    assert isinstance(await judged(servers, server, signed("a")), Undecided)
    clock.now += keys.REFRESH
    server.behaviour = says(document("a"))
    assert Genuine() == await judged(servers, server, signed("a"))


async def test_the_token_is_shown_to_the_key_server_that_wants_it(
    server: Server, servers: KeyServers
) -> None:
    server.behaviour = says(pem(rsa_key()))
    token = source(token=source(b"tok").secrets[0])
    for wanted in (
        Wanted(server.url, authorized=True),
        Wanted(server.url + "/x", authorized=True, header="X-Token"),
    ):
        assert pem(rsa_key()) == await servers.known(wanted, token)
    assert pem(rsa_key()) == await servers.known(Wanted(server.url + "/open"), token)
    assert "Bearer tok" == server.headers[0]["authorization"]
    assert "tok" == server.headers[1]["x-token"]
    assert "authorization" not in server.headers[2]
    assert "x-token" not in server.headers[2]


@pytest.mark.parametrize("rehearsing", [True, False])
async def test_only_in_the_sandbox_keys_are_asked_of_the_api_of_the_source(
    calls: Outbound, server: Server, clock: Clock, *, rehearsing: bool
) -> None:
    server.behaviour = says(b"doc")
    servers = KeyServers(calls, clock, rehearsing=rehearsing)
    here = SOURCE.model_copy(update={"api": f"{server.url}/below/"})
    answer = await servers.known(Wanted("https://127.0.0.1:9/keys/1"), here)
    if rehearsing:
        assert b"doc" == answer
    else:
        assert isinstance(answer, Undecided)
    assert ["/below/keys/1"] * rehearsing == [each.path for each in server.asked]


class Invented:
    """Answers every address, and counts."""

    def __init__(self) -> None:
        self.urls: list[str] = []

    async def get(
        self, url: str, *, within: timedelta, most: int, headers: Mapping[str, str] | None = None
    ) -> Answer | Missed:
        self.urls.append(url)
        return Answer(200, b"doc") if "good" in url else Missed("no")


def named(name: str) -> Source:
    return SOURCE.model_copy(update={"name": name})


async def test_whoever_invents_addresses_soon_makes_us_ask_nobody(clock: Clock) -> None:
    calls = Invented()
    servers = KeyServers(calls, clock)
    for number in range(100):
        answer = await servers.known(Wanted(f"https://x.example/{number}"), SOURCE)
        assert isinstance(answer, Undecided)
    assert keys.PER_MINUTE == len(calls.urls)
    assert b"doc" == await servers.known(Wanted("https://good.example"), named("other"))
    clock.now += keys.MINUTE
    await servers.known(Wanted("https://x.example/new"), SOURCE)
    assert "https://x.example/new" == calls.urls[-1]


async def test_invented_addresses_do_not_drive_out_good_ones(clock: Clock) -> None:
    calls = Invented()
    servers = KeyServers(calls, clock)
    await servers.known(Wanted("https://good.example"), named("good"))
    for number in range(keys.MOST_DOCUMENTS * 2):
        await servers.known(Wanted(f"https://x.example/{number}"), named(f"s{number // 20}"))
    asked = len(calls.urls)
    assert b"doc" == await servers.known(Wanted("https://good.example"), named("good"))
    assert asked == len(calls.urls)


async def test_a_key_that_changed_under_its_address_is_taken_after_a_minute(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    scheme = PublicKey("X-Sign", fetched=server.url + "/pubkey", rotates=True)
    made = Declared(scheme.guard(SOURCE), NoReader())
    sign = rsa_key().sign(BODY, PKCS1v15(), hashes.SHA256())
    sent = request([("X-Sign", b64encode(sign).decode())])

    async def told() -> Judgement:
        return await keys.judge(made, sent, source=SOURCE, now=NOW, servers=servers)

    server.behaviour = says(pem(rsa_key(1)))
    assert isinstance(await told(), Forged)
    server.behaviour = says(pem(rsa_key()))
    clock.now += 30
    assert isinstance(await told(), Undecided)
    clock.now += 30
    assert Genuine() == await told()


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "169.254.169.254", "100.64.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fc00::1", "ff02::1",
        "::ffff:127.0.0.1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "2001::1",
        "::7f00:1", "240.0.0.1", "192.0.2.1", "fe80::1%eth0", "not an address",
    ],
)  # fmt: skip
def test_no_address_of_ours_counts_as_public(address: str) -> None:
    assert not outbound.is_public(address)


@pytest.mark.parametrize("address", ["93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"])
def test_addresses_of_the_internet_count_as_public(address: str) -> None:
    assert outbound.is_public(address)


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "[::1]", "2130706433", "0x7f.1", "127.1", "[::ffff:127.0.0.1]"],
)
async def test_guarded_nothing_of_ours_is_reached(server: Server, host: str) -> None:
    port = server.url.rpartition(":")[2]
    urls = (f"https://{host}/", f"https://{host}:{port}/", server.url)
    async with outbound.opened(guarded=True) as strict:
        inside, other, plain = [
            await strict.get(url, within=timedelta(seconds=2), most=1000) for url in urls
        ]
    assert Missed("The address names a port; only 443 is called.", forbidden=True) == other
    for missed in (inside, plain):
        assert isinstance(missed, Missed)
        assert missed.forbidden
    assert [] == server.asked


@pytest.mark.parametrize(
    "url",
    ["", "file:///etc/passwd", "ftp://x/", "https://", "https://user@x/", "//x", "https://[", "x"],
)
async def test_what_is_no_web_address_is_not_asked(calls: Outbound, url: str) -> None:
    missed = await calls.get(url, within=timedelta(seconds=1), most=10)
    assert isinstance(missed, Missed)
    assert missed.forbidden


async def test_a_name_that_does_not_resolve_and_a_closed_port_are_told_apart(
    calls: Outbound,
) -> None:
    unknown = await calls.get("http://nowhere.invalid/", within=timedelta(seconds=5), most=10)
    closed = await calls.get("http://127.0.0.1:9/", within=timedelta(seconds=5), most=10)
    assert isinstance(unknown, Missed)
    assert Missed("No connection could be made.") == closed


async def test_the_path_is_sent_as_it_is_written(calls: Outbound, server: Server) -> None:
    server.behaviour = says(json.dumps({"a": 1}).encode())
    answer = await calls.get(
        f"{server.url}/a%2Fb?x=%20", within=timedelta(seconds=2), most=100, headers={"X-A": "b"}
    )
    assert isinstance(answer, Answer)
    assert (200, b'{"a": 1}') == (answer.status, answer.body)
    assert "/a%2Fb?x=%20" == server.asked[0].raw_path
    assert "b" == server.headers[0]["x-a"]


async def test_a_header_no_request_can_carry_is_refused(calls: Outbound, server: Server) -> None:
    missed = await calls.get(
        server.url, within=timedelta(seconds=2), most=100, headers={"X-A": "a\r\nb"}
    )
    assert isinstance(missed, Missed)
    assert [] == server.asked


async def test_the_sender_is_asked_to_come_back_while_its_keys_cannot_be_had(
    server: Server, servers: KeyServers, clock: Clock
) -> None:
    sender = Sender(SOURCE, provider(server))
    intake = Intake(
        {"shop": sender}, NoCommits(), clock=lambda: NOW, tallies=Tallies(), servers=servers
    )
    server.behaviour = says(b"", status=503)
    reply = await intake.receive("shop", signed("a"))
    assert (503, "10") == (reply.status, reply.headers["Retry-After"])
    server.behaviour = says(document("a"))
    clock.now += keys.NEGATIVE
    assert 401 == (await intake.receive("shop", signed("a", 1))).status
    clock.now += 1
    assert 503 == (await intake.receive("shop", signed("b"))).status
    reply = await intake.receive("shop", signed("a"))
    assert (202, 0) == (reply.status, json.loads(reply.body)["events"])


async def test_a_process_without_calls_outside_puts_such_senders_off(server: Server) -> None:
    sender = Sender(SOURCE, provider(server))
    intake = Intake({"shop": sender}, NoCommits(), clock=lambda: NOW, tallies=Tallies())
    assert 503 == (await intake.receive("shop", signed("a"))).status
