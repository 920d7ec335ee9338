"""A program in, its exit code out; it is ended when whoever holds our standard input is gone.

`python -m service.sandbox.leash PROGRAM [ARG …]`: even a demo that was killed leaves nothing
behind, because the kernel closes its end of the pipe.
"""

import os
import signal
import subprocess
import sys
import threading

STDIN = 0
PATIENCE = 25.0
"""Seconds from SIGTERM to SIGKILL."""


def main(command: list[str]) -> int:
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as child:  # noqa: S603 - our own argv
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: child.terminate())
        threading.Thread(target=_watch, args=(child,), daemon=True).start()
        code = child.wait()
    return code if code >= 0 else 128 - code


def _watch(child: subprocess.Popen[bytes]) -> None:
    while os.read(STDIN, 4096):  # unbuffered: a lock on sys.stdin would hinder our own end
        pass
    child.terminate()
    try:
        child.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        child.kill()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
