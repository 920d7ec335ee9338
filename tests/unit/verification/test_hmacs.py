"""Keyed hashes as data: what the standard library signs is genuine, and nothing else is."""

import base64
import hmac
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, RawRequest, Verification
from service.intake.reading.mapping import Unreadable
from service.intake.verification.hmacs import Hmac
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
BODY = b'{"id":"evt_1","sign":"5"}'
KEY = b"a secret of 26 characters!"


def source(*secrets: bytes, **options: str) -> Source:
    given = tuple(Secret.plain(secret.decode()) for secret in secrets or (KEY,))
    return Source(name="x", provider="generic", secrets=given, options=dict(options))


def request(*headers: tuple[str, str], body: bytes = BODY, query: str = "") -> RawRequest:
    return RawRequest("POST", "/webhooks/x", query, headers, body, NOW)


def judge(
    scheme: Hmac, asked: RawRequest, *, now: datetime = NOW, known: Source | None = None
) -> Verification:
    return scheme.guard(known or source()).verify(asked, now=now, keys=NO_KEYS)


def refusal(scheme: Hmac, asked: RawRequest, *, now: datetime = NOW) -> tuple[str, Cause]:
    answer = judge(scheme, asked, now=now)
    assert isinstance(answer, Forged)
    return answer.reason, answer.cause


def sign(message: bytes, *, key: bytes = KEY, algorithm: str = "sha256") -> str:
    return hmac.digest(key, message, algorithm).hex()


def base64_of(message: bytes, *, algorithm: str = "sha256") -> str:
    return base64.b64encode(hmac.digest(KEY, message, algorithm)).decode()


@pytest.mark.parametrize("algorithm", ["md5", "sha1", "sha256", "sha384", "sha512"])
@pytest.mark.parametrize("encoding", ["hex", "base64"])
def test_every_algorithm_and_encoding_is_that_of_the_standard_library(
    algorithm: str, encoding: str
) -> None:
    scheme = Hmac("X-Sign", algorithm=algorithm, encoding=encoding)  # type: ignore[arg-type]
    write = sign if encoding == "hex" else base64_of
    signature = write(BODY, algorithm=algorithm)
    assert Genuine() == judge(scheme, request(("x-sign", signature)))


MESSAGES = {
    "{body}": BODY,
    "{body64}": base64.b64encode(BODY),
    "{time}{body}": STAMP.encode() + BODY,
    "v1:{time}:{id}:{body}": b"v1:%s:id-1:%s" % (STAMP.encode(), BODY),
    "{time}{method}{path}{body}": STAMP.encode() + b"POST/webhooks/x" + BODY,
    "{url}{body}": b"https://hooks.example.com/webhooks/x?a=1" + BODY,
    "{query}|{query:a}|{header:X-Topic}": b"a=1|1|orders",
}


@pytest.mark.parametrize("message", MESSAGES)
def test_a_message_is_made_of_the_parts_it_names(message: str) -> None:
    scheme = Hmac("X-Sign", message=message, time="header:X-Time", id="header:X-Id")
    asked = request(
        ("x-sign", sign(MESSAGES[message])),
        *(("x-time", STAMP), ("x-id", "id-1"), ("x-topic", "orders")),
        query="a=1",
    )
    asked = replace(asked, url="https://hooks.example.com/webhooks/x?a=1")
    assert Genuine() == judge(scheme, asked)
    changed = request(("x-sign", "0"), *asked.headers[1:], body=b"", query="a=2")
    assert Cause.WRONG_SECRET is refusal(scheme, replace(changed, url=asked.url))[1]


def test_the_address_a_source_names_goes_before_the_one_of_the_server() -> None:
    scheme = Hmac("X-Sign", message="{url}")
    asked = replace(request(("x-sign", sign(b"https://a.example/x"))), url="https://b.example/x")
    assert Cause.WRONG_SECRET is refusal(scheme, asked)[1]
    assert Genuine() == judge(scheme, asked, known=source(url="https://a.example/x"))


