"""What is HubSpot's own: batches refused in part or whole, three limits, pipelines, search."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import JsonValue

from service.domain.budget import Hint
from service.domain.errors import ConfigurationError
from service.sandbox.dialects.hubspot import KEY, NOTE, PROPERTIES, STAGE, HubSpot
from service.worker.crms.base import Answer, Class, Known, Records, Wanted
from tests.contract import peers, variants
from tests.contract.peers import Peer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peers.peer(HubSpot) as made:
        yield made


@pytest.fixture
async def whole() -> AsyncIterator[Peer]:
    async with peers.peer(variants.HubSpotWithWholeBatches) as made:
        yield made


def paths(peer: Peer) -> list[str]:
    return [path.removeprefix("/crm/v3/objects/") for _, _, path in peer.dialect.calls]


@pytest.mark.parametrize("bad", [0, 41, 99])
async def test_one_bad_row_of_a_hundred_is_found_by_halving(whole: Peer, bad: int) -> None:
    seeded = [whole.dialect.seed(f"A-{n}") for n in range(100)]
    rows = [
        whole.write(f"A-{n}", "no-such-stage" if n == bad else "paid", remote_id=each.id)
        for n, each in enumerate(seeded)
    ]
    answers = await whole.crm.write_batch(rows)
    assert [bad] == [n for n, each in enumerate(answers) if each.kind is Class.PERMANENT]
    assert 99 == sum(each.kind is Class.OK for each in answers)
    assert 99 == sum(each.fields[STAGE] == "paid" for each in seeded)
    assert len(whole.dialect.calls) <= 15


async def test_halving_stops_where_it_is_in_vain(whole: Peer) -> None:
    seeded = [whole.dialect.seed(f"A-{n}") for n in range(100)]
    rows = [whole.write("", "no-such-stage", remote_id=each.id) for each in seeded]
    whole.dialect.bend = _then_throttle(whole)
    answers = await whole.crm.write_batch(rows)
    assert {Class.RATE} == {each.kind for each in answers}
    assert 50 == sum(each.tried for each in answers)
    assert 2 == len(whole.dialect.calls)


def _then_throttle(peer: Peer) -> Any:
    def bend(body: JsonValue) -> JsonValue:
        peer.dialect.throttles = 99
        return body

    return bend


async def test_a_part_of_a_batch_goes_through(peer: Peer) -> None:
    seeded = [peer.dialect.seed(f"A-{n}") for n in range(3)]
    del peer.dialect.book.entries[f"orders/{seeded[1].id}"]
    stages = ["paid", "paid", "no-such-stage"]
    rows = [
        peer.write(f"A-{n}", stage, remote_id=each.id)
        for n, (each, stage) in enumerate(zip(seeded, stages, strict=True))
    ]
    answers = await peer.crm.write_batch(rows)
    expected = [(Class.OK, 207), (Class.NOT_FOUND, 207), (Class.PERMANENT, 207)]
    assert expected == [(each.kind, each.http_status) for each in answers]
    assert "VALIDATION_ERROR" in answers[2].detail
    assert ["orders/batch/update"] == paths(peer)


async def test_ids_numbers_and_new_ones_of_a_batch_go_their_own_ways(peer: Peer) -> None:
    known, named = peer.dialect.seed("A-1"), peer.dialect.seed("A-2")
    answers = await peer.crm.write_batch(
        [
            peer.write("A-3", "paid", create=True),
            peer.write("A-1", "paid", remote_id=known.id),
            peer.write("A-2", "shipped"),
            peer.write("A-4", "shipped"),
        ]
    )
    kinds = [each.kind for each in answers]
    assert [Class.OK, Class.OK, Class.OK, Class.NOT_FOUND] == kinds
    assert [known.id, named.id] == [answers[1].remote_id, answers[2].remote_id]
    assert ["orders/batch/upsert", "orders/batch/update", "orders/batch/update"] == paths(peer)


async def test_two_writes_of_one_record_are_two_calls_in_their_order(peer: Peer) -> None:
    entry = peer.dialect.seed("A-1")
    rows = [peer.write("A-1", stage, remote_id=entry.id) for stage in ("paid", "shipped")]
    answers = await peer.crm.write_batch(rows)
    assert [Class.OK, Class.OK] == [each.kind for each in answers]
    assert (2, "shipped") == (len(peer.dialect.calls), entry.fields[STAGE])


@pytest.mark.parametrize(
    ("policy", "scope", "after"),
    [("DAILY", "daily", 3600), ("TEN_SECONDLY_ROLLING", "requests", 10), ("", "requests", 10)],
)
async def test_the_limit_that_must_rest_is_named(
    peer: Peer, policy: str, scope: str, after: int
) -> None:
    assert isinstance(peer.dialect, HubSpot)
    peer.dialect.policy = policy
    peer.dialect.throttles = 1
    answer = await peer.wrote("A-1", "paid", remote_id=peer.some_id())
    assert (Class.RATE, scope) == (answer.kind, answer.scope)
    assert timedelta(seconds=after) == answer.after


async def test_search_has_a_limit_of_its_own(peer: Peer) -> None:
    since = peers.AT - timedelta(hours=1)
    pages = [await peer.crm.read_back(peer.target, [], since=since, cursor=None) for _ in range(5)]
    last = pages[-1]
    assert isinstance(last, Answer)
    assert (Class.RATE, "search", timedelta(seconds=1)) == (last.kind, last.scope, last.after)


async def test_headers_tell_what_is_left(peer: Peer) -> None:
    await peer.wrote("A-1", "paid", remote_id=peer.some_id())
    expected = [Hint("daily", 649_999, 650_000), Hint("requests", 189, 190)]
    assert expected == peer.purse.hints


async def test_oauth_has_no_daily_limit() -> None:
    async with peers.peer(variants.HubSpotWithOAuth) as peer:
        assert Class.OK == (await peer.wrote("A-1", "paid", remote_id=peer.some_id())).kind
        assert ["requests", "search"] == [limit.name for limit in peer.crm.limits()]
        assert {"requests": 1} == peer.purse.spent


async def test_a_stage_is_written_with_its_pipeline(peer: Peer) -> None:
    crm = peer.adapter(options={"pipeline": "p-7"})
    entry = peer.dialect.seed("A-1")
    await crm.write_batch([peer.write("A-1", "paid", remote_id=entry.id)])
    assert ("paid", "p-7") == (entry.fields[STAGE], entry.fields["hs_pipeline"])


async def test_every_property_is_a_string(peer: Peer) -> None:
    entry = peer.dialect.seed("A-1")
    fields: dict[str, Any] = {"total": Decimal("1E+3"), "vip": False, "tracking": "7"}
    answer = await peer.wrote("A-1", None, remote_id=entry.id, fields=fields)
    assert Class.OK == answer.kind
    shown = [entry.fields[name] for name in ("total", "vip", "tracking", STAGE)]
    assert ["1000", "false", "7", "open"] == shown


async def test_numbers_that_are_not_unique_are_searched_at_once() -> None:
    async with peers.peer(variants.HubSpotWithoutUniqueNumbers) as peer:
        seeded = [peer.dialect.seed(key) for key in ("A-1", "a-1", "B-1", "B-1")]
        keys = ("A-1", "B-1", "C-1")
        found = await peer.crm.find([Wanted(peer.target, key) for key in keys])
        ids = [[each.remote_id for each in one] for one in found if not isinstance(one, Answer)]
        assert [[seeded[0].id], [seeded[2].id, seeded[3].id], []] == ids
        assert ["orders/search"] == paths(peer)
        assert (False, False) == (peer.crm.capabilities.keyed, peer.crm.capabilities.creates)
        assert Class.NOT_FOUND == (await peer.wrote("C-1", "paid")).kind


async def test_a_full_page_of_hits_hides_no_record() -> None:
    async with peers.peer(variants.HubSpotWithoutUniqueNumbers) as peer:
        for _ in range(250):
            peer.dialect.seed("A-1")
        last = peer.dialect.seed("B-1")
        found = await peer.crm.find([Wanted(peer.target, key) for key in ("A-1", "B-1")])
        assert not isinstance(found[0], Answer)
        assert not isinstance(found[1], Answer)
        assert len(found[0]) > 1
        assert [last.id] == [each.remote_id for each in found[1]]


async def test_another_object_has_its_own_words(peer: Peer) -> None:
    deals = peer.adapter(objects={"order": {"object": "deals"}}, options={})
    assert ("deals", "dealstage") == (
        deals.targets["order"].object,
        deals.targets["order"].status_field,
    )
    assert deals.capabilities.notes
    assert not peer.adapter(options={}).capabilities.notes


async def test_a_note_hangs_at_its_record(peer: Peer) -> None:
    entry = peer.dialect.seed("A-1")
    answer = await peer.crm.note(Known(peer.target, entry.id), "a < b")
    assert (Class.OK, ["a &lt; b"]) == (answer.kind, entry.notes)
    gone = await peer.crm.note(Known(peer.target, "999"), "a")
    assert Class.NOT_FOUND == gone.kind
    assert 850 == NOTE


@pytest.mark.parametrize(
    "changes",
    [
        {"token": None},
        {"options": {"unique": "no"}},
        {"options": {"pipeline": 7}},
        {"options": {"note_association": "214"}},
    ],
)
async def test_what_cannot_work_is_told_at_once(peer: Peer, changes: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        peer.adapter(**changes)


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        ("423 Locked", b"{}", Class.TRANSIENT),
        ("477 Migration", b"{}", Class.TRANSIENT),
        ("403 Forbidden", b'{"category": "MISSING_SCOPES"}', Class.HUMAN),
        ("404 Not Found", b"<html>", Class.PERMANENT),
        ("502 Bad Gateway", b"<html>", Class.UNKNOWN_OUTCOME),
    ],
)
async def test_other_refusals_are_classed(
    peer: Peer, status: str, body: bytes, expected: Class
) -> None:
    async with peers.hostile(peers.http(body, status=status)) as url:
        crm: Records = peers.moved(peer, url)
        [answer] = await crm.write_batch([peer.write("A-1", "paid", remote_id="7")])
    assert expected == answer.kind, answer


def test_the_simulator_keeps_the_fields_the_suite_needs() -> None:
    fields = {HubSpot.text_field, HubSpot.number_field, HubSpot.bool_field, KEY}
    assert fields <= set(PROPERTIES)
