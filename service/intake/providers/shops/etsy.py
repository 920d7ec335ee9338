"""Etsy: webhooks about receipts in, statements about orders out.

Facts from developers.etsy.com (webhooks) and Etsy's staff (etsy/open-api, discussion 1509; read
2026-11): the three headers, a secret `whsec_…`, the flat payload, commercial apps only. The formula
is that of Standard Webhooks by one full implementation of third parties; Etsy states it nowhere.
UNVERIFIED: that formula, the schedule of repeats, and that any event but order.paid is sent.

The only time is that of the delivery, which each repeat has anew; so events are untimed and only
move an order forward. `resource_url` is read for the receipt's number and never fetched.
"""

import re
from collections.abc import Sequence

from service.intake.preset import Declared, Preset, Proof
from service.intake.reading.layout import Layout, Says
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification.standard import StandardWebhooks
from service.settings import Source

SETUP = """\
1. In Etsy's developer portal open the webhooks of your app (commercial access) and add an endpoint
   with this source's URL for order.paid, order.shipped, order.delivered and order.canceled.
2. Put its signing secret (whsec_…) behind the reference in `secrets`.
3. The order number is the receipt's id, as Etsy shows it to shop and customer."""

SCHEME = StandardWebhooks("the endpoint's signing secret (whsec_…)", bare=True)

LAYOUT = Layout(
    title="Etsy",
    says=(
        Says(
            "event_type",
            {
                "order.paid": "payment.paid",
                "order.shipped": "fulfillment.shipped",
                "order.delivered": "delivery.delivered",
                "order.canceled": "order.cancelled",
            },
            ours=("order.", "ORDER_"),
        ),
    ),
    ref="receipt",
    key=("header:webhook-id",),
    aliases={"order:etsy": "receipt"},
    facts={"shop_id": "shop_id"},
)

_RECEIPT = re.compile(r"https://[^/?#]+/.*/receipts/(\d{1,20})/?", re.ASCII)


class Receipts(Reader):
    """Reads webhooks for one configured app."""

    __slots__ = ()

    def views(self, document: JSON) -> Sequence[JSON]:
        if not isinstance(document, dict):
            return super().views(document)
        url = document.get("resource_url")
        found = _RECEIPT.fullmatch(url) if isinstance(url, str) else None
        return super().views({**document, "receipt": found[1] if found else None})


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Receipts.of(LAYOUT, source))


PRESET = Preset(
    name="etsy",
    title="Etsy",
    category="shop",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="webhook-id",
    proof=Proof("foreign", "standardwebhooks 1.1.0 (PyPI), as third parties verify Etsy"),
    doubts=(
        (
            "No event carries its own time, so an order only moves forward: confirm that one that "
            "is paid after it was cancelled is looked at by a person."
        ),
        (
            "The formula of the signature is UNVERIFIED by Etsy itself: confirm on a live "
            "delivery before you rely on it."
        ),
        (
            "That events other than order.paid are sent is UNVERIFIED: confirm in the list of the"
            " portal."
        ),
    ),
)
