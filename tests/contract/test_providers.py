"""Every registered provider: what it must accept, refuse and make of its golden requests."""

import base64
import json
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.events import Fate, Statement
from service.domain.keys import body_key
from service.domain.lifecycles import LIFECYCLES
from service.intake.provider import Forged, Genuine, RawRequest, SignedRequest
from service.intake.providers.registry import PRESETS, preset
from service.sandbox import senders
from service.settings import Secret, Source

GOLDEN = Path(__file__).parent.parent / "golden"
AT = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
OLD, NEW, OTHER = (Secret.plain(f"user:secret-{word}") for word in ("old", "new", "other"))


# These hand their secrets out as base64, which stands for the bytes that sign.
DECODED = {"standardwebhooks": "whsec_", "shipbob": "whsec_", "samsara": ""}


def spelled(provider: str, secret: Secret) -> Secret:
    """Write a secret as its provider hands it out."""
    if provider not in DECODED:
        return secret
    return Secret.plain(DECODED[provider] + base64.b64encode(secret.reveal()).decode())


def source(provider: str, **rules: Any) -> Source:
    rules = {"secrets": (spelled(provider, OLD),), **rules}
    return Source.model_validate({"name": "tested", "provider": provider, **rules})


def generic(**verify: str) -> Source:
    return source("generic", verify=verify, **mapped(""))


def written(form: str, at: str = "") -> Source:
    """Another format, with its paths below one element where it must have one."""
    return source(
        "generic", verify={"scheme": "hmac", "header": "X-Signature"}, format=form, **mapped(at)
    )


def mapped(at: str) -> dict[str, Any]:
    return {
        "key": f"{at}id",
        "subject": {"ref": f"{at}order.number", "normalize": ("trim",)},
        "occurred_at": f"{at}at",
        "status": f"{at}state",
        "statuses": {"PICKING": "fulfillment.picking", "PACKED": "fulfillment.packed"},
        "attributes": {"amount": f"{at}total", "vip": f"{at}customer.vip"},
    }


TIMED = {"header": "X-Signature", "signed": "{timestamp}.{body}", "timestamp_header": "X-Time"}
SOURCES = {
    "stripe": source("stripe"),
    "shopify": source("shopify"),
    "shipbob": source("shipbob"),
    "cdek": source("cdek", secrets=(), url_token=OLD),
    "samsara": source("samsara"),
    "standardwebhooks": source(
        "standardwebhooks",
        subject={"ref": "data.order"},
        statuses={"order.picking": "fulfillment.picking"},
        attributes={"amount": "data.amount"},
    ),
    "generic hex timed": generic(scheme="hmac", **TIMED),
    "generic base64": generic(
        scheme="hmac", algorithm="sha512", encoding="base64", header="X-Hub", prefix="v1="
    ),
    "generic sha1": generic(scheme="hmac", algorithm="sha1", header="X-Signature"),
    "generic bearer": generic(scheme="bearer"),
    "generic basic": generic(scheme="basic"),
    "generic header": generic(scheme="header", header="X-Api-Key", prefix="Key "),
    "generic query": generic(scheme="query", parameter="key"),
    "generic url token": generic(scheme="url_token").model_copy(
        update={"url_token": OLD, "secrets": ()}
    ),
    "generic form": written("form"),
    "generic xml": written("xml", "event."),
    "generic cloudevents": written("cloudevents", "data."),
}
SHARED = {"bearer", "basic", "header", "query", "url token", "cdek"}
SIGNED = [name for name in SOURCES if name.removeprefix("generic ") not in SHARED]
WITH_TIME = ["stripe", "shipbob", "samsara", "standardwebhooks", "generic hex timed"]
SECURITY_HEADER = {
    "stripe": "stripe-signature",
    "shopify": "x-shopify-hmac-sha256",
    "shipbob": "webhook-signature",
    "samsara": "x-samsara-signature",
    "standardwebhooks": "webhook-signature",
    "generic hex timed": "x-signature",
    "generic base64": "x-hub",
    "generic sha1": "x-signature",
    "generic bearer": "authorization",
    "generic basic": "authorization",
    "generic header": "x-api-key",
    "generic form": "x-signature",
    "generic xml": "x-signature",
    "generic cloudevents": "x-signature",
}


def arrived(signed: SignedRequest, *, received_at: datetime = AT) -> RawRequest:
    headers = tuple((name.lower(), value) for name, value in signed.headers.items())
    path = f"/webhooks/tested/{signed.tail}" if signed.tail else "/webhooks/tested"
    return RawRequest(
        "POST", path, signed.query, headers, signed.body, received_at, tail=signed.tail
    )


