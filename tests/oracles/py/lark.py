"""Feishu's own SDK, which verifies and opens: what it takes and refuses of sealed events."""

import base64
import hashlib
import json
import logging

import oracle
from cryptography.hazmat.primitives import padding
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from lark_oapi.core.model import RawRequest
from lark_oapi.event.dispatcher_handler import EventDispatcherHandler

BY = "lark-oapi 1.7.5 (PyPI), EventDispatcherHandler.do"
HEADERS = ("X-Lark-Request-Timestamp", "X-Lark-Request-Nonce", "X-Lark-Signature")
KINDS = ("approval_instance", "approval_task")
EVENT = {
    "uuid": "bc447199585340d1f3728d26b1c0297a",
    "token": "verification-token",
    "ts": f"{oracle.SECONDS}.25",
    "type": "event_callback",
    "event": {
        "type": "approval_instance",
        "instance_code": "81D31358-93AF-92D6-7425-01A5D67C4E71",
        "operate_time": str(oracle.SECONDS),
        "status": "APPROVED",
    },
}
logging.disable(logging.CRITICAL)


def takes(body, headers, key):
    request = RawRequest()
    request.uri, request.body = "/webhooks/tested", body.encode()
    request.headers = {name: headers.get(name.lower()) for name in HEADERS}
    builder = EventDispatcherHandler.builder(key, EVENT["token"])
    for kind in KINDS:
        builder = builder.register_p1_customized_event(kind, lambda _: None)
    return builder.build().do(request).status_code == 200


def sealed(key):
    start = b"0123456789abcdef"
    padder = padding.PKCS7(128).padder()
    plain = padder.update(json.dumps(EVENT).encode()) + padder.finalize()
    cipher = Cipher(algorithms.AES(hashlib.sha256(key.encode()).digest()), modes.CBC(start))
    sealer = cipher.encryptor()
    raw = start + sealer.update(plain) + sealer.finalize()
    return json.dumps({"encrypt": base64.b64encode(raw).decode()})


def signed(name, *, key, secret):
    body, when, nonce = sealed(key), str(oracle.SECONDS), "nonce-1"
    signature = hashlib.sha256(f"{when}{nonce}{secret}{body}".encode()).hexdigest()
    headers = dict(zip((each.lower() for each in HEADERS), (when, nonce, signature), strict=True))
    return oracle.vector(
        name,
        by=BY,
        source={"secrets": [key]},
        headers=headers,
        body=body,
        genuine=takes(body, headers, key),
    )


def sign():
    return [
        signed("approved", key="topsecret", secret="topsecret"),
        signed("signed with another key", key="topsecret", secret="other"),
    ]


def check(each):
    request = each["request"]
    return takes(request["body"], request["headers"], each["source"]["secrets"][0])


oracle.main(sign, check)
