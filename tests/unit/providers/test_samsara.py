"""Samsara: the formula several implementations agree on as oracle, and the stops of a route."""

import hmac
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Statement
from service.intake.provider import Forged, Genuine, RawRequest, Verification
from service.intake.providers.telematics import samsara
from service.sandbox import senders
from service.settings import Secret, Source

SECRET, KEY = "dG9wc2VjcmV0", b"topsecret"
STAMP = 1_700_000_000
NOW = datetime.fromtimestamp(STAMP, UTC)
BODY = b'{"id":"1","status":"delivered"}'
VECTOR = "v1=3a77acf1b0eb031af7cd0b34644cffdabf30af848bb3d63b3cbd4d4e93de6fd4"


def source(**rules: Any) -> Source:
    secrets = (Secret.plain(SECRET),)
    rules = {"name": "fleet", "provider": "samsara", "secrets": secrets, **rules}
    return Source.model_validate(rules)


def request(body: bytes, *headers: tuple[str, str]) -> RawRequest:
    return RawRequest("POST", "/webhooks/fleet", "", headers, body, NOW)


def signed(signature: str = VECTOR, stamp: str = str(STAMP)) -> tuple[tuple[str, str], ...]:
    return (("x-samsara-signature", signature), ("x-samsara-timestamp", stamp))


def verdict(body: bytes, *headers: tuple[str, str]) -> Verification:
    return samsara.build(source()).verify(request(body, *headers), now=NOW)


def parse(kind: str, own: Source | None = None, **data: Any) -> Statement:
    stop = {"id": "s-1", "externalIds": {"orderNo": "1001"}}
    usual = {"routeStopDetails": stop, "time": "2023-11-14T22:00:00Z"}
    body = {"eventId": "e-1", "eventType": kind, "eventTime": "2023-11-14T22:10:00Z"}
    raw = request(json.dumps({**body, "data": {**usual, **data}}).encode())
    (said,) = samsara.build(own or source()).parse(raw)
    return said


def test_the_vector_of_the_formula_is_genuine() -> None:
    assert Genuine() == verdict(BODY, *signed())
    assert Genuine() == verdict(BODY, *signed("v1=" + VECTOR.removeprefix("v1=").upper()))


@given(st.binary(max_size=200))
def test_whatever_the_formula_signs_is_genuine(body: bytes) -> None:
    digest = hmac.digest(KEY, b"v1:%d:%s" % (STAMP, body), "sha256").hex()
    assert Genuine() == verdict(body, *signed(f"v1={digest}"))


@pytest.mark.parametrize(
    ("headers", "words"),
    [
        (signed(VECTOR.removeprefix("v1=")), "no signature that starts with `v1=`"),
        (signed(VECTOR.replace("v1", "v2")), "no signature that starts with `v1=`"),
        (signed("v1="), "no signature that starts with `v1=`"),
        (signed(f"{VECTOR},{VECTOR}"), "No signature of 1 matches"),
        (signed(stamp=str(STAMP + 1)), "No signature of 1 matches"),
        (signed(stamp="now"), "not a whole number of unix seconds"),
        (signed()[1:], "The header X-Samsara-Signature is missing."),
        (signed()[:1], "The header X-Samsara-Timestamp is missing."),
        ((*signed(), signed()[1]), "X-Samsara-Timestamp was sent 2 times"),
    ],
)
def test_what_is_not_signed_so_is_refused_with_the_reason(
    headers: tuple[tuple[str, str], ...], words: str
) -> None:
    answer = verdict(BODY, *headers)
    assert isinstance(answer, Forged)
    assert words in answer.reason


def test_coming_to_the_stop_of_an_order_is_out_for_delivery_at_the_time_of_the_stop() -> None:
    stop = {"id": "s-1", "actualArrivalTime": "2023-11-14T21:59:00Z"}
    said = parse("RouteStopArrival", routeStopDetails=stop, route=_route("1001"))
    assert ("1001", "delivery", "out_for_delivery") == (said.ref, said.lane, said.status)
    assert datetime(2023, 11, 14, 21, 59, tzinfo=UTC) == said.occurred_at
    assert ("Office", "e-1") == (said.attributes["place"], said.dedupe_key)


def _route(order: str) -> dict[str, Any]:
    mine = {"id": "s-1", "name": "Office", "externalIds": {"orderNo": order}}
    return {"stops": ["junk", {"id": "s-2", "externalIds": {"orderNo": "9"}}, {}, mine]}


