"""Every preset: what it must take, refuse and make of what its simulated sender posts."""

import json
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Statement
from service.domain.keys import body_key
from service.domain.lifecycles import LIFECYCLES
from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.registry import PRESETS, preset
from service.intake.reading.mapping import Unreadable
from service.sandbox import senders
from service.settings import Source
from tests import simulated, vectors
from tests.simulated import AT, NEW, OLD, OTHER, judge, judged, posted, signer

MAPPED = dict(simulated.sender("generic").rules)
TIMED = {"header": "X-Signature", "signed": "{timestamp}.{body}", "timestamp_header": "X-Time"}


def generic(**verify: str) -> Source:
    return simulated.source("generic", verify=verify)


def written(form: str, at: str = "") -> Source:
    """Another format, with its paths below one element where it must have one."""
    return simulated.source(
        "generic",
        verify={"scheme": "hmac", "header": "X-Signature"},
        format=form,
        key=f"{at}id",
        subject={"ref": f"{at}order.number", "normalize": ("trim",)},
        occurred_at=f"{at}at",
        status=f"{at}state",
        attributes={"amount": f"{at}total", "vip": f"{at}customer.vip"},
    )


SOURCES: dict[str, Source] = {
    each.name: simulated.source(each.name) for each in PRESETS if each.name in senders.SENDERS
} | {
    "generic base64": generic(
        scheme="hmac", algorithm="sha512", encoding="base64", header="X-Hub", prefix="v1="
    ),
    "generic sha1": generic(scheme="hmac", algorithm="sha1", header="X-Signature"),
    "generic bearer": generic(scheme="bearer"),
    "generic basic": generic(scheme="basic"),
    "generic header": generic(scheme="header", header="X-Api-Key", prefix="Key "),
    "generic query": generic(scheme="query", parameter="key"),
    "generic url token": generic(scheme="url_token"),
    "generic form": written("form"),
    "generic xml": written("xml", "event."),
    "generic cloudevents": written("cloudevents", "data."),
}
SIGNED = [name for name, source in SOURCES.items() if signer(source).signs_body]
WITH_TIME = [name for name, source in SOURCES.items() if signer(source).timed]


def place_of(source: Source) -> tuple[str, str]:
    kind, _, name = signer(source).proof_at.partition(":")
    return kind, name


IN_HEADER = [name for name, source in SOURCES.items() if place_of(source)[0] == "header"]


# --- parts of requests -------------------------------------------------------------------------


def taken(request: RawRequest, place: str) -> str:
    """Take what stands at a place."""
    kind, _, name = place.partition(":")
    match kind:
        case "header":
            return dict(request.headers)[name.lower()]
        case "query":
            return dict(parse_qsl(request.query, keep_blank_values=True))[name]
        case "form":
            return dict(parse_qsl(request.body.decode(), keep_blank_values=True))[name]
        case "url":
            return request.tail.partition("/")[0]
        case "whole":
            return request.body.decode()
        case _:
            return str(_leaf(orjson.loads(request.body), name)[0][_leaf_name(name)])


def put(request: RawRequest, place: str, *values: str) -> RawRequest:
    """Write other values at a place: none, one, or several."""
    kind, _, name = place.partition(":")
    match kind:
        case "header":
            others = tuple(pair for pair in request.headers if pair[0] != name.lower())
            return replace(request, headers=(*others, *((name.lower(), each) for each in values)))
        case "query":
            kept = [
                pair for pair in parse_qsl(request.query, keep_blank_values=True) if pair[0] != name
            ]
            return replace(request, query=urlencode([*kept, *((name, each) for each in values)]))
        case "form":
            there = parse_qsl(request.body.decode(), keep_blank_values=True)
            kept = [pair for pair in there if pair[0] != name]
            body = urlencode([*kept, *((name, each) for each in values)]).encode()
            return replace(request, body=body)
        case "url":
            return replace(request, tail="/".join(values))
        case "whole":
            return replace(request, body="".join(values).encode("utf-8", "surrogatepass"))
        case _:
            document = orjson.loads(request.body)
            for parent in _leaf(document, name):
                parent.pop(_leaf_name(name))
                parent |= {_leaf_name(name): value for value in values}
            return replace(request, body=orjson.dumps(document))


