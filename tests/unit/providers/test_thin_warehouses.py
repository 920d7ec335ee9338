"""MoySklad: what is asked because of a webhook, and what is never asked."""

import json
from typing import Any

import pytest

from service.domain.errors import ConfigurationError
from service.domain.events import Lookup
from service.intake.preset import Declared
from service.intake.provider import RawRequest
from service.intake.providers.warehouses import moysklad
from tests import simulated
from tests.simulated import AT

NUMBER = "1f1c2de7-1b8b-4b3f-8b1e-000000000001"
ENTITY = "/api/remap/1.2/entity"


def built(**rules: Any) -> Declared:
    return moysklad.build(simulated.source("moysklad", **rules))


@pytest.mark.parametrize(
    ("kind", "expand"),
    [
        ("customerorder", "state"),
        ("demand", "customerOrder"),
        ("salesreturn", "demand.customerOrder"),
    ],
)
def test_a_document_is_asked_with_the_order_it_is_about(kind: str, expand: str) -> None:
    path = f"{ENTITY}/{kind}/{NUMBER}"
    inquiry = built().inquire(Lookup("entity", f"https://api.moysklad.ru{path}"))
    assert inquiry is not None
    assert (path, f"expand={expand}", "Bearer {token}") == (
        inquiry.path,
        inquiry.query,
        inquiry.authorization,
    )
    assert "gzip" == inquiry.headers["Accept-Encoding"]


@pytest.mark.parametrize(
    "address",
    [
        f"http://api.moysklad.ru{ENTITY}/demand/{NUMBER}",
        f"https://api.moysklad.ru.evil.example{ENTITY}/demand/{NUMBER}",
        f"https://api.moysklad.ru@evil.example{ENTITY}/demand/{NUMBER}",
        f"https://api.moysklad.ru:8443{ENTITY}/demand/{NUMBER}",
        f"https://api.moysklad.ru{ENTITY}/employee/{NUMBER}",
        f"https://api.moysklad.ru{ENTITY}/demand/../employee/{NUMBER}",
        f"https://api.moysklad.ru{ENTITY}/demand/{NUMBER}/positions",
        "https://[",
    ],
)
def test_nothing_else_is_asked(address: str) -> None:
    assert built().inquire(Lookup("entity", address)) is None


@pytest.mark.parametrize("choice", ["cancelled", "", 1, None])
def test_another_choice_for_successful_states_is_refused(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be nothing, delivered, shipped"):
        built(options={"successful": choice})


@pytest.mark.parametrize(("conducted", "status"), [(True, "shipped"), (False, None)])
@pytest.mark.parametrize("kind", ["demand", "salesreturn"])
def test_a_document_that_is_not_conducted_moves_no_goods(
    kind: str, *, conducted: bool, status: str | None
) -> None:
    order = {"id": NUMBER, "name": "1001", "sum": 100, "shippedSum": 100}
    about = {"customerOrder": order} if kind == "demand" else {"demand": {"customerOrder": order}}
    document = {"id": "7", "updated": "2026-01-15 13:00:00.000", "applicable": conducted}
    body = json.dumps({"meta": {"type": kind}} | document | about).encode()
    request = RawRequest("GET", f"{ENTITY}/{kind}/{NUMBER}", "", (), body, AT)
    (said,) = built().parse(request)
    done = "returned_to_stock" if kind == "salesreturn" and status else status
    assert ("1001", done) == (said.ref, said.status)
