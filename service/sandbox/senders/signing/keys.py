"""Keys for tests of simulated senders: a word comes in, always the same pair goes out."""

import base64
import hashlib
from functools import cache, partial

from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from service.sandbox.senders.occasion import Pair, shared
from service.settings import Secret

Private = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey

RSA_BITS = 2048
EXPONENT = 65537
SMALL_PRIMES = [each for each in range(3, 2000, 2) if all(each % by for by in range(3, each, 2))]
WITNESSES = 12


def base64_text(word: str, prefix: str = "") -> Pair:
    """A key handed out as base64, as in `whsec_…`."""
    return shared(prefix + base64.b64encode(f"user:secret-{word}".encode()).decode())


def whsec(word: str) -> Pair:
    return base64_text(word, "whsec_")


def hexadecimal(word: str) -> Pair:
    return shared(hashlib.sha256(word.encode()).hexdigest())


def of_length(length: int, word: str) -> Pair:
    """A text of exactly so many letters and digits, as keys of AES are."""
    return shared(hashlib.sha512(word.encode()).hexdigest()[:length])


def pem(private: Private) -> Pair:
    """A private key for the sender, its public key for the source; both PEM."""
    return Pair(Secret.plain(private_pem(private)), Secret.plain(public_pem(private)))


def rsa_pem(word: str) -> Pair:
    return pem(rsa_key(word))


def ec_pem(word: str) -> Pair:
    return pem(ec_key(word))


def ed25519_pem(word: str) -> Pair:
    return pem(ed25519_key(word))


def private_pem(private: Private) -> bytes:
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def public_pem(private: Private) -> bytes:
    return private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def ec_key(word: str) -> ec.EllipticCurvePrivateKey:
    """A key on P-256."""
    return ec.derive_private_key(int.from_bytes(_seed(word, 31), "big") + 1, ec.SECP256R1())


def ed25519_key(word: str) -> ed25519.Ed25519PrivateKey:
    return ed25519.Ed25519PrivateKey.from_private_bytes(_seed(word, 32))


@cache
def rsa_key(word: str) -> rsa.RSAPrivateKey:
    """A key whose primes are found from the word, which takes a moment and is done once."""
    p, q = (_prime(f"{word} {name}") for name in ("p", "q"))
    d = pow(EXPONENT, -1, (p - 1) * (q - 1))
    dp, dq = rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q)
    public = rsa.RSAPublicNumbers(EXPONENT, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, dp, dq, rsa.rsa_crt_iqmp(p, q), public).private_key()


def _prime(word: str) -> int:
    half = RSA_BITS // 2
    start = int.from_bytes(_seed(word, half // 8), "big")
    # The two highest bits make the product of two primes as long as it must be.
    candidate = start | (3 << (half - 2)) | 1
    while not _is_prime(candidate):
        candidate += 2
    return candidate


def _is_prime(candidate: int) -> bool:
    if not all(candidate % small for small in SMALL_PRIMES):
        return False
    return candidate % EXPONENT != 1 and all(map(partial(_passes, candidate), range(2, WITNESSES)))


def _passes(candidate: int, witness: int) -> bool:
    """Miller and Rabin's test."""
    odd, halvings = candidate - 1, 0
    while odd % 2 == 0:
        odd, halvings = odd // 2, halvings + 1
    power = pow(witness, odd, candidate)
    if power in (1, candidate - 1):
        return True
    for _ in range(halvings - 1):
        power = power * power % candidate
        if power == candidate - 1:
            return True
    return False


def _seed(word: str, length: int) -> bytes:
    return hashlib.shake_256(word.encode()).digest(length)
