"""Values from outside the file: environment variables and options in, a changed document out.

`ORDERHOOK__SECTION__KEY` names a scalar; `__` parts the steps, case does not matter, and `_` stands
for the `-` of a source's or destination's name (names hold no `_`, keys hold no `-`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from service.settings import schema
from service.settings.models import Document
from service.settings.problems import Place

PREFIX = "ORDERHOOK__"


@dataclass(frozen=True, slots=True)
class Override:
    """One scalar from outside."""

    origin: str
    """The variable's or option's name, for problems."""
    steps: Sequence[str]
    text: str


@dataclass(frozen=True, slots=True)
class Misplaced:
    what: str
    remedy: str


def collect(environ: Mapping[str, str], sets: Mapping[str, str]) -> Iterator[Override]:
    """Environment first, options last: the later one wins."""
    for name in sorted(environ):
        if name.startswith(PREFIX):
            steps = name.removeprefix(PREFIX).lower().split("__")
            yield Override(name, steps, environ[name])
    for name, text in sets.items():
        yield Override(name, name.split("."), text)


def put(document: dict[str, object], override: Override) -> Place | Misplaced:
    """Write the value into the document, as the type its key wants."""
    place = find(document, override.steps)
    if isinstance(place, Misplaced):
        return place
    table = _table(document, place[:-1], create=True)
    if table is not None:
        table[str(place[-1])] = _typed(override.text, schema.kind_at(place))
    return place


def find(document: dict[str, object], steps: Sequence[str]) -> Place | Misplaced:
    place: Place = ()
    kind: schema.Kind | None = Document
    for step in steps:
        choices = _choices(document, place, kind)
        key = next((each for each in choices if _flat(each) == _flat(step)), None)
        if key is None:
            return Misplaced(f"It names {step!r}, which is no key.", schema.suggest(step, choices))
        place = (*place, key)
        kind = schema.kind_at(place)
    if not schema.is_scalar(kind):
        return Misplaced("It names a table or a list.", "Only single values can be set this way.")
    return place


def _choices(document: dict[str, object], place: Place, kind: schema.Kind | None) -> list[str]:
    if schema.fields(kind):
        return list(schema.fields(kind))
    inner = schema.values(kind)
    if not schema.fields(inner):
        return []
    return list(_table(document, place) or ())


def _table(
    document: dict[str, object], place: Place, *, create: bool = False
) -> dict[str, object] | None:
    """The table at a place; None where the file holds something else there."""
    table = document
    for step in place:
        inner = table.setdefault(str(step), {}) if create else table.get(str(step), {})
        if not isinstance(inner, dict):
            return None
        table = inner
    return table


def _flat(step: str) -> str:
    return step.replace("-", "_")


def _typed(text: str, kind: schema.Kind | None) -> object:
    kinds = schema.alternatives(kind)
    if bool in kinds and text.lower() in {"true", "false"}:
        return text.lower() == "true"
    if int in kinds and text.isdecimal() and text.isascii():
        return int(text)
    return text