def _leaf_name(path: str) -> str:
    return path.rpartition(".")[2].strip('"')


def _leaf(document: Any, path: str) -> list[dict[str, Any]]:
    """Walk to the object that holds the last name of a plain path."""
    for step in path.split(".")[:-1]:
        name, bracket, number = step.strip('"').partition("[")
        document = document[name] if name else document
        document = document[int(number.rstrip("]"))] if bracket else document
    return [document]


def flipped(text: str, place: int) -> str:
    return text[:place] + chr(ord(text[place]) ^ 1) + text[place + 1 :]


# --- that nothing is forgotten -----------------------------------------------------------------


def test_every_preset_has_goldens_and_a_simulated_sender_with_samples() -> None:
    names = {each.name for each in PRESETS}
    assert len(names) == len(PRESETS)
    assert names == set(senders.SENDERS)
    assert names == {golden.provider for golden in GOLDENS} & names
    for each in senders.SENDERS.values():
        assert each.usual in each.samples


@pytest.mark.parametrize("each", PRESETS, ids=lambda each: each.name)
def test_a_preset_says_what_people_must_know(each: Any) -> None:
    assert each.setup.startswith("1. ")
    assert each.title
    assert each.scheme
    assert each.identity
    assert each.proof.by or each.proof.kind == "none"
    assert all(doubt.endswith(".") for doubt in each.doubts)
    assert set(simulated.source(each.name).options) <= set(each.options)


# --- what is genuine ---------------------------------------------------------------------------


def samples(source: Source) -> Iterator[tuple[str, RawRequest]]:
    """Post every sample; a source with a mapping of its own has no word for most."""
    for name in senders.SAMPLES[source.provider]:
        try:
            yield name, posted(source, sample=name)
        except ConfigurationError:
            assert preset(source.provider).mapped


@pytest.mark.parametrize("name", SOURCES)
def test_every_sample_is_genuine_and_says_something_we_know(name: str) -> None:
    source = SOURCES[name]
    built, verdict = preset(source.provider).build(source), judge(source)
    keys = set[str]()
    for sample, request in samples(source):
        assert (sample, Genuine()) == (sample, verdict(request))
        statements = built.parse(built.redact(request))
        for said in statements:
            assert_known(said)
            assert said.fate not in (Fate.UNREADABLE, Fate.UNMAPPED, Fate.UNRESOLVED), said.note
        assert len(statements) == len({each.dedupe_key for each in statements})
        keys |= {each.dedupe_key for each in statements}
    assert keys


def assert_known(said: Statement) -> None:
    known = LIFECYCLES[said.lifecycle].find(said.lane, said.status)
    assert (said.status is None) == (known is None)
    if said.fate is Fate.FOLD:
        assert said.ref or said.aliases
        assert said.status or said.attributes or said.aliases or said.money or said.revokes
    else:
        assert said.note
    assert (said.lookup is not None) == (said.fate is Fate.LOOK_UP)


@pytest.mark.parametrize("name", SOURCES)
def test_while_a_secret_is_changed_both_are_taken(name: str) -> None:
    source = SOURCES[name]
    if simulated.pair(source.provider, OLD).verify_with is None:
        pytest.skip("its keys come from the network")
    for words in [(NEW, OLD), (OLD, NEW)]:
        rules = source.model_dump(include={"verify", "format", *MAPPED}, exclude_unset=True)
        both = simulated.source(source.provider, *words, **rules)
        assert Genuine() == judged(both, posted(both, word=OLD))
        assert Genuine() == judged(both, posted(both, word=NEW))


@pytest.mark.parametrize("name", SOURCES)
def test_a_request_sent_again_has_the_same_keys_and_statements(name: str) -> None:
    source, later = SOURCES[name], AT + timedelta(seconds=90)
    built = preset(source.provider).build(source)
    first = posted(source)
    again = replace(posted(source, at=later), received_at=later)
    assert Genuine() == judged(source, again, now=later)
    told, told_again = ([*built.parse(built.redact(each))] for each in (first, again))
    assert told
    if all(said.fate is Fate.LOOK_UP for said in told):
        return  # What it is then is asked anew.
    assert told == told_again
    assert told == [*built.parse(built.redact(first))]


