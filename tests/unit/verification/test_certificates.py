"""Certificates behind addresses: only the sender's hosts, names, dates and signatures pass."""

import json
from base64 import b64encode
from datetime import timedelta
from typing import Any
from zlib import crc32

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import NO_KEYS, Forged, Genuine, RawRequest, Verification, Wanted
from service.intake.verification import pinned
from service.intake.verification.certificates import PAYPAL_HOST, SNS_HOST, PayPal, Sns
from tests.unit.verification.keypairs import (
    BODY,
    NOW,
    certificate,
    named,
    request,
    rsa_key,
    source,
    written,
)

CERT = "https://api.paypal.com/v1/notifications/certs/CERT-1"
HOOK = {"options": {"webhook_id": "WH-ID"}}
TIME = "2026-01-15T10:29:00Z"
PAYPAL_DOC = written(certificate(rsa_key(), "messageverificationcerts.paypal.com"))


def paypal(**changes: str) -> RawRequest:
    message = f"t-1|{TIME}|WH-ID|{crc32(BODY)}".encode()
    sent = {
        "PayPal-Transmission-Id": "t-1",
        "PayPal-Transmission-Time": TIME,
        "PayPal-Transmission-Sig": b64encode(signed(message)).decode(),
        "PayPal-Cert-Url": CERT,
        "PayPal-Auth-Algo": "SHA256withRSA",
    }
    return request(
        [*{**sent, **{name.replace("_", "-"): v for name, v in changes.items()}}.items()]
    )


def signed(message: bytes, digest: hashes.HashAlgorithm | None = None) -> bytes:
    return rsa_key().sign(message, padding.PKCS1v15(), digest or hashes.SHA256())


def judged(sent: RawRequest, document: bytes | None = None, **more: Any) -> Verification:
    keys = NO_KEYS if document is None else {CERT: document}
    return PayPal().guard(source(**{**HOOK, **more})).verify(sent, now=NOW, keys=keys)


def test_paypal_names_its_certificate_and_passes_by_it() -> None:
    assert Wanted(CERT) == judged(paypal())
    assert Genuine() == judged(paypal(), PAYPAL_DOC)


def test_the_message_is_the_documented_one() -> None:
    body = b'{"id":"evt-1","order":"1001"}'
    assert body == BODY
    other = source(options={"webhook_id": "WH-OTHER"})
    refused = PayPal().guard(other).verify(paypal(), now=NOW, keys={CERT: PAYPAL_DOC})
    assert isinstance(refused, Forged)
    assert Cause.WRONG_SECRET == refused.cause


@pytest.mark.parametrize(
    "changes",
    [
        {"PayPal_Transmission_Id": "t-2"},
        {"PayPal_Transmission_Time": "2026-01-15T10:29:01Z"},
        {"PayPal_Transmission_Time": "yesterday"},
        {"PayPal_Transmission_Sig": "AAAA"},
        {"PayPal_Transmission_Sig": "?"},
        {"PayPal_Auth_Algo": "SHA1withRSA"},
        {"PayPal_Auth_Algo": "none"},
    ],
)
def test_a_changed_header_is_refused(changes: dict[str, str]) -> None:
    assert isinstance(judged(paypal(**changes), PAYPAL_DOC), Forged)


def test_a_changed_body_an_old_request_and_a_missing_header_are_refused() -> None:
    sent = paypal()
    for wrong in (
        request(sent.headers, BODY.replace(b"1001", b"1002")),
        request(sent.headers[:-1]),
        request([*sent.headers, sent.headers[0]]),
    ):
        assert isinstance(judged(wrong, PAYPAL_DOC), Forged)
    guard = PayPal().guard(source(**HOOK))
    late = guard.verify(sent, now=NOW + timedelta(minutes=10), keys={CERT: PAYPAL_DOC})
    assert isinstance(late, Forged)
    assert Cause.STALE_CLOCK == late.cause


