"""What a kind of destination says of itself is what its adapter does; simulators are configured."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import fields
from typing import Any

import pytest

from service.app.trial import Trial, trying
from service.sandbox.dialects.base import Dialect
from service.sandbox.dialects.registry import DIALECTS
from service.worker.crms.base import Capabilities, Records
from service.worker.crms.kind import Kind, Tools
from service.worker.crms.registry import CRMS, crms_by_name
from tests.contract.peers import Lent, Purse, Time, configured

URL = "http://127.0.0.1:9"
TOLD = {"callback", "rabbitmq"}


@pytest.fixture
async def trial() -> AsyncIterator[Trial]:
    async with trying() as (_, made):
        yield made


def table(dialect: Dialect) -> Mapping[str, Any]:
    return dialect.destination(URL)


@pytest.mark.parametrize("kind", CRMS, ids=lambda kind: kind.name)
def test_a_kind_keeps_records_or_is_told(kind: Kind) -> None:
    assert (kind.targets is None) == (kind.name in TOLD)
    assert kind.targets is None or "order" in kind.targets


@pytest.mark.parametrize("made", DIALECTS, ids=lambda made: made.name)
async def test_what_is_built_can_do_no_more_than_its_kind_says(
    made: type[Dialect], trial: Trial
) -> None:
    dialect = made()
    rule = configured(table(dialect))
    kind = crms_by_name()[rule.crm]
    lent = Lent(dialect.desk) if dialect.desk else None
    crm = kind.build(rule, Tools(trial.session, Time(), Purse(), lent))
    assert isinstance(crm, Records)
    assert kind.capabilities is not None
    for each in fields(Capabilities):
        said, can = getattr(kind.capabilities, each.name), getattr(crm.capabilities, each.name)
        assert can <= said, each.name
    if kind.limits:
        assert {limit.name for limit in crm.limits()} <= {limit.name for limit in kind.limits}
    assert kind.targets is not None
    if "order" not in rule.objects:
        usual = kind.targets["order"]
        assert usual.key_field in {"", crm.targets["order"].key_field}


@pytest.mark.parametrize("made", DIALECTS, ids=lambda made: made.name)
async def test_an_adapter_can_be_built_without_calling_anybody(
    made: type[Dialect], trial: Trial
) -> None:
    assert None is trial(configured(table(made())))


async def test_what_only_an_adapter_sees_is_said(trial: Trial) -> None:
    said = trial(configured({"crm": "amocrm", "url": URL, "token": "plain:t"}))
    assert "objects.order.key_field" in (said or "")
