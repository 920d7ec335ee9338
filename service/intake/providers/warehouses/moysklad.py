"""MoySklad: thin webhooks of a warehouse system in; its orders, shipments and returns, asked, out.

Facts from moysklad/api-remap-1.2-doc (webhooks, customerorder, demand, salesreturn, states; read
2026-11): nothing is signed, `requestId` is the same on each of four tries, an answer is due within
1.5 s, times are Moscow's, `applicable` says that a document is conducted. PARTIAL: `shippedSum` as
a sign of a partial shipment. The API answers only requests that accept gzip.

States are the merchant's own words: the source's `statuses` decide by the state's name, else its
type does. Only the path of an address of MoySklad's own API is taken from a webhook, and asked at
the source's `api`: nobody can lead a worker, or the token it shows, elsewhere.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from service.domain.errors import ConfigurationError
from service.domain.events import Alias, Lookup, Statement
from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Inquiry, RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.layout import Layout, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.reading.telling import FACTS, Happening, Meaning, Object, Telling
from service.intake.verification.shared import UrlToken
from service.settings import Source

TITLE = "MoySklad"
SETUP = """\
1. Make a token of at least 128 bits (openssl rand -hex 16) and put it behind the reference in
   `url_token`; the webhook's URL is this source's URL, a slash and the token.
2. In MoySklad make an access token (POST /security/token) of a user that may read orders, shipments
   and returns, and put it behind the reference in `token`: a webhook only carries an address, which
   is asked with it.
3. Add webhooks (POST /entity/webhook) with that URL: customerorder CREATE and UPDATE, demand CREATE
   and UPDATE, salesreturn CREATE. They need a paid plan.
4. The order number is the order's `name`; for the shop's own number, if that is what the external
   code holds, set subject.ref to "externalCode".
5. Map the states you use by their names, as in statuses."Собран" = "fulfillment.packed". A state
   of the type Unsuccessful cancels; one of the type Successful moves nothing, unless you set
   options = { successful = "delivered" }.
6. Each event is tried four times within seconds and then lost: compare from time to time."""
OPTIONS = ("successful",)
SUCCESSFUL: Mapping[str, Meaning] = {
    "nothing": FACTS,
    "delivered": Meaning("delivery.delivered"),
    "shipped": Meaning("fulfillment.shipped"),
}

SCHEME = UrlToken()
API = "https://api.moysklad.ru"
ENTITY = "entity"
ZONE = "Europe/Moscow"

# What is deleted can no longer be asked for; who deletes a shipment must say what that means.
ACTIONS: Mapping[str, str] = {
    **dict.fromkeys(
        (
            *("customerorder:CREATE", "customerorder:UPDATE", "customerorder:PROCESSED"),
            *("demand:CREATE", "demand:UPDATE", "demand:PROCESSED"),
            *("salesreturn:CREATE", "salesreturn:UPDATE", "salesreturn:PROCESSED"),
        ),
        "look up",
    ),
    "customerorder:DELETE": "ignore: a deleted order is no cancelled one",
}
THIN = Layout(
    title=TITLE,
    items="events",
    says=(
        Says(
            "join(':', [meta.type, action])",
            ACTIONS,
            ours=("customerorder:", "demand:", "salesreturn:"),
        ),
    ),
    ref="",
    key=("query:requestId", "meta.href", "action"),
    when="root.auditContext.moment",
    zone=ZONE,
    lookup=(ENTITY, "meta.href"),
)

ORDERS: Mapping[str, tuple[str, ...]] = {
    "customerorder": (),
    "demand": ("customerOrder",),
    "salesreturn": ("demand", "customerOrder"),
}
"""Where each kind of document holds the order it is about."""
EXPAND = {
    "customerorder": "state",
    "demand": "customerOrder",
    "salesreturn": "demand.customerOrder",
}
_PATH = re.compile(
    r"/api/remap/1\.2/entity/(customerorder|demand|salesreturn)/[0-9a-fA-F-]{36}", re.ASCII
)
HEADERS = {"Accept": "application/json;charset=utf-8", "Accept-Encoding": "gzip"}
ATTRIBUTES = telling.paths({"state": "state.name"})


def inquire(lookup: Lookup) -> Inquiry | None:
    """Ask for what a webhook points at, if that is a document of MoySklad's own API."""
    try:
        parts = urlsplit(lookup.object_id)
    except ValueError:
        return None
    found = _PATH.fullmatch(parts.path)
    if found is None or parts.scheme != "https" or parts.netloc != "api.moysklad.ru":
        return None
    return Inquiry(parts.path, f"expand={EXPAND[found[1]]}", headers=HEADERS)


