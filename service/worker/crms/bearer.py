"""A bearer token of our own for one callback: its idempotency key and the time in, a JWT out."""

from dataclasses import dataclass, field
from datetime import datetime

import jwt
from jwt.algorithms import AllowedPrivateKeys

from service.domain.errors import ConfigurationError
from service.settings import JwtRule


@dataclass(frozen=True, slots=True)
class Signer:
    """A rule with its key read once: reading an RSA key takes longer than a call."""

    rule: JwtRule
    key: AllowedPrivateKeys | bytes = field(repr=False)

    @classmethod
    def of(cls, rule: JwtRule) -> "Signer":
        """Raises ConfigurationError when the key does not fit the algorithm."""
        try:
            key = jwt.get_algorithm_by_name(rule.algorithm).prepare_key(rule.key.reveal())
        except (jwt.PyJWTError, ValueError, TypeError):
            raise ConfigurationError(f"jwt.key is no key that signs {rule.algorithm}.") from None
        return cls(rule, key)

    def token(self, idempotency_key: str, *, at: datetime) -> str:
        """Good for one callback, and not for long."""
        claims = {
            "iss": self.rule.issuer,
            "aud": self.rule.audience,
            "iat": int(at.timestamp()),
            "exp": int((at + self.rule.ttl).timestamp()),
            "jti": idempotency_key,
        }
        return jwt.encode(claims, self.key, algorithm=self.rule.algorithm)
