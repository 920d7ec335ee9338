"""DHL Shipment Tracking, Unified Push: the events of shipments in, delivery statements out.

Facts from developer.dhl.com (Unified Push; read 2026-11): the header and the token we choose in the
subscription, the words of `statusCode`, that a subscription must be activated, that the divisions
do not send the same structure. PARTIAL: `shipments`, `scope` and `self`, and the time of an event
(one independent receiver and the model of the tracking API agree); the codes of the divisions, from
lists the project karrio keeps as the vendor's. One code means different things in two divisions.
UNVERIFIED: retries.

There is no id of an event: shipment, code and time name it. All events of a shipment are read.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from service.domain.errors import ConfigurationError
from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.layout import Layout, Says
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification.shared import HeaderSecret
from service.settings import Source

SETUP = """\
1. DHL names no order: let the shop or warehouse tell the tracking number with the order.
2. Make a long random text (openssl rand -hex 32) and put it behind the reference in `secrets`.
3. Subscribe with POST https://api-eu.dhl.com/tracking/push/v1/subscription; hook.uri is the URL of
   this source, hook.authentication {"type": "ApiKeyAuthentication", "header": "X-Api-Key", "token":
   the random text}, events are Transit, Delivered, Pre-Transit, Failure and Unknown.
4. DHL first posts `subscription.validate`, shown as unmapped: activate the subscription with the
   `secret` in its body (orderhook events show), as DHL's documentation says, then discard it.
