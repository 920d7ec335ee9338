"""CDEK: the token in the URL, the natural key, and the map of its codes."""

import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Event, Fate, Revocation, Statement
from service.domain.law import fold
from service.domain.lifecycles import ORDER
from service.intake.provider import Forged, Genuine, RawRequest
from service.intake.providers.couriers import cdek
from service.sandbox import senders
from service.settings import Secret, Source

TOKEN, OTHER = "4f9d1c0b7a6e5d3c2b1a09f8e7d6c5b4", "0a1b2c3d4e5f60718293a4b5c6d7e8f9"
NOW = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
AT = "2026-01-15T17:12:43+0700"


def source(**rules: Any) -> Source:
    usual = {"name": "courier", "provider": "cdek", "url_token": Secret.plain(TOKEN)}
    return Source.model_validate({**usual, **rules})


def request(body: bytes = b"{}", *, tail: str = TOKEN) -> RawRequest:
    return RawRequest("POST", f"/webhooks/courier/{tail}", "", (), body, NOW, tail=tail)


def parse(kind: str = "ORDER_STATUS", *, own: Source | None = None, **told: Any) -> Statement:
    attributes = {"number": "1001", "cdek_number": "77", "status_date_time": AT, **told}
    body = {"type": kind, "uuid": "u-1", "date_time": "2026-01-15T17:20:00+0700"}
    raw = request(json.dumps({**body, "attributes": attributes}).encode())
    (said,) = cdek.build(own or source()).parse(raw)
    return said


def test_the_token_proves_who_sends_and_is_taken_out_before_anything_is_stored() -> None:
    built = cdek.build(source())
    assert Genuine() == built.verify(request(), now=NOW)
    assert Genuine() == built.verify(request(tail=f"{TOKEN}/more"), now=NOW)
    assert TOKEN not in repr(built.redact(request()))
    assert TOKEN not in repr(built)


@pytest.mark.parametrize("tail", ["", "/", OTHER, TOKEN[:-1], TOKEN + "0", TOKEN.upper(), "é"])
def test_another_token_is_refused(tail: str) -> None:
    assert isinstance(cdek.build(source()).verify(request(tail=tail), now=NOW), Forged)


def test_while_the_token_is_changed_the_old_one_is_taken() -> None:
    built = cdek.build(source(url_token=Secret.plain(OTHER), secrets=(Secret.plain(TOKEN),)))
    assert Genuine() == built.verify(request(), now=NOW)
    assert Genuine() == built.verify(request(tail=OTHER), now=NOW)


def test_a_source_without_a_token_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="has no url_token"):
        cdek.build(source(url_token=None, secrets=(Secret.plain(TOKEN),)))


@pytest.mark.parametrize(("code", "target"), cdek.CODES.items())
def test_a_code_moves_the_delivery(code: str, target: str) -> None:
    said = parse(code=code)
    assert (Fate.FOLD, "1001", code) == (said.fate, said.ref, said.code)
    assert target == f"{said.lane}.{said.status}"
    assert "77" == said.attributes["tracking_number"]


@pytest.mark.parametrize("code", ["CREATED", "SENT_TO_RECIPIENT_CITY", "DELIVERED"])
@pytest.mark.parametrize("flag", cdek.BACK)
def test_a_return_is_a_parcel_of_its_own_that_goes_back(flag: str, code: str) -> None:
    back: dict[str, Any] = {flag: True}
    said = parse(code=code, **back)
    assert (Fate.FOLD, "1001", "77", True) == (said.fate, said.ref, said.parcel, said.returns)
    assert cdek.CODES[code] == f"{said.lane}.{said.status}"
    assert "77" == said.attributes["return_tracking_number"]
    assert "tracking_number" not in said.attributes


def test_a_return_moves_its_order_only_to_returning_and_returned() -> None:
    ways = [("CREATED", "1", False), ("DELIVERED", "2", False)]
    ways += [("CREATED", "3", True), ("SENT_TO_SENDER_CITY", "4", True), ("DELIVERED", "5", True)]
    shown = []
    for number in range(1, len(ways) + 1):
        said = [
            Event(
                UUID(int=place),
                "courier",
                parse(
                    code=code,
                    is_return=back,
                    cdek_number="back" if back else "there",
                    status_date_time=f"2026-01-15T17:12:4{second}+0700",
                ),
                NOW,
            )
            for place, (code, second, back) in enumerate(ways[:number])
        ]
        shown.append(fold(ORDER, said).state.lanes["delivery"])
    expected = ["label_created", "delivered", "delivered", "returning", "returned_to_sender"]
    assert expected == shown


@pytest.mark.parametrize(("code", "target"), cdek.CODES.items())
def test_a_return_without_a_number_says_what_it_means_for_the_order(code: str, target: str) -> None:
    said = parse(code=code, is_return=True, cdek_number=None)
    expected = {
        "delivery.label_created": None,
        "delivery.delivered": "returned_to_sender",
    }.get(target, "returning")
    assert (expected, None, False) == (said.status, said.parcel, said.returns)


def test_a_parcel_has_a_tracking_number_and_a_name_at_cdek() -> None:
    names = (Alias("tracking", "77"), Alias("order:cdek", "u-1"))
    assert ("77", names) == (parse(code="DELIVERED").parcel, parse(code="DELIVERED").aliases)


def test_a_return_without_the_number_of_the_shop_has_the_names_of_the_direct_order() -> None:
    direct = {"type": "direct_order", "cdek_number": "76", "uuid": "u-0"}
    others = [{"type": "reverse_order", "cdek_number": "1", "uuid": "u-9"}, "junk"]
    said = parse(code="DELIVERED", number=None, is_return=True, related_entities=[*others, direct])
    own = (Alias("tracking", "77"), Alias("order:cdek", "u-1"))
    theirs = (Alias("tracking", "76"), Alias("order:cdek", "u-0"))
    assert (*own, *theirs) == said.aliases
    assert own == parse(code="DELIVERED", is_return=True, related_entities=[direct]).aliases


