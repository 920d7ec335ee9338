"""Rules between keys: a valid table in, what does not fit together out.

Places are relative to the table; what this version cannot do yet is a problem, never ignored.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from service.settings.conditions import check_condition
from service.settings.destination_table import Destination
from service.settings.keys import encryption_key
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
class KnownKind:
    """What a kind of destination takes; None where it depends on more than its name."""

    title: str = ""
    url: bool = True
    """Whether `url` may be left out."""
    options: Mapping[str, bool] = field(default_factory=dict)
    """Its options, and whether each must be there."""
    grants: Collection[str] = ()
    """Ways to come by an access token; none where it takes no `oauth`."""
    token_url: bool = False
    """Whether tokens are asked for at the same address by everybody."""
    needs: Collection[str] = ()
    """Fields that `oauth.extra` must hold."""
    keeps: bool | None = None
    """Whether it keeps records that can be asked for."""
    lifecycles: Collection[str] = ()
    """Those whose objects there need no description."""
    creates: bool | None = None
    notes: bool | None = None
    limits: Collection[str] | None = None
    """Names of its quotas."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the rest of this version brings; None leaves a name unchecked."""

    providers: Collection[str] | None = None
    crms: Collection[str] | None = None
    kinds: Mapping[str, KnownKind] = field(default_factory=dict)
    """What is known of them; of those that are not here, nothing is checked but their name."""
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
    trial: Callable[[Destination], str | None] | None = None
    """What the adapter of a destination says against it, if anybody asks it."""


LATER: tuple[tuple[type[Model], str, str], ...] = (
    (Auth, "jwks_url", "Checking tokens against a key set"),
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
    for number, key in enumerate(server.keys):
        if encryption_key(key.reveal()) is None:
            yield Issue(
                ("keys", number),
                "This is not a key of 32 random bytes, in base64, hex or raw.",
                "Make one with: openssl rand -base64 32",
            )
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
