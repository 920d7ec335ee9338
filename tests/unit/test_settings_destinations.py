"""What does not fit together in a destination is said at its line, with a way to mend it."""

import base64
import re
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import given
from hypothesis import strategies as st

from service.settings import (
    ConfigurationProblems,
    FieldRule,
    Known,
    KnownKind,
    Problem,
    Settings,
    load,
)
from service.settings.keys import encryption_key, signs

KINDS = {
    "callback": KnownKind("Callback", url=False, keeps=False, creates=False, notes=False),
    "bank": KnownKind(
        "Bank CRM",
        url=False,
        options={"category": False, "region": True},
        grants=("refresh_token", "client_credentials"),
        needs=("redirect_uri",),
        keeps=True,
        lifecycles=("order",),
        creates=False,
        notes=False,
        limits=("requests", "daily"),
    ),
    "plain": KnownKind("Plain CRM", keeps=True, lifecycles=("order",), creates=True, notes=True),
    "signed": KnownKind("Signed CRM", grants=("jwt_bearer",), token_url=True, keeps=True),
}
KNOWN = Known(providers=("generic",), crms=tuple(KINDS), kinds=KINDS)
KEY = base64.b64encode(bytes(range(32))).decode()
ENVIRON = {
    "KEY": KEY,
    "SECRET": "s3cret",
    "HMAC": "h" * 32,
    "CRM": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
}
HEAD = '[store]\nurl = "embedded"\n[broker]\nurl = "embedded"\n[server]\nkeys = ["env:KEY"]\n'
UNSEALED = HEAD.replace('keys = ["env:KEY"]\n', "")
BANK = """\
[destinations.crm]
crm = "bank"
url = "https://bank.example.com"
options.region = "eu"
"""
PLAIN = '[destinations.crm]\ncrm = "plain"\n'
SIGNED = '[destinations.crm]\ncrm = "signed"\n'
CALLBACK = """\
[destinations.crm]
crm = "callback"
url = "http://127.0.0.1:9000/hook"
secret = "env:CRM"
"""
OAUTH = """\
[destinations.crm.oauth]
grant = "refresh_token"
url = "https://bank.example.com/token"
client_id = "app"
client_secret = "env:SECRET"
refresh_token = "env:SECRET"
extra = { redirect_uri = "https://us.example.com" }
"""


def pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()


P256, P384 = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP384R1())
RSA = rsa.generate_private_key(65537, 2048)
PUBLIC = P256.public_key().public_bytes(
    serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
)
KEYS = {
    "P256": pem(P256),
    "P384": pem(P384),
    "RSA": pem(RSA),
    "ED": pem(ed25519.Ed25519PrivateKey.generate()),
    "PUBLIC": PUBLIC.decode(),
}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "orderhook.toml"


def read(file: Path, text: str) -> Settings:
    file.write_text(text)
    return load(file, ENVIRON | KEYS, known=KNOWN)


def problems(file: Path, text: str) -> list[Problem]:
    with pytest.raises(ConfigurationProblems) as caught:
        read(file, text)
    for problem in caught.value.problems:
        assert re.search(r"[.?\"\w]$", problem.remedy), problem
        assert problem.what.endswith("."), problem
        assert problem.line, problem
    return list(caught.value.problems)


def only(file: Path, text: str) -> Problem:
    (problem,) = problems(file, text)
    return problem


def wheres(file: Path, text: str) -> list[str]:
    return [problem.where.removeprefix("destinations.crm") for problem in problems(file, text)]


def test_a_whole_destination_is_read(file: Path) -> None:
    made = read(file, HEAD + BANK + OAUTH).destinations["crm"]
    assert made.oauth is not None
    assert ("refresh_token", "app") == (made.oauth.grant, made.oauth.client_id)
    assert {"region": "eu"} == made.options


def test_a_field_is_a_name_or_a_table_that_says_how_it_is_written(file: Path) -> None:
    text = PLAIN + 'attributes = { amount = { field = "sum", type = "number" }, city = "town" }'
    made = read(file, HEAD + text).destinations["crm"]
    assert {"amount": FieldRule(field="sum", type="number"), "city": "town"} == made.attributes


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ("{ amount = 5 }", ".attributes.amount"),
        ("{ amount = {} }", ".attributes.amount.field"),
        ("{ amount = { field = 'sum', type = 'date' } }", ".attributes.amount.type"),
        ("{ amount = { field = 'sum', kind = 'date' } }", ".attributes.amount.kind"),
        ("{ amount = '' }", ".attributes.amount"),
        ("{ amount = 'sum', total = { field = 'sum' } }", ".attributes.total"),
    ],
)
def test_a_field_that_cannot_be_written_is_named_once(file: Path, fields: str, where: str) -> None:
    assert [where] == wheres(file, HEAD + PLAIN + f"attributes = {fields}")