@pytest.mark.parametrize("name", SOURCES)
def test_what_is_parsed_stored_and_shown_carries_no_secret(name: str) -> None:
    source = SOURCES[name]
    built, request = preset(source.provider).build(source), posted(source)
    redacted = built.redact(request)
    assert redacted == built.redact(redacted)
    assert built.parse(request) == built.parse(redacted)
    secret = simulated.signing(source, OLD)
    shown = (secret.url_token or secret.secrets[0]).reveal().decode()
    assert shown not in repr(redacted).replace("%3A", ":").replace("+", " ")
    assert shown not in repr(built)


@pytest.mark.parametrize("name", SOURCES)
def test_a_webhook_is_no_handshake_and_a_handshake_never_raises(name: str) -> None:
    source = SOURCES[name]
    built, request = preset(source.provider).build(source), posted(source)
    assert built.handshake(request) is None
    assert built.refusal in range(400, 600)
    for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE"):
        for body in (b"", b"junk", b"[" * 5000, b"null", b"{}", b"[]", b'{"challenge":1}', b"a=b"):
            for query in ("", "a=%ff&&=b", "echostr=%00&challenge=a&validationToken=%ff"):
                asked = replace(request, method=method, body=body, query=query, headers=())
                reply = built.handshake(asked)
                assert reply is None or len(reply.body) <= 4096


# --- what is not -------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SOURCES)
def test_another_secret_is_refused_with_the_reason(name: str) -> None:
    answer = judged(SOURCES[name], posted(SOURCES[name], word=OTHER))
    assert isinstance(answer, Forged)
    assert answer.cause in (Cause.WRONG_SECRET, Cause.UNKNOWN_KEY)
    assert "secret-" not in answer.reason


