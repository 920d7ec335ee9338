"""Signatures by a certificate behind a URL, as a sender makes them."""

from base64 import b64encode
from datetime import UTC, datetime

import orjson
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from service.intake.provider import SignedRequest
from service.intake.verification import certificates, templates
from service.intake.verification.templates import Filling, Template
from service.sandbox.senders.occasion import Delivery, Object, Pair, Signer
from service.sandbox.senders.signing import drafts, hmacs, keys, publickeys
from service.settings import Secret, Source

PAYPAL_URL = "https://api.paypal.com/v1/notifications/certs/CERT-sample"
SNS_URL = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-sample.pem"
VALID = (datetime(2020, 1, 1, tzinfo=UTC), datetime(2090, 1, 1, tzinfo=UTC))


def paypal() -> Signer:
    """Sign as PayPal does; the option `webhook_id` is signed along."""
    also = ("Transmission-Id", "Transmission-Time", "Cert-Url", "Auth-Algo")
    return Signer(
        _prove_paypal,
        "header:PayPal-Transmission-Sig",
        tuple(f"header:PayPal-{name}" for name in also),
        timed=True,
        keys=lambda word: pair(PAYPAL_URL, "messageverificationcerts.paypal.com", word),
    )


def _prove_paypal(source: Source, draft: SignedRequest, delivery: Delivery) -> SignedRequest:
    named = drafts.with_headers(
        draft,
        {
            "PayPal-Auth-Algo": "SHA256withRSA",
            "PayPal-Cert-Url": PAYPAL_URL,
            "PayPal-Transmission-Id": drafts.name(draft, delivery),
            "PayPal-Transmission-Time": drafts.stamp(delivery.at, "iso"),
        },
    )
    filling = Filling(options=templates.options(source))
    template = Template.of(certificates.PAYPAL_MESSAGE)
    message = hmacs.whole(template.write(drafts.arrived(source, named, delivery), filling), source)
    raw = publickeys.signed(publickeys.private(source), "rsa-sha256", message)
    return drafts.with_headers(named, {"PayPal-Transmission-Sig": b64encode(raw).decode("ascii")})


def sns() -> Signer:
    """Sign as Amazon SNS does; it signs named fields, so others may change unseen."""
    return Signer(
        _prove_sns,
        "body:Signature",
        ("body:MessageId", "body:Timestamp", "body:TopicArn"),
        signs_body=False,
        keys=lambda word: pair(SNS_URL, "sns.amazonaws.com", word),
    )


def _prove_sns(source: Source, draft: SignedRequest, _: Delivery) -> SignedRequest:
    said: Object = orjson.loads(draft.body)
    texts = {name: value for name, value in said.items() if isinstance(value, str)}
    message = certificates.sns_message(texts) or b""
    raw = publickeys.signed(publickeys.private(source), "rsa-sha256", message)
    proof: Object = {
        "SignatureVersion": "2",
        "Signature": b64encode(raw).decode("ascii"),
        "SigningCertURL": SNS_URL,
    }
    return SignedRequest(draft.headers, orjson.dumps(said | proof), draft.tail, draft.query)


def pair(url: str, name: str, word: str) -> Pair:
    """A private key, and the certificate of its public half at an address."""
    return Pair(Secret.plain(keys.private_pem(keys.rsa_key(word))), None, {url: issued(name, word)})


def issued(name: str, word: str) -> bytes:
    """Issue a certificate that vouches for itself."""
    private = keys.rsa_key(word)
    owner = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    built = (
        x509.CertificateBuilder()
        .subject_name(owner)
        .issuer_name(owner)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(VALID[0])
        .not_valid_after(VALID[1])
    )
    return built.sign(private, SHA256()).public_bytes(Encoding.PEM)
