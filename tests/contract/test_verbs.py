"""`orderhook providers` and `orderhook verify` know every preset."""

from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner, Result

from service.cli.main import cli
from service.intake.provider import RawRequest
from service.intake.providers.registry import PRESETS, preset
from service.sandbox import senders
from service.settings import Source
from tests import simulated, vectors
from tests.simulated import AT

NAMES = [each.name for each in PRESETS]


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, words, standalone_mode=False)


def test_the_list_can_be_narrowed_to_a_category() -> None:
    every, couriers = (
        orjson.loads(run("providers", "--json", *words).stdout)["items"]
        for words in ((), ("--category", "courier"))
    )
    assert NAMES == [each["name"] for each in every]
    assert couriers == [each for each in every if each["category"] == "courier"]
    assert run("providers", "--category", "none").exception is not None
    shown = run("providers").stdout
    assert all(name in shown for name in NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_a_page_of_a_provider_says_what_its_preset_says(name: str) -> None:
    shown, said = run("providers", name).stdout, preset(name)
    assert said.setup.strip() in shown
    assert all(each in shown for each in (*said.doubts, *said.options, said.scheme, said.identity))
    assert (
        list(senders.SAMPLES[name])
        == orjson.loads(run("providers", name, "--json").stdout)["samples"]
    )


@pytest.mark.parametrize("name", [name for name in NAMES if not preset(name).mapped])
def test_verify_judges_what_the_simulated_sender_posts(name: str, tmp_path: Path) -> None:
    source = simulated.source(name)
    right, wrong = (
        verify(source, simulated.posted(source, word=word), tmp_path)
        for word in (simulated.OLD, simulated.OTHER)
    )
    assert right["genuine"], right["reason"]
    assert right["events"]
    assert not wrong["genuine"]
    assert wrong["reason"]


def verify(source: Source, request: RawRequest, folder: Path) -> dict[str, Any]:
    body = folder / "body"
    body.write_bytes(request.body)
    words = ["verify", "--provider", source.provider, "--url", request.url, "--body", str(body)]
    words += ["--at", f"{AT:%Y-%m-%dT%H:%M:%S}"]
    known = (source.url_token, *source.secrets) if source.url_token else source.secrets
    for secret in known:
        words += ["--secret", secret.reveal().decode()]
    for name, value in request.headers:
        words += ["--header", f"{name}: {value}"]
    for option, chosen in source.options.items():
        words += ["--option", f"{option}={orjson.dumps(chosen).decode()}"]
    for place, (url, document) in enumerate(simulated.documents(source.provider).items()):
        key = folder / f"key-{place}"
        key.write_bytes(document)
        words += ["--key", f"{url}={key}"]
    done = run(*words)
    assert done.exception is None, done.exception
    answer: dict[str, Any] = orjson.loads(done.stdout)
    return answer


def test_what_verify_is_given_wrongly_is_told(tmp_path: Path) -> None:
    body = tmp_path / "body"
    body.write_bytes(vectors.read_body({"body": "{}"}))
    words = ("verify", "--provider", "stripe", "--secret", "a", "--body", str(body))
    assert "NAME=VALUE" in str(run(*words, "--option", "a").exception)
