"""RetailCRM without a network: how it is set up, what an order looks like, what errorMsg means."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.settings.secrets import References
from service.worker.crms import retailcrm
from service.worker.crms.base import Class, Crm, Target, Write
from service.worker.crms.client import Reply
from service.worker.crms.kind import Tools
from service.worker.crms.retailcrm import orders
from tests.contract.peers import Purse, change

ORDERS = Target("orders", "externalId", "status")
NOW = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)


async def built(**overrides: Any) -> Crm:
    usual = {"name": "crm", "crm": "retailcrm", "url": "https://acme.retailcrm.ru"}
    table = {**usual, "token": "plain:abc123", **overrides}
    context = References({}, Path(), sandbox=True)
    destination = Destination.model_validate(table, context=context)
    async with aiohttp.ClientSession() as session:
        return retailcrm.KIND.build(destination, Tools(session, lambda: NOW, Purse()))


def write(status: str | None = "complete", **fields: Any) -> Write:
    named = {name.replace("__", "."): value for name, value in fields.items()}
    return Write(change(), ORDERS, "1001", status, fields=named)


@pytest.mark.parametrize(
    "overrides",
    [
        {"token": None},
        {"objects": {"order": {"key_field": "phone"}}},
        {"objects": {"ticket": {"object": "tasks"}}},
        {"options": {"site": 7}},
    ],
)
async def test_what_cannot_work_is_refused_with_a_sentence(overrides: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"[.:]"):
        await built(**overrides)


async def test_only_the_external_id_names_an_order_without_looking() -> None:
    assert (await built()).capabilities.keyed
    by_number = await built(objects={"order": {"key_field": "number"}})
    assert not by_number.capabilities.keyed


async def test_its_key_is_not_shown() -> None:
    assert "abc123" not in repr(await built())


def test_dots_lead_into_the_tables_of_an_order() -> None:
    row = write(customFields__track="LT-1", customFields__vip=True, managerComment="x")
    assert {
        "customFields": {"track": "LT-1", "vip": True},
        "managerComment": "x",
        "status": "complete",
    } == orders.content(row)


@pytest.mark.parametrize(
    ("key", "expected"),
    [("A-1", True), ("№ 7", True), ("a/b", False), ("a\\b", False), ("..", False), ("", False)],
)
def test_a_slash_cannot_stand_in_a_path(key: str, expected: bool) -> None:  # noqa: FBT001
    assert expected == orders.fits(key)


@pytest.mark.parametrize(
    ("order", "expected", "named"),
    [
        ({"status": "complete", "customFields": {"track": "LT-1"}}, Class.OK, ""),
        ({"status": "complete", "customFields": []}, Class.PERMANENT, "customFields.track"),
        ({"status": "new", "customFields": {"track": "x"}}, Class.PERMANENT, "status"),
        ({}, Class.OK, ""),
    ],
)
def test_an_ignored_field_is_named(order: Any, expected: Class, named: str) -> None:
    found = {"success": True, "id": 7141, "order": order}
    row = write(customFields__track="LT-1", customFields__total=Decimal(0), customFields__no=False)
    answer = orders.written(row, found, "write")
    assert (expected, "7141") == (answer.kind, answer.remote_id)
    assert named in answer.detail


@pytest.mark.parametrize(
    ("status", "said", "expected"),
    [
        (403, '"apiKey" is missing.', Class.AUTH),
        (403, 'Wrong "apiKey" value.', Class.AUTH),
        (403, "Access denied.", Class.HUMAN),
        (404, "Account does not exist.", Class.HUMAN),
        (404, "API method not found", Class.HUMAN),
        (404, "Not found", Class.NOT_FOUND),
        (400, "Customer with externalId=2106 not found.", Class.PERMANENT),
        (400, "Errors in the entity format", Class.PERMANENT),
        (400, "Parameter 'order' is missing", Class.PERMANENT),
        (400, "Order already exists.", Class.CONFLICT),
        (400, "Something new", Class.PERMANENT),
        (200, "Not found", Class.NOT_FOUND),
        (503, "", Class.RATE),
        (500, "", Class.UNKNOWN_OUTCOME),
    ],
)
def test_the_message_decides(status: int, said: str, expected: Class) -> None:
    errors = {"status": "…", "Иванов": "…", "0": "…"}
    body = orjson.dumps({"success": False, "errorMsg": said, "errors": errors})
    answer = orders.refused(Reply(status, None, body=body), "write")
    assert expected == answer.kind
    assert answer.detail.endswith(".")
    assert "Иванов" not in answer.detail


@pytest.mark.parametrize(
    ("generated", "expected"),
    [
        ("2026-02-01 13:00:04", timedelta(hours=3)),
        ("2026-02-01 15:29:50", timedelta(hours=5, minutes=30)),
        ("2026-02-01 09:58:00", timedelta()),
        ("2026-02-04 10:00:00", None),
        ("soon", None),
        (None, None),
    ],
)
def test_the_time_zone_of_the_account_shows(generated: Any, expected: timedelta | None) -> None:
    assert expected == orders.offset(generated, now=NOW)


def test_the_last_change_tells_whose_it_was() -> None:
    changes: list[Any] = [
        {"order": {"id": 1}, "apiKey": {"current": True}, "createdAt": "2026-02-01 13:00:00"},
        {"order": {"id": 2}, "apiKey": {"current": True}, "createdAt": "2026-02-01 13:00:01"},
        {"order": {"id": 1}, "user": {"id": 23}, "createdAt": "2026-02-01 13:00:02"},
        {"order": {"id": 3}, "deleted": True, "createdAt": "2026-02-01 13:00:03"},
        {"order": {"id": 4}, "createdAt": "2026-01-01 00:00:00"},
    ]
    assert {"2": True, "1": False} == orders.authors(changes, since="2026-02-01 12:00:00")
