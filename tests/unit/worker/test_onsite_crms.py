"""The pure parts of the adapters of Odoo, ERPNext and Twenty, and what all five want configured."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import JsonValue

from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.settings.secrets import References
from service.worker.crms import erpnext, odoo, odoo_words, onsite, twenty
from service.worker.crms.base import Target, Write
from tests.contract.peers import change

LEAD = Target("crm.lead", "x_merchant_order", "stage_id")


def destination(**table: Any) -> Destination:
    context = References({}, Path(), sandbox=True)
    usual = {"name": "crm", "crm": "odoo", "url": "https://crm.example.com/", "token": "plain:k"}
    return Destination.model_validate({**usual, **table}, context=context)


@pytest.mark.parametrize(
    ("now", "wanted", "expected"),
    [
        ("draft", "draft", ()),
        ("draft", "sale", ("action_confirm",)),
        ("sale", "sale", ()),
        ("locked", "sale", ()),
        ("cancel", "sale", ("action_draft", "action_confirm")),
        ("sale", "locked", ("action_lock",)),
        ("sent", "locked", ("action_confirm", "action_lock")),
        ("sale", "cancel", ("action_cancel",)),
        ("cancel", "draft", ("action_draft",)),
        ("sale", "done", None),
    ],
)
def test_a_sale_order_takes_the_methods_of_its_work_flow(
    now: str, wanted: str, expected: tuple[str, ...] | None
) -> None:
    assert expected == odoo_words.steps(now, wanted)


def test_the_state_of_a_sale_order_is_never_written_as_a_field() -> None:
    order = Write(change(), odoo.USUAL, "1001", "sale", {"x_tracking": "LT-1"})
    assert {"x_tracking": "LT-1"} == odoo_words.vals(order)


def test_the_stage_of_a_lead_is_written_by_its_number() -> None:
    assert {"stage_id": 4} == odoo_words.vals(Write(change(), LEAD, "1001", "4"))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"id": 7, "stage_id": [4, "Won"], "x_vip": False, "x_note": False}, ("4", "false", None)),
        ({"id": 7, "stage_id": False, "x_vip": True, "x_note": "hello"}, (None, "true", "hello")),
    ],
)
def test_false_is_empty_unless_the_field_is_a_yes_or_no(
    row: Mapping[str, JsonValue], expected: tuple[str | None, ...]
) -> None:
    reads = odoo_words.Reads(bools=frozenset({"x_vip"}), shows_locked=False, user_id=None)
    record = reads.record(row, LEAD, ["x_vip", "x_note"])
    assert record is not None
    assert expected == (record.status, record.fields["x_vip"], record.fields["x_note"])


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"errors": [{"type": "TimestampMismatchError"}]}, "TimestampMismatchError"),
        ({"exc_type": "DoesNotExistError", "exc": "…"}, "DoesNotExistError"),
        ({"errors": [], "exc_type": 7}, "7"),
        ("<html>", None),
    ],
)
def test_an_exception_of_frappe_is_known_in_both_versions(
    body: JsonValue, expected: str | None
) -> None:
    assert expected == erpnext.exception(body)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("A-1", 'orderNo[eq]:"A-1"'),
        ("a b;c", 'orderNo[eq]:"a b;c"'),
        ("(1)", 'orderNo[like]:"_1_"'),
        ('a",b', 'orderNo[like]:"a__b"'),
    ],
)
def test_no_number_can_end_a_filter_of_twenty(key: str, expected: str) -> None:
    assert expected == twenty.searched("orderNo", key)


def test_an_installation_is_read_from_the_configuration() -> None:
    table = destination(
        options={"create": {"name": "Order {key}", "partner_id": 7}},
        objects={"return": {"object": "helpdesk.ticket"}},
        limits={"requests": {"count": 5, "period": "1s"}},
    )
    site = onsite.site(table, odoo.USUAL)
    assert "https://crm.example.com" == site.url
    assert {"order", "return"} == set(site.targets)
    assert Target("helpdesk.ticket", "client_order_ref", "state") == site.targets["return"]
    assert {"requests": 1.0} == site.costs
    write = Write(change(), odoo.USUAL, "1001", None)
    assert {"name": "Order 1001", "partner_id": 7} == site.fields_of_new(write)


@pytest.mark.parametrize(
    "table", [{"url": ""}, {"options": {"create": "x"}}], ids=["no url", "create is no table"]
)
def test_what_is_wrong_with_an_installation_is_told(table: Mapping[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        onsite.site(destination(**table), odoo.USUAL)