5. Where a division sends codes of its own in place of `statusCode`, set options = { division =
   "express" } ("parcel-de", "ecommerce"); one source for each division."""

SCHEME = HeaderSecret("X-Api-Key", what="the token of the subscription's hook")
DIVISION = "division"

UNIFIED: Mapping[str, str] = {
    "pre-transit": "delivery.label_created",
    "transit": "delivery.in_transit",
    "delivered": "delivery.delivered",
    "failure": "delivery.delivery_failed",
    "unknown": "ignore: DHL does not know where the parcel is",
}
"""What every division may say; verified."""


def _listed(lists: Mapping[str, str]) -> Mapping[str, str]:
    """Turn lists of codes round; a code in two of them is a mistake of whoever wrote them."""
    told: dict[str, str] = {}
    for said, codes in lists.items():
        for code in _codes(codes):
            if told.setdefault(code, said) != said:
                raise ValueError(f"The code {code} is listed as {told[code]} and as {said}.")
    return told


def _codes(text: str) -> Iterator[str]:
    """Read `100 115 477-483`."""
    for word in text.split():
        first, dash, last = word.partition("-")
        yield from (str(code) for code in range(int(first), int(last) + 1)) if dash else [word]


NOTHING = "ignore: it says nothing about where the parcel is"
VOIDED = "ignore: a shipment was cancelled before it left, which is no word about the order"

EXPRESS = _listed(
    {
        "delivery.picked_up": "PU SA",
        # PD: a part of the shipment was delivered.
        "delivery.in_transit": "AF AR BN BR CR DF FD IC PL RR TP TR SC AD PD",
        "delivery.out_for_delivery": "WC",
        "delivery.ready_for_pickup": "CC",
        # DD: delivered with damage.
        "delivery.delivered": "OK DD",
        "delivery.delivery_failed": "BA CA CD CM CS HP MC MD MS ND NH OH RD SS UD",
        "delivery.returned_to_sender": "RT",
        "delivery.lost": "DS",
    }
)
PARCEL_DE = _listed(
    {
        "delivery.label_created": "VA",
        "delivery.picked_up": "AE ES",
        "delivery.in_transit": "AA EE NB ZO",
        "delivery.out_for_delivery": "PO",
        "delivery.ready_for_pickup": "LA ZF",
        "delivery.delivered": "ZU",
        "delivery.delivery_failed": "AN BV ZN",
        NOTHING: "DD GT",
    }
)
ECOMMERCE = _listed(
    {
        "delivery.label_created": "109 235 238 300 350 400 445",
        "delivery.picked_up": "100 115 116 130 200 211 229 461 513 561 589 590",
        "delivery.in_transit": (
            "50 51 104 106 110 113 114 120 125 132 150 155 156 220 359 360 361 365 371 399 401 402 "
            "431 441 442 447 449 451 452 454 456 462 463 464 468 470 472 473 477-483 494 499 501 "
            "502 505 509 510 511 515 517 518 520 521 523-526 528-543 545 547 548 549 557 562 "
            "566-568 575-577 579 642"
        ),
        "delivery.ready_for_pickup": "469 522 560 565 570 585 588 599 601",
        "delivery.out_for_delivery": "544 558 580 597 598",
        "delivery.delivered": "572 600 606 607 621 652-659",
        "delivery.delivery_failed": (
            "107 240 242 312 358 443 448 450 453 506 507 508 546 550-556 563 564 571 573 583 "
            "592-596 605 608 610-615 619 620 623 625 626 629-631 633 637-641 644 651 665 670 671 "
            "680 683 686 689 691 693 699 700-770 809 844"
        ),
        "delivery.returning": (
            "108 603 604 627 800 806 808 810 811 813 815-818 820 821 849 853 855-859 862 880-887"
        ),
        "delivery.returned_to_sender": "602 802 804 860 863 864",
        "delivery.lost": "636 650 690 780 825",
        NOTHING: (
            "99 128 129 134 135 161-164 241 313 503 504 574 581 582 591 609 616-618 624 628 632 "
            "805 807 854 867-872"
        ),
        # The booking of a parcel was cancelled; the order may leave in another one.
        VOIDED: "101",
    }
)

DIVISIONS: Mapping[str, Mapping[str, str]] = {
    "express": EXPRESS,
    "parcel-de": PARCEL_DE,
    "ecommerce": ECOMMERCE,
}
"""By the word of the option `division`."""

STATUSES: Mapping[str, str] = {
    **UNIFIED,
    "subscription.ready": "ignore: the subscription is active",
}

WORD = "statusCode || scope"
CALLED = "statusCode of DHL"
LAYOUT = Layout(
    title="DHL",
    items="shipments",
    # A shipment that lists no events still says how it stands.
    inner=("events || [status]",),
    says=(Says(WORD, STATUSES, called=CALLED),),
    # A shipment names no order; its number leads to it.
    ref="`null`",
    key=("up.id || self", WORD, "timestamp"),
    when="timestamp",
    parcel="up.id",
    reason="description",
    aliases={"tracking": "up.id"},
    facts={
        "tracking_number": "up.id",
        "place": "location.address.addressLocality",
    },
)


class Pushes(Reader):
    """Reads shipments, and words about the subscription itself, which carry none."""

    __slots__ = ()

    def views(self, document: JSON) -> Sequence[JSON]:
        about = isinstance(document, dict) and str(document.get("scope")) in SUBSCRIPTION
        return [document] if about else super().views(document)


SUBSCRIPTION = frozenset({"subscription.validate", "subscription.ready"})


def build(source: Source) -> Declared:
    says = (Says(WORD, {**STATUSES, **_division(source)}, called=CALLED),)
    return Declared(SCHEME.guard(source), Pushes.of(replace(LAYOUT, says=says), source))


def _division(source: Source) -> Mapping[str, str]:
    """Take the codes of the division a source is of; none where it names none."""
    division = source.options.get(DIVISION)
    if division is None:
        return {}
    if not isinstance(division, str) or division not in DIVISIONS:
        raise ConfigurationError(
            f"The source {source.name} has a division that is none of DHL's known here; "
            f"set options.division to one of {', '.join(DIVISIONS)}, or leave it out."
        )
    return DIVISIONS[division]


PRESET = Preset(
    name="dhl",
    title="DHL Unified Push",
    category="courier",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="shipment, code and time of an event",
    proof=Proof("none", "developer.dhl.com, Shipment Tracking Unified Push"),
    doubts=(
        (
            "The payload is PARTIAL and differs between DHL's divisions: confirm on a live push "
            "that shipments[] carries events[] or status with statusCode, timestamp, description "
            "and location.address.addressLocality."
        ),
        "The codes of the divisions are PARTIAL: confirm those you meet before you set `division`.",
        (
            "Times without a zone are PARTIAL: confirm one on a scan of a known moment, and set "
            "`timezone`."
        ),
        "Retries are UNVERIFIED: confirm that a repeated push carries the same times.",
    ),
    options=(DIVISION,),
)