def test_an_unknown_option_has_a_neighbour_and_a_missing_one_is_asked_for(file: Path) -> None:
    text = HEAD + BANK.replace("options.region", "options.categori")
    unknown, missing = problems(file, text)
    assert 'Did you mean "category"?' == unknown.remedy
    assert (".options.categori", ".options") == tuple(wheres(file, text))
    assert "'region'" in missing.what


def test_an_address_that_differs_by_account_must_be_given(file: Path) -> None:
    text = BANK.replace('url = "https://bank.example.com"\n', "")
    assert [".url"] == wheres(file, HEAD + text)
    assert "Bank CRM" in only(file, HEAD + text).what


def test_a_quota_is_one_of_the_vendor(file: Path) -> None:
    read(file, HEAD + BANK + "limits.daily = { count = 5, period = '1d' }")
    assert [".limits.dayly"] == wheres(file, HEAD + BANK + "limits.dayly = { count = 5 }")
    assert [".limits.daily.count"] == wheres(file, HEAD + BANK + "limits.daily = { count = 0 }")


@pytest.mark.parametrize(
    ("text", "where"),
    [
        (BANK + "on_missing = 'create'", ".on_missing"),
        (BANK + "notes = true", ".notes"),
        (BANK + "jwt = { key = 'env:HMAC', algorithm = 'HS256', audience = 'x' }", ".jwt"),
        (CALLBACK + "on_missing = 'create'", ".on_missing"),
        (CALLBACK + "conflict = 'respect'", ".conflict"),
        (CALLBACK + "objects.order = { object = 'x' }", ".objects"),
        (CALLBACK + "notes = true", ".notes"),
        (CALLBACK + "options = { a = 1 }", ".options.a"),
        (CALLBACK + OAUTH, ".oauth"),
    ],
)
def test_what_a_kind_cannot_do_is_no_wish_of_it(file: Path, text: str, where: str) -> None:
    assert [where] == wheres(file, HEAD + text)


def test_what_a_kind_can_do_may_be_wished(file: Path) -> None:
    text = PLAIN + "on_missing = 'create'\nconflict = 'respect'\nnotes = true\nshadow = true"
    made = read(file, HEAD + text).destinations["crm"]
    assert ("create", "respect", True) == (made.on_missing, made.conflict, made.shadow)


@pytest.mark.parametrize("key", ["client_id", "client_secret", "refresh_token"])
def test_a_refresh_token_needs_its_app(file: Path, key: str) -> None:
    text = re.sub(f"^{key} = .*\n", "", OAUTH, flags=re.MULTILINE)
    assert [f".oauth.{key}"] == wheres(file, HEAD + BANK + text)


def test_a_grant_the_vendor_does_not_know_is_refused_with_those_it_knows(file: Path) -> None:
    problem = only(file, HEAD + BANK + OAUTH.replace('"refresh_token"', '"jwt_bearer"', 1))
    assert "Write 'refresh_token' or 'client_credentials'." == problem.remedy


def test_where_tokens_are_given_and_what_is_asked_besides_must_be_said(file: Path) -> None:
    text = re.sub(r"^(url|extra) = .*\n", "", OAUTH, flags=re.MULTILINE)
    found = problems(file, HEAD + BANK + text)
    assert [".oauth.url", ".oauth.extra"] == wheres(file, HEAD + BANK + text)
    assert "redirect_uri" in found[1].what


def test_tokens_need_a_key_that_seals_them(file: Path) -> None:
    problem = only(file, UNSEALED + BANK + OAUTH)
    assert "destinations.crm.oauth" == problem.where
    assert "openssl rand -base64 32" in problem.remedy


def test_token_and_oauth_are_not_both_given(file: Path) -> None:
    assert [".token"] == wheres(file, HEAD + BANK + "token = 'env:SECRET'\n" + OAUTH)


def test_a_signed_grant_needs_a_key_and_a_user(file: Path) -> None:
    bare = "oauth = { grant = 'jwt_bearer', client_id = 'app' }"
    assert [".oauth.key", ".oauth.subject"] == wheres(file, HEAD + SIGNED + bare)
    whole = "oauth = {{ grant = 'jwt_bearer', client_id = 'a', subject = 's', key = 'env:{}' }}"
    read(file, HEAD + SIGNED + whole.format("RSA"))
    assert [".oauth.key"] == wheres(file, HEAD + SIGNED + whole.format("P256"))


