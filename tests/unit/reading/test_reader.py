"""A layout reads what its sender writes: subjects, names, times, facts, money and meanings."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from service.domain.events import Alias, Fate, Lookup, Money
from service.domain.keys import body_key
from service.intake.provider import RawRequest
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.money import Amount
from service.intake.reading.reader import Reader
from service.settings import Source

AT = datetime(2026, 1, 15, 10, 30, tzinfo=UTC)
LAYOUT = Layout(
    title="Parcels & Co",
    key=("id",),
    says=(
        Says(
            "type",
            {
                "scan": Branch(
                    "scan.word",
                    {"MOVING": "delivery.in_transit", "HOME": "delivery.delivered"},
                    absent="facts",
                ),
                "refund": "facts",
                "note": "ignore: it is for people",
                "changed": "look up",
            },
            ours=("scan", "refund", "parcel"),
        ),
    ),
    ref="order",
    when="at",
    parcel="scan.parcel",
    returns="scan.back",
    reason="scan.why",
    aliases={"tracking": "scan.tracking", "order:parcels": "header:X-Order"},
    facts={"place": "scan.place"},
    amounts={"amount": Amount("total", "currency", "minor")},
    money=(MoneyAt("refunded", "refund.sum", "currency", "refund.id", "minor", ("refund",)),),
    lookup=("parcel", "parcel_id"),
)


def reader(layout: Layout = LAYOUT, **rules: Any) -> Reader:
    known = {"name": "parcels", "provider": "parcels", **rules}
    return Reader.of(layout, Source.model_validate(known))


def request(body: object, **headers: str) -> RawRequest:
    wire = tuple((name.lower().replace("_", "-"), value) for name, value in headers.items())
    return RawRequest("POST", "/webhooks/parcels", "", wire, orjson.dumps(body), AT)


SCAN = {
    "id": "e-1",
    "type": "scan",
    "order": "1001",
    "at": "2026-01-15T10:00:00Z",
    "total": 14990,
    "currency": "EUR",
    "scan": {
        "word": "MOVING",
        "parcel": "p-1",
        "tracking": "T1",
        "place": "Hub",
        "why": "weather",
        "back": False,
    },
}


def test_a_full_event_is_read_in_all_its_parts() -> None:
    (said,) = reader().read(request(SCAN, X_Order="77"))
    assert (said.dedupe_key, said.ref, said.code) == ("e-1", "1001", "scan")
    assert (said.lane, said.status, said.parcel) == ("delivery", "in_transit", "p-1")
    assert said.returns is False
    assert said.reason == "weather"
    assert said.occurred_at == datetime(2026, 1, 15, 10, 0, tzinfo=UTC)
    assert said.aliases == (Alias("tracking", "T1"), Alias("order:parcels", "77"))
    assert said.attributes == {"place": "Hub", "amount": "149.90", "currency": "EUR"}
    assert said.fate is Fate.FOLD


def test_an_event_that_knows_only_another_name_waits_for_the_link() -> None:
    (said,) = reader().read(request({**SCAN, "order": None}))
    assert (said.ref, said.fate) == (None, Fate.FOLD)
    assert said.aliases == (Alias("tracking", "T1"),)


def test_an_event_without_any_name_is_a_dead_letter() -> None:
    scan = {"word": "MOVING"}
    (said,) = reader().read(request({**SCAN, "order": None, "scan": scan}))
    assert said.fate is Fate.UNRESOLVED


def test_an_alias_of_the_configuration_joins_those_of_the_layout() -> None:
    configured = reader(subject={"aliases": {"doc:erp": "document"}})
    (said,) = configured.read(request({**SCAN, "document": "D-5"}))
    assert said.aliases == (Alias("tracking", "T1"), Alias("doc:erp", "D-5"))


def test_a_parcel_on_its_way_back_is_marked() -> None:
    (said,) = reader().read(request({**SCAN, "scan": {**SCAN["scan"], "back": True}}))  # type: ignore[dict-item]
    assert said.returns is True


def test_money_moves_only_with_the_words_it_belongs_to() -> None:
    refund = {**SCAN, "type": "refund", "refund": {"id": "r-1", "sum": 500}}
    (said,) = reader().read(request(refund))
    assert said.money == (Money("refunded", "5.00", "EUR", "r-1"),)
    (said,) = reader().read(request({**refund, "type": "scan"}))
    assert said.money == ()


@pytest.mark.parametrize(
    ("change", "fate", "target"),
    [
        ({"type": "note"}, Fate.IGNORED, None),
        ({"type": "invoice"}, Fate.IGNORED, None),
        ({"type": "parcel"}, Fate.UNMAPPED, None),
        ({"type": None}, Fate.UNMAPPED, None),
        ({"scan": {"word": "LOST"}}, Fate.UNMAPPED, None),
        ({"scan": {"word": "home"}}, Fate.FOLD, "delivered"),
        ({"scan": {}}, Fate.FOLD, None),
    ],
)
def test_every_word_has_a_meaning_or_an_explanation(
    change: dict[str, object], fate: Fate, target: str | None
) -> None:
    (said,) = reader().read(request({**SCAN, **change}))
    assert (said.fate, said.status) == (fate, target)
    assert bool(said.note) is (fate is not Fate.FOLD)


def test_the_statuses_of_a_source_outrank_the_layout() -> None:
    own = reader(statuses={"parcel": "delivery.lost", "scan": "ignore"})
    (said,) = own.read(request({**SCAN, "type": "parcel"}))
    assert (said.lane, said.status) == ("delivery", "lost")
    (said,) = own.read(request(SCAN))
    assert said.fate is Fate.IGNORED


def test_a_thin_event_names_what_is_to_be_looked_up() -> None:
    thin = {"id": "e-2", "type": "changed", "parcel_id": "p-9"}
    (said,) = reader().read(request(thin))
    assert (said.fate, said.lookup) == (Fate.LOOK_UP, Lookup("parcel", "p-9"))
    assert said.dedupe_key == "e-2"
    (said,) = reader(replace(LAYOUT, key=())).read(request(thin))
    assert said.dedupe_key == f"parcel:p-9:{int(AT.timestamp() * 1000)}"
    (said,) = reader().read(request({"id": "e-2", "type": "changed"}))
    assert said.fate is Fate.UNMAPPED


def test_each_line_of_a_history_is_an_event_of_its_own() -> None:
    history = replace(
        LAYOUT,
        items="lines",
        key=("root.number", "word", "at"),
        says=(Says("word", {"MOVING": "delivery.in_transit", "HOME": "delivery.delivered"}),),
        ref="root.order",
        parcel="",
        returns="",
        reason="",
        aliases={"tracking": "root.number"},
        facts={},
        amounts={},
        money=(),
    )
    body = {
        "number": "T1",
        "order": "1001",
        "lines": [
            {"word": "MOVING", "at": "2026-01-14T08:00:00Z"},
            {"word": "HOME", "at": "2026-01-15T09:00:00Z"},
            "no line",
        ],
    }
    said = reader(history).read(request(body))
    assert [each.dedupe_key for each in said[:2]] == [
        "T1:MOVING:2026-01-14T08:00:00Z",
        "T1:HOME:2026-01-15T09:00:00Z",
    ]
    assert [each.status for each in said[:2]] == ["in_transit", "delivered"]
    assert [each.ref for each in said] == ["1001", "1001", None]
    assert said[2].fate is Fate.UNREADABLE


def test_an_event_may_say_several_things_and_moves_its_money_once() -> None:
    several = replace(
        LAYOUT, says=(*LAYOUT.says, Says("scan.word", {"MOVING": "fulfillment.shipped"}))
    )
    several = replace(several, money=(MoneyAt("paid", "total", "'EUR'", spelling="minor"),))
    first, second = reader(several).read(request(SCAN))
    assert (first.dedupe_key, second.dedupe_key) == ("e-1", "e-1:1")
    assert (first.status, second.status) == ("in_transit", "shipped")
    assert first.money == (Money("paid", "149.90", "EUR"),)
    assert second.money == ()


def test_money_may_depend_on_another_word_than_the_code_and_be_zero() -> None:
    told = replace(
        LAYOUT,
        amounts={"amount": Amount("total", "currency", "minor", when=("refund",))},
        money=(
            MoneyAt("refunded", "total", "currency", "id", "minor", ("HOME",), ("scan.word",)),
            MoneyAt(
                "refunded",
                "'0'",
                "currency",
                "id",
                when=("scan:MOVING",),
                words=("type", "scan.word"),
            ),
        ),
    )
    (failed,) = reader(told).read(request(SCAN))
    (done,) = reader(told).read(request({**SCAN, "scan": {"word": "HOME"}}))
    (neither,) = reader(told).read(request({**SCAN, "type": "refund", "scan": None}))
    assert (Money("refunded", "0", "EUR", "e-1"),) == failed.money
    assert (Money("refunded", "149.90", "EUR", "e-1"),) == done.money
    assert () == neither.money
    assert "amount" not in failed.attributes
    assert "149.90" == neither.attributes["amount"]


def test_a_zone_of_the_layout_holds_until_the_source_sets_its_own() -> None:
    local = replace(LAYOUT, zone="Europe/Moscow")
    body = {**SCAN, "at": "2026-01-15T10:00:00"}
    (said,) = reader(local).read(request(body))
    assert said.occurred_at == datetime(2026, 1, 15, 7, 0, tzinfo=UTC)
    (said,) = reader(local, timezone="UTC").read(request(body))
    assert said.occurred_at == datetime(2026, 1, 15, 10, 0, tzinfo=UTC)


@pytest.mark.parametrize("body", [[], "text", 5, None, {}, {"type": "scan"}])
def test_what_cannot_be_named_is_unreadable(body: object) -> None:
    (said,) = reader().read(request(body))
    assert said.fate is Fate.UNREADABLE


def test_a_key_too_long_to_keep_is_shortened_without_meeting_another() -> None:
    one, other = ({**SCAN, "id": "x" * 300, "at": at} for at in ("", "2026-01-15T10:00:00Z"))
    (first,), (second,) = (
        reader(replace(LAYOUT, key=("id", "at"))).read(request(each)) for each in (one, other)
    )
    assert len(first.dedupe_key) == len(second.dedupe_key) == 64
    assert first.dedupe_key != second.dedupe_key


def test_our_own_write_that_comes_back_is_ignored() -> None:
    told = replace(LAYOUT, author="by")
    own = reader(told, options={"own_user": "42"})
    (said,) = own.read(request({**SCAN, "by": 42}))
    assert said.fate is Fate.IGNORED
    (said,) = own.read(request({**SCAN, "by": 7}))
    assert (said.fate, said.status) == (Fate.FOLD, "in_transit")
    (said,) = reader(told).read(request({**SCAN, "by": None}))
    assert said.fate is Fate.FOLD


def test_an_unknown_word_is_called_what_people_call_it() -> None:
    called = (Says("a == 'b' && c || d", {}, called="code of Parcels & Co"),)
    layout = Layout(title="Parcels & Co", says=called, ref="order")
    (said,) = reader(layout).read(request({"order": "1001", "d": "ODD"}))
    assert (Fate.UNMAPPED, "`ODD` is no code of Parcels & Co we know.") == (
        said.fate,
        said.note.partition(" Untimed")[0],
    )


NESTED = Layout(
    title="Parcels & Co",
    items="parcels",
    inner=("legs", "scans"),
    says=(Says("word", {"MOVING": "delivery.in_transit"}),),
    ref="root.order",
    key=("up.up.number", "up.leg", "at"),
    when="at",
)


def test_the_events_of_lists_within_lists_know_what_is_around_them() -> None:
    def scan(day: int) -> dict[str, str]:
        return {"word": "MOVING", "at": f"2026-01-1{day}T10:00:00Z"}

    legs = [{"leg": 1, "scans": [scan(0), scan(1)]}, {"leg": 2, "scans": []}]
    body = {"order": "1001", "parcels": [{"number": "p-1", "legs": legs}]}
    said = reader(NESTED).read(request(body))
    keys = ["p-1:1:2026-01-10T10:00:00Z", "p-1:1:2026-01-11T10:00:00Z"]
    assert keys == [each.dedupe_key for each in said]
    assert ["1001", "1001"] == [each.ref for each in said]


@pytest.mark.parametrize("within", [{}, {"legs": None}, {"legs": [{"scans": 1}]}, {"legs": [1]}])
def test_an_item_without_its_inner_list_is_unreadable(within: dict[str, Any]) -> None:
    (said,) = reader(NESTED).read(request({"parcels": [{"number": "p-1", **within}]}))
    assert Fate.UNREADABLE is said.fate


def test_inner_events_are_counted_together() -> None:
    legs = [{"scans": [{"word": "MOVING"}] * 600}] * 2
    (said,) = reader(NESTED).read(request({"parcels": [{"legs": legs}]}))
    assert "It carries more than 1000 events." == said.note


def test_events_without_an_id_are_named_by_their_bytes_and_what_stands_beside() -> None:
    made = reader(replace(LAYOUT, key=("body:sha256", "header:X-Topic")))
    sent = request(SCAN, X_Topic="scans")
    (said,) = made.read(sent)
    assert f"{body_key(sent.body)}:scans" == said.dedupe_key
