"""Encrypted bodies: what the sender signed opens, what was changed does not, answers repeat."""

import hashlib
import json
import os
from base64 import b64decode, b64encode
from dataclasses import replace
from datetime import timedelta
from typing import Any
from urllib.parse import urlencode

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, RawRequest, Verification
from service.intake.reading.mapping import Unreadable
from service.intake.verification import ciphers
from service.intake.verification.sealed import DINGTALK, WECOM, YONYOU, Envelope, Lark, WeChatPay
from tests.unit.verification.keypairs import (
    BODY,
    NOW,
    STAMP,
    certificate,
    pem,
    request,
    rsa_key,
    source,
    written,
)

MS = STAMP + "000"
APIV3 = b"0123456789abcdef0123456789abcdef"
TOKEN, AES = "token-1", "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFG"
KEY = b64decode(AES + "=")
PAIR = f"{TOKEN}:{AES}".encode()


def judged(scheme: Any, sent: RawRequest, *secrets: bytes, **options: Any) -> Verification:
    guard = scheme.guard(source(*secrets, options=options))
    answer: Verification = guard.verify(sent, now=NOW, keys=NO_KEYS)
    return answer


def wechat(resource: dict[str, Any], **changes: str) -> RawRequest:
    sealed = AESGCM(APIV3).encrypt(b"nonce-123456", json.dumps(resource).encode(), b"transaction")
    body = json.dumps(
        {
            "id": "evt-1",
            "event_type": "TRANSACTION.SUCCESS",
            "resource": {
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": b64encode(sealed).decode(),
                "nonce": "nonce-123456",
                "associated_data": "transaction",
                **changes,
            },
        }
    ).encode()
    message = f"{STAMP}\nn-1\n".encode() + body + b"\n"
    sign = rsa_key().sign(message, padding.PKCS1v15(), hashes.SHA256())
    return request(
        [
            ("Wechatpay-Timestamp", STAMP),
            ("Wechatpay-Nonce", "n-1"),
            ("Wechatpay-Signature", b64encode(sign).decode()),
            ("Wechatpay-Serial", "1234ABCD"),
        ],
        body,
    )


CERT = written(certificate(rsa_key(), "Tenpay.com"))


@pytest.mark.parametrize("public", [pem(rsa_key()), CERT])
def test_a_wechat_notice_passes_and_its_resource_opens(public: bytes) -> None:
    sent = wechat({"out_trade_no": "1001"})
    assert Genuine() == judged(WeChatPay(), sent, APIV3, public)
    opened = json.loads(WeChatPay().guard(source(APIV3, public)).open(sent).body)
    assert ({"out_trade_no": "1001"}, "evt-1") == (opened["resource"], opened["id"])


def test_a_wechat_notice_that_was_changed_or_is_a_probe_is_refused() -> None:
    sent = wechat({"out_trade_no": "1001"})
    probe = tuple(
        (name, "WECHATPAY/SIGNTEST/" + value if name == "wechatpay-signature" else value)
        for name, value in sent.headers
    )
    other_serial = tuple(
        (name, "5678" if name == "wechatpay-serial" else value) for name, value in sent.headers
    )
    for wrong in (
        replace(sent, body=sent.body.replace(b"evt-1", b"evt-2")),
        replace(sent, headers=probe),
        replace(sent, headers=sent.headers[1:]),
        replace(sent, headers=other_serial),
        replace(sent, body=b""),
    ):
        assert isinstance(judged(WeChatPay(), wrong, APIV3, CERT), Forged)


def test_while_the_apiv3_key_changes_both_open() -> None:
    old, public = b"f" * 32, pem(rsa_key())
    sent = wechat({"a": 1})
    opened = WeChatPay().guard(source(old, APIV3, public)).open(sent)
    assert {"a": 1} == json.loads(opened.body)["resource"]
    with pytest.raises(Unreadable):
        WeChatPay().guard(source(old, public)).open(sent)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm": "AEAD_SM4_GCM"},
        {"ciphertext": "?"},
        {"ciphertext": ""},
        {"ciphertext": "AAAA"},
        {"nonce": ""},
        {"nonce": "n" * 200},
        {"associated_data": "refund"},
    ],
)
def test_a_resource_that_cannot_be_opened_is_unreadable(changes: dict[str, str]) -> None:
    guard = WeChatPay().guard(source(APIV3, pem(rsa_key())))
    with pytest.raises(Unreadable):
        guard.open(wechat({"a": 1}, **changes))


