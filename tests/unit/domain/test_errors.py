"""The tree of errors is the one drawn in its module."""

import inspect
import re

from service.domain import errors


def test_every_error_is_drawn_under_its_parent() -> None:
    drawn = {}
    parents = ["Exception"]
    for indent, name in re.findall(
        r"^([\u2502\u251c\u2514\u2500 ]*)([A-Z]\w+)", inspect.getdoc(errors) or "", re.MULTILINE
    ):
        depth = len(indent) // 4
        if name in vars(errors):
            drawn[name] = parents[depth]
            parents = [*parents[: depth + 1], name]
    real = {
        name: each.__base__.__name__
        for name, each in vars(errors).items()
        if inspect.isclass(each) and each.__base__ is not None
    }
    assert real == drawn
