"""The two ciphers senders use: keys and ciphertext in, plain bytes or Unreadable out."""

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES256
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.padding import PKCS7

from service.intake.reading.mapping import Unreadable

KEY, BLOCK = 32, 16
GCM_NONCES = range(8, 129)


def open_gcm(key: bytes, nonce: bytes, sealed: bytes, also: bytes) -> bytes:
    """Decrypt AES-256-GCM with the tag at the end."""
    if len(nonce) not in GCM_NONCES:
        raise Unreadable("The nonce of the encrypted part has a size no cipher takes.")
    try:
        return AESGCM(key).decrypt(nonce, sealed, also)
    except InvalidTag:
        raise Unreadable(
            "The encrypted part cannot be opened: another key sealed it, or it was changed."
        ) from None


def open_cbc(key: bytes, start: bytes, sealed: bytes, *, block: int = BLOCK) -> bytes:
    """Decrypt AES-256-CBC; whoever calls has verified a signature over it, or tells nobody."""
    if not sealed or len(sealed) % BLOCK:
        raise Unreadable(NOT_OPENED)
    opener = Cipher(AES256(key), CBC(start)).decryptor()
    padded = opener.update(sealed) + opener.finalize()
    try:
        unpadder = PKCS7(block * 8).unpadder()
        return unpadder.update(padded) + unpadder.finalize()
    except ValueError:
        raise Unreadable(NOT_OPENED) from None


NOT_OPENED = "The encrypted body cannot be opened: another key sealed it, or it was changed."


def seal_cbc(key: bytes, start: bytes, plain: bytes, *, block: int = BLOCK) -> bytes:
    """Encrypt by AES-256-CBC."""
    padder = PKCS7(block * 8).padder()
    padded = padder.update(plain) + padder.finalize()
    sealer = Cipher(AES256(key), CBC(start)).encryptor()
    return sealer.update(padded) + sealer.finalize()
