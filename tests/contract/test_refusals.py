"""Whatever preset refuses a first webhook, people are told the true cause of it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from service.domain.refusals import Cause
from service.intake.provider import Forged, RawRequest
from service.intake.providers import registry
from tests import simulated
from tests.simulated import AT, OTHER

PRESETS = [preset.name for preset in registry.PRESETS]
TIMED = [name for name in PRESETS if simulated.sender(name).signer.timed]


def cause(provider: str, request: RawRequest) -> Cause:
    judged = simulated.judged(simulated.source(provider), request)
    assert isinstance(judged, Forged)
    return judged.cause


@pytest.mark.parametrize("provider", PRESETS)
def test_another_secret_is_called_a_wrong_secret(provider: str) -> None:
    request = simulated.posted(simulated.source(provider), word=OTHER)
    assert cause(provider, request) in (Cause.WRONG_SECRET, Cause.UNKNOWN_KEY)


@pytest.mark.parametrize("provider", PRESETS)
def test_an_unsigned_request_is_called_that(provider: str) -> None:
    source = simulated.source(provider)
    kind = simulated.signer(source).proof_at.partition(":")[0]
    if kind not in ("header", "query", "url"):
        pytest.skip("its proof is in the body; the contract suite takes it out")
    request = replace(simulated.posted(source), headers=[], tail="", query="")
    assert cause(provider, request) is Cause.MISSING


@pytest.mark.parametrize("provider", TIMED)
def test_an_old_request_is_put_down_to_the_clock(provider: str) -> None:
    request = simulated.posted(simulated.source(provider), at=AT - timedelta(hours=2))
    assert cause(provider, request) is Cause.STALE_CLOCK
