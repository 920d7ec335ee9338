"""Rules between the keys of a source: a valid table in, what does not fit together out."""

import math
import re
from collections.abc import Iterable, Iterator
from typing import assert_never

from service.domain import flaws
from service.domain.names import EVENT
from service.settings.checks import Known, check_word
from service.settings.lifecycles import Vocabulary
from service.settings.problems import Issue, Place
from service.settings.schema import suggest
from service.settings.secrets import Secret
from service.settings.source_rules import (
    BasicRule,
    BearerRule,
    HeaderRule,
    HmacRule,
    QueryRule,
    UrlTokenRule,
)
from service.settings.source_table import (
    Source,
)

MAPPING = (
    *("items", "key", "occurred_at", "time_formats", "status", "attributes", "statuses"),
    *("revokes", "money"),
)
WORDS = ("facts", "ignore")
"""What a status word may mean besides a status."""
GENERIC_ONLY = ("verify", "handshake", "answer", "format", *MAPPING)


def check_source(
    source: Source, *, known: Known, vocabulary: Vocabulary, sandbox: bool = False
) -> Iterator[Issue]:
    yield from _check_provider(source, known)
    if source.mode == "capture":
        yield from _check_capture(sandbox=sandbox)
        return
    yield from _check_asked(source, known)
    yield from _check_translated(source, known)
    by_url = _is_by_url(source, known)
    if not source.secrets and not by_url and source.provider not in known.keyless:
        yield Issue(
            ("secrets",),
            "Nothing would prove who sends: there is no secret.",
            'Add one, as in secrets = ["env:NAME"].',
        )
    yield from _check_url_token(source, by_url=by_url)
    yield from _check_aliases(source)
    if source.provider == "generic":
        yield from _check_generic(source)
    yield from _check_statuses(source, vocabulary)


def _check_capture(*, sandbox: bool) -> Iterator[Issue]:
    """Nothing else is needed of a source that believes nobody."""
    if not sandbox:
        yield Issue(
            ("mode",),
            "Capture mode stores what anybody sends, unverified: it is for the sandbox only.",
            'Write mode = "live", or sandbox = true under [server] of a test installation.',
        )


def _is_by_url(source: Source, known: Known) -> bool:
    if source.provider == "generic":
        return isinstance(source.verify, UrlTokenRule)
    return source.provider in known.url_tokens


def _check_url_token(source: Source, *, by_url: bool) -> Iterator[Issue]:
    if by_url and source.url_token is None:
        yield Issue(
            ("url_token",),
            "Nothing would prove who sends: there is no token in the URL.",
            'Add it, as in url_token = "env:NAME"; make one with: openssl rand -hex 16',
        )
    if not by_url and source.url_token is not None:
        yield Issue(
            ("url_token",),
            "Nothing reads this: the sender proves itself in another way.",
            'Remove it; a generic source reads it with verify = { scheme = "url_token" }.',
        )
    for place, token in _tokens(source) if by_url else ():
        if not is_token(token.reveal()):
            yield Issue(
                place,
                "The token is not 128 bits of randomness in letters, digits, - and _.",
                "Make one with: openssl rand -hex 16",
            )


def _tokens(source: Source) -> Iterator[tuple[Place, Secret]]:
    if source.url_token is not None:
        yield ("url_token",), source.url_token
    for number, token in enumerate(source.secrets):
        yield ("secrets", number), token


def is_token(value: bytes) -> bool:
    """Whether this may stand in a URL and holds 128 bits, if it was drawn at random."""
    if re.fullmatch(rb"[A-Za-z0-9_-]{1,128}", value) is None or len(set(value)) < _FEWEST:
        return False
    letters = next(size for shape, size in _ALPHABETS if re.fullmatch(shape, value))
    return len(value) * math.log2(letters) >= TOKEN_BITS


