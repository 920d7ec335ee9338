"""What a mapped sender can say besides a status: parcels, names, money, and that it was wrong."""

from pathlib import Path
from typing import Any

import pytest

from service.app.known import KNOWN
from service.domain.events import Alias, Fate, Money, Revocation, Statement
from service.settings import ConfigurationProblems, load
from tests.unit.providers.test_generic import PICKED, parse
from tests.unit.test_settings_presets import BASE, ENVIRON

PARCELS = {
    "ref": "order",
    "parcel": "box",
    "returns": "way == 'back'",
    "aliases": {"tracking": "numbers", "uuid": "uuid"},
}
PAID: dict[str, Any] = {"kind": "paid", "amount": "paid", "currency": "currency"}
REFUNDED: dict[str, Any] = {
    "kind": "refunded",
    "amount": "refund.failed && '0' || refund.amount",
    "currency": "'EUR'",
    "id": "refund.id",
}


def one(document: dict[str, Any], **rules: Any) -> Statement:
    (statement,) = parse({**PICKED, **document}, **rules)
    return statement


def test_a_parcel_has_a_number_and_a_direction() -> None:
    said = one({"box": 7, "way": "back"}, subject=PARCELS)
    assert ("7", True) == (said.parcel, said.returns)
    assert not one({"box": 7, "way": "out"}, subject=PARCELS).returns
    assert not one({"box": 7}, subject=PARCELS).returns


@pytest.mark.parametrize("no", [None, False, 0, "", "false"])
def test_what_is_no_yes_does_not_go_back(no: Any) -> None:
    assert not one({"box": 7, "back": no}, subject={**PARCELS, "returns": "back"}).returns


def test_a_list_holds_several_names_of_one_kind() -> None:
    said = one({"numbers": ["1", 2, None, "1", {"no": "name"}], "uuid": "u"}, subject=PARCELS)
    assert (Alias("tracking", "1"), Alias("tracking", "2"), Alias("uuid", "u")) == said.aliases
    assert (Alias("tracking", "1"),) == one({"numbers": "1"}, subject=PARCELS).aliases
    assert 16 == len(one({"numbers": [*range(99)]}, subject=PARCELS).aliases)


def test_money_is_told_by_its_id_or_as_a_total() -> None:
    rules = {"money": [PAID, REFUNDED]}
    both = one({"paid": "10.50", "currency": "usd", "refund": {"id": 5, "amount": 0.1}}, **rules)
    expected = (Money("paid", "10.50", "USD"), Money("refunded", "0.1", "EUR", "5"))
    assert (expected, "") == (both.money, both.note)
    failed = one({"refund": {"id": 5, "amount": 0.1, "failed": True}}, **rules)
    assert (Money("refunded", "0", "EUR", "5"),) == failed.money
    assert () == one({}, **rules).money


@pytest.mark.parametrize(
    ("spelling", "currency", "said", "amount"),
    [
        ("minor", "'EUR'", 1250, "12.50"),
        ("minor", "'JPY'", 1250, "1250"),
        ("hundredths", None, "1250", "12.50"),
        ("major", None, "12.50", "12.50"),
    ],
)
def test_amounts_are_spelt_as_the_source_says(
    spelling: str, currency: str | None, said: Any, amount: str
) -> None:
    rule = {**PAID, "spelling": spelling, "currency": currency}
    (money,) = one({"paid": said}, money=[rule]).money
    assert amount == money.amount


@pytest.mark.parametrize(
    "lost", [{"paid": "plenty"}, {"paid": -1}, {"refund": {"amount": "1"}}, {"paid": []}]
)
def test_money_that_cannot_be_counted_is_left_out_and_told(lost: dict[str, Any]) -> None:
    said = one(lost, money=[PAID, REFUNDED])
    assert () == said.money
    assert said.note.startswith("Left out (no usable amount, or one without its id): ")


def test_an_earlier_event_is_taken_back_without_a_word() -> None:
    rules = {"revokes": "replaces"}
    said = one({"state": None, "replaces": 41}, **rules)
    assert (Fate.FOLD, Revocation("wms", "41"), None) == (said.fate, said.revokes, said.status)
    beside = one({"replaces": "w-0"}, **rules)
    assert ("picking", Revocation("wms", "w-0")) == (beside.status, beside.revokes)
    assert Fate.UNMAPPED is one({"state": None}, **rules).fate
    assert Fate.UNMAPPED is one({"state": "STRANGE", "replaces": 41}, **rules).fate


def test_what_takes_an_event_back_needs_no_order() -> None:
    said = one({"order": None, "state": None, "replaces": "w-0"}, revokes="replaces")
    assert (Fate.FOLD, True) == (said.fate, said.follows)


def test_a_sender_that_repeats_the_id_of_what_it_deletes_is_understood() -> None:
    rules = {"key": "deleted && join(':', [id, 'deleted']) || id", "revokes": "deleted && id"}
    said, gone = one({"deleted": False}, **rules), one({"deleted": True, "state": None}, **rules)
    assert ("w-1", None) == (said.dedupe_key, said.revokes)
    assert ("w-1:deleted", Revocation("wms", "w-1")) == (gone.dedupe_key, gone.revokes)


def test_a_word_may_stand_for_facts_only() -> None:
    rules = {"statuses": {"NEWS": "facts"}, "attributes": {"vip": "vip"}, "money": [PAID]}
    for tells in ({"vip": True}, {"paid": 1}):
        said = one({"state": "NEWS", **tells}, **rules)
        assert (Fate.FOLD, None, "NEWS") == (said.fate, said.status, said.code)
    nothing = one({"state": "NEWS"}, **rules)
    assert Fate.IGNORED is nothing.fate
    assert "`NEWS` stands for facts, and none was found." == nothing.note


SOURCE = """secrets = ["env:SECRET"]
verify = { scheme = "bearer" }
key = "id"
"""


@pytest.mark.parametrize(
    ("rules", "where", "words"),
    [
        (
            'subject.ref = "order"\nmoney = [{ kind = "paid", amount = "x", spelling = "minor" }]',
            "money[0].spelling",
            "only its currency tells",
        ),
        ('subject.ref = "order"', "status", "would state nothing"),
        ('subject.aliases = { tracking = "t" }', "status", "would state nothing"),
        ('subject.ref = "order"\nrevokes = "a["', "revokes", "does not compile"),
        (
            'subject.ref = "order"\nmoney = [{ kind = "lent", amount = "x" }]',
            "money[0].kind",
            "Write one of",
        ),
    ],
)
def test_what_a_mapping_cannot_say_is_a_problem_with_its_place(
    tmp_path: Path, rules: str, where: str, words: str
) -> None:
    with pytest.raises(ConfigurationProblems) as caught:
        read(tmp_path, rules)
    told = str(caught.value)
    assert (where in told, words in told) == (True, True), told


@pytest.mark.parametrize(
    "rules",
    [
        'subject.ref = "order"\nmoney = [{ kind = "paid", amount = "x" }]',
        'subject = { ref = "order", aliases = { tracking = "t" } }',
        'subject.ref = "order"\nrevokes = "replaces"',
        'subject.ref = "order"\nstatus = "s"\nstatuses = { A = "facts", B = "ignore" }',
    ],
)
def test_a_source_may_tell_of_anything_but_a_status(tmp_path: Path, rules: str) -> None:
    assert read(tmp_path, rules)


def read(tmp_path: Path, rules: str) -> Any:
    file = tmp_path / "orderhook.toml"
    file.write_text(f'{BASE}provider = "generic"\n{SOURCE}{rules}\n')
    return load(file, ENVIRON, known=KNOWN)
