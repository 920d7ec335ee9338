"""PayPal: the vendor's legacy SDK writes the signed text, a verifier of others judges signatures.

PayPal's own code to verify needs a certificate issued to PayPal, which nobody else can sign with.
"""

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import django
import httpx
import oracle
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID
from django.conf import settings
from paypalrestsdk.notifications import WebhookEvent

settings.configure(
    CACHES={"default": {"BACKEND": "django.core.cache.backends.dummy.DummyCache"}},
    INSTALLED_APPS=["django.contrib.contenttypes", "django.contrib.auth", "paypal_checkout"],
)
django.setup()

from paypal_checkout.exceptions import PayPalWebhookError  # noqa: E402
from paypal_checkout.webhooks.verify import verify_offline  # noqa: E402

BY = (
    "dj-paypal-checkout 0.4.0 (PyPI), verify_offline; "
    "signed text by paypalrestsdk 1.13.3 (PyPI), WebhookEvent"
)
URL = "https://api.paypal.com/v1/notifications/certs/CERT-oracle"
HOOK = "WH-ID"
TIME = "2026-01-15T10:30:04Z"
BODY = json.dumps({"id": "WH-1", "event_type": "PAYMENT.CAPTURE.COMPLETED", "n": "€"})
KEY, OTHER = (rsa.generate_private_key(65537, 2048) for _ in range(2))


def certificate(key):
    name = x509.Name(
        [x509.NameAttribute(NameOID.COMMON_NAME, "messageverificationcerts.paypal.com")]
    )
    now = datetime.fromisoformat(oracle.AT).astimezone(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=3650))
        .not_valid_after(now + timedelta(days=36500))
    )
    issued = builder.sign(key, hashes.SHA256())
    return issued.public_bytes(serialization.Encoding.PEM).decode()


KEYS = {URL: certificate(KEY)}


def takes(body, headers, hook, keys):
    def served(request):
        found = keys.get(str(request.url))
        return httpx.Response(200, text=found) if found else httpx.Response(404)

    config = SimpleNamespace(require_webhook_id=lambda: hook, cache_alias="default", timeout=5)
    given = {
        "transmission_id": headers["paypal-transmission-id"],
        "transmission_time": headers["paypal-transmission-time"],
        "transmission_sig": headers["paypal-transmission-sig"],
        "cert_url": headers["paypal-cert-url"],
        "auth_algo": headers["paypal-auth-algo"],
    }
    try:
        return verify_offline(
            config=config,
            headers=given,
            body=body.encode(),
            transport=httpx.MockTransport(served),
        )
    except PayPalWebhookError:
        return False


def signed(name, *, key=KEY, hook=HOOK, body=BODY, url=URL):
    text = WebhookEvent._get_expected_sig("t-1", TIME, hook, BODY)  # noqa: SLF001  # no other way in
    raw = key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    headers = {
        "PayPal-Transmission-Id": "t-1",
        "PayPal-Transmission-Time": TIME,
        "PayPal-Transmission-Sig": b64encode(raw).decode(),
        "PayPal-Cert-Url": url,
        "PayPal-Auth-Algo": "SHA256withRSA",
    }
    lower = {name.lower(): value for name, value in headers.items()}
    keys = {**KEYS, url: KEYS[URL]}
    return oracle.vector(
        name,
        by=BY,
        source={"secrets": [], "options": {"webhook_id": HOOK}},
        headers=headers,
        body=body,
        genuine=takes(body, lower, HOOK, keys),
        keys=keys,
    )


def sign():
    return [
        signed("the certificate's key"),
        signed("another key", key=OTHER),
        signed("the id of another webhook", hook="WH-OTHER"),
        signed("another body", body=BODY.replace("WH-1", "WH-2")),
        signed("a certificate of strangers", url="https://paypal.com.example.org/CERT"),
    ]


def check(each):
    request, options = each["request"], each["source"]["options"]
    return takes(request["body"], request["headers"], options["webhook_id"], each["keys"])


oracle.main(sign, check)