@pytest.mark.parametrize("body", [b"[]", b"{}", b"x", b'{"resource":"x"}'])
def test_a_body_without_a_resource_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        WeChatPay().guard(source(APIV3, pem(rsa_key()))).open(request(body=body))


def test_wechat_needs_both_keys() -> None:
    for secrets in ((APIV3,), (pem(rsa_key()),), (b"short", pem(rsa_key()))):
        with pytest.raises(ConfigurationError, match="APIv3"):
            WeChatPay().guard(source(*secrets))


def sealed(message: bytes, tail: bytes = b"corp-1") -> str:
    plain = os.urandom(16) + len(message).to_bytes(4) + message + tail
    return b64encode(ciphers.seal_cbc(KEY, KEY[:16], plain, block=32)).decode()


def sign(*parts: str) -> str:
    return hashlib.sha1("".join(sorted((TOKEN, *parts))).encode()).hexdigest()


def dingtalk(message: bytes, stamp: str = MS, **more: Any) -> RawRequest:
    text = sealed(message, **more)
    query = urlencode({"signature": sign(stamp, "n-1", text), "timestamp": stamp, "nonce": "n-1"})
    return request(body=json.dumps({"encrypt": text}).encode(), query=query)


def wecom(message: bytes) -> RawRequest:
    text = sealed(message)
    query = urlencode(
        {"msg_signature": sign(STAMP, "n-1", text), "timestamp": STAMP, "nonce": "n-1"}
    )
    body = f"<xml><ToUserName>a</ToUserName><Encrypt>{text}</Encrypt></xml>".encode()
    return request(body=body, query=query)


def yonyou(message: bytes) -> RawRequest:
    text = sealed(message)
    body = {
        "msgSignature": sign(MS, "n-1", text), "timestamp": int(MS), "nonce": "n-1", "encrypt": text
    }  # fmt: skip
    return request(body=json.dumps(body).encode())


VENDORS = [(DINGTALK, dingtalk), (WECOM, wecom), (YONYOU, yonyou)]


@pytest.mark.parametrize(("scheme", "send"), VENDORS)
def test_an_envelope_passes_and_opens(scheme: Envelope, send: Any) -> None:
    sent = send(BODY)
    assert Genuine() == judged(scheme, sent, b"old:" + AES.encode(), PAIR)
    guard = scheme.guard(source(PAIR, options={"receiver": "corp-1"}))
    assert BODY == guard.open(sent).body


@pytest.mark.parametrize(("scheme", "send"), VENDORS)
def test_an_envelope_that_was_changed_is_refused(scheme: Envelope, send: Any) -> None:
    sent = send(BODY)
    inside = sent.body.index(b"==") if b"==" in sent.body else sent.body.rindex(b"=")
    flipped = bytearray(sent.body)
    flipped[inside - 30] ^= 1
    for wrong in (
        replace(sent, body=bytes(flipped)),
        replace(sent, body=b"{}"),
        replace(sent, body=b"<"),
        replace(sent, body=b"[]"),
    ):
        assert isinstance(judged(scheme, wrong, PAIR), Forged)
    refused = judged(scheme, sent, b"other:" + AES.encode())
    assert isinstance(refused, Forged)
    assert Cause.WRONG_SECRET == refused.cause


@pytest.mark.parametrize(("scheme", "send"), VENDORS)
def test_an_old_envelope_is_stale(scheme: Envelope, send: Any) -> None:
    guard = scheme.guard(source(PAIR))
    late = guard.verify(send(BODY), now=NOW + timedelta(minutes=6), keys=NO_KEYS)
    assert isinstance(late, Forged)
    assert Cause.STALE_CLOCK == late.cause


@pytest.mark.parametrize(
    "query", ["", "signature=a", "signature=a&timestamp=b&nonce=c", "signature=a&signature=a"]
)
def test_an_envelope_without_its_three_values_is_refused(query: str) -> None:
    assert isinstance(judged(DINGTALK, replace(dingtalk(BODY), query=query), PAIR), Forged)


