"""What is peculiar to Bitrix24, shown against its simulator."""

from collections.abc import AsyncIterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from service.sandbox.dialects.bitrix24 import WEBHOOK, Bitrix24
from service.worker.crms.base import (
    Answer,
    Class,
    Known,
    Page,
    Record,
    Target,
    Value,
    Wanted,
    Write,
)
from tests.contract import peers
from tests.contract.peers import AT, Peer

ORDER = Target("order", "xmlId", "statusId")


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peers.peer(Bitrix24) as made:
        yield made


def portal(peer: Peer) -> Bitrix24:
    assert isinstance(peer.dialect, Bitrix24)
    return peer.dialect


def by_webhook(peer: Peer, **changes: Any) -> Any:
    return peer.adapter(oauth=None, token=f"plain:{WEBHOOK}", **changes)


async def test_fifty_known_records_are_written_found_and_read_in_one_request_each(
    peer: Peer,
) -> None:
    seeded = [portal(peer).seed(f"A-{n}") for n in range(50)]
    rows = [peer.write(f"A-{n}", "WON", remote_id=each.id) for n, each in enumerate(seeded)]
    answers = await peer.crm.write_batch(rows)
    assert {Class.OK} == {each.kind for each in answers}
    found = await peer.crm.find([peer.wanted(f"A-{n}") for n in range(50)])
    assert all(not isinstance(each, Answer) and len(each) == 1 for each in found)
    read = await peer.crm.read_many([peer.known(each.id) for each in seeded])
    assert all(isinstance(each, Record) and each.status == "WON" for each in read)
    assert ["/rest/batch"] * 3 == [path for _, _, path in peer.dialect.calls]
    assert 3 == peer.purse.spent["requests"]
    assert 150 == portal(peer).commands


async def test_each_row_of_a_batch_has_its_own_end(peer: Peer) -> None:
    one, two, three = (portal(peer).seed(f"A-{n}") for n in range(3))
    del portal(peer).book.entries[f"{three.kind}/{three.id}"]
    answers = await peer.crm.write_batch(
        [
            peer.write("A-0", "WON", remote_id=one.id, fields={"noSuchField": "x"}),
            peer.write("A-1", "NOWHERE", remote_id=two.id),
            peer.write("A-2", "WON", remote_id=three.id),
            peer.write("A-3", "WON", create=True),
            peer.write("A-4", "WON"),
        ]
    )
    assert [
        Class.PERMANENT,
        Class.PERMANENT,
        Class.NOT_FOUND,
        Class.OK,
        Class.NOT_FOUND,
    ] == [each.kind for each in answers]
    assert "noSuchField" in answers[0].detail
    assert "CRM_FIELD_ERROR_VALUE_NOT_VALID" in answers[1].detail
    assert 1 == len(peer.dialect.calls)


async def test_a_field_may_be_called_by_its_original_name(peer: Peer) -> None:
    entry = portal(peer).seed("1001")
    fields = {"UF_CRM_TRACKING": "LT-1"}
    answer = await peer.wrote("1001", "WON", remote_id=entry.id, fields=fields)
    assert Class.OK == answer.kind, answer
    [read] = await peer.crm.read_many([Known(peer.target, entry.id, list(fields))])
    assert isinstance(read, Record)
    assert fields == read.fields
    mixed = {**fields, "ufCrmNo": "7"}
    answer = await peer.wrote("1001", "WON", remote_id=entry.id, fields=mixed)
    assert (Class.PERMANENT, True) == (answer.kind, "ufCrmNo" in answer.detail)


async def test_a_stranger_cannot_read_another_order_through_its_own(peer: Peer) -> None:
    portal(peer).seed("1001", title="the name of somebody else")
    trick = "$result[c0][items][0][title]"
    victim = portal(peer).seed("1002")
    rows = [
        peer.write("1001", None, remote_id="1001", fields={"comments": "-"}),
        peer.write("1002", None, remote_id=victim.id, fields={"title": trick}),
    ]
    answers = await peer.crm.write_batch(rows)
    assert [Class.OK, Class.OK] == [each.kind for each in answers], answers
    assert trick == victim.fields["title"]
    mine = portal(peer).seed(trick)
    found = await peer.crm.find([peer.wanted("1001"), peer.wanted(trick)])
    assert not isinstance(found[1], Answer)
    assert [mine.id] == [each.remote_id for each in found[1]]


