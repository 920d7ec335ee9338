"""Credentials of a REST CRM: the configuration in, the headers of a call out."""

import base64
import hashlib
import hmac
from dataclasses import dataclass, field, replace
from datetime import datetime
from urllib.parse import urlsplit

from service.domain import templates
from service.domain.errors import ConfigurationError
from service.settings import Destination
from service.settings.rest_table import RestAuth
from service.worker.crms.api import Credentials, Fixed, Renewed
from service.worker.crms.client import Call
from service.worker.crms.kind import Tools


@dataclass(frozen=True, slots=True)
class Signer:
    """A keyed hash over what is sent."""

    rule: RestAuth
    key: bytes = field(repr=False)

    def __call__(self, call: Call, *, at: datetime) -> Call:
        """The call with its signature, and the time where that is told."""
        told = str(int(at.timestamp()))
        parts = urlsplit(call.url)
        said = {
            "body": call.body,
            "timestamp": told.encode(),
            "method": call.method.encode(),
            "path": (parts.path + (f"?{parts.query}" if parts.query else "")).encode(),
        }
        signed = b"".join(
            piece.encode() if isinstance(piece, str) else said.get(piece.name, b"")
            for piece in templates.parse(self.rule.signed)
        )
        mac = hmac.digest(self.key, signed, getattr(hashlib, self.rule.algorithm)().name)
        hexed = self.rule.encoding == "hex"
        text = mac.hex() if hexed else base64.b64encode(mac).decode()
        stamp = {self.rule.timestamp_header: told} if self.rule.timestamp_header else {}
        shown = {self.rule.header or "X-Signature": f"{self.rule.prefix}{text}", **stamp}
        return replace(call, headers={**call.headers, **shown})


def signer(destination: Destination, auth: RestAuth) -> Signer | None:
    if auth.scheme != "hmac":
        return None
    if destination.secret is None:
        raise ConfigurationError('hmac needs a secret to sign with, as in secret = "env:CRM_KEY".')
    return Signer(auth, destination.secret.reveal())


def credentials(destination: Destination, auth: RestAuth, tools: Tools) -> Credentials:
    """Raises ConfigurationError when there is nothing to be let in with."""
    if auth.scheme in {"hmac", "none"}:
        return Fixed()
    if tools.tokens is not None:
        return Renewed(tools.tokens)
    if destination.token is None:
        raise ConfigurationError('A REST CRM needs token = "env:…", or auth.scheme = "none".')
    return Fixed(_shown(auth, destination.token.reveal()))


def _shown(auth: RestAuth, token: bytes) -> dict[str, str]:
    text = token.decode("latin-1")
    match auth.scheme:
        case "bearer":
            return {"Authorization": f"Bearer {text}"}
        case "basic":
            return {"Authorization": f"Basic {base64.b64encode(token).decode()}"}
        case "header":
            return {auth.header or "X-Api-Key": f"{auth.prefix}{text}"}
        case "hmac" | "none":
            return {}