def test_a_message_for_another_receiver_is_unreadable() -> None:
    guard = DINGTALK.guard(source(PAIR, options={"receiver": "corp-1"}))
    with pytest.raises(Unreadable, match="receiver"):
        guard.open(dingtalk(BODY, tail=b"corp-2"))


def test_what_opens_to_no_message_is_unreadable() -> None:
    guard = DINGTALK.guard(source(PAIR))
    short = b64encode(ciphers.seal_cbc(KEY, KEY[:16], b"short", block=32)).decode()
    lying = b64encode(
        ciphers.seal_cbc(KEY, KEY[:16], bytes(16) + b"\xff\xff\xff\xff{}", block=32)
    ).decode()
    for text in (short, lying, "AAAA", "?", b64encode(bytes(64)).decode()):
        query = urlencode({"signature": sign(MS, "n", text), "timestamp": MS, "nonce": "n"})
        sent = request(body=json.dumps({"encrypt": text}).encode(), query=query)
        assert Genuine() == judged(DINGTALK, sent, PAIR)
        with pytest.raises(Unreadable):
            guard.open(sent)
    with pytest.raises(Unreadable, match="None of the configured"):
        guard.open(replace(dingtalk(BODY), query=dingtalk(b"{}").query))
    with pytest.raises(Unreadable):
        guard.open(request(body=b"{}"))


def test_dingtalk_is_answered_with_a_sealed_success_always_the_same() -> None:
    guard = DINGTALK.guard(source(PAIR, options={"receiver": "corp-1"}))
    sent = dingtalk(BODY)
    first, again = guard.answer(sent), guard.answer(sent)
    assert first is not None
    assert first == again
    said = json.loads(first.body)
    assert sign(said["timeStamp"], said["nonce"], said["encrypt"]) == said["msg_signature"]
    back = urlencode(
        {"signature": said["msg_signature"], "timestamp": said["timeStamp"], "nonce": said["nonce"]}
    )
    opened = guard.open(request(body=json.dumps({"encrypt": said["encrypt"]}).encode(), query=back))
    assert b"success" == opened.body
    other = guard.answer(dingtalk(b'{"id":"evt-2"}'))
    assert other is not None
    assert first.body != other.body


def test_others_are_answered_as_usual() -> None:
    assert WECOM.guard(source(PAIR)).answer(wecom(BODY)) is None
    assert DINGTALK.guard(source(PAIR)).answer(request(body=b"{}")) is None
    assert DINGTALK.guard(source(PAIR)).answer(replace(dingtalk(BODY), query="")) is None


def echo(text: str, **more: Any) -> RawRequest:
    query = urlencode(
        {
            "msg_signature": sign(STAMP, "n-1", text),
            "timestamp": STAMP,
            "nonce": "n-1",
            "echostr": text,
        }
    )
    return request(body=b"", query=query, **{"method": "GET", **more})


def test_wecom_reads_its_echo_back_in_plain() -> None:
    guard = WECOM.guard(source(PAIR))
    reply = guard.greet(echo(sealed(b"1616140317555161061")))
    assert reply is not None
    assert b"1616140317555161061" == reply.body


def test_wecom_greets_nobody_else() -> None:
    guard = WECOM.guard(source(PAIR))
    good = echo(sealed(b"1"))
    for sent in (
        replace(good, method="POST"),
        replace(good, query=good.query.replace("n-1", "n-2")),
        replace(good, query="echostr=x"),
        echo(sealed(b"a\nb")),
        echo(sealed(b"\xff")),
        echo(sealed(b"x" * 2000)),
        echo("AAAA"),
    ):
        assert guard.greet(sent) is None
    assert DINGTALK.guard(source(PAIR)).greet(good) is None


@pytest.mark.parametrize(
    "secret",
    [b"token", AES.encode(), b":" + AES.encode(), b"t:" + AES.encode()[:-1], b"t:" + b"-" * 43],
)
def test_an_envelope_needs_token_and_key(secret: bytes) -> None:
    with pytest.raises(ConfigurationError, match="TOKEN:AESKEY"):
        DINGTALK.guard(source(secret))


