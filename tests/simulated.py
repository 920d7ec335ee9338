"""Configured sources of every provider, and the requests their simulated senders post."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any

from service.domain.refusals import Cause
from service.intake.provider import (
    NO_KEYS,
    Forged,
    Genuine,
    Keys,
    Provider,
    RawRequest,
    Undecided,
    Wanted,
)
from service.intake.providers.registry import preset
from service.sandbox import senders
from service.sandbox.senders.anyone import generic
from service.sandbox.senders.occasion import Delivery, Pair, Sender, Signer
from service.sandbox.senders.signing import drafts
from service.settings import Secret, Source, UrlTokenRule

AT = datetime(2026, 1, 15, 10, 30, 5, tzinfo=UTC)
OLD, NEW, OTHER = "old", "new", "other"
BASE = "https://hooks.example.com"
TRIES = 4


def sender(provider: str) -> Sender:
    return senders.SENDERS[provider]


def signer(source: Source) -> Signer:
    """How the sender of a source proves itself; a generic one says so itself."""
    own = sender(source.provider).signer
    return generic.signer(source) if source.provider == "generic" else own


def pair(provider: str, word: str) -> Pair:
    return sender(provider).signer.keys(word)


def source(provider: str, *words: str, **rules: Any) -> Source:
    """A source as its provider needs it, which knows the keys of these words."""
    pairs = [pair(provider, word) for word in words or (OLD,)]
    known = [each.verify_with for each in pairs if each.verify_with is not None]
    kept = (*known, *dict.fromkeys(secret for each in pairs for secret in each.besides))
    usual = {"name": "tested", "provider": provider, "secrets": kept}
    told = {**usual, **sender(provider).rules, **rules}
    if isinstance(told.get("token"), str):
        told["token"] = Secret.plain(told["token"])
    made = Source.model_validate(told)
    token = preset(provider).url_token or isinstance(made.verify, UrlTokenRule)
    return by_token(made) if token else made


def by_token(source: Source) -> Source:
    """Move the first secret to the end of the URL."""
    first, *others = source.secrets
    return source.model_copy(update={"url_token": first, "secrets": tuple(others)})


def signing(source: Source, word: str) -> Source:
    """The same source as its sender sees it, with the key that signs."""
    ends = pair(source.provider, word)
    key = ends.sign_with
    if source.url_token is None:
        return source.model_copy(update={"secrets": (key, *ends.besides)})
    return source.model_copy(update={"url_token": key, "secrets": ()})


def posted(
    source: Source,
    *,
    word: str = OLD,
    at: datetime = AT,
    sample: str = "",
    key: str = "evt-1",
    body: bytes | None = None,
) -> RawRequest:
    """Let the simulated sender post a sample (or a body) for an order, signed with a key."""
    said = sender(source.provider)
    name = sample or said.usual
    content = senders.sample(source, name, senders.Occasion("1001", AT, key))
    return resigned(source, content if body is None else body, word=word, at=at, sample=name)


def resigned(
    source: Source, body: bytes, *, word: str = OLD, at: datetime = AT, sample: str = ""
) -> RawRequest:
    """Let the simulated sender post a body of any bytes."""
    seen, delivery = signing(source, word), Delivery(at, "evt-1", sample, BASE)
    draft = sender(source.provider).sign(seen, body, delivery)
    return replace(drafts.arrived(seen, draft, delivery), received_at=AT)


def documents(provider: str, *words: str) -> Keys:
    """What stands behind the addresses of keys while these are in use."""
    found: dict[str, bytes] = {}
    for word in words or (OLD,):
        found |= pair(provider, word).documents
    return found


Judge = Callable[..., Genuine | Forged]


def judged(
    source: Source, request: RawRequest, *, now: datetime = AT, served: Keys | None = None
) -> Genuine | Forged:
    """Judge as the intake does, with the keys it would fetch."""
    return judge(source, served=served)(request, now=now)


def judge(source: Source, *, served: Keys | None = None) -> Judge:
    """Build a source once, to judge many requests."""
    built = preset(source.provider).build(source)
    found = documents(source.provider) if served is None else served
    return partial(_judge, built, found)


def _judge(
    built: Provider, served: Keys, request: RawRequest, *, now: datetime = AT
) -> Genuine | Forged:
    keys = NO_KEYS
    for _ in range(TRIES):
        answer = built.verify(request, now=now, keys=keys)
        match answer:
            case Genuine() | Forged():
                return answer
            case Wanted(url=url, lacking=lacking):
                if url in keys or url not in served:
                    return Forged(lacking or f"Nothing stands at {url}.", cause=Cause.UNKNOWN_KEY)
                keys = {**keys, url: served[url]}
            case Undecided():
                raise AssertionError(answer.reason)
    raise AssertionError("It wants keys without end.")


def described(said: Mapping[str, Any], provider: str) -> Source:
    """Read a source as goldens and oracles write it down: secrets as plain values."""
    rules = dict(said)
    rules["secrets"] = tuple(Secret.plain(each) for each in rules.pop("secrets", ()))
    for name in ("url_token", "token"):
        if name in rules:
            rules[name] = Secret.plain(rules[name])
    return Source.model_validate({"name": "tested", "provider": provider, **rules})
