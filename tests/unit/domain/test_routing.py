"""Routes: which destinations should know of a change."""

import pytest

from service.domain.routing import Route, destinations, spoken
from tests import make


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ({"lane": "payment", "status": "paid"}, "order.payment.paid"),
        ({"lane": None, "status": None}, "order.attributes"),
        ({"lifecycle": "return", "lane": "goods", "status": "back"}, "return.goods.back"),
    ],
)
def test_an_event_is_named_by_lifecycle_lane_and_status(
    said: dict[str, str | None], name: str
) -> None:
    assert spoken(make.event(**said)) == name


@pytest.mark.parametrize(
    ("sources", "events", "taken"),
    [
        (["*"], ["order.*"], True),
        (["shop"], ["order.payment.*"], True),
        (["shop", "bank"], ["order.payment.paid"], True),
        (["bank"], ["order.*"], False),
        (["sho?"], ["order.fulfillment.*"], False),
        (["SHOP"], ["order.*"], False),
        (["*"], ["return.*"], False),
    ],
)
def test_a_route_takes_what_matches_source_and_event(
    sources: list[str], events: list[str], *, taken: bool
) -> None:
    event = make.event(source="shop", lane="payment", status="paid")
    assert Route(sources, events, ["crm"]).takes(event) is taken


def test_each_destination_is_named_once_whatever_routes_lead_there() -> None:
    routes = [
        Route(["*"], ["order.*"], ["crm", "bi"]),
        Route(["shop"], ["order.payment.*"], ["crm"]),
        Route(["bank"], ["order.*"], ["bank-crm"]),
    ]
    events = [make.event(), make.event(lane="fulfillment", status="packed")]
    assert destinations(routes, events) == ["bi", "crm"]


def test_one_matching_event_of_a_change_is_enough() -> None:
    routes = [Route(["*"], ["order.payment.paid"], ["crm"])]
    assert destinations(routes, [make.event(status="failed"), make.event()]) == ["crm"]
    assert destinations(routes, [make.event(status="failed")]) == []
