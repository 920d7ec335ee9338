"""The receiver's half of Standard Webhooks: headers and body in, the reason for refusal out."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

TOLERANCE = timedelta(minutes=5)
MAX_CANDIDATES = 8


def signing_key(secret: str) -> bytes:
    """The bytes behind `whsec_<base64>`; ValueError when there are none."""
    key = base64.b64decode(secret.removeprefix("whsec_"), validate=True)
    if not key:
        raise ValueError("the secret is empty")
    return key


def refusal(headers: Mapping[str, str], body: bytes, *, key: bytes, now: datetime) -> str | None:
    """Why this is not from the holder of the key, or None when it is."""
    webhook_id, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    given = headers.get("webhook-signature", "").split(" ")[:MAX_CANDIDATES]
    if not webhook_id or "." in webhook_id:
        return "webhook-id is missing or holds a dot"
    if not (stamp.isascii() and stamp.isdigit() and len(stamp) <= 12):
        return "webhook-timestamp is not a Unix time"
    if abs(datetime.fromtimestamp(int(stamp), UTC) - now) > TOLERANCE:
        return "webhook-timestamp is more than five minutes away"
    signed = b".".join((webhook_id.encode(), stamp.encode(), body))
    expected = hmac.digest(key, signed, hashlib.sha256)
    if not any(hmac.compare_digest(expected, _decoded(one)) for one in given):
        return "no signature matches"
    return None


def _decoded(candidate: str) -> bytes:
    version, _, encoded = candidate.partition(",")
    try:
        return base64.b64decode(encoded, validate=True) if version == "v1" else b""
    except (binascii.Error, ValueError):
        return b""
