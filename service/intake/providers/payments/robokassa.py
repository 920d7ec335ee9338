"""Robokassa: ResultURL calls about payments in, payment statements out.

Facts from aiorobokassa 1.1.4 and robokassa 1.0.8 (PyPI, both unofficial, which agree) and third
parties that quote docs.robokassa.ru, read 2026-11: the hash over sum, number, password 2 and the
Shp_ fields, the answer. Only success is told; refunds must be asked for. UNVERIFIED: the schedule
of repeats, the newer ResultURL2 (a JWT), the call for held payments. RIPEMD-160 is not offered
here, as many systems no longer carry it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from service.domain.errors import ConfigurationError
from service.intake.answering import replies
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import Provider, RawRequest, Reply
from service.intake.reading.layout import Layout, MoneyAt, Says
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification import hashes
from service.intake.verification.combined import any_of
from service.intake.verification.hashes import Fields
from service.intake.verification.signing import Algorithm
from service.settings import Source

SETUP = """\
1. Send your order number as InvId (a whole number above 0), or as the field Shp_order_no.
2. In the shop's technical settings, enter this source's URL as Result URL and choose POST.
3. Put password 2 behind the reference in `secrets`; for test payments that is the test password 2,
   best in a source of its own.
4. Set options.hash to the hash chosen there, if it is not md5: sha1, sha256, sha384 or sha512."""

MOST_DIGITS = 20
SIGNATURE = "SignatureValue"


def compose(fields: Mapping[str, JSON], secret: bytes) -> bytes:
    """Join sum, number, password and the shop's own fields, each as it was sent."""
    if "OutSum" not in fields:
        raise Unreadable("The body carries no OutSum.")
    first = [hashes.text(fields.get(name)).encode() for name in ("OutSum", "InvId")]
    own = [name for name in sorted(fields) if name.lower().startswith("shp_")]
    last = [f"{name}={hashes.text(fields[name])}".encode() for name in own]
    return b":".join((*first, secret, *last))


def _hashed(algorithm: Algorithm) -> Fields:
    return Fields(
        where="form",
        signature=SIGNATURE,
        algorithm=algorithm,
        compose=compose,
        what="password 2 of the shop",
    )


ALGORITHMS: tuple[Algorithm, ...] = ("md5", "sha1", "sha256", "sha384", "sha512")


def chosen(source: Source) -> int:
    """Find the hash a source wants."""
    word = source.options.get("hash", ALGORITHMS[0])
    for place, algorithm in enumerate(ALGORITHMS):
        if algorithm == word:
            return place
    raise ConfigurationError(
        f"options.hash of the source {source.name} is {word!r}; it must be one of "
        f"{', '.join(ALGORITHMS)}."
    )


MD5 = _hashed("md5")
SCHEME = any_of(*map(_hashed, ALGORITHMS), when=chosen)

LAYOUT = Layout(
    title="Robokassa",
    # There is but one thing it tells.
    says=(Says("'ResultURL'", {"ResultURL": "payment.paid"}),),
    form="form",
    ref="Shp_order_no || (InvId != '0' && InvId)",
    key=(SIGNATURE, "InvId"),
    aliases={"payment:robokassa": "InvId != '0' && InvId"},
    facts={"payment_id": "InvId", "method": "PaymentMethod", "test": "IsTest"},
    amounts={"amount": Amount("OutSum")},
    money=(MoneyAt("paid", "OutSum", id="InvId"),),
)


class Calls(Reader):
    """Reads calls; a signature in small letters is the same one, and so is its call."""

    __slots__ = ()

    def views(self, document: JSON) -> Sequence[JSON]:
        if isinstance(document, dict) and isinstance(signed := document.get(SIGNATURE), str):
            document = {**document, SIGNATURE: signed.upper()}
        return super().views(document)


@dataclass(frozen=True, slots=True)
class Answering(Declared):
    """Answers with the number of the payment, without which the call is repeated."""

    def acknowledge(self, request: RawRequest) -> Reply | None:
        try:
            number = hashes.form(request.body).get("InvId")
        except Unreadable:
            return None
        shown = number if isinstance(number, str) and number.isdecimal() else ""
        return replies.text(f"OK{shown[:MOST_DIGITS]}") if shown.isascii() else None


def build(source: Source) -> Provider:
    return Answering(SCHEME.guard(source), Calls.of(LAYOUT, source))


PRESET = Preset(
    name="robokassa",
    title="Robokassa",
    category="payments",
    setup=SETUP,
    build=build,
    scheme="MD5 (or SHA) of sum, number, the secret and own fields, hex",
    identity="the signature and the number of the payment",
    proof=Proof("foreign", "aiorobokassa 1.1.4 and robokassa 1.0.8 (PyPI, both unofficial)"),
    options=("hash",),
    doubts=(
        (
            "The signature is PARTIAL (two unofficial packages agree): confirm on a live payment "
            "that it is taken."
        ),
        "It tells nothing but success: refunds and cancellations must come from the shop.",
        (
            "With InvId 0, two payments of the same sum and the same Shp_ fields look alike: "
            "confirm that the shop sends numbers of its own."
        ),
        (
            "How Shp_ fields with letters beyond ASCII are hashed is UNVERIFIED: confirm on a live "
            "payment, or keep them to ASCII."
        ),
        "It carries no currency and no time.",
        "PaymentMethod, IsTest and EMail are not signed: nothing but details is taken of them.",
    ),
)
