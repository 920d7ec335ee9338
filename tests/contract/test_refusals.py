"""Whatever preset refuses a first webhook, people are told the true cause of it."""

import base64
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from service.domain import refusals
from service.domain.refusals import Cause
from service.intake.provider import Forged, RawRequest
from service.intake.providers import registry
from service.sandbox import senders
from service.sandbox.senders import Occasion
from service.settings import BearerRule, Secret, Source, SubjectRule

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
PRESETS = [preset.name for preset in registry.PRESETS]
TIMED = ["stripe", "standardwebhooks", "shipbob", "samsara"]


def source(provider: str, fill: bytes) -> Source:
    """A source whose secret is made of `fill`, in the form its provider wants."""
    key = base64.b64encode(fill * 32).decode()
    secret = Secret.plain(key if provider == "samsara" else f"whsec_{key}")
    made = Source(name="first", provider=provider, secrets=(secret,))
    match provider:
        case "cdek":
            return made.model_copy(update={"secrets": (), "url_token": secret})
        case "generic" | "standardwebhooks":
            mapped = {"key": "id", "status": "status", "subject": SubjectRule(ref="order")}
            statuses = {"PAID": "payment.paid"}
            rule = BearerRule() if provider == "generic" else None
            return made.model_copy(update={**mapped, "statuses": statuses, "verify": rule})
        case _:
            return made


def posted(sender: Source, *, at: datetime) -> RawRequest:
    name = next(iter(senders.SAMPLES[sender.provider]))
    if sender.provider in ("generic", "standardwebhooks"):
        name = "payment.paid"
    body = senders.sample(sender, name, Occasion(order="1", at=at, key="k1"))
    sent = senders.sign(sender, body, at=at, key="k1", sample=name)
    return RawRequest(
        method="POST",
        path=f"/webhooks/first/{sent.tail}",
        query=sent.query,
        headers=[(header.lower(), value) for header, value in sent.headers.items()],
        body=sent.body,
        received_at=NOW,
        tail=sent.tail,
    )


def cause(provider: str, request: RawRequest) -> Cause:
    judged = registry.preset(provider).build(source(provider, b"k")).verify(request, now=NOW)
    assert isinstance(judged, Forged)
    return refusals.explain(judged.reason, source="first").cause


@pytest.mark.parametrize("provider", PRESETS)
def test_another_secret_is_called_a_wrong_secret(provider: str) -> None:
    request = posted(source(provider, b"z"), at=NOW)
    assert cause(provider, request) is Cause.WRONG_SECRET


@pytest.mark.parametrize("provider", PRESETS)
def test_an_unsigned_request_is_called_that(provider: str) -> None:
    request = replace(posted(source(provider, b"k"), at=NOW), headers=[], tail="", query="")
    assert cause(provider, request) is Cause.MISSING


@pytest.mark.parametrize("provider", TIMED)
def test_an_old_request_is_put_down_to_the_clock(provider: str) -> None:
    request = posted(source(provider, b"k"), at=NOW - timedelta(hours=2))
    assert cause(provider, request) is Cause.STALE_CLOCK
