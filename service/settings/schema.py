"""What the models allow at a place: a kind (an annotation) in, its keys, words and example out."""

import difflib
import json
from collections.abc import Iterable, Mapping
from types import NoneType, UnionType
from typing import Annotated, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from service.settings.models import Document
from service.settings.problems import Place

Kind = object
"""A type as written beside a field."""


def alternatives(kind: Kind) -> list[Kind]:
    """The members of a union, bare of Annotated and of None."""
    origin = get_origin(kind)
    if origin is Annotated:
        return alternatives(get_args(kind)[0])
    if origin in {Union, UnionType}:
        return [each for member in get_args(kind) for each in alternatives(member)]
    return [] if kind is NoneType else [kind]


def fields(kind: Kind) -> Mapping[str, FieldInfo]:
    """The keys a table may hold; its own name is not a key in it."""
    found: dict[str, FieldInfo] = {}
    for member in alternatives(kind):
        if isinstance(member, type) and issubclass(member, BaseModel):
            found |= member.model_fields
    return {key: field for key, field in found.items() if key != "name"}


def values(kind: Kind) -> Kind | None:
    """What the values of a free table or the elements of an array are."""
    for member in alternatives(kind):
        inner: tuple[Kind, ...] = get_args(member)
        if get_origin(member) is dict:
            return inner[1]
        if get_origin(member) is tuple:
            return inner[0]
    return None


def is_scalar(kind: Kind) -> bool:
    return not fields(kind) and values(kind) is None


def kind_at(place: Place) -> Kind | None:
    kind: Kind | None = Document
    for step in place:
        field = fields(kind).get(str(step))
        kind = field.annotation if field is not None else values(kind)
    return kind


def field_at(place: Place) -> FieldInfo | None:
    """The field a key belongs to; an array's element belongs to the array's field."""
    while place and isinstance(place[-1], int):
        place = place[:-1]
    return fields(kind_at(place[:-1])).get(str(place[-1])) if place else None


def example(place: Place) -> str:
    """`key = value` as it may stand in the file; empty where there is nothing to show."""
    field = field_at(place)
    if field is None or not field.examples:
        return ""
    key = next(step for step in reversed(place) if isinstance(step, str))
    return f"{key} = {as_toml(field.examples[0])}"


def as_toml(value: object) -> str:
    match value:
        case dict():
            pairs = ", ".join(f"{_key(key)} = {as_toml(inner)}" for key, inner in value.items())
            return f"{{ {pairs} }}" if pairs else "{}"
        case list():
            return f"[{', '.join(as_toml(inner) for inner in value)}]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _key(key: str) -> str:
    return key if key.replace("_", "").replace("-", "").isalnum() else json.dumps(key)


def suggest(word: str, choices: Iterable[str], *, rare: Iterable[str] = ()) -> str:
    """`Did you mean …?` where a choice is close, else what there is to choose from.

    `rare` choices are looked at when no other is close, and are not listed.
    """
    known = sorted(choices)
    for near in (known, sorted(rare)):
        close = difflib.get_close_matches(word, near, n=1, cutoff=0.6)
        if close:
            return f'Did you mean "{close[0]}"?'
    return f"Known here: {', '.join(known)}." if known else "Remove it."
