"""CDEK: webhooks of a courier in, delivery statements out.

Facts from api-docs.cdek.ru and cdek-it/sdk2.0 (fields, the sample, `deleted`, no signature, no
retry; read 2026-11) and, for the codes of offices and the fields of the other types, two
independent clients that agree (PyPI cdek 1.2.0, npm cdek 2.0.0). UNVERIFIED: the addresses CDEK
sends from, whether a return carries the order number of the direct order, and whether `deleted`
comes with the time of the status it takes back.

CDEK signs nothing: the token at the end of the URL proves who sends. It sends every event once, so
what was lost has to be asked for. A return is a parcel of its own, under the order it came from.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from service.domain.events import Alias, Revocation, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.reading.telling import FACTS, Happening, Meaning, Object
from service.intake.verification.shared import UrlToken
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

SCHEME = UrlToken()
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
"""What a return without a number of its own says of the order: it is coming back, but for these."""
BACK = ("is_return", "is_reverse", "is_client_return")
DIRECT = ("direct_order", "client_direct_order")
"""How a return calls the order it came from, among its `related_entities`."""

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
class Parcels:
    """Reads webhooks for one configured subscription."""

    telling: telling.Telling

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            body = telling.document(request, sender=TITLE)
            event = _event(body, self.telling.source)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        if event.returns and self.telling.naming.find(body).ref is None:
            event = replace(event, aliases=(*event.aliases, *_direct(body)))
        return (self.telling.state(mean(event.subject), event, request),)


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Parcels(telling.Telling.of(source, ORDER_PATH)))


def _event(body: dict[str, JSON], source: str) -> Happening:
    """Name an event by what happened and when: `uuid` is the order, and a code may come again."""
    kind, entity = mapping.name(body.get("type")), mapping.name(body.get("uuid"))
    inner = telling.within(body, "attributes")
    if kind is None or entity is None:
        raise Unreadable("It is not an event of CDEK: it needs type and uuid.")
    code = mapping.name(inner.get("code")) or ""
    when = inner.get("status_date_time") or inner.get("create_date") or body.get("date_time")
    number, back = mapping.name(inner.get("cdek_number")), _is_back(inner)
    event = Happening(
        key=f"{kind}:{entity}:{code}:{mapping.name(when) or ''}",
        code=code if kind == "ORDER_STATUS" and code else kind,
        subject=body,
        when=when,
        facts=INBOUND if back else OUTBOUND,
        told=body,
        reason=mapping.word(inner.get("status_reason_code")) or "",
        parcel=number,
        returns=back and number is not None,
        aliases=_names(number, entity),
    )
    event = _taking_back(event, source) if inner.get("deleted") is True else event
    if mapping.name(event.key) is None:
        raise Unreadable("Its type, uuid, code and time are longer than 256 bytes together.")
    return event


def _taking_back(event: Happening, source: str) -> Happening:
    """Take back the event that would have this one's name, and say nothing else of it."""
    revokes = Revocation(source, event.key)
    return replace(
        event,
        key=f"{event.key}:revoked",
        revokes=revokes,
        facts=None,
        reason="",
        # The source's own word for the code is no status of an event that takes it back.
        first=False,
    )


def _names(number: str | None, entity: str) -> tuple[Alias, ...]:
    tracking = (Alias("tracking", number),) if number else ()
    return (*tracking, Alias("order:cdek", entity))


def _direct(body: Object) -> tuple[Alias, ...]:
    """List the names of the order a return came from, which lead to what the shop calls it."""
    related = telling.within(body, "attributes").get("related_entities")
    listed = related if isinstance(related, list) else []
    direct = [each for each in listed if isinstance(each, dict) and each.get("type") in DIRECT]
    return tuple(
        Alias(kind, name)
        for each in direct[:1]
        for kind, field in (("tracking", "cdek_number"), ("order:cdek", "uuid"))
        if (name := mapping.name(each.get(field)))
    )


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
        return FACTS
    nameless = _is_back(inner) and mapping.name(inner.get("cdek_number")) is None
    return _coded(mapping.name(inner.get("code")) or "", nameless_return=nameless)


def _is_back(inner: Object) -> bool:
    return any(inner.get(flag) is True for flag in BACK)


def _coded(code: str, *, nameless_return: bool) -> Meaning:
    if why := UNMOVED.get(code):
        return telling.ignored(f"{code}: {why}.")
    target = CODES.get(code)
    if target is None:
        return telling.unknown(code, "code of CDEK")
    if not nameless_return:
        # Of a return the lifecycle itself takes only what it means for the order.
        return Meaning(target)
    target = RETURNS.get(target, "delivery.returning")
    return Meaning(target) if target else FACTS


PRESET = Preset(
    name=NAME,
    title=TITLE,
    category="courier",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="type, uuid, code and time of a status",
    proof=Proof("none", "api-docs.cdek.ru"),
    doubts=(
        (
            "Whether `deleted` carries the time of the status it takes back is UNVERIFIED: confirm "
            "on a live one that the status is revoked (orderhook orders history)."
        ),
        (
            "Whether a return carries the order number of the direct order is UNVERIFIED: confirm "
            "on a live return; without a number the direct order's own names lead to the order."
        ),
        (
            "The codes of offices (…_OFFICE, …_WAREHOUSE_ON_DEMAND) and the fields of "
            "DELIV_PROBLEM are PARTIAL (two clients agree): confirm those that come."
        ),
    ),
    url_token=True,
)