async def test_upper_and_lower_case_are_two_orders(peer: Peer) -> None:
    mine, other = portal(peer).seed("a-1"), portal(peer).seed("A-1")
    assert mine.id != other.id
    found = await peer.found("a-1")
    assert not isinstance(found, Answer)
    assert [mine.id] == [each.remote_id for each in found]


async def test_the_order_of_another_origin_is_not_ours(peer: Peer) -> None:
    portal(peer).seed("1001", originatorId="another-system")
    assert [] == await peer.found("1001")
    crm = peer.adapter(options={"originator": "another-system"})
    [found] = await crm.find([peer.wanted("1001")])
    assert not isinstance(found, Answer)
    assert 1 == len(found)


async def test_a_method_that_used_up_its_time_rests_alone(peer: Peer) -> None:
    entry = portal(peer).seed("1001")
    portal(peer).takes = 500.0
    assert Class.OK == (await peer.wrote("1001", "WON", remote_id=entry.id)).kind
    peer.time.move(60)
    late = await peer.wrote("1001", "LOSE", remote_id=entry.id)
    assert (Class.RATE, "crm.item.update") == (late.kind, late.scope)
    assert timedelta(minutes=9) == late.after
    assert isinstance(await peer.read(entry.id), Record)
    hint = peer.purse.hints[0]
    assert ("crm.item.update", 0.0) == (hint.limit, hint.remaining)
    peer.time.move(541)
    assert Class.OK == (await peer.wrote("1001", "LOSE", remote_id=entry.id)).kind


async def test_too_many_requests_are_refused_by_the_bucket(peer: Peer) -> None:
    entry = portal(peer).seed("1001")
    kinds = [(await peer.read(entry.id)) for _ in range(53)]
    refused = [each for each in kinds if isinstance(each, Answer)]
    assert refused
    assert {(Class.RATE, "requests")} == {(each.kind, each.scope) for each in refused}
    assert 50 <= len(kinds) - len(refused) <= 52


async def test_a_webhook_works_and_is_told_when_it_is_gone(peer: Peer) -> None:
    entry = portal(peer).seed("1001")
    crm = by_webhook(peer)
    row = peer.write("1001", "WON", remote_id=entry.id)
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    portal(peer).webhook = None
    [answer] = await crm.write_batch([row])
    assert (Class.AUTH, 401) == (answer.kind, answer.http_status)
    assert WEBHOOK not in f"{answer}{crm}"


async def test_a_box_pays_for_no_request(peer: Peer) -> None:
    entry = portal(peer).seed("1001")
    crm = by_webhook(peer, options={"edition": "box"})
    row = peer.write("1001", "WON", remote_id=entry.id)
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    assert ["crm.item.update"] == list(peer.purse.spent)


async def test_orders_of_the_shop_are_found_and_written_too(peer: Peer) -> None:
    entry = portal(peer).seed_order("1001")
    [found] = await peer.crm.find([Wanted(ORDER, "1001", ["price"])])
    assert not isinstance(found, Answer)
    assert [(entry.id, "1001", "N")] == [(each.remote_id, each.key, each.status) for each in found]
    fields: dict[str, Value] = {"price": Decimal("12.50"), "comments": "a & b"}
    row = Write(peers.change(), ORDER, "1001", "P", fields=fields, remote_id=entry.id)
    [answer] = await peer.crm.write_batch([row])
    assert (Class.OK, entry.id) == (answer.kind, answer.remote_id), answer
    [read] = await peer.crm.read_many([Known(ORDER, entry.id, list(fields))])
    assert isinstance(read, Record)
    assert ("P", "12.50", "a & b") == (read.status, read.fields["price"], read.fields["comments"])
    assert Class.OK == (await peer.crm.note(Known(ORDER, entry.id), "Paid.")).kind
    assert ["Paid."] == entry.notes
    page = await peer.crm.read_back(ORDER, [], since=AT, cursor=None)
    assert isinstance(page, Page)
    assert [entry.id] == [each.remote_id for each in page.records]
    made = Write(peers.change(), ORDER, "1002", "P", create=True)
    assert Class.PERMANENT == (await peer.crm.write_batch([made]))[0].kind


async def test_our_own_user_is_known_from_a_person(peer: Peer) -> None:
    entry = portal(peer).seed("1001")
    await peer.wrote("1001", "WON", remote_id=entry.id)
    read = await peer.read(entry.id)
    assert isinstance(read, Record)
    assert read.by_us is True
    portal(peer).touch(entry, "LOSE")
    read = await peer.read(entry.id)
    assert isinstance(read, Record)
    assert read.by_us is False
