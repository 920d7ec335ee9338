"""JSON Web Tokens and signatures as data: a scheme and a source come in, a guard out."""

import hashlib
import hmac
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal

import orjson

from service.domain.errors import ConfigurationError
from service.domain.refusals import Cause
from service.intake.provider import Forged, Genuine, Guard, Keys, RawRequest, Verification
from service.intake.reading import mapping
from service.intake.reading.mapping import Unreadable
from service.intake.reading.paths import JSON, Path
from service.intake.verification import keyring, signing
from service.intake.verification.jws import Algorithm, Jws, suits
from service.intake.verification.keychain import Fetched, Found, Keychain
from service.intake.verification.material import Public
from service.intake.verification.writings import unwritten
from service.settings import Source

MAX_TOKEN = 1024 * 1024
"""A token in a header is bounded by the header; one that is the body may be long."""


@dataclass(frozen=True, slots=True)
class Token:
    """A sender that proves itself by a JWT or a JWS, whose algorithm is fixed here.

    `where`: `bearer`, `header:Name`, `body` (the whole body is the token; what it claims becomes
    the body that is parsed), `body:` and a JMESPath (the same, in a field) or `detached:Name` (a
    signature of the body in a header, `b64=false` or not).
    """

    where: str = "bearer"
    algorithm: Algorithm = "RS256"
    fetched: str | Fetched | None = field(default=None, compare=False)
    """Where the key set (JWKS) is, if not in `secrets`."""
    authorized: bool = False
    """Whether the key server asks for the source's `token`."""
    issuer: str = ""
    """The exact `iss`, or `option:name` of the source."""
    audience: str = ""
    """The exact `aud`, or `option:name` of the source."""
    require: tuple[str, ...] = ()
    """Claims that must be there: `exp`, `iat` …; those that are there are judged in any case."""
    fresh: bool = False
    """Whether `iat` must lie within the tolerance."""
    body_hash: str = ""
    """The claim with the SHA-256 of the body, where a token in a header proves the body too."""
    hashed: Literal["hex", "base64"] = "hex"
    unfold: tuple[str, ...] = ()
    """Claims that hold JSON as text, outermost first: `data`, `data.data`."""
    what: str = "the sender's public key"

    @property
    def summary(self) -> str:
        match self.where.partition(":"):
            case ("body", _, _):
                return f"the body is a JWT ({self.algorithm})"
            case ("detached", _, _):
                return f"detached JWS of the body ({self.algorithm})"
            case _:
                covers = " with a hash of the body" if self.body_hash else ""
                return f"JWT{covers} ({self.algorithm})"

    def guard(self, source: Source) -> Guard:
        """Take the source's keys; raises ConfigurationError where they cannot be used."""
        issuer, audience = (_configured(source, each) for each in (self.issuer, self.audience))
        if self.algorithm.startswith("HS"):
            secrets = keyring.shared(source, self.what)
            return _Tokens(self, source.tolerance, issuer, audience, secrets)
        chain = Keychain.of(source, self.what, fetched=self.fetched, authorized=self.authorized)
        for key in chain.held:
            if not suits(key.public, self.algorithm):
                raise ConfigurationError(
                    f"A key of the source {source.name} is not for {self.algorithm}; "
                    f"put {self.what} there."
                )
        return _Tokens(self, source.tolerance, issuer, audience, chain)


def _configured(source: Source, text: str) -> str:
    kind, colon, name = text.partition(":")
    if not colon or kind != "option":
        return text
    value = source.options.get(name)
    if not isinstance(value, str) or not value:
        raise ConfigurationError(
            f"The source {source.name} does not say whom the token must name; "
            f'set options = {{ {name} = "…" }}.'
        )
    return value


