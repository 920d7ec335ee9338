"""DingTalk's envelope by a community SDK: it seals what we open, and opens what we seal."""

import json
from urllib.parse import parse_qs, urlencode

import oracle
from dingtalk.crypto import DingTalkCrypto

BY = "dingtalk-sdk 1.3.8 (PyPI, community), dingtalk.crypto.DingTalkCrypto"
TOKEN, KEY, RECEIVER = "123456", "4g5j64qlyl3zvetqxz5jiocdr586fn2zvjpa8zls3ij", "dingcorp1"
EVENT = {
    "EventType": "bpms_instance_change",
    "processInstanceId": "ad253df6-e175",
    "type": "finish",
    "result": "agree",
    "title": "折扣审批",
}


def sealed(name, *, token=TOKEN, genuine=True):
    crypto = DingTalkCrypto(token, KEY, RECEIVER)
    made = crypto.encrypt_message(json.dumps(EVENT), "nonce-1", oracle.SECONDS * 1000)
    query = {
        "msg_signature": made["msg_signature"],
        "timestamp": made["timeStamp"],
        "nonce": made["nonce"],
    }
    return oracle.vector(
        name,
        by=BY,
        source={"secrets": [f"{TOKEN}:{KEY}"], "options": {"receiver": RECEIVER}},
        headers={"Content-Type": "application/json"},
        body=json.dumps({"encrypt": made["encrypt"]}),
        query=urlencode(query),
        genuine=genuine,
    )


def sign():
    return [sealed("approved"), sealed("another token", token="654321", genuine=False)]


def check(each):
    token, _, key = each["source"]["secrets"][0].rpartition(":")
    sent = {name: value[0] for name, value in parse_qs(each["request"]["query"]).items()}
    crypto = DingTalkCrypto(token, key, each["source"]["options"]["receiver"])
    try:
        crypto.decrypt_message(
            each["request"]["body"], sent["msg_signature"], sent["timestamp"], sent["nonce"]
        )
    except Exception:
        return False
    return True


oracle.main(sign, check)
