"""BigCommerce: thin webhooks about orders in, statements about orders out.

Facts from the documentation (bigcommerce/docs @24f580c, read 2026-11): Standard Webhooks with the
client secret itself as the key, `hash` as identity, the retries, the ids 0, 1, 2 and 11 of order
statuses. UNVERIFIED: the other ids, the name store/shipment/created, and whether webhooks made
with a store's own API account are signed.

A webhook names an order and, where its status changed, the new one; nothing else of the order.
"""

from service.intake.preset import Preset, Proof, declared
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.standard import StandardWebhooks

SETUP = """\
1. Make an app in BigCommerce's developer portal; only the webhooks of apps are surely signed.
2. With the app's API account, create webhooks (POST /v3/hooks) to this source's URL with the scopes
   store/order/created and store/order/statusUpdated. The port must be 443.
3. Put the app's client secret, as it stands, behind the reference in `secrets`.
4. The order number is the order's id in BigCommerce.
5. After about two days of failures BigCommerce turns a webhook off: check `orderhook sources
   refused` after the first one."""

SCHEME = StandardWebhooks("the app's client secret, as it stands", key="text")

STATUSES = {
    "0": "ignore: the order is incomplete, nobody has placed it yet",
    "1": "order.new",
    "2": "fulfillment.shipped",
    "3": "fulfillment.partially_shipped",
    "4": "payment.refunded",
    "5": "order.cancelled",
    "6": "payment.failed",
    "7": "payment.awaiting_payment",
    "8": "fulfillment.packed",
    "9": "fulfillment.packed",
    "10": "order.completed",
    "11": "payment.paid",
    "12": "order.confirmed",
    "13": "payment.chargeback",
    "14": "payment.partially_refunded",
}
ELSEWHERE = "store/order/statusUpdated tells the status"

LAYOUT = Layout(
    title="BigCommerce",
    says=(
        Says(
            "scope",
            {
                "store/order/created": "order.new",
                "store/order/updated": f"ignore: {ELSEWHERE}",
                "store/order/archived": "ignore: the order keeps its last status",
                "store/order/statusUpdated": Branch("data.status.new_status_id", STATUSES),
                "store/order/refund/created": f"ignore: {ELSEWHERE}, and no amount comes with it",
                "store/order/transaction/created": f"ignore: {ELSEWHERE}",
                "store/order/transaction/updated": f"ignore: {ELSEWHERE}",
                "store/order/message/created": "ignore: a message is no status",
            },
            ours=("store/order/",),
        ),
    ),
    ref="data.id",
    # The time keeps apart what would be written alike: the same step taken twice.
    key=("hash", "created_at"),
    when="created_at",
    facts={"store": "producer", "status_id": "data.status.new_status_id"},
)

PRESET = Preset(
    name="bigcommerce",
    title="BigCommerce",
    category="shop",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT),
    scheme=f"{SCHEME.summary}, with the client secret itself as the key",
    identity="hash and created_at",
    proof=Proof("foreign", "standardwebhooks 1.1.0 (PyPI), as BigCommerce's documentation uses it"),
    doubts=(
        (
            "The status ids other than 0, 1, 2 and 11 are UNVERIFIED: compare with what GET "
            "/v2/order_statuses of your store says."
        ),
        (
            "Whether webhooks of a store-level API account are signed is UNVERIFIED: confirm on a "
            "live delivery, or use an app."
        ),
        (
            "store/order/created comes for incomplete and failed orders too: confirm that "
            "store/order/statusUpdated follows."
        ),
        "The name store/shipment/created is UNVERIFIED, so shipments are told by statuses 2 and 3.",
    ),
)
