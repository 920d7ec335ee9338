"""What is particular to Pipedrive, Zoho, Dynamics 365, Freshsales and monday."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from aiohttp import web

from service.sandbox.dialects.dynamics365 import API, OURS, Dynamics365
from service.sandbox.dialects.monday import Monday
from service.sandbox.dialects.pipedrive import Pipedrive
from service.sandbox.dialects.zoho import Zoho
from service.worker.crms.base import Answer, Class, Record
from tests.contract import peers
from tests.contract.peers import Peer


class SpentPipedrive(Pipedrive):
    def throttled(self, wait: float) -> web.Response:
        return super().throttled(86_400)


class BlockedPipedrive(Pipedrive):
    def throttled(self, wait: float) -> web.Response:
        return web.Response(status=403, text="<html>error code: 1015</html>")


class SpentMonday(Monday):
    def throttled(self, wait: float) -> web.Response:
        return super().throttled(86_400)


class NarrowZoho(Zoho):
    """Its app lacks a right."""

    def throttled(self, wait: float) -> web.Response:
        body = {"code": "OAUTH_SCOPE_MISMATCH", "details": {}, "message": "", "status": "error"}
        return web.json_response(body, status=401)


@pytest.fixture
async def pipedrive() -> AsyncIterator[Peer]:
    async with peers.peer(Pipedrive) as peer:
        yield peer


@pytest.fixture
async def zoho() -> AsyncIterator[Peer]:
    async with peers.peer(Zoho) as peer:
        yield peer


@pytest.fixture
async def dynamics() -> AsyncIterator[Peer]:
    async with peers.peer(Dynamics365) as peer:
        yield peer


@pytest.fixture
async def monday() -> AsyncIterator[Peer]:
    async with peers.peer(Monday) as peer:
        yield peer


# Pipedrive.


async def test_an_empty_day_of_pipedrive_ends_at_midnight() -> None:
    async with peers.peer(SpentPipedrive) as peer:
        peer.dialect.throttles = 1
        answer = await peer.wrote("1001", "2", remote_id="1001")
    assert (Class.RATE, "tokens", timedelta(hours=14)) == (answer.kind, answer.scope, answer.after)


async def test_a_block_for_calling_too_fast_is_no_missing_right() -> None:
    async with peers.peer(BlockedPipedrive) as peer:
        peer.dialect.throttles = 1
        answer = await peer.wrote("1001", "2", remote_id="1001")
    assert (Class.RATE, timedelta(minutes=5)) == (answer.kind, answer.after)


async def test_what_pipedrive_says_of_its_budget_is_learned(pipedrive: Peer) -> None:
    pipedrive.dialect.seed("1001")
    await pipedrive.found("1001")
    assert (30_000, 29_980) == (
        pipedrive.purse.hints[0].ceiling,
        pipedrive.purse.hints[0].remaining,
    )


async def test_a_found_deal_that_carries_another_number_by_now_is_not_taken(
    pipedrive: Peer,
) -> None:
    """The index of Pipedrive may be behind."""
    assert isinstance(pipedrive.dialect, Pipedrive)
    entry = pipedrive.dialect.seed("2002")
    pipedrive.dialect.behind["1001"] = entry.id
    assert [] == await pipedrive.found("1001")


async def test_a_deal_that_was_won_is_open_again_at_a_stage(pipedrive: Peer) -> None:
    entry = pipedrive.dialect.seed("1001", status="won")
    assert Class.OK == (await pipedrive.wrote("1001", "2", remote_id=entry.id)).kind
    assert ("open", 2) == (entry.fields["status"], entry.fields["stage_id"])


# Zoho.


async def test_each_row_of_zoho_is_judged_by_its_code(zoho: Peer) -> None:
    assert isinstance(zoho.dialect, Zoho)
    entries = [zoho.dialect.seed(f"A-{n}") for n in range(4)]
    zoho.dialect.locked.add(entries[0].id)
    zoho.dialect.blueprinted.add(entries[1].id)
    rows = [zoho.write(f"A-{n}", "Paid", remote_id=each.id) for n, each in enumerate(entries)]
    rows.append(zoho.write("A-9", "Paid", remote_id="999"))
    answers = await zoho.crm.write_batch(rows)
    kinds = [Class.TRANSIENT, Class.PERMANENT, Class.OK, Class.OK, Class.NOT_FOUND]
    assert kinds == [answer.kind for answer in answers]
    assert "blueprint" in answers[1].detail
    assert 1 == len(zoho.dialect.calls)


async def test_new_records_and_known_ones_of_zoho_take_a_call_each(zoho: Peer) -> None:
    there = zoho.dialect.seed("A-1")
    rows = [
        zoho.write("A-1", "Paid", remote_id=there.id),
        zoho.write("A-2", "Paid", create=True),
        zoho.write("A-3", "Paid"),
    ]
    answers = await zoho.crm.write_batch(rows)
    assert [Class.OK, Class.OK, Class.NOT_FOUND] == [answer.kind for answer in answers]
    paths = [path for _, _, path in zoho.dialect.calls]
    assert ["/crm/v8/Deals", "/crm/v8/Deals/upsert"] == sorted(paths)


async def test_a_missing_right_at_zoho_renews_no_token() -> None:
    async with peers.peer(NarrowZoho) as peer:
        peer.dialect.throttles = 5
        answer = await peer.wrote("1001", "Paid", remote_id="1001")
        assert 1 == len(peer.dialect.calls)
    assert Class.AUTH == answer.kind
    assert "ZohoCRM.modules.ALL" in answer.detail


async def test_zoho_tells_whether_we_changed_it_last(zoho: Peer) -> None:
    entry = zoho.dialect.seed("1001")
    assert Class.OK == (await zoho.wrote("1001", "Paid", remote_id=entry.id)).kind
    ours = await zoho.read(entry.id)
    zoho.dialect.touch(entry, "Shipped")
    theirs = await zoho.read(entry.id)
    assert isinstance(ours, Record)
    assert isinstance(theirs, Record)
    assert (True, False) == (ours.by_us, theirs.by_us)


# Dynamics 365.


@pytest.mark.parametrize("key", ["A/1", "50%", "a&b", "a:b", "a+b"])
async def test_a_number_that_cannot_stand_in_a_key_is_found_first(dynamics: Peer, key: str) -> None:
    entry = dynamics.dialect.seed(key)
    plain = dynamics.dialect.seed("1001")
    rows = [dynamics.write(key, "1:3"), dynamics.write("1001", "1:3")]
    answers = await dynamics.crm.write_batch(rows)
    assert [(Class.OK, entry.id), (Class.OK, plain.id)] == [
        (answer.kind, answer.remote_id) for answer in answers
    ]
    assert 2 == len(dynamics.dialect.calls)


async def test_a_write_of_dynamics_brings_the_next_etag(dynamics: Peer) -> None:
    entry = dynamics.dialect.seed("1001")
    answer = await dynamics.wrote("1001", "1:3", remote_id=entry.id)
    read = await dynamics.read(entry.id)
    assert isinstance(read, Record)
    assert answer.token == read.token == 'W/"470868"'
    assert read.by_us is True
    assert OURS == entry.fields["by"]


async def test_rows_that_dynamics_leaves_out_are_not_taken_for_done(dynamics: Peer) -> None:
    """As where the organisation does not go on after an error."""
    assert isinstance(dynamics.dialect, Dynamics365)
    seeded = [dynamics.dialect.seed(f"A-{n}") for n in range(3)]
    dynamics.dialect.goes_on = False
    words = ["1:3", "0:424242", "1:3"]
    rows = [dynamics.write(f"A-{n}", words[n], remote_id=each.id) for n, each in enumerate(seeded)]
    answers = await dynamics.crm.write_batch(rows)
    kinds = [Class.OK, Class.PERMANENT, Class.UNKNOWN_OUTCOME]
    assert kinds == [answer.kind for answer in answers]


async def test_a_next_page_on_another_host_is_not_fetched(dynamics: Peer) -> None:
    dynamics.dialect.seed("1001")
    dynamics.dialect.bend = lambda body: (
        {**body, "@odata.nextLink": "http://127.0.0.2/steal"} if isinstance(body, dict) else body
    )
    page = await dynamics.crm.read_back(
        dynamics.target, [], since=peers.AT - timedelta(1), cursor=None
    )
    assert isinstance(page, Answer)
    assert Class.PERMANENT == page.kind
    again = await dynamics.crm.read_back(
        dynamics.target, [], since=peers.AT, cursor=f"http://127.0.0.2{API}/salesorders"
    )
    assert isinstance(again, Answer)
    assert 1 == len(dynamics.dialect.calls)


async def test_the_limit_of_dynamics_is_known_by_its_code(dynamics: Peer) -> None:
    dynamics.dialect.throttles = 1
    answer = await dynamics.wrote("1001", "1:3", remote_id="1001")
    assert (Class.RATE, "requests", timedelta(seconds=1)) == (
        answer.kind,
        answer.scope,
        answer.after,
    )


# monday.


async def test_an_error_of_monday_comes_with_http_200_and_is_seen(monday: Peer) -> None:
    entry = monday.dialect.seed("1001")
    answer = await monday.wrote("1001", "no such label", remote_id=entry.id)
    assert (Class.PERMANENT, 200) == (answer.kind, answer.http_status)
    assert "ColumnValueException" in answer.detail


async def test_no_value_stands_in_a_document_of_monday(monday: Peer) -> None:
    assert isinstance(monday.dialect, Monday)
    entry = monday.dialect.seed("1001")
    evil = '"}) { id } x: delete_item(item_id: 1'
    await monday.found(evil)
    await monday.wrote(evil, evil, remote_id=entry.id, fields={"tracking": evil})
    await monday.crm.note(monday.known(entry.id), evil)
    assert 3 == len(monday.dialect.documents)
    assert not any("delete_item" in document for document in monday.dialect.documents)
    assert [evil] == entry.notes


async def test_the_day_of_monday_ends_at_midnight_utc() -> None:
    async with peers.peer(SpentMonday) as peer:
        peer.dialect.throttles = 1
        answer = await peer.wrote("1001", "Paid", remote_id="1001")
    assert (Class.RATE, "daily", timedelta(hours=14)) == (answer.kind, answer.scope, answer.after)
