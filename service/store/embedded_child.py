"""Argv in, another program out: give up root, tie this life to the parent's, then exec.

`embedded_child.py PARENT SIGNAL UID GID FOLDER PROGRAM [ARG …]`, run by a fresh interpreter: code
of ours between fork and exec of a threaded process may dead-lock, and Linux forgets the death
signal when the user changes, so the process that will exec must set it after that change.
"""

import ctypes
import os
import sys

UNREACHABLE = 126
_PR_SET_PDEATHSIG = 1


def main(argv: list[str]) -> int:
    parent, signal, uid, gid = (int(word) for word in argv[1:5])
    # Loaded before the user changes; elsewhere the next start has to find the orphan instead.
    prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None
    folder, *words = argv[5:]
    os.chdir(folder)
    os.umask(0o077)
    if os.geteuid() == 0 and uid != 0:
        os.setgroups([])
        os.setgid(gid)
        os.setuid(uid)
    if prctl is not None:
        prctl(_PR_SET_PDEATHSIG, signal)
    if os.getppid() != parent:
        return 1
    try:
        os.execv(words[0], words)  # noqa: S606 - the words are ours, from spawn()
    except OSError as error:
        sys.stderr.write(f"{words[0]}: {error.strerror}\n")
    return UNREACHABLE


if __name__ == "__main__":
    sys.exit(main(sys.argv))