def test_a_signed_address_nobody_configured_is_refused_with_what_to_set() -> None:
    why, cause = refusal(Hmac("X-Sign", message="{url}"), request(("x-sign", sign(b""))))
    assert "set public_url of [server]" in why
    assert Cause.MALFORMED is cause


@pytest.mark.parametrize(
    ("key", "secret"),
    [
        ("text", KEY),
        ("base64", base64.b64encode(KEY)),
        ("base64", base64.b64encode(KEY).rstrip(b"=")),
        ("whsec", b"whsec_" + base64.b64encode(KEY)),
        ("hex", KEY.hex().encode()),
        ("hex", KEY.hex().upper().encode()),
    ],
)
def test_a_secret_stands_for_its_key(key: str, secret: bytes) -> None:
    scheme = Hmac("X-Sign", key=key)  # type: ignore[arg-type]
    asked = request(("x-sign", sign(BODY)))
    assert Genuine() == judge(scheme, asked, known=source(secret))


@pytest.mark.parametrize("key", ["base64", "hex", "whsec"])
def test_a_secret_that_stands_for_no_key_is_a_mistake_of_the_configuration(key: str) -> None:
    scheme = Hmac("X-Sign", key=key, what="the key of the portal")  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match="put the key of the portal there as it stands"):
        scheme.guard(source(b"%%%"))


def test_a_source_without_secrets_is_not_built() -> None:
    with pytest.raises(ConfigurationError, match="The source x has no secrets"):
        Hmac("X-Sign").guard(source().model_copy(update={"secrets": ()}))


def test_a_key_may_be_derived_from_the_secret() -> None:
    scheme = Hmac("X-Sign", derive=lambda secret: sha1(secret).digest())
    signature = sign(BODY, key=sha1(KEY).digest())
    assert Genuine() == judge(scheme, request(("x-sign", signature)))


@pytest.mark.parametrize(
    ("unit", "stamp"),
    [
        ("s", STAMP),
        ("ms", f"{STAMP}250"),
        ("ms", STAMP),
        ("iso", "2026-01-15T10:30:00Z"),
        ("iso", "2026-01-15T12:30:00.5+02:00"),
        ("http", "Thu, 15 Jan 2026 10:30:00 GMT"),
    ],
)
def test_times_are_read_in_their_unit_and_judged_on_both_sides(unit: str, stamp: str) -> None:
    scheme = Hmac("X-Sign", message="{time}.{body}", time="header:X-Time", unit=unit)  # type: ignore[arg-type]
    asked = request(("x-sign", sign(f"{stamp}.".encode() + BODY)), ("x-time", stamp))
    for late in (-299, 299):
        assert Genuine() == judge(scheme, asked, now=NOW + timedelta(seconds=late))
    for late in (-302, 302):
        why, cause = refusal(scheme, asked, now=NOW + timedelta(seconds=late))
        assert "the tolerance is 300 s" in why
        assert Cause.STALE_CLOCK is cause


@pytest.mark.parametrize(
    ("time", "words"),
    [
        ("header:X-Time", "The header X-Time is not a whole number of unix seconds."),
        ("query:when", "The parameter when is not a whole number of unix seconds."),
    ],
)
def test_what_is_no_time_is_refused_by_its_place(time: str, words: str) -> None:
    scheme = Hmac("X-Sign", message="{time}{body}", time=time)
    asked = request(("x-sign", sign(BODY)), ("x-time", "soon"), query="when=soon")
    assert (words, Cause.MALFORMED) == refusal(scheme, asked)


def test_a_missing_time_is_refused_by_its_name() -> None:
    scheme = Hmac("X-Sign", message="{time}{body}", time="query:when")
    why = "The parameter when is missing."
    assert (why, Cause.MISSING) == refusal(scheme, request(("x-sign", sign(BODY))))


PAIRED = Hmac("X-Sign", message="{time}:{body}", pairs=("ts", "h1"), separator=";")
RIGHT = sign(f"{STAMP}:".encode() + BODY)


