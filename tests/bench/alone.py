"""One measure by itself: its words in, its table on the terminal out."""

import argparse
from collections.abc import Callable, Coroutine
from typing import Any

import uvloop

from tests.bench import record
from tests.bench.record import Record

Measured = Callable[[argparse.Namespace], Coroutine[Any, Any, tuple[list[Record], dict[str, Any]]]]


def run(options: Callable[[], argparse.ArgumentParser], measured: Measured) -> None:
    """Measure, tell it, and keep nothing."""
    found, machine = uvloop.run(measured(options().parse_args()))
    print(f"\n{record.table(found)}\n{machine}")
