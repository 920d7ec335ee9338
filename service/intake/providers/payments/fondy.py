"""Fondy (Cloudipsp): callbacks about orders in, payment statements out.

Facts from the official SDK (cloudipsp 1.0.4, PyPI; read 2026-11): the hash over sorted values, the
one of protocol 2.0 over base64. UNVERIFIED: the statuses but `approved`, the schedule of repeats,
that the data of protocol 2.0 hold the order under `order`. Forms and JSON are both read.

The names of the fields are not signed, only their values in the order of the names, and a customer
comes back to the shop with the same signed fields. So the order number must stand where nothing
can be slipped in around it, and an amount on hold is known by its value alone.

order_time is a local time without its zone and says when the order was made, so it is kept as a
fact, and an event can only raise the payment.
"""

from collections.abc import Mapping

import orjson

from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Provider
from service.intake.reading import mapping
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.reading.reversals import Reversals
from service.intake.verification import hashes
from service.intake.verification.hashes import Fields
from service.intake.verification.wrapped import FormOrJson, Wrapped, enclosed, form_or_json
from service.settings import Source

SETUP = """\
1. Send your order number as order_id, and this source's URL as server_callback_url, with each
   payment.
2. In the Fondy portal under the merchant's technical settings, find the payment key.
3. Put it behind the reference in `secrets`."""

WHAT = "the payment key of the merchant"


def compose(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    """Join the secret and the values that are not empty, in the order of their names.

    Of protocol 2.0 there is but one value, the data, so that it is the same hash.
    """
    texts = {name: hashes.text(fields[name]) for name in sorted(fields)}
    values = {name: value for name, value in texts.items() if value}
    if not _reads_one_way(values):
        raise Unreadable("The fields around order_id are not those Fondy sends.")
    return b"|".join((secret, *(value.encode() for value in values.values())))


TOGETHER = ["merchant_id", "order_id", "order_status"]
"""Nothing stands between these in the order of names, so that another name moves no value there."""


def _reads_one_way(values: Mapping[str, str]) -> bool:
    names = list(values)
    if DATA in values:
        return names == [DATA]
    if not values.keys() >= set(TOGETHER) or not values["merchant_id"].isdecimal():
        return False
    place = names.index(TOGETHER[0])
    return names[place : place + len(TOGETHER)] == TOGETHER


DATA = "data"
"""Of protocol 2.0, alone beside its signature."""


LEFT_OUT = ("response_signature_string",)
AS_JSON = Fields(
    where="json",
    signature="signature",
    algorithm="sha1",
    compose=compose,
    exclude=LEFT_OUT,
    what=WHAT,
)
AS_FORM = Fields(
    where="form",
    signature="signature",
    algorithm="sha1",
    compose=compose,
    exclude=LEFT_OUT,
    what=WHAT,
)


def unwrap(body: bytes) -> bytes:
    """Write a form as JSON, and open the data of protocol 2.0."""
    plain = form_or_json(body)
    found = mapping.read(plain)
    if not isinstance(found, dict) or DATA not in found:
        return plain
    inner = mapping.read(enclosed(found[DATA]))
    order = inner.get("order") if isinstance(inner, dict) else None
    return orjson.dumps(order if isinstance(order, dict) else inner)


SCHEME = Wrapped(FormOrJson(AS_FORM, AS_JSON), unwrap)

HELD = "contains(values(@), 'hold')"
PARTLY = "to_number(reversal_amount) > `0` && to_number(reversal_amount) < to_number(amount)"

LAYOUT = Layout(
    title="Fondy",
    says=(
        Says(
            "order_status",
            {
                "created": "payment.awaiting_payment",
                "processing": "payment.awaiting_payment",
                "approved": Branch(HELD, {"true": "payment.authorized", "false": "payment.paid"}),
                "declined": "payment.failed",
                "expired": "payment.cancelled",
                "reversed": Branch(
                    PARTLY,
                    {"true": "payment.partially_refunded", "false": "payment.refunded"},
                    absent="payment.refunded",
                ),
            },
        ),
    ),
    ref="order_id",
    key=("payment_id || order_id", "order_status", "capture_status", "amount", "reversal_amount"),
    reason="response_description",
    aliases={"payment:fondy": "payment_id"},
    facts={
        "payment_id": "payment_id",
        "method": "payment_system",
        "card": "masked_card",
        "order_time": "order_time",
    },
    amounts={"amount": Amount("amount", "currency", "minor")},
    money=(
        MoneyAt("paid", f"!({HELD}) && amount", "currency", "payment_id", "minor", ("approved",)),
        MoneyAt("refunded", "reversal_amount", "currency", spelling="minor", when=("reversed",)),
    ),
)

MANNERS = Manners(answer=replies.text("OK"))


def build(source: Source) -> Provider:
    reader = Reversals(Reader.of(LAYOUT, source), {"reversed"} - source.statuses.keys())
    return Declared(SCHEME.guard(source), reader, MANNERS)


PRESET = Preset(
    name="fondy",
    title="Fondy (Cloudipsp)",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=AS_JSON.summary,
    identity="payment, status and amounts",
    proof=Proof("sdk", "cloudipsp 1.0.4 (PyPI)"),
    doubts=(
        (
            "All statuses but approved are UNVERIFIED: confirm on a refund that it comes as "
            "reversed, with the sum of refunds as reversal_amount, and on a hold that is let go "
            "that it is reversed too and shows as cancelled."
        ),
        (
            "There is no time to rely on: after a failed try, a second one that is only held "
            "shows as failed until it is taken. Confirm that nobody acts on `failed` before."
        ),
        (
            "The names of fields are not signed, only their order is: confirm that merchant_id, "
            "order_id and order_status come in each callback, with nothing between them."
        ),
        (
            "Where the order stands in the data of protocol 2.0 is UNVERIFIED: confirm on a live "
            "delivery, or use protocol 1.0."
        ),
    ),
)
