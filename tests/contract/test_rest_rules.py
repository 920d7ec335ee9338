"""What a REST table may say beyond the plain one, shown against the plain REST simulator."""

import base64
import hashlib
import hmac
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
from aiohttp import web

from service.sandbox.dialects.plainrest import PlainRest
from service.worker.crms.base import Answer, Class, Page
from tests.contract import peers
from tests.contract.peers import Peer


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    async with peers.peer(PlainRest) as made:
        yield made


def described(peer: Peer, **changes: Any) -> Any:
    """The usual table with other calls."""
    table: dict[str, Any] = dict(peer.table["rest"])
    return peer.adapter(rest={**table, **changes})


STEPS = [
    {"path": "/orders/{id}", "when": "fields", "body": "{fields}"},
    {
        "path": "/orders/{id}",
        "when": "status",
        "body": {"stage": "{action}"},
        "actions": {"paid": "paid", "shipped": "shipped"},
        "unless_shown": True,
    },
]


async def test_a_write_of_two_steps_makes_both(peer: Peer) -> None:
    crm = described(peer, write=STEPS)
    entry = peer.dialect.seed("1001", status="new")
    row = peer.write("1001", "paid", remote_id=entry.id, fields={"tracking": "T"})
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    assert ("paid", "T") == (entry.fields["stage"], entry.fields["tracking"])
    methods = [method for _, method, _ in peer.dialect.calls]
    assert ["PATCH", "GET", "PATCH"] == methods
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    assert ["PATCH", "GET"] == [method for _, method, _ in peer.dialect.calls[3:]]


async def test_a_step_without_anything_to_say_is_left_out(peer: Peer) -> None:
    crm = described(peer, write=STEPS)
    entry = peer.dialect.seed("1001", status="new")
    row = peer.write("1001", None, remote_id=entry.id, fields={"tracking": "T"})
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    assert 1 == len(peer.dialect.calls)


async def test_the_first_step_that_fails_ends_the_write(peer: Peer) -> None:
    crm = described(peer, write=STEPS)
    entry = peer.dialect.seed("1001", status="new")
    row = peer.write("1001", "paid", remote_id=entry.id, fields={"nonsense": "T"})
    [answer] = await crm.write_batch([row])
    assert (Class.PERMANENT, 422) == (answer.kind, answer.http_status)
    assert "nonsense cannot be set" in answer.detail
    assert "new" == entry.fields["stage"]


async def test_a_record_may_be_written_by_the_merchants_number(peer: Peer) -> None:
    crm = described(peer, find=None)
    assert crm.capabilities.keyed
    entry = peer.dialect.seed("x", status="new")
    [answer] = await crm.write_batch([peer.write(entry.id, "paid")])
    assert (Class.OK, entry.id) == (answer.kind, answer.remote_id)
    [found] = await crm.find([peer.wanted("987")])
    assert [] == found


async def test_a_number_in_a_path_that_is_not_found_is_none(peer: Peer) -> None:
    crm = described(peer, find={"path": "/orders/{key}"})
    entry = peer.dialect.seed("x", status="new")
    found = await crm.find([peer.wanted("987"), peer.wanted(entry.id)])
    assert [0, 0] == [len(each) for each in found], "the one that is there has another number"


async def test_a_wrong_path_is_no_empty_list(peer: Peer) -> None:
    crm = described(peer, find={"path": "/nowhere", "query": {"number": "{key}"}})
    [found] = await crm.find([peer.wanted("1001")])
    assert isinstance(found, Answer)
    assert Class.NOT_FOUND == found.kind


async def test_a_list_that_is_elsewhere_is_no_empty_list(peer: Peer) -> None:
    find = {"path": "/orders", "query": {"number": "{key}"}, "records": "data"}
    [found] = await described(peer, find=find).find([peer.wanted("1001")])
    assert isinstance(found, Answer)
    assert Class.TRANSIENT == found.kind
    assert "finds no list of records" in found.detail


async def test_a_record_that_was_made_without_an_answer_is_not_made_again(peer: Peer) -> None:
    peer.be("reset", times=1, effect=True)
    lost = await peer.wrote("2002", "paid", create=True)
    assert Class.UNKNOWN_OUTCOME == lost.kind
    found = await peer.found("2002")
    assert not isinstance(found, Answer)
    assert 1 == len(found)