def test_a_stop_without_an_id_is_no_stop_of_the_route() -> None:
    route = {"stops": [{"externalIds": {"orderNo": "9"}}]}
    said = parse("RouteStopArrival", routeStopDetails={}, route=route)
    assert (Fate.UNRESOLVED, None) == (said.fate, said.ref)


def test_the_operation_and_then_the_event_give_the_time_where_the_stop_has_none() -> None:
    assert datetime(2023, 11, 14, 22, tzinfo=UTC) == parse("RouteStopArrival").occurred_at
    said = parse("RouteStopArrival", time=None)
    assert datetime(2023, 11, 14, 22, 10, tzinfo=UTC) == said.occurred_at


def test_leaving_moves_nothing_unless_the_source_says_so() -> None:
    stop = {"externalIds": {"orderNo": "1001"}, "actualDepartureTime": "2023-11-14T21:59:00Z"}
    said = parse("RouteStopDeparture", routeStopDetails=stop)
    assert (Fate.FOLD, None) == (said.fate, said.status)
    assert {"departed_at": "2023-11-14T21:59:00Z"} == said.attributes
    own = source(options={"departure": "delivered"})
    assert "delivered" == parse("RouteStopDeparture", own, routeStopDetails=stop).status


def test_leaving_a_stop_that_tells_nothing_is_nothing_to_keep() -> None:
    said = parse("RouteStopDeparture")
    assert (Fate.IGNORED, "RouteStopDeparture carries nothing to keep.") == (said.fate, said.note)


@pytest.mark.parametrize("choice", ["nowhere", "", True, 1, None, ["delivered"]])
def test_another_choice_for_leaving_is_refused(choice: Any) -> None:
    with pytest.raises(ConfigurationError, match="must be nothing or delivered"):
        samsara.build(source(options={"departure": choice}))


def test_what_coming_to_a_stop_means_is_the_sources_choice() -> None:
    at = {"id": "s-1", "actualArrivalTime": "2023-11-14T21:59:00Z"}
    for choice, target in (("picking", "picking"), ("nothing", None)):
        own = source(options={"arrival": choice})
        said = parse("RouteStopArrival", own, routeStopDetails=at, route=_route("1001"))
        assert (Fate.FOLD, target) == (said.fate, said.status)
    with pytest.raises(ConfigurationError, match="arrival of the source fleet must be"):
        samsara.build(source(options={"arrival": "delivered"}))


@pytest.mark.parametrize("kind", [*samsara.IGNORED, "VehicleUpdated", "GeofenceEntry"])
def test_what_is_no_status_of_an_order_is_ignored(kind: str) -> None:
    assert (Fate.IGNORED, None) == (parse(kind).fate, parse(kind).ref)


@pytest.mark.parametrize("kind", ["RouteStopTeleported", "ShipmentTrackingEvent"])
def test_what_tells_about_a_delivery_in_an_unknown_way_is_unmapped(kind: str) -> None:
    assert (Fate.UNMAPPED, None) == (parse(kind).fate, parse(kind).status)


@pytest.mark.parametrize("body", ["{}", '{"eventId":"e"}', '{"eventType":"Ping"}', "[]"])
def test_a_body_that_is_no_event_is_unreadable(body: str) -> None:
    (said,) = samsara.build(source()).parse(request(body.encode()))
    assert Fate.UNREADABLE is said.fate


@pytest.mark.parametrize("ref", [None, "stop.externalIds.invoice", "data.route.externalIds.load"])
@pytest.mark.parametrize(
    ("name", "status"), [("arrived", "out_for_delivery"), ("departed", "delivered")]
)
def test_a_sample_says_what_it_is_named_after(name: str, status: str, ref: str | None) -> None:
    own = source(options={"departure": "delivered"}, subject={"ref": ref})
    body = senders.sample(own, name, senders.Occasion("1001", NOW, "evt-1"))
    sent = senders.sign(own, body, at=NOW, sample=name)
    headers = tuple((key.lower(), value) for key, value in sent.headers.items())
    built, raw = samsara.build(own), request(sent.body, *headers)
    assert Genuine() == built.verify(raw, now=NOW)
    (said,) = built.parse(raw)
    assert ("1001", status, NOW, "evt-1") == (
        said.ref,
        said.status,
        said.occurred_at,
        said.dedupe_key,
    )


@pytest.mark.parametrize("secret", ["not base64!", "abcde", "="])
def test_a_secret_that_is_no_key_is_refused(secret: str) -> None:
    with pytest.raises(ConfigurationError, match="is not base64; put the webhook's secret key"):
        samsara.build(source(secrets=(Secret.plain(secret),)))
