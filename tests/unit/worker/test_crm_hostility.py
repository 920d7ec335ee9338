"""What a hostile or confused CRM says does no harm: nothing twice, nothing leaked, nobody else."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import JsonValue

from service.worker.crms import (
    client,
    dynamics365,
    erpnext,
    monday,
    odoo_wire,
    onsite,
    reading,
    zoho,
)
from service.worker.crms.amocrm import leads
from service.worker.crms.api import Api, Renewed
from service.worker.crms.base import Answer, Class, Known, Record, Records, Target, Wanted, Write
from service.worker.crms.bitrix24 import codes, commands
from service.worker.crms.client import Call, Failure, Reply
from service.worker.crms.halving import Row
from service.worker.crms.hubspot import said as hubspot
from service.worker.crms.kind import Tools
from service.worker.crms.registry import crms_by_name
from service.worker.crms.retailcrm import orders
from service.worker.crms.salesforce import said as salesforce
from service.worker.delivery import cleaning
from service.worker.delivery import round as rounds
from tests.contract.peers import Purse, Time, change, configured

WITHIN = timedelta(seconds=2)
WRITE = Call("POST", "https://crm.example.com/", "write")
READ = replace(WRITE, safe=True, operation="read")
DEALS = Target("Deals", "Order_No", "Stage")
CUSTOM = "a" * 40


def now() -> datetime:
    return datetime.now(UTC)


def row(target: Target = DEALS, **overrides: Any) -> Write:
    usual: dict[str, Any] = {"remote_id": "7", "fields": {"Track": "x"}}
    return Write(change("1001"), target, "1001", "won", **{**usual, **overrides})


def reply(status: int, body: object) -> Reply:
    return Reply(status, None, {}, orjson.dumps(body))


@dataclass
class Peer:
    """Answers each call with the next of its answers, the last for ever; keeps what was asked."""

    answers: list[tuple[int, object]]
    url: str = ""
    asked: list[bytes] = field(default_factory=list)
    left: int = 0
    """Calls that have not ended."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # A caller may hang up without a word.
        with suppress(OSError, asyncio.IncompleteReadError):
            await self.say(reader, writer)
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        self.left -= 1

    async def say(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.left += 1
        head = await reader.readuntil(b"\r\n\r\n")
        length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
        body = await reader.readexactly(int(length or b"0"))
        self.asked.append(head + body)
        turn = min(len(self.asked), len(self.answers)) - 1
        status, content = self.answers[turn]
        text = orjson.dumps(content)
        writer.write(
            f"HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(text)}\r\n\r\n".encode()
            + text
        )
        await writer.drain()


@asynccontextmanager
async def answering(*answers: tuple[int, object]) -> AsyncIterator[Peer]:
    peer = Peer(list(answers))
    server = await asyncio.start_server(peer.serve, "127.0.0.1", 0)
    peer.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield peer
        async with asyncio.timeout(5):
            while peer.left:
                await asyncio.sleep(0.01)
    finally:
        server.close()


@dataclass
class Desk:
    """Gives tokens 0, 1, 2 …; the present one until that very one is refused."""

    given: int = 0
    extra: Mapping[str, str] = field(default_factory=dict)

    async def access(self, *, refused: str | None = None) -> str | Answer:
        self.given += refused == f"token-{self.given}"
        return f"token-{self.given}"

    async def said(self, name: str) -> str | None:
        return self.extra.get(name)


@asynccontextmanager
async def crm(
    name: str, url: str, *, purse: Purse | None = None, **table: Any
) -> AsyncIterator[Records]:
    destination = configured({"crm": name, "url": url, "timeout": WITHIN, **table})
    desk = Desk() if destination.oauth else None
    async with client.open_session(4) as session:
        tools = Tools(session, Time(), purse or Purse(), desk)
        built = crms_by_name()[name].build(destination, tools)
        assert isinstance(built, Records)
        yield built


FRESHSALES: Mapping[str, Any] = {"token": "plain:key"}
PIPEDRIVE: Mapping[str, Any] = {"token": "plain:key", "objects": {"order": {"key_field": CUSTOM}}}
ZOHO: Mapping[str, Any] = {
    "oauth": {
        "grant": "refresh_token",
        "client_id": "app",
        "client_secret": "plain:s",
        "refresh_token": "plain:r",
    }
}
MONDAY: Mapping[str, Any] = {
    "token": "plain:key",
    "objects": {"order": {"object": "17", "key_field": "no", "status_field": "status"}},
}


# Nothing twice.


async def test_calls_that_are_refused_together_renew_their_token_once() -> None:
    desk = Desk()
    credentials = Renewed(desk)
    shown = [await credentials.headers() for _ in range(8)]
    renewed = []
    for one in shown:
        assert not isinstance(one, Answer)
        renewed.append(await credentials.headers(refused=one))
    assert [{"Authorization": "Bearer token-1"}] * 8 == renewed
    assert 1 == desk.given


async def _broken_calls(call: Call) -> int:
    """How often a request is sent whose connection was kept open before and breaks now."""
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        await reader.readuntil(b"\r\n\r\n")
        requests += 1
        if requests == 1:
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            await reader.readuntil(b"\r\n\r\n")
            requests += 1
        writer.close()
        await writer.wait_closed()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    there = replace(call, url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    async with client.open_session(1) as session:
        first = await client.exchange(session, there, within=WITHIN, clock=now)
        assert isinstance(first, Reply)
        second = await client.exchange(session, there, within=WITHIN, clock=now)
        assert isinstance(second, Failure)
    server.close()
    return requests - 1


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "PATCH", "DELETE"])
async def test_what_may_have_had_an_effect_is_never_sent_again_by_itself(method: str) -> None:
    """A GET renews the single-use token of Bitrix24."""
    assert 1 == await _broken_calls(replace(WRITE, method=method))


