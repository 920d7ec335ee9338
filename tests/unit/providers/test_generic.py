"""The generic provider: stdlib hmac as oracle, and every way a mapping can miss."""

import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Statement
from service.domain.keys import body_key
from service.intake.provider import Genuine, RawRequest
from service.intake.providers import registry
from service.intake.providers.anyone import generic
from service.settings import Secret, Source

NOW = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
USUAL: dict[str, Any] = {
    "verify": {"scheme": "hmac", "header": "X-Signature"},
    "key": "id",
    "subject": {"ref": "order"},
    "status": "state",
    "statuses": {"PICKING": "fulfillment.picking", "NOISE": "ignore"},
}


def source(**rules: Any) -> Source:
    secrets = (Secret.plain("secret"),)
    return Source.model_validate(
        {"name": "wms", "provider": "generic", "secrets": secrets, **USUAL, **rules}
    )


def parse(document: Any, *headers: tuple[str, str], **rules: Any) -> list[Statement]:
    body = document if isinstance(document, bytes) else json.dumps(document).encode()
    request = RawRequest("POST", "/webhooks/wms", "", headers, body, NOW)
    return list(generic.build(source(**rules)).parse(request))


def fates(statements: list[Statement]) -> list[str]:
    return [statement.fate.value for statement in statements]


PICKED = {"id": "w-1", "order": "1001", "state": "PICKING"}


@given(body=st.binary(max_size=100), stamp=st.integers(-300, 300))
def test_whatever_the_standard_library_signs_is_genuine(body: bytes, stamp: int) -> None:
    time = str(int(NOW.timestamp()) + stamp)
    rule = {"scheme": "hmac", "algorithm": "sha512", "header": "X-S", "timestamp_header": "X-T"}
    built = generic.build(source(verify={**rule, "signed": "v0:{timestamp}:{body}:{timestamp}"}))
    message = f"v0:{time}:".encode() + body + f":{time}".encode()
    signature = hmac.new(b"secret", message, "sha512").hexdigest()
    request = RawRequest("POST", "/", "", (("x-s", signature), ("x-t", time)), body, NOW)
    assert Genuine() == built.verify(request, now=NOW)


def test_one_object_is_one_event() -> None:
    (statement,) = parse(PICKED)
    expected = Statement("w-1", ref="1001", lane="fulfillment", status="picking", code="PICKING")
    assert expected == statement


@pytest.mark.parametrize(
    ("document", "items"),
    [
        ([PICKED, PICKED], None),
        ({"events": [PICKED, PICKED]}, "events"),
        ({"events": [PICKED, PICKED]}, "events[]"),
        ({"pages": [{"events": [PICKED]}, {"events": [PICKED]}]}, "pages[].events[]"),
        ([PICKED, PICKED], "@"),
    ],
)
def test_lists_at_the_top_or_where_items_points_are_many_events(
    document: Any, items: str | None
) -> None:
    assert ["fold", "fold"] == fates(parse(document, items=items))


def test_items_that_point_at_one_object_are_one_event() -> None:
    assert ["fold"] == fates(parse({"event": PICKED}, items="event"))


def test_a_list_of_a_thousand_is_read_and_one_more_is_unreadable_as_a_whole() -> None:
    many = [{**PICKED, "id": number} for number in range(1001)]
    assert 1000 == len(parse(many[:1000]))
    (statement,) = parse(many)
    assert (Fate.UNREADABLE, body_key(json.dumps(many).encode())) == (
        statement.fate,
        statement.dedupe_key,
    )


def test_without_a_key_the_bytes_and_the_place_are_the_identity() -> None:
    body = json.dumps([PICKED, PICKED]).encode()
    keys = [statement.dedupe_key for statement in parse(body, key=None)]
    assert [f"{body_key(body)}:0", f"{body_key(body)}:1"] == keys
    (single,) = parse(PICKED, key=None)
    assert body_key(json.dumps(PICKED).encode()) == single.dedupe_key


def test_a_configured_key_that_is_missing_makes_the_item_unreadable_and_no_other() -> None:
    statements = parse([PICKED, {"order": "1002", "state": "PICKING"}])
    assert ["fold", "unreadable"] == fates(statements)
    assert statements[1].dedupe_key.endswith(":1")
    assert "There is no usable key at `id`." == statements[1].note


def test_a_key_header_names_the_request_and_each_item_by_its_place() -> None:
    rules = {"key": "header:X-Event-Id"}
    (single,) = parse(PICKED, ("x-event-id", "d-1"), **rules)
    pair = parse([PICKED, PICKED], ("x-event-id", "d-1"), **rules)
    assert ["d-1", "d-1:0", "d-1:1"] == [each.dedupe_key for each in [single, *pair]]


@pytest.mark.parametrize(
    "headers",
    [(), (("x-event-id", "a"), ("x-event-id", "b")), (("x-event-id", "\udcff"),)],
)
def test_a_key_header_that_is_missing_doubled_or_broken_is_unreadable(
    headers: tuple[tuple[str, str], ...],
) -> None:
    (statement,) = parse(PICKED, *headers, key="header:X-Event-Id")
    assert Fate.UNREADABLE is statement.fate
    assert "There is no usable key at `header:X-Event-Id`." == statement.note


def test_a_key_that_grows_too_long_with_its_place_is_unreadable() -> None:
    (statement,) = parse([PICKED], ("x-event-id", "d" * 256), key="header:X-Event-Id")
    assert Fate.UNREADABLE is statement.fate


@pytest.mark.parametrize(
    ("change", "fate", "note"),
    [
        ({"state": "STRANGE"}, "unmapped", "The status word `STRANGE` is not in the statuses"),
        ({"state": "picking"}, "unmapped", "The status word `picking` is not in the statuses"),
        ({"state": None}, "unmapped", "There is no status word at `state`."),
        ({"state": {"id": 1}}, "unmapped", "There is no status word at `state`."),
        ({"state": "NOISE"}, "ignored", "The statuses of this source ignore `NOISE`."),
        ({"order": ""}, "unresolved_subject", "The event names no usable order: what is at"),
        ({"order": None}, "unresolved_subject", "The event names no order: there is nothing at"),
    ],
)
def test_what_misses_the_mapping_is_told(change: dict[str, Any], fate: str, note: str) -> None:
    (statement,) = parse({**PICKED, **change})
    assert [fate] == fates([statement])
    assert statement.note.startswith(note)


def test_a_source_without_statuses_carries_facts_only() -> None:
    rules = {"status": None, "statuses": {}, "attributes": {"vip": "vip"}}
    (fact,) = parse({"id": "1", "order": "1001", "vip": True}, **rules)
    (nothing,) = parse({"id": "1", "order": "1001"}, **rules)
    assert (Fate.FOLD, None, {"vip": True}) == (fact.fate, fact.lane, fact.attributes)
    assert Fate.IGNORED is nothing.fate


@pytest.mark.parametrize(
    ("rules", "sentence"),
    [
        ({"verify": None}, "The source wms has no verify rule"),
        ({"secrets": ()}, "The source wms has no secrets"),
        ({"subject": {}}, "The source wms does not say where the order number is"),
    ],
)
def test_a_source_that_proves_or_names_nothing_cannot_be_built(
    rules: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(ConfigurationError, match=sentence):
        generic.build(source(**rules))


def test_an_unknown_provider_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(ConfigurationError, match=r"this version knows .*stripe, "):
        registry.preset("acme")