def test_a_status_that_was_deleted_is_taken_back() -> None:
    told, back = parse(code="DELIVERED"), parse(code="DELIVERED", deleted=True)
    assert Revocation("courier", told.dedupe_key) == back.revokes
    assert f"{told.dedupe_key}:revoked" == back.dedupe_key
    assert (Fate.FOLD, None, {}) == (back.fate, back.status, back.attributes)
    own = source(statuses={"DELIVERED": "delivery.delivered"})
    assert parse(code="DELIVERED", deleted=True, own=own).status is None


def test_the_identity_is_what_happened_to_which_parcel_and_when() -> None:
    said = parse(code="DELIVERED")
    assert f"ORDER_STATUS:u-1:DELIVERED:{AT}" == said.dedupe_key
    assert said == parse(code="DELIVERED")
    keys = {
        said.dedupe_key,
        parse(code="DELIVERED", status_date_time="2026-01-15T17:12:44+0700").dedupe_key,
        parse(code="CREATED").dedupe_key,
        parse(code="DELIVERED", deleted=True).dedupe_key,
        parse("DELIV_PROBLEM", code="DELIVERED").dedupe_key,
    }
    assert 5 == len(keys)


def test_a_time_is_read_with_its_own_offset_or_in_the_zone_of_the_source() -> None:
    assert datetime(2026, 1, 15, 10, 12, 43, tzinfo=UTC) == parse(code="DELIVERED").occurred_at
    own = source(timezone="Europe/Moscow")
    local = parse(code="DELIVERED", own=own, status_date_time="2026-01-15T13:12:43")
    assert datetime(2026, 1, 15, 10, 12, 43, tzinfo=UTC) == local.occurred_at
    without = parse(code="DELIVERED", status_date_time=None)
    assert datetime(2026, 1, 15, 10, 20, tzinfo=UTC) == without.occurred_at


def test_a_problem_is_a_failed_delivery_at_its_own_time() -> None:
    said = parse("DELIV_PROBLEM", code="13", create_date="2026-01-15T17:00:00+0700")
    assert ("delivery_failed", "DELIV_PROBLEM") == (said.status, said.code)
    # `status_date_time` goes first where both are there; a problem carries only the other.
    later = parse("DELIV_PROBLEM", code="13", create_date=AT, status_date_time=None)
    assert datetime(2026, 1, 15, 10, 12, 43, tzinfo=UTC) == later.occurred_at


@pytest.mark.parametrize("kind", cdek.IGNORED)
def test_a_type_without_a_status_is_ignored(kind: str) -> None:
    assert (Fate.IGNORED, None) == (parse(kind).fate, parse(kind).ref)


@pytest.mark.parametrize("code", cdek.UNMOVED)
def test_a_booking_that_came_to_nothing_is_ignored(code: str) -> None:
    assert Fate.IGNORED is parse(code=code).fate


@pytest.mark.parametrize(
    ("kind", "told", "words"),
    [
        ("ORDER_STATUS", {"code": "TELEPORTED"}, "`TELEPORTED` is no code of CDEK we know."),
        ("ORDER_STATUS", {"code": None}, "It carries no usable code of CDEK."),
        ("ORDER_STATUS", {"code": ["DELIVERED"]}, "It carries no usable code of CDEK."),
        ("TELEPORTED", {}, "`TELEPORTED` is no type of event we know."),
    ],
)
def test_what_is_not_understood_is_unmapped_and_moves_nothing(
    kind: str, told: dict[str, Any], words: str
) -> None:
    said = parse(kind, **told)
    assert (Fate.UNMAPPED, None, "1001") == (said.fate, said.status, said.ref)
    assert words in said.note


def test_a_parcel_without_the_number_of_the_shop_waits_for_what_knows_its_other_names() -> None:
    said = parse(code="DELIVERED", number=None)
    assert (Fate.FOLD, None, "delivered") == (said.fate, said.ref, said.status)
    assert said.aliases


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"type": "ORDER_STATUS"}, "it needs type and uuid"),
        ({"uuid": "u-1"}, "it needs type and uuid"),
        ({"type": "ORDER_STATUS", "uuid": "u" * 250}, "longer than 256 bytes"),
        ([], "not a JSON object"),
    ],
)
def test_a_body_that_is_no_event_is_unreadable(body: Any, words: str) -> None:
    (said,) = cdek.build(source()).parse(request(json.dumps(body).encode()))
    assert Fate.UNREADABLE is said.fate
    assert words in said.note


@pytest.mark.parametrize("name", senders.SAMPLES["cdek"])
def test_a_sample_says_the_status_it_is_named_after(name: str) -> None:
    body = senders.sample(source(), name, senders.Occasion("1001", NOW, "evt-1"))
    signed = senders.sign(source(), body, at=NOW, sample=name)
    assert TOKEN == signed.tail
    built = cdek.build(source())
    assert Genuine() == built.verify(request(signed.body, tail=signed.tail), now=NOW)
    (said,) = built.parse(request(signed.body))
    expected = {"problem": "delivery_failed", "returned": "delivered", "revoked": None}
    assert ("1001", NOW) == (said.ref, said.occurred_at)
    assert (expected.get(name, name), name == "returned") == (said.status, said.returns)
    assert (said.revokes is not None) == (name == "revoked")


def test_a_sender_without_a_token_posts_without_one() -> None:
    assert "" == senders.sign(source(url_token=None), b"{}", at=NOW).tail