@pytest.mark.parametrize(
    "header",
    [
        f"ts={STAMP};h1={RIGHT}",
        f"h1={RIGHT}; ts={STAMP}",
        f"ts={STAMP};h1={'0' * 64};h1={RIGHT};h0=x;junk",
    ],
)
def test_pairs_may_come_in_any_order_and_beside_others(header: str) -> None:
    assert Genuine() == judge(PAIRED, request(("x-sign", header)))


@pytest.mark.parametrize(
    ("header", "words", "cause"),
    [
        (f"h1={RIGHT}", "must carry one time `ts=…`; it carries 0.", Cause.MISSING),
        (f"ts=1;ts={STAMP};h1={RIGHT}", "`ts=…`; it carries 2.", Cause.REPEATED),
        (f"ts=now;h1={RIGHT}", "The time in X-Sign is not a whole number", Cause.MALFORMED),
        (f"ts={STAMP}", "carries 0 h1 signatures, not 1 to 20.", Cause.MISSING),
        (f"ts={STAMP};h1=", "carries 0 h1 signatures, not 1 to 20.", Cause.MISSING),
        (f"ts={STAMP}" + ";h1=0" * 21, "carries 21 h1 signatures", Cause.MALFORMED),
        (";" * 8000 + f"ts={STAMP};h1={RIGHT}", "it carries 0.", Cause.MISSING),
        (f"ts={STAMP};h1=é\udcff", "No signature of 1 matches", Cause.WRONG_SECRET),
    ],
)
def test_pairs_that_do_not_fit_are_refused(header: str, words: str, cause: Cause) -> None:
    why, told = refusal(PAIRED, request(("x-sign", header)))
    assert words in why
    assert cause is told


def test_a_list_of_pairs_may_carry_no_time() -> None:
    scheme = Hmac("X-Sign", pairs=("", "v1"))
    assert Genuine() == judge(scheme, request(("x-sign", f"v0=1,v1={sign(BODY)}")))


def test_an_id_may_stand_in_the_list_of_pairs() -> None:
    scheme = Hmac("X-Sign", message="{id}.{body}", pairs=("", "v1"), id="pair:n")
    signature = sign(b"7." + BODY)
    assert Genuine() == judge(scheme, request(("x-sign", f"n=7,v1={signature}")))
    why = "X-Sign must carry one `n=…`; it carries 0."
    assert (why, Cause.MISSING) == refusal(scheme, request(("x-sign", f"v1={signature}")))


NAMED = Hmac("X-Sign", message="{id}.{body}", id="header:X-Id")


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("", "is empty or longer than 256 bytes"),
        ("a" * 257, "is empty or longer than 256 bytes"),
        ("a.b", "holds `.`, which ends it in the message"),
    ],
)
def test_an_id_that_could_borrow_from_the_message_is_refused(name: str, words: str) -> None:
    asked = request(("x-sign", sign(f"{name}.".encode() + BODY)), ("x-id", name))
    why, cause = refusal(NAMED, asked)
    assert words in why
    assert Cause.MALFORMED is cause


def test_an_id_at_the_end_of_the_message_has_no_boundary_to_break() -> None:
    scheme = Hmac("X-Sign", message="{body}{id}", id="header:X-Id")
    assert Genuine() == judge(scheme, request(("x-sign", sign(BODY + b"a.b")), ("x-id", "a.b")))
    before = Hmac("X-Sign", message="{id}{body}", id="header:X-Id")
    assert Genuine() == judge(before, request(("x-sign", sign(b"a.b" + BODY)), ("x-id", "a.b")))


def test_a_missing_id_is_refused_by_its_name() -> None:
    why = "The header X-Id is missing."
    assert (why, Cause.MISSING) == refusal(NAMED, request(("x-sign", sign(BODY))))


@pytest.mark.parametrize("rules", [{"message": "{time}{body}"}, {"message": "{id}{body}"}])
def test_a_scheme_that_signs_what_it_takes_from_nowhere_is_a_mistake(
    rules: dict[str, str],
) -> None:
    with pytest.raises(ValueError, match="does not say where it stands"):
        Hmac("X-Sign", **rules).guard(source())  # type: ignore[arg-type]


