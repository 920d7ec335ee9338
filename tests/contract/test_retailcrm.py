"""What is peculiar to RetailCRM, shown against its simulator."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from service.sandbox.dialects.retailcrm import RetailCrm
from service.worker.crms.base import Answer, Class, Page, Target, Wanted, Write
from tests.contract import peers
from tests.contract.peers import AT, Peer

NUMBERS = Target("orders", "number", "status")


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peers.peer(RetailCrm) as made:
        yield made


def account(peer: Peer) -> RetailCrm:
    assert isinstance(peer.dialect, RetailCrm)
    return peer.dialect


async def test_a_known_number_is_written_in_one_request(peer: Peer) -> None:
    entry = account(peer).seed("1001")
    answer = await peer.wrote("1001", "complete")
    assert (Class.OK, entry.id) == (answer.kind, answer.remote_id)
    assert ["/api/v5/orders/1001/edit"] == [path for _, _, path in peer.dialect.calls]


@pytest.mark.parametrize("key", ["a/b", "..", ".", "back\\slash"])
async def test_a_number_that_cannot_stand_in_a_path_is_looked_up(peer: Peer, key: str) -> None:
    entry = account(peer).seed(key)
    answer = await peer.wrote(key, "complete")
    assert (Class.OK, entry.id) == (answer.kind, answer.remote_id)
    assert Class.NOT_FOUND == (await peer.wrote(f"{key}/x", "complete")).kind


async def test_many_orders_are_found_and_read_in_one_request(peer: Peer) -> None:
    seeded = [account(peer).seed(f"A-{n}") for n in range(60)]
    found = await peer.crm.find([peer.wanted(f"A-{n}") for n in range(60)])
    assert all(not isinstance(each, Answer) and len(each) == 1 for each in found)
    read = await peer.crm.read_many([peer.known(each.id) for each in seeded])
    assert not [each for each in read if isinstance(each, Answer)]
    assert 2 == len(peer.dialect.calls)


async def test_orders_may_be_found_by_their_visible_number(peer: Peer) -> None:
    entry = account(peer).seed("1001", number="777C")
    crm = peer.adapter(objects={"order": {"key_field": "number"}})
    [found] = await crm.find([Wanted(NUMBERS, "777C")])
    assert not isinstance(found, Answer)
    assert [entry.id] == [each.remote_id for each in found]
    row = Write(peers.change("777C"), NUMBERS, "777C", "complete")
    assert (Class.OK, entry.id) == ((answer := (await crm.write_batch([row]))[0]).kind, entry.id)
    assert entry.id == answer.remote_id
    account(peer).seed("1002", number="777C")
    twice = (await crm.write_batch([row]))[0]
    assert (Class.PERMANENT, True) == (twice.kind, entry.id in twice.detail)


async def test_a_custom_field_that_does_not_exist_is_named(peer: Peer) -> None:
    account(peer).seed("1001")
    answer = await peer.wrote("1001", "complete", fields={"customFields.nothing": "x"})
    assert (Class.PERMANENT, True) == (answer.kind, "customFields.nothing" in answer.detail)


async def test_custom_fields_of_others_stay(peer: Peer) -> None:
    entry = account(peer).seed("1001", customFields={"total": 5})
    await peer.wrote("1001", None, fields={"customFields.tracking": "LT-1"})
    assert {"total": 5, "tracking": "LT-1"} == entry.fields["customFields"]


async def test_an_order_made_meanwhile_is_not_made_twice(peer: Peer) -> None:
    answer = await peer.wrote("1001", "complete", create=True)
    assert Class.OK == answer.kind
    again = await peer.wrote("1001", "complete", create=True)
    assert (Class.OK, answer.remote_id) == (again.kind, again.remote_id)
    assert 1 == len(account(peer).book.entries)


async def test_the_history_says_whose_a_change_was(peer: Peer) -> None:
    ours, theirs = account(peer).seed("1001"), account(peer).seed("1002")
    peer.time.move(60)
    since = peer.time.at
    await peer.wrote("1001", "complete")
    account(peer).touch(theirs, "complete")
    page = await peer.crm.read_back(peer.target, [], since=since, cursor=None)
    assert isinstance(page, Page)
    assert {ours.id: True, theirs.id: False} == {
        each.remote_id: each.by_us for each in page.records
    }


async def test_another_shop_is_not_touched(peer: Peer) -> None:
    account(peer).seed("1001")
    crm = peer.adapter(options={"site": "another-shop"})
    [answer] = await crm.write_batch([peer.write("1001", "complete")])
    assert Class.PERMANENT == answer.kind


async def test_it_keeps_no_notes_and_says_so(peer: Peer) -> None:
    answer: Any = await peer.crm.note(peer.known("1"), "Paid.")
    assert Class.PERMANENT == answer.kind
    assert AT == peer.time.at
    assert [] == peer.dialect.calls