async def test_a_write_in_steps_is_paid_for_before_its_first_step() -> None:
    steps = [
        {"when": "status", "method": "POST", "path": "/o/{id}/status", "body": {"s": "{status}"}},
        {"when": "fields", "method": "PUT", "path": "/o/{id}", "body": {"f": "{fields}"}},
    ]
    rest = {
        "auth": {"scheme": "none"},
        "find": {"path": "/o", "query": {"q": "{key}"}, "records": "@"},
        "read": {"path": "/o/{id}"},
        "write": steps,
    }

    class Tight(Purse):
        async def spend(self, costs: Mapping[str, float]) -> timedelta | None:
            paid = await super().spend(costs)
            return WITHIN if costs and len(self.spent) and self.spent["requests"] > 2 else paid

    purse = Tight()
    async with (
        answering((200, {"id": "7"})) as peer,
        crm("rest", peer.url, purse=purse, rest=rest) as built,
    ):
        [answer] = await built.write_batch([row()])
    assert Class.OK == answer.kind, answer
    assert 2 == len(peer.asked)
    assert 2 == purse.spent["requests"]


TROUBLE = [500, 502, 504, 520]


@pytest.mark.parametrize("status", TROUBLE)
def test_trouble_under_an_unknown_name_may_have_had_an_effect(status: int) -> None:
    error = {"error": "SOMETHING_NEW", "error_description": "…"}
    judged = codes.judged(reply(status, error), "write", safe=False)
    assert Class.UNKNOWN_OUTCOME == judged.kind
    whole = {"status": "error", "code": "SOMETHING_NEW"}
    assert Class.UNKNOWN_OUTCOME == zoho.refused(reply(status, whole), WRITE).kind


@pytest.mark.parametrize("status", TROUBLE)
@pytest.mark.parametrize(
    ("name", "body", "table"),
    [
        ("monday", {"errors": [{"extensions": {"code": "SomethingNew"}}]}, MONDAY),
        (
            "monday",
            {"errors": [{"extensions": {"code": "SomethingNew", "status_code": 500}}]},
            MONDAY,
        ),
        ("erpnext", {"errors": [{"type": "OperationalError"}]}, {"token": "plain:k:s"}),
        ("zoho", {"status": "error", "code": "SOMETHING_NEW"}, ZOHO),
    ],
)
async def test_trouble_is_not_taken_for_a_refusal(
    name: str, body: object, table: Mapping[str, Any], status: int
) -> None:
    async with answering((status, body)) as peer, crm(name, peer.url, **table) as built:
        [answer] = await built.write_batch([row(built.targets["order"])])
    assert Class.UNKNOWN_OUTCOME == answer.kind, answer


# The right row.


@pytest.mark.parametrize(
    ("name", "body", "table"),
    [
        ("freshsales", {"deal": {"id": 8}}, FRESHSALES),
        ("freshsales", {"deal": {}}, FRESHSALES),
        ("pipedrive", {"success": True, "data": {"id": 8}}, PIPEDRIVE),
        ("pipedrive", {"success": True}, PIPEDRIVE),
        ("zoho", {"data": [{"status": "success", "code": "SUCCESS", "details": {}}]}, ZOHO),
        (
            "zoho",
            {"data": [{"status": "success", "code": "SUCCESS", "details": {"id": "8"}}]},
            ZOHO,
        ),
    ],
)
async def test_an_answer_about_another_record_is_no_success(
    name: str, body: object, table: Mapping[str, Any]
) -> None:
    async with answering((200, body)) as peer, crm(name, peer.url, **table) as built:
        target = built.targets["order"]
        status = None if name == "zoho" else "12"
        [answer] = await built.write_batch([replace(row(target), status=status)])
    assert Class.UNKNOWN_OUTCOME == answer.kind, answer