TOKEN_BITS = 128
_FEWEST = 8
"""Fewer different characters are a pattern, not a random draw."""
_ALPHABETS = (
    (rb"[0-9]+", 10),
    (rb"[0-9a-f]+|[0-9A-F]+", 16),
    (rb"[0-9a-z_-]+|[0-9A-Z_-]+", 36),
    (rb".+", 62),
)


def _check_aliases(source: Source) -> Iterator[Issue]:
    for type_ in source.subject.aliases:
        if type_.startswith(EVENT):
            yield Issue(
                ("subject", "aliases", type_),
                f"Names that begin with {EVENT!r} stand for events, not for orders.",
                "Call it something else, like tracking:cdek.",
            )


def _check_generic(source: Source) -> Iterator[Issue]:
    yield from _check_verify(source)
    if source.subject.ref is None and not source.subject.aliases:
        yield Issue(
            ("subject", "ref"),
            "A generic source must say where the order number or another name of the order is.",
            'Add it, as in subject = { ref = "order.number" }.',
        )
    for number, money in enumerate(source.money):
        if money.spelling == "minor" and money.currency is None:
            yield Issue(
                ("money", number, "spelling"),
                "How many decimal places a minor unit has, only its currency tells.",
                'Add it, as in currency = "\'EUR\'", or write "hundredths".',
            )
    if source.format == "csv":
        yield Issue(
            ("format",),
            "Reading CSV is not in this version yet.",
            'Let the sender write "json", "form", "xml" or "cloudevents".',
        )
    if source.format == "cloudevents" and source.items is not None:
        yield Issue(
            ("items",),
            "A CloudEvent is one event; its batches need no items.",
            "Remove it, and point into data from the other keys.",
        )


def _check_provider(source: Source, known: Known) -> Iterator[Issue]:
    yield from check_word(source.provider, ("provider",), known.providers, "provider")
    for option in source.options:
        declared = known.options.get(source.provider, ())
        if option not in declared:
            what = f"The provider {source.provider} has no such option."
            yield Issue(("options", option), what, suggest(option, declared))
    # Every provider lets a source say otherwise what one of its words means.
    readable = MAPPING if source.provider in known.mapped else ("statuses",)
    for key in GENERIC_ONLY if source.provider != "generic" else ():
        if key in source.model_fields_set and key not in readable:
            yield Issue(
                (key,),
                f"Only the provider generic reads this; {source.provider} knows its sender.",
                'Remove it, or write provider = "generic".',
            )


def _check_asked(source: Source, known: Known) -> Iterator[Issue]:
    if source.provider not in known.asked:
        return
    if source.token is None:
        yield Issue(
            ("token",),
            "Its events only point at objects, and nothing lets us look them up.",
            'Add what its API is to be shown, as in token = "env:NAME".',
        )
    if not (source.api or known.asked[source.provider]):
        yield Issue(
            ("api",),
            "Its events only point at objects, and nothing says where its API is.",
            'Add its address, as in api = "https://api.example.com".',
        )


def _check_translated(source: Source, known: Known) -> Iterator[Issue]:
    if source.provider != "generic" and source.provider in known.mapped and not source.statuses:
        yield Issue(
            ("statuses",),
            "No word of the sender is translated, so every event would be unmapped.",
            'Add them, as in statuses = { "order.paid" = "payment.paid" }.',
        )


def _check_verify(source: Source) -> Iterator[Issue]:
    match source.verify:
        case None:
            yield Issue(
                ("verify",),
                "A generic source must say how its sender proves itself.",
                'Add it, as in verify = { scheme = "hmac", header = "X-Signature" }.',
            )
        case HmacRule() as rule:
            yield from _check_template(rule)
        case BearerRule() | HeaderRule() | QueryRule():
            shape = "The secret holds spaces or characters that no header or URL can carry."
            yield from _check_shape(source.secrets, rb"[!-~]+", shape)
        case BasicRule():
            yield from _check_shape(
                source.secrets, rb"[^:]*:.*", "The secret is not user:password."
            )
        case UrlTokenRule():
            pass
        case other:
            assert_never(other)


