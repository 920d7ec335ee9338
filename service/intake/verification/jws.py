"""One JSON Web Signature in its compact form: text in, its parts out, verified by one key."""

from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Literal, Self

import jwt
import orjson
from jwt.algorithms import Algorithm as Verifier
from jwt.exceptions import PyJWTError

from service.domain.refusals import Cause
from service.intake.provider import Forged
from service.intake.verification import material
from service.intake.verification.material import Public
from service.intake.verification.writings import unwritten

Algorithm = Literal[
    "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "ES256K",
    "EdDSA", "HS256", "HS384", "HS512",
]  # fmt: skip

SEGMENTS = 3


@dataclass(frozen=True, slots=True)
class Jws:
    """A signature whose header was read and is not believed."""

    header: Mapping[str, object]
    head: str = field(repr=False)
    middle: str = field(repr=False)
    signature: bytes = field(repr=False)
    key_id: str | None
    """The `kid`; `jku`, `jwk`, `x5u` and `x5c` would name a key of the sender's choice."""

    @classmethod
    def of(cls, token: str) -> Self | Forged:
        """Take it apart; its spelling must be the only one there is."""
        parts = token.split(".")
        if len(parts) != SEGMENTS:
            return Forged("The token is not a JWT in three parts.")
        head, middle, tail = parts
        opened, signature = unwritten(head, "base64"), unwritten(tail, "base64")
        try:
            header = orjson.loads(opened or b"")
        except orjson.JSONDecodeError:
            header = None
        if not isinstance(header, dict) or not signature or not middle.isascii():
            return Forged("The token is not a JWT: its header or its signature cannot be read.")
        name = header.get("kid", "")
        if not isinstance(name, str) or len(name) > material.MAX_ID:
            return Forged("The token's key id is not one.", cause=Cause.UNKNOWN_KEY)
        return cls(header, head, middle, signature, name or None)

    def refusal(self, algorithm: Algorithm, *, detached: bool) -> Forged | None:
        """Say why the header does not suit; the algorithm is ours, and is only compared."""
        if self.header.get("alg") != algorithm:
            return Forged(f"The token is not signed with {algorithm}, which is agreed.")
        unencoded = self.header.get("b64", True) is False
        critical = self.header.get("crit", ["b64"] if "b64" in self.header else None)
        if critical is not None and (critical != ["b64"] or "b64" not in self.header):
            return Forged("The token has critical parameters that are not known.")
        if detached == bool(self.middle) or (unencoded and not detached):
            return Forged("The token is not of the agreed form: detached, or with its payload.")
        return None

    def payload(self) -> bytes | None:
        """Decode what it carries; None where it cannot be."""
        return unwritten(self.middle, "base64")

    def is_signed(
        self, key: Public | bytes, algorithm: Algorithm, *, detached: bytes | None = None
    ) -> bool:
        """Verify by one key of the agreed algorithm."""
        middle = self.middle.encode()
        if detached is not None:
            unencoded = self.header.get("b64", True) is False
            middle = detached if unencoded else urlsafe_b64encode(detached).rstrip(b"=")
        message = b".".join((self.head.encode(), middle))
        try:
            checker = verifier(algorithm)
            return bool(checker.verify(message, checker.prepare_key(key), self.signature))
        except (PyJWTError, ValueError, TypeError):
            return False


@cache
def verifier(algorithm: Algorithm) -> Verifier:
    return jwt.get_algorithm_by_name(algorithm)


def suits(public: Public, algorithm: Algorithm) -> bool:
    """Whether a key is of the algorithm's kind, and of its curve."""
    try:
        verifier(algorithm).prepare_key(public)
    except (PyJWTError, TypeError):
        return False
    return True
