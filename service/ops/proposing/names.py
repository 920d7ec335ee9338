"""Names of fields and headers as systems write them come in; what they usually hold goes out."""

import re
from collections.abc import Mapping, Sequence
from typing import Literal

Kind = Literal["key", "ref", "alias", "time", "status", "amount", "currency", "url", "carrier"]

USUAL: Mapping[Kind, tuple[str, ...]] = {
    "ref": (
        *("ordernumber", "orderno", "ordernum", "ordername", "ordercode", "orderreference"),
        *("orderref", "merchantorderid", "merchantreference", "externalorderid", "orderid"),
        *("order", "salesorder", "documentnumber", "documentno", "docno", "externalid"),
        *("clientreferenceid", "clientreference", "referencenumber", "reference", "ref"),
    ),
    "key": (
        *("eventid", "eventuid", "eventuuid", "messageid", "msgid", "notificationid"),
        *("deliveryid", "webhookid", "idempotencykey", "dedupekey", "uuid", "guid", "uid", "id"),
    ),
    "time": (
        *("occurredat", "happenedat", "eventtime", "eventdate", "eventtimestamp", "changedat"),
        *("statustime", "statusdate", "statuschangedat", "timestamp", "datetime", "time", "ts"),
        *("at", "date", "when", "updatedat", "modifiedat", "updated", "createdat", "created"),
    ),
    "status": (
        *("status", "orderstatus", "statuscode", "state", "orderstate", "newstatus", "event"),
        *("eventtype", "eventname", "type", "topic", "action", "stage", "phase", "step", "kind"),
    ),
    "alias": (
        *("trackingnumber", "trackingcode", "trackingno", "trackingid", "tracknumber", "trackno"),
        *("tracking", "waybill", "waybillnumber", "waybillno", "awb", "awbnumber"),
        *("consignmentnumber", "shipmentnumber"),
    ),
    "amount": (
        *("amount", "totalamount", "orderamount", "grandtotal", "totalprice", "ordertotal"),
        *("total", "sum"),
    ),
    "currency": ("currency", "currencycode"),
    "url": ("trackingurl", "trackinglink", "trackurl"),
    "carrier": ("carrier", "carriername", "carriercode", "courier", "couriername"),
}
ENDINGS: Mapping[Kind, tuple[str, ...]] = {
    "ref": ("ordernumber", "orderno", "orderid", "orderref", "reference"),
    "time": ("at", "time", "date", "timestamp"),
    "status": ("status", "state"),
}
"""Beginnings may differ: `fulfillment_status`, `picked_at`."""
WORTH: Mapping[Kind | None, int] = {"ref": 3, "alias": 2, "status": 3, "key": 1, "time": 1}

_PLANNED = re.compile(r"estimat|expect|eta|promis|due|planned|schedul|birth|expir|valid|until")
_NOT_LETTERS = re.compile(r"[^a-z0-9]")


def flat(name: str) -> str:
    """Write `Order-Number`, `order_number` and `orderNumber` alike."""
    return _NOT_LETTERS.sub("", name.lower())


def rank(kind: Kind, steps: Sequence[str]) -> int | None:
    """Say how usual a place is for something, 0 the most; None where it is not."""
    last = flat(steps[-1])
    if kind == "time" and _PLANNED.search(last):
        return None
    wanted = USUAL[kind]
    # `order.number` and `event.id` are said in two steps.
    both = flat(steps[-2]) + last if len(steps) > 1 else last
    for name in (both, last):
        if name in wanted and not _is_another(kind, name, both):
            return wanted.index(name)
    if any(last.endswith(end) for end in ENDINGS.get(kind, ())):
        return len(wanted)
    return None


def _is_another(kind: Kind, name: str, both: str) -> bool:
    """Whether the `id` is that of something around it, such as a customer."""
    return kind == "key" and name == "id" and both not in {"id", "dataid", "payloadid", "bodyid"}


def kind(steps: Sequence[str]) -> Kind | None:
    """Say what a place most likely holds."""
    order: tuple[Kind, ...] = ("ref", "alias", "status", "key", "time")
    ranked = [(found, each) for each in order if (found := rank(each, steps)) is not None]
    return min(ranked)[1] if ranked else None
