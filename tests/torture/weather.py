"""What the fault proxy does to one link: words of a control line in, the weather in force out."""

from dataclasses import dataclass, fields
from typing import Any, Literal

Way = Literal["up", "down"]
"""`up` is what the client says, `down` is what the server answers."""


@dataclass(frozen=True, slots=True)
class Weather:
    """All of it holds for new connections, and from the next byte on for those there are."""

    refuse: bool = False
    """Break every new connection."""
    hold: tuple[Way, ...] = ()
    """Let nothing pass; what is held goes on when the weather clears."""
    drop: tuple[Way, ...] = ()
    """Swallow what comes; the stream is torn then, so cut the link afterwards."""
    delay: float = 0.0
    """Seconds for each piece, both ways; `jitter` more at most."""
    jitter: float = 0.0
    drip: int = 0
    """Bytes in a second; 0 is no limit."""
    reset_after: int = 0
    """Break the connection after so many bytes of an answer; 0 is never."""
    truncate_after: int = 0
    """The same, with an orderly end in the middle of an answer."""
    answer: str = ""
    """Say this to every new client instead of connecting it."""

    @property
    def clear(self) -> bool:
        return self == CLEAR


CLEAR = Weather()


def read(words: dict[str, Any]) -> Weather:
    known = {field.name for field in fields(Weather)}
    assert words.keys() <= known, words
    ways = {name: tuple(words.get(name, ())) for name in ("hold", "drop")}
    return Weather(**(words | ways))