@pytest.mark.parametrize(
    "url",
    [
        "http://api.paypal.com/cert",
        "https://api.paypal.com.evil.example/cert",
        "https://evilpaypal.com/cert",
        "https://paypal.com@evil.example/cert",
        "https://api.paypal.com:8443/cert",
        "https://api.paypal.com/cert?next=https://evil.example",
        "https://api.paypal.com/cert#x",
        "https://api.paypal.com\\@evil.example/cert",
        "https://evil.example/api.paypal.com/",
        "https://api.paypal.com\t.evil.example/",
        "https://\u0430pi.paypal.com/cert",
        "https://[::1]/cert",
        "https://API.paypal.com/" + "x" * 3000,
        "",
    ],
)
def test_no_other_address_is_ever_asked_for(url: str) -> None:
    assert isinstance(pinned.address(url, host=PAYPAL_HOST), Forged)
    assert isinstance(judged(paypal(PayPal_Cert_Url=url)), Forged)


@pytest.mark.parametrize(
    "document",
    [
        b"",
        b"<html>",
        written(certificate(rsa_key(), "paypal.com.evil.example")),
        written(certificate(rsa_key(), "api.paypal.com", until=NOW - timedelta(days=1))),
        written(
            certificate(
                rsa_key(), "api.paypal.com", since=NOW + timedelta(days=1),
            )
        ),
        written(certificate(rsa_key(), "api.paypal.com"), certificate(rsa_key(1), "CA")),
        PAYPAL_DOC * 51,
    ],
    ids=["empty", "no certificate", "another name", "over", "not yet", "no chain", "too many"],
)  # fmt: skip
def test_a_certificate_that_is_not_the_senders_is_of_no_use(document: bytes) -> None:
    answer = judged(paypal(), document)
    assert isinstance(answer, Wanted)
    assert answer.lacking


def test_a_chain_in_the_document_must_hold_and_another_key_must_not_pass() -> None:
    ca = certificate(rsa_key(1), "CA")
    leaf = certificate(rsa_key(), "api.paypal.com", issuer=("CA", rsa_key(1)))
    assert Genuine() == judged(paypal(), written(leaf, ca))
    other = written(certificate(rsa_key(1), "api.paypal.com"))
    assert isinstance(judged(paypal(), other), Forged)


def test_paypal_needs_the_id_of_the_webhook() -> None:
    with pytest.raises(ConfigurationError, match="webhook_id"):
        PayPal().guard(source())


TOPIC = "arn:aws:sns:us-west-2:123456789012:MyTopic"
PEM = "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-x.pem"
SNS_DOC = written(certificate(rsa_key(), "sns.amazonaws.com"))
NOTE = {
    "Type": "Notification",
    "MessageId": "22b80b92",
    "TopicArn": TOPIC,
    "Subject": "First",
    "Message": '{"order":"1001"} ü',
    "Timestamp": "2012-05-02T00:54:06.655Z",
    "SigningCertURL": PEM,
}
CONFIRM = {
    **{name: value for name, value in NOTE.items() if name != "Subject"},
    "Type": "SubscriptionConfirmation",
    "SubscribeURL": "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription",
    "Token": "2336412f37",
}


def sns(fields: dict[str, str], version: str = "2", *names: str, **changes: str) -> RawRequest:
    order = names or tuple(sorted(fields.keys() - {"SigningCertURL"}))
    message = "".join(f"{name}\n{fields[name]}\n" for name in order).encode()
    digest = hashes.SHA1() if version == "1" else hashes.SHA256()
    sent = {
        **fields,
        "SignatureVersion": version,
        "Signature": b64encode(signed(message, digest)).decode(),
        **changes,
    }
    return request(body=json.dumps(sent).encode())


def told(sent: RawRequest, document: bytes | None = SNS_DOC) -> Verification:
    keys = NO_KEYS if document is None else {PEM: document}
    return Sns().guard(source(options={"topics": [TOPIC]})).verify(sent, now=NOW, keys=keys)


@pytest.mark.parametrize("version", ["1", "2"])
def test_sns_passes_in_both_versions_of_its_signature(version: str) -> None:
    assert Wanted(PEM) == told(sns(NOTE, version), None)
    assert Genuine() == told(sns(NOTE, version))
    assert Genuine() == told(sns(CONFIRM, version))


