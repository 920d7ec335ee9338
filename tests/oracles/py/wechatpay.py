"""A community client of WeChat Pay: what it signs, seals, takes and refuses."""

import json
from base64 import b64encode

import oracle
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from wechatpayv3 import WeChatPay, WeChatPayType
from wechatpayv3.utils import rsa_sign

BY = "wechatpayv3 2.0.4 (PyPI), utils.rsa_sign and WeChatPay.callback"
APIV3 = "0123456789abcdef0123456789abcdef"
NONCE, SEALED_WITH, ALSO = "593BEC0C930BF1AFEB40B4A08C8FB242", "fdasflkja484w", "transaction"
SERIAL = "PUB_KEY_ID_0000000000000024101100397200000006"
TYPE = "WECHATPAY2-SHA256-RSA2048"


def new_key():
    private = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    return private, public.decode().strip()


def takes(body, headers, apiv3, public, serial):
    private, _ = new_key()
    own = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    client = WeChatPay(
        wechatpay_type=WeChatPayType.NATIVE,
        mchid="1230000109",
        private_key=own,
        cert_serial_no="444F4864EA9B34415",
        appid="wxd678efh567hg6787",
        apiv3_key=apiv3,
        public_key=public,
        public_key_id=serial,
    )
    return bool(client.callback(headers, body))


def signed(name, kind, plain, *, signer, public):
    raw = AESGCM(APIV3.encode()).encrypt(
        SEALED_WITH.encode(), json.dumps(plain).encode(), ALSO.encode()
    )
    body = json.dumps(
        {
            "id": "EV-2018022511223320873",
            "create_time": "2026-01-15T18:30:05+08:00",
            "resource_type": "encrypt-resource",
            "event_type": kind,
            "summary": "支付成功",
            "resource": {
                "original_type": ALSO,
                "algorithm": "AEAD_AES_256_GCM",
                "ciphertext": b64encode(raw).decode(),
                "associated_data": ALSO,
                "nonce": SEALED_WITH,
            },
        },
        ensure_ascii=False,
    )
    headers = {
        "Wechatpay-Timestamp": str(oracle.SECONDS),
        "Wechatpay-Nonce": NONCE,
        "Wechatpay-Serial": SERIAL,
        "Wechatpay-Signature-Type": TYPE,
        "Wechatpay-Signature": rsa_sign(signer, f"{oracle.SECONDS}\n{NONCE}\n{body}\n"),
    }
    genuine = takes(body, headers, APIV3, public, SERIAL)
    source = {"secrets": [APIV3, public]}
    return oracle.vector(name, by=BY, source=source, headers=headers, body=body, genuine=genuine)


def sign():
    (private, public), (stranger, _) = new_key(), new_key()
    paid = {"out_trade_no": "A-1001", "trade_state": "SUCCESS", "amount": {"total": 1500}}
    refund = {"out_trade_no": "A-1001", "refund_status": "SUCCESS", "out_refund_no": "R-1"}
    return [
        signed("paid", "TRANSACTION.SUCCESS", paid, signer=private, public=public),
        signed("refund", "REFUND.SUCCESS", refund, signer=private, public=public),
        signed("another key", "TRANSACTION.SUCCESS", paid, signer=stranger, public=public),
    ]


def check(each):
    secrets, headers = each["source"]["secrets"], each["request"]["headers"]
    public = next(one for one in secrets if "-----BEGIN" in one)
    apiv3 = next(one for one in secrets if "-----BEGIN" not in one)
    body, serial = each["request"]["body"], headers["wechatpay-serial"]
    return takes(body, headers, apiv3, public.strip(), serial)


oracle.main(sign, check)
