"""Rules between keys: a valid table in, what does not fit together out.

Places are relative to the table; what this version cannot do yet is a problem, never ignored.
"""

import base64
import binascii
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from service.settings.conditions import check_condition
from service.settings.destination_table import (
    Destination,
)
from service.settings.lifecycles import Vocabulary
from service.settings.model import Model
from service.settings.models import (
    Auth,
    Retention,
    Route,
    Server,
)
from service.settings.problems import Issue, Place
from service.settings.schema import suggest


@dataclass(frozen=True, slots=True)
class Known:
    """What the rest of this version brings; None leaves a name unchecked."""

    providers: Collection[str] | None = None
    crms: Collection[str] | None = None
    options: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Vendor options by provider."""
    url_tokens: Collection[str] = ()
    """Providers whose senders prove themselves by a secret in the URL."""
    keyless: Collection[str] = ()
    """Providers whose senders' public keys are fetched, so that `secrets` may be empty."""
    mapped: Collection[str] = ()
    """Providers whose sources say themselves how their bodies are read."""
    asked: Mapping[str, str] = field(default_factory=dict)
    """Providers whose events only point at objects, and the address of the API that is asked."""


LATER: tuple[tuple[type[Model], str, str], ...] = (
    (Server, "keys", "Encryption at rest"),
    (Auth, "jwks_url", "Checking tokens against a key set"),
    (Destination, "jwt", "Signing a bearer token into each callback"),
    (Destination, "shadow", "Shadow mode"),
    (Destination, "conflict", "Respecting changes made by a person"),
    (Destination, "objects", "Writing other objects than orders"),
    (Retention, "requests", "Dropping what is settled"),
    (Retention, "keys", "Dropping dedupe keys"),
)


def missing_features(table: Model, place: Place = ()) -> Iterator[Issue]:
    """Everything in a table, or in the tables inside it, that this version cannot do."""
    for model, key, what in LATER:
        if isinstance(table, model) and getattr(table, key) != model.model_fields[key].default:
            remedy = "Remove the key; only its default is accepted."
            yield Issue((*place, key), f"{what} is not in this version yet.", remedy)
    for key in type(table).model_fields:
        inner = getattr(table, key)
        if isinstance(inner, Model):
            yield from missing_features(inner, (*place, key))


def check_server(server: Server) -> Iterator[Issue]:
    if server.public == server.internal and server.public.port != 0:
        yield Issue(
            ("internal",),
            f"Both listeners have the address {server.public}.",
            "Give the internal one another port.",
        )


def check_auth(auth: Auth, *, sandbox: bool) -> Iterator[Issue]:
    least = int(auth.algorithm.removeprefix("HS")) // 8
    if auth.jwt_secret and len(auth.jwt_secret.reveal()) < least and not sandbox:
        yield Issue(
            ("jwt_secret",),
            f"The secret is shorter than the {least} bytes {auth.algorithm} needs.",
            f"Make one with: openssl rand -hex {least}",
        )


def check_retention(retention: Retention) -> Iterator[Issue]:
    if retention.keys < retention.requests:
        yield Issue(
            ("keys",),
            "Dedupe keys would go before the requests they guard; a replay would then double.",
            "Keep keys at least as long as requests.",
        )


def check_word(
    word: str, place: Place, known: Collection[str] | None, what: str
) -> Iterator[Issue]:
    if known is not None and word not in known:
        yield Issue(place, f"There is no {what} {word!r} in this version.", suggest(word, known))


def check_destination(
    destination: Destination, *, known: Known, vocabulary: Vocabulary
) -> Iterator[Issue]:
    yield from check_word(destination.crm, ("crm",), known.crms, "kind of destination")
    if destination.crm == "callback":
        yield from _check_callback(destination)
    ours = vocabulary.statuses
    for status in destination.statuses:
        if ours is not None and status not in ours:
            what = f"{status!r} is no overall status."
            remedy = suggest(status, vocabulary.likely_statuses, rare=ours)
            yield Issue(("statuses", status), what, remedy)
    if destination.retry.first > destination.retry.max:
        yield Issue(
            ("retry", "first"), "The first pause is longer than the longest.", "Swap first and max."
        )
    if destination.token is not None:
        shape = "The token holds spaces or characters that no header can carry."
        if re.fullmatch(rb"[!-~]+", destination.token.reveal()) is None:
            yield Issue(("token",), shape, "Mend the value the reference leads to.")


def _check_callback(destination: Destination) -> Iterator[Issue]:
    if not destination.url:
        yield Issue(
            ("url",),
            "A callback needs an address to post to.",
            'Add it, as in url = "https://crm.example.com/orderhook".',
        )
    if destination.secret is None:
        yield Issue(
            ("secret",),
            "A callback needs a secret to sign with.",
            'Add it, as in secret = "env:CRM_CALLBACK_SECRET".',
        )
    elif not is_signing_secret(destination.secret.reveal()):
        yield Issue(
            ("secret",),
            "The secret is not whsec_ followed by 24 to 64 bytes in base64.",
            'Make one with: echo "whsec_$(openssl rand -base64 32)"',
        )
    if destination.on_missing == "create":
        yield Issue(
            ("on_missing",),
            "A callback cannot create the order at its receiver.",
            'Write "wait" or "dead_letter".',
        )


def is_signing_secret(value: bytes) -> bool:
    """Whether this is a secret as Standard Webhooks defines it."""
    prefix, encoded = value[:6], value[6:]
    try:
        key = base64.b64decode(encoded + b"=" * (-len(encoded) % 4), validate=True)
    except binascii.Error:
        return False
    return prefix == b"whsec_" and 24 <= len(key) <= 64


def check_route(
    route: Route,
    *,
    sources: Collection[str],
    destinations: Collection[str],
    vocabulary: Vocabulary,
) -> Iterator[Issue]:
    for number, pattern in enumerate(route.sources):
        if pattern != "*" and not any(fnmatchcase(name, pattern) for name in sources):
            what = f"No source is called {pattern!r}."
            yield Issue(("sources", number), what, suggest(pattern, sources))
    for number, pattern in enumerate(route.events):
        if not vocabulary.speaks(pattern):
            what = f"No event is called {pattern!r}."
            yield Issue(("events", number), what, suggest(f"{pattern}.*", vocabulary.patterns()))
    for number, name in enumerate(route.destinations):
        if name not in destinations:
            what = f"No destination is called {name!r}."
            yield Issue(("destinations", number), what, suggest(name, destinations))
    if route.when is not None:
        yield from check_condition(route.when)
