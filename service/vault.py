"""Encryption at rest: plain bytes and a ring of keys in, sealed bytes out, and back.

AES-256-GCM. The first key seals, every key opens. What a sealed text belongs to (its context) is
authenticated along, so that it opens nowhere else.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from service.domain.errors import OrderhookError

VERSION = b"\x01"
ID, NONCE, TAG = 8, 12, 16
HEAD = len(VERSION) + ID
LEAST = HEAD + NONCE + TAG
KEY = 32


class Unopenable(OrderhookError):
    """Sealed bytes that no key of the ring opens here: another key, another context, or damage."""


@dataclass(frozen=True, slots=True)
class _Key:
    id: bytes
    """Written before what it sealed; tells nothing of the key."""
    cipher: AESGCM = field(repr=False)

    @classmethod
    def of(cls, key: bytes) -> "_Key":
        return cls(_derived(key, b"id", ID), AESGCM(_derived(key, b"seal", KEY)))


class Vault:
    """Seals with the first key of the ring, opens with any."""

    __slots__ = ("_first", "_ring")

    def __init__(self, keys: Sequence[bytes]) -> None:
        if not keys or any(len(key) != KEY for key in keys):
            raise ValueError("a ring is one or more keys of 32 bytes")
        ring = [_Key.of(key) for key in keys]
        self._first = ring[0]
        self._ring = {key.id: key for key in ring}

    def seal(self, plain: bytes, *, context: str) -> bytes:
        """Version, key id, nonce, then the text and its tag."""
        head, nonce = VERSION + self._first.id, secrets.token_bytes(NONCE)
        return head + nonce + self._first.cipher.encrypt(nonce, plain, head + context.encode())

    @property
    def id(self) -> str:
        """Tells the first key from others, and nothing of it."""
        return self._first.id.hex()

    def is_current(self, sealed: bytes) -> bool:
        """Whether the first key sealed it."""
        return sealed[:HEAD] == VERSION + self._first.id

    def open(self, sealed: bytes, *, context: str) -> bytes:
        """Raises Unopenable, with a sentence that says which it is as far as it can be known."""
        head, nonce = sealed[:HEAD], sealed[HEAD : HEAD + NONCE]
        if len(sealed) < LEAST or not head.startswith(VERSION):
            raise Unopenable("The bytes are not a sealed text of this version.")
        key = self._ring.get(head.removeprefix(VERSION))
        if key is None:
            raise Unopenable("The key it was sealed with is not among server.keys.")
        try:
            return key.cipher.decrypt(nonce, sealed[HEAD + NONCE :], head + context.encode())
        except InvalidTag:
            raise Unopenable("It was changed since it was sealed, or belongs elsewhere.") from None


def _derived(key: bytes, use: bytes, length: int) -> bytes:
    return HKDFExpand(SHA256(), length, b"orderhook vault 1 " + use).derive(key)
