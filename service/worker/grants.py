"""How a destination asks for access tokens: credentials in, a call out; its answer in, judged.

RFC 6749 and RFC 7523; what vendors do otherwise is data of their kind (`Kind.oauth`).
"""

import base64
import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from urllib.parse import quote_plus, urlencode

import jwt
from pydantic import JsonValue

from service.domain.errors import ConfigurationError
from service.settings import Destination, OAuthRule, Secret
from service.settings.keys import signs
from service.store.ids import new_id
from service.worker.crms.base import Answer, Class
from service.worker.crms.client import Call, Failure, Reply
from service.worker.crms.kind import Kind, OAuth

OPERATION = "sign in"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ASSERTED = timedelta(seconds=170)
"""Salesforce takes no JWT that lives longer than three minutes (catalogue 2026-11)."""
MARGIN = timedelta(seconds=60)
LONGEST_LIFE = timedelta(days=365)
PASSING = (408, 425, 429)
OURS = frozenset({"access_token", "refresh_token", "id_token", "signature"})
MOST_SAID = 500


@dataclass(frozen=True, slots=True)
class Granted:
    """What an answer gave."""

    access: str = field(repr=False)
    refresh: str | None = field(repr=False)
    """The refresh token that serves next, when the answer carried one."""
    lifetime: timedelta | None
    """None when the vendor does not say: it serves until it is refused."""
    said: Mapping[str, str]
    """Short texts that came along, as `instance_url`."""

    @property
    def margin(self) -> timedelta:
        """How long before its end a token is renewed."""
        return min(MARGIN, self.lifetime / 5) if self.lifetime else timedelta()


