"""Amazon SNS as a sender: what a source's own mapping reads, in an envelope that is signed."""

from collections.abc import Mapping
from functools import partial

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.shops import amazonsns
from service.sandbox.senders.anyone import generic
from service.sandbox.senders.occasion import Delivery, Object, Occasion, Sample, Sender, token
from service.sandbox.senders.signing import schemes
from service.settings import Source

TOPIC = "arn:aws:sns:eu-west-1:123456789012:orders"


def dress(_: Source, body: bytes, delivery: Delivery) -> SignedRequest:
    headers = {
        "Content-Type": "text/plain; charset=UTF-8",
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": delivery.key or token("", body.hex()),
        "x-amz-sns-topic-arn": TOPIC,
    }
    return SignedRequest(headers, body)


def _wrapped(make: Sample, source: Source, occasion: Occasion) -> bytes:
    note: Object = {
        "Type": "Notification",
        "MessageId": occasion.key,
        "TopicArn": TOPIC,
        "Subject": "An order changed",
        "Message": make(source, occasion).decode("utf-8"),
        "Timestamp": occasion.at.strftime("%Y-%m-%dT%H:%M:%S.000Z"),
    }
    return orjson.dumps(note)


SAMPLES: Mapping[str, Sample] = {
    name: partial(_wrapped, make) for name, make in generic.SAMPLES.items()
}

SENDER = Sender(
    amazonsns.PRESET.name,
    schemes.signer(amazonsns.SCHEME),
    SAMPLES,
    "fulfillment.picking",
    dress,
    rules={
        "options": {"topics": [TOPIC]},
        "subject": {"ref": "order"},
        "status": "status",
        "statuses": {"picking": "fulfillment.picking"},
        "attributes": {"amount": "amount"},
    },
)
