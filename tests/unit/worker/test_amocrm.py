"""amoCRM without a network: how it is set up, what a lead looks like, who is to blame."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.settings.secrets import References
from service.worker.crms import amocrm
from service.worker.crms.amocrm import leads
from service.worker.crms.base import Answer, Class, Crm, Record, Target, Write
from service.worker.crms.client import Reply
from service.worker.crms.kind import Tools
from tests.contract.peers import Purse, change

LEADS = Target("leads", "500", "status_id")


async def built(**overrides: Any) -> Crm:
    usual = {"name": "crm", "crm": "amocrm", "url": "https://acme.amocrm.ru"}
    key: dict[str, Any] = {"order": {"key_field": "500"}}
    table = {**usual, "token": "plain:abc123", "objects": key, **overrides}
    context = References({}, Path(), sandbox=True)
    destination = Destination.model_validate(table, context=context)
    async with aiohttp.ClientSession() as session:
        return amocrm.KIND.build(destination, Tools(session, lambda: datetime.now(UTC), Purse()))


def write(status: str | None = "1300/142", remote_id: str | None = "7", **fields: Any) -> Write:
    named = {name.removeprefix("f"): value for name, value in fields.items()}
    return Write(change(), LEADS, "1001", status, fields=named, remote_id=remote_id)


@pytest.mark.parametrize(
    "overrides",
    [
        {"token": None},
        {"objects": {}},
        {"objects": {"order": {"key_field": "order_no"}}},
        {"objects": {"order": {"key_field": "500"}, "ticket": {"object": "tasks"}}},
        {"options": {"find": "guess"}},
    ],
)
async def test_what_cannot_work_is_refused_with_a_sentence(overrides: Any) -> None:
    with pytest.raises(ConfigurationError, match=r"[.:]"):
        await built(**overrides)


async def test_its_token_is_not_shown() -> None:
    assert "abc123" not in repr(await built())


def test_a_lead_is_written_by_the_ids_of_its_fields() -> None:
    row = write(f501="LT-1", f502=Decimal("49.90"), f503=True, f504="", price=Decimal(50))
    assert {
        "request_id": "3",
        "id": 7,
        "pipeline_id": 1300,
        "status_id": 142,
        "price": Decimal(50),
        "custom_fields_values": [
            {"field_id": 501, "values": [{"value": "LT-1"}]},
            {"field_id": 502, "values": [{"value": Decimal("49.90")}]},
            {"field_id": 503, "values": [{"value": True}]},
            {"field_id": 504, "values": None},
        ],
    } == leads.lead(row, place=3)


def test_a_new_lead_carries_its_number() -> None:
    made = leads.lead(write(None, None), place=0)
    own = [{"field_id": 500, "values": [{"value": "1001"}]}]
    assert {"request_id": "0", "name": "1001", "custom_fields_values": own} == made


@pytest.mark.parametrize("stage", ["142", "won", "1300/", "/142", "1300/won", "1300/142/1"])
def test_a_stage_is_a_pipeline_and_a_status(stage: str) -> None:
    answer = leads.beforehand(write(stage))
    assert answer is not None
    assert Class.PERMANENT == answer.kind


@pytest.mark.parametrize(
    ("shown", "expected"),
    [
        (Record("7", "1001", "1300/142", {"501": "LT-1"}), Class.OK),
        (Record("7", "1001", "1300/101", {"501": "LT-1"}), Class.PERMANENT),
        (Record("7", "1001", "1300/142", {"501": None}), Class.PERMANENT),
        (Answer(Class.NOT_FOUND, "read"), Class.NOT_FOUND),
        (Answer(Class.RATE, "read"), Class.UNKNOWN_OUTCOME),
    ],
)
def test_a_write_counts_when_it_can_be_read(shown: Any, expected: Class) -> None:
    assert expected == leads.checked(write(f501="LT-1"), shown).kind


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([{"request_id": "1", "errors": [{"code": "X", "path": "status_id"}]}], {1: "status_id"}),
        ([{"request_id": 0, "errors": []}], {0: "the lead"}),
        ([{"request_id": "9", "errors": []}], {}),
        ([{"request_id": "one"}, {}, None], {}),
        ([{"request_id": "0", "errors": [{"path": "Иванов"}]}], {0: "the lead"}),
    ],
)
def test_the_request_id_tells_who_is_to_blame(entries: Any, expected: dict[int, str]) -> None:
    faults = leads.blame({"validation-errors": entries}, 2)
    assert set(expected) == set(faults)
    assert all(where in faults[number].detail for number, where in expected.items())


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (401, Class.AUTH),
        (402, Class.HUMAN),
        (403, Class.HUMAN),
        (404, Class.HUMAN),
        (429, Class.RATE),
        (500, Class.UNKNOWN_OUTCOME),
    ],
)
def test_a_refusal_is_judged_and_says_what_to_do(status: int, expected: Class) -> None:
    answer = leads.refused(Reply(status, None, body=b"<html>429</html>"), "write")
    assert expected == answer.kind
    assert answer.detail.endswith(".")
