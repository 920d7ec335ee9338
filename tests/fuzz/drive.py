"""Drives one entry with atheris; runs in the environment that `run` makes, one process an entry.

`python -m tests.fuzz.drive ENTRY FOLDER [FLAG …]` writes the input of a finding into FOLDER.
"""

import hashlib
import os
import sys
import traceback
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

FOUND = 77


def main() -> None:
    atheris: Any = import_module("atheris")
    include = ["service.intake", "service.domain", "service.web", "defusedxml", "jwt", "base64"]
    with atheris.instrument_imports(include=include):
        entries = import_module("tests.fuzz.entries")
    import_module("structlog").configure(processors=[_silent])
    entry, folder, *rest = sys.argv[1:]
    if entry in {"judging", "reading"}:
        entries.sealed()  # built once, not within the first input
    atheris.Setup([sys.argv[0], *rest], kept(entries.ENTRIES[entry], Path(folder)))
    atheris.Fuzz()


def _silent(_logger: object, _name: str, _event: object) -> Any:
    raise import_module("structlog").DropEvent


def kept(entry: Callable[[bytes], None], folder: Path) -> Callable[[bytes], None]:
    """The entry, which ends the process at the first finding and leaves its input behind."""

    def one(data: bytes) -> None:
        try:
            entry(data)
        except Exception:  # noqa: BLE001  (whatever it is, it is what we look for)
            name = f"finding-{hashlib.sha256(data).hexdigest()[:16]}"
            (folder / name).write_bytes(data)
            sys.stdout.write(traceback.format_exc())
            sys.stdout.flush()
            os._exit(FOUND)

    return one


if __name__ == "__main__":
    main()
