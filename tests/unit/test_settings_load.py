"""One file and an environment become settings, or every problem with its line and remedy."""

import re
from collections.abc import Mapping
from datetime import timedelta
from ipaddress import ip_network
from pathlib import Path

import pytest

from service.domain.errors import ConfigurationError
from service.settings import (
    Address,
    ConfigurationProblems,
    HmacRule,
    Known,
    Problem,
    Secret,
    Settings,
    environment,
    load,
    locate,
)

WHSEC = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
ENVIRON = {
    "DATABASE_URL": "postgresql://u:p@127.0.0.1/db",
    "AMQP_URL": "amqp://guest:guest@127.0.0.1/",
    "JWT": "j" * 32,
    "SHOP": "shop-secret",
    "CRM": WHSEC,
}
KNOWN = Known(providers=("stripe", "generic"), crms=("callback",))
BASE = """\
[server]
data_dir = "data"
[store]
url = "embedded"
[broker]
url = "embedded"
"""
GENERIC = """\
[sources.wms]
provider = "generic"
secrets = ["env:SHOP"]
verify = { scheme = "bearer" }
subject.ref = "order"
status = "state"
statuses = { PAID = "payment.paid" }
"""
HMAC = '"hmac", header = "X-Sig"'
CALLBACK = """\
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9000/hook"
secret = "env:CRM"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orderhook.toml"


def read(file: Path, text: str, environ: Mapping[str, str] = ENVIRON, **sets: str) -> Settings:
    file.write_text(text)
    dotted = {key.replace("__", "."): value for key, value in sets.items()}
    return load(file, environ, sets=dotted, known=KNOWN)


def problems(
    file: Path, text: str, environ: Mapping[str, str] = ENVIRON, **sets: str
) -> tuple[Problem, ...]:
    with pytest.raises(ConfigurationProblems) as caught:
        read(file, text, environ, **sets)
    for problem in caught.value.problems:
        assert re.search(r"[.?\"\w]$", problem.remedy), problem
        assert problem.what.endswith("."), problem
        assert str(problem) in str(caught.value)
    return caught.value.problems


def only(file: Path, text: str, environ: Mapping[str, str] = ENVIRON) -> Problem:
    (problem,) = problems(file, text, environ)
    return problem


def test_a_small_file_gives_typed_settings(file: Path) -> None:
    made = read(
        file,
        f"""{BASE}
[auth]
jwt_secret = "env:JWT"
[sources.wms]
provider = "generic"
secrets = ["env:SHOP", "file:second"]
verify = {{ scheme = "hmac", header = "X-Sig" }}
tolerance = "2m"
max_body = "1MiB"
subject.ref = "order"
status = "state"
statuses = {{ PAID = "payment.paid", NOISE = "ignore" }}
{CALLBACK}
[[routes]]
destinations = ["crm"]
""".replace('secrets = ["env:SHOP", "file:second"]', 'secrets = ["env:SHOP"]'),
    )
    source, crm = made.sources["wms"], made.destinations["crm"]
    assert source.name == "wms"
    assert [secret.reveal() for secret in source.secrets] == [b"shop-secret"]
    assert HmacRule(header="X-Sig") == source.verify
    assert timedelta(minutes=2) == source.tolerance
    assert source.max_body == 1024 * 1024
    assert crm.name == "crm"
    assert timedelta(days=7) == crm.retry.max_age
    assert made.routes[0].sources == ("*",)
    assert Address("127.0.0.1", 8080) == made.server.public
    assert file.parent / "data" == made.server.data_dir
    assert made.store.embedded
    assert made.broker.dsn is None


def test_every_problem_is_reported_at_once_with_its_line(file: Path) -> None:
    text = """\
[server]
public = "0.0.0.0"
sandbx = true
[store]
url = "env:NOT_SET"
[sources.stripe-eu]
provider = "strip"
secrets = ["env:SHOP",
  "file:nowhere"]
