"""Amazon SNS: messages of a topic in, statements by the source's own mapping out.

Facts from the AWS documentation, npm sns-validator 0.3.5 and PyPI aws-sns-message-validator 0.0.5
(read 2026-11): the signed fields of each type, both versions of the signature, hosts of
certificates, `MessageId` as identity, three retries. UNVERIFIED: that SNS waits for 15 s.

SNS is only the road: what `Message` holds is up to whoever publishes, so the source maps it, as
with the provider generic; it must be JSON. The selling partner API of Amazon's marketplaces has no
webhooks of its own; its notifications may take this road.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from service.domain import keys
from service.domain.errors import ConfigurationError
from service.domain.events import Fate, Statement
from service.intake.preset import Declared, Preset, Proof
from service.intake.provider import RawRequest
from service.intake.reading import mapping, telling
from service.intake.reading.layout import Layout, Says
from service.intake.reading.mapping import Unreadable, shown
from service.intake.reading.paths import JSON
from service.intake.reading.reader import Reader
from service.intake.reading.telling import Object
from service.intake.verification.certificates import Sns
from service.settings import Source

TITLE = "Amazon SNS"
SETUP = """\
1. List the ARNs of the topics you take: options = { topics = ["arn:aws:sns:…"] }. Everybody can
   have SNS post here, so no other topic is believed.
2. Subscribe this source's URL to the topic (protocol HTTPS), raw message delivery off: only the
   envelope is signed.
3. The confirmation that SNS asks for arrives as a dead letter: take its Token and run aws sns
   confirm-subscription --topic-arn ARN --token TOKEN, or open its SubscribeURL.
4. Say in subject.ref, `status` and `statuses` where in `Message` (JSON) the order number and the
   word are, and what each word means.
5. Notifications of Amazon's selling partner API (SQS or EventBridge only) get here by an
   EventBridge rule with the topic as its target: occurred_at = "detail.EventTime", subject.ref =
   "detail.Payload.OrderChangeNotification.AmazonOrderId", status =
   "detail.Payload.OrderChangeNotification.Summary.OrderStatus", and in `statuses`: Pending =
   "payment.awaiting_payment", PendingAvailability = "order.new", Unshipped and InvoiceUnconfirmed
   = "payment.paid", PartiallyShipped = "fulfillment.partially_shipped", Shipped =
   "fulfillment.shipped", Canceled and Unfulfillable = "order.cancelled"."""

SCHEME = Sns()
ID, STAMP = "x-amz-sns-message-id", "x-amz-sns-timestamp"


@dataclass(frozen=True, slots=True)
class Messages:
    """Takes messages out of their envelopes, for the source's own mapping."""

    inner: Reader

    def read(self, request: RawRequest) -> Sequence[Statement]:
        try:
            note = telling.document(request, sender=TITLE)
            kind, key, message = _parts(note)
        except Unreadable as why:
            return (mapping.unreadable(request, str(why)),)
        if kind != "Notification":
            return (_control(kind, key),)
        inner = unwrapped(request, key, message, stamp=note.get("Timestamp"))
        return tuple(_rekeyed(said, inner, request, key) for said in self.inner.read(inner))


def _parts(note: Object) -> tuple[str, str, str]:
    kind, key = mapping.name(note.get("Type")), mapping.name(note.get("MessageId"))
    message = note.get("Message")
    if kind is None or key is None or not isinstance(message, str):
        raise Unreadable("It is not from SNS: it needs Type, MessageId and Message.")
    return kind, key, message


def unwrapped(request: RawRequest, key: str, message: str, *, stamp: JSON) -> RawRequest:
    """Put the message in the body's place, its signed id and time in that of unsigned headers."""
    others = tuple(pair for pair in request.headers if pair[0] not in (ID, STAMP))
    signed = ((ID, key), (STAMP, stamp if isinstance(stamp, str) else ""))
    body = message.encode("utf-8", "surrogatepass")
    return replace(request, headers=(*others, *signed), body=body)


def _rekeyed(said: Statement, inner: RawRequest, request: RawRequest, key: str) -> Statement:
    """Tell equal messages apart, that have no id of their own, by their envelopes.

    Of an envelope only its fields are signed: spaces must not make another event of it.
    """
    known = request.body if said.fate is Fate.UNREADABLE else key.encode("utf-8", "surrogatepass")
    mine, whole = keys.body_key(inner.body), keys.body_key(known)
    return replace(said, dedupe_key=said.dedupe_key.replace(mine, whole))


def _control(kind: str, key: str) -> Statement:
    match kind:
        case "SubscriptionConfirmation":
            note = (
                "SNS asks whether you want this topic: confirm with the Token, or open the "
                "SubscribeURL, that this body carries."
            )
            return Statement(key, code=kind, fate=Fate.UNMAPPED, note=note)
        case "UnsubscribeConfirmation":
            note = "SNS says that this subscription ended; nothing more will come."
            return Statement(key, code=kind, fate=Fate.UNMAPPED, note=note)
        case _:
            note = f"{shown(kind)} is no type of message we know."
            return Statement(key, code=kind, fate=Fate.UNMAPPED, note=note)


def build(source: Source) -> Declared:
    if source.subject.ref is None and not source.subject.aliases:
        raise ConfigurationError(
            f"The source {source.name} does not say where the order number is; set subject.ref."
        )
    return Declared(SCHEME.guard(source), Messages(Reader.of(layout(source), source)))


def layout(source: Source) -> Layout:
    """Write the source's own mapping as a layout; its statuses translate its words."""
    of_envelope = () if source.items else (f"header:{ID}",)
    return Layout(
        title=TITLE,
        says=(Says(source.status, {}) if source.status else Says("`null`", {}, absent="facts"),),
        ref=source.subject.ref or "`null`",
        key=(source.key,) if source.key else of_envelope,
        items=source.items or "",
        when=source.occurred_at or f"header:{STAMP}",
        facts=source.attributes,
    )


PRESET = Preset(
    name="amazonsns",
    title=TITLE,
    category="any",
    setup=SETUP,
    build=build,
    scheme=SCHEME.summary,
    identity="MessageId, or what `key` names",
    proof=Proof("sdk", "sns-validator 0.3.5 (npm)"),
    doubts=("That SNS waits 15 s for an answer is UNVERIFIED; we answer far sooner.",),
    keyless=True,
    options=("topics",),
    mapped=True,
)
