"""One public-key signature: key, algorithm, signature and message in, yes or no out."""

from collections.abc import Callable
from functools import partial
from typing import Literal, assert_never

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from service.intake.verification.material import Public

Algorithm = Literal[
    "rsa-sha256", "rsa-sha384", "rsa-sha512", "rsa-sha1", "rsa-pss-sha256", "rsa-pss-sha512",
    "ecdsa-sha256", "ecdsa-sha384", "ecdsa-sha512", "ecdsa-sha1", "ed25519",
]  # fmt: skip
Shape = Literal["der", "raw"]

HASHES: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
}


def suits(public: Public, algorithm: Algorithm) -> bool:
    """Whether a key is of the algorithm's kind."""
    match public:
        case RSAPublicKey():
            return algorithm.startswith("rsa-")
        case EllipticCurvePublicKey():
            return algorithm.startswith("ecdsa-")
        case Ed25519PublicKey():
            return algorithm == "ed25519"
        case other:
            assert_never(other)


def is_signed(
    public: Public, algorithm: Algorithm, signature: bytes, message: bytes, *, shape: Shape = "der"
) -> bool:
    """Verify; a key of another kind, or a signature of another size, is a wrong signature."""
    if not suits(public, algorithm):
        return False
    try:
        _check(public, algorithm, shape)(signature, message)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True


def _check(public: Public, algorithm: Algorithm, shape: Shape) -> Callable[[bytes, bytes], object]:
    digest = HASHES.get(algorithm.rpartition("-")[2], hashes.SHA256)()
    match public:
        case RSAPublicKey():
            return partial(_rsa, public, digest, "pss" in algorithm)
        case EllipticCurvePublicKey():
            return partial(_ecdsa, public, digest, shape)
        case Ed25519PublicKey():
            return public.verify
        case other:
            assert_never(other)


def _rsa(
    public: RSAPublicKey,
    digest: hashes.HashAlgorithm,
    pss: bool,  # noqa: FBT001  # bound by partial
    signature: bytes,
    message: bytes,
) -> None:
    pad = padding.PSS(padding.MGF1(digest), padding.PSS.AUTO) if pss else padding.PKCS1v15()
    public.verify(signature, message, pad, digest)


def _ecdsa(
    public: EllipticCurvePublicKey,
    digest: hashes.HashAlgorithm,
    shape: Shape,
    signature: bytes,
    message: bytes,
) -> None:
    public.verify(der(public, signature) if shape == "raw" else signature, message, ECDSA(digest))


def der(public: EllipticCurvePublicKey, signature: bytes) -> bytes:
    """Write r and s, side by side in equal halves, as DER."""
    half = (public.curve.key_size + 7) // 8
    if len(signature) != 2 * half:
        raise ValueError
    r, s = (int.from_bytes(part) for part in (signature[:half], signature[half:]))
    return encode_dss_signature(r, s)
