"""Hashes over fields of a body: each vendor's way to compose them, every item of a batch."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, RawRequest, Verification
from service.intake.reading.mapping import MAX_ITEMS, Unreadable
from service.intake.reading.paths import JSON
from service.intake.verification import hashes
from service.intake.verification.hashes import Digest, Fields
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
SECRET = "the password of the terminal"


def source(*secrets: str) -> Source:
    given = tuple(Secret.plain(secret) for secret in secrets or (SECRET,))
    return Source(name="x", provider="generic", secrets=given)


def judge(
    scheme: Fields | Digest,
    body: bytes,
    *headers: tuple[str, str],
    known: Source | None = None,
) -> Verification:
    asked = RawRequest("POST", "/webhooks/x", "", headers, body, NOW)
    return scheme.guard(known or source()).verify(asked, now=NOW, keys=NO_KEYS)


def refusal(scheme: Fields | Digest, body: bytes, *headers: tuple[str, str]) -> tuple[str, Cause]:
    answer = judge(scheme, body, *headers)
    assert isinstance(answer, Forged)
    return answer.reason, answer.cause


def _sorted_values(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    """Values of all scalars and the password, in the order of the names."""
    told = {**hashes.scalars(fields), "Password": secret.decode()}
    return "".join(told[name] for name in sorted(told)).encode()


TERMINAL = Fields("json", "Token", compose=_sorted_values, exclude=("Receipt",))
PAID = (
    b'{"Amount":100.10,"OrderId":"1001","Success":true,"Note":null,"Data":{"a":1},'
    b'"Receipt":"x","Token":"%s"}'
)
TOKEN = hashlib.sha256(f"100.101001{SECRET}true".encode()).hexdigest()


@pytest.mark.parametrize("token", [TOKEN, TOKEN.upper()])
def test_sorted_values_with_the_password_among_them(token: str) -> None:
    assert Genuine() == judge(TERMINAL, PAID % token.encode())


def test_numbers_are_hashed_as_they_were_written() -> None:
    other = PAID.replace(b"100.10", b"100.1") % TOKEN.encode()
    assert Cause.WRONG_SECRET is refusal(TERMINAL, other)[1]


def test_while_the_secret_is_changed_both_are_taken() -> None:
    body = PAID % TOKEN.encode()
    assert Genuine() == judge(TERMINAL, body, known=source("another", SECRET))
    assert isinstance(judge(TERMINAL, body, known=source("another")), Forged)


def test_what_is_left_out_may_change() -> None:
    body = PAID.replace(b'"Receipt":"x"', b'"Receipt":"y"') % TOKEN.encode()
    assert Genuine() == judge(TERMINAL, body)


def _around(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    return secret + hashes.text(fields.get("data")).encode() + secret


WRAPPED = Fields("form", "signature", "sha1", compose=_around, encoding="base64")
DATA = base64.b64encode(b'{"order_id":"1001"}').decode()


def form(**fields: str) -> bytes:
    return urlencode(fields).encode()


def wrapped(data: str = DATA) -> str:
    digest = hashlib.sha1(f"{SECRET}{data}{SECRET}".encode()).digest()
    return base64.b64encode(digest).decode()


def test_a_field_of_a_form_between_two_secrets() -> None:
    assert Genuine() == judge(WRAPPED, form(data=DATA, signature=wrapped()))
    assert Cause.WRONG_SECRET is refusal(WRAPPED, form(data=DATA[:-4], signature=wrapped()))[1]


@pytest.mark.parametrize(
    ("body", "words", "cause"),
    [
        (form(data=DATA), "The field signature is missing.", Cause.MISSING),
        (form(data=DATA, signature=""), "The field signature is missing.", Cause.MISSING),
        (form(data=DATA, signature="0" * 8193), "is longer than 8192 bytes", Cause.MALFORMED),
        (b"", "The field signature is missing.", Cause.MISSING),
        (b"signature", "The body is not a form", Cause.MALFORMED),
        (b"signature=%ff", "The body is not a form", Cause.MALFORMED),
        ("signature=é".encode(), "The body is not a form", Cause.MALFORMED),
        (b"a=1&" * 1001 + b"signature=0", "The body is not a form", Cause.MALFORMED),
        (
            form(data=DATA, signature=wrapped()) + b"&data=x",
            "A field of the form was sent twice; only once is safe.",
            Cause.MALFORMED,
        ),
    ],
)
def test_a_form_that_does_not_fit_is_refused(body: bytes, words: str, cause: Cause) -> None:
    why, told = refusal(WRAPPED, body)
    assert words in why
    assert cause is told


@pytest.mark.parametrize(
    ("body", "words", "cause"),
    [
        (b"junk", "The body is not JSON", Cause.MALFORMED),
        (b"[" * 5000, "The body is not JSON", Cause.MALFORMED),
        (b"[" * 70 + b"]" * 70, "nests deeper", Cause.MALFORMED),
        (b'{"a":NaN}', "The body is not JSON", Cause.MALFORMED),
        (b"[]", "not an object of fields", Cause.MALFORMED),
        (b"{}", "The field Token is missing.", Cause.MISSING),
        (b'{"Token":7}', "No signature of 1 matches", Cause.WRONG_SECRET),
        (b'{"Token":["0"]}', "The field Token is missing.", Cause.MISSING),
        (b'{"Token":"\xc3\xa9"}', "No signature of 1 matches", Cause.WRONG_SECRET),
    ],
)
def test_json_that_does_not_fit_is_refused(body: bytes, words: str, cause: Cause) -> None:
    why, told = refusal(TERMINAL, body)
    assert words in why
    assert cause is told


def test_of_a_name_written_twice_the_one_that_is_read_later_is_hashed() -> None:
    body = PAID.replace(b'"OrderId":"1001"', b'"OrderId":"9","OrderId":"1001"') % TOKEN.encode()
    assert Genuine() == judge(TERMINAL, body)
    body = PAID.replace(b'"OrderId":"1001"', b'"OrderId":"1001","OrderId":"9"') % TOKEN.encode()
    assert Cause.WRONG_SECRET is refusal(TERMINAL, body)[1]


def _needs_list(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    return hashes.text(fields.get("lines")).encode()


def test_a_hashed_field_that_is_no_scalar_refuses_the_request() -> None:
    scheme = Fields("json", "sign", compose=_needs_list)
    why = "A field that is hashed holds a list or an object."
    assert (why, Cause.MALFORMED) == refusal(scheme, b'{"lines":[1],"sign":"0"}')


@pytest.mark.parametrize(
    ("value", "written"),
    [(None, ""), (True, "true"), (False, "false"), ("é", "é"), (7, "7"), (1.5, "1.5")],
)
def test_scalars_are_written_as_senders_do(value: JSON, written: str) -> None:
    assert written == hashes.text(value)


# --- items of a batch, each with a signature of its own

HEX_KEY = "44782def547aaa06c910c43932b1eb0c71fc68d9d0c057550c48ec2acf6ba056"


def _joined(item: Mapping[str, JSON], _: bytes) -> bytes:
    inner = item["NotificationRequestItem"]
    if not isinstance(inner, dict):
        raise Unreadable("An item is no object.")
    return ":".join(hashes.text(inner.get(name)) for name in ("psp", "ref", "success")).encode()


BATCH = Fields(
    "json",
    "NotificationRequestItem.additionalData.hmacSignature",
    compose=_joined,
    keyed=True,
    encoding="base64",
    items="notificationItems",
    key="hex",
)


def item(number: int, *, signature: str | None = None) -> dict[str, Any]:
    message = f"psp-{number}:{number}:true".encode()
    digest = hmac.digest(bytes.fromhex(HEX_KEY), message, "sha256")
    right = base64.b64encode(digest).decode()
    data = {"hmacSignature": right if signature is None else signature}
    inner = {"psp": f"psp-{number}", "ref": str(number), "success": "true", "additionalData": data}
    return {"NotificationRequestItem": inner}


def batch(*items: object) -> Verification:
    body = json.dumps({"live": "false", "notificationItems": list(items)}).encode()
    return judge(BATCH, body, known=source(HEX_KEY))


def test_every_item_of_a_batch_must_be_right() -> None:
    assert Genuine() == batch(item(1))
    assert Genuine() == batch(item(1), item(2), item(3))
    for wrong in (
        item(2, signature=item(1)["NotificationRequestItem"]["additionalData"]["hmacSignature"]),
    ):
        for items in ((wrong, item(1)), (item(1), wrong), (item(1), wrong, item(3))):
            answer = batch(*items)
            assert isinstance(answer, Forged)
            assert Cause.WRONG_SECRET is answer.cause


@pytest.mark.parametrize(
    ("items", "words"),
    [
        ((), "no list of 1 to"),
        ((item(1),) * (MAX_ITEMS + 1), "no list of 1 to"),
        ((item(1), "junk"), "not an object of fields"),
        ((item(1), {}), "hmacSignature is missing"),
        ((item(1), item(2, signature="")), "hmacSignature is missing"),
        ((item(1), {"NotificationRequestItem": []}), "hmacSignature is missing"),
    ],
)
def test_a_batch_with_anything_unsigned_is_refused(items: tuple[object, ...], words: str) -> None:
    answer = batch(*items)
    assert isinstance(answer, Forged)
    assert words in answer.reason


# --- several signatures in one field, derived keys


def _pairs(text: str) -> list[str]:
    return [pair.partition("|")[2] for pair in text.split("&") if "|" in pair]


PICKED = Fields(
    "form",
    "bt_signature",
    "sha1",
    compose=lambda fields, _: hashes.text(fields.get("bt_payload")).encode(),
    keyed=True,
    pick=_pairs,
    derive=lambda secret: hashlib.sha1(secret).digest(),
)


def picked(signature: str) -> bytes:
    return form(bt_signature=signature, bt_payload="cGF5bG9hZA==\n")


def test_a_signature_is_picked_out_of_its_field_and_the_key_is_derived() -> None:
    key = hashlib.sha1(SECRET.encode()).digest()
    right = hmac.digest(key, b"cGF5bG9hZA==\n", "sha1").hex()
    assert Genuine() == judge(PICKED, picked(f"other|{'0' * 40}&public|{right}"))
    assert Cause.WRONG_SECRET is refusal(PICKED, picked(f"public|{'0' * 40}"))[1]
    assert Cause.MISSING is refusal(PICKED, picked("junk"))[1]
    assert Cause.MALFORMED is refusal(PICKED, picked("a|0&" * 21))[1]


# --- a hash of a whole message with the secret in it

SUFFIXED = Digest("sign", "{body}/{secret}")


def test_the_secret_may_stand_anywhere_in_the_message() -> None:
    body = b'{"event":"TRACKING_UPDATED"}'
    right = hashlib.sha256(body + b"/" + SECRET.encode()).hexdigest()
    assert Genuine() == judge(SUFFIXED, body, ("sign", right))
    assert Genuine() == judge(SUFFIXED, body, ("sign", right), known=source("another", SECRET))
    assert Cause.WRONG_SECRET is refusal(SUFFIXED, body + b" ", ("sign", right))[1]
    assert Cause.MISSING is refusal(SUFFIXED, body)[1]
    assert Cause.REPEATED is refusal(SUFFIXED, body, ("sign", right), ("sign", right))[1]
    around = Digest("sign", "{secret}{header:x-time}{body}{secret}", "md5", "base64")
    digest = hashlib.md5(SECRET.encode() + b"1" + body + SECRET.encode()).digest()
    signature = ("sign", base64.b64encode(digest).decode())
    assert Genuine() == judge(around, body, signature, ("x-time", "1"))
    assert Cause.MISSING is refusal(around, body, signature)[1]


def test_a_hash_without_the_secret_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="proves nothing"):
        Digest("sign", "{body}").guard(source())


@pytest.mark.parametrize("scheme", [TERMINAL, SUFFIXED])
def test_a_source_without_secrets_is_not_built(scheme: Fields | Digest) -> None:
    with pytest.raises(ConfigurationError, match="The source x has no secrets"):
        scheme.guard(source().model_copy(update={"secrets": ()}))


@pytest.mark.parametrize(
    ("scheme", "summary"),
    [
        (TERMINAL, "SHA256 of fields and the secret, hex"),
        (BATCH, "HMAC-SHA256 of fields of each item, base64"),
        (SUFFIXED, "SHA256 with the secret in it, hex"),
    ],
)
def test_a_scheme_is_summed_up_in_a_phrase(scheme: Fields | Digest, summary: str) -> None:
    assert summary == scheme.summary
    assert SECRET not in repr(scheme.guard(source(SECRET.encode().hex())))


@given(data=st.data())
def test_one_flipped_bit_of_what_is_hashed_is_not_genuine(data: st.DataObject) -> None:
    parts = {"data": DATA.encode(), "signature": wrapped().encode()}
    name = data.draw(st.sampled_from(sorted(parts)))
    flipped = bytearray(parts[name])
    flipped[data.draw(st.integers(0, len(flipped) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    body = urlencode({**parts, name: bytes(flipped)}).encode()
    assert isinstance(judge(WRAPPED, body), Forged)


@given(st.binary(max_size=200))
def test_no_body_makes_it_raise(body: bytes) -> None:
    for scheme in (TERMINAL, WRAPPED, BATCH, PICKED, SUFFIXED):
        known = source(HEX_KEY)
        assert isinstance(judge(scheme, body, ("sign", "0"), known=known), Forged)


@given(st.lists(st.sampled_from(["a", "=", "&", "%", "%41", "%e4%bd%a0", "+", "%zz"])))
def test_a_form_is_decoded_as_the_standard_library_does_it(pieces: list[str]) -> None:
    text = "".join(pieces)
    try:
        pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=True, errors="strict")
    except ValueError:
        pairs = [("", ""), ("", "")]
    if len(pairs) == len(dict(pairs)):
        assert dict(pairs) == hashes.form(text.encode())
    else:
        with pytest.raises(Unreadable):
            hashes.form(text.encode())


@pytest.mark.parametrize("shift", range(4))
def test_an_escape_is_not_cut_where_long_forms_are_decoded_in_stretches(shift: int) -> None:
    text = "x" * (hashes.STRETCH - 4 + shift) + "快递" * 9
    assert {"param": text} == hashes.form(urlencode({"param": text}).encode())
