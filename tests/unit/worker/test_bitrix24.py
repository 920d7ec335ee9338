"""Bitrix24 without a network: how it is set up, and what its codes and items mean."""

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
from service.worker.crms import bitrix24
from service.worker.crms.base import Class, Target, Write
from service.worker.crms.bitrix24 import codes
from service.worker.crms.bitrix24.commands import Command, original, sent, sort, written
from service.worker.crms.bitrix24.portal import Bitrix24
from service.worker.crms.client import Reply
from service.worker.crms.kind import Tools
from tests.contract.peers import Purse, change

DEAL = Target("deal", "originId", "stageId")


async def built(**overrides: Any) -> Bitrix24:
    usual = {"name": "crm", "crm": "bitrix24", "url": "https://acme.bitrix24.com"}
    table = {**usual, "token": "plain:7/abc123", **overrides}
    context = References({}, Path(), sandbox=True)
    destination = Destination.model_validate(table, context=context)
    async with aiohttp.ClientSession() as session:
        made = bitrix24.KIND.build(destination, Tools(session, lambda: datetime.now(UTC), Purse()))
    assert isinstance(made, Bitrix24)
    return made


def write(status: str | None = None, **fields: Any) -> Write:
    return Write(change(), DEAL, "1001", status, fields=fields, remote_id="7405")


@pytest.mark.parametrize(
    "token",
    ["7/abc123", "7/abc123/", "https://acme.bitrix24.com/rest/7/abc123/"],
)
async def test_a_webhook_is_given_whole_or_short_and_never_shown(token: str) -> None:
    crm = await built(token=f"plain:{token}")
    assert crm.line.root == "https://acme.bitrix24.com/rest/7/abc123/"
    assert "abc123" not in repr(crm)


@pytest.mark.parametrize(
    "overrides",
    [
        {"token": None},
        {"token": "plain:nonsense"},
        {"url": "https://acme.bitrix24.com/rest/7/abc123"},
        {"options": {"entity": "dael"}},
        {"options": {"edition": "clouds"}},
        {"options": {"user": 7}},
        {"objects": {"ticket": {"object": "dynamic_"}}},
    ],
)
async def test_what_cannot_work_is_refused_with_a_sentence(overrides: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"[.:]"):
        await built(**overrides)


async def test_a_box_has_no_limit_of_requests() -> None:
    cloud, box = await built(), await built(options={"edition": "box"})
    pace = cloud.limits()[0]
    assert ("requests", 2, 50, True) == (pace.name, pace.count, pace.burst, pace.leaky)
    assert "requests" not in {limit.name for limit in box.limits()}


@pytest.mark.parametrize(
    ("entity", "expected"),
    [
        ("deal", DEAL),
        ("lead", Target("lead", "originId", "stageId")),
        ("invoice", Target("invoice", "xmlId", "stageId")),
        ("dynamic_177", Target("dynamic_177", "xmlId", "stageId")),
        ("order", Target("order", "xmlId", "statusId")),
    ],
)
async def test_each_object_has_its_own_fields(entity: str, expected: Target) -> None:
    crm = await built(options={"entity": entity})
    assert {"order": expected} == crm.targets
    assert sort(entity).family == ("sale.order" if entity == "order" else "crm.item")


@pytest.mark.parametrize(
    ("name", "timeline"),
    [("deal", "deal"), ("2", "deal"), ("invoice", "dynamic_31"), ("dynamic_177", "dynamic_177")],
)
def test_the_time_line_calls_records_by_other_names(name: str, timeline: str) -> None:
    assert timeline == sort(name).timeline


def test_values_are_sent_as_bitrix24_takes_them() -> None:
    row = write("WON", total=Decimal("1234567.80"), vip=True, no=False, text="a")
    assert {
        "total": "1234567.80",
        "vip": "Y",
        "no": "N",
        "text": "a",
        "stageId": "WON",
    } == sent(row)