def test_a_missing_part_of_the_message_is_refused() -> None:
    scheme = Hmac("X-Sign", message="{header:X-Topic}{body}")
    why = "The header X-Topic is missing."
    assert (why, Cause.MISSING) == refusal(scheme, request(("x-sign", sign(BODY))))


def test_only_a_scheme_with_lists_reads_a_list() -> None:
    both = f"{'0' * 64},{sign(BODY)}"
    assert Cause.WRONG_SECRET is refusal(Hmac("X-Sign"), request(("x-sign", both)))[1]
    assert Genuine() == judge(Hmac("X-Sign", several=True), request(("x-sign", both)))


def test_a_signature_without_its_prefix_is_none() -> None:
    scheme = Hmac("X-Sign", prefix="sha256=")
    assert Genuine() == judge(scheme, request(("x-sign", f"sha256={sign(BODY)}")))
    why = "X-Sign carries no signature that starts with `sha256=`."
    assert (why, Cause.MISSING) == refusal(scheme, request(("x-sign", sign(BODY))))
    why = "X-Sign carries no signature."
    assert (why, Cause.MISSING) == refusal(Hmac("X-Sign"), request(("x-sign", "")))


def test_a_signature_in_the_query_string_is_taken_once() -> None:
    scheme = Hmac("sign", where="query")
    right = f"sign={sign(BODY)}"
    assert Genuine() == judge(scheme, request(query=f"a=1&{right}"))
    assert Cause.MISSING is refusal(scheme, request())[1]
    assert Cause.REPEATED is refusal(scheme, request(query=f"{right}&{right}"))[1]
    assert Cause.MALFORMED is refusal(scheme, request(query="sign=" + "0" * 8193))[1]


def _without_sign(asked: RawRequest) -> bytes:
    if b"evt_1" not in asked.body:
        raise Unreadable("There is no evt_1.")
    return b"evt_1"


def test_a_signature_in_the_body_is_over_what_the_scheme_makes_of_it() -> None:
    scheme = Hmac("sign", where="body:meta.sign", canonical=_without_sign)
    right = b'{"id":"evt_1","meta":{"sign":"%s"}}' % sign(b"evt_1").encode()
    assert Genuine() == judge(scheme, request(body=right))
    for body, words, cause in (
        (b"{}", "The body carries no signature at meta.sign.", Cause.MISSING),
        (b'{"meta":{"sign":7}}', "The body carries no signature at meta.sign.", Cause.MISSING),
        (b'{"meta":{"sign":"%s"}}' % (b"0" * 8193), "is longer than 8192", Cause.MALFORMED),
        (b'{"meta":{"sign":"0"}}', "There is no evt_1.", Cause.MALFORMED),
        (b"junk", "The body is not JSON", Cause.MALFORMED),
        (b'{"id":"evt_1","meta":{"sign":"0"}}', "No signature of 1 matches", Cause.WRONG_SECRET),
    ):
        why, told = refusal(scheme, request(body=body))
        assert words in why
        assert cause is told


ALIASED = Hmac("X-Shop-Sign", alias="Shop-Sign")


def test_a_header_may_come_under_its_other_name_but_not_under_both() -> None:
    right = sign(BODY)
    assert Genuine() == judge(ALIASED, request(("x-shop-sign", right)))
    assert Genuine() == judge(ALIASED, request(("shop-sign", right)))
    both = request(("x-shop-sign", right), ("shop-sign", right))
    why = "The headers X-Shop-Sign and Shop-Sign were both sent; only one is safe."
    assert (why, Cause.REPEATED) == refusal(ALIASED, both)
    spoofed = request(("x_shop_sign", right), ("shop-sign", right))
    assert Cause.REPEATED is refusal(ALIASED, spoofed)[1]
    assert ("The header X-Shop-Sign is missing.", Cause.MISSING) == refusal(ALIASED, request())