async def test_steps_may_follow_what_was_made(peer: Peer) -> None:
    create = {"path": "/orders", "body": {"number": "{key}"}, "then_write": True}
    crm = described(peer, create=create)
    [answer] = await crm.write_batch([peer.write("2002", "paid", create=True)])
    assert Class.OK == answer.kind, answer
    [[record]] = await crm.find([peer.wanted("2002")])
    assert (answer.remote_id, "paid") == (record.remote_id, record.status)


async def test_a_value_of_dots_leads_nowhere_else(peer: Peer) -> None:
    for remote_id in ("..", "."):
        answer = await peer.wrote("1001", "paid", remote_id=remote_id)
        assert (Class.PERMANENT, None) == (answer.kind, answer.http_status)
    assert [] == peer.dialect.calls


@pytest.mark.parametrize("paging", [{"by": "link"}, {"by": "link", "next": "next_url"}])
async def test_a_link_of_another_host_is_not_followed(peer: Peer, paging: dict[str, str]) -> None:
    feed = {"path": "/orders?changed_since={since}", "records": "items", "paging": paging}
    crm = described(peer, feed=feed)
    page = await crm.read_back(
        peer.target, [], since=peers.AT, cursor="https://evil.example.com/orders"
    )
    assert isinstance(page, Answer)
    assert "another host" in page.detail
    first = await crm.read_back(peer.target, [], since=peers.AT, cursor=None)
    assert Page([], None) == first


async def test_every_limit_of_the_destination_is_spent(peer: Peer) -> None:
    limits = {"requests": {"count": 5, "period": "1s"}, "daily": {"count": 100, "period": "1d"}}
    crm = peer.adapter(limits=limits)
    assert ["requests", "daily"] == [limit.name for limit in crm.limits()]
    await crm.find([peer.wanted("1001")])
    assert {"requests": 1, "daily": 1} == peer.purse.spent


# What is shown to be let in.


async def shown(peer: Peer, auth: dict[str, Any], **table: Any) -> tuple[Mapping[str, str], bytes]:
    """The headers and the body of a write, as another server sees them."""
    seen: list[tuple[Mapping[str, str], bytes]] = []

    async def keep(request: web.BaseRequest) -> web.Response:
        seen.append((request.headers, await request.read()))
        return web.json_response({"id": 1})

    runner = web.ServerRunner(web.Server(keep))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    try:
        rest = {**peer.table["rest"], "auth": auth}
        crm = peer.adapter(url=f"http://127.0.0.1:{port}/api", rest=rest, **table)
        [answer] = await crm.write_batch([peer.write("1001", "paid", remote_id="1")])
        assert Class.OK == answer.kind, answer
    finally:
        await runner.cleanup()
    [request] = seen
    return request


async def test_a_key_may_be_shown_in_any_header(peer: Peer) -> None:
    auth = {"scheme": "header", "header": "X-Api-Key", "prefix": "Key "}
    headers, _ = await shown(peer, auth, token="plain:abc")
    assert "Key abc" == headers["X-Api-Key"]
    assert "Authorization" not in headers


async def test_user_and_password_may_be_shown(peer: Peer) -> None:
    headers, _ = await shown(peer, {"scheme": "basic"}, token="plain:user:pass")
    assert "Basic " + base64.b64encode(b"user:pass").decode() == headers["Authorization"]


@pytest.mark.parametrize(("algorithm", "encoding"), [("sha256", "hex"), ("sha1", "base64")])
async def test_a_call_may_be_signed(peer: Peer, algorithm: str, encoding: str) -> None:
    auth = {
        "scheme": "hmac",
        "header": "X-Signature",
        "prefix": "v1=",
        "algorithm": algorithm,
        "encoding": encoding,
        "signed": "{timestamp}.{method}.{path}.{body}",
        "timestamp_header": "X-Timestamp",
    }
    headers, body = await shown(peer, auth, secret="plain:the-key", token=None)
    at = str(int(peers.AT.timestamp()))
    assert at == headers["X-Timestamp"]
    signed = f"{at}.PATCH./api/orders/1.".encode() + body
    mac = hmac.digest(b"the-key", signed, getattr(hashlib, algorithm)().name)
    text = mac.hex() if encoding == "hex" else base64.b64encode(mac).decode()
    assert f"v1={text}" == headers["X-Signature"]