@pytest.mark.parametrize(
    ("name", "body", "table"),
    [
        ("pipedrive", {"success": True, "data": {"items": []}}, PIPEDRIVE),
        ("pipedrive", {"success": True, "data": [{"item": {}}]}, PIPEDRIVE),
        ("zoho", {"data": [{"Order_No": "1001"}]}, ZOHO),
        ("freshsales", {"deals": {"deals": [{"no": 1}]}}, FRESHSALES),
    ],
)
async def test_what_cannot_be_read_was_not_proved_absent(
    name: str, body: object, table: Mapping[str, Any]
) -> None:
    """Else a record that is there would be made a second time."""
    async with answering((200, body)) as peer, crm(name, peer.url, **table) as built:
        [found] = await built.find([Wanted(built.targets["order"], "1001")])
    assert isinstance(found, Answer)
    assert Class.TRANSIENT == found.kind


async def test_a_document_that_one_row_spoilt_is_sent_again_in_halves() -> None:
    refusal = {"errors": [{"message": "…", "extensions": {"code": "InvalidInput"}}]}
    good = {"data": {"row0": {"id": "7"}}}
    async with (
        answering((200, refusal), (200, good), (200, refusal)) as peer,
        crm("monday", peer.url, **MONDAY) as built,
    ):
        target = built.targets["order"]
        rows = [row(target), row(target, remote_id="8")]
        answers = await built.write_batch(rows)
    assert [Class.OK, Class.PERMANENT] == [one.kind for one in answers]


def test_where_others_went_well_a_missing_right_is_about_one_record() -> None:
    well = Answer(Class.OK, "write", http_status=200)
    lacking = Answer(Class.HUMAN, "write", http_status=403, detail="No right.")
    kinds = [one.kind for one in rounds.for_itself([well, lacking])]
    assert [Class.OK, Class.PERMANENT] == kinds
    assert [lacking, lacking] == list(rounds.for_itself([lacking, lacking]))
    aside = replace(lacking, tried=False)
    assert [well, aside] == list(rounds.for_itself([well, aside]))


@pytest.mark.parametrize("key", ["1 OR 1=1", "' UNION SELECT", "x" * 300, "<script>"])
def test_an_odd_number_that_a_firewall_refuses_stops_no_other_order(key: str) -> None:
    refused = Answer(Class.HUMAN, "find", http_status=403, detail="…")
    assert Class.PERMANENT == onsite.blamed(refused, key).kind
    assert Class.HUMAN == onsite.blamed(refused, "SHOP-1001/7").kind


# Nothing leaks, nothing leads elsewhere.


def test_a_call_shows_none_of_its_secrets() -> None:
    call = Call(
        "GET",
        "https://oauth.example.com/?client_secret=s3cret",
        "sign in",
        b"s3cret",
        {"Authorization": "Bearer s3cret"},
    )
    assert "s3cret" not in repr(call)


async def test_a_token_that_no_header_can_carry_pauses_and_blames_no_order() -> None:
    headers = {"Authorization": "Bearer a\nb"}
    async with answering((200, {})) as peer, client.open_session(1) as session:
        call = replace(WRITE, url=peer.url, headers=headers)
        failure = await client.exchange(session, call, within=WITHIN, clock=now)
    assert isinstance(failure, Failure)
    assert Class.HUMAN == failure.kind
    assert "Bearer" not in failure.detail


@pytest.mark.parametrize(
    "host",
    [
        "https://evil.example.com",
        "http://www.zohoapis.eu",
        "https://www.zohoapis.eu.evil.example.com",
        "https://www.zohoapis.eu@evil.example.com",
        "https://www.zohoapis.eu/../x",
        "https://zohoapis.eu\nHost: x",
    ],
)
async def test_a_data_centre_that_is_none_does_not_learn_our_token(host: str) -> None:
    assert zoho.URL == await _host(host)
    assert "https://www.zohoapis.eu" == await _host("https://www.zohoapis.eu")


async def _host(told: str) -> str:
    desk = Desk(extra={"api_domain": told})
    async with client.open_session(1) as session:
        api = Api(session, now, WITHIN, Purse(), Renewed(desk))
        return await zoho.Zoho(api, desk, "", {"order": DEALS}).host()


@pytest.mark.parametrize("etag", ['W/"1"\r\nX-Other: 1', 'W/"ä"', "x" * 9000])
def test_an_etag_cannot_end_the_header_it_stands_in(etag: str) -> None:
    assert dynamics365.etag({"@odata.etag": etag}) is None
    assert 'W/"1"' == dynamics365.etag({"@odata.etag": 'W/"1"'})


