"""The callback's pure half: what goes on the wire and what an answer means."""

import base64
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import aiohttp
import pytest
from standardwebhooks.webhooks import Webhook

from service.domain.errors import ConfigurationError
from service.domain.events import Subject
from service.sandbox import signature
from service.settings import Destination
from service.worker.crms import callback, client
from service.worker.crms.base import Change, Class
from service.worker.crms.kind import Tools
from tests.contract.peers import Purse

SECRET = "whsec_" + base64.b64encode(b"k" * 24).decode()
AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)


def change(**overrides: Any) -> Change:
    usual: dict[str, Any] = {
        "subject": Subject("order", "", "1001"),
        "status": "paid",
        "previous": "awaiting_payment",
        "lanes": {"payment": "paid", "fulfillment": "new"},
        "attributes": {"vip": True, "amount": "49.90"},
        "version": 2,
        "event_ids": [UUID(int=7)],
        "occurred_at": AT - timedelta(minutes=1),
        "changed_at": AT,
        "key": "crm:order/1001:2",
    }
    return Change(**{**usual, **overrides})


def receiver(**overrides: Any) -> callback.Callback:
    usual: dict[str, Any] = {
        "name": "crm",
        "url": "http://127.0.0.1:9/callback",
        "key": callback.signing_key(SECRET.encode()),
        "token": None,
        "signer": None,
        "timeout": timedelta(seconds=1),
        "statuses": {},
        "attributes": {},
        "session": None,
        "clock": lambda: AT,
    }
    return callback.Callback(**{**usual, **overrides})


def test_the_body_is_the_contract() -> None:
    expected = {
        "type": "order.status_changed",
        "timestamp": "2026-02-01T10:00:00Z",
        "data": {
            "subject": "order/1001",
            "status": "paid",
            "previous": "awaiting_payment",
            "lanes": {"fulfillment": "new", "payment": "paid"},
            "version": 2,
            "event_ids": ["00000000-0000-0000-0000-000000000007"],
            "occurred_at": "2026-02-01T09:59:00Z",
            "attributes": {"amount": "49.90", "vip": True},
        },
    }
    assert expected == json.loads(receiver().payload(change()))


def test_equal_changes_have_equal_bytes_whatever_the_order_of_their_mappings() -> None:
    other = change(
        lanes={"fulfillment": "new", "payment": "paid"},
        attributes={"amount": "49.90", "vip": True},
        changed_at=AT.astimezone(None),
    )
    assert receiver().payload(change()) == receiver().payload(other)


def test_a_first_change_has_no_previous_status_and_may_have_no_time() -> None:
    data = json.loads(receiver().payload(change(previous=None, occurred_at=None)))["data"]
    assert (None, None) == (data["previous"], data["occurred_at"])


def test_statuses_are_renamed_and_those_without_a_name_stay() -> None:
    renamed = receiver(statuses={"paid": "closedwon"})
    data = json.loads(renamed.payload(change()))["data"]
    assert ("closedwon", "awaiting_payment") == (data["status"], data["previous"])


def test_configured_attributes_are_renamed_and_the_others_stay_at_home() -> None:
    renamed = receiver(attributes={"amount": "UF_SUM", "unknown": "UF_X"})
    assert {"UF_SUM": "49.90"} == json.loads(renamed.payload(change()))["data"]["attributes"]


@pytest.mark.parametrize("ref", ["1001", "10.01", "№ 7", "a b\r\nX-Evil: 1", "50%"])
def test_the_reference_library_takes_our_signature(ref: str) -> None:
    body = receiver().payload(change(subject=Subject("order", "", ref)))
    key = client.header_safe(f"crm:order/{ref}:2")
    headers = callback.signed(key, body, key=receiver().key, at=datetime.now(UTC))
    assert json.loads(body) == Webhook(SECRET).verify(body, headers)


def test_the_published_vector_comes_out() -> None:
    key = callback.signing_key(b"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = callback.signed(
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        b'{"test": 2432232314}',
        key=key,
        at=datetime.fromtimestamp(1614265330, UTC),
    )
    assert "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" == headers["webhook-signature"]


