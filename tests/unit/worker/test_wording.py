"""A change in the words of a CRM: its fields, its stages, its numbers."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.events import AttributeValue, Subject
from service.settings import Destination, FieldRule, ObjectRule
from service.worker import wording
from service.worker.crms.base import Answer, Change, Class, Target, Write
from tests import make

DEAL = Target("deal", "order_no", "stage")
CHANGE = Change(
    subject=Subject("order", "eu", "1001"),
    status="paid",
    previous=None,
    lanes={"payment": "paid"},
    attributes={"amount": "12.50", "vip": True, "tracking": "X1"},
    version=3,
    event_ids=(),
    occurred_at=make.at(0),
    changed_at=make.at(1),
    key="crm:order/eu:1001:3",
)


def worded(change: Change = CHANGE, **rule: Any) -> Write | Answer:
    said = Destination(name="crm", crm="hubspot", **rule)
    return wording.worded(change, said, {"order": DEAL})


def written(change: Change = CHANGE, **rule: Any) -> Write:
    found = worded(change, **rule)
    assert isinstance(found, Write)
    return found


def test_without_tables_our_own_word_is_the_stage_and_nothing_else_is_written() -> None:
    write = written()
    assert (write.target, write.key, write.status, dict(write.fields)) == (DEAL, "1001", "paid", {})


def test_a_table_of_stages_is_all_there_is() -> None:
    assert written(statuses={"paid": "closedwon"}).status == "closedwon"
    assert written(statuses={"shipped": "sent"}).status is None


def test_attributes_become_fields_of_their_type() -> None:
    fields = {
        "amount": FieldRule(field="sum", type="number"),
        "vip": FieldRule(field="is_vip", type="bool"),
        "tracking": "track",
        "unknown": "nothing",
    }
    write = written(attributes=fields)
    assert write.fields == {"sum": Decimal("12.50"), "is_vip": True, "track": "X1"}
    assert wording.shown(write) == {
        "sum": "12.50",
        "is_vip": "true",
        "track": "X1",
        "stage": "paid",
    }


@pytest.mark.parametrize(
    ("value", "kind"),
    [("a lot", "number"), ("nan", "number"), ("1e999999", "number"), ("perhaps", "bool")],
)
def test_a_value_that_does_not_fit_names_its_attribute(value: str, kind: str) -> None:
    rule = FieldRule.model_validate({"field": "sum", "type": kind})
    change = replace(CHANGE, attributes={"amount": value})
    refused = worded(change, attributes={"amount": rule})
    assert refused == Answer(
        Class.PERMANENT, "wording", detail=f"The attribute amount is not a {kind}."
    )


def test_another_lifecycle_has_its_own_object_or_falls_back() -> None:
    ticket = replace(CHANGE, subject=Subject("ticket", "", "T-1"), status="open")
    missing = worded(ticket)
    assert isinstance(missing, Answer)
    assert "[destinations.crm.objects.ticket]" in missing.detail
    named = ObjectRule(object="case", key_field="no", status_field="state", key="{lifecycle}-{ref}")
    write = written(ticket, objects={"ticket": named}, statuses={"open": "1"})
    assert (write.target, write.key, write.status) == (
        Target("case", "no", "state"),
        "ticket-T-1",
        "1",
    )
    own = named.model_copy(update={"statuses": {"open": "new"}, "attributes": {}})
    write = written(ticket, objects={"ticket": own}, statuses={"open": "1"})
    assert write.status == "new"


def test_one_part_of_the_object_may_be_another_one() -> None:
    write = written(objects={"order": ObjectRule(key_field="number", key="{scope}:{ref}")})
    assert (write.target, write.key) == (Target("deal", "number", "stage"), "eu:1001")


def test_a_number_that_looks_like_a_place_is_not_filled_again() -> None:
    change = replace(CHANGE, subject=Subject("order", "eu", "{scope}"))
    assert written(change, objects={"order": ObjectRule(key="{ref}")}).key == "{scope}"


VALUES = st.booleans() | st.decimals(allow_nan=False, allow_infinity=False).map(str) | st.text()


@given(st.dictionaries(st.sampled_from(["a", "b"]), VALUES), st.text(), st.integers(1, 9))
def test_the_digest_is_of_what_is_shown_and_not_of_the_version(
    attributes: dict[str, AttributeValue], status: str, version: int
) -> None:
    one = replace(CHANGE, attributes=attributes, status=status)
    other = replace(one, version=version, key=f"crm:order/eu:1001:{version}")
    rule = {"a": "A", "b": "B"}
    first, again = written(one, attributes=rule), written(other, attributes=rule)
    assert wording.digest(first) == wording.digest(again)
    moved = written(replace(one, status=status + "!"), attributes=rule)
    assert wording.digest(first) != wording.digest(moved)


def test_a_flag_and_its_word_are_not_the_same_write() -> None:
    flag = written(attributes={"vip": FieldRule(field="vip", type="bool")})
    word = written(attributes={"vip": "vip"})
    assert wording.shown(flag) == wording.shown(word)
    assert wording.digest(flag) != wording.digest(word)