def keeping(source: Source, *secrets: Secret) -> Source:
    """Let the source know other secrets, the newest first."""
    secrets = tuple(spelled(source.provider, secret) for secret in secrets)
    if source.url_token is None:
        return source.model_copy(update={"secrets": secrets})
    return source.model_copy(update={"url_token": secrets[0], "secrets": secrets[1:]})


SAMPLE = {
    "stripe": "paid",
    "shopify": "paid",
    "shipbob": "in_transit",
    "cdek": "in_transit",
    "samsara": "arrived",
    "standardwebhooks": "fulfillment.picking",
    "generic": "fulfillment.picking",
}


def posted(source: Source, *, secret: Secret = OLD, at: datetime = AT) -> RawRequest:
    """Let the simulated sender post a sample for an order."""
    name = SAMPLE[source.provider]
    body = senders.sample(source, name, senders.Occasion("1001", AT, "evt-1"))
    return arrived(senders.sign(keeping(source, secret), body, at=at, key="evt-1", sample=name))


def verdict(source: Source, request: RawRequest, *, now: datetime = AT) -> Genuine | Forged:
    answer = preset(source.provider).build(source).verify(request, now=now)
    assert isinstance(answer, Genuine | Forged)
    return answer


def refusal(source: Source, request: RawRequest, *, now: datetime = AT) -> Forged:
    answer = verdict(source, request, now=now)
    assert isinstance(answer, Forged)
    return answer


def with_header(request: RawRequest, name: str, *values: str) -> RawRequest:
    others = tuple(pair for pair in request.headers if pair[0] != name)
    return replace(request, headers=(*others, *((name, value) for value in values)))


@dataclass(frozen=True)
class Golden:
    """A request signed by the vendor's own library (or stdlib hmac), and what it must become."""

    path: Path

    def __str__(self) -> str:
        return f"{self.path.parent.name}:{self.path.stem}"

    def load(self) -> tuple[Source, RawRequest, list[dict[str, Any]]]:
        said = json.loads(self.path.read_bytes())
        secrets = tuple(Secret.plain(secret) for secret in said["source"].pop("secrets"))
        subject = said["source"].pop("subject", {})
        subject["normalize"] = tuple(subject.get("normalize", ()))
        rules = {**said["source"], "secrets": secrets, "subject": subject}
        if "url_token" in rules:
            rules["url_token"] = Secret.plain(rules["url_token"])
        signed = SignedRequest(
            said["headers"], said["body"].encode(), said.get("tail", ""), said.get("query", "")
        )
        request = arrived(signed, received_at=datetime.fromisoformat(said["received_at"]))
        return source(self.path.parent.name, **rules), request, said["statements"]


GOLDENS = [Golden(path) for each in PRESETS for path in sorted((GOLDEN / each.name).glob("*.json"))]


def canonical(statement: Statement) -> dict[str, Any]:
    when = statement.occurred_at
    return {**asdict(statement), "occurred_at": when.isoformat() if when else None}


def test_every_preset_has_goldens_samples_and_a_place_in_this_suite() -> None:
    names = {each.name for each in PRESETS}
    assert names == {golden.path.parent.name for golden in GOLDENS}
    assert names == set(senders.SAMPLES)
    assert names == {source.provider for source in SOURCES.values()}


@pytest.mark.parametrize("golden", GOLDENS, ids=str)
def test_a_golden_request_is_genuine_and_becomes_its_statements(golden: Golden) -> None:
    source, request, expected = golden.load()
    assert Genuine() == verdict(source, request, now=request.received_at)
    parsed = preset(source.provider).build(source).parse(request)
    assert expected == [canonical(statement) for statement in parsed]


@pytest.mark.parametrize("golden", GOLDENS, ids=str)
def test_a_statement_to_fold_names_a_subject_and_a_known_status(golden: Golden) -> None:
    source, request, _ = golden.load()
    for statement in preset(source.provider).build(source).parse(request):
        known = LIFECYCLES[statement.lifecycle].find(statement.lane, statement.status)
        assert (statement.status is None) == (known is None)
        if statement.fate is Fate.FOLD:
            assert statement.ref
            assert statement.status or statement.attributes
        else:
            assert statement.note


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_parsed_and_stored_carries_no_secret(name: str) -> None:
    source = SOURCES[name]
    built, request = preset(source.provider).build(source), posted(source)
    redacted = built.redact(request)
    assert "secret-old" not in repr(redacted).replace("%3A", ":")
    assert built.parse(request) == built.parse(redacted)
    assert redacted == built.redact(redacted)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS", "POST"])
