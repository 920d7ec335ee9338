"""Rules between the keys of a destination: a valid table in, what does not fit together out."""

import re
from collections.abc import Iterator, Mapping

from service.settings.checks import Known, KnownKind, check_word
from service.settings.destination_rules import FieldRule, Fields, JwtRule, ObjectRule
from service.settings.destination_table import Destination
from service.settings.keys import MAKE, is_signing_secret, signs
from service.settings.lifecycles import Vocabulary
from service.settings.oauth_checks import check_oauth
from service.settings.problems import Issue, Place
from service.settings.rest_checks import check_rest
from service.settings.schema import suggest

SLOTS = ("ref", "scope", "lifecycle")


def check_destination(
    destination: Destination, *, known: Known, vocabulary: Vocabulary, sealing: bool = True
) -> Iterator[Issue]:
    """`sealing`: server.keys holds a key, with which tokens can be kept."""
    found = list(_check(destination, known=known, vocabulary=vocabulary, sealing=sealing))
    yield from found
    # Only the adapter knows what is left; it would say again what was found already.
    if not found and known.trial is not None:
        said = known.trial(destination)
        if said is not None:
            remedy = f"`orderhook crms {destination.crm}` says how it is set up."
            yield Issue(("crm",), said, remedy)


def _check(
    destination: Destination, *, known: Known, vocabulary: Vocabulary, sealing: bool
) -> Iterator[Issue]:
    yield from check_word(destination.crm, ("crm",), known.crms, "kind of destination")
    if destination.crm == "callback":
        yield from _check_callback(destination)
    yield from check_rest(destination)
    kind = known.kinds.get(destination.crm)
    if kind is not None:
        yield from _check_kind(destination, kind)
    if destination.oauth is not None:
        yield from check_oauth(destination.oauth, destination, kind, sealing=sealing)
    yield from _check_words(("statuses",), destination.statuses, vocabulary, name=None)
    yield from _check_fields(("attributes",), destination.attributes)
    for name, rule in destination.objects.items():
        yield from _check_object(name, rule, kind=kind, vocabulary=vocabulary)
    yield from _check_alone(destination)


def _check_alone(destination: Destination) -> Iterator[Issue]:
    """What may be wrong with any kind."""
    if destination.retry.first > destination.retry.max:
        yield Issue(
            ("retry", "first"), "The first pause is longer than the longest.", "Swap first and max."
        )
    if destination.token is not None:
        shape = "The token holds spaces or characters that no header can carry."
        if re.fullmatch(rb"[!-~]+", destination.token.reveal()) is None:
            yield Issue(("token",), shape, "Mend the value the reference leads to.")
    if destination.jwt is not None and destination.crm != "callback":
        what = "Only a callback carries a token we sign."
        yield Issue(("jwt",), what, 'Remove it, or write crm = "callback".')


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
    if destination.jwt is not None:
        yield from _check_jwt(destination.jwt, destination)


def _check_jwt(rule: JwtRule, destination: Destination) -> Iterator[Issue]:
    if destination.token is not None:
        yield Issue(
            ("jwt",),
            "Both jwt and token would be the bearer token of a callback.",
            "Remove one of them.",
        )
    if signs(rule.key.reveal(), rule.algorithm):
        return
    if rule.algorithm.startswith("HS"):
        least = int(rule.algorithm.removeprefix("HS")) // 8
        yield Issue(
            ("jwt", "key"),
            f"The key is not a secret of at least the {least} bytes {rule.algorithm} needs.",
            f"Make one with: openssl rand -hex {least}",
        )
    else:
        yield Issue(
            ("jwt", "key"),
            f"The key is not a private key in PEM that signs {rule.algorithm}.",
            MAKE[rule.algorithm[:2]],
        )


def _check_kind(destination: Destination, kind: KnownKind) -> Iterator[Issue]:
    yield from _check_options(destination, kind)
    crm = destination.crm
    if not kind.url and not destination.url and crm not in {"callback", "rest"}:
        yield Issue(
            ("url",),
            f"Every account of {kind.title or crm} has an address of its own, and it is missing.",
            "Add it as url; `orderhook crms NAME` shows what it looks like.",
        )
    for name in destination.limits:
        if kind.limits is not None and name not in kind.limits:
            what = f"{crm} has no quota called {name!r}."
            yield Issue(("limits", name), what, suggest(name, kind.limits))
    if kind.keeps is False:
        yield from _check_told(destination)
    elif destination.on_missing == "create" and kind.creates is False and crm != "rest":
        what = f"Orderhook makes no records at {crm}."
        yield Issue(("on_missing",), what, 'Write "wait" or "dead_letter".')
    if destination.reconcile is not None and kind.keeps is False:
        yield Issue(
            ("reconcile",), f"{crm} keeps no records that could be read back.", "Remove the key."
        )
    if destination.notes and kind.notes is False:
        yield Issue(("notes",), f"{crm} takes no entries in a time line.", "Remove the key.")


