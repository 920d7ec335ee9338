"""UPS Track Alert v2: the activities of parcels in, delivery statements out.

Facts from the UPS-API documentation (Track Alert; read 2026-11): a header we choose the value of,
payload, times, `descriptionCode`, the answer 200; no retry, no order, no signature. An activity of
type D may also be a parcel on its way to the door, so that `descriptionCode` decides and never the
type.
UPS may also ask a token address of ours for a bearer token; there is none here.

There is no id of an event: tracking number, time, type and code name it.
"""

import re
from collections.abc import Mapping, Sequence

from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.reading.layout import Layout, Says
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification.shared import HeaderSecret
from service.settings import Source

SETUP = """\
1. UPS names no order: let the shop or warehouse tell the tracking number with the order.
2. In the UPS developer portal under Manage Webhook Credentials, choose the API key (not OAuth), and
   put a long random text (openssl rand -hex 32) there and behind the reference in `secrets`.
3. Subscribe each tracking number (at most 100 a call) with this source's URL as the destination. A
   subscription ends after 14 days: renew it while the parcel is on its way.
4. UPS does not repeat what it could not deliver: ask its tracking API for parcels that fell
   silent."""

SCHEME = HeaderSecret("x-api-key", what="the API key you gave UPS")


def _each(target: str, codes: str) -> Mapping[str, str]:
    """List codes as UPS writes them, with three digits, and as its tables do."""
    return {form: target for code in codes.split() for form in (code, code.zfill(3))}


CODES: Mapping[str, str] = {
    **_each("delivery.label_created", "3 77 79"),
    **_each("delivery.picked_up", "38 44 45"),
    **_each("delivery.in_transit", "5 10 12 14 16 25 27 28 39 47 57 73 74"),
    **_each("delivery.out_for_delivery", "6 21 37 71 72 75 78"),
    **_each("delivery.ready_for_pickup", "17 40"),
    **_each("delivery.delivered", "11 26"),
    **_each(
        "delivery.delivery_failed",
        "13 18 19 20 22 23 24 29 30 32 46 48 49 50 51 52 53 55 58 59 60 61 62 64 65 66 68 69 76",
    ),
    **_each("delivery.returning", "33 35 36"),
    **_each("delivery.returned_to_sender", "34 67"),
    # Another label may be made; the order is cancelled by the shop or the warehouse.
    **_each("ignore: a voided label or pickup is no word about the order", "7 43"),
}

LAYOUT = Layout(
    title="UPS",
    says=(Says("activityStatus.descriptionCode", CODES, called="descriptionCode of UPS"),),
    # An activity names no order; the tracking number leads to it.
    ref="`null`",
    key=(
        "trackingNumber",
        "gmtActivityDate || localActivityDate",
        "gmtActivityTime || localActivityTime",
        "activityStatus.type",
        "activityStatus.code",
    ),
    when="moment",
    parcel="trackingNumber",
    reason="activityStatus.description",
    aliases={"tracking": "trackingNumber"},
    facts={
        "tracking_number": "trackingNumber",
        "place": "activityLocation.city",
        "received_by": "receivedBy",
    },
)

_DAY = re.compile(r"\d{8}", re.ASCII)
_CLOCK = re.compile(r"\d{6}", re.ASCII)
_OFFSET = re.compile(r"([+-]\d\d)[.:]?(\d\d)", re.ASCII)


def moment(activity: Mapping[str, JSON]) -> str | None:
    """Write the time of an activity: in UTC, else locally, with the offset if it has one."""
    if stamp := _stamp(activity.get("gmtActivityDate"), activity.get("gmtActivityTime")):
        return f"{stamp}Z"
    stamp = _stamp(activity.get("localActivityDate"), activity.get("localActivityTime"))
    offset = _OFFSET.fullmatch(str(activity.get("gmtOffset") or ""))
    return f"{stamp}{offset[1]}{offset[2]}" if stamp and offset else stamp


def _stamp(day: JSON, clock: JSON) -> str | None:
    if not isinstance(day, str) or not isinstance(clock, str):
        return None
    return f"{day}T{clock}" if _DAY.fullmatch(day) and _CLOCK.fullmatch(clock) else None


class Activities(Reader):
    """Reads an activity, whose time stands in several fields."""

    __slots__ = ()

    def views(self, document: JSON) -> Sequence[JSON]:
        views = super().views(document)
        return [
            {**each, "moment": moment(each)} if isinstance(each, dict) else each for each in views
        ]


MANNERS = Manners(answer=replies.text(""))


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Activities.of(LAYOUT, source), MANNERS)


PRESET = Preset(
    name="ups",
    title="UPS Track Alert",
    category="courier",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="tracking number, time, type and code of the activity",
    proof=Proof("none", "UPS-API documentation, Track Alert"),
    doubts=(
        (
            "An activity without UTC time and offset is read in the source's `timezone`: confirm "
            "that gmtActivityDate is always filled in."
        ),
    ),
)