def test_own_fields_may_be_called_by_either_name() -> None:
    assert {"useOriginalUfNames": "Y"} == original(["title", "UF_CRM_NO"])
    assert {} == original(["ufCrmNo"])


def test_a_value_that_looks_like_a_reference_is_seen() -> None:
    plain = Command("crm.item.get", {"id": "$resulting", "fields": {"a": ["$result"]}})
    assert not plain.refers
    assert Command("crm.item.get", {"fields": {"a": ["x", "$result[c0][item]"]}}).refers


@pytest.mark.parametrize(
    ("item", "kind", "named"),
    [
        ({"id": 7405, "stageId": "WON", "ufCrmNo": "1"}, Class.OK, ""),
        ({"id": 7405, "stageId": "WON", "ufCrmNo": ["1", "2"]}, Class.OK, ""),
        ({"id": 7405, "stageId": "WON"}, Class.PERMANENT, "ufCrmNo"),
        ({"id": 7405, "stageId": "WON", "ufCrmNo": None}, Class.PERMANENT, "ufCrmNo"),
        ({"id": 7405, "stageId": "NEW", "ufCrmNo": "1"}, Class.PERMANENT, "stageId"),
        ({"id": 9, "stageId": "WON", "ufCrmNo": "1"}, Class.UNKNOWN_OUTCOME, ""),
        ([], Class.UNKNOWN_OUTCOME, ""),
    ],
)
def test_an_ignored_field_is_named(item: Any, kind: Class, named: str) -> None:
    answer = written(write("WON", ufCrmNo="1"), {"item": item})
    assert (kind, True) == (answer.kind, named in answer.detail)


@pytest.mark.parametrize(
    ("code", "safe", "whole", "expected"),
    [
        ("QUERY_LIMIT_EXCEEDED", False, True, Class.RATE),
        ("OVERLOAD_LIMIT", False, True, Class.HUMAN),
        ("expired_token", False, True, Class.AUTH),
        ("insufficient_scope", False, False, Class.HUMAN),
        ("ACCESS_DENIED", False, True, Class.HUMAN),
        ("ACCESS_DENIED", False, False, Class.PERMANENT),
        ("INTERNAL_SERVER_ERROR", True, True, Class.TRANSIENT),
        ("INTERNAL_SERVER_ERROR", False, True, Class.UNKNOWN_OUTCOME),
        ("NOT_FOUND", False, False, Class.NOT_FOUND),
        ("-", False, False, Class.PERMANENT),
        ("SOMETHING_NEW", False, False, Class.PERMANENT),
        ("Иванов, ул. Ленина 1", False, False, Class.PERMANENT),
    ],
)
def test_the_code_decides(code: str, safe: bool, whole: bool, expected: Class) -> None:  # noqa: FBT001
    answer = codes.refused({"error": code}, "write", safe=safe, whole=whole)
    assert expected == answer.kind
    assert answer.detail.endswith(".")
    assert "Иванов" not in answer.detail


@pytest.mark.parametrize(
    ("status", "body", "expected"),
    [
        (503, b"", Class.TRANSIENT),
        (503, orjson.dumps({"error": "QUERY_LIMIT_EXCEEDED"}), Class.RATE),
        (503, orjson.dumps({"error": "OVERLOAD_LIMIT"}), Class.HUMAN),
        (400, orjson.dumps({"error": 200540400001}), Class.NOT_FOUND),
        (200, orjson.dumps({"error": 7}), Class.UNKNOWN_OUTCOME),
        (302, b"<html>", Class.HUMAN),
        (404, b"<html>", Class.HUMAN),
        (500, b"", Class.UNKNOWN_OUTCOME),
    ],
)
def test_a_reply_without_a_result_is_judged(status: int, body: bytes, expected: Class) -> None:
    reply = Reply(status, timedelta(seconds=3), body=body)
    answer = codes.judged(reply, "write", safe=False)
    assert (expected, status) == (answer.kind, answer.http_status)