def test_sns_without_a_subject_signs_the_other_fields() -> None:
    bare = {name: value for name, value in NOTE.items() if name != "Subject"}
    assert Genuine() == told(sns(bare))


@pytest.mark.parametrize(
    "changes",
    [
        {"Message": "{}"},
        {"Subject": "Second"},
        {"Timestamp": "2026-01-15T10:30:00Z"},
        {"TopicArn": "arn:aws:sns:us-west-2:999999999999:Evil"},
        {"SignatureVersion": "1"},
        {"SignatureVersion": "3"},
        {"Signature": ""},
        {"Type": "SubscriptionConfirmation"},
        {"Type": "Other"},
        {"SigningCertURL": "https://sns.us-west-2.amazonaws.com.evil.example/x.pem"},
        {"SigningCertURL": "https://sns.s3.amazonaws.com/x.pem/../y"},
        {"SigningCertURL": "https://sns.us-west-2.amazonaws.com/x.pem?x.pem"},
    ],
)
def test_sns_refuses_what_was_changed(changes: dict[str, str]) -> None:
    assert isinstance(told(sns(NOTE, **changes)), Forged)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"null", b'{"Type":1}', b"\xff"])
def test_sns_refuses_what_is_no_message(body: bytes) -> None:
    assert isinstance(told(request(body=body)), Forged)


def test_sns_needs_to_know_whose_topics_are_taken() -> None:
    cases: tuple[dict[str, Any], ...] = ({}, {"topics": []}, {"topics": "all"}, {"topics": [1]})
    for options in cases:
        with pytest.raises(ConfigurationError, match="topics"):
            Sns().guard(source(options=options))


def test_the_host_of_sns_is_a_region_and_no_bucket() -> None:
    assert isinstance(
        pinned.address("https://sns.cn-north-1.amazonaws.com.cn/x.pem", host=SNS_HOST), str
    )
    for host in (
        "sns.amazonaws.com",
        "x.sns.us-west-2.amazonaws.com",
        "snsXus-west-2.amazonaws.com",
    ):
        assert isinstance(pinned.address(f"https://{host}/x.pem", host=SNS_HOST), Forged)


def test_a_message_of_sns_without_its_signature_is_called_that() -> None:
    assert Forged("The body carries no Signature.", cause=Cause.MISSING) == told(
        sns(NOTE, Signature="")
    )


def besides(name: str, extension: x509.ExtensionType) -> bytes:
    """Write a certificate of this common name with an extension besides."""
    builder = x509.CertificateBuilder(
        issuer_name=named(name),
        subject_name=named(name),
        public_key=rsa_key().public_key(),
        serial_number=1,
        not_valid_before=NOW - timedelta(days=1),
        not_valid_after=NOW + timedelta(days=1),
    )
    return written(
        builder.add_extension(extension, critical=False).sign(rsa_key(), hashes.SHA256())
    )


def hosts(*names: str) -> x509.ExtensionType:
    return x509.SubjectAlternativeName([x509.DNSName(name) for name in names])


def test_a_certificate_may_name_the_sender_among_its_dns_names() -> None:
    document = besides("a vendor", hosts("www.example.com", "api.paypal.com"))
    assert Genuine() == judged(paypal(), document)


@pytest.mark.parametrize(
    "extension",
    [
        hosts("paypal.com.evil.example", "evilpaypal.com", "api.paypal.com\n.evil.example"),
        x509.SubjectAlternativeName([x509.RFC822Name("api.paypal.com@evil.example")]),
        x509.SubjectAlternativeName([x509.UniformResourceIdentifier("https://api.paypal.com")]),
        x509.UnrecognizedExtension(x509.SubjectAlternativeName.oid, b"api.paypal.com"),
    ],
    ids=["other hosts", "mail", "address", "garbage"],
)
def test_names_of_other_kinds_or_hosts_do_not_make_a_certificate_the_senders(
    extension: x509.ExtensionType,
) -> None:
    answer = judged(paypal(), besides("a vendor", extension))
    assert isinstance(answer, Wanted)
    assert "not of the sender's name" in answer.lacking
