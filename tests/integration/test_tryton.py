"""The REST adapter against a real ERP: Tryton, whose calls and codes nobody here made up.

Facts: Tryton 8.2 (`trytond/protocols/rest.py`), run 2026-11.
"""

import tomllib
from collections.abc import AsyncIterator, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import aiohttp
import pytest

from service.domain.events import Subject
from service.settings import Destination
from service.settings.rest_checks import check_rest
from service.settings.secrets import References
from service.worker.crms.base import Answer, Change, Class, Known, Record, Records, Wanted, Write
from service.worker.crms.client import open_session
from service.worker.crms.kind import Tools
from service.worker.crms.rest import KIND
from tests.tryton import server
from tests.tryton.destination import table
from tests.tryton.server import Tryton

pytestmark = pytest.mark.timeout(400)  # the first run installs Tryton and makes its database

AT = datetime(2026, 2, 1, 10, 0, tzinfo=UTC)
FIELDS = ("description",)


@pytest.fixture(scope="module")
def tryton(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tryton]:
    with server.running(tmp_path_factory.mktemp("tryton")) as running:
        yield running


class Purse:
    """A budget without end."""

    async def spend(self, costs: Mapping[str, float]) -> timedelta | None:
        del costs
        return None

    def learn(self, hints: object) -> None:
        del hints


@pytest.fixture
async def session() -> AsyncIterator[aiohttp.ClientSession]:
    async with open_session(4) as opened:
        yield opened


@pytest.fixture
def crm(tryton: Tryton, session: aiohttp.ClientSession) -> Records:
    return adapter(tryton, session)


def adapter(tryton: Tryton, session: aiohttp.ClientSession, **changes: Any) -> Records:
    context = References({}, Path(), sandbox=True)
    said = {**tomllib.loads(table(tryton))["destinations"]["tryton"], **changes, "name": "tryton"}
    destination = Destination.model_validate(said, context=context)
    assert [] == list(check_rest(destination))
    crm = KIND.build(destination, Tools(session, lambda: datetime.now(UTC), Purse()))
    assert isinstance(crm, Records)
    return crm


async def sale(tryton: Tryton, session: aiohttp.ClientSession, reference: str) -> str:
    """A sale as a clerk would enter it; its id."""
    made = {name: tryton.made[name] for name in ("company", "party", "currency")}
    headers = {"Authorization": f"Bearer {tryton.key}", "X-Tryton-Context": tryton.context}
    url = f"{tryton.url}/model/sale.sale"
    body = {**made, "reference": reference}
    async with session.post(url, json=body, headers=headers) as answer:
        assert answer.status == 200, await answer.text()
        return str((await answer.json())["id"])


def write(crm: Records, reference: str, status: str | None, **overrides: Any) -> Write:
    subject = Subject("order", "", reference)
    key = f"tryton:{subject}:1"
    change = Change(subject, "cancelled", None, {}, {}, 1, [UUID(int=1)], AT, AT, key)
    return Write(change, crm.targets["order"], reference, status, **overrides)


async def found(crm: Records, reference: str) -> list[Record]:
    [records] = await crm.find([Wanted(crm.targets["order"], reference, FIELDS)])
    assert not isinstance(records, Answer), records
    return list(records)


async def read(crm: Records, remote_id: str) -> Record:
    [record] = await crm.read_many([Known(crm.targets["order"], remote_id, FIELDS)])
    assert isinstance(record, Record), record
    return record


@pytest.mark.parametrize("reference", ["SHOP-1", "O'Brien", 'say "x"', "50%_", "№ 7/ä", "a&b=c#d"])
async def test_a_sale_is_found_by_its_reference(
    tryton: Tryton, session: aiohttp.ClientSession, crm: Records, reference: str
) -> None:
    mine = await sale(tryton, session, reference)
    await sale(tryton, session, f"{reference}x")
    [record] = await found(crm, reference)
    assert (mine, reference, "draft") == (record.remote_id, record.key, record.status)
    assert [] == await found(crm, f"{reference} y")