@pytest.mark.parametrize("name", SIGNED)
def test_one_flipped_bit_anywhere_in_the_body_is_refused(name: str) -> None:
    request, verdict = posted(SOURCES[name]), judge(SOURCES[name])
    for place in range(0, len(request.body), max(1, len(request.body) // 60)):
        body = bytearray(request.body)
        body[place] ^= 1
        changed = replace(request, body=bytes(body))
        assert isinstance(verdict(changed), Forged), bytes(body)


@pytest.mark.parametrize("name", SIGNED)
@pytest.mark.parametrize("body", [b"", b"junk", b"\xff\xfe", b"{}"])
def test_another_body_is_refused(name: str, body: bytes) -> None:
    assert isinstance(judged(SOURCES[name], replace(posted(SOURCES[name]), body=body)), Forged)


@pytest.mark.parametrize("name", SOURCES)
def test_one_flipped_bit_anywhere_in_the_proof_is_refused(name: str) -> None:
    source = SOURCES[name]
    request, verdict, signs = posted(source), judge(source), signer(source)
    for place in (signs.proof_at, *signs.also):
        value = taken(request, place)
        # The last letters of base64 may hold bits that mean nothing.
        end = len(value) - 4 if place == signs.proof_at else len(value)
        for at in range(0, end, max(1, end // 40)):
            changed = put(request, place, flipped(value, at))
            assert isinstance(verdict(changed), Forged), (place, flipped(value, at))


@pytest.mark.parametrize("name", SOURCES)
def test_a_missing_proof_is_refused_and_called_that(name: str) -> None:
    source = SOURCES[name]
    answer = judged(source, put(posted(source), signer(source).proof_at))
    assert isinstance(answer, Forged)
    if place_of(source)[0] != "whole":
        assert Cause.MISSING == answer.cause, answer.reason


@pytest.mark.parametrize("name", SOURCES)
def test_each_signed_place_that_is_empty_is_refused(name: str) -> None:
    source = SOURCES[name]
    for place in (signer(source).proof_at, *signer(source).also):
        assert isinstance(judged(source, put(posted(source), place, "")), Forged)
        assert isinstance(judged(source, put(posted(source), place)), Forged)


@pytest.mark.parametrize(
    "name",
    [each for each in SOURCES if place_of(SOURCES[each])[0] in ("header", "query", "form")],
)
def test_a_proof_sent_twice_is_refused_even_if_one_is_right(name: str) -> None:
    source = SOURCES[name]
    request, place = posted(source), signer(source).proof_at
    right = taken(request, place)
    for values in [(right, right), ("wrong", right), (right, "wrong")]:
        answer = judged(source, put(request, place, *values))
        assert isinstance(answer, Forged)
        if place.startswith("header:"):
            assert Cause.REPEATED == answer.cause, answer.reason


@pytest.mark.parametrize("name", IN_HEADER)
def test_a_proof_that_looks_like_another_header_is_refused(name: str) -> None:
    source = SOURCES[name]
    request, header = posted(source), place_of(source)[1].lower()
    if "-" not in header:
        pytest.skip("it cannot be written otherwise")
    right = dict(request.headers)[header]
    twin = (*request.headers, (header.replace("-", "_"), right))
    assert isinstance(judged(source, replace(request, headers=twin)), Forged)


JUNK = [
    *("", " ", "t=1,v1=é", "\udcff\udcfe", "=" * 100, "v1=" + "a," * 2000, "x" * 9000, "t=,v1="),
    *("a.b.c", "Bearer ", "Basic !", "{}", "e30=", "\0", "0" * 64, "-1"),
]


@pytest.mark.parametrize("name", SOURCES)
def test_junk_in_place_of_the_proof_is_refused(name: str) -> None:
    source = SOURCES[name]
    request, verdict, signs = posted(source), judge(source), signer(source)
    right = taken(request, signs.proof_at)
    many = [separator.join([right] * 30) for separator in (" ", ",")]
    for place in (signs.proof_at, *signs.also):
        for value in [*JUNK, *many]:
            if not value.isascii() and place.partition(":")[0] not in ("header", "url"):
                continue
            assert isinstance(verdict(put(request, place, value)), Forged), (place, value[:40])


@pytest.mark.parametrize("name", WITH_TIME)
def test_a_signed_time_is_taken_within_the_tolerance_on_both_sides(name: str) -> None:
    source = SOURCES[name]
    verdict, limit = judge(source), source.tolerance
    second = timedelta(seconds=1)
    for late in (limit - second, -limit + second):
        assert Genuine() == verdict(posted(source), now=AT + late)
    for late in (limit + 2 * second, -limit - 2 * second):
        answer = verdict(posted(source), now=AT + late)
        assert isinstance(answer, Forged)
        assert Cause.STALE_CLOCK == answer.cause, answer.reason
        assert answer.skew in (None, -late)


# --- hostile bodies ----------------------------------------------------------------------------

MANY = 100_000
HOSTILE: dict[str, bytes] = {
    "nothing": b"",
    "nul": b"\0",
    "words": b"junk",
    "no utf-8": b"\xff\xfe\x00\x01" * 64,
    "open lists": b"[" * 5000,
    "deep lists": b"[" * 65 + b"]" * 65,
    "deep objects": b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    "lone surrogate": b'"\\ud800"',
    "no number": b"NaN",
    "null": b"null",
    "list": b"[]",
    "object": b"{}",
    "text": b'"a"',
    "same key": b"{" + b",".join(b'"id":%d' % n for n in range(20_000)) + b"}",
    "huge number": b'{"id":' + b"9" * 100_000 + b',"amount":1e999999}',
    "huge exponent": b'{"id":1e308,"amount":"1e999999999","created":99999999999999999999}',
    "nul in texts": b'{"id":"\\u0000","type":"\\u0000","data":{"object":{"id":"\\u0000"}}}',
    "many keys": b"{" + b",".join(b'"k%d":1' % n for n in range(MANY // 4)) + b"}",
    "many items": b"[" + b",".join([b"{}"] * MANY) + b"]",
    "entities": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "'
    + b"x" * 1000
    + b'"><!ENTITY c "'
    + b"&b;" * 1000
    + b'">]><a>'
    + b"&c;" * 1000
    + b"</a>",
    "outside entity": b'<!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
    "many elements": b"<a>" + b"<b/>" * MANY + b"</a>",
    "many fields": b"&".join([b"a=1"] * MANY),
    "nested field": b"a" + b"[b]" * 5000 + b"=1",
    "bad percents": b"a=%ff&b=%&%00=%zz",
}


def received(source: Source, body: bytes) -> RawRequest:
    """Let the sender sign these bytes, if it can; otherwise they come unsigned."""
    try:
        return simulated.resigned(source, body)
    except (ConfigurationError, Unreadable, ValueError, TypeError, AttributeError, LookupError):
        return replace(posted(source), body=body)


@pytest.mark.parametrize("name", SOURCES)
def test_hostile_bodies_end_as_statements_or_refusals_in_little_memory(name: str) -> None:
    source = SOURCES[name]
    built, verdict = preset(source.provider).build(source), judge(source)
    requests = {kind: received(source, body) for kind, body in HOSTILE.items()}
    for kind, request in requests.items():
        tracemalloc.start()
        verdict(request)
        built.acknowledge(request)
        statements = built.parse(built.redact(request))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 32 << 20, kind
        for said in statements:
            assert_bounded(said)
            assert said.fate is not Fate.FOLD or said.ref or said.aliases


def assert_bounded(statement: Statement) -> None:
    texts = [statement.dedupe_key, statement.scope, statement.code, statement.ref or ""]
    texts += [statement.parcel or "", *(alias.value for alias in statement.aliases)]
    facts = [value for value in statement.attributes.values() if isinstance(value, str)]
    assert all(len(text.encode()) <= 256 and "\0" not in text for text in texts)
    assert all(len(fact.encode()) <= 1024 and "\0" not in fact for fact in facts)
    assert len(statement.note.encode()) <= 4096
    assert "\0" not in statement.note
    assert statement.dedupe_key
    if statement.occurred_at is not None:
        assert statement.occurred_at.utcoffset() == timedelta(0)
        assert 2000 <= statement.occurred_at.year <= 2100


@pytest.mark.parametrize("name", [name for name in SOURCES if SOURCES[name].format == "json"])
@pytest.mark.parametrize("kind", ["nothing", "no utf-8", "open lists", "deep objects"])
def test_a_genuine_body_that_cannot_be_read_becomes_one_unreadable_statement(
    name: str, kind: str
) -> None:
    source, body = SOURCES[name], HOSTILE[kind]
    request = replace(posted(source), body=body)
    (said,) = preset(source.provider).build(source).parse(request)
    assert (Fate.UNREADABLE, body_key(body)) == (said.fate, said.dedupe_key)
    assert said.note.endswith(".")


# --- goldens -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Golden:
    """A request as it came, and what it must become."""

    path: Path

    def __str__(self) -> str:
        return f"{self.provider}:{self.path.stem}"

    @property
    def provider(self) -> str:
        return self.path.parent.name

    def load(self) -> tuple[Source, RawRequest, dict[str, Any]]:
        said = json.loads(self.path.read_bytes())
        request = vectors.read_request(said, at=datetime.fromisoformat(said["received_at"]))
        return simulated.described(said["source"], self.provider), request, said


GOLDENS = [
    Golden(path) for each in PRESETS for path in sorted((vectors.GOLDEN / each.name).glob("*.json"))
]


@pytest.mark.parametrize("golden", GOLDENS, ids=str)
def test_a_golden_request_is_genuine_and_becomes_its_statements(golden: Golden) -> None:
    source, request, said = golden.load()
    served = vectors.read_keys(said)
    assert Genuine() == judged(source, request, now=request.received_at, served=served)
    built = preset(source.provider).build(source)
    statements = built.parse(built.redact(request))
    assert said["statements"] == [vectors.canonical(each) for each in statements]
    assert said.get("answer") == vectors.answer(built.acknowledge(request))
    for each in statements:
        assert_known(each)


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


@pytest.mark.parametrize("name", sorted({golden.provider for golden in GOLDENS}))
@settings(deadline=None, max_examples=25)
@given(data=st.data())
def test_no_damaged_event_makes_judging_or_parsing_raise(name: str, data: st.DataObject) -> None:
    golden = data.draw(st.sampled_from([each for each in GOLDENS if each.provider == name]))
    source, request, _ = golden.load()
    built, changed = preset(name).build(source), damaged(data, request.body)
    damage = replace(request, body=changed)
    judged(source, damage, now=request.received_at)
    for statement in built.parse(built.redact(damage)):
        assert_bounded(statement)
