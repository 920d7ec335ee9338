"""Saleor: webhooks of your own subscription query in, statements about orders out.

Facts from the official SDK (npm @saleor/app-sdk 1.15.0) and the documentation (saleor-docs
@b2b6c65; read 2026-11): the detached signature over the bytes as they are, the key set, the names
of events, five tries, the statuses of an order. UNVERIFIED: whether any header names a delivery,
and `issuedAt` as the time of the event. The payload is whatever the query asks for; SETUP has the
query that is read here.

The event's name stands in a header that is not signed; where the query asks for `__typename`, which
is, the two must agree. A cancelled fulfilment takes back what was
told of it before, so those events are named by the fulfilment and not by their bytes.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from service.domain import keys
from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Revocation, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import Forged, RawRequest
from service.intake.reading import mapping
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Item, Reader
from service.intake.verification import pinned
from service.intake.verification.combined import AnyOf
from service.intake.verification.hmacs import Hmac
from service.intake.verification.tokens import Token
from service.settings import Source

SETUP = """\
1. Set options = { domain = "SHOP.saleor.cloud" }: the key set is read there and nowhere else. Or
   put the shop's public key (PEM or JWKS) behind the reference in `secrets`.
2. In Saleor add an app with a webhook to this source's URL, without a secret key, for the
   asynchronous events ORDER_CREATED, ORDER_CONFIRMED, ORDER_FULLY_PAID, ORDER_REFUNDED,
   ORDER_FULLY_REFUNDED, ORDER_CANCELLED, ORDER_EXPIRED, ORDER_FULFILLED and FULFILLMENT_*.
3. Its subscription query: { event { __typename issuedAt ... on OrderCreated { order { ...O } } } }
   and so on for each event, with the fields of an order (O): id number status chargeStatus total {
   gross { amount currency } } totalCharged { amount currency } totalRefunded { amount currency };
   for those of fulfilments also fulfillment { id trackingNumber }.
4. A webhook with a secret key (deprecated) signs by it: put that key in `secrets`.
5. Saleor does not come back after a 4xx: check `orderhook sources refused` after the first one."""

HEADER = "Saleor-Signature"
EVENT = "header:Saleor-Event"
HOST = r"[a-z0-9]([a-z0-9.-]{0,252}[a-z0-9])?"


def key_set(_: RawRequest, source: Source) -> str | Forged:
    """Find the key set of the configured shop; Saleor-Api-Url is what anybody may write."""
    return pinned.address(
        f"https://{source.options.get('domain')}/.well-known/jwks.json", host=HOST
    )


JWS = Token(f"detached:{HEADER}", fetched=key_set, what="the shop's public key")
KEYED = Hmac(HEADER, what="the webhook's secret key")


def _is_keyed(source: Source) -> int:
    """A secret that is no public key is the deprecated one."""
    secrets = [secret.reveal() for secret in source.secrets]
    return int(any(b"-----BEGIN" not in each and not each.startswith(b"{") for each in secrets))


SCHEME = AnyOf((JWS, KEYED), when=_is_keyed)

FULFILMENT = "fulfillment.id"
TRACKING = "fulfillment.trackingNumber"
CREATED = "FULFILLMENT_CREATED"
APPROVED = "FULFILLMENT_APPROVED"
TRACKED = "FULFILLMENT_TRACKING_NUMBER_UPDATED"
CANCELLED = "FULFILLMENT_CANCELED"

# Where the order says that more is to come, one fulfilment that left is not all of it.
SENT = Branch(
    "(order.status == 'PARTIALLY_FULFILLED' && 'partly') || 'wholly'",
    {"partly": "fulfillment.partially_shipped", "wholly": "fulfillment.shipped"},
)

EVENTS: Mapping[str, Told] = {
    "ORDER_CREATED": "order.new",
    "ORDER_CONFIRMED": "order.confirmed",
    "ORDER_PAID": Branch(
        "order.chargeStatus",
        {
            "NONE": "payment.awaiting_payment",
            "PARTIAL": "payment.awaiting_payment",
            "FULL": "payment.paid",
            "OVERCHARGED": "payment.paid",
        },
        absent="facts",
    ),
    "ORDER_FULLY_PAID": "payment.paid",
    "ORDER_REFUNDED": "payment.partially_refunded",
    "ORDER_FULLY_REFUNDED": "payment.refunded",
    "ORDER_CANCELLED": "order.cancelled",
    "ORDER_EXPIRED": "order.cancelled",
    "ORDER_FULFILLED": "fulfillment.shipped",
    "ORDER_UPDATED": "facts",
    "ORDER_METADATA_UPDATED": "ignore: metadata is no status",
    CREATED: "fulfillment.packed",
    APPROVED: SENT,
    TRACKED: SENT,
    CANCELLED: "facts",
    "FULFILLMENT_METADATA_UPDATED": "ignore: metadata is no status",
}

LAYOUT = Layout(
    title="Saleor",
    says=(Says(EVENT, EVENTS, ours=("order_", "fulfillment_", "ORDER_", "FULFILLMENT_")),),
    ref="order.number || fulfillment.order.number",
    key=("body:sha256", EVENT),
    when="issuedAt",
    parcel=FULFILMENT,
    aliases={"order:saleor": "order.id", "tracking": TRACKING},
    facts={"tracking_number": TRACKING, "charge_status": "order.chargeStatus"},
    amounts={"amount": Amount("order.total.gross.amount", "order.total.gross.currency")},
    money=(
        MoneyAt("paid", "order.totalCharged.amount", "order.totalCharged.currency"),
        MoneyAt("refunded", "order.totalRefunded.amount", "order.totalRefunded.currency"),
    ),
)


class Events(Reader):
    """Reads webhooks for one configured shop."""

    __slots__ = ()

    def _key(self, item: Item) -> str:
        event, found = (item.word(EVENT) or "").upper(), item.name(FULFILMENT)
        named = _named(event, found, item.name(TRACKING)) if found else None
        return named or super()._key(item)

    def _read(self, view: JSON, request: RawRequest, number: int | None) -> Sequence[Statement]:
        event = (request.header("saleor-event") or "").upper()
        if isinstance(view, dict) and not _agrees(view.get(SIGNED_NAME), event):
            return (mapping.unreadable(request, OTHERWISE, item=number),)
        said = super()._read(view, request, number)
        if not isinstance(view, dict) or event != CANCELLED or said[0].fate not in TOLD:
            return said
        item = Item(view, request, number, self.places)
        found = item.name(FULFILMENT)
        if found is None:
            return (replace(said[0], fate=Fate.UNMAPPED, note=NAMELESS),)
        names = (_named(each, found, item.name(TRACKING)) for each in (CREATED, APPROVED, TRACKED))
        return [_taking(said[0], Revocation(self.telling.source, name)) for name in names if name]


TOLD = (Fate.FOLD, Fate.IGNORED)
SIGNED_NAME = "__typename"
OTHERWISE = "The header Saleor-Event names another event than the signed body does."
NAMELESS = "It takes a fulfilment back, but does not say which: let the query ask for its id."


def _agrees(signed: JSON, event: str) -> bool:
    """Compare `OrderFullyPaid` with `ORDER_FULLY_PAID`; a body without a name agrees with any."""
    return not isinstance(signed, str) or signed.upper() == event.replace("_", "")


def _taking(said: Statement, taken: Revocation) -> Statement:
    """Take one event of a cancelled fulfilment back; its tracking number is nobody's now."""
    aliases = tuple(each for each in said.aliases if each.type != "tracking")
    return replace(
        said,
        dedupe_key=f"{taken.dedupe_key}:revoked",
        revokes=taken,
        aliases=aliases,
        attributes={},
        money=(),
        fate=Fate.FOLD if said.ref or aliases else Fate.UNRESOLVED,
        note="" if said.ref or aliases else said.note,
    )


