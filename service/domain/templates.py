"""Templates of the configuration: text with `{name}` or `{name|filter}` in, its parts out.

`{{` and `}}` stand for the braces themselves. What a place is filled with is encoded for that place
by whoever fills it; a filter only writes the value in another way before that.
"""

import base64
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

MAX_TEMPLATE = 4096
_SLOT = re.compile(r"([a-z][a-z_]*)(?:\.([^{}|]{1,100}))?((?:\|[a-z0-9]+)*)")
_PIECE = re.compile(r"\{\{|\}\}|\{[^{}]*\}|[{}]|[^{}]+")


def _escaped(text: str) -> str:
    return re.sub(r"""(['"\\])""", r"\\\1", text)


FILTERS: Mapping[str, Callable[[str], str]] = {
    "base64": lambda text: base64.b64encode(text.encode()).decode(),
    "base64url": lambda text: base64.urlsafe_b64encode(text.encode()).decode(),
    "doubled": lambda text: text.replace("'", "''"),
    "escaped": _escaped,
    "lower": str.lower,
    "upper": str.upper,
}
"""`doubled` and `escaped` make text safe between the quotes of a query language."""
QUOTING = frozenset({"doubled", "escaped", "base64", "base64url"})


class TemplateError(ValueError):
    """What is wrong with a template, as a sentence."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.what = what
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Slot:
    """A place to be filled."""

    name: str
    member: str | None = None
    """What follows the dot, as in `{field.tracking}`."""
    filters: tuple[str, ...] = ()

    def __str__(self) -> str:
        dotted = f"{self.name}.{self.member}" if self.member else self.name
        return "{" + "|".join((dotted, *self.filters)) + "}"


Template = tuple[str | Slot, ...]


@lru_cache(maxsize=1024)
def parse(text: str) -> Template:
    """Take a template apart; raises TemplateError."""
    if len(text) > MAX_TEMPLATE:
        what = f"The template is longer than {MAX_TEMPLATE} characters."
        raise TemplateError(what, "Shorten it.")
    return tuple(_piece(piece) for piece in _PIECE.findall(text))


def _piece(piece: str) -> str | Slot:
    if piece in {"{{", "}}"}:
        return piece[0]
    if not piece.startswith(("{", "}")):
        return piece
    found = _SLOT.fullmatch(piece[1:-1]) if len(piece) > 1 else None
    if found is None:
        what = f"{piece[:40]!r} is no placeholder."
        raise TemplateError(what, "Write {name} or {name|filter}; a brace itself is written twice.")
    filters = tuple(name for name in (found[3] or "").split("|") if name)
    for name in filters:
        if name not in FILTERS:
            raise TemplateError(f"There is no filter {name!r}.", _known(FILTERS))
    return Slot(found[1], found[2], filters)


def slots(template: Template) -> Iterator[Slot]:
    return (piece for piece in template if isinstance(piece, Slot))


def check(text: str, names: Collection[str]) -> Template:
    """Parse, and refuse placeholders that have no value here or would break out of quotes."""
    template = parse(text)
    before = ""
    for piece in template:
        if isinstance(piece, Slot):
            _check_slot(piece, names)
            if before.endswith(("'", '"')) and not QUOTING & set(piece.filters):
                what = f"{piece} stands between quotes, which its value could end."
                more = piece.name if piece.member is None else f"{piece.name}.{piece.member}"
                remedy = (
                    f"Write {{{more}|doubled}} where quotes are doubled, else {{{more}|escaped}}."
                )
                raise TemplateError(what, remedy)
        before = piece if isinstance(piece, str) else ""
    return template


def _check_slot(slot: Slot, names: Collection[str]) -> None:
    if slot.name not in names:
        raise TemplateError(f"{slot} has no value here.", _known(names))
    if (slot.member is not None) != (slot.name == "field"):
        raise TemplateError(
            f"{slot} is no placeholder.", "Only {field.NAME} has a name behind a dot."
        )


def _known(names: Collection[str]) -> str:
    return f"Known here: {', '.join(sorted(names))}."


def filtered(slot: Slot, text: str) -> str:
    for name in slot.filters:
        text = FILTERS[name](text)
    return text