@dataclass(frozen=True, slots=True)
class _Tokens(Guard):
    """Judges the requests of one source."""

    scheme: Token
    tolerance: timedelta
    issuer: str
    audience: str
    keys: Keychain | Sequence[bytes] = field(repr=False)

    def verify(self, request: RawRequest, *, now: datetime, keys: Keys) -> Verification:
        token = self._jws(request)
        if isinstance(token, Forged):
            signing.decoy(request, now=now)
            return token
        usable = self._keys(request, token.key_id, keys)
        if not isinstance(usable, list):
            return usable
        if not self._is_signed(token, usable, request):
            return signing.mismatch(1, len(usable))
        return self._claims(token, request, now=now) or Genuine()

    def redact(self, request: RawRequest) -> RawRequest:
        """A token in a header could be shown again; a signature of this body cannot."""
        kind, _, name = self.scheme.where.partition(":")
        if kind not in {"bearer", "header"}:
            return request
        header = name.lower() or "authorization"
        return replace(request, headers=tuple(one for one in request.headers if one[0] != header))

    def open(self, request: RawRequest) -> RawRequest:
        """Put what the token claims in place of the body; it was verified when it came."""
        if self.scheme.where.partition(":")[0] != "body":
            return request
        token = self._jws(request)
        if isinstance(token, Forged):
            raise Unreadable(token.reason)
        document = mapping.read(token.payload() or b"")
        return replace(request, body=orjson.dumps(unfolded(document, self.scheme.unfold)))

    def _is_detached(self) -> bool:
        return self.scheme.where.startswith("detached:")

    def _jws(self, request: RawRequest) -> Jws | Forged:
        """Find the token and take it apart; its header must say what is agreed."""
        text = self._token(request)
        token = text if isinstance(text, Forged) else Jws.of(text)
        if isinstance(token, Forged):
            return token
        refused = token.refusal(self.scheme.algorithm, detached=self._is_detached())
        return refused or token

    def _token(self, request: RawRequest) -> str | Forged:
        kind, _, name = self.scheme.where.partition(":")
        match kind:
            case "bearer":
                return _bearer(request)
            case "header" | "detached":
                return signing.single(request, name)
            case "body":
                return _in_body(request, name)
            case _:
                raise ValueError(f"{self.scheme.where!r} is no place of a token.")

    def _keys(
        self, request: RawRequest, name: str | None, keys: Keys
    ) -> "list[Public | bytes] | Verification":
        if not isinstance(self.keys, Keychain):
            return list(self.keys)
        found = self.keys.find(request, name, keys)
        if not isinstance(found, Found):
            return found
        fitting: list[Public | bytes] = [
            key.public
            for key in found.keys
            if key.algorithm in {"", self.scheme.algorithm}
            and suits(key.public, self.scheme.algorithm)
        ]
        if not fitting:
            return Forged("The key is not of the sender's algorithm.", cause=Cause.UNKNOWN_KEY)
        return fitting

    def _is_signed(self, token: Jws, keys: Sequence[Public | bytes], request: RawRequest) -> bool:
        body = request.body if self._is_detached() else None
        return any(token.is_signed(key, self.scheme.algorithm, detached=body) for key in keys)

    def _claims(self, token: Jws, request: RawRequest, *, now: datetime) -> Forged | None:
        if self._is_detached():
            return None
        try:
            claims = mapping.read(token.payload() or b"")
        except Unreadable as why:
            return Forged(str(why))
        if not isinstance(claims, dict):
            return Forged("What the token claims is no JSON object.")
        named = _names(claims, self.issuer, self.audience)
        if named or self.scheme.where.startswith("body") or not self.scheme.body_hash:
            return named or self._times(claims, now=now)
        return self._hash(claims, request) or self._times(claims, now=now)

    def _times(self, claims: Mapping[str, JSON], *, now: datetime) -> Forged | None:
        missing = [name for name in self.scheme.require if name not in claims]
        if missing or (self.scheme.fresh and "iat" not in claims):
            lack = missing[0] if missing else "iat"
            return Forged(f"The token carries no claim {lack}.", cause=Cause.MISSING)
        skews = {name: _skew(claims[name], now) for name in _TIMES if name in claims}
        for name, skew in skews.items():
            if skew is None:
                return Forged(f"The token's claim {name} is not a time in unix seconds.")
            if _is_out(name, skew, self.tolerance, fresh=self.scheme.fresh):
                return signing.stale(skew, self.tolerance)
        return None

    def _hash(self, claims: Mapping[str, JSON], request: RawRequest) -> Forged | None:
        said = claims.get(self.scheme.body_hash)
        raw = unwritten(said, self.scheme.hashed) if isinstance(said, str) else None
        if raw is None:
            lack = f"The token carries no claim {self.scheme.body_hash} with a hash of the body."
            return Forged(lack, cause=Cause.MISSING)
        if hmac.compare_digest(raw, hashlib.sha256(request.body).digest()):
            return None
        return Forged("The token was made for another body.", cause=Cause.WRONG_SECRET)


_TIMES = ("exp", "nbf", "iat")


def _is_out(name: str, skew: timedelta, tolerance: timedelta, *, fresh: bool) -> bool:
    match name:
        case "exp":
            return skew < -tolerance
        case "iat" if fresh:
            return abs(skew) > tolerance
        case _:
            return skew > tolerance


def _skew(value: JSON, now: datetime) -> timedelta | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < _LATEST:
        return None
    return timedelta(seconds=value - now.timestamp())


_LATEST = 2**35


def _names(claims: Mapping[str, JSON], issuer: str, audience: str) -> Forged | None:
    if issuer and claims.get("iss") != issuer:
        return Forged("The token is not of the issuer we expect.")
    aud = claims.get("aud")
    if audience and audience not in (aud if isinstance(aud, list) else [aud]):
        return Forged("The token is meant for somebody else (aud).")
    return None


def _bearer(request: RawRequest) -> str | Forged:
    header = signing.single(request, "Authorization")
    if isinstance(header, Forged):
        return header
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer":
        return Forged("The header Authorization carries no bearer token.", cause=Cause.MISSING)
    return token.strip()


def _in_body(request: RawRequest, path: str) -> str | Forged:
    if len(request.body) > MAX_TOKEN:
        return Forged(f"The token is longer than {MAX_TOKEN} bytes.")
    if not path:
        return request.body.rstrip(b"\r\n").decode("latin-1")
    try:
        found = Path.of(path).find(mapping.read(request.body))
    except Unreadable as why:
        return Forged(str(why))
    if not isinstance(found, str):
        return Forged(f"The body carries no token at {path}.", cause=Cause.MISSING)
    return found


def unfolded(document: JSON, places: Sequence[str]) -> JSON:
    """Read JSON that is written as text inside the document, at each place in turn."""
    for place in places:
        *parents, last = place.split(".")
        node = document
        for step in parents:
            node = node.get(step) if isinstance(node, dict) else None
        if isinstance(node, dict) and isinstance(inner := node.get(last), str):
            node[last] = mapping.read(inner.encode("utf-8", "surrogatepass"))
    return document
