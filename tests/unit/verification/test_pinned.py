"""Addresses a request names: one of a host we trust passes as it stands, and nothing else."""

import pytest

from service.domain.refusals import Cause
from service.intake.provider import Forged
from service.intake.verification import pinned

HOST = r"keys\.example\.com"


def test_an_address_of_the_host_passes_as_it_stands() -> None:
    url = "https://keys.example.com/certs/1.pem"
    assert url == pinned.address(url, host=HOST, ending=".pem")


@pytest.mark.parametrize(
    "url",
    [
        "https://[keys.example.com/1.pem",
        "https://keys.example.com]/1.pem",
        "https://keys.example.com:99999/1.pem",
        "https://keys.example.com:https/1.pem",
        "https://keys.example.com:/1.pem",
        "https://keys.example.com/1.pem?",
        "https://keys.example.com/1.pem#",
        "https://keys.example.com/1.der",
        "https://keys_example.com/1.pem",
    ],
)
def test_an_address_no_two_readers_agree_on_is_refused(url: str) -> None:
    refused = pinned.address(url, host=HOST, ending=".pem")
    assert isinstance(refused, Forged)
    assert Cause.UNKNOWN_KEY == refused.cause
