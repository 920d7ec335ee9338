"""Braintree: signed forms that hold XML about transactions and disputes in, payment statements out.

Facts from the official SDK (braintree 4.48.0, PyPI: signature, challenge, kinds and samples of
notifications; read 2026-11). UNVERIFIED: time-out and retries, whether a notification sent again is
the same text, and how a refund that failed names its payment. Of card payments Braintree tells
neither the authorisation nor the refund.
"""

import re
from base64 import b64decode
from binascii import Error as NotBase64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import partial
from hashlib import sha1
from hmac import digest

from service.domain.errors import ConfigurationError
from service.domain.events import Statement
from service.intake.answering import replies
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import NO_KEYS, Guard, Keys, RawRequest, Reply, Verification
from service.intake.reading import bodies, mapping
from service.intake.reading.layout import Branch, Layout, MoneyAt, Says, Told
from service.intake.reading.mapping import Unreadable
from service.intake.reading.money import Amount
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.verification import combined
from service.intake.verification.hashes import Fields
from service.settings import Source

SETUP = """\
1. Give each transaction your order number as its order id.
2. Put the API's private key behind the reference in `secrets`, and set
   options = { public_key = "…" } to its public key; while you change the keys, list the old ones
   too, both in the same order.
3. Then, in the Braintree Control Panel under API, Webhooks, add this source's URL (Braintree tests
   it with a challenge, which takes both keys) and select the kinds of transactions, disputes and
   local payments."""

OPTION = "public_key"
_CHALLENGE = re.compile(r"[0-9a-f]{20,32}", re.ASCII)
_PAYLOAD = re.compile(r"[A-Za-z0-9+/=\n]+", re.ASCII)


def derived(private_key: bytes) -> bytes:
    """Take the key as Braintree's own code does."""
    return sha1(private_key, usedforsecurity=False).digest()


def _picked(public_keys: Sequence[str], text: str) -> list[str]:
    """Take the signatures made with our keys out of `public|signature&public|signature`."""
    pairs = [pair.partition("|") for pair in text.split("&")]
    return [signature for public, _, signature in pairs if public in public_keys]


def _payload(fields: Mapping[str, JSON]) -> str:
    found = fields.get("bt_payload")
    if not isinstance(found, str) or _PAYLOAD.fullmatch(found) is None:
        raise Unreadable("The field bt_payload is not base64.")
    if _CHALLENGE.fullmatch(found.strip()):
        # Whoever asks gets a challenge signed; that must not pass for a notification.
        raise Unreadable("The field bt_payload is a challenge, not a notification.")
    return found


def signed(public_keys: Sequence[str], *, ending: bytes = b"") -> Fields:
    """The signature of one form; some servers take the last line break off the payload."""

    def compose(fields: Mapping[str, JSON], _secret: bytes) -> bytes:
        return _payload(fields).encode() + ending

    return Fields(
        "form",
        "bt_signature",
        algorithm="sha1",
        compose=compose,
        keyed=True,
        pick=partial(_picked, public_keys),
        derive=derived,
        what="the private key of the Braintree API",
    )


def public_keys(source: Source) -> Sequence[str]:
    """The option `public_key`: one text, or a list of them, the newest first."""
    given = source.options.get(OPTION)
    found = [each for each in (given if isinstance(given, list) else [given]) if each]
    if not found or not all(isinstance(each, str) for each in found):
        raise ConfigurationError(
            f"The source {source.name} does not know the API's public key, which names the "
            'signature that is ours; set options = { public_key = "…" }.'
        )
    return [str(each) for each in found]


@dataclass(frozen=True, slots=True)
class Scheme:
    """A signed form, and a challenge that is answered with the same key."""

    @property
    def summary(self) -> str:
        return "HMAC-SHA1 of the payload, hex; the key is a SHA-1 of the private key"

    def guard(self, source: Source) -> Guard:
        known = public_keys(source)
        both = combined.any_of(signed(known), signed(known, ending=b"\n"))
        inner = both.guard(source)
        return Challenged(inner, known[0], derived(source.secrets[0].reveal()))


SCHEME = Scheme()


@dataclass(frozen=True, slots=True)
class Challenged(Guard):
    """Judges forms, and answers `GET ?bt_challenge=…` with public key and signature."""

    inner: Guard
    public_key: str
    key: bytes = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys = NO_KEYS) -> Verification:
        return self.inner.verify(request, now=now, keys=keys)

    def greet(self, request: RawRequest) -> Reply | None:
        challenge = request.parameter("bt_challenge") if request.method == "GET" else None
        if challenge is None or _CHALLENGE.fullmatch(challenge) is None:
            return None
        proof = digest(self.key, challenge.encode(), "sha1").hex()
        return replies.text(f"{self.public_key}|{proof}")


