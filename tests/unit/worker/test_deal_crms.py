"""How single changes are written for Pipedrive, Zoho, Dynamics 365, Freshsales and monday."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import Any

import pytest
from pydantic import JsonValue

from service.domain.errors import ConfigurationError
from service.worker.crms import dynamics365, freshsales, monday, pipedrive, reading, zoho
from service.worker.crms.base import Class, Target, Write
from service.worker.crms.client import Call, Reply, open_session
from service.worker.crms.kind import Build, Tools
from tests.contract.peers import Purse, Time, change, configured

CUSTOM = "a" * 40
DEALS = Target("deals", CUSTOM, "stage_id")
ORDERS = Target("salesorders", "ordernumber", "statuscode")


@pytest.fixture
async def tools() -> AsyncIterator[Tools]:
    async with open_session(1) as session:
        yield Tools(session, Time(), Purse())


def write(target: Target, status: str | None, **fields: Any) -> Write:
    return Write(change("1001"), target, "1001", status, fields)


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("12", {"stage_id": 12, "status": "open"}),
        ("won", {"status": "won"}),
        ("lost", {"status": "lost"}),
        (None, {}),
        ("open", None),
        ("٣", None),
        ("no such stage", None),
    ],
)
def test_a_stage_of_pipedrive_is_a_number_or_how_a_deal_ended(
    word: str | None, body: Mapping[str, object] | None
) -> None:
    assert body == pipedrive.content(write(DEALS, word))


def test_custom_fields_of_pipedrive_stand_apart_and_have_no_yes_or_no() -> None:
    given = {CUSTOM: True, "b" * 40: Decimal("1.50"), "title": "Order"}
    assert {
        "title": "Order",
        "custom_fields": {CUSTOM: "true", "b" * 40: Decimal("1.50")},
    } == pipedrive.content(write(DEALS, None, **given))


def test_a_deleted_deal_is_no_record() -> None:
    deal: dict[str, JsonValue] = {"id": 7, "stage_id": 1, "status": "open"}
    assert pipedrive.record(deal, DEALS, []) is not None
    assert pipedrive.record({**deal, "is_deleted": True}, DEALS, []) is None
    assert pipedrive.record({**deal, "status": "deleted"}, DEALS, []) is None


@pytest.mark.parametrize(
    ("word", "body"),
    [
        ("690970000", {"statuscode": 690970000}),
        ("2:4", {"statecode": 2, "statuscode": 4}),
        ("x:4", None),
        ("2:", None),
        ("paid", None),
    ],
)
def test_a_state_of_dynamics_carries_its_status(
    word: str, body: Mapping[str, object] | None
) -> None:
    assert body == dynamics365.content(write(ORDERS, word))


def test_a_column_of_ones_own_in_dynamics_takes_a_number_or_text() -> None:
    own = Target("salesorders", "ordernumber", "new_stage")
    assert {"new_stage": 7} == dynamics365.content(write(own, "7"))
    assert {"new_stage": "paid"} == dynamics365.content(write(own, "paid"))


@pytest.mark.parametrize(
    ("plural", "one"),
    [
        ("salesorders", "salesorder"),
        ("opportunities", "opportunity"),
        ("new_boxes", "new_box"),
        ("incidents", "incident"),
    ],
)
def test_the_logical_name_of_a_table_is_the_singular_of_its_set(plural: str, one: str) -> None:
    assert one == dynamics365.singular(plural)


def test_a_quote_in_a_number_cannot_leave_its_place_in_coql() -> None:
    target = Target("Deals", "Order_No", "Stage")
    text = zoho.query(target, ["Total"], ["O'B", "') or id is not null"])
    assert (
        "select id, Order_No, Stage, Modified_Time, Modified_By, Total from Deals "
        "where Order_No in ('O''B',''') or id is not null')"
    ) == text


@pytest.mark.parametrize("name", ["Total, id", "x from Users", "", "1st", "a'b"])
def test_a_name_that_is_no_api_name_makes_no_query(name: str) -> None:
    assert zoho.query(Target("Deals", "Order_No", "Stage"), [name], ["1"]) is None


def test_a_new_record_of_zoho_has_a_name_and_its_number() -> None:
    target = Target("Deals", "Order_No", "Stage")
    assert {"Deal_Name": "1001", "Stage": "Paid", "Order_No": "1001"} == zoho.row(
        write(target, "Paid")
    )


def test_fields_of_ones_own_in_freshsales_stand_apart() -> None:
    target = Target("deals", "cf_order_no", "deal_stage_id")
    given = {"cf_gift": True, "amount": Decimal("9.90")}
    assert {
        "deal_stage_id": 402001,
        "amount": Decimal("9.90"),
        "custom_field": {"cf_gift": True},
    } == freshsales.content(write(target, "402001", **given))


def test_columns_of_monday_take_texts_and_labels() -> None:
    target = Target("4150868001", "order_no", "status")
    given = {"total": Decimal("49.90"), "gift": True, "box": False, "tracking": "LT"}
    assert {
        "status": {"label": "Paid"},
        "total": "49.90",
        "gift": {"checked": "true"},
        "box": None,
        "tracking": "LT",
    } == monday.columns(write(target, "Paid", **given))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, None),
        ("", None),
        (True, "true"),
        (7, "7"),
        (12.5, "12.5"),
        (100.0, "100"),
        (1e20, "100000000000000000000"),
        (["x"], None),
    ],
)
def test_a_value_is_read_as_a_person_would_write_it(value: Any, text: str | None) -> None:
    assert text == reading.text(value)


@pytest.mark.parametrize(
    ("status", "safe", "kind"),
    [
        (200, True, Class.TRANSIENT),
        (200, False, Class.UNKNOWN_OUTCOME),
        (400, False, Class.PERMANENT),
        (401, False, Class.AUTH),
        (403, False, Class.HUMAN),
        (404, False, Class.NOT_FOUND),
        (412, False, Class.CONFLICT),
        (429, False, Class.RATE),
        (500, True, Class.TRANSIENT),
        (500, False, Class.UNKNOWN_OUTCOME),
        (503, False, Class.TRANSIENT),
    ],
)
def test_what_a_refusal_means(status: int, safe: bool, kind: Class) -> None:  # noqa: FBT001
    call = Call("PUT", "http://127.0.0.1", "write", safe=safe)
    assert kind == reading.refused(Reply(status, None), call, "No.").kind


@pytest.mark.parametrize(
    ("build", "table"),
    [
        (pipedrive.build, {"crm": "pipedrive", "token": "plain:x"}),
        (pipedrive.build, {"crm": "pipedrive", "objects": {"order": {"key_field": CUSTOM}}}),
        (zoho.build, {"crm": "zoho", "token": "plain:x"}),
        (dynamics365.build, {"crm": "dynamics365", "url": "https://x.crm.dynamics.com"}),
        (freshsales.build, {"crm": "freshsales", "url": "https://x.myfreshworks.com"}),
        (monday.build, {"crm": "monday", "token": "plain:x"}),
    ],
)
async def test_what_is_missing_in_the_configuration_is_said(
    build: Build, table: Mapping[str, Any], tools: Tools
) -> None:
    with pytest.raises(ConfigurationError):
        build(configured(table), tools)
