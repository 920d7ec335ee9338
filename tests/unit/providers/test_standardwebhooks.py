"""Standard Webhooks: the official library as oracle in both directions, and the mapping."""

import base64
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import standardwebhooks as sdk
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.events import Fate
from service.intake.provider import Forged, Genuine, RawRequest, Verification
from service.intake.providers.anyone import standardwebhooks
from service.intake.verification import standard
from service.sandbox import senders
from service.settings import Secret, Source

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
MESSAGE, STAMP = "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330
NOW = datetime.fromtimestamp(STAMP, UTC)
BODY = b'{"test": 2432232314}'
VECTOR = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def source(**rules: Any) -> Source:
    usual = {
        "name": "any",
        "provider": "standardwebhooks",
        "secrets": (Secret.plain(SECRET),),
        "subject": {"ref": "data.order"},
        "statuses": {"order.paid": "payment.paid", "order.packed": "fulfillment.packed"},
    }
    return Source.model_validate({**usual, **rules})


def request(body: bytes, *headers: tuple[str, str]) -> RawRequest:
    return RawRequest("POST", "/webhooks/any", "", headers, body, NOW)


def signed(
    signature: str = VECTOR,
    *,
    message: str = MESSAGE,
    stamp: str = str(STAMP),
    family: str = "webhook",
) -> tuple[tuple[str, str], ...]:
    return (
        (f"{family}-id", message),
        (f"{family}-timestamp", stamp),
        (f"{family}-signature", signature),
    )


def verdict(body: bytes, headers: tuple[tuple[str, str], ...]) -> Verification:
    return standardwebhooks.build(source()).verify(request(body, *headers), now=NOW)


def refusal(body: bytes, headers: tuple[tuple[str, str], ...]) -> str:
    answer = verdict(body, headers)
    assert isinstance(answer, Forged)
    return answer.reason


def library(message: str, body: str) -> str:
    signature: str = sdk.Webhook(SECRET).sign(message, NOW, body)
    return signature


def test_the_published_vector_is_genuine() -> None:
    assert Genuine() == verdict(BODY, signed())
    assert VECTOR == library(MESSAGE, BODY.decode())


def test_the_published_vector_is_genuine_under_the_header_names_of_svix() -> None:
    assert Genuine() == verdict(BODY, signed(family="svix"))


@given(
    st.text(alphabet=st.characters(codec="utf-8"), max_size=200),
    st.text(alphabet="abcXYZ019_-", min_size=1, max_size=40),
)
def test_whatever_the_library_signs_is_genuine(body: str, message: str) -> None:
    headers = signed(library(message, body), message=message)
    assert Genuine() == verdict(body.encode(), headers)


@pytest.mark.parametrize("name", ["payment.paid", "fulfillment.packed"])
def test_the_library_takes_and_reads_whatever_our_sender_signs(name: str) -> None:
    at = datetime.now(UTC)
    body = senders.sample(source(), name, senders.Occasion("1001", at, "msg_7"))
    sent = senders.sign(source(), body, at=at, key="msg_7", sample=name)
    told = sdk.Webhook(SECRET).verify(sent.body, dict(sent.headers))
    assert {"order": "1001"} == told["data"]
    headers = tuple((key.lower(), value) for key, value in sent.headers.items())
    built = standardwebhooks.build(source())
    (said,) = built.parse(RawRequest("POST", "/", "", headers, sent.body, at))
    assert ("msg_7", "1001", name, Fate.FOLD, at) == (
        said.dedupe_key,
        said.ref,
        f"{said.lane}.{said.status}",
        said.fate,
        said.occurred_at,
    )


def test_a_body_without_a_key_is_named_by_its_bytes() -> None:
    one, same, other = (senders.sign(source(), body, at=NOW) for body in (BODY, BODY, b"{}"))
    assert one.headers["webhook-id"] == same.headers["webhook-id"] != other.headers["webhook-id"]
    assert one.headers["webhook-id"].startswith("msg_")


def test_our_sender_refuses_an_id_that_nobody_would_take() -> None:
    with pytest.raises(ConfigurationError, match=r"no dot in an id; 'a\.b' holds one"):
        senders.sign(source(), BODY, at=NOW, key="a.b")


