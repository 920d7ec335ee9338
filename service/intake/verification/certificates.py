"""Certificates behind URLs the request names: a scheme and a source in, a guard out.

The certificate is trusted because TLS leads to a host of the sender; its own name and dates are
checked besides. Facts: PayPal from paypalrestsdk (PyPI, the vendor's) and its documentation; SNS
from sns-validator 0.3.5 (npm, the vendor's) and the AWS documentation, read 2026-11.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509.oid import NameOID

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import (
    Forged,
    Genuine,
    Guard,
    Keys,
    RawRequest,
    Verification,
    Wanted,
)
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON
from service.intake.verification import asymmetric, material, pinned, signing, templates
from service.intake.verification.asymmetric import Algorithm
from service.intake.verification.material import Key, NoKey
from service.intake.verification.templates import Filling, Template
from service.intake.verification.writings import unwritten
from service.settings import Source

PAYPAL_HOST = r"([a-z0-9-]+\.)+paypal\.com"
PAYPAL_NAME = r"([A-Za-z0-9-]+\.)*paypal\.com"
PAYPAL_MESSAGE = (
    "{header:PayPal-Transmission-Id}|{header:PayPal-Transmission-Time}|{option:webhook_id}|{crc32}"
)
SNS_HOST = r"sns\.(?!s3-)[a-z0-9-]{3,}\.amazonaws\.com(\.cn)?"
"""A region, not a bucket of S3 by the name of sns."""
SNS_NAME = r"sns\.([a-z0-9-]{3,}\.)?amazonaws\.com(\.cn)?"


@dataclass(frozen=True, slots=True)
class Claim:
    """What a request says about itself, and where its certificate is."""

    url: str
    algorithm: Algorithm
    signature: bytes
    message: bytes
    skew: timedelta | None = None


@dataclass(frozen=True, slots=True)
class PayPal:
    """PayPal: RSA over `id|time|webhook_id|crc32`, the certificate under a host of paypal.com.

    The source's option `webhook_id` is the webhook's own id.
    """

    @property
    def summary(self) -> str:
        return "RSA-SHA256 of id, time, webhook id and the body's CRC-32"

    def guard(self, source: Source) -> Guard:
        if not isinstance(source.options.get("webhook_id"), str):
            raise ConfigurationError(
                f"The source {source.name} does not know the webhook's id, which PayPal signs; "
                'set options = { webhook_id = "…" }.'
            )
        return _PayPal(source.tolerance, templates.options(source), Template.of(PAYPAL_MESSAGE))


@dataclass(frozen=True, slots=True)
class Sns:
    """Amazon SNS: RSA over named fields of the body, the certificate under a host of SNS.

    The source's option `topics` lists the ARNs taken.
    """

    @property
    def summary(self) -> str:
        return "RSA of the message's fields, by the certificate of SNS"

    def guard(self, source: Source) -> Guard:
        topics = source.options.get("topics")
        given = topics if isinstance(topics, list) else []
        listed = [topic for topic in given if isinstance(topic, str)]
        if not listed:
            raise ConfigurationError(
                f"The source {source.name} does not say whose messages it takes (anybody can have "
                'SNS post here); set options = { topics = ["arn:aws:sns:…"] }.'
            )
        return _Sns(source.tolerance, frozenset(listed))


@dataclass(frozen=True, slots=True)
class _PayPal(Guard):
    tolerance: timedelta
    options: Mapping[str, str]
    template: Template

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        claim = self._claim(request, now=now)
        return judge(claim, request, keys, now=now, name=PAYPAL_NAME, tolerance=self.tolerance)

    def _claim(self, request: RawRequest, *, now: datetime) -> Claim | Forged:
        names = ("PayPal-Cert-Url", "PayPal-Transmission-Sig", "PayPal-Auth-Algo")
        sent = [signing.single(request, name) for name in (*names, "PayPal-Transmission-Time")]
        message = self.template.write(request, Filling(options=self.options))
        for part in (*sent, message):
            if isinstance(part, Forged):
                return part
        where, signature, algorithm, when = (str(part) for part in sent)
        url = pinned.address(where, host=PAYPAL_HOST)
        if isinstance(url, Forged):
            return url
        skew = templates.skew(when, "iso", now=now)
        raw = unwritten(signature, "base64")
        if algorithm != "SHA256withRSA" or raw is None or skew is None:
            return Forged("The algorithm, the signature or its time is not of PayPal's form.")
        assert isinstance(message, bytes)
        return Claim(url, "rsa-sha256", raw, message, skew)


_NOTE = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRM = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED: Mapping[str, Sequence[str]] = {
    "Notification": _NOTE,
    "SubscriptionConfirmation": _CONFIRM,
    "UnsubscribeConfirmation": _CONFIRM,
}
VERSIONS: Mapping[str, Algorithm] = {"1": "rsa-sha1", "2": "rsa-sha256"}


@dataclass(frozen=True, slots=True)
class _Sns(Guard):
    tolerance: timedelta
    topics: frozenset[str] = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        claim = self._claim(request)
        return judge(claim, request, keys, now=now, name=SNS_NAME, tolerance=self.tolerance)

    def _claim(self, request: RawRequest) -> Claim | Forged:
        try:
            document = mapping.read(request.body)
        except Unreadable as why:
            return Forged(str(why))
        fields = _texts(document)
        if not fields.get("Signature"):
            return Forged("The body carries no Signature.", cause=Cause.MISSING)
        if fields.get("TopicArn") not in self.topics:
            return Forged("The message is of a topic that options.topics does not list.")
        algorithm = VERSIONS.get(fields.get("SignatureVersion", ""))
        raw = unwritten(fields.get("Signature", ""), "base64")
        message = sns_message(fields)
        if algorithm is None or raw is None or message is None:
            return Forged("The signature, its version or the message's type is not of SNS's form.")
        url = pinned.address(fields.get("SigningCertURL", ""), host=SNS_HOST, ending=".pem")
        return url if isinstance(url, Forged) else Claim(url, algorithm, raw, message)


def _texts(document: JSON) -> dict[str, str]:
    if not isinstance(document, dict):
        return {}
    return {name: value for name, value in document.items() if isinstance(value, str)}


def sns_message(fields: Mapping[str, str]) -> bytes | None:
    """Write what SNS signs: the names and values of the fields of that type, line by line."""
    names = SIGNED.get(fields.get("Type", ""))
    if names is None or any(name not in fields for name in names if name != "Subject"):
        return None
    lines = [f"{name}\n{fields[name]}\n" for name in names if name in fields]
    return "".join(lines).encode("utf-8", "surrogatepass")


def judge(
    claim: Claim | Forged,
    request: RawRequest,
    keys: Keys,
    *,
    now: datetime,
    name: str,
    tolerance: timedelta,
) -> Verification:
    """Judge by the certificate at the claim's address; ask for it where it is not here yet."""
    if isinstance(claim, Forged):
        signing.decoy(request, now=now)
        return claim
    key = _behind(claim.url, keys, now=now, name=name)
    if isinstance(key, Wanted):
        return key
    if not asymmetric.is_signed(key.public, claim.algorithm, claim.signature, claim.message):
        return signing.mismatch(1, 1, claim.skew)
    if claim.skew is not None and abs(claim.skew) > tolerance:
        return signing.stale(claim.skew, tolerance)
    return Genuine()


