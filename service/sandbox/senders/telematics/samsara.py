"""Samsara as a sender: a vehicle comes to a stop of its route and leaves it, signed."""

import hmac
from collections.abc import Mapping
from dataclasses import replace
from functools import partial

import orjson

from service.intake.provider import SignedRequest
from service.intake.providers.telematics import samsara
from service.intake.verification import keyring
from service.sandbox.senders.occasion import (
    Delivery,
    Object,
    Occasion,
    Sample,
    Sender,
    Signer,
    put,
    token,
)
from service.sandbox.senders.signing import keys
from service.settings import Source

TOLD: Mapping[str, tuple[str, str]] = {
    "arrived": (samsara.ARRIVAL, "arrived"),
    "departed": (samsara.DEPARTURE, "departed"),
}
"""Per sample: the type of the event and the state of the stop."""


def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
    stamp = str(int(delivery.at.timestamp()))
    key = keyring.decoded(source, samsara.SECRET)[0]
    digest = hmac.digest(key, b"v1:%s:%s" % (stamp.encode(), draft.body), "sha256")
    proof = {samsara.STAMP: stamp, samsara.SIGNATURE: samsara.PREFIX + digest.hex()}
    return replace(draft, headers={**draft.headers, **proof})


def _sample(kind: str, state: str, source: Source, occasion: Occasion) -> bytes:
    at = occasion.at.isoformat()
    stop: Object = {
        "id": token("", occasion.order)[:10],
        "name": "Rua Augusta 1, Lisbon",
        "state": state,
        samsara.TIMES[kind]: at,
    }
    data: Object = {
        "operation": f"stop {state}",
        "route": {"id": "6009862266", "name": "Lisbon 1", "stops": [stop]},
        "routeStopDetails": stop,
        "time": at,
        "type": "route tracking",
    }
    # The provider shows the stop of the event under this name, so that is where paths begin.
    view: Object = {"data": data, "stop": stop}
    put(view, source.subject.ref or samsara.ORDER_PATH, occasion.order)
    del view["stop"]
    body: Object = {"eventId": occasion.key, "eventTime": at, "eventType": kind, **view}
    return orjson.dumps(body)


SAMPLES: Mapping[str, Sample] = {
    name: partial(_sample, kind, state) for name, (kind, state) in TOLD.items()
}

SIGNER = Signer(
    prove,
    f"header:{samsara.SIGNATURE}",
    (f"header:{samsara.STAMP}",),
    timed=True,
    keys=keys.base64_text,
)
SENDER = Sender(samsara.NAME, SIGNER, SAMPLES, "arrived")