@dataclass(frozen=True, slots=True)
class Documents:
    """Reads webhooks, and the documents fetched because of them."""

    thin: Reader
    telling: Telling
    successful: Meaning

    def read(self, request: RawRequest) -> Sequence[Statement]:
        if request.method != "GET":
            return self.thin.read(request)
        try:
            document = telling.document(request, sender=TITLE)
            kind, order = _order(document)
            event = _event(kind, document, order)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        # A document that is not conducted is a draft: no goods have moved yet.
        draft = kind != "customerorder" and document.get("applicable") is False
        said = FACTS if draft else self._mean(kind, order)
        return (self.telling.state(said, event, request),)

    def _mean(self, kind: str, order: Object) -> Meaning:
        match kind:
            case "demand":
                return _shipped(order)
            case "salesreturn":
                return Meaning("fulfillment.returned_to_stock")
            case _:
                return self._stated(telling.within(order, "state"))

    def _stated(self, state: Object) -> Meaning:
        match mapping.name(state.get("stateType")):
            case None | "Regular":
                return FACTS
            case "Successful":
                return self.successful
            case "Unsuccessful":
                return Meaning("fulfillment.cancelled")
            case other:
                return telling.unknown(other, "type of state")


def _order(document: Object) -> tuple[str, Object]:
    kind = mapping.name(telling.within(document, "meta").get("type"))
    if kind is None or kind not in ORDERS:
        raise Unreadable(f"It is no document of MoySklad that tells about orders: {kind}.")
    return kind, telling.within(document, *ORDERS[kind])


def _event(kind: str, document: Object, order: Object) -> Happening:
    """Name a document by its last change, as it is told anew after each."""
    number, when = mapping.name(document.get("id")), document.get("updated")
    if number is None:
        raise Unreadable("It is no document of MoySklad: it needs id.")
    state = mapping.name(telling.within(document, "state").get("name"))
    known = mapping.name(order.get("id"))
    view: dict[str, JSON] = {**order, "document": {**document}}
    return Happening(
        key=f"{kind}:{number}:{mapping.name(when) or ''}",
        code=(state or kind) if kind == "customerorder" else kind,
        subject=view,
        when=when or document.get("moment"),
        facts=ATTRIBUTES if kind == "customerorder" else None,
        told=view,
        aliases=(Alias("order:moysklad", known),) if known else (),
    )


def _shipped(order: Object) -> Meaning:
    """Tell a shipment of all from one of a part by the sums of the order, which count all of them.

    So a shipment is no parcel of its own: the last one makes the whole order shipped.
    """
    whole, gone = order.get("sum"), order.get("shippedSum")
    if isinstance(whole, int | float) and isinstance(gone, int | float) and 0 < gone < whole:
        return Meaning("fulfillment.partially_shipped")
    return Meaning("fulfillment.shipped")


def build(source: Source) -> Declared:
    word = source.options.get("successful", "nothing")
    if not isinstance(word, str) or word not in SUCCESSFUL:
        raise ConfigurationError(
            f"The option successful of the source {source.name} must be {', '.join(SUCCESSFUL)}."
        )
    rules = Telling.of(source, "name", zone=ZONE)
    documents = Documents(Reader.of(THIN, source), rules, SUCCESSFUL[word])
    return Declared(SCHEME.guard(source), documents, MANNERS)


# Another status than 200 or 204 counts as a failure.
MANNERS = Manners(answer=replies.text(""), inquire=inquire)

PRESET = Preset(
    name="moysklad",
    title=TITLE,
    category="warehouse",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="requestId, address and action; of a document, its id and last change",
    proof=Proof("none", "moysklad/api-remap-1.2-doc: nothing is signed"),
    doubts=(
        (
            "`shippedSum` below `sum` is PARTIAL as the sign of a partial shipment: confirm on an "
            "order shipped in two parts."
        ),
        (
            "That the expanded order of a shipment carries `sum` and `shippedSum` is UNVERIFIED: "
            "confirm on a fetched demand."
        ),
    ),
    url_token=True,
    api=API,
    options=OPTIONS,
    asks=True,
)