@pytest.mark.parametrize(
    "signature",
    [
        f"v1,Ceo5qEr07ixe2NLpvHk3FH9bwy/WavXrAFQ/9tdO6mc= v2,Ceo5qEr07ixe2NLpvHk3FH9b {VECTOR}",
        f"{VECTOR} v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw",
        f"nonsense  {VECTOR}",
        VECTOR.rstrip("="),
        VECTOR.replace("+", "-").replace("/", "_"),
    ],
)
def test_other_signatures_may_stand_beside_the_right_one(signature: str) -> None:
    assert Genuine() == verdict(BODY, signed(signature))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (signed("v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw"), "carries 0 v1 signatures"),
        (signed(" ".join([VECTOR] * 21)), "carries 21 v1 signatures, not 1 to 20"),
        (signed(VECTOR.replace("v1", "v2")), "carries 0 v1 signatures"),
        (signed(message="msg_other"), "No signature of 1 matches"),
        (signed(stamp=str(STAMP + 1)), "No signature of 1 matches"),
        (signed(stamp=f"{STAMP}.0"), "not a whole number of unix seconds"),
        (signed(stamp=f" {STAMP}"), "not a whole number of unix seconds"),
        (signed(message=""), "webhook-id is empty or holds a dot"),
        (signed(message="a.b"), "webhook-id is empty or holds a dot"),
        (signed()[1:], "The header webhook-id is missing."),
        ((signed()[0], signed()[2]), "The header webhook-timestamp is missing."),
        ((*signed(), signed()[0]), "webhook-id was sent 2 times"),
        ((*signed(), signed()[1]), "webhook-timestamp was sent 2 times"),
        ((*signed(), signed()[2]), "webhook-signature was sent 2 times"),
    ],
)
def test_what_is_not_signed_so_is_refused_with_the_reason(
    headers: tuple[tuple[str, str], ...], words: str
) -> None:
    assert words in refusal(BODY, headers)


def test_an_id_cannot_borrow_from_the_time() -> None:
    """The signed bytes are the same; read otherwise, the time would be another one."""
    sent = library("a", f"{STAMP}.x")
    assert Genuine() == verdict(f"{STAMP}.x".encode(), signed(sent, message="a"))
    shifted = signed(sent, message=f"a.{STAMP}")
    assert "holds a dot" in refusal(b"x", shifted)


def test_headers_of_two_families_are_never_mixed() -> None:
    ours = signed()
    assert Genuine() == verdict(BODY, (*ours, *signed("v1,wrong", message="x", family="svix")))
    mixed = (*signed("v1,wrong"), *signed(family="svix"))
    assert "No signature" in refusal(BODY, mixed)
    smuggled = (("webhook-id", "smuggled"), *signed(family="svix"))
    assert Genuine() == verdict(BODY, smuggled)
    (said,) = standardwebhooks.build(source()).parse(request(BODY, *smuggled))
    assert MESSAGE == said.dedupe_key


def test_the_id_is_the_same_on_every_attempt_and_so_is_the_event() -> None:
    built = standardwebhooks.build(source())
    late = signed(stamp=str(STAMP + 30))
    assert built.parse(request(BODY, *signed())) == built.parse(request(BODY, *late))


@pytest.mark.parametrize(
    "secret", [SECRET, SECRET.removeprefix("whsec_"), f" {SECRET}\n", "whsec_c2hvcnQ"]
)
def test_a_secret_is_taken_with_or_without_prefix_and_padding(secret: str) -> None:
    key = secret.strip().removeprefix("whsec_")
    padded = key + "=" * (-len(key) % 4)
    signature = sdk.Webhook(padded).sign(MESSAGE, NOW, BODY.decode())
    built = standardwebhooks.build(source(secrets=(Secret.plain(secret),)))
    assert Genuine() == built.verify(request(BODY, *signed(signature)), now=NOW)


@pytest.mark.parametrize("secret", ["whsec_", "whsec_=", "whsec_not base64!", "whsec_abcde", "ü"])
def test_a_secret_that_is_no_key_is_refused_without_showing_it(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="is not base64") as caught:
        standardwebhooks.build(source(secrets=(Secret.plain(secret),)))
    assert "abcde" not in str(caught.value)


def test_a_source_without_secret_or_order_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"put the endpoint's signing secret \(whsec_…\)"):
        standardwebhooks.build(source(secrets=()))
    with pytest.raises(ConfigurationError, match=r"set subject\.ref"):
        standardwebhooks.build(source(subject={}))


def test_what_the_source_says_goes_before_the_specification() -> None:
    own = source(key="id", status="event", occurred_at="at", subject={"ref": "order"})
    body = b'{"id":"e-1","event":"order.paid","type":"order.packed","at":1614265000,"order":7}'
    (said,) = standardwebhooks.build(own).parse(request(body, *signed()))
    assert ("e-1", "7", "paid") == (said.dedupe_key, said.ref, said.status)
    assert NOW - timedelta(seconds=330) == said.occurred_at


def test_the_key_is_what_signs_and_not_its_text() -> None:
    key = base64.b64decode(SECRET.removeprefix("whsec_"))
    built = standardwebhooks.build(source())
    assert isinstance(built.guard, standard.Signature)
    assert (key,) == built.guard.keyring.secrets
    assert repr(key) not in repr(built)