async def test_two_sales_of_one_reference_are_both_found(
    tryton: Tryton, session: aiohttp.ClientSession, crm: Records
) -> None:
    both = {await sale(tryton, session, "TWICE") for _ in range(2)}
    assert both == {record.remote_id for record in await found(crm, "TWICE")}


async def test_status_and_fields_are_written_and_stand_there(
    tryton: Tryton, session: aiohttp.ClientSession, crm: Records
) -> None:
    mine = await sale(tryton, session, "SHOP-2")
    fields = {"description": 'Käthe & Søn "№ 7" O\'Brien'}
    row = write(crm, "SHOP-2", "cancelled", remote_id=mine, fields=fields)
    [answer] = await crm.write_batch([row])
    assert (Class.OK, mine) == (answer.kind, answer.remote_id), answer
    record = await read(crm, mine)
    assert ("cancelled", fields) == (record.status, record.fields)
    await session.close()
    assert "POST /shop/rest/model/sale.sale" in tryton.output


async def test_cancelling_twice_is_no_failure_and_no_second_effect(
    tryton: Tryton, session: aiohttp.ClientSession, crm: Records
) -> None:
    mine = await sale(tryton, session, "SHOP-3")
    row = write(crm, "SHOP-3", "cancelled", remote_id=mine)
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    before = (await read(crm, mine)).token
    assert before
    assert Class.OK == (await crm.write_batch([row]))[0].kind
    assert before == (await read(crm, mine)).token


async def test_what_tryton_forbids_is_permanent_in_its_own_words(
    tryton: Tryton, session: aiohttp.ClientSession, crm: Records
) -> None:
    mine = await sale(tryton, session, "SHOP-4")
    fields = {"nonsense": "x"}
    [answer] = await crm.write_batch([write(crm, "SHOP-4", None, remote_id=mine, fields=fields)])
    assert (Class.PERMANENT, 500) == (answer.kind, answer.http_status)
    fields = {"state": "done"}
    [answer] = await crm.write_batch([write(crm, "SHOP-4", None, remote_id=mine, fields=fields)])
    assert (Class.PERMANENT, 400) == (answer.kind, answer.http_status)
    assert "not allowed to modify" in answer.detail
    [answer] = await crm.write_batch([write(crm, "SHOP-4", "shipped", remote_id=mine)])
    assert (Class.PERMANENT, None) == (answer.kind, answer.http_status)
    assert "no action for the status 'shipped'" in answer.detail


async def test_a_sale_that_is_not_there_is_not_found(crm: Records) -> None:
    [read_answer] = await crm.read_many([Known(crm.targets["order"], "987654", FIELDS)])
    assert isinstance(read_answer, Answer)
    [answer] = await crm.write_batch([write(crm, "GONE", "cancelled", remote_id="987654")])
    assert [Class.NOT_FOUND] * 2 == [read_answer.kind, answer.kind]


async def test_a_bad_key_is_auth(tryton: Tryton, session: aiohttp.ClientSession) -> None:
    crm = adapter(tryton, session, token="plain:not-the-key")
    [records] = await crm.find([Wanted(crm.targets["order"], "SHOP-1")])
    assert isinstance(records, Answer)
    assert (Class.AUTH, 401) == (records.kind, records.http_status)


async def test_a_sale_is_created_once(
    tryton: Tryton, session: aiohttp.ClientSession, crm: Records
) -> None:
    [answer] = await crm.write_batch([write(crm, "NEW-1", "cancelled", create=True)])
    assert Class.OK == answer.kind, answer
    [record] = await found(crm, "NEW-1")
    assert (answer.remote_id, "cancelled") == (record.remote_id, record.status)


async def test_tryton_away_and_back(
    tryton: Tryton, session: aiohttp.ClientSession, crm: Records
) -> None:
    mine = await sale(tryton, session, "SHOP-5")
    tryton.stop()
    [answer] = await crm.write_batch([write(crm, "SHOP-5", "cancelled", remote_id=mine)])
    assert (Class.TRANSIENT, False) == (answer.kind, answer.reached)
    tryton.start()
    [answer] = await crm.write_batch([write(crm, "SHOP-5", "cancelled", remote_id=mine)])
    assert Class.OK == answer.kind
    assert "cancelled" == (await read(crm, mine)).status