def _check_template(rule: HmacRule) -> Iterator[Issue]:
    used = re.findall(r"\{(\w*)\}", rule.signed)
    if "body" not in used:
        yield Issue(
            ("verify", "signed"),
            "The signature would not cover the body.",
            'Write what the sender signs, as in "{timestamp}.{body}".',
        )
    for word in sorted(set(used) - {"body", "timestamp", "id"}):
        yield Issue(
            ("verify", "signed"),
            f"There is no {{{word}}} to fill in.",
            "What can be signed is {body}, {timestamp} and {id}.",
        )
    if ("timestamp" in used) != (rule.timestamp_header is not None):
        yield Issue(
            ("verify", "signed" if "timestamp" in used else "timestamp_header"),
            "{timestamp} in signed and timestamp_header belong together.",
            "Give both, or neither: a time that is not signed could be changed by anybody.",
        )
    if ("id" in used) != (rule.id_header is not None):
        yield Issue(
            ("verify", "signed" if "id" in used else "id_header"),
            "{id} in signed and id_header belong together.",
            "Give both, or neither.",
        )


def _check_shape(secrets: Iterable[Secret], pattern: bytes, what: str) -> Iterator[Issue]:
    for number, secret in enumerate(secrets):
        if re.fullmatch(pattern, secret.reveal(), re.DOTALL) is None:
            yield Issue(("secrets", number), what, "Mend the value the reference leads to.")


def _check_statuses(source: Source, vocabulary: Vocabulary) -> Iterator[Issue]:
    name = source.subject.lifecycle
    lifecycle = vocabulary.lifecycles.get(name)
    if lifecycle is None:
        if not vocabulary.is_foreign(name):
            place = ("subject", "lifecycle")
            yield from check_word(name, place, vocabulary.lifecycles, "lifecycle")
        return
    if source.provider == "generic":
        yield from _check_status_keys(source)
    # A provider that knows its sender may tell about documents of several lifecycles.
    told = "lifecycle" in source.subject.model_fields_set or source.provider == "generic"
    possible = [lifecycle] if told else list(vocabulary.lifecycles.values())
    for word, target in source.statuses.items():
        lane, _, status = target.partition(".")
        if target not in WORDS and not any(each.find(lane, status) for each in possible):
            choices = [*flaws.names(lifecycle), *WORDS]
            where = f"the lifecycle {lifecycle.name}" if told else "any lifecycle"
            what = f"{target!r} is no lane.status of {where}."
            yield Issue(("statuses", word), what, _choice(target, choices))


def _check_status_keys(source: Source) -> Iterator[Issue]:
    if source.status is None and not source.statuses and not _tells_besides(source):
        yield Issue(
            ("status",),
            "The source would state nothing: it reads neither a status nor attributes.",
            'Add a JMESPath, as in status = "state".',
        )
    if source.status is not None and not source.statuses:
        yield Issue(
            ("statuses",),
            "No word of the sender is translated, so every event would be unmapped.",
            'Add them, as in statuses = { PICKING = "fulfillment.picking" }.',
        )
    if source.status is None and source.statuses:
        yield Issue(
            ("status",),
            "statuses is given, but not where the sender's word is.",
            'Add a JMESPath, as in status = "state".',
        )


def _tells_besides(source: Source) -> bool:
    """Whether events say something though they carry no status."""
    links = source.subject.ref is not None and bool(source.subject.aliases)
    return bool(source.attributes or source.money or source.revokes) or links


def _choice(word: str, choices: Iterable[str]) -> str:
    """Like suggest; where nothing is close, the lane's statuses rather than all there are."""
    lane = word.partition(".")[0]
    near = [choice for choice in choices if choice.partition(".")[0] == lane]
    return suggest(word, near or choices)
