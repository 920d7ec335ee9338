"""A pid in, a picture of where its time goes out, if py-spy is installed."""

import contextlib
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

NONE = "There is no py-spy here: .venv/bin/pip install py-spy"


def find() -> str:
    beside = Path(sys.executable).with_name("py-spy")
    found = str(beside) if beside.exists() else shutil.which("py-spy")
    if found is None:
        sys.exit(NONE)
    return found


@contextlib.contextmanager
def watched(pid: int, file: Path, *, seconds: float) -> Iterator[None]:
    """Sampled while the context lives; the suffix of the file says the format."""
    formats = {".json": "speedscope", ".txt": "raw"}
    words = ["record", "--pid", str(pid), "--duration", str(int(seconds)), "--rate", "200"]
    words += ["--format", formats.get(file.suffix, "flamegraph"), "--output", str(file)]
    process = subprocess.Popen([find(), *words], stdout=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.wait(seconds + 30)
        print(f"profile written to {file}")