DISPUTE = "payment.chargeback"
DISPUTED = (
    *("dispute_opened", "dispute_under_review", "dispute_disputed", "dispute_accepted"),
    *("dispute_auto_accepted", "dispute_expired", "dispute_lost"),
)
SETTLED = Branch(
    "notification.subject.transaction.type",
    {"sale": "payment.paid", "credit": "facts"},
    absent="payment.paid",
)
ENDS = "ignore: a subscription ended, which is no word about a payment"
KINDS: dict[str, Told] = {
    "transaction_settled": SETTLED,
    "transaction_settlement_declined": "payment.failed",
    "transaction_disbursed": SETTLED,
    "transaction_reviewed": "facts",
    "transaction_retried": "facts",
    "refund_failed": "facts",
    "local_payment_completed": "payment.paid",
    "local_payment_funded": "payment.paid",
    "local_payment_expired": "payment.cancelled",
    "local_payment_reversed": "payment.refunded",
    **dict.fromkeys(DISPUTED, DISPUTE),
    "dispute_won": "payment.paid",
    "subscription_charged_successfully": "payment.paid",
    "subscription_charged_unsuccessfully": "payment.failed",
    "subscription_went_past_due": "payment.failed",
    "subscription_canceled": ENDS,
    "subscription_expired": ENDS,
    "subscription_trial_ended": "ignore: only the plan of a subscription changed",
    "subscription_went_active": "ignore: only the plan of a subscription changed",
    "subscription_billing_skipped": "ignore: only the plan of a subscription changed",
}
OURS = ("transaction_", "refund_", "local_payment_", "dispute_", "subscription_")

SUBJECT = "notification.subject"
# A subscription lists what was charged, the newest first; one alone is no list in XML.
CHARGED = f"[{SUBJECT}.subscription.transactions.transaction][] | [0]"
LOCAL = (
    f'{SUBJECT}."local-payment" || {SUBJECT}."local-payment-funded"'
    f' || {SUBJECT}."local-payment-expired" || {SUBJECT}."local-payment-reversed"'
)
TRANSACTION = (
    f"({SUBJECT}.transaction || {SUBJECT}.dispute.transaction"
    f" || ({LOCAL}).transaction || ({CHARGED}))"
)
PAYMENT = f'{TRANSACTION} | ("refunded-transaction-id" || id)'
WHEN = 'notification.timestamp."#text" || notification.timestamp'
SALE = f"({SUBJECT}.transaction.type == 'credit' && 'credit') || notification.kind"
CURRENCY = f'{SUBJECT}.transaction."currency-iso-code"'
DISPUTED_CURRENCY = f'{SUBJECT}.dispute."currency-iso-code"'

LAYOUT = Layout(
    title="Braintree",
    form="xml",
    says=(Says("notification.kind", KINDS, ours=OURS),),
    ref=f'{TRANSACTION} | "order-id"',
    key=("notification.kind", WHEN, f'({SUBJECT}.*.id | [0]) || ({LOCAL})."payment-id"'),
    when=WHEN,
    zone="UTC",
    reason=f"{SUBJECT}.dispute.reason",
    aliases={"payment:braintree": PAYMENT, "local_payment:braintree": f'({LOCAL})."payment-id"'},
    facts={"payment_id": PAYMENT, "dispute_id": f"{SUBJECT}.dispute.id"},
    amounts={
        "amount": Amount(
            f"({SUBJECT}.transaction.type != 'credit' && {SUBJECT}.transaction.amount) || `null`",
            CURRENCY,
            when=("transaction_settled", "transaction_disbursed"),
        )
    },
    money=(
        MoneyAt(
            "paid",
            f"{SUBJECT}.transaction.amount",
            CURRENCY,
            f"{SUBJECT}.transaction.id",
            when=("transaction_settled", "transaction_disbursed"),
            words=(SALE,),
        ),
        MoneyAt("refunded", "'0'", CURRENCY, f"{SUBJECT}.transaction.id", when=("refund_failed",)),
        MoneyAt(
            "charged_back",
            f'{SUBJECT}.dispute."amount-disputed" || {SUBJECT}.dispute.amount',
            DISPUTED_CURRENCY,
            f"{SUBJECT}.dispute.id",
            when=DISPUTED,
        ),
        MoneyAt(
            "charged_back",
            "'0'",
            DISPUTED_CURRENCY,
            f"{SUBJECT}.dispute.id",
            when=("dispute_won",),
        ),
    ),
)


@dataclass(frozen=True, slots=True)
class Notifications:
    """Takes the XML out of the form, then reads it."""

    reader: Reader

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            return self.reader.read(replace(request, body=_opened(request.body)))
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)


def _opened(body: bytes) -> bytes:
    fields = bodies.read_form(body)
    try:
        return b64decode(_payload(fields if isinstance(fields, dict) else {}))
    except NotBase64:
        raise Unreadable("The field bt_payload is not base64.") from None


def build(source: Source) -> Declared:
    return Declared(SCHEME.guard(source), Notifications(Reader.of(LAYOUT, source)))


PRESET = Preset(
    name="braintree",
    title="Braintree",
    category="payments",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="kind, time and the id of its subject",
    proof=Proof("sdk", "braintree 4.48.0 (PyPI)"),
    doubts=(
        (
            "How refund_failed names the payment (refunded-transaction-id) is UNVERIFIED: "
            "confirm on a refund that fails that it leads to its order."
        ),
        (
            "Whether a settled refund comes as transaction_settled of type credit is UNVERIFIED; "
            "it moves nothing here: let the shop tell refunds of cards."
        ),
        (
            "Whether a notification that is sent again is the same text is UNVERIFIED: confirm "
            "by letting one delivery fail."
        ),
    ),
    options=(OPTION,),
)