def test_a_webhook_is_no_handshake_and_a_handshake_never_raises(name: str, method: str) -> None:
    source = SOURCES[name]
    built, request = preset(source.provider).build(source), posted(source)
    assert built.handshake(request) is None
    assert built.refusal in range(400, 600)
    for body in (b"", b"junk", b"[" * 5000, b"null", b"{}"):
        reply = built.handshake(replace(request, method=method, body=body, query="a=%ff&&=b"))
        assert reply is None or len(reply.body) <= 4096


@pytest.mark.parametrize("name", SOURCES)
def test_what_the_simulated_sender_signs_is_genuine(name: str) -> None:
    assert Genuine() == verdict(SOURCES[name], posted(SOURCES[name]))


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize("secrets", [(OLD,), (NEW, OLD), (OLD, NEW)])
def test_while_a_secret_is_changed_both_are_taken(name: str, secrets: tuple[Secret, ...]) -> None:
    source = keeping(SOURCES[name], *secrets)
    assert Genuine() == verdict(source, posted(source, secret=OLD))


@pytest.mark.parametrize("name", SOURCES)
def test_another_secret_is_refused_with_the_reason(name: str) -> None:
    answer = refusal(SOURCES[name], posted(SOURCES[name], secret=OTHER))
    assert "configured" in answer.reason
    assert "secret-" not in answer.reason


@pytest.mark.parametrize("name", SIGNED)
def test_one_flipped_bit_anywhere_in_the_body_is_refused(name: str) -> None:
    request = posted(SOURCES[name])
    for place in range(0, len(request.body), 7):
        body = bytearray(request.body)
        body[place] ^= 1
        assert isinstance(verdict(SOURCES[name], replace(request, body=bytes(body))), Forged)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("body", [b"", b"junk", b"\xff\xfe", b"{}"])
def test_another_body_is_refused(name: str, body: bytes) -> None:
    assert isinstance(verdict(SOURCES[name], replace(posted(SOURCES[name]), body=body)), Forged)


@pytest.mark.parametrize("name", WITH_TIME)
@pytest.mark.parametrize("late", [-300, 0, 300])
def test_a_time_within_the_tolerance_is_taken(name: str, late: int) -> None:
    now = AT + timedelta(seconds=late)
    assert Genuine() == verdict(SOURCES[name], posted(SOURCES[name]), now=now)


@pytest.mark.parametrize("name", WITH_TIME)
@pytest.mark.parametrize(
    ("late", "word"), [(301, "301 s before our clock"), (-301, "301 s after our clock")]
)
def test_a_time_outside_the_tolerance_is_refused_with_the_skew(
    name: str, late: int, word: str
) -> None:
    answer = refusal(SOURCES[name], posted(SOURCES[name]), now=AT + timedelta(seconds=late))
    assert timedelta(seconds=-late) == answer.skew
    assert word in answer.reason
    assert "The signature is right" in answer.reason


@pytest.mark.parametrize("name", WITH_TIME)
def test_a_wrong_signature_tells_the_skew_too(name: str) -> None:
    request = posted(SOURCES[name], secret=OTHER, at=AT - timedelta(seconds=30))
    assert timedelta(seconds=-30) == refusal(SOURCES[name], request).skew


@pytest.mark.parametrize("name", SECURITY_HEADER)
def test_a_missing_security_header_is_refused_by_name(name: str) -> None:
    header = SECURITY_HEADER[name]
    answer = refusal(SOURCES[name], with_header(posted(SOURCES[name]), header))
    assert f"The header {header} is missing.".casefold() == answer.reason.casefold()


@pytest.mark.parametrize("name", SECURITY_HEADER)
def test_a_security_header_sent_twice_is_refused_even_if_one_is_right(name: str) -> None:
    request, header = posted(SOURCES[name]), SECURITY_HEADER[name]
    right = request.header(header) or ""
    for values in [(right, right), ("wrong", right), (right, "wrong")]:
        answer = refusal(SOURCES[name], with_header(request, header, *values))
        assert "2 times" in answer.reason


