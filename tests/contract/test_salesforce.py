"""What is Salesforce's own: collections, SOQL, a limit of two meanings, conditions of Account."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from service.domain.budget import Hint
from service.domain.errors import ConfigurationError
from service.sandbox.dialects.salesforce import Salesforce
from service.sandbox.dialects.soql import MalformedError, parse
from service.worker.crms.base import Answer, Class, Page, Record, Wanted
from service.worker.crms.salesforce import said
from tests.contract import peers, variants
from tests.contract.peers import Peer

DATA = "/services/data/v68.0"


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peers.peer(Salesforce) as made:
        yield made


def dialect(peer: Peer) -> Salesforce:
    assert isinstance(peer.dialect, Salesforce)
    return peer.dialect


def paths(peer: Peer) -> list[str]:
    return [path.removeprefix(DATA) for _, _, path in peer.dialect.calls]


async def test_two_hundred_records_are_one_call(peer: Peer) -> None:
    seeded = [peer.dialect.seed(f"A-{n}") for n in range(200)]
    rows = [peer.write(f"A-{n}", "Paid", remote_id=each.id) for n, each in enumerate(seeded)]
    answers = await peer.crm.write_batch(rows)
    assert {Class.OK} == {each.kind for each in answers}
    assert ["/composite/sobjects"] == paths(peer)


async def test_a_locked_row_is_tried_again_and_spoils_no_other(peer: Peer) -> None:
    free, locked = peer.dialect.seed("A-1"), peer.dialect.seed("A-2")
    dialect(peer).locked.add(locked.id)
    rows = [peer.write("", "Paid", remote_id=each.id) for each in (locked, free)]
    answers = await peer.crm.write_batch(rows)
    assert [Class.TRANSIENT, Class.OK] == [each.kind for each in answers]
    assert "UNABLE_TO_LOCK_ROW" in answers[0].detail


async def test_a_field_that_is_not_there_is_blamed_on_its_row(peer: Peer) -> None:
    seeded = [peer.dialect.seed(f"A-{n}") for n in range(8)]
    rows = [
        peer.write("", "Paid", remote_id=each.id, fields={"Nowhere__c": "x"} if n == 5 else {})
        for n, each in enumerate(seeded)
    ]
    answers = await peer.crm.write_batch(rows)
    assert [5] == [n for n, each in enumerate(answers) if each.kind is Class.PERMANENT]
    assert 7 == sum(each.kind is Class.OK for each in answers)


async def test_creating_again_changes_the_same_record(peer: Peer) -> None:
    first = await peer.wrote("A-1", "Paid", create=True)
    again = await peer.wrote("A-1", "Shipped", create=True)
    assert (Class.OK, first.remote_id) == (again.kind, again.remote_id)
    assert [f"/composite/sobjects/Opportunity/{'Order_No__c'}"] * 2 == paths(peer)
    assert 1 == len(peer.dialect.book.entries)


async def test_a_number_that_stands_twice_is_refused_for_good(peer: Peer) -> None:
    twice = [peer.dialect.seed("A-1") for _ in range(2)]
    answer = await peer.wrote("A-1", "Paid", create=True)
    assert Class.PERMANENT == answer.kind
    assert "DUPLICATE_EXTERNAL_ID" in answer.detail
    assert ["Prospecting"] * 2 == [peer.dialect.status(each) for each in twice]


async def test_http_300_is_two_records(peer: Peer) -> None:
    async with peers.hostile(peers.http(b"[]", status="300 Multiple Choices")) as url:
        crm = peers.moved(peer, url)
        [answer] = await crm.write_batch([peer.write("A-1", "Paid", create=True)])
    assert (Class.PERMANENT, 300) == (answer.kind, answer.http_status)


async def test_what_is_only_to_be_changed_is_never_created(peer: Peer) -> None:
    assert Class.NOT_FOUND == (await peer.wrote("A-1", "Paid")).kind
    assert ({}, []) == (peer.dialect.book.entries, peer.dialect.calls)


async def test_a_query_is_followed_to_its_end(peer: Peer) -> None:
    dialect(peer).page = 2
    for _ in range(5):
        peer.dialect.seed("A-1")
    found = await peer.found("A-1")
    assert not isinstance(found, Answer)
    assert 5 == len({each.remote_id for each in found})
    assert 3 == len(peer.dialect.calls)


async def test_a_long_list_of_numbers_is_more_than_one_query(peer: Peer) -> None:
    keys = [f"{'№' * 60}-{number}" for number in range(60)]
    seeded = [peer.dialect.seed(key) for key in keys]
    found = await peer.crm.find([Wanted(peer.target, key) for key in keys])
    ids = [[each.remote_id for each in one] for one in found if not isinstance(one, Answer)]
    assert [[each.id] for each in seeded] == ids
    assert 1 < len(peer.dialect.calls) <= 5


async def test_a_next_page_elsewhere_is_not_followed(peer: Peer) -> None:
    body = b'{"totalSize": 9, "done": false, "records": [], "nextRecordsUrl": "//evil.example/x"}'
    async with peers.hostile(peers.http(body)) as url:
        [found] = await peers.moved(peer, url).find([peer.wanted("A-1")])
    assert isinstance(found, Answer)
    assert Class.TRANSIENT == found.kind


@pytest.mark.parametrize("key", ["a\nb", "a\rb", "\\'", "a\\", "') OR (Name != '"])
async def test_a_query_means_what_was_asked(peer: Peer, key: str) -> None:
    mine = peer.dialect.seed(key)
    peer.dialect.seed("another")
    found = await peer.found(key)
    assert not isinstance(found, Answer)
    assert [mine.id] == [each.remote_id for each in found]


async def test_a_name_that_is_none_never_comes_into_a_query(peer: Peer) -> None:
    odd = "Id FROM User WHERE Id != ''"
    [found] = await peer.crm.find([Wanted(peer.target, "A-1", [odd])])
    assert isinstance(found, Answer)
    assert Class.PERMANENT == found.kind
    assert [] == peer.dialect.calls
    with pytest.raises(ConfigurationError):
        peer.adapter(objects={"order": {"object": odd}})


@pytest.mark.parametrize(
    ("concurrent", "scope", "after"),
    [(True, None, timedelta(seconds=5)), (False, "daily", timedelta(hours=1))],
)
async def test_too_many_at_once_is_not_a_spent_day(
    peer: Peer, *, concurrent: bool, scope: str | None, after: timedelta
) -> None:
    dialect(peer).concurrent = concurrent
    peer.dialect.throttles = 1
    answer = await peer.wrote("A-1", "Paid", remote_id=peer.some_id())
    assert (Class.RATE, scope, after) == (answer.kind, answer.scope, answer.after)


async def test_each_answer_tells_what_is_left(peer: Peer) -> None:
    await peer.wrote("A-1", "Paid", remote_id=peer.some_id())
    await peer.found("1001")
    assert [Hint("daily", 99_999, 100_000), Hint("daily", 99_998, 100_000)] == peer.purse.hints


async def test_a_spent_day_says_how_much_there_is_at_all(peer: Peer) -> None:
    head = "Sforce-Limit-Info: api-usage=25/5000; per-app-api-usage=17/250(appName=x)\r\n"
    async with peers.hostile(peers.http(b"[]", head=head)) as url:
        await peers.moved(peer, url).find([peer.wanted("A-1")])
    assert [Hint("daily", 4975, 5000)] == peer.purse.hints


async def test_only_an_account_is_written_on_a_condition() -> None:
    async with peers.peer(variants.SalesforceAccounts) as peer:
        assert (True, 1) == (peer.crm.capabilities.conditional, peer.crm.capabilities.batch)
        entry = peer.dialect.seed("A-1")
        read = await peer.read(entry.id)
        assert isinstance(read, Record)
        assert read.token
    async with peers.peer(Salesforce) as peer:
        assert not peer.crm.capabilities.conditional
        read = await peer.read(peer.some_id())
        assert isinstance(read, Record)
        assert read.token is None


async def test_pages_of_one_moment_go_on_by_id(peer: Peer) -> None:
    dialect(peer).page = 3
    seeded = [peer.dialect.seed(f"A-{n}") for n in range(7)]
    cursor: str | None = None
    told: list[str] = []
    for _ in range(3):
        since = peers.AT
        page = await peer.crm.read_back(peer.target, [], since=since, cursor=cursor)
        assert isinstance(page, Page)
        told += [each.remote_id for each in page.records]
        cursor = page.cursor
    assert ([each.id for each in seeded], None) == (told, cursor)
    assert {"/query"} == set(paths(peer))


@pytest.mark.parametrize(
    "changes",
    [
        {"oauth": None},
        {"options": {"version": "68"}},
        {"options": {"create": {"a b": "x"}}},
        {"options": {"create": "x"}},
    ],
)
async def test_what_cannot_work_is_told_at_once(peer: Peer, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        peer.adapter(**changes)


def test_text_is_quoted_for_soql() -> None:
    assert r"'O\'Brien \\ 50%\n'" == said.text("O'Brien \\ 50%\n")


@pytest.mark.parametrize(
    "soql",
    ["", "SELECT", "SELECT Id FROM", "SELECT Id FROM A WHERE", "SELECT Id FROM A x", "SELECT 'a"],
)
def test_the_simulator_refuses_what_is_no_query(soql: str) -> None:
    with pytest.raises(MalformedError):
        parse(soql)


def test_the_simulator_compares_moments() -> None:
    query = parse("SELECT Id FROM A WHERE (T > 2026-02-01T10:00:00.000Z OR Id = 'x') LIMIT 1")
    early, late = "2026-02-01T10:00:00.000Z", "2026-02-01T10:00:00.001Z"
    assert [False, True] == [query.test({"T": each, "Id": "y"}) for each in (early, late)]
    assert 1 == query.limit
    assert datetime.fromisoformat(late).tzinfo == UTC
