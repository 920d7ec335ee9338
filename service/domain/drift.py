"""What a record shows against what it should show, and whether a person changed it.

All as text: a CRM may write `12.50` as `12.5` or `True` as `1`, and shows the same all the same.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import TypedDict

Shown = Mapping[str, str | None]
"""Their field, its value as text; None is empty. A field that is left out was not read."""

_WORDS = {"true": "true", "yes": "true", "y": "true", "false": "false", "no": "false", "n": "false"}
MOST_SHOWN = 100
_FLAGS = {"1": "true", "0": "false"}


class Difference(TypedDict):
    """One field: what we would write, and what stands there."""

    ours: str | None
    theirs: str | None


@dataclass(frozen=True, slots=True)
class Drift:
    """Where a record differs from what it should show."""

    differences: Mapping[str, Difference]
    """Every field that differs; none: it shows what it should."""
    by_person: frozenset[str]
    """Those of them that a person seems to have changed."""


def compare(
    wanted: Shown,
    found: Shown,
    *,
    written: Shown | None,
    intents: Sequence[Shown] = (),
    by_us: bool | None = None,
) -> Drift:
    """Find what differs, and what of it is neither what we wrote or may have written, nor ours.

    A field that we never wrote or read before is taken as it stands: that is where we began.
    """
    differences = {
        name: Difference(ours=value, theirs=found.get(name))
        for name, value in wanted.items()
        if name not in found or not same(value, found[name])
    }
    known = [written or {}, *intents]
    persons = frozenset(
        name
        for name in differences
        if name in found and name in known[0] and not by_us and not _is_known(name, found, known)
    )
    return Drift(differences, persons)


def spoken(differences: Iterable[str]) -> str:
    """At most three fields by their names: a sentence is kept, and values may tell of people."""
    names = sorted(differences)
    return ", ".join(names[:3]) + (", …" if len(names) > 3 else "")


def short(text: str | None) -> str:
    """What somebody wrote into a field, as it may stand in a sentence on a terminal."""
    shown = "".join(sign if sign.isprintable() else " " for sign in (text or "empty")[:MOST_SHOWN])
    return f"{shown}…" if text and len(text) > MOST_SHOWN else shown


def same(one: str | None, other: str | None) -> bool:
    """Whether two texts are the same value of a field."""
    mine, theirs = (one or "").strip(), (other or "").strip()
    return mine == theirs or _flag(mine, theirs) or _number(mine, theirs)


def _is_known(name: str, found: Shown, known: Sequence[Shown]) -> bool:
    return any(name in each and same(each[name], found[name]) for each in known)


def _flag(one: str, other: str) -> bool:
    """Only a word is read as a flag: two different numbers never are the same one."""
    mine, theirs = _WORDS.get(one.lower()), _WORDS.get(other.lower())
    if mine is None and theirs is None:
        return False
    return (mine or _FLAGS.get(one)) == (theirs or _FLAGS.get(other))


def _number(one: str, other: str) -> bool:
    mine, theirs = _decimal(one), _decimal(other)
    return mine is not None and mine == theirs


def _decimal(text: str) -> Decimal | None:
    """A number without a leading zero: `007` and `7` are different names of things."""
    digits = text.lstrip("+-")
    if len(digits) > 1 and digits[0] == "0" and digits[1] != ".":
        return None
    try:
        number = Decimal(text) if text.isascii() else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() else None
