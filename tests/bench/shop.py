"""One small signed source, and a program that runs as long as its context."""

import contextlib
import subprocess
from collections.abc import Iterator
from pathlib import Path

from service.settings import HmacRule, Secret, Source, SubjectRule

KEY = "a key of the benchmark"
SOURCE = Source(
    name="shop",
    provider="generic",
    secrets=(Secret.plain(KEY),),
    verify=HmacRule(header="X-Signature"),
    key="id",
    subject=SubjectRule(ref="order"),
    occurred_at="at",
    status="status",
    statuses={"PAID": "payment.paid"},
)


@contextlib.contextmanager
def program(words: list[str], folder: Path) -> Iterator[subprocess.Popen[str]]:
    with (folder / "log").open("a") as log:
        process = subprocess.Popen(
            words, cwd=folder, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True
        )
        try:
            yield process
        finally:
            process.terminate()
            process.wait(40)