def _check_told(destination: Destination) -> Iterator[Issue]:
    """It is told every change, and can be asked nothing."""
    crm = destination.crm
    if destination.conflict == "respect":
        yield Issue(
            ("conflict",),
            f"A {crm} cannot be asked what it shows, so nobody's change there would be seen.",
            'Write "overwrite".',
        )
    if destination.objects:
        what = f"A {crm} is told the changes of every lifecycle and has no objects of its own."
        yield Issue(("objects",), what, "Remove the table.")
    if destination.on_missing == "create" and crm != "callback":
        what = f"A {crm} cannot create the order at its receiver."
        yield Issue(("on_missing",), what, 'Write "wait" or "dead_letter".')


def _check_options(destination: Destination, kind: KnownKind) -> Iterator[Issue]:
    for option in destination.options:
        if option not in kind.options:
            what = f"{destination.crm} has no option {option!r}."
            yield Issue(("options", option), what, suggest(option, kind.options))
    for option, required in kind.options.items():
        if required and option not in destination.options:
            yield Issue(
                ("options",),
                f"{destination.crm} needs the option {option!r}.",
                f"Add it; `orderhook crms {destination.crm}` says what it means.",
            )


def _check_words(
    place: Place, words: Mapping[str, str], vocabulary: Vocabulary, *, name: str | None
) -> Iterator[Issue]:
    """Overall statuses: those of one lifecycle, or of any."""
    ours, likely, where = vocabulary.statuses, vocabulary.likely_statuses, ""
    if name is not None and name in vocabulary.lifecycles and ours is not None:
        ours = likely = set(vocabulary.lifecycles[name].overall_statuses)
        where = f" of the lifecycle {name}"
    for status in words:
        if ours is not None and status not in ours:
            what = f"{status!r} is no overall status{where}."
            yield Issue((*place, status), what, suggest(status, likely, rare=ours))


def _check_fields(place: Place, fields: Fields) -> Iterator[Issue]:
    taken: dict[str, str] = {}
    for ours, theirs in fields.items():
        name = theirs.field if isinstance(theirs, FieldRule) else theirs
        if name in taken:
            what = f"{taken[name]} and {ours} would both be written into {name!r}."
            yield Issue((*place, ours), what, "Give each a field of its own.")
        taken.setdefault(name, ours)


def _check_object(
    name: str, rule: ObjectRule, *, kind: KnownKind | None, vocabulary: Vocabulary
) -> Iterator[Issue]:
    place: Place = ("objects", name)
    if not vocabulary.is_foreign(name):
        yield from check_word(name, place, vocabulary.lifecycles, "lifecycle")
    described = kind is None or not kind.keeps or name in kind.lifecycles
    for key in ("object", "key_field", "status_field") if not described else ():
        if not getattr(rule, key):
            what = f"Nothing says what a {name} is there: {key} is missing."
            yield Issue((*place, key), what, "Add it; only orders are known by themselves.")
    yield from _check_key(place, rule.key)
    yield from _check_words((*place, "statuses"), rule.statuses or {}, vocabulary, name=name)
    yield from _check_fields((*place, "attributes"), rule.attributes or {})


def _check_key(place: Place, template: str) -> Iterator[Issue]:
    used = re.findall(r"\{(\w*)\}", template)
    for word in sorted(set(used) - set(SLOTS)):
        what = f"There is no {{{word}}} to fill in."
        yield Issue((*place, "key"), what, "There is {ref}, {scope} and {lifecycle}.")
    if re.search(r"[{}]", re.sub(r"\{\w*\}", "", template)):
        what = "A brace stands alone."
        yield Issue((*place, "key"), what, 'Write it like "{scope}-{ref}".')
    if "ref" not in used:
        what = "The number would be the same for every record: {ref} is missing."
        yield Issue((*place, "key"), what, 'Write it like "{scope}-{ref}".')
