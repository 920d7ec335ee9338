"""Secrets are found by reference and never show."""

import copy
import json
import logging
import traceback
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service.settings import ConfigurationProblems, Secret, load

FILE = """
[server]
data_dir = "data"
sandbox = {sandbox}
[store]
url = {store}
[broker]
url = {broker}
[auth]
jwt_secret = {jwt}
[sources.shop]
provider = {provider}
secrets = [{first}, {second}]
{extra}
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9000/"
secret = {callback}
token = {token}
"""
FIELDS = ("store", "broker", "jwt", "first", "second", "callback", "token")
PREFIXES = {"store": "postgresql://h/", "broker": "amqp://h/", "callback": "whsec_"}

hush = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=12, max_size=40).map(
    lambda text: f"HUSH{text}"
)
reference = st.sampled_from(["env", "file", "plain", "bare", "env-unset", "url"])


@given(
    hush,
    st.tuples(*(reference for _ in FIELDS)),
    st.booleans(),
    st.sampled_from(["stripe", "generic", "nope"]),
    st.sampled_from(["", 'verify = { scheme = "basic" }', "rate = {HUSH}", "tolerance = 1"]),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=150)
def test_no_secret_ever_shows(
    tmp_path: Path,
    value: str,
    kinds: tuple[str, ...],
    sandbox: bool,  # noqa: FBT001  # Hypothesis passes by position
    provider: str,
    extra: str,
) -> None:
    environ: dict[str, str] = {}
    chosen = zip(FIELDS, kinds, strict=True)
    parts = {name: written(name, kind, value, environ, tmp_path) for name, kind in chosen}
    file = tmp_path / "orderhook.toml"
    file.write_text(
        FILE.format(
            **parts,
            provider=json.dumps(provider),
            sandbox=str(sandbox).lower(),
            extra=extra.replace("{HUSH}", json.dumps(value)),
        )
    )
    environ["ORDERHOOK__AUTH__ISSUER"] = "orderhook"
    shown = everything_shown(file, environ)
    assert "HUSH" not in shown
    assert value not in shown


def written(name: str, kind: str, value: str, environ: dict[str, str], folder: Path) -> str:
    value = PREFIXES.get(name, "") + value
    match kind:
        case "env":
            environ[name.upper()] = value
            text = f"env:{name.upper()}"
        case "file":
            (folder / name).write_text(f"{value}\n")
            text = f"file:{name}"
        case "env-unset":
            text = "env:NOT_SET"
        case "plain":
            text = f"plain:{value}"
        case "url":
            text = f"postgresql://user:{value}@host/db"
        case _:
            text = value
    return json.dumps(text)


def everything_shown(file: Path, environ: Mapping[str, str]) -> str:
    try:
        made = load(file, environ)
    except ConfigurationProblems as error:
        chain = "".join(traceback.format_exception(error))
        causes = f"{error.__cause__!r} {error.__context__!r}"
        return f"{error} {error!r} {error.problems!r} {chain} {causes} {vars(error)}"
    return f"{made} {made!r} {made.model_dump()} {made.model_dump_json()} {made.sources['shop']}"


@given(hush)
def test_a_secret_shows_its_reference_only(value: str) -> None:
    secret = Secret("env:KEY", value=value.encode())
    assert "Secret(env:KEY)" == repr(secret) == str(secret) == f"{secret}"
    assert repr(Secret.plain(value)) == "Secret(plain:…)"
    assert value.encode() == secret.reveal()


def test_a_secret_has_no_other_way_out(caplog: pytest.LogCaptureFixture) -> None:
    secret = Secret.plain("HUSH")
    logging.getLogger("x").warning("%s %r", secret, [secret])
    assert "HUSH" not in caplog.text
    with pytest.raises(TypeError):
        vars(secret)
    with pytest.raises(TypeError):
        json.dumps(secret)
    assert secret == copy.deepcopy(secret)


def test_secrets_are_equal_when_they_come_from_one_place_with_one_value() -> None:
    assert Secret("env:A", value=b"1") == Secret("env:A", value=b"1")
    assert Secret("env:A", value=b"1") != Secret("env:A", value=b"2")
    assert Secret("env:A", value=b"1") != Secret("env:B", value=b"1")
    assert Secret("env:A", value=b"1") != "env:A"