def _named(event: str, fulfilment: str, tracking: str | None) -> str | None:
    """Name what is told of a fulfilment, so that it can be taken back."""
    match event:
        case "FULFILLMENT_CREATED" | "FULFILLMENT_APPROVED":
            whole = f"{event}:{fulfilment}"
        case "FULFILLMENT_TRACKING_NUMBER_UPDATED" if tracking:
            whole = f"{event}:{fulfilment}:{tracking}"
        case _:
            return None
    return keys.clean_text(whole, MAX_KEY) or keys.body_key(whole.encode())


MAX_KEY = 240
"""So that `:revoked` fits behind it."""


def build(source: Source) -> Declared:
    domain = source.options.get("domain")
    known = isinstance(domain, str) and re.fullmatch(HOST, domain)
    if not known and (domain is not None or not source.secrets):
        raise ConfigurationError(
            f"The source {source.name} does not know whose keys to trust; set options = "
            '{ domain = "SHOP.saleor.cloud" }, without https and a path.'
        )
    return Declared(SCHEME.guard(source), Events.of(LAYOUT, source))


PRESET = Preset(
    name="saleor",
    title="Saleor",
    category="shop",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="the fulfilment's id, else the event and the body",
    proof=Proof("sdk", "@saleor/app-sdk 1.15.0 (npm)"),
    doubts=(
        (
            "The event's name stands in a header that is not signed: let the query ask for "
            "__typename, or whoever has one signed webhook may post it again as another event."
        ),
        (
            "Whether a header names a delivery is UNVERIFIED, so the body names the event: "
            "confirm that the query asks for issuedAt, or equal events are taken for one."
        ),
        (
            "`issuedAt` as the time of the event is UNVERIFIED: confirm on a delivery that was "
            "tried again."
        ),
        (
            "That an order is PARTIALLY_FULFILLED by the time its fulfilment is told is "
            "UNVERIFIED: confirm on an order that is sent in two parts."
        ),
        (
            "That trackingNumber of a cancelled fulfilment is the last one told is UNVERIFIED: "
            "confirm by cancelling one."
        ),
        (
            "A webhook that still sends X-Saleor-Signature alone is refused: confirm that "
            "Saleor-Signature comes."
        ),
    ),
    keyless=True,
    options=("domain",),
)
