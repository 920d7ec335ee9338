"""What is particular to Odoo: leads, groups that fail as a whole, errors known by their names."""

from collections.abc import AsyncIterator
from decimal import Decimal

import pytest

from service.sandbox.dialects.odoo import Odoo
from service.worker.crms.base import Answer, Class, Record
from tests.contract import peers
from tests.contract.peers import Peer


class Leads(Odoo):
    model = "crm.lead"
    stages = ("1", "2", "3", "4")


class OverJsonRpc(Odoo):
    api = "json-rpc"


@pytest.fixture
async def leads() -> AsyncIterator[Peer]:
    async with peers.peer(Leads) as made:
        yield made


@pytest.fixture(params=[Odoo, OverJsonRpc])
async def orders(request: pytest.FixtureRequest) -> AsyncIterator[Peer]:
    async with peers.peer(request.param) as made:
        yield made


async def test_a_lead_is_made_and_moved(leads: Peer) -> None:
    made = await leads.wrote("L-1", "2", create=True, fields={"x_total": Decimal("49.90")})
    assert Class.OK == made.kind, made
    assert made.remote_id is not None
    moved = await leads.wrote("L-1", "4", remote_id=made.remote_id)
    assert Class.OK == moved.kind, moved
    read = await leads.read(made.remote_id)
    assert isinstance(read, Record)
    assert ("4", "49.9") == (read.status, read.fields["x_total"])


async def test_a_lost_lead_is_found_though_it_is_archived(leads: Peer) -> None:
    entry = leads.dialect.seed("L-1", active=False)
    found = await leads.found("L-1")
    assert not isinstance(found, Answer)
    assert [entry.id] == [each.remote_id for each in found]


async def test_a_refused_group_is_halved_until_the_row_at_fault_is_alone(orders: Peer) -> None:
    seeded = [orders.dialect.seed(f"A-{n}", status="draft") for n in range(8)]
    seeded[5].fields |= {"state": "cancel", "locked": True}
    rows = [orders.write(f"A-{n}", "cancel", remote_id=one.id) for n, one in enumerate(seeded)]
    seeded[5].fields["state"] = "sale"
    answers = await orders.crm.write_batch(rows)
    expected = [Class.PERMANENT if n == 5 else Class.OK for n in range(8)]
    assert expected == [each.kind for each in answers]
    assert "odoo.exceptions.UserError" in answers[5].detail
    assert "Traceback" not in repr(answers)


async def test_an_unknown_field_is_refused_for_good_though_the_status_is_500(orders: Peer) -> None:
    entry = orders.dialect.seed("1001", status="draft")
    answer = await orders.wrote("1001", None, remote_id=entry.id, fields={"no_such": "x"})
    assert Class.PERMANENT == answer.kind
    assert "builtins.ValueError" in answer.detail


async def test_an_order_that_is_there_already_is_left_alone(orders: Peer) -> None:
    entry = orders.dialect.seed("1001", status="sale")
    before = orders.dialect.book.writes
    assert Class.OK == (await orders.wrote("1001", "sale", remote_id=entry.id)).kind
    assert before == orders.dialect.book.writes


async def test_a_wrong_database_stops_everything() -> None:
    async with peers.peer(Odoo) as peer:
        crm = peer.adapter(options={"database": "other"})
        [found] = await crm.find([peer.wanted("1001")])
        assert Class.HUMAN == getattr(found, "kind", found)
