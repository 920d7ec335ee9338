"""Bytes that somebody sent come in; what a page may show of them comes out, as text.

Nothing is read anew: a number keeps its digits, a key that stands twice stands twice.
"""

import json
import re
import unicodedata
from dataclasses import dataclass

MOST_SHOWN = 64 * 1024
TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{},:]|[^\s\[\]{},:"]+')
OPENING, CLOSING = "[{", "]}"
DEEPEST = 32
"""Beyond, lines begin no further to the right: a page of blanks helps nobody."""


@dataclass(frozen=True, slots=True)
class Shown:
    text: str
    kind: str
    """`json`, `text`, or `bytes` for what is neither."""
    cut: bool
    """Whether there is more of it."""


def show(body: bytes) -> Shown:
    """JSON indented, other text as it is, with every sign that cannot be seen written out."""
    cut = len(body) > MOST_SHOWN
    part = body[:MOST_SHOWN]
    try:
        text = part.decode("utf-8", "strict" if not cut else "ignore")
    except UnicodeDecodeError:
        return Shown(visible(part.decode("utf-8", "backslashreplace")), "bytes", cut)
    if not cut and _is_json(text):
        return Shown(visible(_indented(text)), "json", cut)
    return Shown(visible(text), "text", cut)


def visible(text: str) -> str:
    """Signs that are not seen, or turn what is seen around, as their numbers."""
    return "".join(sign if _seen(sign) else _number(sign) for sign in text)


def _seen(sign: str) -> bool:
    return sign in "\n\t" or unicodedata.category(sign) not in {"Cc", "Cf", "Cs", "Zl", "Zp"}


def _number(sign: str) -> str:
    code = ord(sign)
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _is_json(text: str) -> bool:
    try:
        json.loads(text, parse_float=str, parse_int=str)
    except (ValueError, RecursionError):
        return False
    return True


def _indented(text: str) -> str:
    """The same tokens on lines of their own; nothing is changed within them."""
    parts: list[str] = []
    depth, before = 0, ""
    for token in TOKEN.findall(text):
        if token in CLOSING:
            depth -= 1
            if before not in OPENING or not before:
                parts.append(_line(depth))
        elif before and (before in OPENING or before == ","):
            parts.append(_line(depth))
        elif before == ":":
            parts.append(" ")
        parts.append(token)
        depth += token in OPENING
        before = token
    return "".join(parts)


def _line(depth: int) -> str:
    return "\n" + "  " * min(depth, DEEPEST)