def test_yonyou_makes_the_key_of_the_secret_of_a_self_built_application() -> None:
    secret = "11111111-2222-3333-4444-555555555555"
    own = b64decode(secret.replace("-", "").ljust(43, "0") + "=")
    plain = bytes(16) + len(BODY).to_bytes(4) + BODY + b"app"
    text = b64encode(ciphers.seal_cbc(own, own[:16], plain, block=32)).decode()
    parts = "".join(sorted((secret, MS, "n", text)))
    body = {
        "msgSignature": hashlib.sha1(parts.encode()).hexdigest(),
        "timestamp": MS, "nonce": "n", "encrypt": text,
    }  # fmt: skip
    sent = request(body=json.dumps(body).encode())
    assert Genuine() == judged(YONYOU, sent, secret.encode())
    assert BODY == YONYOU.guard(source(secret.encode())).open(sent).body


def lark(body: bytes, stamp: str = STAMP, key: bytes = b"topsecret") -> RawRequest:
    text = hashlib.sha256(stamp.encode() + b"nonce1" + key + body).hexdigest()
    return request(
        [
            ("X-Lark-Request-Timestamp", stamp),
            ("X-Lark-Request-Nonce", "nonce1"),
            ("X-Lark-Signature", text),
        ],
        body,
    )


def closed(body: bytes, key: bytes = b"topsecret") -> bytes:
    start = os.urandom(16)
    raw = start + ciphers.seal_cbc(hashlib.sha256(key).digest(), start, body)
    return json.dumps({"encrypt": b64encode(raw).decode()}).encode()


def test_feishu_passes_the_vector_of_the_catalogue() -> None:
    sent = lark(b'{"id":"1","status":"delivered"}', "1700000000")
    assert "3500833dce2720daf3ff49a529aeb96df0c5f7a7583c448b97db00dab27333e7" == sent.header(
        "X-Lark-Signature"
    )


def test_feishu_passes_and_opens_with_any_present_key() -> None:
    guard = Lark().guard(source(b"old", b"topsecret"))
    sent = lark(closed(BODY))
    assert Genuine() == guard.verify(sent, now=NOW, keys=NO_KEYS)
    assert BODY == guard.open(sent).body
    assert BODY == guard.open(lark(BODY)).body


def test_feishu_refuses_what_was_changed_is_stale_or_incomplete() -> None:
    sent = lark(closed(BODY))
    for wrong in (
        replace(sent, body=sent.body + b" "),
        replace(sent, headers=sent.headers[1:]),
        replace(sent, headers=(*sent.headers, sent.headers[2])),
        lark(closed(BODY), "soon"),
        lark(closed(BODY), str(int(STAMP) - 301)),
        lark(closed(BODY), key=b"other"),
    ):
        assert isinstance(judged(Lark(), wrong, b"topsecret"), Forged)


@pytest.mark.parametrize("text", ["AAAA", "?", 7, "A" * 24, b64encode(bytes(48)).decode()])
def test_a_feishu_body_that_cannot_be_opened_is_unreadable(text: Any) -> None:
    sent = lark(json.dumps({"encrypt": text}).encode())
    with pytest.raises(Unreadable):
        Lark().guard(source(b"topsecret")).open(sent)
    with pytest.raises(Unreadable, match="None of the configured"):
        Lark().guard(source(b"other")).open(sent)


def test_feishu_reads_its_challenge_back_sealed_or_not() -> None:
    guard = Lark().guard(source(b"old", b"topsecret"))
    asked = b'{"challenge":"c-1","token":"t","type":"url_verification"}'
    for body in (asked, closed(asked)):
        reply = guard.greet(request(body=body))
        assert reply is not None
        assert {"challenge": "c-1"} == json.loads(reply.body)


def test_feishu_greets_nobody_else() -> None:
    guard = Lark().guard(source(b"topsecret"))
    for body in (
        closed(BODY),
        BODY,
        b"[]",
        b"",
        b'{"type":"url_verification"}',
        b'{"type":"url_verification","challenge":"a\\nb"}',
        b'{"type":"url_verification","challenge":"' + b"c" * 9000 + b'"}',
    ):
        assert guard.greet(request(body=body)) is None
    assert guard.greet(request(method="GET")) is None


def test_lists_say_how_each_proves_itself() -> None:
    assert all("AES-256" in each.summary for each in (WeChatPay(), DINGTALK, Lark()))