def test_an_exact_scheme_takes_no_other_spelling() -> None:
    hexed, coded = sign(BODY), base64_of(BODY)
    for encoding, right, others in (
        ("hex", hexed, [hexed.upper()]),
        (
            "base64",
            coded,
            [coded.rstrip("="), coded.replace("/", "_").replace("+", "-").rstrip("=")],
        ),
    ):
        scheme = Hmac("X-Sign", encoding=encoding, exact=True)  # type: ignore[arg-type]
        assert Genuine() == judge(scheme, request(("x-sign", right)))
        for other in others:
            assert Genuine() == judge(replace(scheme, exact=False), request(("x-sign", other)))
            assert Cause.WRONG_SECRET is refusal(scheme, request(("x-sign", other)))[1]


def test_a_sender_that_signs_no_empty_body_is_held_to_it() -> None:
    asked = request(("x-sign", sign(b"")), body=b"")
    assert Genuine() == judge(Hmac("X-Sign"), asked)
    why = "The body is empty, and this sender signs none that is."
    assert (why, Cause.MALFORMED) == refusal(Hmac("X-Sign", empty=False), asked)


@pytest.mark.parametrize(
    ("scheme", "summary"),
    [
        (Hmac("X"), "HMAC-SHA256 of the body, hex"),
        (PAIRED, "HMAC-SHA256 of time and body, hex"),
        (
            Hmac("X", message="{id}.{time}.{body}", encoding="base64", algorithm="sha1"),
            "HMAC-SHA1 of id, time and body, base64",
        ),
        (
            Hmac("X", message="{url}{header:X-T}{body64}"),
            "HMAC-SHA256 of URL, X-T and base64 of the body, hex",
        ),
        (Hmac("X", canonical=_without_sign), "HMAC-SHA256 of chosen parts, hex"),
    ],
)
def test_a_scheme_is_summed_up_in_a_phrase(scheme: Hmac, summary: str) -> None:
    assert summary == scheme.summary


def test_a_guard_does_not_show_its_keys_and_takes_nothing_out() -> None:
    guard = Hmac("X-Sign").guard(source())
    assert KEY.decode() not in repr(guard)
    asked = request(("x-sign", "0"))
    assert asked == guard.redact(asked) == guard.open(asked)


STAMPED = Hmac("X-Sign", message="{time}.{body}", time="header:X-Time", exact=True)


@given(body=st.binary(max_size=300), late=st.integers(-300, 300))
def test_whatever_the_standard_library_signs_is_genuine(body: bytes, late: int) -> None:
    stamp = str(int(NOW.timestamp()) + late)
    signature = sign(stamp.encode() + b"." + body)
    asked = request(("x-sign", signature), ("x-time", stamp), body=body)
    assert Genuine() == judge(STAMPED, asked)
    assert Genuine() == judge(STAMPED, asked, known=source(b"another", KEY))
    assert isinstance(judge(STAMPED, asked, known=source(b"another")), Forged)


@given(data=st.data(), body=st.binary(min_size=1, max_size=300))
def test_one_flipped_bit_anywhere_is_not_genuine(data: st.DataObject, body: bytes) -> None:
    parts = {"body": body, "sign": sign(STAMP.encode() + b"." + body).encode()}
    parts["time"] = STAMP.encode()
    name = data.draw(st.sampled_from(sorted(parts)))
    place = data.draw(st.integers(0, len(parts[name]) - 1))
    flipped = bytearray(parts[name])
    flipped[place] ^= 1 << data.draw(st.integers(0, 7))
    parts[name] = bytes(flipped)
    headers = (
        ("x-sign", parts["sign"].decode("latin-1")),
        ("x-time", parts["time"].decode("latin-1")),
    )
    asked = request(*headers, body=parts["body"])
    assert isinstance(judge(STAMPED, asked), Forged)


TEXT = st.text(alphabet=st.characters(codec=None), max_size=80)


@pytest.mark.parametrize("scheme", [PAIRED, STAMPED, ALIASED, NAMED])
@given(values=st.lists(TEXT, max_size=3))
def test_no_header_makes_it_raise(scheme: Hmac, values: list[str]) -> None:
    names = ("x-sign", "x-time", "x-id")
    asked = request(*zip(names, values, strict=False))
    assert isinstance(judge(scheme, asked), Forged)
