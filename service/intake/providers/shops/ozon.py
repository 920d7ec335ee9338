"""Ozon Seller: push notifications about postings in, statements about orders out.

Facts from third parties that quote docs.ozon.ru (read 2026-10-01) and the enumeration of PyPI
ozonapi-async 0.89: no signature and no secret header, three networks, the answers to a ping and to
a notification, about 1500 ms. UNVERIFIED: the schedule of repeats, the notifications of FBO.

Nothing is signed: the token at the end of the URL proves who sends, and allow_from names the
networks.
"""

import re

import orjson

from service.intake.answering import replies
from service.intake.preset import Manners, Preset, Proof, declared
from service.intake.provider import RawRequest, Reply
from service.intake.reading.layout import Branch, Layout, Says
from service.intake.verification.shared import UrlToken

SETUP = """\
1. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`.
2. Set allow_from to Ozon's networks: 195.34.21.0/24, 185.73.192.0/22 and 91.223.93.0/24.
3. In the seller's account under Settings, Notifications (push), enter this source's URL, a slash
   and the token, and choose new postings, cancellations and changes of status. Ozon tests it at
   once.
4. The order number is posting_number; for the order Ozon's customer sees, which may have several
   postings, drop its last part where you read it. One source for each seller.
5. What a notification says of goods and prices is little: ask POST /v3/posting/fbs/get for the
   rest."""

SCHEME = UrlToken()
MAX_PING = 4096
_PING = re.compile(rb'"TYPE_PING"')


def ping(request: RawRequest) -> Reply | None:
    """Answer the test of the address, which Ozon repeats now and then."""
    body = request.body
    if request.method != "POST" or len(body) > MAX_PING or not _PING.search(body):
        return None
    try:
        said = orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(said, dict) or said.get("message_type") != "TYPE_PING":
        return None
    now = request.received_at.strftime("%Y-%m-%dT%H:%M:%SZ")
    return replies.document({"version": "1.0", "name": "orderhook", "time": now})


MOVING = (
    *("posting_in_carriage", "posting_on_way_to_city", "posting_transferred_to_courier_service"),
    *("posting_on_way_to_pickup_point", "posting_driver_pick_up"),
)
STATES = {
    "posting_created": "order.new",
    "posting_acceptance_in_progress": "order.new",
    "posting_awaiting_registration": "order.confirmed",
    "posting_transferring_to_delivery": "fulfillment.packed",
    **dict.fromkeys(MOVING, "delivery.in_transit"),
    "posting_in_courier_service": "delivery.out_for_delivery",
    "posting_in_pickup_point": "delivery.ready_for_pickup",
    # Handed over, and it may still come back.
    "posting_conditionally_delivered": "delivery.out_for_delivery",
    "posting_delivered": "delivery.delivered",
    "posting_received": "delivery.delivered",
    "posting_canceled": "order.cancelled",
    **dict.fromkeys(
        ("posting_in_arbitration", "posting_in_client_arbitration"),
        "ignore: a dispute that is not decided",
    ),
    **dict.fromkeys(
        ("posting_not_in_carriage", "posting_not_in_sort_center"),
        "ignore: it was not found where it should be, and nothing is known of it yet",
    ),
}
DATES = "ignore: a new date is no status"
GOODS = "ignore: it is about goods"
CHAT = "ignore: it is about a chat"
FBO = "ignore: Ozon's own warehouse sends this posting"

LAYOUT = Layout(
    title="Ozon",
    says=(
        Says(
            "message_type",
            {
                "TYPE_NEW_POSTING": "order.new",
                # Goods that are left mean that a part was cancelled.
                "TYPE_POSTING_CANCELLED": Branch(
                    "new_state",
                    {"posting_canceled": "order.cancelled"},
                    absent="order.cancelled",
                ),
                "TYPE_POSTING_SHIPPED": "fulfillment.shipped",
                "TYPE_STATE_CHANGED": Branch("new_state", STATES),
                "TYPE_CUTOFF_DATE_CHANGED": DATES,
                "TYPE_DELIVERY_DATE_CHANGED": DATES,
                **dict.fromkeys(
                    (
                        *("TYPE_CREATE_ITEM", "TYPE_UPDATE_ITEM", "TYPE_CREATE_OR_UPDATE_ITEM"),
                        *("TYPE_STOCKS_CHANGED",),
                    ),
                    GOODS,
                ),
                **dict.fromkeys(
                    (
                        *("TYPE_NEW_MESSAGE", "TYPE_UPDATE_MESSAGE", "TYPE_MESSAGE_READ"),
                        *("TYPE_CHAT_CLOSED",),
                    ),
                    CHAT,
                ),
                **dict.fromkeys(
                    (
                        *("TYPE_FBO_POSTING_NEW", "TYPE_FBO_POSTING_CANCELLED"),
                        *(
                            "TYPE_FBO_POSTING_STATE_CHANGED",
                            "TYPE_FBO_POSTING_DELIVERY_DATE_CHANGED",
                        ),
                    ),
                    FBO,
                ),
            },
        ),
    ),
    ref="posting_number",
    key=(
        "message_type",
        "posting_number",
        "new_state",
        "changed_state_date || in_process_at",
        "body:sha256",
    ),
    when="changed_state_date || in_process_at",
    reason="reason.message",
    aliases={"posting:ozon": "posting_number"},
    facts={"seller_id": "seller_id", "warehouse_id": "warehouse_id"},
)

PRESET = Preset(
    name="ozon",
    title="Ozon Seller",
    category="shop",
    setup=SETUP,
    build=declared(SCHEME, LAYOUT, Manners(answer=replies.document({"result": True}), greet=ping)),
    scheme=SCHEME.summary,
    identity="type, posting, state, its time and the body",
    proof=Proof("none", "docs.ozon.ru as quoted by third parties"),
    url_token=True,
    doubts=(
        (
            "Nothing is signed: keep the URL secret and set allow_from, or anybody who learns it "
            "can cancel orders."
        ),
        (
            "The networks are those third parties read in 2026-10: confirm them against "
            "docs.ozon.ru when requests are refused."
        ),
        (
            "TYPE_POSTING_CANCELLED may cancel only some of the goods: confirm with POST "
            "/v3/posting/fbs/get before goods are put back."
        ),
        "The schedule of repeats is UNVERIFIED: after an outage compare with the list of postings.",
    ),
)
