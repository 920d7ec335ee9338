"""What was chosen for a source comes in; TOML with comments, ready to be edited, goes out.

Whatever a stranger sent stands in it only as quoted text, so that none of it can be a key, a line
of its own, or a word to a terminal.
"""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from service.intake.reading.paths import JSON
from service.ops.proposing.choices import Choice, Times
from service.ops.proposing.proofs import Finding
from service.ops.proposing.traffic import Field, Traffic
from service.settings import UrlTokenRule

MARK = "FILL IN"
SHOWN = 48
EXAMPLES = 3


def write(name: str, seen: Traffic, choice: Choice, finding: Finding) -> str:
    """Write the table of a source; each line says what it rests on."""
    lines = [
        *_head(name, seen),
        *_proof(name, finding),
        "",
        *_mapping(seen, choice, finding),
        *_rule(name, finding),
        *_statuses(name, choice),
    ]
    return "\n".join(lines) + "\n"


def _head(name: str, seen: Traffic) -> Iterator[str]:
    count = f"{len(seen.requests)} captured requests, {len(seen.events)} events"
    yield f"# Proposed from {count}; look at every line. {MARK}: only you know."
    if seen.unread:
        yield f"# {seen.unread} of the requests are not of this format and were left aside."
    if len(seen.events) < 2:
        yield "# One event tells little: capture an order on its whole way, and one event twice."
    yield f"[sources.{name}]"


def _proof(name: str, finding: Finding) -> Iterator[str]:
    yield f"provider = {quoted(finding.provider)}"
    variable = name.replace("-", "_").upper()
    for note in finding.notes:
        yield f"# {printable(note)}"
    if isinstance(finding.rule, UrlTokenRule):
        reference, hint = f"env:{variable}_TOKEN", "make one with: openssl rand -hex 16"
        key = f"url_token = {quoted(finding.reference or reference)}"
    else:
        reference, hint = f"env:{variable}_SECRET", "where the sender's secret is"
        key = f"secrets = [{quoted(finding.reference or reference)}]"
    yield key if finding.reference else f"{key}  # {MARK}: {hint}"


def _mapping(seen: Traffic, choice: Choice, finding: Finding) -> Iterator[str]:
    if finding.provider == "generic":
        yield f"format = {quoted(seen.form)}"
    if seen.items:
        yield f"items = {quoted(seen.items)}  # one request carries several events"
    yield from _key(seen, choice)
    yield from _subject(choice)
    yield from _times(choice)
    yield from _status(choice)
    for label, place in choice.attributes.items():
        yield f"attributes.{label} = {quoted(place.path)}  # {examples(place.there)}"


def _key(seen: Traffic, choice: Choice) -> Iterator[str]:
    if choice.key is not None:
        yield f"key = {quoted(choice.key)}  # {examples(choice.key_seen)}, another in each event"
    elif seen.form == "cloudevents":
        yield "# The key is the source and the id of each CloudEvent."
    else:
        yield '# No id of the event was found: its content is its key. Else: key = "PLACE"'


def _subject(choice: Choice) -> Iterator[str]:
    if choice.ref is not None:
        yield f"subject.ref = {quoted(choice.ref.path)}  # {_rests(choice.ref)}"
    elif choice.alias is None:
        yield f'subject.ref = "order"  # {MARK}: where the order number is; none was recognised'
    else:
        yield "# No order number was found: the order is found by its other name, once linked."
    if choice.alias is not None:
        yield f"subject.aliases.tracking = {quoted(choice.alias.path)}  # {_rests(choice.alias)}"


def _times(choice: Choice) -> Iterator[str]:
    place, times = choice.occurred_at, choice.times
    if place is None or times is None:
        yield '# No time of the event was found. Else: occurred_at = "PLACE"'
        return
    yield f"occurred_at = {quoted(place.path)}  # {_rests(place)}"
    if times.formats != ("auto",):
        yield f"time_formats = {_list(times.formats)}{_or_else(times)}"
    if not times.zoned:
        yield f'timezone = "UTC"  # {MARK}: its times carry no zone; which one is meant?'


def _or_else(times: Times) -> str:
    others = ", ".join(map(quoted, times.others))
    return f"  # {MARK}: these would fit, too: {others}" if others else ""


def _status(choice: Choice) -> Iterator[str]:
    if choice.status is not None:
        yield f"status = {quoted(choice.status.path)}  # {_rests(choice.status)}"
    elif not choice.attributes:
        yield f'status = "status"  # {MARK}: where the word for the status is; none was recognised'
    else:
        yield '# No word for a status was found. Else: status = "PLACE", and [statuses]'
    for rival in choice.rivals:
        yield f"# It may also be {quoted(rival.path)}: {examples(rival.there)}"


def _rule(name: str, finding: Finding) -> Iterator[str]:
    if finding.rule is None:
        return
    said = finding.rule.model_dump(exclude_defaults=True)
    yield ""
    yield f"[sources.{name}.verify]"
    for key, value in {"scheme": finding.rule.scheme, **said}.items():
        yield f"{key} = {quoted(str(value))}"


def _statuses(name: str, choice: Choice) -> Iterator[str]:
    if choice.status is None and choice.attributes:
        return
    yield ""
    yield f"[sources.{name}.statuses]  # their word -> our lane.status, or ignore"
    for word, target in choice.statuses.items():
        known = f'{quoted(word)} = "{target}"'
        yield known if target else f'# {MARK}: {quoted(word)} = "lane.status"'
    if not choice.statuses:
        yield f'# {MARK}: "WORD" = "lane.status"'


def _rests(place: Field) -> str:
    some = "" if place.share == 1 else f", in {place.share:.0%} of the events"
    return f"{examples(place.there)}{some}"


def examples(values: Iterable[JSON]) -> str:
    """Show a few different values."""
    shown = dict.fromkeys(quoted(str(value)[:SHOWN]) for value in values if value is not None)
    return ", ".join(islice(shown, EXAMPLES))


def _list(texts: Sequence[str]) -> str:
    return f"[{', '.join(map(quoted, texts))}]"


def quoted(text: str) -> str:
    """Write a basic string of TOML in which nothing but plain text shows."""
    return f'"{"".join(map(_escaped, text))}"'


def _escaped(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    if char.isprintable():
        return char
    code = ord(char)
    if 0xD800 <= code <= 0xDFFF:
        return "\ufffd"
    return f"\\u{code:04X}" if code <= 0xFFFF else f"\\U{code:08X}"


def printable(text: str) -> str:
    """Keep a sentence on its line."""
    return "".join(char if char.isprintable() else " " for char in text)
