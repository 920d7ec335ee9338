"""Sources of every preset: what a file may say about them, as this release checks it."""

from pathlib import Path

import pytest

from service.app.known import KNOWN
from service.intake.providers.registry import preset
from service.settings import ConfigurationProblems, Settings, load

TOKEN = "4f9d1c0b7a6e5d3c2b1a09f8e7d6c5b4"
ENVIRON = {"SECRET": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "KEY": "dG9wc2VjcmV0", "URL": TOKEN}
BASE = """\
[server]
data_dir = "data"
[store]
url = "embedded"
[broker]
url = "embedded"
[sources.tested]
"""
SOUND = {
    "shopify": 'secrets = ["env:SECRET"]',
    "shipbob": 'secrets = ["env:SECRET"]',
    "cdek": 'url_token = "env:URL"',
    "samsara": 'secrets = ["env:KEY"]\noptions = { departure = "delivered" }',
    "standardwebhooks": """\
secrets = ["env:SECRET"]
subject.ref = "data.order"
key = "id"
statuses = { "order.paid" = "payment.paid" }""",
}


def read(tmp_path: Path, provider: str, rules: str) -> Settings:
    file = tmp_path / "orderhook.toml"
    file.write_text(f'{BASE}provider = "{provider}"\n{rules}\n')
    return load(file, ENVIRON, known=KNOWN)


@pytest.mark.parametrize("provider", SOUND)
def test_a_source_as_documented_is_sound_and_can_be_built(tmp_path: Path, provider: str) -> None:
    source = read(tmp_path, provider, SOUND[provider]).sources["tested"]
    assert preset(provider).build(source) is not None


@pytest.mark.parametrize(
    ("provider", "rules", "where", "words"),
    [
        ("shopify", "", "secrets", "there is no secret"),
        ("shopify", SOUND["shopify"] + '\nstatus = "x"', "status", "Only the provider generic"),
        ("shopify", SOUND["shopify"] + '\nurl_token = "env:URL"', "url_token", "Nothing reads"),
        ("shopify", SOUND["shopify"] + "\noptions = { departure = 1 }", "options", "no such"),
        ("cdek", "", "url_token", "there is no token in the URL"),
        ("cdek", 'url_token = "env:KEY"', "url_token", "not 128 bits"),
        ("samsara", SOUND["samsara"].replace("departure", "coming"), "options", "no such option"),
        ("mollieclassic", 'url_token = "env:URL"', "token", "nothing lets us look them up"),
        (
            "bitrix24",
            'secrets = ["env:SECRET"]\ntoken = "env:KEY"',
            "api",
            "nothing says where its API is",
        ),
        (
            "shipbob",
            SOUND["shipbob"] + '\nsubject.aliases = { "event:x" = "id" }',
            "subject.aliases.event:x",
            "stand for events",
        ),
        (
            "standardwebhooks",
            SOUND["standardwebhooks"] + '\nverify = { scheme = "bearer" }',
            "verify",
            "Only the provider generic",
        ),
        (
            "standardwebhooks",
            'secrets = ["env:SECRET"]\nsubject.ref = "x"',
            "statuses",
            "every event would be unmapped",
        ),
    ],
)
def test_what_a_source_cannot_say_is_a_problem_with_its_place(
    tmp_path: Path, provider: str, rules: str, where: str, words: str
) -> None:
    with pytest.raises(ConfigurationProblems) as caught:
        read(tmp_path, provider, rules)
    (problem,) = caught.value.problems
    assert f"sources.tested.{where}" in problem.where
    assert words in problem.what
