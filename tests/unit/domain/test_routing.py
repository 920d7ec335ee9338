"""Routes: which destinations should know of a change, and how urgently."""

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from service.domain.events import Event
from service.domain.routing import (
    PRIORITIES,
    Condition,
    Route,
    View,
    destinations,
    spoken,
    standing,
)
from tests import make

HIGH, NORMAL, LOW = PRIORITIES["high"], PRIORITIES["normal"], PRIORITIES["low"]


def view(**overrides: Any) -> View:
    """Order 1001 is paid, unless told otherwise."""
    usual: dict[str, Any] = {
        "lifecycle": "order",
        "scope": "",
        "ref": "1001",
        "status": "paid",
        "lanes": {"payment": "paid"},
        "parcels": {},
        "attributes": {},
        "flags": (),
    }
    return View(**{**usual, **overrides})  # type: ignore[typeddict-item]


def route(**overrides: Any) -> Route:
    """Everything about orders goes to the CRM, unless told otherwise."""
    when = overrides.pop("when", None)
    usual = {"sources": ["*"], "events": ["order.*"], "destinations": ["crm"]}
    return Route(**{**usual, **overrides}, when=Condition.of(when) if when else None)


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
    assert name == spoken(make.event(**said))


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
    assert taken is Route(sources, events, ["crm"]).takes(event)


def test_each_destination_is_named_once_whatever_routes_lead_there() -> None:
    routes = [
        route(destinations=["crm", "bi"]),
        route(sources=["shop"], events=["order.payment.*"]),
        route(sources=["bank"], destinations=["bank-crm"]),
    ]
    events = [make.event(), make.event(lane="fulfillment", status="packed")]
    assert {"bi": NORMAL, "crm": NORMAL} == destinations(routes, events, view())


def test_one_matching_event_of_a_change_is_enough() -> None:
    routes = [route(events=["order.payment.paid"])]
    both = [make.event(status="failed"), make.event()]
    assert {"crm": NORMAL} == destinations(routes, both, view())
    assert {} == destinations(routes, [make.event(status="failed")], view())


def test_of_several_routes_to_a_destination_the_most_urgent_counts() -> None:
    routes = [
        route(priority=LOW, destinations=["crm", "bi"]),
        route(priority=HIGH, when="attributes.vip"),
        route(priority=NORMAL),
    ]
    vip = view(attributes={"vip": True})
    assert {"bi": LOW, "crm": HIGH} == destinations(routes, [make.event()], vip)
    assert {"bi": LOW, "crm": NORMAL} == destinations(routes, [make.event()], view())


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("attributes.vip", True),
        ("attributes.vip == `true`", True),
        ("attributes.gift", False),
        ("attributes.gift_text", True),  # the text "false" is a text
        ("attributes.gift_text == 'true'", False),
        ("attributes.absent", False),
        ("attributes.empty", False),
        ("to_number(attributes.amount) > `1000`", True),
        ("to_number(attributes.amount) > `1000.50`", False),
        ("attributes.amount > `1000`", False),  # a text is not compared with a number
        ("to_number(attributes.absent) > `0`", False),
        ("to_number(attributes.zero)", True),  # JMESPath: every number is a yes
        ("lanes.payment == 'paid' && !(lanes.delivery)", True),
        ("!lanes.delivery", False),  # JMESPath: the ! belongs to `lanes`
        ("contains(['paid', 'processing'], status)", True),
        ("contains(flags, 'shipped_unpaid')", True),
        ("parcels.delivery.*", True),
        ("parcels.delivery | contains(values(@), 'lost')", True),
        ("parcels.payment", False),
        ("starts_with(ref, '10') && scope == ''", True),
        ("lifecycle == 'return'", False),
        ("length(attributes.vip) > `1`", False),  # a flag has no length
        ("abs(attributes.amount)", False),
        ("lanes.payment.deeper.still", False),
    ],
)
def test_when_looks_at_the_folded_subject(expression: str, *, holds: bool) -> None:
    seen = view(
        attributes={
            "vip": True,
            "gift": False,
            "gift_text": "false",
            "empty": "",
            "amount": "1000.50",
            "zero": "0",
        },
        parcels={"delivery": {"P1": "delivered", "P2": "lost"}},
        flags=("shipped_unpaid",),
    )
    assert holds is Condition.of(expression).holds(seen)


def test_what_the_shop_told_earlier_routes_what_the_courier_says_now() -> None:
    routes = [route(events=["order.delivery.*"], when="attributes.vip")]
    scan = [make.event(source="courier", lane="delivery", status="in_transit")]
    assert {"crm": NORMAL} == destinations(routes, scan, view(attributes={"vip": True}))
    assert {} == destinations(routes, scan, view())


