"""Couriers that want an answer of their own, or choices of the source."""

from dataclasses import replace
from typing import Any

import orjson
import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Fate
from service.intake.providers.couriers import sfexpress, ship24
from service.intake.providers.telematics import motive
from tests import simulated
from tests.simulated import posted

SF = simulated.source("sfexpress")


def test_sf_is_answered_in_the_writing_it_pushes_in() -> None:
    built, form = sfexpress.build(SF), posted(SF)
    assert b"<Head>OK</Head>" in built.acknowledge(form).body
    node = {"id": "1", "mailno": "SF1", "orderid": "1001", "opCode": "80"}
    body = orjson.dumps({"Body": {"WaybillRoute": [{**node, "acceptTime": "2026-01-15 18:00:00"}]}})
    pushed = replace(form, body=body)
    assert "0000" == orjson.loads(built.acknowledge(pushed).body)["return_code"]
    (said,) = built.parse(pushed)
    assert ("1001", "delivered", "SF1") == (said.ref, said.status, said.parcel)


def test_ship24_may_test_the_address_by_head() -> None:
    source = simulated.source("ship24")
    built, request = ship24.PRESET.build(source), posted(source)
    reply = built.handshake(replace(request, method="HEAD", headers=(), body=b""))
    assert reply is not None
    assert (200, b"") == (reply.status, reply.body)
    assert built.handshake(request) is None


def test_a_form_at_a_stop_moves_nothing_unless_the_source_says_so() -> None:
    for form, status in (("nothing", None), ("picked_up", "picked_up"), ("delivered", "delivered")):
        source = simulated.source("motive", options={"form": form})
        (said,) = motive.build(source).parse(posted(source))
        assert (Fate.FOLD, "1001", status) == (said.fate, said.ref, said.status)


@pytest.mark.parametrize("choice", ["shipped", "", True, None])
def test_another_choice_for_forms_is_refused(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be nothing, delivered, picked_up"):
        motive.build(simulated.source("motive", options={"form": choice}))
