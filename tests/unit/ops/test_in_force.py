"""The configuration as people may see it: all of it, and no secret in it."""

import json
from datetime import timedelta

import pytest

from service.ops import in_force
from service.ops.sources import steps
from service.settings import (
    Destination,
    OAuthRule,
    Secret,
    Source,
    TextRule,
    UrlTokenRule,
)
from service.settings.rest_table import RestRead, RestRule, RestWrite

WORD = "the-secret-itself"
SECRET = Secret("env:SHOP_SECRET", value=WORD.encode())


def test_a_secret_is_only_the_reference_to_it() -> None:
    source = Source(
        name="shop",
        provider="generic",
        secrets=(SECRET, SECRET),
        url_token=Secret("file:/run/secrets/token", value=WORD.encode()),
        verify=UrlTokenRule(),
        tolerance=timedelta(minutes=5),
    )
    shown = in_force.configuration(source)
    assert ["env:SHOP_SECRET", "env:SHOP_SECRET"] == shown["secrets"]
    assert "file:/run/secrets/token" == shown["url_token"]
    assert {"scheme": "url_token"} == shown["verify"]
    assert WORD not in json.dumps(shown)


def test_what_may_be_a_secret_as_text_is_hidden() -> None:
    rest = RestRule(
        headers={"X-Team": WORD, "If-Match": "{token}"},
        read=RestRead(path="/o/{id}", query={"api_key": WORD, "number": "{key}"}),
        write=(RestWrite(path="/o/{id}", body={"deep": [{"password": WORD, "to": "{status}"}]}),),
    )
    destination = Destination(
        name="crm",
        crm="rest",
        url=f"https://crm.example.com/hook?code={WORD}",
        options={"webhook_secret": WORD, "category": 3},
        oauth=OAuthRule(
            grant="refresh_token",
            client_secret=SECRET,
            extra={"assertion_token": WORD, "redirect_uri": "https://shop.example.com"},
        ),
        rest=rest,
    )
    shown = in_force.configuration(destination)
    assert WORD not in json.dumps(shown)
    assert "https://crm.example.com/hook?[hidden]" == shown["url"]
    assert {"webhook_secret": "[hidden]", "category": 3} == shown["options"]
    assert {"X-Team": "[hidden]", "If-Match": "{token}"} == shown["rest"]["headers"]
    assert {"api_key": "[hidden]", "number": "{key}"} == shown["rest"]["read"]["query"]
    (step,) = shown["rest"]["write"]
    assert [{"password": "[hidden]", "to": "{status}"}] == step["body"]["deep"]
    assert "https://shop.example.com" == shown["oauth"]["extra"]["redirect_uri"]


def test_the_text_that_answers_a_test_of_the_address_is_hidden() -> None:
    source = Source(name="shop", provider="generic", handshake=TextRule(body=WORD))
    assert {"kind": "text", "body": "[hidden]"} == in_force.configuration(source)["handshake"]


def test_words_of_the_mapping_are_shown_whatever_they_are_called() -> None:
    source = Source(
        name="shop", provider="generic", statuses={"TOKEN_SENT": "facts"}, attributes={"token": "t"}
    )
    shown = in_force.configuration(source)
    assert ({"TOKEN_SENT": "facts"}, {"token": "t"}) == (shown["statuses"], shown["attributes"])


def test_what_the_file_says_is_told_from_what_is_usual() -> None:
    source = Source(name="shop", provider="generic", rate=5)
    assert ["provider", "rate"] == in_force.given(source)


@pytest.mark.parametrize(
    ("length", "words"),
    [
        (timedelta(days=7), "7d"),
        (timedelta(hours=36), "36h"),
        (timedelta(minutes=5), "5m"),
        (timedelta(seconds=90), "90s"),
        (timedelta(milliseconds=1500), "1500ms"),
        (timedelta(0), "0ms"),
    ],
)
def test_durations_are_written_as_in_the_file(length: timedelta, words: str) -> None:
    assert words == in_force.duration(length)


def test_steps_lose_their_numbers_and_their_line_breaks() -> None:
    setup = "1. Do this\n   and that.\n2. See section\n   3. for more.\n"
    assert ["Do this and that.", "See section 3. for more."] == steps(setup)
    assert ["Just one."] == steps("Just one.\n")