@pytest.mark.parametrize("name", SECURITY_HEADER)
@pytest.mark.parametrize(
    "value",
    ["", " ", "t=1,v1=é", "\udcff\udcfe", "=" * 100, "v1=" + "a," * 2000, "x" * 9000, "t=,v1="],
)
def test_junk_in_the_security_header_is_refused(name: str, value: str) -> None:
    request = with_header(posted(SOURCES[name]), SECURITY_HEADER[name], value)
    assert isinstance(verdict(SOURCES[name], request), Forged)


@pytest.mark.parametrize("name", SECURITY_HEADER)
@settings(deadline=None)
@given(data=st.data())
def test_no_header_makes_verify_raise(name: str, data: st.DataObject) -> None:
    text = st.text(alphabet=st.characters(codec=None), max_size=60)
    values = data.draw(st.lists(text, max_size=2))
    request = with_header(posted(SOURCES[name]), SECURITY_HEADER[name], *values)
    assert isinstance(verdict(SOURCES[name], request), Forged)


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "body",
    [b"", b"\0", b"junk", b"\xff\xfe", b"[" * 5000, b"[" * 65 + b"]" * 65, b'"\\ud800"', b"NaN"],
)
def test_a_genuine_body_that_cannot_be_read_becomes_one_unreadable_statement(
    name: str, body: bytes
) -> None:
    source = SOURCES[name]
    (statement,) = preset(source.provider).build(source).parse(replace(posted(source), body=body))
    assert (Fate.UNREADABLE, body_key(body)) == (statement.fate, statement.dedupe_key)
    assert statement.note.endswith(".")


ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)


def shaken(data: st.DataObject, document: Any) -> Any:
    """Replace some parts of a document by anything."""
    if data.draw(st.integers(0, 9)) == 0:
        return data.draw(ANY_JSON)
    if isinstance(document, dict):
        return {key: shaken(data, value) for key, value in document.items()}
    if isinstance(document, list):
        return [shaken(data, value) for value in document]
    return document


def damaged(data: st.DataObject, body: bytes) -> bytes:
    """Damage values of JSON, and bytes of anything else."""
    try:
        return json.dumps(shaken(data, json.loads(body))).encode()
    except ValueError:
        place, junk = data.draw(st.integers(0, len(body))), data.draw(st.binary(max_size=8))
        return body[:place] + junk + body[place + data.draw(st.integers(0, 8)) :]


def assert_bounded(statement: Statement) -> None:
    texts = [statement.dedupe_key, statement.scope, statement.code, statement.ref or ""]
    facts = [value for value in statement.attributes.values() if isinstance(value, str)]
    assert all(len(text.encode()) <= 256 and "\0" not in text for text in texts)
    assert all(len(fact.encode()) <= 1024 and "\0" not in fact for fact in facts)
    assert len(statement.note.encode()) <= 4096
    assert "\0" not in statement.note
    assert statement.dedupe_key
    if statement.occurred_at is not None:
        assert statement.occurred_at.utcoffset() == timedelta(0)
        assert 2000 <= statement.occurred_at.year <= 2100


@pytest.mark.parametrize("name", SOURCES)
@settings(deadline=None, max_examples=60)
@given(body=st.binary(max_size=200) | ANY_JSON.map(lambda value: json.dumps(value).encode()))
def test_no_bytes_make_parse_raise(name: str, body: bytes) -> None:
    source = SOURCES[name]
    built = preset(source.provider).build(source)
    for statement in built.parse(replace(posted(source), body=body)):
        assert_bounded(statement)


@pytest.mark.parametrize("golden", GOLDENS, ids=str)
@settings(deadline=None, max_examples=30)
@given(data=st.data())
def test_no_damaged_event_makes_parse_raise(golden: Golden, data: st.DataObject) -> None:
    source, request, _ = golden.load()
    body = damaged(data, request.body)
    for statement in preset(source.provider).build(source).parse(replace(request, body=body)):
        assert_bounded(statement)


@pytest.mark.parametrize("name", SOURCES)
def test_parsing_twice_gives_the_same_keys_and_statements(name: str) -> None:
    provider, request = preset(SOURCES[name].provider).build(SOURCES[name]), posted(SOURCES[name])
    assert provider.parse(request) == provider.parse(request)


@pytest.mark.parametrize("name", SOURCES)
def test_a_built_provider_does_not_show_its_secrets(name: str) -> None:
    source = SOURCES[name]
    assert "secret-old" not in repr(preset(source.provider).build(source))


def test_the_setup_of_every_preset_is_numbered_steps() -> None:
    for each in PRESETS:
        assert each.setup.startswith("1. ")
