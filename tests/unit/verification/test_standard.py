"""Standard Webhooks as data: the secret as the key itself, and signatures without a version."""

import base64
import hmac
from datetime import UTC, datetime

import pytest

from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.verification.standard import StandardWebhooks
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
SOURCE = Source(name="x", provider="generic", secrets=(Secret.plain("client secret"),))
DIGEST = hmac.digest(b"client secret", f"m-1.{STAMP}.{{}}".encode(), "sha256")
RIGHT = base64.b64encode(DIGEST).decode()


def request(signature: str, family: str = "webhook") -> RawRequest:
    headers = (
        (f"{family}-id", "m-1"),
        (f"{family}-timestamp", STAMP),
        (f"{family}-signature", signature),
    )
    return RawRequest("POST", "/webhooks/x", "", headers, b"{}", NOW)


def test_the_secret_may_be_the_key_itself() -> None:
    guard = StandardWebhooks("the client secret", key="text").guard(SOURCE)
    assert Genuine() == guard.verify(request(f"v1,{RIGHT}"), now=NOW)


@pytest.mark.parametrize("header", [RIGHT, f"v1,{RIGHT}", f"v2,x {RIGHT}", f"v1,x v1,{RIGHT}"])
def test_a_signature_may_come_without_its_version_where_the_sender_does_so(header: str) -> None:
    guard = StandardWebhooks(key="text", bare=True).guard(SOURCE)
    assert Genuine() == guard.verify(request(header), now=NOW)


@pytest.mark.parametrize(
    ("header", "cause"),
    [
        (RIGHT, Cause.MISSING),
        (f"v2,{RIGHT}", Cause.MISSING),
        ("v1,x " * 21, Cause.MALFORMED),
        ("v1,x", Cause.WRONG_SECRET),
    ],
)
def test_what_is_no_signature_of_the_version_is_refused(header: str, cause: Cause) -> None:
    answer = StandardWebhooks(key="text").guard(SOURCE).verify(request(header), now=NOW)
    assert isinstance(answer, Forged)
    assert cause is answer.cause


def test_the_headers_of_svix_are_read_under_the_names_of_the_standard() -> None:
    guard = StandardWebhooks(key="text").guard(SOURCE)
    branded = request(f"v1,{RIGHT}", "svix")
    assert Genuine() == guard.verify(branded, now=NOW)
    assert "m-1" == guard.open(branded).header("webhook-id")
    assert "Standard Webhooks" == StandardWebhooks().summary
