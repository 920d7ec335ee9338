"""Where things stand in a TOML text: valid TOML in, the line of every key and array element out."""

import re
import tomllib
from bisect import bisect_left
from collections.abc import Mapping

from service.settings.problems import Place

_BLANK = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SPACE = re.compile(r"[ \t]*")
_KEY = re.compile(r"[A-Za-z0-9_-]+|\"(?:\\.|[^\"\\])*\"|'[^']*'")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'', re.DOTALL
)
_BARE = re.compile(r"[^,\]}\n#]*")


def find_lines(text: str) -> Mapping[Place, int]:
    """Walk a text that tomllib has accepted; lines count from 1."""
    return _Walk(text).run()


class _Walk:
    """Knows only where values begin and end; what they mean is tomllib's affair."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[Place, int] = {}
        self.breaks = [found.start() for found in re.finditer("\n", text)]
        self.sizes: dict[Place, int] = {}

    def run(self) -> Mapping[Place, int]:
        table: Place = ()
        while self.skip(_BLANK) < len(self.text):
            if self.sees("["):
                table = self.header()
            else:
                self.pair(table)
        return self.lines

    def header(self) -> Place:
        start, many = self.at, self.sees("[[")
        self.at += 2 if many else 1
        keys = self.keys()
        self.at += 2 if many else 1
        return self.mark((), keys, start=start, opens=many)

    def pair(self, table: Place) -> None:
        start = self.at
        place = self.mark(table, self.keys(), start=start)
        self.at += len("=")
        self.value(place)

    def keys(self) -> list[str]:
        keys = [self.key()]
        while self.sees("."):
            self.at += 1
            keys.append(self.key())
        return keys

    def key(self) -> str:
        self.skip(_SPACE)
        raw = self.take(_KEY)
        self.skip(_SPACE)
        return str(tomllib.loads(f"key = {raw}")["key"]) if raw[:1] in {'"', "'"} else raw

    def mark(self, table: Place, keys: list[str], *, start: int, opens: bool = False) -> Place:
        """Note the line of a dotted key and of the tables it makes on the way."""
        place = table
        for number, key in enumerate(keys, 1):
            place = (*place, key)
            self.note(place, start)
            if opens and number == len(keys):
                self.sizes[place] = self.sizes.get(place, 0) + 1
            if place in self.sizes:
                place = (*place, self.sizes[place] - 1)
                self.note(place, start)
        return place

    def note(self, place: Place, start: int) -> None:
        self.lines.setdefault(place, bisect_left(self.breaks, start) + 1)

    def value(self, place: Place) -> None:
        self.skip(_SPACE)
        if self.sees("["):
            self.array(place)
        elif self.sees("{"):
            self.inline(place)
        elif self.sees('"') or self.sees("'"):
            self.take(_STRING)
        else:
            self.take(_BARE)
        self.skip(_SPACE)

    def array(self, place: Place) -> None:
        self.at += 1
        number = 0
        while self.skip(_BLANK) < len(self.text) and not self.sees("]"):
            self.note((*place, number), self.at)
            self.value((*place, number))
            number += 1
            if not self.comma():
                break
        self.at += 1

    def inline(self, place: Place) -> None:
        self.at += 1
        while self.skip(_BLANK) < len(self.text) and not self.sees("}"):
            self.pair(place)
            if not self.comma():
                break
        self.at += 1

    def comma(self) -> bool:
        self.skip(_BLANK)
        more = self.sees(",")
        self.at += more
        self.skip(_BLANK)
        return more

    def sees(self, text: str) -> bool:
        return self.text.startswith(text, self.at)

    def skip(self, pattern: re.Pattern[str]) -> int:
        self.take(pattern)
        return self.at

    def take(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        # Every pattern matches valid TOML; a step of one keeps the walk finite on anything else.
        taken = found[0] if found else self.text[self.at : self.at + 1]
        self.at += len(taken)
        return taken
