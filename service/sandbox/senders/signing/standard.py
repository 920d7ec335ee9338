"""Standard Webhooks signatures, as a sender makes them."""

import base64
import hmac

from service.domain.errors import ConfigurationError
from service.intake.provider import SignedRequest
from service.intake.verification import keyring, standard
from service.intake.verification.standard import StandardWebhooks
from service.sandbox.senders.occasion import Delivery, Signer
from service.sandbox.senders.signing import drafts, hmacs
from service.settings import Source


def signer(scheme: StandardWebhooks) -> Signer:
    """Sign as the scheme verifies, with the first secret."""

    def prove(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
        secret = keyring.keys(source, scheme.what, scheme.key)[0]
        return drafts.with_headers(draft, _headers(secret, draft, delivery))

    return Signer(
        prove,
        f"header:{standard.SIGNATURE}",
        (f"header:{standard.ID}", f"header:{standard.STAMP}"),
        timed=True,
        keys=hmacs.KEYS[scheme.key],
    )


def _headers(secret: bytes, draft: SignedRequest, delivery: Delivery) -> dict[str, str]:
    name = drafts.name(draft, delivery)
    if "." in name:
        raise ConfigurationError(f"Standard Webhooks allows no dot in an id; {name!r} holds one.")
    stamp = drafts.stamp(delivery.at, "s")
    signed = b".".join((name.encode(), stamp.encode(), draft.body))
    digest = base64.b64encode(hmac.digest(secret, signed, "sha256")).decode()
    return {standard.ID: name, standard.STAMP: stamp, standard.SIGNATURE: f"v1,{digest}"}


STANDARD = signer(StandardWebhooks())
