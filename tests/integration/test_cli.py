"""The command line without any server: words in, exit codes and sentences out."""

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import stripe

SECRET = "whsec_of_a_test"


def orderhook(
    *words: str | Path, cwd: Path, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "service", *map(str, words)],
        cwd=cwd,
        env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), "PYTHONPATH": _root(), **(env or {})},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def _root() -> str:
    return str(Path(__file__).parents[2])


@pytest.fixture
def captured(tmp_path: Path) -> Path:
    body = tmp_path / "body.json"
    body.write_text(
        '{"id":"evt_1","object":"event","created":1700000000,"livemode":false,'
        '"type":"payment_intent.succeeded","data":{"object":{"id":"pi_1",'
        '"object":"payment_intent","amount":1500,"amount_received":1500,'
        '"currency":"usd","status":"succeeded","metadata":{"order_no":"A-1001"}}}}'
    )
    return body


def signature(body: Path, *, secret: str = SECRET, at: int = 1700000000) -> str:
    """What Stripe's own library puts into the header."""
    value = stripe.WebhookSignature.generate_signature_header(
        body.read_text(), secret, timestamp=at
    )
    return f"Stripe-Signature: {value}"


def verify(captured: Path, header: str) -> subprocess.CompletedProcess[str]:
    words = ["verify", "--provider", "stripe", "--secret", SECRET, "--header", header]
    words += ["--body", str(captured), "--at", "2023-11-14T22:13:30"]
    return orderhook(*words, cwd=captured.parent)


def test_verify_shows_the_events_of_a_genuine_request(captured: Path) -> None:
    done = verify(captured, signature(captured))
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["genuine"], answer["reason"]) == (0, True, None)
    (event,) = answer["events"]
    assert (event["ref"], event["lane"], event["status"], event["dedupe_key"]) == (
        "A-1001",
        "payment",
        "paid",
        "evt_1",
    )


def test_verify_says_why_a_request_is_not_genuine(captured: Path) -> None:
    done = verify(captured, signature(captured, secret="whsec_another"))
    answer = json.loads(done.stdout)
    assert (done.returncode, answer["genuine"], answer["events"]) == (1, False, [])
    assert answer["reason"]
    assert SECRET not in done.stdout + done.stderr


def test_init_writes_a_configuration_that_check_finds_good(tmp_path: Path) -> None:
    made = orderhook("init", cwd=tmp_path)
    checked = orderhook("check", cwd=tmp_path)
    assert (made.returncode, checked.returncode) == (0, 0)
    assert "/webhooks/stripe" in made.stdout
    assert checked.stdout.startswith("The configuration is good: 2 sources")
    assert {file.stat().st_mode & 0o777 for file in (tmp_path / "secrets").iterdir()} == {0o600}


@pytest.mark.parametrize(("sandbox", "warned"), [("false", 1), ("true", 0)])
def test_check_warns_where_requests_would_be_kept_unsealed(
    tmp_path: Path, sandbox: str, warned: int
) -> None:
    orderhook("init", cwd=tmp_path)
    file = tmp_path / "orderhook.toml"
    assert "" == orderhook("check", cwd=tmp_path).stderr
    lines = [line for line in file.read_text().splitlines() if not line.startswith("keys = ")]
    file.write_text("\n".join(lines).replace("[server]", f"[server]\nsandbox = {sandbox}"))
    done = orderhook("check", cwd=tmp_path)
    assert (0, warned) == (done.returncode, done.stderr.count("Warning: [server] has no keys"))


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://crm.internal:8069/hook", 1),
        ("http://10.0.0.7/hook", 1),
        ("https://crm.internal/hook", 0),
        ("http://localhost:8090/hook", 0),
        ("http://[::1]:8090/hook", 0),
    ],
)
def test_check_warns_where_a_crm_is_told_in_plain_sight(
    tmp_path: Path, url: str, warned: int
) -> None:
    orderhook("init", cwd=tmp_path)
    file = tmp_path / "orderhook.toml"
    (tmp_path / "told").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    table = f'[destinations.told]\ncrm = "callback"\nurl = "{url}"\nsecret = "file:told"\n'
    file.write_text(f"{file.read_text()}\n{table}")
    done = orderhook("check", cwd=tmp_path)
    assert (0, warned) == (done.returncode, done.stderr.count("[destinations.told] is called"))


