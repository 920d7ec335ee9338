"""Signatures: what counts as the same, what is refused and why, what unknown sources cost."""

import hmac
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from time import perf_counter

import pytest

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, Guard, RawRequest, Verification
from service.intake.providers.anyone import generic
from service.intake.verification import signing
from service.settings import HmacRule, Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
BODY = b'{"id":"evt_1","type":"payment.paid","data":{"order":"A-1001","amount":1500}}'
SECRET = b"test_secret_123"
HEX = "db71af2321dd53ce6c23caf88cbca59a720d1a694601a6e2908589fd13b7a115"
BASE64 = "23GvIyHdU85sI8r4jLylmnINGmlGAabikIWJ/RO3oRU="


def request(*headers: tuple[str, str], body: bytes = BODY) -> RawRequest:
    return RawRequest("POST", "/webhooks/x", "", headers, body, NOW)


def keyed(rule: HmacRule, *secrets: bytes) -> Guard:
    given = tuple(Secret.plain(secret.decode()) for secret in secrets or (SECRET,))
    return generic.guard(Source(name="x", provider="generic", verify=rule, secrets=given))


def verify(guard: Guard, request: RawRequest) -> Verification:
    return guard.verify(request, now=NOW, keys=NO_KEYS)


def refused(reason: str, cause: Cause = Cause.MALFORMED, skew: float | None = None) -> Forged:
    return Forged(reason, None if skew is None else timedelta(seconds=skew), cause)


def test_the_published_vector_is_genuine_in_hex_and_base64() -> None:
    as_hex = keyed(HmacRule(header="X-Sign"))
    as_base64 = keyed(HmacRule(header="X-Sign", encoding="base64"))
    assert Genuine() == verify(as_hex, request(("x-sign", HEX)))
    assert Genuine() == verify(as_base64, request(("x-sign", BASE64)))


@pytest.mark.parametrize(
    ("encoding", "value"),
    [
        ("hex", HEX.upper()),
        ("hex", f"{'0' * 64},{HEX}"),
        ("hex", f"{'0' * 64} {HEX}"),
        ("hex", f"{HEX}, {'0' * 64}"),
        ("base64", BASE64.rstrip("=")),
        ("base64", BASE64.replace("/", "_").replace("+", "-")),
    ],
)
def test_spellings_of_the_right_signature_are_taken(encoding: str, value: str) -> None:
    rule = HmacRule.model_validate({"header": "X-Sign", "encoding": encoding})
    assert Genuine() == verify(keyed(rule), request(("x-sign", value)))


@pytest.mark.parametrize("value", [HEX[:-1], HEX + "0", HEX[:-1] + "é", f" {HEX[:10]} {HEX[10:]}"])
def test_cut_stretched_and_foreign_signatures_are_refused(value: str) -> None:
    answer = verify(keyed(HmacRule(header="X-Sign")), request(("x-sign", value)))
    assert isinstance(answer, Forged)


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (f"sha256={HEX}", True),
        (f"sha256={'0' * 64},sha256={HEX}", True),
        (f"sha256={'0' * 64}, sha256={HEX}", True),
        (f"sha1={'0' * 40} sha256={HEX}", True),
        (HEX, False),
        (f"sha512={HEX}", False),
        ("sha256=", False),
    ],
)
def test_only_signatures_with_the_prefix_are_candidates(value: str, *, found: bool) -> None:
    rule = HmacRule(header="X-Sign", prefix="sha256=")
    answer = verify(keyed(rule), request(("x-sign", value)))
    expected = (
        Genuine()
        if found
        else refused("X-Sign carries no signature that starts with `sha256=`.", Cause.MISSING)
    )
    assert expected == answer


def test_more_candidates_than_the_limit_are_refused_unread() -> None:
    value = ",".join([HEX] * 21)
    answer = verify(keyed(HmacRule(header="X-Sign")), request(("x-sign", value)))
    assert Forged("X-Sign carries 21 signatures; the limit is 20.") == answer


def test_a_header_longer_than_the_limit_is_refused_unread() -> None:
    answer = verify(keyed(HmacRule(header="X-Sign")), request(("x-sign", "a" * 8193)))
    assert Forged("The header X-Sign is longer than 8192 bytes.") == answer


TIMED = HmacRule(header="X-Sign", signed="{timestamp}.{body}", timestamp_header="X-Time")


def timed(stamp: str, body: bytes = BODY) -> RawRequest:
    signature = hmac.digest(SECRET, stamp.encode() + b"." + body, "sha256").hex()
    return request(("x-sign", signature), ("x-time", stamp), body=body)


