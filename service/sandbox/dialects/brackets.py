"""A query or form in PHP's brackets comes in, the nested parameters it stands for go out."""

import re
from urllib.parse import parse_qsl

from pydantic import JsonValue

NAME = re.compile(r"(?P<root>[^\[]+)(?P<keys>(?:\[[^\]]*\])*)")
KEY = re.compile(r"\[([^\]]*)\]")
MOST_NAMES = 1000
"""PHP's `max_input_vars`: what comes after is dropped without a word."""

Branch = dict[str, "str | Branch"]


def nested(text: str) -> dict[str, JsonValue]:
    """What PHP's `parse_str` makes of it; keys 0, 1, 2 … are a list."""
    root: Branch = {}
    for name, value in parse_qsl(text, keep_blank_values=True)[:MOST_NAMES]:
        match = NAME.fullmatch(name)
        if match is not None:
            _put(root, [match["root"], *KEY.findall(match["keys"])], value)
    return {name: _listed(value) for name, value in root.items()}


def _put(branch: Branch, path: list[str], value: str) -> None:
    key = path[0] or str(len(branch))
    if len(path) == 1:
        branch[key] = value
        return
    below = branch.setdefault(key, {})
    if isinstance(below, str):
        below = branch[key] = {}
    _put(below, path[1:], value)


def _listed(value: str | Branch) -> JsonValue:
    if isinstance(value, str):
        return value
    shown = {key: _listed(each) for key, each in value.items()}
    if list(shown) == [str(number) for number in range(len(shown))]:
        return list(shown.values())
    return shown