def test_a_condition_that_comes_true_later_makes_up_for_what_was_said_before() -> None:
    routes = [route(events=["order.payment.paid"], when="attributes.vip")]
    told = [make.event(lane=None, status=None, attributes={"vip": True})]
    vip = view(attributes={"vip": True})
    assert {"crm": NORMAL} == destinations(routes, told, vip, before=view())
    assert {} == destinations(routes, told, vip, before=vip)  # it was owed then
    gone = view(attributes={"vip": True}, lanes={"payment": "refunded"})
    assert {} == destinations(routes, told, gone, before=view())


def test_a_condition_opens_a_route_only_for_its_own_sources() -> None:
    routes = [route(sources=["bank"], when="attributes.vip")]
    told = [make.event(source="shop", lane=None, status=None, attributes={"vip": True})]
    assert {} == destinations(routes, told, view(attributes={"vip": True}), before=view())


def test_a_subject_that_changed_without_an_event_goes_where_its_state_would_lead() -> None:
    routes = [
        route(destinations=["crm"]),
        route(destinations=["courier-crm"], sources=["courier"]),
        route(destinations=["delivered"], events=["order.delivery.delivered"]),
        route(destinations=["vip"], when="attributes.vip", priority=HIGH),
    ]
    paid = [make.event(source="shop")]
    pinned = view(lanes={"payment": "paid", "delivery": "delivered"})
    assert {"crm": NORMAL, "delivered": NORMAL} == standing(routes, paid, pinned)
    assert {"crm": NORMAL, "vip": HIGH} == standing(routes, paid, view(attributes={"vip": True}))
    assert {} == standing(routes, [], pinned)


SOURCES = ("shop", "bank", "courier")
STATUSES = (("payment", "paid"), ("payment", "failed"), ("delivery", "delivered"), (None, None))
EVENTS = st.lists(
    st.builds(
        lambda source, said: make.event(source=source, lane=said[0], status=said[1]),
        st.sampled_from(SOURCES),
        st.sampled_from(STATUSES),
    ),
    max_size=4,
)
ROUTES = st.lists(
    st.builds(
        route,
        sources=st.lists(st.sampled_from(["*", *SOURCES]), min_size=1, max_size=2),
        events=st.lists(
            st.sampled_from(["*", "order.*", "order.payment.*", "order.attributes"]), min_size=1
        ),
        destinations=st.lists(st.sampled_from(["crm", "bi"]), min_size=1, unique=True),
        when=st.sampled_from([None, "attributes.vip", "lanes.payment == 'paid'", "abs(ref)"]),
        priority=st.sampled_from([HIGH, NORMAL, LOW]),
    ),
    max_size=4,
)
VIEWS = st.builds(
    view,
    lanes=st.sampled_from([{}, {"payment": "paid"}, {"payment": "failed"}]),
    attributes=st.sampled_from([{}, {"vip": True}, {"vip": ""}]),
)


@settings(max_examples=200)
@given(routes=ROUTES, events=EVENTS, after=VIEWS, before=VIEWS)
def test_neither_the_order_of_routes_nor_of_events_matters(
    routes: list[Route], events: list[Event], after: View, before: View
) -> None:
    found = destinations(routes, events, after, before=before)
    for shuffled in permutations(routes):
        assert found == destinations(shuffled, events[::-1], after, before=before)
    assert standing(routes, events, after) == standing(routes[::-1], events[::-1], after)


@settings(max_examples=200)
@given(routes=ROUTES, events=EVENTS, after=VIEWS, before=VIEWS)
def test_only_routes_whose_condition_holds_lead_anywhere(
    routes: list[Route], events: list[Event], after: View, before: View
) -> None:
    holding = [one for one in routes if one.holds(after)]
    found = destinations(routes, events, after, before=before)
    assert found == destinations(holding, events, after, before=before)
    assert found.keys() <= {name for one in holding for name in one.destinations}
    assert all(
        priority == min(_leading(holding, events, name, after=after, before=before))
        for name, priority in found.items()
    )
    # What a change leads to, the subject as it stands leads to as well.
    assert found.keys() <= standing(routes, events, after).keys()


def _leading(
    routes: Sequence[Route], events: Sequence[Event], name: str, *, after: View, before: View
) -> list[int]:
    return [
        one.priority for one in routes if name in destinations([one], events, after, before=before)
    ]


@pytest.mark.filterwarnings("ignore:deprecated string literal syntax")
@settings(max_examples=200)
@given(
    expression=st.text(alphabet="abs(]) [.*?|&!`@'\"0<>=lanes,{}:", max_size=24),
    seen=VIEWS,
)
def test_an_expression_that_compiles_never_fails(expression: str, seen: View) -> None:
    try:
        condition = Condition.of(expression)
    except ValueError:
        return
    assert condition.holds(seen) in {True, False}