tolerance = 300
subject = { ref = "order-no" }
[sources.Wrong_Name]
provider = "stripe"
[destinations.crm]
crm = "callback"
[destinations.crm.retry]
max_attempts = "many"
[[routes]]
sources = ["shop"]
destinations = ["erp"]
[rutes]
"""
    found = [(problem.line, problem.where) for problem in problems(file, text)]
    assert found == [
        (None, "broker.url"),
        (2, "server.public"),
        (3, "server.sandbx"),
        (5, "store.url"),
        (7, "sources.stripe-eu.provider"),
        (9, "sources.stripe-eu.secrets[1]"),
        (10, "sources.stripe-eu.tolerance"),
        (11, "sources.stripe-eu.subject.ref"),
        (12, "sources.Wrong_Name"),
        (12, "sources.Wrong_Name.secrets"),
        (14, "destinations.crm.url"),
        (14, "destinations.crm.secret"),
        (17, "destinations.crm.retry.max_attempts"),
        (19, "routes[0].sources[0]"),
        (20, "routes[0].destinations[0]"),
        (21, "rutes"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what"),
    [
        ("[server\n", 1, "This is not TOML"),
        ("[a]\nb = 1\nb = 2\n", 3, "This is not TOML"),
        ("[a]\nb = [1,\n", 2, "ends too early"),
        ("x = " + "[" * 3000, None, "nested too deeply"),
    ],
)
def test_broken_toml_is_one_problem_with_its_line(
    file: Path, text: str, line: int | None, what: str
) -> None:
    problem = only(file, text)
    assert line == problem.line
    assert what in problem.what


def test_a_file_that_is_not_utf8_is_a_problem_with_its_line(file: Path) -> None:
    file.write_bytes(b"[server]\n# \xff\n")
    with pytest.raises(ConfigurationProblems, match=r"line 2, .*This is not UTF-8") as caught:
        load(file, {})
    assert caught.value.problems[0].line == 2


@pytest.mark.parametrize(
    ("toml", "place", "remedy"),
    [
        (
            "[server]\ntrustd_proxies = []",
            "server.trustd_proxies",
            'Did you mean "trusted_proxies"?',
        ),
        (GENERIC + "itemz = 1", "sources.wms.itemz", 'Did you mean "items"?'),
        (GENERIC + "name = 'x'", "sources.wms.name", "Known here: allow_from, answer,"),
        (CALLBACK + "retry = { frist = '1s' }", "destinations.crm.retry.frist", '"first"'),
        ("[rout]\n", "rout", 'Did you mean "routes"?'),
    ],
)
def test_an_unknown_key_brings_a_guess(file: Path, toml: str, place: str, remedy: str) -> None:
    text = f"{BASE}{toml}".replace('data_dir = "data"\n', "", toml.startswith("[server]"))
    text = text.replace("[server]\n", "", toml.startswith("[server]"))
    problem = only(file, text)
    assert place == problem.where
    assert remedy in problem.remedy
    assert problem.what == "There is no such key here."


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        ("sources = 1", "sources"),
        ("sources.wms = 1", "sources.wms"),
        ("routes = {}", "routes"),
        ("routes = [1]", "routes[0]"),
        ("auth = []", "auth"),
        ("waiting = 'long'", "waiting"),
        ("destinations.x = { crm = 1 }", "destinations.x.crm"),
        ("destinations.x = { crm = 'callback', url = '', secret = 1 }", "destinations.x.secret"),
        (
            "sources.x = { provider = 'stripe', secrets = ['env:SHOP'], rate = '1' }",
            "sources.x.rate",
        ),
        (
            "sources.x = { provider = 'stripe', secrets = ['env:SHOP'], rate = 1.0 }",
            "sources.x.rate",
        ),
        ("sources.x = { provider = 'stripe', secrets = 'env:SHOP' }", "sources.x.secrets"),
        ("routes = [{ destinations = [] }]", "routes[0].destinations"),
        ("routes = [{ destinations = [1] }]", "routes[0].destinations[0]"),
        ("auth = { algorithm = 'none' }", "auth.algorithm"),
        ("auth = { issuer = '' }", "auth.issuer"),
    ],
)
def test_a_value_of_a_wrong_type_is_named(file: Path, toml: str, where: str) -> None:
    found = [problem.where for problem in problems(file, f"{toml}\n{BASE}")]
    assert where in found
    assert len(set(found)) == len(found)


@pytest.mark.parametrize(
    ("toml", "where", "remedy"),
    [
        (CALLBACK + "window = 0", "destinations.crm.window", "Write at least 1."),
        (CALLBACK + "concurrency = 1000", "destinations.crm.concurrency", "Write at most 256."),
        (CALLBACK + "timeout = '1h'", "destinations.crm.timeout", "Choose between 100ms and 2m."),
        (GENERIC + "max_body = '1TiB'", "sources.wms.max_body", "Write a whole number and a unit"),
        (GENERIC + "max_body = '64MiB'", "sources.wms.max_body", "Choose between 1KiB and 16MiB."),
        (GENERIC + "tolerance = '0s'", "sources.wms.tolerance", "Choose between 1s and 1d."),
        ("[retention]\nkeys = '44d'", "retention.keys", "Choose between 45d and 3650d."),
    ],
)
def test_everything_is_bounded(file: Path, toml: str, where: str, remedy: str) -> None:
    problem = only(file, BASE + toml)
    assert where == problem.where
    assert remedy in problem.remedy


def test_requests_are_not_kept_longer_than_their_dedupe_keys(file: Path) -> None:
    found = problems(file, BASE + "[retention]\nrequests = '90d'")
    assert "retention.keys" in [problem.where for problem in found]


GENERIC_RULES = [
    ('verify = { scheme = "bearer" }', "", "sources.wms", "must say how its sender proves itself"),
    ('{ scheme = "bearer" }', "{}", "sources.wms.verify", "'scheme' is missing"),
    ('{ scheme = "bearer" }', "{ scheme = 'rsa' }", "sources.wms.verify", "not one of the words"),
    ('{ scheme = "bearer" }', '{ scheme = "hmac" }', "sources.wms.verify.header", "missing"),
    ('{ scheme = "bearer" }', '{ scheme = "basic" }', "sources.wms.secrets[0]", "user:password"),
    (
        '{ scheme = "bearer" }',
        '{ scheme = "hmac", header = "X", signed = "{nonce}.{body}" }',
        "sources.wms.verify.signed",
        "There is no {nonce}",
    ),
    (
        '{ scheme = "bearer" }',
        '{ scheme = "hmac", header = "X", signed = "x" }',
        "sources.wms.verify.signed",
        "would not cover the body",
    ),
    (
        '{ scheme = "bearer" }',
        '{ scheme = "hmac", header = "X", timestamp_header = "T" }',
        "sources.wms.verify.timestamp_header",
        "belong together",
    ),
    ('["env:SHOP"]', "[]", "sources.wms.secrets", "there is no secret"),
    (
        "payment.paid",
        "payment.payd",
        "sources.wms.statuses.PAID",
        "'payment.payd' is no lane.status",
    ),
    ("payment.paid", "paid", "sources.wms.statuses.PAID", "'paid' is no lane.status"),
    ('status = "state"\n', "", "sources.wms", "where the sender's word is"),
    ('statuses = { PAID = "payment.paid" }', "", "sources.wms", "every event would be unmapped"),
    ('"generic"', '"shopify"', "sources.wms.provider", "no provider 'shopify'"),
    ('"state"', '"a["', "sources.wms.status", "does not compile"),
]


@pytest.mark.parametrize(("old", "new", "where", "what"), GENERIC_RULES)
def test_a_generic_source_must_fit_together(
    file: Path, old: str, new: str, where: str, what: str
) -> None:
    read(file, BASE + GENERIC)
    found = problems(file, BASE + GENERIC.replace(old, new))
    assert any(each.where.startswith(where) and what in each.what for each in found), found


def test_keys_of_generic_sources_are_refused_on_others(file: Path) -> None:
    text = BASE + GENERIC.replace("generic", "stripe")
    assert [problem.where for problem in problems(file, text)] == [
        "sources.wms.verify",
        "sources.wms.status",
    ]


def test_an_unknown_lifecycle_and_an_unknown_option_are_named(file: Path) -> None:
    text = BASE + GENERIC + "subject.lifecycle = 'tickets'\noptions = { region = 'eu' }"
    assert [problem.where for problem in problems(file, text)] == [
        "sources.wms.subject.lifecycle",
        "sources.wms.options.region",
    ]


@pytest.mark.parametrize(
    ("toml", "where"),
    [
        ("[auth]\njwks_url = 'https://id.example.com/'", "auth.jwks_url"),
        (GENERIC + "format = 'csv'", "sources.wms.format"),
    ],
)
def test_what_this_version_lacks_is_said_and_not_ignored(file: Path, toml: str, where: str) -> None:
    problem = only(file, BASE + toml)
    assert where == problem.where
    assert problem.what.endswith("is not in this version yet.")
    assert problem.line is not None


@pytest.mark.parametrize(
    "secret",
    ["whsec_", "whsec_###", "whsec_c2hvcnQ=", "secret", "whsec_" + "A" * 100, "WHSEC_" + "A" * 32],
)
def test_a_callback_secret_must_be_one_of_standard_webhooks(file: Path, secret: str) -> None:
    problem = only(file, BASE + CALLBACK, {"CRM": secret})
    assert problem.where == "destinations.crm.secret"
    assert "not whsec_ followed by 24 to 64 bytes" in problem.what


def test_a_callback_cannot_create_and_its_pauses_must_be_in_order(file: Path) -> None:
    text = BASE + CALLBACK + "on_missing = 'create'\nretry = { first = '2s', max = '1s' }"
    assert [problem.where for problem in problems(file, text)] == [
        "destinations.crm.on_missing",
        "destinations.crm.retry.first",
    ]


def test_a_callback_maps_overall_statuses_only(file: Path) -> None:
    problem = only(file, BASE + CALLBACK + "statuses = { payed = 'x' }")
    assert (
        problem.where,
        problem.remedy,
    ) == ("destinations.crm.statuses.payed", 'Did you mean "paid"?')


@pytest.mark.parametrize(
    "pattern", ["order.*", "*", "order.payment.*", "*.paid", "order.attributes"]
)
def test_a_route_takes_patterns_of_events_that_exist(file: Path, pattern: str) -> None:
    route = f"[[routes]]\nevents = ['{pattern}']\ndestinations = ['crm']"
    assert (pattern,) == read(file, BASE + CALLBACK + route).routes[0].events


def test_a_route_that_can_never_apply_is_a_problem(file: Path) -> None:
    route = (
        "[[routes]]\nsources = ['wm*', 'shop']\nevents = ['order.payment']\ndestinations=['crm']"
    )
    found = problems(file, BASE + CALLBACK + GENERIC + route)
    assert [(problem.where, problem.remedy) for problem in found] == [
        ("routes[0].sources[1]", "Known here: wms."),
        ("routes[0].events[0]", 'Did you mean "order.payment.*"?'),
    ]


@pytest.mark.parametrize(
    "when",
    [
        "attributes.vip",
        "to_number(attributes.amount) > `1000` && !(lanes.delivery)",
        "contains(flags, 'shipped_unpaid') || length(flags[1:]) > `0`",
        "parcels.delivery | contains(values(@), 'lost')",
        "@.status == 'paid'",
        "{a: lanes.payment, b: [scope, ref]}",
        "sort_by(parcels.delivery.*, &at)",
    ],
)
def test_a_route_takes_a_condition_over_the_folded_subject(file: Path, when: str) -> None:
    route = f'[[routes]]\ndestinations = ["crm"]\npriority = "high"\nwhen = "{when}"'
    (made,) = read(file, BASE + CALLBACK + route).routes
    assert (when, "high") == (made.when, made.priority)


@pytest.mark.parametrize(
    ("when", "what", "remedy"),
    [
        ("attributes.", "does not compile", "Quote keys"),
        ("number(attributes.amount) > `1`", "calls number()", "functions of the JMESPath"),
        ("attribute.vip", "no 'attribute'", 'Did you mean "attributes"?'),
        ("lanes.payment == 'paid' && vip", "no 'vip'", "Known here: attributes, flags,"),
        ("@.lane", "no 'lane'", 'Did you mean "lanes"?'),
        ("!attributes.vip", "belongs to the first name only", "as in !(attributes.vip)."),
    ],
)
def test_a_condition_that_can_tell_nothing_is_a_problem_with_its_line(
    file: Path, when: str, what: str, remedy: str
) -> None:
    problem = only(file, f'{BASE}{CALLBACK}[[routes]]\ndestinations = ["crm"]\nwhen = "{when}"')
    assert ("routes[0].when", 13) == (problem.where, problem.line)
    assert what in problem.what
    assert remedy in problem.remedy


@pytest.mark.parametrize("words", ["urgent", "1"])
def test_a_priority_is_one_of_three_words(file: Path, words: str) -> None:
    route = f'[[routes]]\ndestinations = ["crm"]\npriority = "{words}"'
    problem = only(file, BASE + CALLBACK + route)
    assert ("routes[0].priority", "Write one of 'high', 'normal' or 'low'.") == (
        problem.where,
        problem.remedy,
    )


@pytest.mark.parametrize(
    ("written", "read_as"),
    [("auto", "auto"), ("off", "off"), ("2h", timedelta(hours=2)), ("30d", timedelta(days=30))],
)
def test_silence_is_a_word_or_how_long_nothing_may_be_heard(
    file: Path, written: str, read_as: object
) -> None:
    source = GENERIC.replace('status = "state"', f'status = "state"\nsilence = "{written}"')
    assert read_as == read(file, BASE + source).sources["wms"].silence


@pytest.mark.parametrize("written", ["never", "30s", "31d", "", "2"])
def test_any_other_silence_is_a_problem(file: Path, written: str) -> None:
    source = GENERIC.replace('status = "state"', f'status = "state"\nsilence = "{written}"')
    problem = only(file, BASE + source)
    assert "sources.wms.silence" == problem.where
    assert "1m to 30d" in problem.what


def test_waiting_has_a_deadline(file: Path) -> None:
    assert timedelta(days=7) == read(file, BASE).waiting.deadline
    text = BASE + "[waiting]\ndeadline = '2h'"
    assert timedelta(hours=2) == read(file, text).waiting.deadline


def test_a_short_api_secret_is_a_problem_outside_the_sandbox(file: Path) -> None:
    text = BASE + "[auth]\njwt_secret = 'env:JWT'"
    assert only(file, text, {"JWT": "short"}).where == "auth.jwt_secret"
    made = read(file, text.replace("[server]", "[server]\nsandbox = true"), {"JWT": "short"})
    assert made.auth.jwt_secret


def test_both_listeners_need_their_own_address(file: Path) -> None:
    same = "[server]\npublic = '127.0.0.1:80'\ninternal = '127.0.0.1:80'"
    assert only(file, BASE.replace("[server]", same)).where == "server.internal"
    made = read(file, BASE.replace("[server]", same.replace(":80", ":0")))
    assert made.server.public == made.server.internal


def test_plain_secrets_are_for_the_sandbox_only(file: Path) -> None:
    text = BASE + GENERIC.replace("env:SHOP", "plain:hush")
    assert "sandbox" in only(file, text).what
    made = read(file, text.replace("[server]", "[server]\nsandbox = true"))
    assert (Secret.plain("hush"),) == made.sources["wms"].secrets


def test_capture_mode_is_for_the_sandbox_only_and_needs_nothing_else(file: Path) -> None:
    text = BASE + '[sources.wms]\nprovider = "generic"\nmode = "capture"\n'
    problem = only(file, text)
    assert ("sources.wms.mode", True) == (problem.where, "sandbox only" in problem.what)
    made = read(file, text.replace("[server]", "[server]\nsandbox = true"))
    assert "capture" == made.sources["wms"].mode


def test_a_signed_id_and_its_header_belong_together(file: Path) -> None:
    rule = '{ scheme = "hmac", header = "X-Sig", signed = "{id}.{body}" }'
    text = BASE + GENERIC.replace('{ scheme = "bearer" }', rule)
    assert "sources.wms.verify.signed" == only(file, text).where
    read(file, text.replace(" }", ', id_header = "X-Id" }', 1))
    loose = text.replace("{id}.", "").replace(" }", ', id_header = "X-Id" }', 1)
    assert "sources.wms.verify.id_header" == only(file, loose).where


@pytest.mark.parametrize(
    ("url", "sound"),
    [
        ("env:DATABASE_URL", True),
        ("embedded", True),
        ("postgresql:///orderhook", True),
        ("postgres://user@host:5432/db", True),
        ("postgresql://user:hush@host/db", False),
        ("postgresql://host/db?password=hush", False),
        ("mysql://host/db", False),
        ("env:AMQP_URL", False),
        ("host:5432", False),
    ],
)
def test_a_url_holds_no_password_and_is_of_the_right_kind(
    file: Path, url: str, *, sound: bool
) -> None:
    text = BASE.replace('[store]\nurl = "embedded"', f'[store]\nurl = "{url}"')
    if sound:
        store = read(file, text).store
        assert (url == "embedded") == store.embedded == (store.dsn is None)
        return
    problem = only(file, text)
    assert (problem.line, problem.where) == (4, "store.url")
    assert "hush" not in str(problem)


@pytest.mark.parametrize(
    ("content", "expected"),
    [(b"hush\n", b"hush"), (b"hush\r\n", b"hush"), (b" hush", b" hush"), (b"a\nb\n", b"a\nb")],
)
def test_a_secret_file_loses_its_last_newline_only(
    file: Path, content: bytes, expected: bytes
) -> None:
    (file.parent / "wms").write_bytes(content)
    made = read(file, BASE + GENERIC.replace("env:SHOP", "file:wms").replace('"bearer"', HMAC), {})
    assert expected == made.sources["wms"].secrets[0].reveal()


def test_a_secret_file_must_be_a_small_regular_file_with_something_in_it(file: Path) -> None:
    (file.parent / "empty").write_bytes(b"\n")
    (file.parent / "huge").write_bytes(b"x" * 65537)
    names = ["empty", "huge", ".", "nowhere", "/dev/zero", "\\u0000"]
    listed = ", ".join(f'"file:{name}"' for name in names)
    found = problems(file, BASE + GENERIC.replace('"env:SHOP"', listed))
    assert [f"sources.wms.secrets[{number}]" for number in range(len(names))] == [
        problem.where for problem in found
    ]


def test_an_empty_variable_is_as_bad_as_none(file: Path) -> None:
    assert "SHOP is empty" in only(file, BASE + GENERIC, {"SHOP": ""}).what
    assert "SHOP is not set" in only(file, BASE + GENERIC, {}).what


def test_the_environment_overrides_scalars(file: Path) -> None:
    environ = ENVIRON | {
        "ORDERHOOK__SERVER__PUBLIC": "[::1]:0",
        "ORDERHOOK__SERVER__SANDBOX": "TRUE",
        "ORDERHOOK__BROKER__URL": "env:AMQP_URL",
        "ORDERHOOK__SOURCES__WMS_EU__MAX_BODY": "2KiB",
        "ORDERHOOK__SOURCES__WMS_EU__SUBJECT__REF": "number",
        "ORDERHOOK__SOURCES__WMS_EU__VERIFY__HEADER": "X-Other",
        "ORDERHOOK__DESTINATIONS__CRM__RETRY__MAX_ATTEMPTS": "3",
        "ORDERHOOK_CONFIG": "elsewhere",
    }
    hmac = GENERIC.replace('"bearer"', HMAC).replace("wms", "wms-eu")
    made = read(file, BASE + hmac + CALLBACK, environ)
    source = made.sources["wms-eu"]
    assert Address("::1", 0) == made.server.public
    assert made.server.sandbox
    assert made.broker.dsn
    assert (source.max_body, source.subject.ref) == (2048, "number")
    assert HmacRule(header="X-Other") == source.verify
    assert made.destinations["crm"].retry.max_attempts == 3


def test_options_win_over_the_environment(file: Path) -> None:
    environ = ENVIRON | {"ORDERHOOK__SERVER__INTERNAL": "127.0.0.1:1"}
    made = read(file, BASE, environ, server__internal="127.0.0.1:2")
    assert made.server.internal.port == 2


def test_an_override_that_fits_nowhere_is_a_problem_named_after_its_variable(file: Path) -> None:
    environ = ENVIRON | {
        "ORDERHOOK__SERVER__PUBLC": "127.0.0.1:1",
        "ORDERHOOK__SOURCES__OTHER__RATE": "1",
        "ORDERHOOK__SERVER": "x",
        "ORDERHOOK__SERVER__KEYS": "x",
        "ORDERHOOK__SOURCES__WMS__NAME": "x",
        "ORDERHOOK__SOURCES__WMS__STATUSES__PAID": "ignore",
        "ORDERHOOK__WAITING__DEADLINE": "soon",
        "ORDERHOOK__": "x",
    }
    found = {problem.where: problem for problem in problems(file, BASE + GENERIC, environ)}
    assert environ.keys() - ENVIRON.keys() == found.keys()
    assert found["ORDERHOOK__SERVER__PUBLC"].remedy == 'Did you mean "public"?'
    assert {None} == {problem.line for problem in found.values()}


def test_an_override_into_something_that_is_no_table_leaves_that_problem(file: Path) -> None:
    environ = {"ORDERHOOK__AUTH__ISSUER": "x"}
    assert only(file, f"auth = 1\n{BASE}", environ).where == "auth"


def test_the_file_is_looked_for_in_three_places(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    first, second = tmp_path / "first.toml", tmp_path / "second.toml"
    environ = {"ORDERHOOK_CONFIG": str(second)}
    with pytest.raises(ConfigurationError) as caught:
        load(None, {})
    for word in ("--config", "ORDERHOOK_CONFIG", "./orderhook.toml", "orderhook init"):
        assert word in str(caught.value)
    (tmp_path / "orderhook.toml").touch()
    assert Path("orderhook.toml") == locate(None, {})
    with pytest.raises(ConfigurationError, match=r"second\.toml, which ORDERHOOK_CONFIG names"):
        locate(None, environ)
    with pytest.raises(ConfigurationError, match=r"first\.toml, which --config names"):
        locate(first, environ)
    first.touch()
    second.touch()
    assert second == locate(None, environ)
    assert first == locate(first, environ)


def test_a_file_that_cannot_be_read_is_said_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load(tmp_path, {})


def test_paths_start_at_the_file_or_at_home(file: Path) -> None:
    text = BASE.replace('"data"', '"~/x"')
    assert Path("/home/me/x") == read(file, text, {"HOME": "/home/me"}).server.data_dir
    read(file, BASE.replace('data_dir = "data"', "trusted_proxies = ['10.0.0.0/8']"), {})
    assert (ip_network("10.0.0.0/8"),) == load(file, {}).server.trusted_proxies
    assert load(file, {"XDG_DATA_HOME": "/data"}).server.data_dir.name == "orderhook"
    assert load(file, {}).server.data_dir.is_absolute()


def test_a_token_must_fit_into_a_header(file: Path) -> None:
    text = BASE + CALLBACK + "token = 'env:TOKEN'"
    assert only(file, text, ENVIRON | {"TOKEN": "two words"}).where == "destinations.crm.token"
    assert read(file, text, ENVIRON | {"TOKEN": "word"}).destinations["crm"].token


def test_a_pasted_secret_is_not_repeated(file: Path) -> None:
    problem = only(file, BASE + GENERIC.replace("env:SHOP", "env:hush-hush"))
    assert "hush" not in str(problem)


def test_the_environment_is_that_of_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERHOOK__SERVER__SANDBOX", "true")
    assert environment()["ORDERHOOK__SERVER__SANDBOX"] == "true"


def test_a_file_of_absurd_size_is_refused(file: Path) -> None:
    file.write_text("#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigurationError, match="larger than 1 MiB"):
        load(file, {})


def test_settings_cannot_be_changed(file: Path) -> None:
    made = read(file, BASE)
    with pytest.raises(ValueError, match="frozen"):
        made.server.sandbox = True


TOKEN = "9f86d081884c7d659a2feaa0c55ad015"
BY_URL = """\
[sources.wms]
provider = "generic"
url_token = "env:TOKEN"
verify = { scheme = "url_token" }
subject.ref = "order"
status = "state"
statuses = { PAID = "payment.paid" }
"""


def test_a_token_in_the_url_needs_no_other_secret(file: Path) -> None:
    source = read(file, BASE + BY_URL, {"TOKEN": TOKEN}).sources["wms"]
    assert source.url_token is not None
    assert (TOKEN.encode(), ()) == (source.url_token.reveal(), source.secrets)


@pytest.mark.parametrize(
    "token",
    [
        TOKEN.upper(),
        "d5Tq0u_PpXJvXl-3C4nJ3Q",
        "314159265358979323846264338327950288419",
        "k3x9q7m2p5z8w4v6t1r0y_abc",
    ],
)
def test_128_random_bits_are_taken_in_every_spelling(file: Path, token: str) -> None:
    source = read(file, BASE + BY_URL, {"TOKEN": token}).sources["wms"]
    assert source.url_token is not None


@pytest.mark.parametrize(
    "token",
    [
        "short",
        TOKEN[:-1],
        "d5Tq0u_PpXJvXl-3C4nJ3",
        "31415926535897932384626433832795028841",
        "k3x9q7m2p5z8w4v6t1r0y_ab",
        "a" * 64,
        "0101010101010101010101010101010101010101",
        TOKEN + "/x",
        TOKEN + " ",
        TOKEN + "é",
        TOKEN * 5,
    ],
)
def test_a_token_that_could_be_guessed_or_misread_is_reported(file: Path, token: str) -> None:
    problem = only(file, BASE + BY_URL, {"TOKEN": token})
    assert "sources.wms.url_token" == problem.where
    assert "Make one with: openssl rand -hex 16" == problem.remedy
    older = only(
        file, BASE + BY_URL + "secrets = ['env:OLD']", {"TOKEN": TOKEN[::-1], "OLD": token}
    )
    assert "sources.wms.secrets[0]" == older.where


def test_a_token_that_is_missing_or_that_nothing_reads_is_reported(file: Path) -> None:
    without = BY_URL.replace('url_token = "env:TOKEN"\n', "")
    assert "sources.wms.url_token" == only(file, BASE + without).where
    unread = only(file, BASE + GENERIC + "url_token = 'env:SHOP'")
    assert (
        "sources.wms.url_token",
        "Nothing reads this: the sender proves itself in another way.",
    ) == (
        unread.where,
        unread.what,
    )


def test_a_preset_says_whether_it_reads_a_token(file: Path) -> None:
    courier = BASE + "[sources.x]\nprovider = 'courier'\nurl_token = 'env:TOKEN'"
    file.write_text(courier)
    known = Known(providers=("courier",), url_tokens=("courier",))
    assert load(file, {"TOKEN": TOKEN}, known=known).sources["x"].url_token
    with pytest.raises(ConfigurationProblems, match="Nothing would prove who sends"):
        load(file, {"TOKEN": TOKEN}, known=Known(providers=("courier",)))


def test_a_generic_source_must_say_where_the_order_number_is(file: Path) -> None:
    problem = only(file, BASE + GENERIC.replace('subject.ref = "order"\n', ""))
    assert ("sources.wms.subject.ref", 'Add it, as in subject = { ref = "order.number" }.') == (
        problem.where,
        problem.remedy,
    )


@pytest.mark.parametrize(
    ("line", "where"),
    [
        ("time_formats = []", "sources.wms.time_formats"),
        ("time_formats = ['soon']", "sources.wms.time_formats[0]"),
        ("time_formats = ['iso', '%H:%M']", "sources.wms.time_formats[1]"),
        ("time_formats = ['%d.%m %H:%M']", "sources.wms.time_formats[0]"),
        ("time_formats = ['%d.%m.%Y %Z']", "sources.wms.time_formats[0]"),
        ("time_formats = ['%Y-%m-%d %Q']", "sources.wms.time_formats[0]"),
        ("time_formats = ['%']", "sources.wms.time_formats[0]"),
        ("handshake = { kind = 'wave' }", "sources.wms.handshake"),
        ("handshake = {}", "sources.wms.handshake"),
        ("handshake = { kind = 'echo' }", "sources.wms.handshake.parameter"),
        ("handshake = { kind = 'echo', parameter = 'a b' }", "sources.wms.handshake.parameter"),
        ("handshake = { kind = 'json', challenge = '[' }", "sources.wms.handshake.challenge"),
        ("answer = { status = 302 }", "sources.wms.answer.status"),
        ("answer = { status = 500 }", "sources.wms.answer.status"),
        ('answer = { content_type = "a/b\\r\\nX: y" }', "sources.wms.answer.content_type"),
        ("format = 'cloudevents'\nitems = 'events'", "sources.wms.items"),
        ("rate = -1", "sources.wms.rate"),
    ],
)
def test_a_slip_in_how_a_generic_source_speaks_is_reported(
    file: Path, line: str, where: str
) -> None:
    assert where == only(file, BASE + GENERIC + line).where


@pytest.mark.parametrize("scheme", ["header', header = 'X-Key", "query', parameter = 'key"])
def test_a_secret_that_no_header_or_url_can_carry_is_reported(file: Path, scheme: str) -> None:
    text = BASE + GENERIC.replace('"bearer"', f"'{scheme}'")
    assert "sources.wms.secrets[0]" == only(file, text, {"SHOP": "a b"}).where
    assert 1 == len(read(file, text).sources)


@pytest.mark.parametrize("key", ["handshake = { kind = 'cloudevents' }", "answer = {}"])
def test_only_a_generic_source_may_be_told_how_to_greet_and_answer(file: Path, key: str) -> None:
    text = BASE + f"[sources.x]\nprovider = 'stripe'\nsecrets = ['env:SHOP']\n{key}"
    assert "Only the provider generic reads this; stripe knows its sender." == only(file, text).what
