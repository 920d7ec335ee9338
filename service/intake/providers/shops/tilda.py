"""Tilda: forms with a cart in, statements about orders out.

Facts from help-ru.tilda.cc (forms, webhook; marketplace, technical page; read 2026-11): no
signature, an API key in a header or in a field of the form, `tranid`, the test `test=test`, the
answer ok within 5 s, two more tries a minute apart with the same body. UNVERIFIED: the layout of
`payment`, and that a cart with online payment is posted once it is paid.

Tilda tells of an order once and of nothing that becomes of it.
"""

import re
from collections.abc import Sequence

from service.domain.errors import ConfigurationError
from service.intake.answering import replies
from service.intake.preset import Declared, Manners, Preset, Proof
from service.intake.provider import Guard, RawRequest, Reply
from service.intake.reading import mapping
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification.shared import BodySecret, HeaderSecret
from service.settings import Source

SETUP = """\
1. Make a key of 32 hexadecimal digits (openssl rand -hex 16) and put it behind the reference in
   `secrets`.
2. In Tilda under Site settings, Forms, Webhook, enter this source's URL; choose the API key, its
   name api_key, the key, and that it is sent as a field (POST). For a header instead set options =
   { header = "X-Api-Key" }; for another field options = { field = "NAME" }.
3. Connect the webhook to the cart's form and let Tilda send the goods of the cart as an array.
4. In the cart's settings let orders be sent after payment, or each comes as paid only if its
   payment has an id."""

FIELD = "api_key"
WHAT = "the API key entered in Tilda"
SCHEME = BodySecret("form", FIELD, what=WHAT)

LAYOUT = Layout(
    title="Tilda",
    form="form",
    says=(
        Says(
            "payment.systranid && 'paid' || payment && 'new' || 'form'",
            {
                "paid": "payment.paid",
                "new": "order.new",
                "form": "ignore: a form without a cart is no order",
            },
        ),
    ),
    ref="payment.orderid",
    key=("tranid",),
    aliases={"payment:tilda": "payment.systranid", "order:tilda": "tranid"},
    facts={"form": "formname", "payment_system": "payment.sys"},
    amounts={"amount": Amount("payment.amount")},
    money=(MoneyAt("paid", "payment.amount", id="payment.systranid", when=("paid",)),),
)

_NAME = re.compile(r"[A-Za-z][\w-]{0,63}", re.ASCII)


class Carts(Reader):
    """Reads forms for one configured site."""

    __slots__ = ()

    def views(self, document: JSON) -> Sequence[JSON]:
        """`payment` comes as fields, or as JSON in one of them."""
        if isinstance(document, dict) and isinstance(text := document.get("payment"), str):
            document = {**document, "payment": _read(text)}
        return super().views(document)


def _read(text: str) -> JSON:
    try:
        return mapping.read(text.encode("utf-8", "surrogatepass")) if text else None
    except Unreadable:
        return text


def test(request: RawRequest) -> Reply | None:
    """Answer the test of a new webhook, which carries no key."""
    tested = request.method == "POST" and request.body.rstrip(b"\r\n") == b"test=test"
    return replies.text("ok") if tested else None


def guard(source: Source) -> Guard:
    header, field = source.options.get("header"), source.options.get("field", FIELD)
    name = field if header is None else header
    if not isinstance(name, str) or _NAME.fullmatch(name) is None:
        raise ConfigurationError(
            f"The source {source.name} does not name the API key as Tilda can; set options.field "
            "or options.header to letters, digits, - and _."
        )
    scheme = (
        BodySecret("form", name, what=WHAT) if header is None else HeaderSecret(name, what=WHAT)
    )
    return scheme.guard(source)


MANNERS = Manners(answer=replies.text("ok"), greet=test)


def build(source: Source) -> Declared:
    return Declared(guard(source), Carts.of(LAYOUT, source), MANNERS)


PRESET = Preset(
    name="tilda",
    title="Tilda",
    category="shop",
    setup=SETUP,
    build=build,
    scheme="the API key in the body, or in a header",
    identity="tranid",
    proof=Proof("none", "help-ru.tilda.cc"),
    doubts=(
        (
            "The fields of payment (orderid, amount, systranid, sys) are UNVERIFIED: confirm on "
            "an order."
        ),
        (
            "That payment.systranid means paid is UNVERIFIED: confirm with a payment that is "
            "broken off."
        ),
        "A form carries no time: confirm that events of other sources tell what comes later.",
        "No currency is told: confirm that all carts are in one.",
    ),
    options=("field", "header"),
)
