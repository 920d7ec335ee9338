"""CDEK: webhooks of a courier in, delivery statements out.

Facts from api-docs.cdek.ru and cdek-it/sdk2.0 (fields, the sample, `deleted`, no signature, no
retry; read 2026-11) and, for the codes of offices and the fields of the other types, two
independent clients that agree (PyPI cdek 1.2.0, npm cdek 2.0.0). UNVERIFIED: the addresses CDEK
sends from, and whether a return carries the order number of the direct order.

CDEK signs nothing: the token at the end of the URL proves who sends. It sends every event once, so
what was lost has to be asked for.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from service.domain.events import Statement
from service.intake.preset import Preset, Proof
from service.intake.provider import NO_KEYS, Forged, Genuine, Keys, Provider, RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Happening, Meaning, Object, unmapped
from service.intake.verification import shared
from service.settings import Source

NAME = "cdek"
TITLE = "CDEK"
SETUP = """\
1. Send the shop's order number as `number` when you register the order with CDEK.
2. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
3. Subscribe with POST https://api.cdek.ru/v2/webhooks, once with the type ORDER_STATUS and once
   with DELIV_PROBLEM; the url is this source's URL, a slash and the token.
4. To change the token: make the new one `url_token`, list the old one in `secrets`, subscribe
   again (the same type overwrites the URL), then take the old one out."""

ORDER_PATH = "attributes.number"

MOVING = "delivery.in_transit"
CODES: Mapping[str, str] = {
    "ACCEPTED": "delivery.label_created",
    "CREATED": "delivery.label_created",
    "RECEIVED_AT_SHIPMENT_WAREHOUSE": "delivery.picked_up",
    **dict.fromkeys(
        (
            *("READY_FOR_SHIPMENT_IN_SENDER_CITY", "READY_TO_SHIP_AT_SENDING_OFFICE"),
            *("TAKEN_BY_TRANSPORTER_FROM_SENDER_CITY", "PASSED_TO_CARRIER_AT_SENDING_OFFICE"),
            *("SENT_TO_TRANSIT_CITY", "SEND_TO_TRANSIT_OFFICE"),
            *("ACCEPTED_IN_TRANSIT_CITY", "MET_AT_TRANSIT_OFFICE"),
            *("ACCEPTED_AT_TRANSIT_WAREHOUSE", "ACCEPTED_TO_OFFICE_TRANSIT_WAREHOUSE"),
            *("READY_FOR_SHIPMENT_IN_TRANSIT_CITY", "READY_TO_SHIP_IN_TRANSIT_OFFICE"),
            *("TAKEN_BY_TRANSPORTER_FROM_TRANSIT_CITY", "PASSED_TO_CARRIER_AT_TRANSIT_OFFICE"),
            *("SENT_TO_SENDER_CITY", "SEND_TO_SENDING_OFFICE"),
            *("ACCEPTED_IN_SENDER_CITY", "MET_AT_SENDING_OFFICE"),
            *("SENT_TO_RECIPIENT_CITY", "SEND_TO_RECIPIENT_OFFICE"),
            *("ACCEPTED_IN_RECIPIENT_CITY", "MET_AT_RECIPIENT_OFFICE"),
            *("ACCEPTED_AT_RECIPIENT_CITY_WAREHOUSE", "ACCEPTED_AT_DELIVERY_WAREHOUSE"),
            *("ENTERED_TO_TRANSIT_WAREHOUSE", "ENTERED_TO_OFFICE_TRANSIT_WAREHOUSE"),
            *("ENTERED_TO_RECIPIENT_CITY_WAREHOUSE", "ENTERED_TO_DELIVERY_WAREHOUSE"),
            *("ENTERED_TO_PICK_UP_POINT", "ENTERED_TO_WAREHOUSE_ON_DEMAND"),
            *("IN_CUSTOMS_INTERNATIONAL", "IN_CUSTOMS_LOCAL", "CUSTOMS_COMPLETE"),
            *("SHIPPED_TO_DESTINATION", "PASSED_TO_TRANSIT_CARRIER"),
            # Back in a warehouse on the way, which is no return to the sender.
            *("RETURNED_TO_SENDER_CITY_WAREHOUSE", "RETURNED_TO_SENDER_WAREHOUSE"),
            "RETURNED_TO_TRANSIT_WAREHOUSE",
        ),
        MOVING,
    ),
    "ACCEPTED_AT_PICK_UP_POINT": "delivery.ready_for_pickup",
    "ACCEPTED_AT_WAREHOUSE_ON_DEMAND": "delivery.ready_for_pickup",
    "POSTOMAT_POSTED": "delivery.ready_for_pickup",
    "TAKEN_BY_COURIER": "delivery.out_for_delivery",
    "ISSUED_FOR_DELIVERY": "delivery.out_for_delivery",
    "RETURNED_TO_RECIPIENT_CITY_WAREHOUSE": "delivery.delivery_failed",
    "RETURNED_TO_DELIVERY_WAREHOUSE": "delivery.delivery_failed",
    "NOT_DELIVERED": "delivery.delivery_failed",
    "POSTOMAT_SEIZED": "delivery.returning",
    "DELIVERED": "delivery.delivered",
    "POSTOMAT_RECEIVED": "delivery.delivered",
}
UNMOVED: Mapping[str, str] = {
    "REMOVED": "the booking was deleted; whether the order is cancelled, the shop decides",
    "INVALID": "CDEK could not book it; nothing has moved",
}
RETURNS: Mapping[str, str] = {
    "delivery.label_created": "",
    "delivery.delivered": "delivery.returned_to_sender",
}
"""On the way back a status only says that the parcel is returning, but for these."""
BACK = ("is_return", "is_reverse", "is_client_return")

IGNORED: Mapping[str, str] = {
    "ORDER_MODIFIED": "the date, sum or mode of the delivery is no status",
    "DELIV_AGREEMENT": "an agreed delivery is no status",
    "PRINT_FORM": "a document is no status",
    "RECEIPT": "a document is no status",
    "DOWNLOAD_PHOTO": "a document is no status",
    "ACCOMPANYING_WAYBILL": "a document is no status",
    "PREALERT_CLOSED": "it is not about one order",
    "OFFICE_AVAILABILITY": "it is not about an order",
    "COURIER_INFO": "who the courier is, is no status",
}

PLACES = {
    "place": "attributes.city_name || attributes.city",
    "reason": "attributes.status_reason_code",
}
OUTBOUND = telling.paths({"tracking_number": "attributes.cdek_number", **PLACES})
# The number of a return must not stand for the parcel the customer waits for.
INBOUND = telling.paths({"return_tracking_number": "attributes.cdek_number", **PLACES})


@dataclass(frozen=True, slots=True)
class Cdek(Provider):
    """One configured subscription."""

    guard: shared.Shared
    telling: telling.Telling

    def verify(
        self,
        request: RawRequest,
        *,
        now: datetime,
        keys: Keys = NO_KEYS,  # noqa: ARG002
    ) -> Genuine | Forged:
        return self.guard.verify(request, now=now)

    def redact(self, request: RawRequest) -> RawRequest:
        return self.guard.redact(request)

    def parse(self, request: RawRequest) -> Sequence[Statement]:
        try:
            event = _event(telling.document(request, sender=TITLE))
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        return (self.telling.state(mean(event.subject), event, request),)


def build(source: Source) -> Cdek:
    return Cdek(shared.url_token(source), telling.Telling.of(source, ORDER_PATH))


def _event(body: dict[str, JSON]) -> Happening:
    """Name an event by what happened and when: `uuid` is the order, and a code may come again."""
    kind, entity = mapping.name(body.get("type")), mapping.name(body.get("uuid"))
    inner = telling.within(body, "attributes")
    code = mapping.name(inner.get("code")) or ""
    when = inner.get("status_date_time") or inner.get("create_date") or body.get("date_time")
    if kind is None or entity is None:
        raise Unreadable("It is not an event of CDEK: it needs type and uuid.")
    taken_back = ":deleted" if inner.get("deleted") is True else ""
    key = mapping.name(f"{kind}:{entity}:{code}:{mapping.name(when) or ''}{taken_back}")
    if key is None:
        raise Unreadable("Its type, uuid, code and time are longer than 256 bytes together.")
    about = code if kind == "ORDER_STATUS" and code else kind
    facts = INBOUND if _is_back(inner) else OUTBOUND
    return Happening(key, about, subject=body, when=when, facts=facts, told=body)


def mean(body: Object) -> Meaning:
    """Decide what an event means by its type and code, and by which way the parcel goes."""
    kind = mapping.name(body.get("type")) or ""
    inner = telling.within(body, "attributes")
    if why := IGNORED.get(kind):
        return telling.ignored(f"{kind}: {why}.")
    if kind == "DELIV_PROBLEM":
        return Meaning("delivery.delivery_failed")
    if kind != "ORDER_STATUS":
        return telling.unknown(kind, "type of event")
    if inner.get("deleted") is True:
        return unmapped(
            "It takes an earlier status back, which this version cannot; "
            "look at the parcel in CDEK and correct the order by hand."
        )
    return _coded(mapping.name(inner.get("code")) or "", back=_is_back(inner))


def _is_back(inner: Object) -> bool:
    return any(inner.get(flag) is True for flag in BACK)


def _coded(code: str, *, back: bool) -> Meaning:
    if why := UNMOVED.get(code):
        return telling.ignored(f"{code}: {why}.")
    target = CODES.get(code)
    if target is None:
        return telling.unknown(code, "code of CDEK")
    if not back:
        return Meaning(target)
    target = RETURNS.get(target, "delivery.returning")
    return Meaning(target) if target else FACTS


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="courier",
    setup=SETUP,
    build=build,
    scheme="token in the URL",
    identity="type, uuid, code and time of a status",
    proof=Proof("none", "api-docs.cdek.ru"),
    url_token=True,
)
