"""SQL is SQL: reads the named blocks of a module's twin .sql file."""

import re
from collections.abc import Mapping
from importlib.resources import files

BLOCK = re.compile(r"^-- (\w+) --$", re.MULTILINE)


def load(name: str) -> Mapping[str, str]:
    """The blocks of `store/{name}.sql` by name; a block starts with a line `-- name --`."""
    _, *parts = BLOCK.split((files("service.store") / f"{name}.sql").read_text("utf-8"))
    names, bodies = parts[::2], parts[1::2]
    if len(set(names)) != len(names):
        raise ValueError(f"{name}.sql names a block twice")
    return {block: body.strip() for block, body in zip(names, bodies, strict=True)}
