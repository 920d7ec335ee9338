"""Samsara: events about the stops of a route in, delivery statements out.

Facts from developers.samsara.com (RouteStopArrival, RouteStopDeparture: fields and states; read
2026-11) and the SDK samsara-api 14.10.0 (event types). The signature is UNVERIFIED by the vendor's
own code: several independent implementations agree on it. UNVERIFIED: how far its time may lie
off, whether a retry (up to five) is signed anew, and what ShipmentTrackingEvent holds.

A stop says that the vehicle came and left, not that goods were handed over. So leaving moves
nothing, unless the source says `options = { departure = "delivered" }`. Whether a stop is there to
fetch or to bring goods is not told either: `options.arrival` says what coming means.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.errors import ConfigurationError
from service.domain.events import Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Happening, Meaning, Object, unmapped
from service.intake.verification.hmacs import Hmac
from service.settings import Source

NAME = "samsara"
TITLE = "Samsara"
SETUP = """\
1. Write the order number into each stop of a route as the external id `orderNo`; or set
   subject.ref to another place, as in "stop.externalIds.invoice".
2. In Samsara under Settings, Webhooks, add a webhook with this source's URL, and an event
   subscription (Webhooks 2.0) for RouteStopArrival and RouteStopDeparture.
3. Put the webhook's secret key (base64, taken as it stands) behind the reference in `secrets`.
4. Where leaving a stop means that the goods were handed over, set
   options = { departure = "delivered" }. Where vehicles come to fetch goods, set
   options = { arrival = "nothing" }, or "picking"."""
OPTIONS = ("arrival", "departure")

SECRET = "the webhook's secret key (base64)"  # noqa: S105  # names it, is none
SIGNATURE = "X-Samsara-Signature"
STAMP = "X-Samsara-Timestamp"
PREFIX = "v1="
SCHEME = Hmac(
    SIGNATURE,
    message="v1:{time}:{body}",
    prefix=PREFIX,
    time=f"header:{STAMP}",
    key="base64",
    what=SECRET,
)
ORDER_PATH = "stop.externalIds.orderNo || stop.externalIds.order_no"

ARRIVAL, DEPARTURE = "RouteStopArrival", "RouteStopDeparture"
TIMES = {ARRIVAL: "actualArrivalTime", DEPARTURE: "actualDepartureTime"}
ARRIVALS: Mapping[str, Meaning] = {
    "out_for_delivery": Meaning("delivery.out_for_delivery"),
    "picking": Meaning("fulfillment.picking"),
    "nothing": FACTS,
}
DEPARTURES: Mapping[str, Meaning] = {
    "nothing": FACTS,
    "delivered": Meaning("delivery.delivered"),
}

IGNORED: Mapping[str, str] = {
    "Ping": "a test of the address",
    "Alert": "an alert of Webhooks 1.0 names no order",
    "RouteStopEtaUpdated": "an estimate is no status",
    "RouteStopEarlyLateArrival": "an estimate is no status",
    "RouteStopResequence": "the sequence of the stops is no status",
}
OURS = ("RouteStop", "ShipmentTracking")

ATTRIBUTES = telling.paths(
    {
        "arrived_at": "stop.actualArrivalTime",
        "departed_at": "stop.actualDepartureTime",
        "place": "stop.name",
        "route": "data.route.name",
        "tracking_url": "stop.liveSharingUrl",
        "vehicle": "data.vehicle.name",
    }
)


@dataclass(frozen=True, slots=True)
class Stops:
    """Reads events for one configured webhook."""

    telling: telling.Telling
    arrival: Meaning
    departure: Meaning

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            event = _event(telling.document(request, sender=TITLE))
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        return (self.telling.state(self._mean(event.code), event, request),)

    def _mean(self, kind: str) -> Meaning:
        if kind == ARRIVAL:
            return self.arrival
        if kind == DEPARTURE:
            return self.departure
        if why := IGNORED.get(kind):
            return telling.ignored(f"{kind}: {why}.")
        if kind.startswith(OURS):
            return unmapped(f"{shown(kind)} tells about a delivery, but not in a way we know.")
        return telling.ignored(f"{shown(kind)} is not about a stop.")


def build(source: Source) -> Declared:
    stops = Stops(
        telling.Telling.of(source, ORDER_PATH),
        _chosen(source, "arrival", ARRIVALS, "out_for_delivery"),
        _chosen(source, "departure", DEPARTURES, "nothing"),
    )
    return Declared(SCHEME.guard(source), stops)


def _chosen(source: Source, option: str, choices: Mapping[str, Meaning], usual: str) -> Meaning:
    word = source.options.get(option, usual)
    if not isinstance(word, str) or word not in choices:
        names = " or ".join(choices)
        raise ConfigurationError(
            f"The option {option} of the source {source.name} must be {names}."
        )
    return choices[word]


def _event(body: dict[str, JSON]) -> Happening:
    key, kind = mapping.name(body.get("eventId")), mapping.name(body.get("eventType"))
    if key is None or kind is None:
        raise Unreadable("It is not an event of Samsara: it needs eventId and eventType.")
    stop = _stop(telling.within(body, "data"))
    view: dict[str, JSON] = {**body, "stop": stop}
    when = stop.get(TIMES.get(kind, "")) or telling.within(body, "data").get("time")
    return Happening(
        key=key,
        code=kind,
        subject=view,
        when=when or body.get("eventTime"),
        facts=ATTRIBUTES,
        told=view,
    )


def _stop(data: Object) -> dict[str, JSON]:
    """Put together what the event itself and the list of the route say about the stop."""
    details = telling.within(data, "routeStopDetails")
    listed = telling.within(data, "route").get("stops")
    of_route = listed if isinstance(listed, list) else []
    same: dict[str, JSON] = {}
    for each in of_route:
        if isinstance(each, dict) and each.get("id") and each.get("id") == details.get("id"):
            same = each
    return {**same, **details}


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="telematics",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="eventId",
    proof=Proof("none", "developers.samsara.com"),
    doubts=(
        (
            "The signature is PARTIAL (third parties): confirm that a live event is taken. The "
            "SDK samsara-api 14.10.0 has a check of another one, in the header "
            "x-samsara-hmacsha256-signature over URL and body, which no documentation names."
        ),
        "What ShipmentTrackingEvent holds is UNVERIFIED and unmapped: confirm on a live event.",
        (
            "Whether a retry is signed anew is UNVERIFIED: confirm that one after more than "
            "`tolerance` is taken."
        ),
    ),
    options=OPTIONS,
)
