"""What is peculiar to amoCRM, shown against its simulator."""

from collections.abc import AsyncIterator

import pytest

from service.sandbox.dialects.amocrm import AmoCrm
from service.worker.crms.base import Answer, Class, Record
from tests.contract import peers
from tests.contract.peers import Peer

PAID, LOST = "1300/102", "1300/143"


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peers.peer(AmoCrm) as made:
        yield made


def account(peer: Peer) -> AmoCrm:
    assert isinstance(peer.dialect, AmoCrm)
    return peer.dialect


async def test_fifty_leads_are_one_patch_that_is_read_back_and_one_question(peer: Peer) -> None:
    seeded = [account(peer).seed(f"A-{n}") for n in range(50)]
    rows = [peer.write(f"A-{n}", PAID, remote_id=each.id) for n, each in enumerate(seeded)]
    answers = await peer.crm.write_batch(rows)
    assert {Class.OK} == {each.kind for each in answers}
    assert ["PATCH", "GET"] == [method for _, method, _ in peer.dialect.calls]
    found = await peer.crm.find([peer.wanted(f"A-{n}") for n in range(50)])
    assert all(not isinstance(each, Answer) and len(each) == 1 for each in found)
    assert 3 == len(peer.dialect.calls)


async def test_a_patch_that_changed_nothing_is_no_success(peer: Peer) -> None:
    entry = account(peer).seed("1001")
    account(peer).deaf = 1
    fields = {peer.dialect.text_field: "LT-1"}
    answer = await peer.wrote("1001", PAID, remote_id=entry.id, fields=fields)
    assert (Class.PERMANENT, 200) == (answer.kind, answer.http_status)
    assert "501, status_id" in answer.detail
    again = await peer.wrote("1001", PAID, remote_id=entry.id, fields=fields)
    assert Class.OK == again.kind


async def test_the_others_of_a_refused_request_were_not_tried(peer: Peer) -> None:
    seeded = [account(peer).seed(f"A-{n}") for n in range(3)]
    stages = (PAID, "1300/999", PAID)
    rows = [peer.write(f"A-{n}", stages[n], remote_id=each.id) for n, each in enumerate(seeded)]
    answers = await peer.crm.write_batch(rows)
    assert [False, True, False] == [each.tried for each in answers]
    assert Class.PERMANENT == answers[1].kind
    assert "status_id (NotSupportedChoice)" in answers[1].detail
    assert 1 == len(peer.dialect.calls)


async def test_a_refusal_without_a_name_is_sought_row_by_row(peer: Peer) -> None:
    seeded = [account(peer).seed(f"A-{n}") for n in range(2)]
    stages = (PAID, "1300/999")
    rows = [peer.write(f"A-{n}", stages[n], remote_id=each.id) for n, each in enumerate(seeded)]
    peer.dialect.bend = lambda body: (
        {"status": 400} if isinstance(body, dict) and "validation-errors" in body else body
    )
    answers = await peer.crm.write_batch(rows)
    assert [Class.OK, Class.PERMANENT] == [each.kind for each in answers]


async def test_the_full_text_search_finds_more_than_the_number(peer: Peer) -> None:
    mine = account(peer).seed("A-1")
    account(peer).seed("A-10")
    account(peer).seed("a-1")
    table = {"user": "504141", "find": "query"}
    [found] = await peer.adapter(options=table).find([peer.wanted("A-1")])
    assert not isinstance(found, Answer)
    assert [mine.id] == [each.remote_id for each in found]


async def test_a_missing_right_pauses_and_says_so(peer: Peer) -> None:
    entry = account(peer).seed("1001")
    peer.be("status", status=403)
    answer = await peer.wrote("1001", PAID, remote_id=entry.id)
    assert (Class.HUMAN, 403) == (answer.kind, answer.http_status)
    assert "right" in answer.detail


async def test_new_and_known_leads_may_stand_in_one_batch(peer: Peer) -> None:
    entry = account(peer).seed("1001")
    answers = await peer.crm.write_batch(
        [
            peer.write("1002", PAID, create=True),
            peer.write("1001", LOST, remote_id=entry.id),
            peer.write("1003", "won", create=True),
            peer.write("1004", PAID),
        ]
    )
    kinds = [Class.OK, Class.OK, Class.PERMANENT, Class.NOT_FOUND]
    assert kinds == [each.kind for each in answers]
    read = await peer.read(answers[0].remote_id or "")
    assert isinstance(read, Record)
    assert ("1002", PAID, True) == (read.key, read.status, read.by_us)