@pytest.mark.parametrize(
    ("rule", "where"),
    [
        ("objects.ordr = {}", ".objects.ordr"),
        ("objects.order = { key = '{reff}-{ref}' }", ".objects.order.key"),
        ("objects.order = { key = '{scope}' }", ".objects.order.key"),
        ("objects.order = { key = '{ref' }", ".objects.order.key"),
        ("objects.order = { key = '{ref}}' }", ".objects.order.key"),
        ("objects.order = { statuses = { payed = 'x' } }", ".objects.order.statuses.payed"),
        ("objects.order = { attributes = { a = 1 } }", ".objects.order.attributes.a"),
        ("objects.order = { attributes = { a = 'x', b = 'x' } }", ".objects.order.attributes.b"),
    ],
)
def test_an_object_is_a_lifecycle_told_apart_by_its_number(
    file: Path, rule: str, where: str
) -> None:
    assert where in wheres(file, HEAD + PLAIN + rule)


def test_an_object_nobody_knows_must_be_described(file: Path) -> None:
    assert [
        ".objects.ticket.object",
        ".objects.ticket.key_field",
        ".objects.ticket.status_field",
    ] == wheres(file, HEAD + PLAIN + "objects.ticket = {}")
    ticket = "{ object = 'tickets', key_field = 'no', status_field = 'stage' }"
    read(file, HEAD + PLAIN + f"objects.ticket = {ticket}")


def test_a_status_of_an_object_is_one_of_its_lifecycle(file: Path) -> None:
    ticket = "{ object = 'tickets', key_field = 'no', status_field = 's', statuses.paid = 'x' }"
    problem = only(file, HEAD + PLAIN + f"objects.ticket = {ticket}")
    assert "'paid' is no overall status of the lifecycle ticket." == problem.what


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", "P256"),
        ("ES384", "P384"),
        ("RS256", "RSA"),
        ("PS256", "RSA"),
        ("EdDSA", "ED"),
        ("HS256", "HMAC"),
    ],
)
def test_a_callback_may_carry_a_token_we_sign(file: Path, algorithm: str, key: str) -> None:
    jwt = f"jwt = {{ key = 'env:{key}', algorithm = '{algorithm}', audience = 'wms' }}"
    made = read(file, HEAD + CALLBACK + jwt).destinations["crm"].jwt
    assert made is not None
    assert ("orderhook", 60) == (made.issuer, made.ttl.total_seconds())


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", "P384"),
        ("ES256", "RSA"),
        ("RS256", "P256"),
        ("ES256", "PUBLIC"),
        ("EdDSA", "P256"),
        ("HS256", "SECRET"),
        ("HS512", "HMAC"),
        ("HS256", "PUBLIC"),
        ("RS256", "SECRET"),
    ],
)
def test_a_key_that_cannot_sign_is_a_problem(file: Path, algorithm: str, key: str) -> None:
    jwt = f"jwt = {{ key = 'env:{key}', algorithm = '{algorithm}', audience = 'wms' }}"
    problem = only(file, HEAD + CALLBACK + jwt)
    assert "destinations.crm.jwt.key" == problem.where
    assert "openssl" in problem.remedy


def test_a_callback_has_one_bearer_token(file: Path) -> None:
    jwt = "token = 'env:SECRET'\njwt = { key = 'env:P256', audience = 'wms' }"
    assert [".jwt"] == wheres(file, HEAD + CALLBACK + jwt)


@given(st.binary(min_size=32, max_size=32).filter(lambda key: len(set(key)) >= 8))
def test_a_key_is_the_same_in_every_spelling(key: bytes) -> None:
    spellings = (
        key.hex().encode(),
        key.hex().upper().encode(),
        base64.b64encode(key),
        base64.b64encode(key).rstrip(b"="),
        base64.urlsafe_b64encode(key),
    )
    assert {key} == {encryption_key(each) for each in spellings}


def test_a_key_may_be_raw_bytes() -> None:
    key = bytes(range(200, 232))
    assert key == encryption_key(key)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"x" * 32,
        b"0123456789abcdef" * 2,
        bytes(32),
        b"00" * 32,
        b"A" * 43,
        bytes(range(31)),
        b"correct horse battery staple 123",
        base64.b64encode(bytes(range(33))),
    ],
)
def test_what_is_no_random_key_is_refused(value: bytes) -> None:
    assert encryption_key(value) is None


def test_a_bad_key_of_the_ring_is_named_by_its_place(file: Path) -> None:
    text = HEAD.replace('["env:KEY"]', '["env:KEY", "env:SECRET"]')
    problem = only(file, text)
    assert "server.keys[1]" == problem.where
    assert "32 random bytes" in problem.what
    assert (bytes(range(32)),) == read(file, HEAD).server.ring


def test_a_weak_rsa_key_does_not_sign() -> None:
    weak = rsa.generate_private_key(65537, 1024)
    assert not signs(pem(weak).encode(), "RS256")
