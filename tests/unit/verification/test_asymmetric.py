"""One public-key signature: a key of another kind or a signature of another size is a wrong one."""

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from service.intake.verification.asymmetric import Algorithm, is_signed
from service.intake.verification.material import Public
from tests.unit.verification.keypairs import BODY, ec_key, ed_key, rsa_key

RSA, EC, ED = rsa_key().public_key(), ec_key().public_key(), ed_key().public_key()


@pytest.mark.parametrize(
    ("public", "algorithm"),
    [
        (RSA, "ecdsa-sha256"), (RSA, "ed25519"), (EC, "rsa-sha256"), (EC, "ed25519"),
        (ED, "rsa-pss-sha256"), (ED, "ecdsa-sha256"),
    ],
)  # fmt: skip
def test_a_right_signature_of_another_algorithm_proves_nothing(
    public: Public, algorithm: Algorithm
) -> None:
    assert is_signed(ED, "ed25519", ed_key().sign(BODY), BODY)
    assert not is_signed(public, algorithm, ed_key().sign(BODY), BODY)


@pytest.mark.parametrize("curve", ["secp256r1", "secp384r1"])
def test_two_halves_that_are_not_of_the_curves_size_are_no_signature(curve: str) -> None:
    key = ec_key(curve)
    size = key.curve.key_size // 8
    r, s = decode_dss_signature(key.sign(BODY, ec.ECDSA(hashes.SHA256())))
    halves = r.to_bytes(size) + s.to_bytes(size)
    public = key.public_key()
    assert is_signed(public, "ecdsa-sha256", halves, BODY, shape="raw")
    padded = r.to_bytes(size) + s.to_bytes(size + 1)
    for wrong in (b"", halves[:-1], halves + b"\0", padded, bytes(2 * size)):
        assert not is_signed(public, "ecdsa-sha256", wrong, BODY, shape="raw")