def test_init_never_overwrites_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "orderhook.toml").write_text("mine")
    done = orderhook("init", cwd=tmp_path)
    assert done.returncode == 3
    assert "exists already" in done.stderr
    assert (tmp_path / "orderhook.toml").read_text() == "mine"


def test_check_reports_every_problem_with_its_line_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "orderhook.toml").write_text(
        '[server]\npubilc = "127.0.0.1:1"\n[store]\nurl = "embedded"\n[broker]\nurl = "embedded"\n'
        '[sources.shop]\nprovider = "stirpe"\nsecrets = ["env:MISSING_ONE"]\n'
    )
    done = orderhook("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    for line, word in (("line 2", "public"), ("line 8", "stripe"), ("line 9", "MISSING_ONE")):
        (said,) = [each for each in done.stderr.splitlines() if line in each]
        assert word in said


def test_without_a_configuration_the_way_out_is_named(tmp_path: Path) -> None:
    done = orderhook("check", cwd=tmp_path)
    assert done.returncode == 2
    assert "orderhook init" in done.stderr


def test_a_token_opens_what_its_role_allows_and_no_more(tmp_path: Path) -> None:
    orderhook("init", cwd=tmp_path)
    made = orderhook("token", "--role", "viewer", "--subject", "me", "--ttl", "5m", cwd=tmp_path)
    assert made.returncode == 0
    assert len(made.stdout.split(".")) == 3


def test_send_without_a_gateway_says_what_to_start(tmp_path: Path) -> None:
    orderhook("init", cwd=tmp_path)
    done = orderhook(
        "send", "shop", "--sample", "payment.paid", "--url", "http://127.0.0.1:1", cwd=tmp_path
    )
    assert done.returncode == 3
    assert "orderhook run all" in done.stderr


@pytest.mark.parametrize("verb", ["providers", "crms"])
def test_what_there_is_can_be_listed(verb: str, tmp_path: Path) -> None:
    done = orderhook(verb, "--json", cwd=tmp_path)
    assert done.returncode == 0
    assert json.loads(done.stdout)["items"]


def test_a_provider_explains_how_to_set_its_sender_up(tmp_path: Path) -> None:
    done = orderhook("providers", "stripe", cwd=tmp_path)
    assert done.returncode == 0
    assert "whsec_" in done.stdout


def test_an_embedded_broker_is_refused_outside_of_run_all(tmp_path: Path) -> None:
    orderhook("init", cwd=tmp_path)
    done = orderhook("run", "worker", cwd=tmp_path)
    assert done.returncode == 2
    assert "run all" in done.stderr


BY_URL = """\
[store]
url = "embedded"
[broker]
url = "embedded"
[sources.courier]
provider = "generic"
url_token = "env:TOKEN"
verify = { scheme = "url_token" }
format = "form"
key = "id"
subject.ref = "order"
status = "state"
statuses = { 12 = "delivery.delivered" }
"""
TOKEN = "9f86d081884c7d659a2feaa0c55ad015"


@pytest.fixture
def courier(tmp_path: Path) -> Path:
    (tmp_path / "orderhook.toml").write_text(BY_URL)
    (tmp_path / "body.txt").write_text("id=1&order=1001&state=12")
    return tmp_path


@pytest.mark.parametrize(("token", "code"), [(TOKEN, 0), (TOKEN[::-1], 1)])
def test_verify_reads_the_token_from_the_url(courier: Path, token: str, code: int) -> None:
    url = f"https://hooks.example.com/webhooks/courier/{token}"
    words = ["verify", "--source", "courier", "--url", url, "--body", "body.txt"]
    done = orderhook(*words, cwd=courier, env={"TOKEN": TOKEN})
    assert code == done.returncode, done.stderr
    answer = json.loads(done.stdout)
    assert (code == 0) == answer["genuine"]
    assert token not in done.stdout + done.stderr


def test_send_does_not_print_the_token_of_the_url(courier: Path) -> None:
    words = ["send", "courier", "--body", "body.txt", "--url", "http://127.0.0.1:1"]
    done = orderhook(*words, cwd=courier, env={"TOKEN": TOKEN})
    assert 3 == done.returncode
    assert "No gateway answers at http://127.0.0.1:1 " in done.stderr
    assert TOKEN not in done.stdout + done.stderr