@dataclass(frozen=True, slots=True)
class Grant:
    """How one destination comes by its tokens."""

    destination: str
    crm: str
    url: str
    rule: OAuthRule
    oauth: OAuth

    @classmethod
    def of(cls, destination: Destination, kind: Kind) -> "Grant":
        """Raises ConfigurationError for what `orderhook check` also finds."""
        rule, oauth = destination.oauth, kind.oauth
        if rule is None or oauth is None or rule.grant not in oauth.grants:
            raise ConfigurationError(f"{kind.name} gives no tokens in the way oauth.grant says.")
        url = rule.url or oauth.url
        if not url:
            raise ConfigurationError(f"oauth.url of {destination.name} is missing.")
        if rule.grant == "jwt_bearer" and not (rule.key and signs(rule.key.reveal(), "RS256")):
            raise ConfigurationError(
                f"oauth.key of {destination.name} is not an RSA private key in PEM."
            )
        return cls(destination.name, kind.name, url, rule, oauth)

    def first(self) -> str | None:
        """The configured refresh token; later ones come with the answers."""
        return _text(self.rule.refresh_token) or None

    def origin(self) -> bytes:
        """A digest of the credentials: tokens that go back to others are not used.

        The app's secret is no part of a refresh token's line: it may be changed on the way.
        """
        rule = self.rule
        line = [rule.grant, self.url, rule.client_id]
        match rule.grant:
            case "refresh_token":
                line.append(_text(rule.refresh_token))
            case "client_credentials" | "jwt_bearer":
                line += [_text(rule.client_secret), _text(rule.key)]
                line += [rule.subject, rule.audience, rule.scope]
        return hashlib.sha256(repr(line).encode()).digest()

    def call(self, refresh: str | None, *, now: datetime, rotates: bool) -> Call:
        """The request for a token; `rotates`: its answer must not be lost."""
        form = self._form(refresh, now)
        headers = {"Accept": "application/json"}
        if self.oauth.client == "basic" and self.rule.grant != "jwt_bearer":
            headers["Authorization"] = self._basic()
        call = Call("GET", self.url, OPERATION, b"", headers, safe=not rotates)
        if self.oauth.method == "GET":
            joint = "&" if "?" in self.url else "?"
            return replace(call, url=f"{self.url}{joint}{urlencode(form)}")
        headers["Content-Type"] = "application/x-www-form-urlencoded"
        return replace(call, method="POST", body=urlencode(form).encode())

    def judge(self, reply: Reply | Failure) -> Granted | Answer:
        """What came of the request."""
        match reply:
            case Failure(kind=Class.HUMAN, detail=detail):
                return self._failed(Class.HUMAN, f"The token server cannot be asked: {detail}.")
            case Failure(detail=detail):
                detail = f"The token server gave no answer: {detail}."
                return self._failed(Class.TRANSIENT, detail)
            case Reply(status=status) if status in PASSING or status >= 500:
                detail = f"The token server answered {status}."
                return self._failed(Class.TRANSIENT, detail, status=status, after=reply.after)
            case Reply(status=status, body=None):
                detail = f"The token server's answer ({status}) did not come whole."
                return self._failed(Class.TRANSIENT, detail, status=status)
            case Reply(status=status):
                return self._said(status, reply.json())

    def _said(self, status: int, content: JsonValue) -> Granted | Answer:
        body = content if isinstance(content, dict) else {}
        access = body.get("access_token")
        if (
            status in range(200, 300)
            and isinstance(access, str)
            and re.fullmatch(r"[!-~]{1,16384}", access)
        ):
            return _granted(access, body)
        return self._refused(status, _word(body))

    def _refused(self, status: int, word: str) -> Answer:
        said = f"The token server refused ({status}{', ' if word else ''}{word})."
        match word:
            case "invalid_client" | "unauthorized_client" | "invalid_client_id":
                mend = "Look at oauth.client_id and oauth.client_secret."
                return self._failed(Class.AUTH, f"{said} {mend}", status=status)
            case "invalid_scope" | "unsupported_grant_type":
                mend = "The app there is not allowed this grant or scope: mend it there."
            case "PAYMENT_REQUIRED":
                mend = "The account there is unpaid: settle that, then resume the destination."
            case _ if status not in {*range(200, 300), 400, 401, 403}:
                mend = "Look at oauth.url: it does not seem to be where tokens are given."
            case _:
                mend = self.remedy()
        return self._failed(Class.HUMAN, f"{said} {mend}", status=status)

    def remedy(self) -> str:
        """What a person must do for tokens to be given again."""
        match self.rule.grant:
            case "refresh_token":
                return (
                    f"Sign the app in again: authorise it anew (orderhook crms {self.crm}), put "
                    "the new refresh token where oauth.refresh_token refers to, reload, then "
                    f"resume the destination {self.destination}."
                )
            case "client_credentials":
                return "Look at the app there: its secret, and whether it is still switched on."
            case "jwt_bearer":
                return (
                    "Look at the app there: whether it holds the public key of oauth.key, and "
                    "whether oauth.subject has approved it."
                )

    def _failed(
        self, kind: Class, detail: str, *, status: int | None = None, after: timedelta | None = None
    ) -> Answer:
        return Answer(kind, OPERATION, http_status=status, after=after, detail=detail, tried=False)

    def _form(self, refresh: str | None, now: datetime) -> Mapping[str, str]:
        rule = self.rule
        client = {"client_id": rule.client_id, "client_secret": _text(rule.client_secret)}
        shown = client if self.oauth.client == "body" else {}
        scope = {"scope": rule.scope} if rule.scope else {}
        rest = {**scope, **self.oauth.extra, **rule.extra}
        match rule.grant:
            case "refresh_token":
                serves = {"grant_type": "refresh_token", "refresh_token": refresh or ""}
                return {**serves, **shown, **rest}
            case "client_credentials":
                audience = {"audience": rule.audience} if rule.audience else {}
                return {"grant_type": "client_credentials", **shown, **audience, **rest}
            case "jwt_bearer":
                return {"grant_type": JWT_BEARER, "assertion": self._assertion(now), **rest}

    def _assertion(self, now: datetime) -> str:
        rule = self.rule
        claims = {
            "iss": rule.client_id,
            "sub": rule.subject,
            "aud": rule.audience or self.url,
            "iat": int(now.timestamp()),
            "exp": int((now + ASSERTED).timestamp()),
            "jti": str(new_id()),
        }
        key = rule.key.reveal() if rule.key else b""
        return jwt.encode(claims, key, algorithm="RS256")

    def _basic(self) -> str:
        pair = f"{quote_plus(self.rule.client_id)}:{quote_plus(_text(self.rule.client_secret))}"
        return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _granted(access: str, body: Mapping[str, JsonValue]) -> Granted:
    refresh = body.get("refresh_token")
    said = {
        name: value
        for name, value in body.items()
        if name not in OURS and isinstance(value, str) and len(value) <= MOST_SAID
    }
    following = refresh if isinstance(refresh, str) and refresh else None
    return Granted(access, following, _lifetime(body.get("expires_in")), said)


def _lifetime(value: JsonValue) -> timedelta | None:
    """Seconds, as a number or as text; nonsense says nothing."""
    seconds = float(value) if isinstance(value, str) and re.fullmatch(r"\d{1,9}", value) else value
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or seconds < 1:
        return None
    return timedelta(seconds=min(seconds, LONGEST_LIFE.total_seconds()))


def _word(body: Mapping[str, JsonValue]) -> str:
    """Their word for the error, if it is one that can be shown."""
    for name in ("error", "status", "error_code"):
        word = body.get(name)
        if isinstance(word, str) and re.fullmatch(r"[A-Za-z0-9_.-]{1,60}", word):
            return word
    return ""


def _text(secret: Secret | None) -> str:
    return secret.reveal().decode("utf-8", "surrogateescape") if secret else ""
