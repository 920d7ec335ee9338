"""A table of the configuration comes in; it as it is in force, with no secret in it, goes out."""

import re
from collections.abc import Mapping
from datetime import timedelta
from urllib.parse import urlsplit

from pydantic import BaseModel

from service.ops.lookups import HIDDEN, Body
from service.settings import Secret, TextRule

FREE = frozenset({"options", "extra", "query", "body", "headers", "parts"})
"""Tables whose keys are anybody's: a secret may stand there as text."""
TELLING = re.compile(
    r"secret|token|passw|pwd|credential|authori[sz]ation|api[-_ ]?key", re.IGNORECASE
)
UNITS = (
    ("d", timedelta(days=1)),
    ("h", timedelta(hours=1)),
    ("m", timedelta(minutes=1)),
    ("s", timedelta(seconds=1)),
    ("ms", timedelta(milliseconds=1)),
)


def configuration(table: BaseModel) -> Body:
    """Every setting by its name; a secret is only where it comes from."""
    hidden = {"body"} if isinstance(table, TextRule) else set[str]()
    return {
        name: HIDDEN if name in hidden else _setting(name, getattr(table, name))
        for name in type(table).model_fields
        if name != "name"
    }


def given(table: BaseModel) -> list[str]:
    """The settings that somebody wrote; the others have their usual values."""
    return [
        name
        for name in type(table).model_fields
        if name in table.model_fields_set and name != "name"
    ]


def _setting(name: str, value: object) -> object:
    match value:
        case str() if name in {"url", "api"}:
            return _address(value)
        case Mapping() if name == "headers":
            return {key: _header(text) for key, text in value.items()}
        case _:
            return _shown(value, free=name in FREE)


def _shown(value: object, *, free: bool) -> object:
    match value:
        case Secret():
            return value.reference
        case BaseModel():
            return configuration(value)
        case Mapping():
            show = _free if free else lambda _, each: _shown(each, free=False)
            return {key: show(key, each) for key, each in value.items()}
        case list() | tuple():
            return [_shown(each, free=free) for each in value]
        case _:
            return _plain(value)


def _plain(value: object) -> object:
    match value:
        case timedelta():
            return duration(value)
        case None | bool() | int() | float() | str():
            return value
        case _:  # networks, and whatever else is written as text
            return str(value)


def _free(key: str, value: object) -> object:
    """A placeholder names a secret, and is none."""
    if TELLING.search(key) and not (isinstance(value, str) and _is_template(value)):
        return HIDDEN
    return _shown(value, free=True)


def _header(text: object) -> object:
    return text if isinstance(text, str) and _is_template(text) else HIDDEN


def _is_template(text: str) -> bool:
    return re.fullmatch(r"\{[^{}]+\}", text) is not None


def _address(text: str) -> str:
    """Some hand out addresses whose query lets anybody in who knows it."""
    query = urlsplit(text).query
    return f"{text.partition('?')[0]}?{HIDDEN}" if query else text


def duration(length: timedelta) -> str:
    """As it is written in the file."""
    for unit, size in UNITS:
        if length % size == timedelta(0) and length >= size:
            return f"{length // size}{unit}"
    return f"{length / timedelta(milliseconds=1):g}ms"
