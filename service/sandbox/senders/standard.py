"""Standard Webhooks signatures as a sender makes them: what two of the senders share."""

import base64
import hashlib
import hmac

from service.domain.errors import ConfigurationError
from service.intake.verification import keyring, standard
from service.sandbox.senders.occasion import Delivery, token
from service.settings import Source


def headers(source: Source, body: bytes, delivery: Delivery) -> dict[str, str]:
    """Sign with the first secret; without a key the bytes name the message."""
    secret = keyring.decoded(source, "whsec_…", prefix=keyring.WHSEC)[0]
    name = delivery.key or token("msg_", hashlib.sha256(body).hexdigest())
    if "." in name:
        raise ConfigurationError(f"Standard Webhooks allows no dot in an id; {name!r} holds one.")
    stamp = str(int(delivery.at.timestamp()))
    signed = b".".join((name.encode(), stamp.encode(), body))
    digest = hmac.digest(secret, signed, "sha256")
    return {
        "Content-Type": "application/json",
        standard.ID: name,
        standard.STAMP: stamp,
        standard.SIGNATURE: f"v1,{base64.b64encode(digest).decode()}",
    }