@pytest.mark.parametrize("stamp", ["1768473000", "1768473000000", "1768473300", "1768472700"])
def test_seconds_and_milliseconds_within_the_window_are_taken(stamp: str) -> None:
    assert Genuine() == verify(keyed(TIMED), timed(stamp))


@pytest.mark.parametrize(
    "stamp",
    [
        *("", " 1768473000", "+1768473000", "-1", "1768473000.0", "1e9", "NaN", "0x69"),
        *("1_768_473_000", "9" * 20, "176847300000", "2026-01-15T10:30:00Z"),
    ],
)
def test_a_time_that_is_not_plain_digits_is_refused(stamp: str) -> None:
    answer = verify(keyed(TIMED), timed(stamp))
    reason = "The header X-Time is not a whole number of unix seconds or milliseconds."
    assert Forged(reason) == answer


def test_digits_of_other_scripts_are_no_time() -> None:
    arabic = "١٧٦٨٤٧٣٠٠٠"
    assert signing.clock(arabic, now=NOW) is None


def test_a_missing_or_doubled_time_is_refused() -> None:
    right = timed("1768473000")
    without = replace(right, headers=right.headers[:1])
    twice = replace(right, headers=(*right.headers, right.headers[1]))
    assert refused("The header X-Time is missing.", Cause.MISSING) == verify(keyed(TIMED), without)
    answer = verify(keyed(TIMED), twice)
    assert (
        refused("The header X-Time was sent 2 times; only once is safe.", Cause.REPEATED) == answer
    )


def test_a_stale_time_is_told_with_seconds_and_tolerance() -> None:
    answer = verify(keyed(TIMED), timed("1768472588"))
    reason = (
        "The signature is right but was made 412 s before our clock; the tolerance is 300 s. "
        "It is a replay, or one of the two clocks is wrong."
    )
    assert refused(reason, Cause.STALE_CLOCK, -412) == answer


def test_a_wrong_secret_is_told_with_the_number_tried() -> None:
    answer = verify(keyed(HmacRule(header="X-Sign"), b"a", b"b"), request(("x-sign", HEX)))
    reason = (
        "No signature of 1 matches any of the 2 configured secrets: another secret signed it, "
        "or the body was changed on the way."
    )
    assert refused(reason, Cause.WRONG_SECRET) == answer


def test_the_decoy_refuses_everything() -> None:
    assert refused("There is no source of this name.", Cause.UNKNOWN_SOURCE) == signing.decoy(
        request(), now=NOW
    )


def test_the_decoy_costs_what_a_wrong_signature_costs() -> None:
    """The bound is wide: it catches a decoy that skips the work, not a slow machine."""
    large = request(("x-sign", "0" * 64), body=bytes(1_000_000))
    wrong = keyed(HmacRule(header="X-Sign"))
    missing = replace(large, headers=())

    judges: dict[str, Callable[[], object]] = {
        "real": lambda: verify(wrong, large),
        "unknown": lambda: signing.decoy(large, now=NOW),
        "headless": lambda: verify(wrong, missing),
    }
    spent: dict[str, list[float]] = {name: [] for name in judges}
    for _ in range(9):
        for name, judge in judges.items():
            start = perf_counter()
            assert isinstance(judge(), Forged)
            spent[name].append(perf_counter() - start)
    fastest = {name: min(times) for name, times in spent.items()}
    assert 0.4 < fastest["unknown"] / fastest["real"] < 2.5
    assert 0.4 < fastest["headless"] / fastest["real"] < 2.5


@pytest.mark.parametrize("order", [1, -1])
def test_a_header_with_underscores_is_a_copy_of_the_one_with_dashes(order: int) -> None:
    headers = [("x-sign", HEX), ("x_sign", HEX)][::order]
    answer = verify(keyed(HmacRule(header="X-Sign")), request(*headers))
    why = "The header X-Sign was sent 2 times; only once is safe."
    assert refused(why, Cause.REPEATED) == answer


def test_a_look_alike_alone_does_not_stand_for_the_header() -> None:
    answer = verify(keyed(HmacRule(header="X-Sign")), request(("x_sign", HEX)))
    assert refused("The header X-Sign is missing.", Cause.MISSING) == answer


def test_a_rule_that_no_template_can_hold_is_a_mistake_of_the_configuration() -> None:
    with pytest.raises(ConfigurationError, match=r"\{shape:x\}"):
        keyed(HmacRule(header="X-Sign", signed="{shape:x}{body}"))
