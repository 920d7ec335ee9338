"""OData batches: single calls come in, one multipart/mixed body goes out, and the other way round.

OData 4.0 part 1, section 11.7; the layout of Dataverse from learn.microsoft.com, "Execute batch
operations using the Web API" (read 2026-11).
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

BOUNDARY = "batch_orderhook"
"""A JSON body is one line that begins with a brace, so no body can look like it."""
NAMED = re.compile(r'boundary="?([^";,\s]{1,200})"?', re.IGNORECASE)
STATUS = re.compile(rb"HTTP/1\.[01] ([1-5][0-9]{2})(?: |$)")


@dataclass(frozen=True, slots=True)
class Part:
    """One call within a batch."""

    method: str
    target: str
    """The path and query, percent-encoded."""
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    body: bytes = field(default=b"", repr=False)


@dataclass(frozen=True, slots=True)
class Answered:
    """What one call of a batch was answered."""

    status: int
    headers: Mapping[str, str] = field(repr=False)
    """Names in lower case."""
    body: bytes = field(repr=False)


def encode(parts: Sequence[Part]) -> tuple[str, bytes]:
    """The content type and the body of a batch."""
    lines: list[bytes] = []
    for part in parts:
        lines += [
            f"--{BOUNDARY}".encode(),
            b"Content-Type: application/http",
            b"Content-Transfer-Encoding: binary",
            b"",
            f"{part.method} {part.target} HTTP/1.1".encode("ascii"),
            *(f"{name}: {value}".encode("latin-1") for name, value in part.headers.items()),
            b"",
            part.body,
        ]
    lines += [f"--{BOUNDARY}--".encode(), b""]
    return f'multipart/mixed; boundary="{BOUNDARY}"', b"\r\n".join(lines)


def decode(content_type: str, body: bytes) -> Sequence[Answered] | None:
    """The answers in their order; None when it is no such body."""
    named = NAMED.search(content_type)
    if named is None or not content_type.lower().startswith("multipart/mixed"):
        return None
    mark = b"--" + named[1].encode()
    answers: list[Answered] = []
    lines: list[bytes] | None = None
    for line in body.replace(b"\r\n", b"\n").split(b"\n"):
        if line.rstrip() not in {mark, mark + b"--"}:
            if lines is not None:
                lines.append(line)
            continue
        if lines is not None:
            answer = _answered(b"\n".join(lines))
            if answer is None:
                return None
            answers.append(answer)
        if line.rstrip() != mark:
            return answers
        lines = []
    return None


def _answered(part: bytes) -> Answered | None:
    _, _, inner = part.lstrip(b"\n").partition(b"\n\n")
    head, _, body = inner.lstrip(b"\n").partition(b"\n\n")
    first, *rest = head.split(b"\n")
    status = STATUS.match(first)
    if status is None:
        return None
    pairs = (line.decode("latin-1").partition(":") for line in rest)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return Answered(int(status[1]), headers, body.strip())