def _behind(url: str, keys: Keys, *, now: datetime, name: str) -> Key | Wanted:
    if url not in keys:
        return Wanted(url)
    try:
        key = trusted(keys[url], now=now, name=name)
    except NoKey as why:
        return Wanted(url, lacking=str(why), useless=True)
    return Wanted(url, lacking=key.reason) if isinstance(key, Forged) else key


def trusted(document: bytes, *, now: datetime, name: str) -> Key | Forged:
    """Take the key of the first certificate, if it is the sender's, in date, and chained.

    Raises NoKey where there is no certificate at all.
    """
    chain = material.certificates(document)
    key = material.of_certificate(chain[0])
    if not any(re.fullmatch(name, each) for each in names(chain[0])):
        return Forged("The certificate is not of the sender's name.", cause=Cause.UNKNOWN_KEY)
    if not all(each.not_valid_before_utc <= now <= each.not_valid_after_utc for each in chain):
        return Forged("The certificate, or one it rests on, is out of date.")
    if not _is_chain(chain):
        return Forged("The certificate is not issued by the next one in its document.")
    return key


def names(certificate: x509.Certificate) -> Sequence[str]:
    """Take the common names and the DNS names."""
    found = [str(each.value) for each in certificate.subject.get_attributes_for_oid(_COMMON)]
    try:
        others = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except (x509.ExtensionNotFound, ValueError):
        return found
    return [*found, *others.value.get_values_for_type(x509.DNSName)]


_COMMON = NameOID.COMMON_NAME


def _is_chain(chain: Sequence[x509.Certificate]) -> bool:
    try:
        for issued, issuer in pairwise(chain):
            issued.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
