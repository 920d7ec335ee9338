"""Core dumps hold every secret of a process: none are written, whoever starts it."""

import resource


def off() -> None:
    """For this process and those it starts; a limit that is taken down stays there."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