@pytest.mark.parametrize("sign", ["\x00", "\x1b[2J", "\r\n", "\u2028", "\x85", "\udcff"])
def test_no_answer_can_end_a_line_or_move_a_cursor(sign: str) -> None:
    said = Answer(Class.PERMANENT, "write", detail=f"a{sign}b" * 400, token=f"t{sign}")
    clean = cleaning.answer(said)
    assert all(each.isprintable() for each in clean.detail)
    assert len(clean.detail) <= cleaning.MOST_DETAIL
    assert clean.token is None


@pytest.mark.parametrize("remote_id", ["", "7\x00", "\udcff", "7" * 257])
def test_an_id_that_cannot_be_kept_leads_to_no_record(remote_id: str) -> None:
    told = Record(remote_id, "1001", "new")
    for found in (cleaning.seen(told), cleaning.seen([told])):
        assert isinstance(found, Answer)
        assert Class.TRANSIENT == found.kind
    whole = [replace(told, remote_id="7")]
    assert whole == cleaning.seen(whole)


def test_a_text_without_end_is_kept_in_part() -> None:
    record = cleaning.record(Record("7", "1001", "s\udcff", {"note": "x" * 1_000_000}))
    assert "s" == record.status
    assert cleaning.MOST_TEXT == len(record.fields["note"] or "")


@pytest.mark.parametrize("text", ["0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59"])
def test_a_moment_at_the_end_of_time_is_none(text: str) -> None:
    assert reading.moment(text) is None


@settings(deadline=None)
@given(keys=st.lists(st.text(min_size=1, max_size=300), max_size=60))
def test_numbers_are_parted_into_addresses_without_loss(keys: list[str]) -> None:
    parts = reading.parts(keys)
    assert list(dict.fromkeys(keys)) == [key for part in parts for key in part]
    assert all(parts)


# Any JSON at all.

NAMES = (
    *("id", "data", "errors", "error", "code", "results", "status", "message", "context"),
    *("properties", "details", "success", "extensions", "path", "_embedded", "leads"),
    *("validation-errors", "request_id", "category", "Order_No", "errorMsg", "order"),
)
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False)
    | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(NAMES) | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)
STATUSES = st.sampled_from([200, 201, 207, 400, 401, 403, 404, 409, 412, 429, 500, 503])


@settings(deadline=None)
@given(body=JSON, status=STATUSES)
def test_no_shape_of_an_answer_breaks_a_judge(body: JsonValue, status: int) -> None:
    got, write = reply(status, body), row()
    answers: list[Answer] = [
        *hubspot.told(got, WRITE, [Row(0, write), Row(1, row(remote_id="8"))]).values(),
        hubspot.refused(got, WRITE),
        salesforce.refused(got, WRITE),
        salesforce.saved(reading.mapping(body), got, WRITE),
        *leads.made(got, 2),
        *leads.blame(body, 2).values(),
        leads.refused(got, "write"),
        codes.judged(got, "write", safe=False),
        codes.refused(body, "write", safe=False),
        commands.written(replace(write, target=Target("deal", "originId", "stageId")), body),
        orders.refused(got, "write"),
        orders.written(write, reading.mapping(body), "write"),
        zoho.refused(got, WRITE),
        zoho.judged(reading.mapping(body), got, WRITE, known="7"),
        odoo_wire.refused(WRITE, got, erpnext.exception(body)),
    ]
    for answer in answers:
        assert isinstance(answer.kind, Class)
        assert answer.detail.isprintable()
        assert Class.OK != answer.kind or answer.remote_id in {"7", "8"} or _is_named(answer, body)
    _read_all(got, body)


def _is_named(answer: Answer, body: JsonValue) -> bool:
    """An answer that went well tells the id of a new record in it."""
    return answer.remote_id is not None and answer.remote_id.encode() in orjson.dumps(body)


def _read_all(got: Reply, body: JsonValue) -> None:
    fields: Sequence[str] = ["id", "status"]
    found = reading.mapping(body)
    salesforce.page(got, READ, DEALS, fields)
    salesforce.there(body, DEALS, fields, got, READ)
    hubspot.records(got, READ, DEALS, fields)
    zoho.record(found, DEALS, fields, user_id="1")
    monday.record(found, DEALS, fields)
    orders.record(found, DEALS, fields)
    leads.leads_of(got)
    leads.moment(body)


async def test_a_record_read_by_its_id_is_that_record() -> None:
    other = {"success": True, "data": {"id": 8, CUSTOM: "1001"}}
    async with answering((200, other)) as peer, crm("pipedrive", peer.url, **PIPEDRIVE) as built:
        [read] = await built.read_many([Known(built.targets["order"], "7")])
    assert isinstance(read, Answer)
    assert Class.TRANSIENT == read.kind