def test_the_sandbox_takes_what_the_reference_library_signs_and_refuses_the_rest() -> None:
    now = datetime.now(UTC)
    good = {
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": "v2,AAAA " + Webhook(SECRET).sign("msg_1", now, "{}"),
    }
    key = signature.signing_key(SECRET)
    assert signature.refusal(good, b"{}", key=key, now=now) is None
    late = now + timedelta(minutes=6)
    bad = [
        signature.refusal(good, b"{ }", key=key, now=now),
        signature.refusal(good, b"{}", key=b"another", now=now),
        signature.refusal(good, b"{}", key=key, now=late),
        signature.refusal(good | {"webhook-id": "msg.1"}, b"{}", key=key, now=now),
        signature.refusal(good | {"webhook-timestamp": "١٢٣"}, b"{}", key=key, now=now),
        signature.refusal(good | {"webhook-signature": "v1,é v1 ,"}, b"{}", key=key, now=now),
        signature.refusal({}, b"{}", key=key, now=now),
    ]
    assert None not in bad


def test_different_keys_stay_different_headers() -> None:
    keys = ["a b", "a%20b", "a\r\nb", "ä", "a.b", "a%2Eb", "crm:order/eu:1001:2"]
    safe = [client.header_safe(key) for key in keys]
    ids = [callback.signed(one, b"", key=b"k", at=AT)["webhook-id"] for one in safe]
    assert len(keys) == len(set(safe)) == len(set(ids))
    assert not [one for one in ids if "." in one or not one.isascii() or not one.isprintable()]
    assert "crm:order/eu:1001:2" == safe[-1]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (200, Class.OK),
        (202, Class.OK),
        (204, Class.OK),
        (299, Class.OK),
        (301, Class.PERMANENT),
        (307, Class.PERMANENT),
        (400, Class.PERMANENT),
        (401, Class.PERMANENT),
        (403, Class.PERMANENT),
        (404, Class.NOT_FOUND),
        (405, Class.PERMANENT),
        (408, Class.TRANSIENT),
        (409, Class.OK),
        (410, Class.GONE),
        (422, Class.PERMANENT),
        (425, Class.TRANSIENT),
        (429, Class.RATE),
        (500, Class.TRANSIENT),
        (503, Class.TRANSIENT),
        (507, Class.TRANSIENT),
        (599, Class.TRANSIENT),
    ],
)
def test_a_status_is_judged_as_the_contract_says(status: int, expected: Class) -> None:
    assert expected == callback.judge(status)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("120", timedelta(seconds=120)),
        (" 0 ", timedelta()),
        ("Sun, 01 Feb 2026 10:00:30 GMT", timedelta(seconds=30)),
        ("Sun, 01 Feb 2026 09:00:00 GMT", timedelta()),
        ("Sun, 01 Feb 2126 10:00:00 GMT", timedelta(days=1)),
        ("999999999999999999999", timedelta(days=1)),
        (None, None),
        ("", None),
        ("-5", None),
        ("1.5", None),
        ("١٢", None),
        ("soon", None),
        ("Sun, 99 Feb 2026 10:00:30 GMT", None),
    ],
)
def test_retry_after_is_read_in_both_forms(value: str | None, expected: timedelta | None) -> None:
    assert expected == client.parse_retry_after(value, now=AT)


@pytest.mark.parametrize("secret", [b"", b"whsec_", b"whsec_!!", b"plainword", b"whsec_\xff"])
def test_a_secret_that_cannot_sign_is_a_sentence_without_the_secret(secret: bytes) -> None:
    with pytest.raises(ConfigurationError) as caught:
        callback.signing_key(secret)
    assert "whsec_<base64 of 24 to 64 random bytes>" in str(caught.value)
    assert "plainword" not in str(caught.value)


async def test_a_destination_without_a_secret_is_refused() -> None:
    destination = Destination(name="crm", crm="callback", url="http://127.0.0.1:9/")
    async with client.open_session(1) as session:
        with pytest.raises(ConfigurationError):
            callback.build(destination, Tools(session, lambda: AT, Purse()))


def test_neither_key_nor_token_is_in_the_repr() -> None:
    shown = repr(receiver(token="sesame"))
    assert ("sesame" in shown, "kkkk" in shown) == (False, False)


def test_only_a_connection_that_was_never_made_is_tried_at_once() -> None:
    broken: list[BaseException] = [
        aiohttp.ServerDisconnectedError(),
        aiohttp.ClientOSError(),
        TimeoutError(),
        ValueError(),
    ]
    assert not [error for error in broken if client.nothing_was_sent(error)]
